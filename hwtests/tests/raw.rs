//! Ports on Ethernet devices, between network namespaces.

use bytes::Bytes;
use std::fmt::Write;
use std::time::Duration;
use twowire_fabric::conformance::{self, Exemption, Rig, drain, receive};
use twowire_fabric::endpoint::{Endpoint, EndpointConfig, Event, PortEndpoint};
use twowire_fabric::protocol::{Group, Path, Port, PortError, Received, Transmit};
use twowire_fabric::raw::{RawError, RawOptions, RawPort};
use twowire_fabric::wire::Packet;
use twowire_fabric::wire::endpoint::Sounding;
use twowire_fabric::wire::probe::Probe;
use twowire_hwtests::netns::{DEVICE, NetnsError, Network, Plan};

/// A network; `None`, with the reason on standard error, where there can be none.
fn network(plan: Plan) -> Option<Network> {
    match Network::new(plan) {
        Ok(network) => Some(network),
        Err(error @ (NetnsError::NotRoot | NetnsError::Missing { .. })) => {
            eprintln!("skipped: {error}");
            None
        }
        Err(error) => panic!("{error}"),
    }
}

fn open(network: &Network, host: usize, messages: bool) -> Result<RawPort, RawError> {
    let options = RawOptions { buffer_bytes: 4 << 20, gather: !messages, long: messages, ..RawOptions::default() };
    network.inside(host, || RawPort::open(DEVICE, options)).expect("the namespace is there")
}

/// What the bridge does to frames on their way, as an nftables statement, numbered from 0.
const DAMAGES: [&str; 7] = [
    "@ll,112,16 set 0xffff", // the length of the frame, far too large
    "@ll,112,16 set 0x0400", // and too small
    "@ll,128,8 set 0x81",    // a hop in front of the header
    "@ll,128,8 set 0x02",    // another version
    "@ll,136,8 set 0x7f",    // no kind that there is
    "@ll,144,16 set 0xffff", // the length of the payload
    "@ll,176,8 set 0x5a",    // a byte that only the CRC-32 looks at
];

struct RawRig {
    ports: Vec<RawPort>,
    network: Network,
}

impl RawRig {
    fn new(network: Network, hosts: usize) -> RawRig {
        RawRig::open(network, hosts, false)
    }

    /// With ports for messages, or for much that nobody waits for.
    fn open(network: Network, hosts: usize, messages: bool) -> RawRig {
        let ports = (0..hosts).map(|host| open(&network, host, messages).unwrap()).collect();
        RawRig { ports, network }
    }
}

impl Rig for RawRig {
    fn hosts(&self) -> usize {
        self.ports.len()
    }

    fn port(&mut self, host: usize) -> &mut dyn Port {
        &mut self.ports[host]
    }

    fn path(&self, _from: usize, to: usize) -> Path {
        Path::Card(self.ports[to].unique_id())
    }

    fn damage(&mut self, from: usize, to: usize, kind: usize) -> bool {
        let Some(damage) = DAMAGES.get(kind) else { return false };
        let rule = format!("chain f {{ type filter hook forward priority 0; oifname \"p{to}\" {damage}\n}}");
        self.network.nft(&format!("table bridge damage {{\n{rule}\n}}\n")).unwrap();
        let packet = Packet::with_payload(Probe { session: 1, nonce: 2 }, Bytes::from_static(&[7; 100]));
        let path = self.path(from, to);
        self.ports[from].send(Transmit::new(path, packet)).unwrap();
        self.ports[from].flush().unwrap();
        self.network.nft("delete table bridge damage\n").unwrap();
        true
    }

    fn rejected(&mut self, host: usize) -> u64 {
        self.ports[host].counters().unwrap().rejected
    }

    fn hold(&mut self, _held: bool) {}
}

const EXEMPTIONS: &[Exemption] = &[Exemption {
    case: "waiting_for_room",
    reason: "a bridge takes every frame, and drops those that it cannot deliver: its ports never run out of room",
}];

fn conforms(mtu: u32, messages: bool) {
    if network(Plan::new(0, mtu)).is_some() {
        let rig = |hosts| RawRig::open(network(Plan::new(hosts, mtu)).unwrap(), hosts, messages);
        conformance::run(EXEMPTIONS, |hosts| Box::new(rig(hosts)));
    }
}

#[test]
fn a_device_is_a_port_with_the_usual_mtu() {
    conforms(1500, false);
}

#[test]
fn a_port_for_messages_is_one_with_the_usual_mtu() {
    conforms(1500, true);
}

#[test]
fn a_port_for_messages_is_one_with_large_frames() {
    conforms(9000, true);
}

#[test]
fn a_device_is_a_port_with_large_frames() {
    conforms(9000, false);
}

#[test]
fn a_device_is_a_port_with_the_largest_frames() {
    conforms(65_535, false);
}

fn probe(nonce: u32, payload: Bytes) -> Packet {
    Packet::with_payload(Probe { session: 3, nonce }, payload)
}

