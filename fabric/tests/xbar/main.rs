//! The program `xbar`, run as a user runs it, each time in a directory of its own.
#![cfg(all(target_os = "linux", feature = "cli"))]

mod sandbox;

use sandbox::{Sandbox, until};
use serde_json::json;
use std::fs;
use std::time::Duration;
use twowire_fabric::protocol::{Port, Received, Transmit};
use twowire_fabric::route::{Hop, Route};
use twowire_fabric::wire::Packet;
use twowire_fabric::wire::probe::Probe;
use twowire_fabric::xbar::{AttachOptions, Attachment, XbarPort};

/// Two crossbars and four hosts.
const TOPO: &str = "topo 1\nname small\ncrossbar x0 8\ncrossbar x1 8\nhost n0 0x1\nhost n1 0x2\nhost n2 0x3\nhost master 0x4\n\
    cable n0 x0:0\ncable n1 x0:1\ncable n2 x1:0\ncable master x1:1\ncable x0:7 x1:7\n";

fn attach(sandbox: &Sandbox, host: &str, attachment: Attachment) -> XbarPort {
    let options = AttachOptions { host: Some(host.to_owned()), attachment, ..AttachOptions::default() };
    XbarPort::attach(&sandbox.path().join("x"), &options).unwrap()
}

/// How long a frame may take on a busy machine.
const LIMIT: Duration = Duration::from_secs(20);

/// From a host at port `from` of x0 to one at port `to` of x1.
fn across(from: u8, to: u8) -> Route {
    Route::from_hops(&[Hop::between(from, 7), Hop::between(7, to)]).unwrap()
}

/// Asks who is at the end of a route.
fn probe(port: &mut XbarPort, nonce: u32, way: Route) {
    let packet = Packet::with_payload(Probe { session: 9, nonce }, way.as_bytes().to_vec().into());
    port.send(Transmit::new(way, packet)).unwrap();
}

/// Asks who is at the end of a route, and waits a moment for an answer.
fn is_answered(port: &mut XbarPort, nonce: u32, way: Route) -> bool {
    probe(port, nonce, way);
    let deadline = port.now() + Duration::from_millis(300);
    while port.now() < deadline {
        if port.recv().unwrap().is_some() {
            return true;
        }
        port.wait(deadline).unwrap();
    }
    false
}

/// Waits until a frame can be sent.
fn wait_for_room(port: &mut XbarPort) {
    let deadline = port.now() + LIMIT;
    while !port.can_send() {
        assert!(port.now() < deadline, "{} has no room", port.host_name());
        port.wait(deadline).unwrap();
    }
}

/// Waits for the next packet.
fn next(port: &mut XbarPort) -> Packet {
    let deadline = port.now() + LIMIT;
    loop {
        match port.recv().unwrap() {
            Some(Received::Packet(packet)) => return packet,
            Some(other) => panic!("{other:?}"),
            None => {
                assert!(port.now() < deadline, "nothing came to {}", port.host_name());
                port.wait(deadline).unwrap();
            }
        }
    }
}

#[test]
fn a_fabric_is_served_and_taken_away() {
    let sandbox = Sandbox::with(TOPO);
    let serve = sandbox.start("serve --topo small.topo --at x --json");
    let served = serve.first_json();
    assert_eq!(served, json!({"at": "x", "topology": "small.topo", "hosts": 4, "crossbars": 2, "cables": 5}));
    assert!(sandbox.names().contains(&"x".to_owned()));
    let hosts = sandbox.json("hosts x --json");
    assert_eq!(hosts["hosts"][3], json!({"name": "master", "id": "0x0000000000000004", "attached": null}));

    let port = XbarPort::attach(&sandbox.path().join("x"), &AttachOptions::default()).unwrap();
    assert_eq!(port.host_name(), "master", "without a name one is the front end");
    let attached = json!({"by": "rings", "process": std::process::id()});
    assert_eq!(sandbox.json("hosts x --json")["hosts"][3]["attached"], attached);
    assert!(sandbox.ok("hosts x").contains("rings, process"));

    assert_eq!(serve.interrupt().code(), Some(0));
    assert_eq!(sandbox.names(), ["small.topo"]);
    sandbox.fails("hosts x", 1, &["no xbar runs at x", "xbar serve"]);
}

