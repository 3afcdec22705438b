//! Crossbars in real time: three processes on this machine, a sender, the crossbars and a receiver; frames cross five
//! crossbars of Pink. And how long Pink takes to be mapped, with 1,023 hosts that answer in a process of their own.

use bytes::Bytes;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use twowire_benches::{Figures, median};
use twowire_fabric::protocol::{Port, Received, Transmit, drive};
use twowire_fabric::route::Route;
use twowire_fabric::routed_host::RoutedHost;
use twowire_fabric::topology::generate::pink;
use twowire_fabric::topology::{HostId, NodeId};
use twowire_fabric::wire::Packet;
use twowire_fabric::wire::probe::Probe;
use twowire_fabric::xbar::{
    AttachOptions, Attachment, Control, Crowd, Server, ServerConfig, XbarPort, raise_file_limit,
};
use twowire_mapper::discovery::{Discovery, DiscoveryConfig};
use twowire_mapper::engine::{self, Request, TopologyKind};

/// What a child process is to be, and where the crossbars are.
const ROLE: &str = "TWOWIRE_XBAR_BENCH";
const ROUNDS: usize = 5;
const ROUND: Duration = Duration::from_millis(700);

fn main() {
    match std::env::var(ROLE).ok().as_deref().and_then(|role| role.split_once(' ')) {
        None => measure(),
        Some(("serve", path)) => serve(Path::new(path)),
        Some(("respond", path)) => respond(Path::new(path)),
        Some(("send", what)) => send(what),
        Some((role, _)) => panic!("{role} is no role"),
    }
}

#[allow(clippy::disallowed_methods)] // a bench reads the clock
fn now() -> Instant {
    Instant::now()
}

/// A process that ends with this one's patience.
struct Helper(Child);

impl Helper {
    fn start(role: &str) -> Helper {
        let program = std::env::current_exe().expect("this program");
        let child = Command::new(program).env(ROLE, role).stdin(Stdio::null()).spawn().expect("a child process");
        Helper(child)
    }
}

