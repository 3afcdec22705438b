//! The program `mapper` on crossbars in real time: the map and the routes are those of the simulated fabric.
#![cfg(target_os = "linux")]

use serde_json::Value;
use std::fs;
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use tempfile::TempDir;
use twowire_fabric::protocol::Port;
use twowire_fabric::routed_host::RoutedHost;
use twowire_fabric::spec::{self, SimSpec};
use twowire_fabric::xbar::{AttachOptions, Control, Crowd, Server, ServerConfig, XbarPort, raise_file_limit};

/// A fabric at `x` in a directory of its own, all of whose hosts but the front end answer.
struct Served {
    dir: TempDir,
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

impl Served {
    fn new(topology: &str) -> Served {
        raise_file_limit();
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x");
        let topology = topology.parse::<SimSpec>().unwrap().topology().unwrap();
        let front_end = spec::front_end(&topology, None).unwrap();
        let nodes = topology.host_ids().filter(|&host| host != front_end);
        let nodes: Vec<String> = nodes.map(|host| topology.host(host).name.clone()).collect();
        let mut server = Server::bind(&path, topology, ServerConfig::default()).unwrap();
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = |stop: &Arc<AtomicBool>| {
            let stop = Arc::clone(stop);
            move || stop.load(Ordering::Relaxed)
        };
        let (end_server, end_crowd) = (stopped(&stop), stopped(&stop));
        let server = std::thread::spawn(move || server.run(end_server).unwrap());
        let members: Vec<_> = nodes
            .into_iter()
            .enumerate()
            .map(|(seed, name)| {
                let options = AttachOptions { host: Some(name), ring_bytes: 64 << 10, ..AttachOptions::default() };
                let port = XbarPort::attach(&path, &options).unwrap();
                let host = RoutedHost::new(port.unique_id(), seed as u64);
                (port, host)
            })
            .collect();
        let mut crowd = Crowd::new(members).unwrap();
        // Its server may be the first of the two to end.
        let crowd = std::thread::spawn(move || drop(crowd.run(end_crowd)));
        Served { dir, stop, threads: vec![server, crowd] }
    }

    #[track_caller]
    fn mapper(&self, words: &str) -> Value {
        let output =
            Command::new(env!("CARGO_BIN_EXE_mapper")).args(words.split(' ')).current_dir(self.dir.path()).output();
        let output = output.unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!((output.status.code(), stderr.as_ref()), (Some(0), ""), "mapper {words}");
        serde_json::from_slice(&output.stdout).unwrap()
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.dir.path().join(name)).unwrap()
    }

    /// Maps the fabric, and the same one simulated: nothing differs.
    #[track_caller]
    fn equals_the_simulated(&self, topology: &str, flags: &str) {
        let outputs = |name: &str| format!("--topo-out {name}.topo --routes-out {name}.routes --json {flags}");
        self.mapper(&format!("--fabric xbar:x {}", outputs("real")));
        self.mapper(&format!("--fabric sim:{topology} {}", outputs("sim")));
        assert!(self.read("real.topo") == self.read("sim.topo"), "the maps of {topology} differ");
        assert!(self.read("real.routes") == self.read("sim.routes"), "the routes of {topology} differ");
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            assert!(thread.join().is_ok() || std::thread::panicking(), "a thread panicked");
        }
    }
}

#[test]
fn small_fabrics_are_mapped_as_the_simulated_ones() {
    for (topology, flags) in [
        ("clos:hosts=16,radix=4,levels=3", "--topology clos --routes-per-pair 4"),
        ("torus:4x4x2,hosts-per=2", "--topology torus"),
        ("random:crossbars=12,radix=8,hosts=20,seed=3", "--topology any"),
    ] {
        Served::new(topology).equals_the_simulated(topology, flags);
    }
}

/// Pink: 320 crossbars, and 1,023 hosts that answer.
#[test]
fn pink_is_mapped_as_the_simulated_one() {
    Served::new("pink").equals_the_simulated("pink", "--topology clos");
}

/// The nodes take their routes; a second time they are mapped by a front end that knows nothing, and take the next epoch's.
#[test]
fn routes_are_loaded_into_the_nodes() {
    let served = Served::new("clos:hosts=64,radix=16,levels=2");
    for epoch in 1..=2 {
        let report = served.mapper("--fabric xbar:x --routes-per-pair 4 --load --json");
        assert_eq!((report["committed"].as_u64(), report["epoch"].as_u64()), (Some(63), Some(epoch)), "{report}");
        assert_eq!(report["not_loaded"].as_array().map(Vec::len), Some(0), "{report}");
    }
    let simulated = served.mapper("--fabric sim:clos:hosts=64,radix=16,levels=2 --routes-per-pair 4 --load --json");
    assert_eq!(simulated["committed"].as_u64(), Some(63), "{simulated}");
}

/// A cable is cut and mended while `mapper serve` runs; each time the nodes get routes. Ctrl-C ends it.
#[test]
fn a_fabric_is_served_while_a_cable_is_cut_and_mended() {
    let served = Served::new("clos:hosts=16,radix=4,levels=3");
    let mut mapper = Command::new(env!("CARGO_BIN_EXE_mapper"));
    let mapper = mapper.args("serve --fabric xbar:x --interval 50ms --json".split(' ')).current_dir(served.dir.path());
    let mut mapper = mapper.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(mapper.stdout.take().unwrap()).lines();
    let mut wait_for = |event: &str, end: &str| loop {
        let line: Value = serde_json::from_str(&lines.next().expect("it runs").unwrap()).unwrap();
        let has_end = || ["a", "b"].iter().any(|side| line[side] == end);
        if line["event"] == event && (end.is_empty() || has_end()) {
            return line;
        }
    };
    let first = wait_for("in_use", "");
    let mut control = Control::connect(&served.dir.path().join("x")).unwrap();
    let mut epoch = first["epoch"].as_u64().unwrap();
    for (strike, event) in [("cut:x1.1:2", "gone"), ("mend:x1.1:2", "come")] {
        control.strike(strike).unwrap();
        // Discovery gives crossbars names and ports of its own, which here are those of the topology.
        wait_for(event, "x1.1:2");
        let next = wait_for("in_use", "")["epoch"].as_u64().unwrap();
        assert!(next > epoch, "{next} after {epoch}");
        epoch = next;
    }
    let kill = Command::new("kill").args(["-INT", &mapper.id().to_string()]).status().unwrap();
    assert!(kill.success());
    assert_eq!(mapper.wait().unwrap().code(), Some(130));
}

#[test]
fn what_does_not_fit_a_served_fabric_is_refused() {
    let served = Served::new("clos:hosts=16,radix=4,levels=3");
    for (words, code, said) in [
        ("--fabric xbar:x --fault cut:n1", 2, "xbar cut"),
        ("--fabric xbar:x,host=n1 --front-end n2", 2, "name two hosts"),
        ("--fabric xbar:x,host=nobody", 1, "nobody"),
        ("--fabric xbar:y", 1, "no xbar runs at y"),
        ("--fabric xbar:x --front-end n1", 1, "attached already"),
        ("--from-topo x.topo --load", 2, "--load"),
    ] {
        let mut mapper = Command::new(env!("CARGO_BIN_EXE_mapper"));
        let output = mapper.args(words.split(' ')).current_dir(served.dir.path()).output().unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.code() == Some(code) && stderr.contains(said), "mapper {words}\n{stderr}");
    }
}