#[test]
fn hosts_answer_until_their_cable_is_cut() {
    let sandbox = Sandbox::with(TOPO);
    let serve = sandbox.serving("--topo small.topo");
    let respond = sandbox.start("respond x --hosts n1..n2 --json");
    assert_eq!(respond.first_json(), json!({"hosts": 2}));
    let mut port = attach(&sandbox, "n0", Attachment::Datagrams);
    let way = across(0, 0);
    let mut answered = |nonce: u32| is_answered(&mut port, nonce, way);
    // An answer may be late on a busy machine, and none comes over a cable that is cut.
    until("an answer", || answered(1));
    sandbox.ok("cut x x0:7");
    assert!(!answered(2));
    sandbox.ok("mend x x1:7");
    until("an answer", || answered(3));
    sandbox.ok("kill x x1 x0");
    assert!(!answered(4));
    sandbox.ok("revive x x1 x0");
    until("an answer", || answered(5));

    let counters = sandbox.json("counters x --json");
    assert_eq!(counters["drops"]["dead-link"].as_u64(), Some(2), "{counters}");
    let cut = counters["ports"].as_array().unwrap().iter().find(|p| p["port"] == "x0:7").unwrap();
    assert_eq!(cut["drops"]["dead-link"].as_u64(), Some(1), "{cut}");
    let table = sandbox.ok("counters x");
    assert!(table.contains("dead-link 2") && table.contains("x0:7"), "{table}");
    assert_eq!(respond.interrupt().code(), Some(0));
    assert_eq!(serve.interrupt().code(), Some(0));
}

/// Who starts a virtual machine needs a descriptor for its card, the MTU and an address; the port is the machine's while it runs.
#[test]
fn a_program_that_emulates_a_card_is_plugged_in() {
    let sandbox = Sandbox::with(TOPO);
    let _serve = sandbox.serving("--topo small.topo");
    let script = format!("[ -S /proc/self/fd/$1 ] && echo $2 $3 && exec {} hosts x --json", env!("CARGO_BIN_EXE_xbar"));
    fs::write(sandbox.path().join("card"), script).unwrap();
    let said = sandbox.ok("plug x n1 -- sh card {fd} {mtu} {mac}");
    let (first, hosts) = said.split_once('\n').unwrap();
    assert_eq!(first, "4232 00:00:00:00:00:02");
    let hosts: serde_json::Value = serde_json::from_str(hosts).unwrap();
    assert_eq!(hosts["hosts"][1]["attached"]["by"], json!("card"), "{hosts}");
    until("the end of the card", || sandbox.json("hosts x --json")["hosts"][1]["attached"].is_null());
    sandbox.fails("plug x n9 -- true", 1, &["n9"]);
    sandbox.fails("plug x n1 -- no-such-program", 1, &["no-such-program cannot be started"]);
    sandbox.fails("plug x n1", 2, &["COMMAND"]);
}

/// The crossbars and a card that belong to a shell, which gets no chance to end them.
#[test]
fn what_belongs_to_a_process_ends_with_it() {
    let sandbox = Sandbox::with(TOPO);
    let _stays = sandbox.serving("--topo small.topo");
    let script = "$0 plug x n1 --parent $$ -- sleep 600 & $0 serve --at y --topo small.topo --parent $$ --json & wait";
    let shell = sandbox.shell(script);
    assert_eq!(shell.first_json()["at"], "y");
    let card = || sandbox.json("hosts x --json")["hosts"][1]["attached"]["process"].clone();
    until("a card that is plugged in", || !card().is_null());
    sandbox.ok("hosts y");
    shell.kill();
    until("the end of the card", || card().is_null());
    until("the end of the crossbars", || sandbox.run("hosts y").status.code() == Some(1));
    for orphan in ["serve --at z --topo small.topo --parent 1", "plug x n1 --parent 1 -- true"] {
        sandbox.fails(orphan, 1, &["--parent 1: that process has not started this one"]);
    }
}

/// A process that is killed with frames on their way to it and from it costs the others nothing.
#[test]
fn a_killed_host_stalls_nobody() {
    let sandbox = Sandbox::with(TOPO);
    let _serve = sandbox.serving("--topo small.topo");
    let victim = sandbox.start("respond x --hosts n2 --json");
    victim.first_json();
    let (mut a, mut b) = (attach(&sandbox, "n0", Attachment::Rings), attach(&sandbox, "master", Attachment::Rings));
    let (to_victim, to_b) = (across(0, 0), across(0, 1));
    let mut victim = Some(victim);
    for nonce in 0..2_000 {
        for way in [to_victim, to_victim, to_b] {
            wait_for_room(&mut a);
            probe(&mut a, nonce, way);
        }
        if nonce == 1_000 {
            victim.take().unwrap().kill();
        }
        while a.recv().unwrap().is_some() {}
        assert_eq!(next(&mut b).header, Probe { session: 9, nonce }.into());
    }
    until("the end of the killed host", || sandbox.json("hosts x --json")["hosts"][2]["attached"].is_null());
    let respond = sandbox.start("respond x --hosts n2 --json");
    assert_eq!(respond.first_json(), json!({"hosts": 1}), "its place is free again");
}

