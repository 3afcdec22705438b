//! Repairs: from a change of the fabric to the next epoch, proved, on one thread.

use std::num::NonZeroU8;
use std::time::Instant;
use twowire_benches::{Figures, median};
use twowire_fabric::topology::generate::{Clos, pink};
use twowire_fabric::topology::{HostId, NodeId, PortId, Topology};
use twowire_mapper::change::Change;
use twowire_mapper::engine::{Request, TopologyKind};
use twowire_mapper::repair::Routing;

const ROUNDS: usize = 5;

fn main() {
    let mut figures = Figures::of("repair");
    let clos = |hosts, radix| Clos { hosts, radix, levels: 3, oversubscription: 1.0 }.build().expect("a Clos");
    changes(&mut figures, "Pink", &pink(), 1);
    changes(&mut figures, "Pink, 8 routes a pair", &pink(), 8);
    changes(&mut figures, "Clos of 11,664 hosts", &clos(11_664, 36), 1);
}

/// Cuts a cable of each level and kills a crossbar of each level, again and again, each time another one.
fn changes(figures: &mut Figures, what: &str, topology: &Topology, routes_per_pair: u8) {
    let request = Request { routes_per_pair: NonZeroU8::new(routes_per_pair).expect("not 0"), epoch: 1 };
    let mut routing = Routing::new(topology.clone(), TopologyKind::Clos, request).expect("it is routed");
    figures.record(format!("{what}: kept for repairs"), format!("{:.1} MB", routing.memory() as f64 / 1e6));
    for (above, from, to) in [(0, "a host", "its leaf"), (1, "a leaf", "level 2"), (2, "level 2", "level 3")] {
        let cuts = rounds(topology, above).map(|(_, cable)| Change::cut(topology, cable));
        record(figures, &format!("{what}: a cable from {from} to {to}"), &mut routing, cuts);
    }
    for (above, crossbar) in [(1, "a leaf"), (2, "a crossbar of level 2"), (3, "a crossbar of level 3")] {
        let kills = rounds(topology, above).map(|(node, _)| Change::lost(topology, node));
        record(figures, &format!("{what}: {crossbar} dies"), &mut routing, kills);
    }
}

/// Nodes so many levels above hosts, each with a port that leads up from it, if one does.
fn rounds(topology: &Topology, levels: usize) -> impl Iterator<Item = (NodeId, PortId)> + '_ {
    let hosts = topology.hosts().len();
    (1..=ROUNDS).map(move |round| {
        let mut node = NodeId::Host(HostId((hosts * round / (ROUNDS + 1)) as u32));
        for _ in 0..levels {
            node = topology.peer(up(topology, node)).expect("a cable up").node;
        }
        (node, up(topology, node))
    })
}

/// The last port leads up, except from the top.
fn up(topology: &Topology, node: NodeId) -> PortId {
    let last = topology.peers(node).iter().rposition(Option::is_some).expect("a cable");
    PortId { node, port: last as u8 }
}

fn record(figures: &mut Figures, what: &str, routing: &mut Routing, changes: impl Iterator<Item = Change>) {
    let (mut lost, mut back) = (Vec::new(), Vec::new());
    let (mut entries, mut nodes) = (0, 0);
    for change in changes {
        for (change, times) in [(&change, &mut lost), (&change.reversed(), &mut back)] {
            let start = now();
            let update = routing.change(change).expect("it is repaired");
            times.push(1e3 * start.elapsed().as_secs_f64());
            assert_eq!(update.whole, None, "{what}");
            (entries, nodes) = (update.changed.entries, update.nodes.len());
            routing.retire();
        }
    }
    let figure = format!("{:.2} ms, back again {:.2} ms", median(lost), median(back));
    figures.record(what, format!("{figure} ({entries} entries, routes of {nodes} nodes)"));
}

#[allow(clippy::disallowed_methods)] // a bench reads the clock
fn now() -> Instant {
    Instant::now()
}
