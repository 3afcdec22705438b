//! The hops of shortest paths between hosts.

use super::network::{End, Network};
use twowire_fabric::topology::HostId;

/// Instead of an index: none, or more than one.
pub(super) const NOT_ONE: u32 = u32::MAX;
/// Instead of hops: there is no path.
const NO_PATH: u16 = u16::MAX;

/// The hops of a shortest path for each pair of hosts, held for each pair of crossbars that have hosts.
pub(super) struct Shortest<'a> {
    network: &'a Network,
    /// The crossbars that have hosts, in ascending order.
    leaves: Vec<u32>,
    /// For each host, the index of its leaf; [`NOT_ONE`] for those that are not attached by a single cable to a crossbar.
    leaf_of: Vec<u32>,
    /// For each pair of leaves, the hops of a path from a host of one to a host of the other.
    between: Vec<u16>,
}

impl<'a> Shortest<'a> {
    pub(super) fn of(network: &'a Network) -> Shortest<'a> {
        let leaf = |end: &End| match *end {
            End::Crossbar { first, .. } => Some(network.crossbar_of(first)),
            _ => None,
        };
        let mut leaves: Vec<u32> = (0..network.hosts()).flat_map(|host| network.rails(host)).filter_map(leaf).collect();
        leaves.sort_unstable();
        leaves.dedup();
        let index = |crossbar: u32| leaves.binary_search(&crossbar).expect("collected") as u32;
        let only_leaf = |host| {
            let mut ends = network.rails(host).iter().filter(|&&end| end != End::Nothing);
            match (ends.next().and_then(leaf), ends.next()) {
                (Some(crossbar), None) => index(crossbar),
                _ => NOT_ONE,
            }
        };
        let leaf_of = (0..network.hosts()).map(only_leaf).collect();
        let between = Searches::new(network).hops(&leaves);
        Shortest { network, leaves, leaf_of, between }
    }

    /// The crossbars that have hosts.
    pub(super) fn leaves(&self) -> &[u32] {
        &self.leaves
    }

    /// The index among the leaves of the only crossbar that a host is attached to; [`NOT_ONE`] where there is no such.
    pub(super) fn leaf_of(&self, host: HostId) -> u32 {
        self.leaf_of[host.0 as usize]
    }

    /// The hops of a shortest path; none if there is no path.
    #[inline]
    pub(super) fn hops(&self, from: HostId, to: HostId) -> Option<u32> {
        let (a, b) = (self.leaf_of(from), self.leaf_of(to));
        if a == NOT_ONE || b == NOT_ONE { self.hops_over_all(from, to) } else { self.between(a, b) }
    }

    /// The hops of a shortest path from a host at one leaf to a host at another, by the leaves' indices.
    #[inline]
    pub(super) fn between(&self, a: u32, b: u32) -> Option<u32> {
        let hops = self.between[b as usize * self.leaves.len() + a as usize];
        (hops != NO_PATH).then_some(hops.into())
    }

    /// As [`Shortest::hops`], for hosts of several cables, and cables from host to host.
    fn hops_over_all(&self, from: HostId, to: HostId) -> Option<u32> {
        let (starts, ends) = (self.network.rails(from.0), self.network.rails(to.0));
        if starts.contains(&End::Host(to.0)) {
            return Some(0);
        }
        let leaf = |end: &End| match *end {
            End::Crossbar { first, .. } => self.leaves.binary_search(&self.network.crossbar_of(first)).ok(),
            _ => None,
        };
        let pairs = starts.iter().filter_map(leaf).flat_map(|a| ends.iter().filter_map(leaf).map(move |b| (a, b)));
        pairs.filter_map(|(a, b)| self.between(a as u32, b as u32)).min()
    }
}

/// Breadth-first searches from 64 crossbars at once: each has a bit.
struct Searches {
    /// For each crossbar, its neighbours.
    neighbours: Vec<Vec<u32>>,
    /// For each crossbar, the searches that have reached it.
    reached: Vec<u64>,
    /// Those that reached it in the last step.
    newly: Vec<u64>,
}

impl Searches {
    fn new(network: &Network) -> Searches {
        let crossbars = network.crossbars();
        let neighbours = |x: u32| {
            let ends = network.ports_of(x).map(|channel| network.end(channel));
            let other =
                |end| if let End::Crossbar { first, .. } = end { Some(network.crossbar_of(first)) } else { None };
            let mut neighbours: Vec<u32> = ends.filter_map(other).collect();
            neighbours.sort_unstable();
            neighbours.dedup();
            neighbours
        };
        let neighbours = (0..crossbars as u32).map(neighbours).collect();
        Searches { neighbours, reached: vec![0; crossbars], newly: vec![0; crossbars] }
    }

    /// For each pair of leaves, the hops from a host of one to a host of the other: how many crossbars are on the way.
    fn hops(mut self, leaves: &[u32]) -> Vec<u16> {
        let mut between = vec![NO_PATH; leaves.len() * leaves.len()];
        if leaves.is_empty() {
            return between;
        }
        for (sources, rows) in leaves.chunks(64).zip(between.chunks_mut(64 * leaves.len())) {
            self.reached.fill(0);
            self.newly.fill(0);
            sources.iter().enumerate().for_each(|(bit, &leaf)| self.newly[leaf as usize] = 1 << bit);
            let mut hops = 0;
            while self.newly.iter().any(|&searches| searches != 0) {
                hops += 1;
                for (column, &leaf) in leaves.iter().enumerate() {
                    let mut searches = self.newly[leaf as usize];
                    while searches != 0 {
                        rows[searches.trailing_zeros() as usize * leaves.len() + column] = hops;
                        searches &= searches - 1;
                    }
                }
                self.step();
            }
        }
        between
    }

    /// Goes one cable on.
    fn step(&mut self) {
        self.reached.iter_mut().zip(&self.newly).for_each(|(reached, newly)| *reached |= newly);
        let arriving = |(neighbours, reached): (&Vec<u32>, &u64)| {
            neighbours.iter().fold(0, |searches, &y| searches | self.newly[y as usize]) & !reached
        };
        self.newly = self.neighbours.iter().zip(&self.reached).map(arriving).collect();
    }
}
