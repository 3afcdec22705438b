//! Whose routes share the busiest cables.

use super::cable_name;
use super::path::follow;
use crate::hostlist::compress;
use crate::verify::Loads;
use serde::Serialize;
use std::collections::BTreeSet;
use std::fmt;
use twowire_fabric::map::RouteSet;
use twowire_fabric::topology::{CrossbarId, HostId, NodeId, PortId, Topology};

/// The busiest cables of a set of routes.
#[derive(Clone, Debug, Serialize)]
pub struct Conflicts {
    /// The preferred routes over a directed cable between crossbars, in the mean of those that carry any.
    pub load_mean: f64,
    /// The busiest first.
    pub cables: Vec<Conflict>,
}

/// One cable, in one direction.
#[derive(Clone, Debug, Serialize)]
pub struct Conflict {
    /// Its ends.
    pub cable: String,
    /// The preferred routes that use it.
    pub load: u64,
    /// How many hosts they start at.
    pub sources: usize,
    /// How many hosts they end at.
    pub destinations: usize,
    /// The hosts where they start, in short.
    pub from: String,
    /// The hosts where they end, in short.
    pub to: String,
}

#[derive(Default)]
struct Sharers {
    from: BTreeSet<HostId>,
    to: BTreeSet<HostId>,
}

/// The `count` busiest cables, and who shares them.
pub fn conflicts(topology: &Topology, routes: &RouteSet, loads: &Loads, count: usize) -> Conflicts {
    let busiest = &loads.busiest()[..count.min(loads.busiest().len())];
    let mut sharers: Vec<Sharers> = busiest.iter().map(|_| Sharers::default()).collect();
    // For each port of each crossbar, which of the busiest cables leaves by it.
    let ports = |x: CrossbarId| vec![None; topology.crossbar(x).ports.into()];
    let mut rank: Vec<Vec<Option<usize>>> = topology.crossbar_ids().map(ports).collect();
    for (index, &(_, port)) in busiest.iter().enumerate() {
        if let NodeId::Crossbar(x) = port.node {
            rank[x.0 as usize][usize::from(port.port)] = Some(index);
        }
    }
    routes.for_each(|from, route| {
        if route.alternate == 0 {
            follow(topology, from, route.rail, route.hops, |turn| {
                if let Some(index) = rank_of(&rank, turn.leaving) {
                    sharers[index].from.insert(from);
                    sharers[index].to.insert(route.to);
                }
            });
        }
    });
    let names = |hosts: &BTreeSet<HostId>| compress(hosts.iter().map(|&host| topology.host(host).name.as_str()));
    let conflict = |(&(load, port), Sharers { from, to }): (&(u64, PortId), &Sharers)| Conflict {
        cable: cable_name(topology, port),
        load,
        sources: from.len(),
        destinations: to.len(),
        from: names(from),
        to: names(to),
    };
    Conflicts { load_mean: loads.mean(), cables: busiest.iter().zip(&sharers).map(conflict).collect() }
}

/// The rank of the cable at a port, if it is there and among the busiest.
fn rank_of(rank: &[Vec<Option<usize>>], port: PortId) -> Option<usize> {
    let NodeId::Crossbar(x) = port.node else { return None };
    rank[x.0 as usize].get(usize::from(port.port)).copied().flatten()
}

impl fmt::Display for Conflicts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "all-to-all load: {:.1} routes on a cable in the mean; the busiest:", self.load_mean)?;
        for Conflict { cable, load, sources, destinations, from, to } in &self.cables {
            writeln!(f, "\n{cable}: {load} routes")?;
            writeln!(f, "  from {sources:>5}: {from}")?;
            writeln!(f, "  to   {destinations:>5}: {to}")?;
        }
        Ok(())
    }
}