#[test]
fn frames_that_are_kept_do_not_stop_those_that_follow() {
    let Some(network) = network(Plan::new(2, 1500)) else { return };
    let mut rig = RawRig::new(network, 2);
    let payload = Bytes::from(vec![1; rig.ports[0].limits().max_payload]);
    let path = rig.path(0, 1);
    let mut kept = Vec::new();
    // Four times what the buffer holds.
    for nonce in 0..12_000 {
        rig.ports[0].send(Transmit::new(path, probe(nonce, payload.clone()))).unwrap();
        if nonce % 500 == 499 {
            rig.ports[0].flush().unwrap();
            kept.extend((nonce - 499..=nonce).map(|_| receive(&mut rig, 1)));
        }
    }
    assert_eq!(rig.ports[1].counters().unwrap().overrun, 0);
    for (nonce, received) in kept.into_iter().enumerate() {
        assert_eq!(received, Received::Packet(probe(nonce as u32, payload.clone())));
    }
}

#[test]
fn a_buffer_that_overflows_is_counted() {
    let Some(network) = network(Plan::new(2, 1500)) else { return };
    let mut rig = RawRig::new(network, 2);
    let payload = Bytes::from(vec![1; 1400]);
    let path = rig.path(0, 1);
    for nonce in 0..6_000 {
        rig.ports[0].send(Transmit::new(path, probe(nonce, payload.clone()))).unwrap();
    }
    rig.ports[0].flush().unwrap();
    let came = drain(&mut rig, 1, Duration::from_millis(100)).len() as u64;
    assert_eq!(rig.ports[1].counters().unwrap().overrun, 6_000 - came);
    assert!(came > 1_000 && came < 6_000, "a buffer of 4 MiB held {came} frames of 1.5 kB");
}

#[test]
fn a_host_hears_only_the_groups_that_it_joined() {
    let Some(network) = network(Plan::new(3, 1500)) else { return };
    let mut rig = RawRig::new(network, 3);
    rig.ports[1].join(Group(0xabcd)).unwrap();
    for group in [1, 0xabcd, 0xabce] {
        rig.ports[0].send(Transmit::new(Path::Group(Group(group)), probe(group.into(), Bytes::new()))).unwrap();
    }
    rig.ports[0].flush().unwrap();
    assert_eq!(receive(&mut rig, 1), Received::Packet(probe(0xabcd, Bytes::new())));
    for host in 0..3 {
        assert_eq!(drain(&mut rig, host, Duration::from_millis(50)), [], "host {host}");
    }
}

#[test]
fn a_device_that_cannot_be_used_says_why_and_what_to_do() {
    let Some(network) = network(Plan::new(2, 1500)) else { return };
    let error = |device: &str| {
        let opened = network.inside(0, || RawPort::open(device, RawOptions::default())).unwrap();
        opened.err().map_or_else(String::new, |error| error.to_string())
    };
    assert_eq!(
        error("no7"),
        "raw:no7: there is no such network device in this network namespace; `ip link` lists them"
    );
    assert_eq!(error("lo"), "raw:lo: not an Ethernet device: expected one of `link/ether` in `ip link`");
    network.set_device(0, "mtu 68").unwrap();
    assert_eq!(error(DEVICE), "raw:e0: an MTU of 68 is too small: expected at least 73; `ip link set e0 mtu 73`");
    network.set_device(0, "down").unwrap();
    assert_eq!(error(DEVICE), "raw:e0: the device is switched off; `ip link set e0 up` switches it on");
}

/// Sends and waits until the port says what is wrong.
fn failure(port: &mut RawPort, path: Path) -> String {
    let mut text = String::new();
    for nonce in 0..10 {
        let deadline = port.now() + Duration::from_millis(100);
        let sent = port.send(Transmit::new(path, probe(nonce, Bytes::new()))).and_then(|()| port.wait(deadline));
        if let Err(error) = sent {
            assert!(matches!(error, PortError::Down(_)), "{error:?}");
            write!(text, "{error}").unwrap();
            break;
        }
    }
    text
}

#[test]
fn a_device_that_goes_away_is_an_error() {
    let Some(network) = network(Plan::new(2, 1500)) else { return };
    let mut rig = RawRig::new(network, 2);
    let (to_0, to_1) = (rig.path(1, 0), rig.path(0, 1));
    rig.network.set_device(0, "down").unwrap();
    let off = "the port is down: raw:e0: the device is switched off; `ip link set e0 up` switches it on";
    assert_eq!(failure(&mut rig.ports[0], to_1), off);
    rig.network.remove_device(1).unwrap();
    let gone =
        "the port is down: raw:e0: there is no such network device in this network namespace; `ip link` lists them";
    let said = failure(&mut rig.ports[1], to_0);
    assert!(said == gone || said == off, "{said}");
}

