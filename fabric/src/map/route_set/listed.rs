//! Routes listed one by one, as a file has them.

use super::RouteRef;
use crate::route::Route;
use crate::topology::HostId;

/// The routes of all pairs, source by source.
#[derive(Clone, Debug)]
pub struct Listed {
    sources: Vec<Source>,
    routes_per_pair: usize,
}

/// The routes that leave one host.
#[derive(Clone, Debug, Default)]
struct Source {
    /// The destinations in ascending order, each with where its routes begin in `bytes`.
    pairs: Vec<(HostId, u32)>,
    /// For each route: rail, number of hops, hop bytes.
    bytes: Vec<u8>,
}

impl Source {
    /// The routes of the pair at `index` of [`Source::pairs`].
    fn visit(&self, index: usize, visit: &mut impl FnMut(RouteRef<'_>)) {
        let (to, start) = self.pairs[index];
        let end = self.pairs.get(index + 1).map_or(self.bytes.len(), |&(_, end)| end as usize);
        let mut rest = &self.bytes[start as usize..end];
        let mut alternate = 0;
        while let [rail, len, tail @ ..] = rest {
            let (hops, tail) = tail.split_at(usize::from(*len));
            visit(RouteRef { to, rail: *rail, alternate, hops });
            rest = tail;
            alternate += 1;
        }
    }
}

impl Listed {
    pub(super) fn hosts(&self) -> usize {
        self.sources.len()
    }

    pub(super) fn routes_per_pair(&self) -> usize {
        self.routes_per_pair
    }

    pub(super) fn visit_from(&self, from: HostId, visit: &mut impl FnMut(RouteRef<'_>)) {
        let source = &self.sources[from.0 as usize];
        for index in 0..source.pairs.len() {
            source.visit(index, visit);
        }
    }

    pub(super) fn visit_pair(&self, from: HostId, to: HostId, visit: &mut impl FnMut(RouteRef<'_>)) {
        let source = &self.sources[from.0 as usize];
        if let Ok(index) = source.pairs.binary_search_by_key(&to, |&(to, _)| to) {
            source.visit(index, visit);
        }
    }
}

/// Collects routes in any order.
#[derive(Clone, Debug)]
pub struct ListedBuilder {
    sources: Vec<Unsorted>,
}

/// The routes that leave one host, in the order in which they came.
#[derive(Clone, Debug, Default)]
struct Unsorted {
    /// For each route: destination, and where it begins in `bytes`.
    routes: Vec<(HostId, u32)>,
    bytes: Vec<u8>,
}

impl ListedBuilder {
    /// No routes yet, between so many hosts.
    pub fn new(hosts: usize) -> ListedBuilder {
        ListedBuilder { sources: vec![Unsorted::default(); hosts] }
    }

    /// Adds a route: its pair's preferred one if it is the pair's first, else the next alternate.
    pub fn push(&mut self, from: HostId, to: HostId, rail: u8, route: &Route) {
        let source = &mut self.sources[from.0 as usize];
        source.routes.push((to, u32::try_from(source.bytes.len()).expect("less than 4 GiB of routes a host")));
        source.bytes.extend_from_slice(&[rail, route.len() as u8]);
        source.bytes.extend_from_slice(route.as_bytes());
    }

    /// All routes that were added, those of a pair together.
    pub fn finish(self) -> Listed {
        let mut routes_per_pair = 0;
        let sources = self.sources.into_iter().map(|source| source.sorted(&mut routes_per_pair)).collect();
        Listed { sources, routes_per_pair }
    }
}

impl Unsorted {
    fn sorted(mut self, routes_per_pair: &mut usize) -> Source {
        let in_order = self.routes.is_sorted_by_key(|&(to, _)| to);
        let bytes = if in_order { std::mem::take(&mut self.bytes) } else { self.reorder() };
        let mut pairs: Vec<(HostId, u32)> = Vec::new();
        let mut run = 0;
        for &(to, start) in &self.routes {
            if pairs.last().is_none_or(|&(last, _)| last != to) {
                pairs.push((to, start));
                run = 0;
            }
            run += 1;
            *routes_per_pair = run.max(*routes_per_pair);
        }
        Source { pairs, bytes }
    }

    /// Sorts the routes by destination; those of one destination keep their order.
    fn reorder(&mut self) -> Vec<u8> {
        self.routes.sort_by_key(|&(to, _)| to);
        let mut bytes = Vec::with_capacity(self.bytes.len());
        for (_, start) in &mut self.routes {
            let at = *start as usize;
            let len = 2 + usize::from(self.bytes[at + 1]);
            *start = bytes.len() as u32;
            bytes.extend_from_slice(&self.bytes[at..at + len]);
        }
        bytes
    }
}