impl Drop for Helper {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn measure() {
    let mut figures = Figures::of("xbar");
    let path = std::env::temp_dir().join(format!("twowire-xbar-bench-{}", std::process::id()));
    let server = Helper::start(&format!("serve {}", path.display()));
    while !path.exists() {
        std::thread::yield_now();
    }
    for attachment in [Attachment::Rings, Attachment::Datagrams] {
        let (rate, lost) = transfer(&path, attachment, 4096);
        let gigabytes = rate * 4096.0 / 1e9;
        figures.record(format!("payloads of 4 KiB, {attachment}"), format!("{gigabytes:.2} GB/s, {lost} lost"));
        let (rate, lost) = transfer(&path, attachment, 32);
        let millions = rate / 1e6;
        figures.record(
            format!("payloads of 32 bytes, {attachment}"),
            format!("{millions:.2} million frames a second, {lost} lost"),
        );
    }
    let crowd = Helper::start(&format!("respond {}", path.display()));
    while attached(&path) < 1023 {
        std::thread::yield_now();
    }
    let walls = (0..ROUNDS).map(|seed| map(&path, seed as u64)).collect();
    figures.record("discovery of Pink, 1,023 hosts in another process", format!("{:.2} s", median(walls)));
    drop((crowd, server));
    let _ = std::fs::remove_file(&path);
}

fn attached(path: &Path) -> usize {
    let hosts = Control::connect(path).and_then(|mut control| control.hosts()).expect("the crossbars tell their hosts");
    hosts.iter().filter(|host| host.attached.is_some()).count()
}

/// The frames a second that reach the receiver, and how many the crossbars dropped.
fn transfer(path: &Path, attachment: Attachment, payload: usize) -> (f64, u64) {
    let (_, to, _) = five_crossbars_apart();
    let options = AttachOptions { host: Some(to), attachment, ring_bytes: 1 << 20, ..AttachOptions::default() };
    let mut port = XbarPort::attach(path, &options).expect("the receiver attaches");
    let mut lost = 0;
    let rates = (0..ROUNDS).map(|_| {
        let sender = Helper::start(&format!("send {payload} {attachment} {}", path.display()));
        (0..1000).for_each(|_| receive(&mut port));
        let before = dropped(path);
        let (start, mut frames) = (now(), 0u64);
        while start.elapsed() < ROUND {
            receive(&mut port);
            frames += 1;
        }
        let rate = frames as f64 / start.elapsed().as_secs_f64();
        lost += dropped(path) - before;
        drop(sender);
        while port.recv().expect("the port is open").is_some() {}
        rate
    });
    (median(rates.collect()), lost)
}

fn dropped(path: &Path) -> u64 {
    let lines = Control::connect(path).and_then(|mut control| control.counters()).expect("the crossbars tell");
    lines.iter().map(|line| line.counters.drops.iter().sum::<u64>()).sum()
}

/// Waits for a frame.
fn receive(port: &mut XbarPort) {
    let deadline = port.now() + Duration::from_secs(10);
    loop {
        match port.recv().expect("the port is open") {
            Some(Received::Packet(_)) => return,
            Some(Received::Rejected(error)) => panic!("a damaged frame: {error}"),
            None => {
                assert!(port.now() < deadline, "no frame came");
                port.wait(deadline).expect("the port is open");
            }
        }
    }
}

/// Discovers the fabric; seconds on the clock on the wall.
fn map(path: &Path, seed: u64) -> f64 {
    let mut port = XbarPort::attach(path, &AttachOptions::default()).expect("the front end attaches");
    let start = now();
    let config = DiscoveryConfig { timeout_floor: Duration::from_millis(2), ..DiscoveryConfig::default() };
    let mut discovery = Discovery::new(config, port.unique_id(), seed);
    let deadline = port.now() + Duration::from_secs(60);
    assert!(drive(&mut port, &mut discovery, deadline, |d| d.is_done()).expect("the port is open"), "not mapped");
    let seconds = start.elapsed().as_secs_f64();
    let found = discovery.into_map().expect("a map");
    assert_eq!((found.topology.hosts().len(), found.topology.cables().len()), (1024, 3072));
    seconds
}

/// Two hosts of Pink that are five crossbars apart, and the route from the first to the second.
fn five_crossbars_apart() -> (String, String, Route) {
    let topology = pink();
    let request = Request { routes_per_pair: 1.try_into().expect("one"), epoch: 1 };
    let routes = engine::compute(&topology, TopologyKind::Clos, request).expect("routes of Pink");
    let from = HostId(0);
    let mut found = None;
    routes.for_each_from(from, |route| {
        if route.hops.len() == 5 {
            found = Some((route.to, Route::from_bytes(route.hops).expect("a stored route")));
        }
    });
    let (to, route) = found.expect("a route over five crossbars");
    let name = |host| topology.node_name(NodeId::Host(host)).to_owned();
    (name(from), name(to), route)
}

/// Sends as fast as the port takes frames, until it is killed.
fn send(what: &str) {
    let mut words = what.splitn(3, ' ');
    let mut word = || words.next().expect("payload, attachment and path");
    let payload: usize = word().parse().expect("the payload's size");
    let attachment: Attachment = word().parse().expect("an attachment");
    let path = PathBuf::from(word());
    let (from, _, route) = five_crossbars_apart();
    let options = AttachOptions { host: Some(from), attachment, ring_bytes: 1 << 20, ..AttachOptions::default() };
    // The sender of the round before may not have been noticed to be gone.
    let mut port = (0..1000).find_map(|_| XbarPort::attach(&path, &options).ok()).expect("the sender attaches");
    let payload = Bytes::from(vec![7; payload]);
    for nonce in 0.. {
        while !port.can_send() {
            port.wait(port.now() + Duration::from_secs(1)).expect("the port is open");
        }
        let packet = Packet::with_payload(Probe { session: 1, nonce }, payload.clone());
        port.send(Transmit::new(route, packet)).expect("the port is open");
    }
}

fn serve(path: &Path) {
    raise_file_limit();
    let mut server = Server::bind(path, pink(), ServerConfig::default()).expect("the crossbars listen");
    server.run(|| false).expect("the crossbars run");
}

fn respond(path: &Path) {
    raise_file_limit();
    let hosts = Control::connect(path).and_then(|mut control| control.hosts()).expect("the crossbars tell their hosts");
    let members = hosts.iter().filter(|host| host.name != "master").map(|host| {
        let options = AttachOptions { host: Some(host.name.clone()), ring_bytes: 64 << 10, ..AttachOptions::default() };
        let port = XbarPort::attach(path, &options).expect("a host attaches");
        let host = RoutedHost::new(port.unique_id(), port.unique_id().0);
        (port, host)
    });
    let mut crowd = Crowd::new(members).expect("a crowd");
    crowd.run(|| false).expect("the crowd runs");
}
