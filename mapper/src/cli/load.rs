//! Loading the routes into the nodes.

use super::progress::Progress;
use super::source::Fabric;
use crate::verify::Verified;
use serde::Serialize;
use std::time::Duration;
use twowire_fabric::endpoint::{EndpointConfig, ReliableEndpoint};
use twowire_fabric::map::distribute::{Distributor, DistributorConfig, MapTables, RouteLoader};
use twowire_fabric::map::{FabricMap, RouteSet};
use twowire_fabric::program::Failure;
use twowire_fabric::program::interrupt::interrupted;
use twowire_fabric::protocol::drive;
use twowire_fabric::time::Time;
use twowire_fabric::topology::Topology;

/// In real time, how long a node may make no progress: it may wait for its turn on a processor.
pub(super) const REAL_TIME_PATIENCE: Duration = Duration::from_secs(5);

/// How the loading went.
#[derive(Debug, Serialize)]
pub(super) struct LoadReport {
    /// Nodes that use their routes now.
    pub committed: usize,
    /// Bytes of the tables that were sent.
    pub table_bytes: u64,
    /// In the fabric's time.
    pub load_ms: f64,
    /// The nodes that were given up.
    pub not_loaded: Vec<NotLoaded>,
}

/// A node that was given up.
#[derive(Debug, Serialize)]
pub(super) struct NotLoaded {
    /// Its name.
    pub node: String,
    /// How far it had come.
    pub stage: String,
    /// Why.
    pub reason: String,
}

/// Loads the routes of a map into its nodes, and lets all use them.
pub(super) fn load(
    fabric: &mut Fabric,
    topology: &Topology,
    routes: &Verified<RouteSet>,
    progress: &Progress,
) -> Result<LoadReport, Failure> {
    let map = FabricMap::from_topology(topology.clone()).map_err(Failure::failed)?;
    let tables = MapTables::new(&map, routes);
    let targets: Vec<_> = tables.targets().collect();
    let defaults = DistributorConfig::default();
    let patience = if fabric.real_time { REAL_TIME_PATIENCE } else { defaults.patience };
    let port = &mut *fabric.port;
    let start = port.now();
    let distributor = Distributor::new(DistributorConfig { patience, ..defaults }, routes.epoch(), tables);
    let endpoint = ReliableEndpoint::new(EndpointConfig::default(), port.unique_id(), fabric.seed);
    let mut loader = RouteLoader::new(distributor, endpoint);
    loader.distributor.load_all(start, targets, &mut loader.endpoint);
    // Every node is done in the end: one that makes no progress is given up.
    drive(port, &mut loader, Time::MAX, |loader| {
        let so_far = loader.distributor.progress();
        progress.advance(|| format!("{} of {} nodes hold their routes", so_far.loaded, so_far.nodes));
        loader.distributor.is_done() || interrupted()
    })
    .map_err(Failure::failed)?;
    let so_far = loader.distributor.progress();
    let not_loaded = loader.distributor.failures().map(|failure| NotLoaded {
        node: failure.node.to_string(),
        stage: failure.stage.to_string(),
        reason: failure.reason.to_string(),
    });
    Ok(LoadReport {
        committed: so_far.committed,
        table_bytes: so_far.table_bytes,
        load_ms: (port.now() - start).as_secs_f64() * 1e3,
        not_loaded: not_loaded.collect(),
    })
}
