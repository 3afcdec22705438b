//! A map with routes, as several commands take it.

use super::files::{read_routes, read_topology};
use crate::engine::{self, Request, TopologyKind};
use clap::Args;
use std::num::NonZeroU8;
use std::path::PathBuf;
use twowire_fabric::map::RouteSet;
use twowire_fabric::program::Failure;
use twowire_fabric::topology::{HostId, NodeId, Topology};

/// Where the map and the routes come from.
#[derive(Args, Debug)]
pub(super) struct RoutedArgs {
    /// The map
    #[arg(long, value_name = "FILE")]
    pub topo: PathBuf,
    /// The routes [default: what the engine computes]
    #[arg(long, value_name = "FILE", conflicts_with_all = ["topology", "routes_per_pair"])]
    pub routes: Option<PathBuf>,
    /// What the fabric is meant to be
    #[arg(long, value_name = "KIND", default_value = "any")]
    pub topology: TopologyKind,
    /// Routes for each pair of hosts: one, and alternates
    #[arg(long, value_name = "K", default_value = "1")]
    pub routes_per_pair: NonZeroU8,
}

impl RoutedArgs {
    /// Reads the map, and reads or computes its routes.
    pub(super) fn read(&self) -> Result<(Topology, RouteSet), Failure> {
        let topology = read_topology(&self.topo)?;
        let routes = match &self.routes {
            Some(path) => read_routes(path, &topology)?,
            None => self.compute(&topology, self.routes_per_pair)?,
        };
        Ok((topology, routes))
    }

    /// Computes routes for a map that is meant to be what this one is.
    pub(super) fn compute(&self, topology: &Topology, routes_per_pair: NonZeroU8) -> Result<RouteSet, Failure> {
        let request = Request { routes_per_pair, epoch: 1 };
        engine::compute(topology, self.topology, request).map_err(Failure::failed)
    }
}

/// The host of this name, which the flag gave.
pub(super) fn find_host(topology: &Topology, flag: &str, name: &str) -> Result<HostId, Failure> {
    match topology.find(name) {
        Some(NodeId::Host(host)) => Ok(host),
        Some(NodeId::Crossbar(_)) => Err(Failure::Usage(format!("{flag} {name}: that is a crossbar; name a host"))),
        None => {
            let example = topology.hosts().first().map_or("nothing", |host| &host.name);
            Err(Failure::Usage(format!("{flag} {name}: the topology has no such host; the first it has is {example}")))
        }
    }
}
