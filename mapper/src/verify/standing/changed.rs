//! What a new epoch changes.

use std::collections::BTreeMap;
use twowire_fabric::topology::{HostId, NodeId, Topology};

/// What a new epoch changes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changed {
    /// The new epoch.
    pub epoch: u32,
    /// Entries of the tables that are others now.
    pub entries: usize,
    /// The routes that are others now.
    pub routes: Vec<ChangedRoutes>,
    /// Hosts that have come.
    pub joined: Vec<HostId>,
}

/// Routes to one destination that have changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChangedRoutes {
    /// The destination.
    pub to: HostId,
    /// The crossbars whose hosts have another route to it, or none any more, or had none.
    pub from: Vec<u32>,
}

impl Changed {
    /// The hosts whose routes have changed, in ascending order.
    pub fn nodes(&self, topology: &Topology) -> Vec<HostId> {
        // For each crossbar the first destination, and whether there are others.
        let mut destinations: BTreeMap<u32, (HostId, bool)> = BTreeMap::new();
        for routes in &self.routes {
            for &crossbar in &routes.from {
                let (first, others) = destinations.entry(crossbar).or_insert((routes.to, false));
                *others |= *first != routes.to;
            }
        }
        let hosts_at = |crossbar: u32| {
            topology.peers(twowire_fabric::topology::CrossbarId(crossbar).into()).iter().flatten().filter_map(|peer| {
                match peer.node {
                    NodeId::Host(host) => Some(host),
                    NodeId::Crossbar(_) => None,
                }
            })
        };
        let touched = destinations
            .iter()
            .flat_map(|(&crossbar, &(first, others))| hosts_at(crossbar).filter(move |&host| others || host != first));
        let mut nodes: Vec<HostId> = touched.chain(self.joined.iter().copied()).collect();
        nodes.sort_unstable();
        nodes.dedup();
        nodes
    }

    /// How many routes have changed: pairs of a host and a destination.
    pub fn pairs(&self, topology: &Topology) -> u64 {
        let hosts: Vec<u64> = topology
            .crossbar_ids()
            .map(|x| {
                topology.peers(x.into()).iter().flatten().filter(|peer| matches!(peer.node, NodeId::Host(_))).count()
                    as u64
            })
            .collect();
        self.routes.iter().map(|routes| routes.from.iter().map(|&x| hosts[x as usize]).sum::<u64>()).sum()
    }
}
