//! Numbers and names for what was discovered: by location, never by unique id.
//!
//! The first mapping numbers the hosts in the order in which a walk from the front end meets them, lowest ports first; on an undamaged
//! fat tree these are the numbers that its cabling plan would give. A later mapping walks the new map in lockstep with the saved one: what is
//! found where something was before keeps its name, and a new place gets a number that no place ever had in the saved map.

use crate::levels::{self, neighbours};
use std::collections::{BTreeSet, VecDeque};
use twowire_fabric::id::NodeNumber;
use twowire_fabric::map::FabricMap;
use twowire_fabric::topology::lockstep::Lockstep;
use twowire_fabric::topology::transform::Part;
use twowire_fabric::topology::{CrossbarId, HostId, NodeId, PortId, Topology};

/// Names what was discovered from the front end, for the first time.
///
/// Each crossbar's ports must be shifted such that the lowest port in use is 0: the order of the numbers follows the ports.
pub fn first(discovered: &Topology, front_end: HostId) -> FabricMap {
    let walk = Walk::from(discovered, front_end);
    let numbers = (0..).map(NodeNumber::from_index);
    let hosts = numbers.zip(walk.hosts.iter().copied()).collect();
    let crossbars = walk.crossbar_names(discovered).into_iter().map(|(x, level, index)| {
        let (name, ports) = (format!("x{level}.{index}"), discovered.crossbar(x).ports);
        Part { node: x.into(), name, ports }
    });
    FabricMap::named(discovered, crossbars.collect(), hosts, |end| end.port)
}

/// Names what was discovered from the front end, where there is a saved map.
///
/// What is at a place of the saved map keeps name, number and port numbers, whatever its unique id is.
pub fn again(discovered: &Topology, front_end: HostId, saved: &FabricMap) -> FabricMap {
    let lockstep = Lockstep::walk(saved.topology(), saved.front_end(), discovered, front_end);
    let renaming = Renaming { discovered, saved, lockstep, walk: Walk::from(discovered, front_end) };
    let aligned: Vec<Option<u8>> = discovered.crossbar_ids().map(|x| renaming.alignment(x)).collect();
    FabricMap::named(discovered, renaming.crossbars(&aligned), renaming.hosts(), |end| realigned(&aligned, end))
}

/// What a breadth-first walk from the front end meets, in this order, lowest ports first.
struct Walk {
    hosts: Vec<HostId>,
    crossbars: Vec<CrossbarId>,
}

impl Walk {
    fn from(topology: &Topology, front_end: HostId) -> Walk {
        let start = NodeId::from(front_end);
        let (mut seen, mut queue) = (BTreeSet::from([start]), VecDeque::from([start]));
        let mut walk = Walk { hosts: vec![front_end], crossbars: Vec::new() };
        while let Some(node) = queue.pop_front() {
            for peer in topology.peers(node).iter().flatten().filter(|peer| seen.insert(peer.node)) {
                queue.push_back(peer.node);
                match peer.node {
                    NodeId::Host(host) => walk.hosts.push(host),
                    NodeId::Crossbar(crossbar) => walk.crossbars.push(crossbar),
                }
            }
        }
        walk
    }

    /// Level and index in the level for each crossbar, in the order of levels and indices.
    ///
    /// Crossbars of level 1 are in the order in which the walk meets them. Above, the order is that of a fat tree's
    /// usual numbers: by the first host below, then by the port at which the first crossbar below has its cable, then by that crossbar.
    fn crossbar_names(&self, topology: &Topology) -> Vec<(CrossbarId, u32, usize)> {
        let levels = levels::of_crossbars(topology);
        let level = |x: CrossbarId| levels[x.0 as usize];
        let mut first_host = vec![usize::MAX; levels.len()];
        for (order, &host) in self.hosts.iter().enumerate() {
            for peer in topology.peers(host.into()).iter().flatten() {
                if let NodeId::Crossbar(x) = peer.node {
                    first_host[x.0 as usize] = first_host[x.0 as usize].min(order);
                }
            }
        }
        let highest = self.crossbars.iter().map(|&x| level(x)).max().unwrap_or(0);
        let mut index = vec![usize::MAX; levels.len()];
        let mut names = Vec::with_capacity(self.crossbars.len());
        for this in 1..=highest {
            let mut row: Vec<_> = self.crossbars.iter().copied().filter(|&x| level(x) == this).collect();
            if this > 1 {
                let below = |x: CrossbarId| neighbours(topology, x).filter(move |&(_, y)| level(y) == this - 1);
                for &x in &row {
                    first_host[x.0 as usize] =
                        below(x).map(|(_, y)| first_host[y.0 as usize]).min().unwrap_or(usize::MAX);
                }
                row.sort_by_cached_key(|&x| {
                    let lowest = below(x).map(|(port, y)| (index[y.0 as usize], opposite(topology, x, port))).min();
                    let (crossbar, port) = lowest.unwrap_or((usize::MAX, u8::MAX));
                    (first_host[x.0 as usize], port, crossbar)
                });
            }
            for (position, x) in row.into_iter().enumerate() {
                index[x.0 as usize] = position;
                names.push((x, this, position));
            }
        }
        names
    }
}

