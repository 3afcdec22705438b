//! The bandwidth of random bisections.

use super::path::follow;
use fastrand::Rng;
use serde::Serialize;
use std::collections::HashMap;
use twowire_fabric::map::RouteSet;
use twowire_fabric::topology::{HostId, PortId, Topology};

/// What a pair gets when a random half of the hosts exchanges data with the other half, each host with one partner.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Bisection {
    /// The mean share of a cable's rate, all traffic of a pair on its preferred route.
    pub bisection: f64,
    /// The same, a pair's traffic spread evenly over all its routes.
    pub bisection_spread: f64,
}

/// The directed cables that a route goes over, each by the port where it starts.
type Path = Vec<PortId>;

/// The mean over so many random bisections. A pair gets what its busiest cable leaves to it, and nothing without a route.
pub fn bisection(topology: &Topology, routes: &RouteSet, patterns: usize, seed: u64) -> Bisection {
    let mut hosts: Vec<HostId> = topology.host_ids().collect();
    let mut rng = Rng::with_seed(seed);
    let (mut preferred, mut spread) = (0.0, 0.0);
    for _ in 0..patterns {
        rng.shuffle(&mut hosts);
        let (left, right) = hosts.split_at(hosts.len() / 2);
        let partners = left.iter().zip(right).flat_map(|(&a, &b)| [(a, b), (b, a)]);
        let paths: Vec<Vec<Path>> = partners.map(|(from, to)| paths(topology, routes, from, to)).collect();
        spread += shares(paths.iter().map(Vec::as_slice));
        preferred += shares(paths.iter().map(|paths| &paths[..paths.len().min(1)]));
    }
    let pairs = (patterns * (hosts.len() / 2) * 2).max(1) as f64;
    Bisection { bisection: preferred / pairs, bisection_spread: spread / pairs }
}

/// The paths of a pair's routes that arrive.
fn paths(topology: &Topology, routes: &RouteSet, from: HostId, to: HostId) -> Vec<Path> {
    let path = |(rail, route): (u8, twowire_fabric::route::Route)| {
        let mut path = vec![PortId::new(from, rail)];
        let end = follow(topology, from, rail, route.as_bytes(), |turn| path.push(turn.leaving))?;
        (end.node == to.into()).then_some(path)
    };
    routes.routes_and_rails(from, to).filter_map(path).collect()
}

/// The sum of what the pairs get that send at once, each evenly over its paths.
fn shares<'a>(pairs: impl Iterator<Item = &'a [Path]> + Clone) -> f64 {
    let mut load: HashMap<PortId, f64> = HashMap::new();
    for paths in pairs.clone() {
        for &channel in paths.iter().flatten() {
            *load.entry(channel).or_default() += 1.0 / paths.len() as f64;
        }
    }
    let busiest = |paths: &[Path]| paths.iter().flatten().map(|channel| load[channel]).fold(0.0, f64::max);
    pairs.map(busiest).filter(|&busiest| busiest > 0.0).map(f64::recip).sum()
}