/// Frames of all lengths get through a bridge of an MTU of 1500, whole, in order, and only to the lane that they are for: those that lie in a slot of the
/// ring as well as those that wait in the socket's queue.
#[test]
fn long_frames_get_through_virtual_devices() {
    let Some(network) = network(Plan::new(2, 1500)) else { return };
    let lane = |host: usize, lane: u16| {
        let options = RawOptions { gather: false, long: true, lane, ..RawOptions::default() };
        network.inside(host, || RawPort::open(DEVICE, options)).unwrap().unwrap()
    };
    let (mut from, mut to, mut other) = (lane(0, 0), lane(1, 7), lane(1, 8));
    let len = from.limits().long_payload;
    assert!(len > 32 << 10 && from.limits().max_payload < 1500);
    let path = Path::Card(to.unique_id());
    let around_a_slot = (8 << 10..10 << 10).step_by(3);
    let lens: Vec<usize> =
        [1500, 2000, 4096, 33_000, len].into_iter().chain(around_a_slot).chain([len, 1501, len]).collect();
    for together in lens.chunks(4) {
        let packets = together.iter().map(|&len| {
            let header = Sounding { connection: len as u64, path: 1, check: 2 };
            Packet::with_payload(header, (0..len).map(|at| (at ^ len) as u8).collect::<Vec<u8>>().into())
        });
        let packets: Vec<Packet> = packets.collect();
        for packet in &packets {
            from.send(Transmit::new(path, packet.clone())).unwrap();
        }
        for packet in packets {
            let deadline = to.now() + Duration::from_secs(1);
            to.wait(deadline).unwrap();
            assert_eq!(to.recv().unwrap(), Some(Received::Packet(packet)));
        }
    }
    assert_eq!((to.recv().unwrap(), other.recv().unwrap()), (None, None));
    let packet = Packet::with_payload(Sounding { connection: 1, path: 1, check: 2 }, vec![0; len + 1].into());
    assert!(matches!(from.send(Transmit::new(path, packet)), Err(PortError::TooLarge { .. })));
}

/// Two endpoints that exchange messages, each of which has to arrive.
struct Talk {
    ends: [PortEndpoint<RawPort>; 2],
    disconnected: bool,
}

impl Talk {
    fn new(network: &Network) -> Talk {
        let end = |host| {
            let port = open(network, host, true).unwrap();
            let config = EndpointConfig { long_payload: port.limits().long_payload, ..EndpointConfig::default() };
            PortEndpoint::new(port, EndpointConfig { max_payload: usize::MAX, ..config }, host as u64)
        };
        let mut ends = [end(0), end(1)];
        let cards = [ends[0].unique_id(), ends[1].unique_id()];
        ends[0].connect(cards[1], vec![Path::Card(cards[1])]);
        Talk { ends, disconnected: false }
    }

    /// Moves frames for so long, or until a message comes.
    fn run(&mut self, limit: Duration) -> Option<Bytes> {
        let until = self.ends[0].now() + limit;
        while self.ends[0].now() < until {
            for end in &mut self.ends {
                end.wait(end.now() + Duration::from_micros(100)).unwrap();
                while let Some(event) = end.poll().unwrap() {
                    match event {
                        Event::Message { message, .. } => return Some(message),
                        Event::Disconnected { .. } => self.disconnected = true,
                        _ => {}
                    }
                }
            }
        }
        None
    }

    fn payload(&self) -> usize {
        self.ends[0].machine().payload(self.ends[1].unique_id())
    }

    fn send(&mut self, byte: u8) -> Option<Bytes> {
        let peer = self.ends[1].unique_id();
        self.ends[0].send(peer, vec![byte; 100_000].into()).unwrap();
        self.run(Duration::from_secs(2))
    }
}

/// What a switch or a card that cuts long frames up comes to: none arrives.
const NO_LONG_FRAMES: &str =
    "table bridge cut {\nchain f { type filter hook forward priority 0; ether type ip drop\n}\n}\n";

#[test]
fn long_frames_are_used_only_where_they_arrive() {
    for carries in [true, false] {
        let Some(network) = network(Plan::new(2, 1500)) else { return };
        if !carries {
            network.nft(NO_LONG_FRAMES).unwrap();
        }
        let mut talk = Talk::new(&network);
        assert_eq!(talk.run(Duration::from_millis(100)), None);
        assert_eq!(talk.payload() > 1500, carries);
        assert_eq!(talk.send(1), Some(vec![1; 100_000].into()));
    }
}

#[test]
fn a_way_that_ceases_to_carry_long_frames_is_gone_on_with() {
    let Some(network) = network(Plan::new(2, 1500)) else { return };
    let mut talk = Talk::new(&network);
    assert_eq!(talk.run(Duration::from_millis(100)), None);
    assert_eq!(talk.send(1), Some(vec![1; 100_000].into()));
    network.nft(NO_LONG_FRAMES).unwrap();
    assert_eq!(talk.send(2), None, "it was cut into long frames, and the connection begins again without it");
    assert!(talk.disconnected && talk.payload() < 1500);
    assert_eq!(talk.send(3), Some(vec![3; 100_000].into()));
}
