//! Ports on network devices whose cables lead to crossbars: the device is a tap, and the emulator carries its frames to and from
//! the crossbars as it does for a virtual machine.

use bytes::Bytes;
use tempfile::TempDir;
use twowire_fabric::conformance::{self, Exemption, Rig};
use twowire_fabric::endpoint::{Endpoint, EndpointConfig, Event, PortEndpoint};
use twowire_fabric::protocol::{Addressing, LanePath, Path, Port, Received, Transmit};
use twowire_fabric::raw::{RawError, RawOptions, RawPort, mtu_of_cable};
use twowire_fabric::route::{Hop, Route};
use twowire_fabric::wire::probe::Probe;
use twowire_fabric::wire::{DEFAULT_MAX_PAYLOAD, Packet};
use twowire_fabric::xbar::{AttachOptions, Control, DropCause, XbarPort};
use twowire_hwtests::netns::{DEVICE, NetnsError, Network, Plan};
use twowire_hwtests::programs::{Process, program, until};

const QEMU: &str = "qemu-system-x86_64";

/// Two crossbars; hosts 0 and 1 are at the first.
const TOPO: &str = "topo 1\ncrossbar x0 8\ncrossbar x1 8\nhost n0 0x20000000001\nhost n1 0x20000000002\nhost n2 0x20000000003\n\
    host n3 0x20000000004\ncable n0 x0:0\ncable n1 x0:1\ncable n2 x1:2\ncable n3 x1:3\ncable x0:7 x1:6\n";

/// A machine of nothing but a hub with two plugs: the crossbars' and a tap's.
const HUB: [&str; 14] = [
    "-M",
    "none",
    "-nodefaults",
    "-no-user-config",
    "-display",
    "none",
    "-netdev",
    "dgram,id=x,local.type=fd,local.str={fd}",
    "-netdev",
    "tap,id=t,ifname=e0,script=no,downscript=no",
    "-netdev",
    "hubport,id=hx,hubid=0,netdev=x",
    "-netdev",
    "hubport,id=ht,hubid=0,netdev=t",
];

struct Cards {
    dir: TempDir,
    ports: Vec<RawPort>,
    _processes: Vec<Process>,
    network: Network,
}

impl Cards {
    /// `None`, with the reason on standard error, where there can be none.
    fn new(hosts: usize) -> Option<Cards> {
        let path = std::env::var_os("PATH").unwrap_or_default();
        if !std::env::split_paths(&path).any(|dir| dir.join(QEMU).is_file()) {
            eprintln!("skipped: `{QEMU}` is not installed; `apt-get install qemu-system-x86`");
            return None;
        }
        let network = match Network::new(Plan::new(hosts, 1500)) {
            Ok(network) => network,
            Err(error @ (NetnsError::NotRoot | NetnsError::Missing { .. })) => {
                eprintln!("skipped: {error}");
                return None;
            }
            Err(error) => panic!("{error}"),
        };
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("lab.topo"), TOPO).unwrap();
        let mut serve = std::process::Command::new(program("xbar"));
        serve.current_dir(dir.path()).args(["serve", "--topo", "lab.topo", "--at", "x"]);
        let mut cards = Cards { ports: Vec::new(), _processes: Vec::new(), network, dir };
        let mut server = Process::start(serve, &cards.dir.path().join("xbar.log"));
        server.wait_for("the fabric is");
        cards._processes.push(server);
        (0..hosts).for_each(|host| cards.plug_in(host));
        Some(cards)
    }

    fn plug_in(&mut self, host: usize) {
        self.network.remove_device(host).unwrap();
        let mut qemu = self.network.command(host, program("xbar"));
        qemu.current_dir(self.dir.path()).args(["plug", "x", &format!("n{host}"), "--", QEMU]).args(HUB);
        self._processes.push(Process::start(qemu, &self.dir.path().join(format!("card{host}.log"))));
        let words = format!("mtu {} up", mtu_of_cable(DEFAULT_MAX_PAYLOAD));
        until("the emulator makes its tap", || self.network.set_device(host, &words).is_ok());
        self.ports.push(self.open(host, RawOptions::default()).unwrap());
    }

    fn open(&self, host: usize, options: RawOptions) -> Result<RawPort, RawError> {
        let options = RawOptions { addressing: Addressing::Hops, ..options };
        self.network.inside(host, || RawPort::open(DEVICE, options)).expect("the namespace is there")
    }

    fn control(&self) -> Control {
        Control::connect(&self.dir.path().join("x")).unwrap()
    }

    fn dropped_at_cut_cables(&self) -> u64 {
        let ports = self.control().counters().unwrap();
        ports.iter().map(|port| port.counters.drops[DropCause::DeadLink as usize]).sum()
    }

    fn route(from: usize, to: usize) -> Route {
        let port = |host: usize| host as u8;
        let hops = match (from / 2, to / 2) {
            (0, 1) => vec![Hop::between(port(from), 7), Hop::between(6, port(to))],
            (1, 0) => vec![Hop::between(port(from), 6), Hop::between(7, port(to))],
            _ => vec![Hop::between(port(from), port(to))],
        };
        Route::from_hops(&hops).unwrap()
    }
}

impl Rig for Cards {
    fn hosts(&self) -> usize {
        self.ports.len()
    }

