//! What has changed in a fabric since it was mapped.

use twowire_fabric::topology::{Crossbar, Host, NodeId, PortId, Topology, TopologyError};

/// Cables that are gone or have come, and crossbars and hosts that are new.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Change {
    /// Both ends of each cable that is gone.
    pub gone: Vec<(PortId, PortId)>,
    /// Crossbars that the topology had not: they are added behind its last one, in this order.
    pub crossbars: Vec<Crossbar>,
    /// Hosts where the topology had none: they are added behind its last one, in this order.
    pub hosts: Vec<Host>,
    /// Both ends of each cable that has come back, or is new.
    pub come: Vec<(PortId, PortId)>,
}

impl Change {
    /// The cable at this port is gone; nothing if there is none.
    pub fn cut(topology: &Topology, end: PortId) -> Change {
        Change { gone: topology.peer(end).map(|peer| (end, peer)).into_iter().collect(), ..Change::default() }
    }

    /// A crossbar or host is gone, with all its cables.
    pub fn lost(topology: &Topology, node: NodeId) -> Change {
        let ends = (0..).zip(topology.peers(node)).filter_map(|(port, peer)| Some((PortId { node, port }, (*peer)?)));
        // A cable from a crossbar to itself has two ends there.
        let gone = ends.filter(|(end, peer)| peer.node != node || end.port < peer.port).collect();
        Change { gone, ..Change::default() }
    }

    /// The same change back. Crossbars and hosts that were new stay, without a cable.
    pub fn reversed(&self) -> Change {
        Change { gone: self.come.clone(), come: self.gone.clone(), ..Change::default() }
    }

    /// True if nothing has changed.
    pub fn is_empty(&self) -> bool {
        self.gone.is_empty() && self.crossbars.is_empty() && self.hosts.is_empty() && self.come.is_empty()
    }

    /// All ends of cables that are gone or have come.
    pub fn ends(&self) -> impl Iterator<Item = PortId> + '_ {
        self.gone.iter().chain(&self.come).flat_map(|&(a, b)| [a, b])
    }

    /// Makes the change.
    ///
    /// # Errors
    /// A cable comes to a port that is not free, or a crossbar or host has a name that is not.
    pub fn make(&self, topology: &mut Topology) -> Result<(), TopologyError> {
        for &(end, _) in &self.gone {
            topology.disconnect(end);
        }
        for crossbar in &self.crossbars {
            topology.add_crossbar(crossbar.name.clone(), crossbar.ports)?;
        }
        for host in &self.hosts {
            topology.add_host(host.name.clone(), host.id, host.ports)?;
        }
        self.come.iter().try_for_each(|&(a, b)| topology.connect(a, b).map(|_| ()))
    }
}
