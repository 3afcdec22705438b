//! A fabric whose hosts have numbers.

use crate::id::{NodeNumber, NotANode};
use crate::topology::transform::{Part, assemble};
use crate::topology::{HostId, PortId, Topology};

/// A topology in which every host has a node number, and is named by it.
///
/// The hosts are in the order of their numbers, so the front end is the first.
#[derive(Clone, Debug)]
pub struct FabricMap {
    topology: Topology,
    numbers: Vec<NodeNumber>,
}

/// Why a topology is not a fabric map.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FabricMapError {
    /// A host that is not named by a number.
    #[error(transparent)]
    Name(#[from] NotANode),
    /// No front end.
    #[error("the fabric map has no host `master`, which would be the front end")]
    NoFrontEnd,
}

impl FabricMap {
    /// Takes a topology for what it is: a fabric map, as read from its file.
    pub fn from_topology(topology: Topology) -> Result<FabricMap, FabricMapError> {
        let mut hosts: Vec<(NodeNumber, HostId)> = Vec::with_capacity(topology.hosts().len());
        for host in topology.host_ids() {
            hosts.push((topology.host(host).name.parse()?, host));
        }
        hosts.sort_unstable();
        if hosts.first().is_none_or(|(number, _)| *number != NodeNumber::FRONT_END) {
            return Err(FabricMapError::NoFrontEnd);
        }
        let crossbars = topology.crossbar_ids().map(|x| Part::unchanged(&topology, x.into())).collect();
        Ok(FabricMap::named(&topology, crossbars, hosts, |end| end.port))
    }

    /// The map of these crossbars and of these hosts of a topology, the hosts named by their numbers; `port` says which
    /// port of its part an end of a cable becomes.
    ///
    /// # Panics
    /// If a name or a number is given twice, or `port` changes the distance between two ports of one crossbar.
    pub fn named(
        from: &Topology,
        crossbars: Vec<Part>,
        mut hosts: Vec<(NodeNumber, HostId)>,
        port: impl Fn(PortId) -> u8,
    ) -> FabricMap {
        hosts.sort_unstable();
        let mut parts = crossbars;
        parts.extend(hosts.iter().map(|(number, host)| Part {
            node: (*host).into(),
            name: number.to_string(),
            ports: from.host(*host).ports,
        }));
        let topology = assemble(from, &parts, port).expect("names are given once, and ports keep their distances");
        FabricMap { topology, numbers: hosts.into_iter().map(|(number, _)| number).collect() }
    }

    /// The map as a topology.
    pub fn topology(&self) -> &Topology {
        &self.topology
    }

    /// The front end.
    pub fn front_end(&self) -> HostId {
        HostId(0)
    }

    /// The number of a host of the map.
    pub fn number(&self, host: HostId) -> NodeNumber {
        self.numbers[host.0 as usize]
    }

    /// The host of this number.
    pub fn host(&self, number: NodeNumber) -> Option<HostId> {
        self.numbers.binary_search(&number).ok().map(|index| HostId(index as u32))
    }

    /// All numbers with their hosts, the front end's first.
    pub fn nodes(&self) -> impl ExactSizeIterator<Item = (NodeNumber, HostId)> + '_ {
        self.numbers.iter().enumerate().map(|(index, &number)| (number, HostId(index as u32)))
    }

    /// The highest number in use.
    pub fn last_number(&self) -> NodeNumber {
        self.numbers.last().copied().unwrap_or(NodeNumber::FRONT_END)
    }
}