    fn port(&mut self, host: usize) -> &mut dyn Port {
        &mut self.ports[host]
    }

    fn path(&self, from: usize, to: usize) -> Path {
        Cards::route(from, to).into()
    }

    /// A hop too many; what is damaged otherwise is the business of the port on any device.
    fn damage(&mut self, from: usize, to: usize, kind: usize) -> bool {
        let mut route = Cards::route(from, to);
        route.push(Hop::new(1)).unwrap();
        if kind == 0 {
            self.ports[from].send(Transmit::new(route, probe(1))).unwrap();
            self.ports[from].flush().unwrap();
        }
        kind == 0
    }

    fn rejected(&mut self, host: usize) -> u64 {
        self.ports[host].counters().unwrap().rejected
    }

    fn hold(&mut self, _held: bool) {}
}

const EXEMPTIONS: &[Exemption] = &[Exemption {
    case: "waiting_for_room",
    reason: "a tap takes every frame, and drops those for which it has no room",
}];

fn probe(nonce: u32) -> Packet {
    Packet::with_payload(Probe { session: 1, nonce }, Bytes::from_static(&[7; 100]))
}

#[test]
fn a_device_on_a_crossbar_is_a_port() {
    if Cards::new(0).is_some() {
        conformance::run(EXEMPTIONS, |hosts| Box::new(Cards::new(hosts).unwrap()));
    }
}

#[test]
fn a_cable_of_a_card_is_cut_and_mended() {
    let Some(mut cards) = Cards::new(3) else { return };
    assert_eq!(cards.ports[0].limits().max_payload, DEFAULT_MAX_PAYLOAD);
    let mut control = cards.control();
    for (nonce, strike) in [(1, "mend:n2"), (2, "cut:n2"), (3, "mend:n2"), (4, "cut:x0:7"), (5, "mend:x0:7")] {
        control.strike(strike).unwrap();
        cards.ports[0].send(Transmit::new(Cards::route(0, 2), probe(nonce))).unwrap();
        cards.ports[0].flush().unwrap();
        if strike.starts_with("mend") {
            let came = conformance::receive(&mut cards, 2);
            assert_eq!(came, Received::Packet(probe(nonce)));
        } else {
            until("the frame is dropped", || cards.dropped_at_cut_cables() == u64::from(nonce / 2));
        }
    }
}

/// What came for a port until something does.
fn receive(port: &mut RawPort) -> Received {
    let mut came = None;
    until("a frame comes", || {
        came = port.recv().unwrap();
        came.is_some()
    });
    came.expect("it has come")
}

#[test]
fn processes_of_a_host_share_its_cable_by_lanes() {
    let Some(mut cards) = Cards::new(2) else { return };
    let lane = |lane| RawOptions { lane, ..RawOptions::default() };
    let mut lanes = [3, 0x7fff].map(|number| cards.open(1, lane(number)).unwrap());
    assert_ne!(lanes[0].unique_id(), lanes[1].unique_id());
    let error = cards.open(1, lane(3)).err().unwrap();
    assert!(matches!(error, RawError::Lane { lane: 3, .. }), "{error}");
    let path = |to| Path::Lane(LanePath { route: Cards::route(0, 1), to, from: 9 });
    for (nonce, to) in [(1, 3), (2, 0x7fff), (3, 0), (4, 17), (5, 3)] {
        cards.ports[0].send(Transmit::new(path(to), probe(nonce))).unwrap();
    }
    cards.ports[0].flush().unwrap();
    // Each has its own, and no other's: what is for nobody is nowhere.
    assert_eq!(receive(&mut lanes[0]), Received::Packet(probe(1)));
    assert_eq!(receive(&mut lanes[0]), Received::Packet(probe(5)));
    assert_eq!(receive(&mut lanes[1]), Received::Packet(probe(2)));
    assert_eq!(receive(&mut cards.ports[1]), Received::Packet(probe(3)));
    for port in lanes.iter_mut().chain([&mut cards.ports[1]]) {
        assert_eq!((port.recv().unwrap(), port.counters().unwrap().rejected), (None, 0));
    }
}

#[test]
fn messages_go_between_a_lane_and_a_host_at_the_crossbars() {
    let Some(cards) = Cards::new(1) else { return };
    let socket = cards.dir.path().join("x");
    let front = XbarPort::attach(&socket, &AttachOptions { host: Some("n3".into()), ..AttachOptions::default() });
    let options = RawOptions { lane: 5, gather: false, long: true, ..RawOptions::default() };
    let mut agent = PortEndpoint::new(cards.open(0, options).unwrap(), EndpointConfig::default(), 1);
    let mut front = PortEndpoint::new(front.unwrap(), EndpointConfig::default(), 2);
    let path = Path::Lane(LanePath { route: Cards::route(3, 0), to: 5, from: 0 });
    front.connect(agent.unique_id(), vec![path]);
    let long: Bytes = vec![7; 100_000].into();
    front.send(agent.unique_id(), long.clone()).unwrap();
    let mut answered = false;
    until("the answer comes", || {
        if let Some(Event::Message { peer, message }) = agent.poll().unwrap() {
            agent.send(peer, message).unwrap();
        }
        if let Some(Event::Message { message, .. }) = front.poll().unwrap() {
            answered = message == long;
        }
        answered
    });
}
