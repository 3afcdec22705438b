//! A tree to one host beside routes that do not go together: its turns close no cycle with those of any of them.
//!
//! It grows from the host's crossbar, by one crossbar after the other, wherever the turn that this needs is possible in all of the
//! dependency graphs. Where a tree that grows evenly cannot reach all, others are tried, that grow in other orders.

use super::cabling::Cabling;
use super::grid::{NONE, Neighbours};
use super::turns::Turns;
use crate::explain::path::follow;
use twowire_fabric::map::{Attachment, NO_PORT, RouteSet};
use twowire_fabric::topology::{HostId, NodeId, PortId, Topology};

/// How many trees are tried.
const TRIES: u64 = 64;

/// For each crossbar the port by which it sends to one host; none if no tree was found that reaches all hosts to which it is connected.
pub(crate) fn tree(topology: &Topology, to: HostId, beside: &[&RouteSet]) -> Option<Vec<u8>> {
    let cabling = Cabling::of(topology);
    let neighbours = Neighbours::of(&cabling);
    let taken: Vec<Turns> = beside.iter().map(|set| taken(topology, &neighbours, set)).collect::<Option<_>>()?;
    let Attachment::Crossbar { crossbar: root, port, .. } = Attachment::of(topology, to) else { return None };
    let connected = cabling.distances([root].into_iter());
    let is_whole = |edges: &Vec<u32>| {
        let mut leaves = cabling.leaves().filter(|&leaf| leaf != root && connected[leaf as usize] != u32::MAX);
        leaves.all(|leaf| edges[leaf as usize] != NONE)
    };
    let edges = (0..TRIES).map(|seed| grow(&neighbours, root, taken.clone(), seed)).find(is_whole)?;
    let port_of = |&edge: &u32| if edge == NONE { NO_PORT } else { neighbours.ports[edge as usize][0] };
    let mut row: Vec<u8> = edges.iter().map(port_of).collect();
    row[root as usize] = port;
    Some(row)
}

/// The turns that frames make on a set's routes, as far as the cables are there; none if they close a cycle, parallel cables taken for one.
fn taken(topology: &Topology, neighbours: &Neighbours, set: &RouteSet) -> Option<Turns> {
    let mut turns = Turns::none(neighbours);
    let mut is_free = true;
    set.for_each(|from, route| {
        let mut before = None;
        // It ends where a cable is not there any more.
        let _ = follow(topology, from, route.rail, route.hops, |turn| {
            let Some(edge) = edge(topology, neighbours, turn.leaving) else { return };
            is_free &= before.is_none_or(|before| turns.take(neighbours, before, edge));
            before = Some(edge);
        });
    });
    is_free.then_some(turns)
}

/// The edge by which frames leave a crossbar, if its cable is there and leads to another one.
fn edge(topology: &Topology, neighbours: &Neighbours, leaving: PortId) -> Option<u32> {
    match (leaving.node, topology.peer(leaving)?.node) {
        (NodeId::Crossbar(x), NodeId::Crossbar(y)) => neighbours.edge(x.0, y.0),
        _ => None,
    }
}

/// A tree that grows from a crossbar: for each other one that it reaches, the edge by which it sends on. The first grows evenly.
fn grow(neighbours: &Neighbours, root: u32, mut taken: Vec<Turns>, seed: u64) -> Vec<u32> {
    let mut rng = (seed > 0).then(|| fastrand::Rng::with_seed(seed));
    let mut edges = vec![NONE; neighbours.crossbars() as usize];
    let mut reached = vec![root];
    let mut next = 0;
    while next < reached.len() {
        rng.iter_mut().for_each(|rng| rng.shuffle(&mut reached[next..]));
        let x = reached[next];
        next += 1;
        let onward = edges[x as usize];
        for edge in neighbours.edges(x).map(|edge| neighbours.back(edge)) {
            let before = neighbours.from[edge as usize];
            let is_possible = |turns: &mut Turns| onward == NONE || turns.take(neighbours, edge, onward);
            if before != root && edges[before as usize] == NONE && taken.iter_mut().all(is_possible) {
                edges[before as usize] = edge;
                reached.push(before);
            }
        }
    }
    edges
}
