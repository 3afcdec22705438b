//! How far from the hosts each crossbar is.

use std::collections::VecDeque;
use twowire_fabric::topology::{CrossbarId, NodeId, Topology};

/// The crossbars that a crossbar has a cable to, with the port that it is at, lowest port first.
pub(crate) fn neighbours(topology: &Topology, crossbar: CrossbarId) -> impl Iterator<Item = (u8, CrossbarId)> + '_ {
    topology.peers(crossbar.into()).iter().enumerate().filter_map(|(port, peer)| match peer.as_ref()?.node {
        NodeId::Crossbar(next) => Some((port as u8, next)),
        NodeId::Host(_) => None,
    })
}

/// The level of each crossbar: 1 if it has hosts, else one more than that of its lowest neighbour.
///
/// A crossbar that reaches no host has level 1 too.
pub(crate) fn of_crossbars(topology: &Topology) -> Vec<u32> {
    let has_host =
        |x: &CrossbarId| topology.peers((*x).into()).iter().flatten().any(|peer| matches!(peer.node, NodeId::Host(_)));
    let mut queue: VecDeque<CrossbarId> = topology.crossbar_ids().filter(has_host).collect();
    let mut levels = vec![0; topology.crossbars().len()];
    for x in &queue {
        levels[x.0 as usize] = 1;
    }
    while let Some(x) = queue.pop_front() {
        for (_, next) in neighbours(topology, x) {
            if levels[next.0 as usize] == 0 {
                levels[next.0 as usize] = levels[x.0 as usize] + 1;
                queue.push_back(next);
            }
        }
    }
    levels.into_iter().map(|level| level.max(1)).collect()
}
