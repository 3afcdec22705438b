//! Both sides of a transfer, fed with packets that nobody can trust.
//!
//! An input is a list of records:
//!
//! ```text
//! 0                   1               3
//! | time * 2 + whom   | length, LE    | header and payload of a packet |
//! ```
//!
//! `whom` is 0 for the node and 1 for the front end, `time` how much of it has passed, in 0.2 ms. A record of no bytes lets
//! time pass.

use bytes::Bytes;
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use twowire_fabric::id::{NodeNumber, UniqueId};
use twowire_fabric::protocol::Protocol;
use twowire_fabric::route::{Hop, Route};
use twowire_fabric::routes::RouteTable;
use twowire_fabric::time::Time;
use twowire_fabric::topology::{HostId, PortId, Topology};
use twowire_fabric::wire::{Header, Packet, frame};
use twowire_multicast_boot::image::{ClusterSecretKey, ImageParts, PackedImage};
use twowire_multicast_boot::membership::{ClusterSecret, SECRET_LEN};
use twowire_multicast_boot::session::{
    BootClient, BootNode, BootRoot, Credentials, Gate, GroupConfig, NodeConfig, Plan, RootConfig, SharedStores,
};

/// The unit of a record's time.
const TICK: Duration = Duration::from_micros(200);

/// Frames that a machine may send at once.
const MOST_FRAMES: usize = 64;

/// The largest payload of a port.
const PORT: usize = 1430;

/// An image whose parts are all one byte repeated, but not alike in every chunk.
fn image() -> &'static PackedImage {
    static IMAGE: OnceLock<PackedImage> = OnceLock::new();
    IMAGE.get_or_init(|| {
        let initramfs: Vec<u8> = (0..21_000u32).map(|i| (i / 97) as u8).collect();
        let parts = ImageParts { name: "fuzzed".into(), initramfs: initramfs.into(), ..ImageParts::default() };
        PackedImage::pack(&parts, &key()).expect("a small image")
    })
}

fn key() -> ClusterSecretKey {
    ClusterSecretKey::from_seed(&[7; 32])
}

fn credentials() -> Credentials {
    Credentials { card: UniqueId(5), key: key().public(), secret: Some(secret()) }
}

fn secret() -> ClusterSecret {
    ClusterSecret::new(&[8; SECRET_LEN])
}

fn gate() -> Option<Gate> {
    Some(Gate { secret: secret(), nonce: 3 })
}

/// A front end and a node, and nothing between them.
pub(crate) struct Pair {
    root: BootRoot,
    pub(crate) node: BootNode,
    now: Time,
}

impl Pair {
    /// Both on one crossbar.
    pub(crate) fn over_trees() -> Pair {
        let mut topology = Topology::new("pair");
        let x = topology.add_crossbar("x", 4).expect("a new name");
        for port in 0..2 {
            let name = ["master", "n0"][usize::from(port)];
            let host =
                topology.add_host(name, [UniqueId(9), credentials().card][usize::from(port)], 1).expect("a new name");
            topology.connect(PortId::new(host, 0), PortId::new(x, port)).expect("a free port");
        }
        let route = |from: NodeNumber, to: NodeNumber| {
            let hop = Hop::between(from.index() as u8, to.index() as u8);
            if from == to { Vec::new() } else { vec![Route::from_hops(&[hop]).expect("a short route")] }
        };
        let hosts = vec![Some(HostId(0)), Some(HostId(1))];
        let plan = Plan { topology: Arc::new(topology), hosts, routes: Arc::new(route), epoch: 1 };
        let (number, mut table) = (NodeNumber(0), RouteTable::new(1, NodeNumber(0)));
        [NodeNumber::FRONT_END, number].into_iter().for_each(|to| table.push(route(number, to)));
        let config = RootConfig { gate: gate(), ..RootConfig::default() };
        let root = BootRoot::new(config, image().clone(), plan, &[number], 1);
        let stores = Arc::new(SharedStores::default());
        let mut node = BootNode::with_stores(NodeConfig::default(), credentials(), stores, 2);
        node.set_routes(table);
        Pair::start(root, node)
    }

    /// Both in a group.
    pub(crate) fn in_a_group() -> Pair {
        let config = GroupConfig { gate: gate(), ..GroupConfig::new(UniqueId(9), PORT) };
        let root = BootRoot::for_group(config, image().clone(), 1).expect("the manifest fits");
        let (config, stores) = (NodeConfig::default(), Arc::new(SharedStores::default()));
        Pair::start(root, BootNode::for_group(config, credentials(), stores, PORT, 2))
    }

    fn start(mut root: BootRoot, node: BootNode) -> Pair {
        root.start(Time::ZERO);
        Pair { root, node, now: Time::ZERO }
    }

    /// Lets time pass, and hands a packet to one of the two. Returns what they send: to whom, and what.
    pub(crate) fn feed(&mut self, first: u8, bytes: &[u8]) -> Vec<(bool, Packet)> {
        self.now += TICK * u32::from(first >> 1);
        if let Some(packet) = packet(bytes) {
            if first & 1 == 1 {
                self.root.handle_packet(self.now, &packet);
            } else {
                self.node.handle_packet(self.now, &packet);
            }
        }
        let mut sent = Vec::new();
        drain(&mut self.root, self.now, |packet| sent.push((false, packet)));
        drain(&mut self.node, self.now, |packet| sent.push((true, packet)));
        sent
    }

    /// Whatever came: the node holds nothing but the signed image, and the front end counts no more nodes than spoke.
    fn check(&self, records: usize) {
        if let Some(held) = self.node.image() {
            assert_eq!(held.hash(), image().manifest().root());
        }
        assert!(self.root.nodes().count() <= records.max(1));
    }
}

fn drain(machine: &mut impl Protocol, now: Time, mut sent: impl FnMut(Packet)) {
    machine.handle_timeout(now);
    for _ in 0..MOST_FRAMES {
        let Some(transmit) = machine.poll_transmit(now) else { break };
        sent(transmit.packet);
    }
}

/// Header and payload; a frame of several has its check mended, for nothing else would get through.
fn packet(bytes: &[u8]) -> Option<Packet> {
    let (mut header, header_len, _) = Header::parse(bytes).ok()?;
    let payload = Bytes::copy_from_slice(&bytes[header_len..]);
    if let Header::Relay(relay) = &mut header {
        relay.check = frame::crc(&payload, &[]);
    }
    Some(Packet::with_payload(header, payload))
}

/// Feeds an input to two machines.
pub(crate) fn replay(pair: &mut Pair, mut data: &[u8]) {
    let mut records = 0;
    while let Some((&[first, low, high], rest)) = data.split_first_chunk() {
        let (bytes, rest) = rest.split_at(rest.len().min(usize::from(u16::from_le_bytes([low, high]))));
        pair.feed(first, bytes);
        (data, records) = (rest, records + 1);
    }
    pair.check(records);
}

/// Over trees.
pub(crate) fn run_trees(data: &[u8]) {
    replay(&mut Pair::over_trees(), data);
}

/// In a group.
pub(crate) fn run_group(data: &[u8]) {
    replay(&mut Pair::in_a_group(), data);
}
