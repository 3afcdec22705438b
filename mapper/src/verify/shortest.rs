//! The hops of shortest paths between hosts.

use super::network::{End, Network};
use twowire_fabric::topology::HostId;

/// Instead of an index: none, or more than one.
const NOT_ONE: u32 = u32::MAX;
/// Instead of hops: there is no path.
const NO_PATH: u16 = u16::MAX;

/// The hops of a shortest path for each pair of hosts, held for each pair of crossbars that have hosts.
pub(super) struct Shortest<'a> {
    network: &'a Network,
    /// The crossbars that have hosts, each by the number of its port 0, in ascending order.
    leaves: Vec<u32>,
    /// For each host, the index of its leaf; [`NOT_ONE`] for those that are not attached by a single cable to a crossbar.
    leaf_of: Vec<u32>,
    /// For each pair of leaves, the hops of a path from a host of one to a host of the other.
    between: Vec<u16>,
}

impl<'a> Shortest<'a> {
    pub(super) fn of(network: &'a Network) -> Shortest<'a> {
        let first = |end: &End| if let End::Crossbar { first, .. } = *end { Some(first) } else { None };
        let mut leaves: Vec<u32> =
            (0..network.hosts()).flat_map(|host| network.rails(host)).filter_map(first).collect();
        leaves.sort_unstable();
        leaves.dedup();
        let index = |first: u32| leaves.binary_search(&first).expect("collected") as u32;
        let only_leaf = |host| {
            let mut ends = network.rails(host).iter().filter(|&&end| end != End::Nothing);
            match (ends.next().and_then(first), ends.next()) {
                (Some(first), None) => index(first),
                _ => NOT_ONE,
            }
        };
        let leaf_of = (0..network.hosts()).map(only_leaf).collect();
        let mut search = Search::new(network);
        let between = leaves.iter().flat_map(|&leaf| search.from(leaf, &leaves)).collect();
        Shortest { network, leaves, leaf_of, between }
    }

    /// The hops of a shortest path; none if there is no path.
    #[inline]
    pub(super) fn hops(&self, from: HostId, to: HostId) -> Option<u32> {
        let (a, b) = (self.leaf_of[from.0 as usize], self.leaf_of[to.0 as usize]);
        if a == NOT_ONE || b == NOT_ONE { self.hops_over_all(from, to) } else { self.between(a as usize, b as usize) }
    }

    fn between(&self, a: usize, b: usize) -> Option<u32> {
        let hops = self.between[a * self.leaves.len() + b];
        (hops != NO_PATH).then_some(hops.into())
    }

    /// As [`Shortest::hops`], for hosts of several cables, and cables from host to host.
    fn hops_over_all(&self, from: HostId, to: HostId) -> Option<u32> {
        let (starts, ends) = (self.network.rails(from.0), self.network.rails(to.0));
        if starts.contains(&End::Host(to.0)) {
            return Some(0);
        }
        let leaf = |end: &End| match *end {
            End::Crossbar { first, .. } => self.leaves.binary_search(&first).ok(),
            _ => None,
        };
        let pairs = starts.iter().filter_map(leaf).flat_map(|a| ends.iter().filter_map(leaf).map(move |b| (a, b)));
        pairs.filter_map(|(a, b)| self.between(a, b)).min()
    }
}

/// Breadth-first searches, one after the other.
struct Search<'a> {
    network: &'a Network,
    /// For the port 0 of each crossbar, the hops to reach a host there.
    hops: Vec<u16>,
    queue: Vec<u32>,
}

impl<'a> Search<'a> {
    fn new(network: &'a Network) -> Search<'a> {
        Search { network, hops: vec![NO_PATH; network.ports()], queue: Vec::new() }
    }

    /// The hops from the hosts of one leaf to those of all.
    fn from(&mut self, leaf: u32, leaves: &[u32]) -> Vec<u16> {
        self.queue.drain(..).for_each(|first| self.hops[first as usize] = NO_PATH);
        self.hops[leaf as usize] = 1;
        self.queue.push(leaf);
        let mut next = 0;
        while let Some(&at) = self.queue.get(next) {
            next += 1;
            for channel in self.network.channels_of(at) {
                if let End::Crossbar { first, .. } = self.network.end(channel)
                    && self.hops[first as usize] == NO_PATH
                {
                    self.hops[first as usize] = self.hops[at as usize] + 1;
                    self.queue.push(first);
                }
            }
        }
        leaves.iter().map(|&leaf| self.hops[leaf as usize]).collect()
    }
}
