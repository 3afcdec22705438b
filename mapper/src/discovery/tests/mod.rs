//! Discovery against a fabric that is only walked through, without queues: fast enough for hundreds of networks.

mod changes;
mod maps;
mod oracle;
mod simulated;

use super::*;
use oracle::Oracle;
use twowire_fabric::topology::HostId;
use twowire_fabric::topology::lockstep::same_up_to_renaming;

/// A discovery of this topology, run to its end.
fn discover(oracle: &mut Oracle, config: DiscoveryConfig, seed: u64) -> Result<DiscoveredMap, DiscoveryError> {
    let mut discovery = Discovery::new(config, oracle.own_id(), seed);
    oracle.run(&mut discovery, |discovery| discovery.is_done(), |_| {});
    discovery.into_map()
}

/// Panics, naming the seed, unless the discovered map is the true one but for names and offsets.
#[track_caller]
fn expect_same(oracle: &Oracle, map: &DiscoveredMap, context: &str) {
    if let Err(difference) = same_up_to_renaming(&oracle.topology, oracle.front_end, &map.topology, map.front_end) {
        panic!("{context}: {}", difference.describe(&oracle.topology, &map.topology));
    }
}

/// Discovers a topology and compares.
#[track_caller]
fn check(topology: Topology, loss: f64, seed: u64) -> DiscoveredMap {
    let context = format!("{} with loss {loss} and seed {seed}", topology.name);
    let mut oracle = Oracle::new(topology, loss, seed);
    let map =
        discover(&mut oracle, DiscoveryConfig::default(), seed).unwrap_or_else(|error| panic!("{context}: {error}"));
    expect_same(&oracle, &map, &context);
    map
}