/// A process that is stopped gets no more than its queue holds; the one beside it gets all that the same sender has for it. Once the
/// process goes on it answers again.
#[test]
fn a_stopped_host_gets_what_its_queue_holds_and_stalls_nobody() {
    let sandbox = Sandbox::with(TOPO);
    let _serve = sandbox.serving("--topo small.topo");
    let stopped = sandbox.start("respond x --hosts n2 --json");
    stopped.first_json();
    stopped.signal("STOP");
    let (mut a, mut b) = (attach(&sandbox, "n0", Attachment::Rings), attach(&sandbox, "master", Attachment::Rings));
    let filler = Packet::with_payload(Probe { session: 9, nonce: 0 }, vec![7; 4096].into());
    for nonce in 0..2_000 {
        wait_for_room(&mut a);
        a.send(Transmit::new(across(0, 0), filler.clone())).unwrap();
        wait_for_room(&mut a);
        probe(&mut a, nonce, across(0, 1));
        a.flush().unwrap();
        assert_eq!(next(&mut b).header, Probe { session: 9, nonce }.into());
    }
    let counters = sandbox.json("counters x --json");
    let port = |name: &str| counters["ports"].as_array().unwrap().iter().find(|p| p["port"] == name).unwrap();
    let (full, free) = (port("x1:0"), port("x1:1"));
    assert!(full["drops"]["queue-full"].as_u64().unwrap() > 1_000, "{counters}");
    assert_eq!(
        (free["frames"].as_u64(), counters["drops"]["queue-full"].as_u64()),
        (Some(2_000), full["drops"]["queue-full"].as_u64())
    );
    stopped.signal("CONT");
    until("an answer", || is_answered(&mut a, 7, across(0, 0)));
}

#[test]
fn a_killed_server_is_noticed_and_its_socket_replaced() {
    let sandbox = Sandbox::with(TOPO);
    let serve = sandbox.serving("--topo small.topo");
    sandbox.fails("serve --topo small.topo --at x", 1, &["x: an xbar runs there already", "choose another path"]);
    let respond = sandbox.start("respond x --json");
    assert_eq!(respond.first_json(), json!({"hosts": 3}), "all but the front end");
    serve.kill();
    let (status, stderr) = respond.end();
    assert_eq!(status.code(), Some(1));
    assert!(stderr.contains("the port is down: xbar at x"), "{stderr}");
    assert!(sandbox.names().contains(&"x".to_owned()), "nobody was left to remove it");
    let again = sandbox.serving("--topo small.topo");
    assert_eq!(again.interrupt().code(), Some(0));
}

#[test]
fn what_cannot_be_is_refused_with_the_reason() {
    let sandbox = Sandbox::with(TOPO);
    fs::write(sandbox.path().join("bad.topo"), "topo 1\ncrossbar x0 4\ncable x0:0 x9:0\n").unwrap();
    fs::write(sandbox.path().join("file"), "mine").unwrap();
    sandbox.fails("serve --topo bad.topo --at x", 1, &["bad.topo, line 3", "x9"]);
    sandbox.fails("serve --topo none.topo --at x", 1, &["cannot read none.topo"]);
    sandbox.fails("serve --topo small.topo --at file", 1, &["file: this is not a socket"]);
    sandbox.fails("serve --topo small.topo --at no/such/x", 1, &["cannot listen at no/such/x", "choose a path"]);
    sandbox.fails("serve --topo clos:hosts=9 --at x", 2, &["radix="]);
    sandbox.fails("serve --topo small.topo --at x --patience 5h", 2, &["at most 1s"]);
    sandbox.fails("serve --topo small.topo", 2, &["--at"]);
    let _serve = sandbox.serving("--topo small.topo");
    sandbox.fails("cut x x7:1", 1, &["x7"]);
    sandbox.fails("cut x x0:5", 1, &["x0:5"]);
    sandbox.fails("kill x n0", 1, &["n0"]);
    sandbox.fails("respond x --hosts n0..n9", 2, &["n9", "xbar hosts"]);
    sandbox.fails("respond x --hosts n2..n0", 2, &["ends before it begins"]);
    let _held = attach(&sandbox, "n1", Attachment::Rings);
    sandbox.fails("respond x --hosts all", 1, &["`n1` is attached already", &std::process::id().to_string()]);
}

#[test]
fn help_has_examples_and_completions_are_scripts() {
    let sandbox = Sandbox::with(TOPO);
    for command in ["", "serve", "respond", "plug", "cut", "mend", "kill", "revive", "counters", "hosts", "completions"]
    {
        let help = sandbox.ok(&format!("{command} --help"));
        assert!(help.contains("Example") && help.contains("Usage: xbar"), "xbar {command}\n{help}");
    }
    assert!(sandbox.ok("completions bash").contains("complete -F _xbar"));
    assert!(sandbox.ok("--version").starts_with("xbar "));
}