/// The number of the port at the other end of the cable at a crossbar's port.
fn opposite(topology: &Topology, crossbar: CrossbarId, port: u8) -> u8 {
    topology.peer(PortId::new(crossbar, port)).map_or(u8::MAX, |peer| peer.port)
}

fn realigned(aligned: &[Option<u8>], end: PortId) -> u8 {
    match end.node {
        NodeId::Crossbar(x) => (end.port + aligned[x.0 as usize].unwrap_or(0)) & 0x7f,
        NodeId::Host(_) => end.port,
    }
}

/// A later mapping: what was discovered, beside the saved map.
struct Renaming<'t> {
    discovered: &'t Topology,
    saved: &'t FabricMap,
    lockstep: Lockstep,
    walk: Walk,
}

impl Renaming<'_> {
    /// The numbers of all hosts: those of the saved map, and for new places the numbers after its last one.
    fn hosts(&self) -> Vec<(NodeNumber, HostId)> {
        let taken = |name: &str| self.saved.topology().find(name).is_some();
        let mut new = (self.saved.last_number().index() + 1..)
            .map(NodeNumber::from_index)
            .filter(|number| !taken(&number.to_string()));
        let number = |host: &HostId| {
            let known = self.lockstep.host_in_a(*host).map(|before| self.saved.number(before));
            (known.unwrap_or_else(|| new.next().expect("numbers do not end")), *host)
        };
        self.walk.hosts.iter().map(number).collect()
    }

    /// What to add to a crossbar's port numbers to make them those of the saved map; `None` for a crossbar that it has
    /// not, or where a port that was not in use before would come out below 0.
    fn alignment(&self, crossbar: CrossbarId) -> Option<u8> {
        let (_, offset) = self.lockstep.crossbar_in_a(crossbar)?;
        let peers = self.discovered.peers(crossbar.into());
        let used = || peers.iter().enumerate().filter(|(_, peer)| peer.is_some()).map(|(port, _)| port as u8);
        let shifted = used().map(|port| (port + offset) & 0x7f);
        shifted.is_sorted().then_some(offset)
    }

    fn crossbars(&self, aligned: &[Option<u8>]) -> Vec<Part> {
        let mut known = Vec::new();
        let mut new = Vec::new();
        let mut names: BTreeSet<String> = self.saved.topology().crossbars().iter().map(|x| x.name.clone()).collect();
        for (x, level, _) in self.walk.crossbar_names(self.discovered) {
            let peers = self.discovered.peers(x.into());
            let last_used = peers.iter().rposition(Option::is_some).unwrap_or(0) as u8;
            let needed = realigned(aligned, PortId::new(x, last_used)) + 1;
            match self.lockstep.crossbar_in_a(x) {
                Some((before, _)) => {
                    let Part { name, ports, .. } = Part::unchanged(self.saved.topology(), before.into());
                    known.push((before, Part { node: x.into(), name, ports: ports.max(needed) }));
                }
                None => {
                    let mut candidates = (0..).map(|index| format!("x{level}.{index}"));
                    let name = candidates.find(|name| !names.contains(name)).expect("names do not end");
                    names.insert(name.clone());
                    new.push(Part { node: x.into(), name, ports: self.discovered.crossbar(x).ports });
                }
            }
        }
        known.sort_by_key(|(before, _)| *before);
        known.into_iter().map(|(_, part)| part).chain(new).collect()
    }
}

#[cfg(test)]
mod tests;
