//! The wire codec, frame by frame, and route tables as they are sent to the nodes.

use bytes::Bytes;
use std::hint::black_box;
use std::time::Instant;
use twowire_benches::{Figures, median};
use twowire_fabric::id::{NodeNumber, UniqueId};
use twowire_fabric::map::distribute::MapTables;
use twowire_fabric::route::Route;
use twowire_fabric::routes::RouteTable;
use twowire_fabric::routes::decode::decode;
use twowire_fabric::routes::encode::TableEncoder;
use twowire_fabric::topology::transform::shuffle_ports;
use twowire_fabric::topology::{HostId, Topology, generate};
use twowire_fabric::wire::endpoint::Data;
use twowire_fabric::wire::probe::{Probe, ProbeReply, Role};
use twowire_fabric::wire::{DEFAULT_MAX_PAYLOAD, Header, Packet, frame};
use twowire_mapper::engine::{self, Request, TopologyKind};
use twowire_mapper::naming;

const ROUNDS: usize = 9;
const FRAMES: u32 = 100_000;
/// Every so manieth node's table is measured.
const STRIDE: usize = 32;

fn main() {
    let mut figures = Figures::of("wire");
    let route: Route = "88f88781f9".parse().expect("a route");
    let probe = Packet::with_payload(Probe { session: 1, nonce: 2 }, Bytes::copy_from_slice(route.as_bytes()));
    let reply = Packet::new(ProbeReply { session: 1, nonce: 2, id: UniqueId(3), epoch: 4, role: Role::Node });
    let payload: Bytes = (0..DEFAULT_MAX_PAYLOAD).map(|i| (i * 31) as u8).collect();
    for (name, packet) in [("probe", probe), ("probe reply", reply), ("4 KiB of data", data(payload))] {
        frames(&mut figures, name, &route, &packet);
    }
    let pink = generate::pink();
    tables(&mut figures, "Pink, 8 routes a pair", &pink);
    tables(&mut figures, "the same, ports shuffled before it was mapped", &shuffle_ports(&pink, 7));
}

fn data(payload: Bytes) -> Packet {
    let header = Header::from(Data {
        connection: 1,
        sequence: 2,
        transmit: 3,
        remaining: payload.len() as u32,
        ack: 4,
        window: 5,
        path: 0,
        ack_now: false,
        check: 6,
    });
    Packet { header, payload }
}

/// What a host's driver does with each frame: bytes and CRC-32 out, CRC-32 and fields in.
fn frames(figures: &mut Figures, name: &str, route: &Route, packet: &Packet) {
    let bytes = Bytes::from(frame::encode(route, packet));
    let received = bytes.slice(route.len()..);
    let mut measure = |what: &str, work: &mut dyn FnMut()| {
        let ns = median((0..ROUNDS).map(|_| seconds(&mut || (0..FRAMES).for_each(|_| work()))).collect())
            / f64::from(FRAMES)
            * 1e9;
        let rate = received.len() as f64 / ns;
        figures
            .record(format!("{what} a frame: {name}, {} bytes", received.len()), format!("{ns:.0} ns, {rate:.1} GB/s"));
    };
    measure("encode", &mut || drop(black_box(frame::encode(black_box(route), black_box(packet)))));
    measure("parse", &mut || drop(black_box(frame::parse(black_box(&received)))));
}

/// One node's table after the other, as the front end encodes and each node decodes it.
fn tables(figures: &mut Figures, name: &str, topology: &Topology) {
    let request = Request { routes_per_pair: 8.try_into().expect("not zero"), epoch: 1 };
    let map = naming::first(topology, HostId(0));
    let routes = engine::compute(map.topology(), TopologyKind::Clos, request).expect("a Clos");
    let source = MapTables::new(&map, &routes);
    let mut encoder = TableEncoder::new(map.topology(), map.nodes());
    let tables: Vec<_> =
        (1..map.nodes().len()).step_by(STRIDE).map(NodeNumber::from_index).map(|n| source.table(n)).collect();
    let plain: usize = tables.iter().map(plain_len).sum::<usize>() / tables.len();

    let mut encoded = Vec::new();
    let mut encode = || encoded = tables.iter().map(|t| encoder.encode(t).expect("it fits")).collect();
    let encode = median((0..ROUNDS).map(|_| seconds(&mut encode)).collect());
    let decode = || encoded.iter().for_each(|bytes| drop(black_box(decode(1, bytes).expect("whole"))));
    let decode = median((0..ROUNDS).map(|_| seconds(&mut || decode())).collect());
    let bytes = encoded.iter().map(Vec::len).sum::<usize>() / encoded.len();
    let each = |total: f64| total / tables.len() as f64 * 1e6;
    figures.record(
        format!("route table of a node: {name}"),
        format!("{bytes} bytes (a list: {plain}); encode {:.0} µs, decode {:.0} µs", each(encode), each(decode)),
    );
}

fn plain_len(table: &RouteTable) -> usize {
    let to = (0..table.destinations()).map(NodeNumber::from_index);
    to.map(|to| 1 + table.routes_to(to).map(|route| 1 + route.len()).sum::<usize>()).sum()
}

#[allow(clippy::disallowed_methods)] // a bench reads the clock
fn seconds(work: &mut dyn FnMut()) -> f64 {
    let start = Instant::now();
    work();
    start.elapsed().as_secs_f64()
}
