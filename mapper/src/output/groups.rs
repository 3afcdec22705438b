//! The fabric as a tree, for programs that know no other fabrics.
//!
//! A crossbar with hosts is a leaf. On a fat tree a group is what the crossbars up to one level connect: all crossbars of its
//! highest level count as one. On a torus, a mesh or a hypercube a group is a row, and a group of rows a plane. What is
//! neither is one group.

use crate::engine::grid_places;
use crate::levels;
use std::collections::{BTreeMap, VecDeque};
use twowire_fabric::topology::{CrossbarId, HostId, NodeId, Topology};

/// Some crossbars that belong together, or one that has hosts.
#[derive(Clone, Debug, Default)]
pub struct Group {
    /// The crossbar that has the hosts; or those of the group's highest level, none on a grid.
    pub crossbars: Vec<CrossbarId>,
    /// The hosts, of a group that is one crossbar. A host of several cables is in the group of its first.
    pub hosts: Vec<HostId>,
    /// The parts, of any other group.
    pub parts: Vec<Group>,
}

impl Group {
    fn leaf(topology: &Topology, crossbar: CrossbarId) -> Group {
        let is_first = |host: HostId| {
            let mut cabled = topology.peers(host.into()).iter().flatten();
            cabled
                .find(|peer| matches!(peer.node, NodeId::Crossbar(_)))
                .is_some_and(|peer| peer.node == crossbar.into())
        };
        let mut hosts: Vec<HostId> =
            topology.peers(crossbar.into()).iter().flatten().filter_map(|peer| host(peer.node)).collect();
        hosts.retain(|&host| is_first(host));
        hosts.dedup();
        Group { crossbars: vec![crossbar], hosts, parts: Vec::new() }
    }

    /// A group of one part that adds nothing to it is that part.
    fn simplified(mut self) -> Group {
        if self.crossbars.is_empty() && self.parts.len() == 1 { self.parts.remove(0) } else { self }
    }

    /// A crossbar of the group.
    fn member(&self) -> Option<CrossbarId> {
        self.crossbars.first().copied().or_else(|| self.parts.iter().find_map(Group::member))
    }

    /// The leaves, in order.
    pub fn leaves(&self) -> Vec<&Group> {
        if self.parts.is_empty() { vec![self] } else { self.parts.iter().flat_map(Group::leaves).collect() }
    }

    /// All hosts, in order.
    pub fn all_hosts(&self) -> Vec<HostId> {
        self.leaves().into_iter().flat_map(|leaf| leaf.hosts.iter().copied()).collect()
    }
}

fn host(node: NodeId) -> Option<HostId> {
    if let NodeId::Host(host) = node { Some(host) } else { None }
}

/// The groups that nothing connects with each other: one, if the fabric is whole.
pub fn groups(topology: &Topology) -> Vec<Group> {
    let levels = levels::of_crossbars(topology);
    let highest = levels.iter().copied().max().unwrap_or(1);
    let of_level = |level: u32| topology.crossbar_ids().filter(|x| levels[x.0 as usize] == level).collect::<Vec<_>>();
    let mut groups: Vec<Group> = of_level(1).into_iter().map(|x| Group::leaf(topology, x)).collect();
    if highest == 1
        && let Some(places) = grid_places(topology)
    {
        groups = rows(groups, &places, 0);
    }
    for level in 2..=highest {
        let islands = islands(topology, |x| levels[x.0 as usize] <= level);
        groups = joined(groups, &of_level(level), &islands);
    }
    joined(groups, &[], &islands(topology, |_| true))
}

/// For each crossbar the number of those that are connected by the crossbars that take part.
fn islands(topology: &Topology, takes_part: impl Fn(CrossbarId) -> bool) -> Vec<usize> {
    let mut islands = vec![usize::MAX; topology.crossbars().len()];
    for (number, start) in topology.crossbar_ids().enumerate().filter(|&(_, x)| takes_part(x)) {
        let mut queue = VecDeque::from([start]);
        while let Some(x) = queue.pop_front() {
            if islands[x.0 as usize] == usize::MAX {
                islands[x.0 as usize] = number;
                queue.extend(levels::neighbours(topology, x).map(|(_, next)| next).filter(|&next| takes_part(next)));
            }
        }
    }
    islands
}

/// Puts groups together that are on one island, with the crossbars there that connect them.
fn joined(groups: Vec<Group>, crossbars: &[CrossbarId], islands: &[usize]) -> Vec<Group> {
    let mut by_island: BTreeMap<usize, Group> = BTreeMap::new();
    for group in groups {
        if let Some(member) = group.member() {
            by_island.entry(islands[member.0 as usize]).or_default().parts.push(group);
        }
    }
    for &x in crossbars {
        by_island.entry(islands[x.0 as usize]).or_default().crossbars.push(x);
    }
    by_island.into_values().map(Group::simplified).collect()
}

/// Puts together what has the same place in this dimension and those before it; in the last dimension, the row is one.
fn rows(groups: Vec<Group>, places: &[Vec<u32>], dimension: usize) -> Vec<Group> {
    let place = |group: &Group| group.member().and_then(|x| places[x.0 as usize].get(dimension).copied());
    let dimensions = places.iter().map(Vec::len).max().unwrap_or(0);
    if dimension + 1 >= dimensions {
        return groups;
    }
    let mut slices: BTreeMap<Option<u32>, Vec<Group>> = BTreeMap::new();
    groups.into_iter().for_each(|group| slices.entry(place(&group)).or_default().push(group));
    let slice = |parts| Group { parts: rows(parts, places, dimension + 1), ..Group::default() }.simplified();
    slices.into_values().map(slice).collect()
}
