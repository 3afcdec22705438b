//! Where frames go.

use std::collections::{BTreeMap, VecDeque};
use twowire_fabric::route::{Hop, MAX_HOPS, Route};
use twowire_fabric::topology::{CrossbarId, HostId, NodeId, PortId, Topology};

/// What a frame does at a crossbar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Turn {
    /// The crossbar's port where it comes in.
    pub arrival: PortId,
    /// The crossbar's port by which it leaves.
    pub leaving: PortId,
}

/// Follows a route, and calls `visit` at each crossbar. The port where the frame ends, of a host or of a crossbar; `None` if
/// on its way it finds no cable, or a host.
pub fn follow(topology: &Topology, from: HostId, rail: u8, hops: &[u8], mut visit: impl FnMut(Turn)) -> Option<PortId> {
    let mut at = topology.peer(PortId::new(from, rail))?;
    for &byte in hops {
        let hop = Hop::from_byte(byte).filter(|_| matches!(at.node, NodeId::Crossbar(_)))?;
        let leaving = PortId { node: at.node, port: hop.out_of(at.port) };
        visit(Turn { arrival: at, leaving });
        at = topology.peer(leaving)?;
    }
    Some(at)
}

/// A shortest way between two hosts over the cables that there are, whatever routes are in use: the source's port and the
/// route. `None` if there is no way of at most [`MAX_HOPS`] hops.
pub fn shortest(topology: &Topology, from: HostId, to: HostId) -> Option<(u8, Route)> {
    let mut reached: BTreeMap<CrossbarId, (u8, Route, u8)> = BTreeMap::new();
    let mut queue = VecDeque::new();
    for (rail, peer) in (0..).zip(topology.peers(from.into())) {
        match peer.map(|peer| (peer.node, peer.port)) {
            Some((NodeId::Host(host), _)) if host == to => return Some((rail, Route::EMPTY)),
            Some((NodeId::Crossbar(x), port)) if !reached.contains_key(&x) => {
                reached.insert(x, (rail, Route::EMPTY, port));
                queue.push_back(x);
            }
            _ => {}
        }
    }
    while let Some(x) = queue.pop_front() {
        let (rail, route, arrival) = reached[&x];
        if route.len() == MAX_HOPS {
            continue;
        }
        for (out, peer) in (0..).zip(topology.peers(x.into())) {
            let Some(peer) = peer else { continue };
            let mut longer = route;
            longer.push(Hop::between(arrival, out)).expect("there is room for a hop");
            match peer.node {
                NodeId::Host(host) if host == to => return Some((rail, longer)),
                NodeId::Crossbar(next) if !reached.contains_key(&next) => {
                    reached.insert(next, (rail, longer, peer.port));
                    queue.push_back(next);
                }
                _ => {}
            }
        }
    }
    None
}
