//! How many routes use each cable.

use super::network::{End, Network};
use super::shortest::Shortest;
use super::tally::Tally;
use twowire_fabric::map::RouteSet;
use twowire_fabric::topology::{NodeId, PortId, Topology};

/// How many preferred routes use each cable between crossbars, in each direction: the load of all-to-all traffic.
#[derive(Clone, Debug)]
pub struct Loads {
    /// For each crossbar, its ports' loads; `None` where no cable to a crossbar is.
    leaving: Vec<Vec<Option<u64>>>,
    /// The directed cables that carry any, the busiest first; among equals, those of the lowest ports.
    busiest: Vec<(u64, PortId)>,
}

impl Loads {
    /// The routes that leave a crossbar by a port; `None` if no cable to another crossbar is there.
    pub fn leaving(&self, port: PortId) -> Option<u64> {
        match port.node {
            NodeId::Crossbar(x) => self.leaving[x.0 as usize].get(usize::from(port.port)).copied().flatten(),
            NodeId::Host(_) => None,
        }
    }

    /// The routes over the cable at a port, in the busier of its directions; `None` unless it joins crossbars.
    pub fn of_cable(&self, topology: &Topology, port: PortId) -> Option<u64> {
        self.leaving(port).max(self.leaving(topology.peer(port)?))
    }

    /// The directed cables between crossbars that carry any, each by the port where it starts; the busiest first.
    pub fn busiest(&self) -> &[(u64, PortId)] {
        &self.busiest
    }

    /// The load of the busiest cable between crossbars; 0 if there is none.
    pub fn max(&self) -> u64 {
        self.busiest.first().map_or(0, |&(load, _)| load)
    }

    /// The mean of the directed cables between crossbars that carry any; 0 if there is none.
    pub fn mean(&self) -> f64 {
        let sum: u64 = self.busiest.iter().map(|&(load, _)| load).sum();
        if self.busiest.is_empty() { 0.0 } else { sum as f64 / self.busiest.len() as f64 }
    }
}

/// Counts the routes over each cable, whether the set holds or not.
///
/// # Panics
/// If the set is of another number of hosts than the topology.
pub fn loads(topology: &Topology, routes: &RouteSet) -> Loads {
    assert_eq!(routes.hosts(), topology.hosts().len(), "the routes are of another topology");
    let network = Network::of(topology);
    let shortest = Shortest::of(&network);
    let mut tally = Tally::new(&network, topology);
    tally.count(routes, &shortest);
    let load = |port: u32| matches!(network.end(port), End::Crossbar { .. }).then(|| tally.load[port as usize]);
    let used = (0..network.ports() as u32).filter_map(|port| Some((load(port)?, network.port(port))));
    let mut busiest: Vec<(u64, PortId)> = used.filter(|&(load, _)| load > 0).collect();
    busiest.sort_by_key(|&(load, port)| (std::cmp::Reverse(load), port));
    let of_crossbar = |x| network.ports_of(x).map(load).collect();
    Loads { leaving: (0..network.crossbars() as u32).map(of_crossbar).collect(), busiest }
}
