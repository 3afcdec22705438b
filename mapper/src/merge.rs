//! Several sets of routes as one.

use std::collections::BTreeSet;
use twowire_fabric::map::{ListedBuilder, RouteSet};
use twowire_fabric::topology::HostId;

/// The routes of several sets: for each pair those of the first set, then those of the others that are not among them. The
/// epoch follows the latest of theirs. Whether the result holds is the verifier's to say.
///
/// # Panics
/// If the sets are of different numbers of hosts, or there are none.
pub fn merge(sets: &[RouteSet]) -> RouteSet {
    let hosts = sets[0].hosts();
    assert!(sets.iter().all(|set| set.hosts() == hosts), "all sets are of the same topology");
    let mut merged = ListedBuilder::new(hosts);
    for from in (0..hosts as u32).map(HostId) {
        for to in (0..hosts as u32).map(HostId).filter(|&to| to != from) {
            let mut taken = BTreeSet::new();
            for (rail, route) in sets.iter().flat_map(|set| set.routes_and_rails(from, to)) {
                if taken.insert((rail, route)) {
                    merged.push(from, to, rail, &route);
                }
            }
        }
    }
    let epoch = sets.iter().map(RouteSet::epoch).max().unwrap_or(0);
    let mut engines: Vec<&str> = sets.iter().map(RouteSet::engine).collect();
    engines.dedup();
    RouteSet::from_listed(epoch.saturating_add(1), engines.join("+"), merged.finish())
}
