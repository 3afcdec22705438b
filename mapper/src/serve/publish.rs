//! Gives the nodes that a new epoch touches their routes.

use super::event::What;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;
use twowire_fabric::endpoint::{Event, ReliableEndpoint};
use twowire_fabric::id::NodeNumber;
use twowire_fabric::map::distribute::{
    Distributor, DistributorConfig, Failure, LoadPhase, LoadTarget, MapTables, Stage, TableSource,
};
use twowire_fabric::map::{FabricMap, RouteSet};
use twowire_fabric::routes::encode::EncodeError;
use twowire_fabric::time::Time;
use twowire_fabric::topology::{HostId, PortId};

/// A map with its routes, from which tables are made when their turn comes.
struct Tables {
    map: Arc<FabricMap>,
    routes: Arc<RouteSet>,
}

impl TableSource for Tables {
    fn encoded_table(&mut self, node: NodeNumber) -> Result<bytes::Bytes, EncodeError> {
        MapTables::new(&self.map, &self.routes).encoded_table(node)
    }
}

/// What an epoch is sent for.
#[derive(Clone, Debug)]
pub(super) enum Purpose {
    /// Nodes that have lost their routes are given those that are in use.
    Again,
    /// All nodes take the new routes, or none does.
    New,
    /// All nodes take these before the new ones, or none does.
    Between(RouteSet),
}

/// One epoch on its way to some nodes.
pub(super) struct Publication {
    distributor: Distributor<Tables>,
    map: Arc<FabricMap>,
    /// When what made it necessary was seen.
    pub seen: Time,
    pub purpose: Purpose,
}

/// How a publication has ended.
pub(super) enum Outcome {
    /// These nodes use it; the others could not be reached after all had it.
    InUse(Vec<HostId>, Vec<Failure>),
    /// It was given up because of this node.
    RolledBack(Failure),
}

impl Publication {
    /// Begins to send the routes of these nodes, over the routes that are the newest.
    pub(super) fn begin(
        now: Time,
        map: FabricMap,
        routes: RouteSet,
        nodes: &[HostId],
        patience: Duration,
        purpose: Purpose,
        endpoint: &mut ReliableEndpoint,
    ) -> Publication {
        let map = Arc::new(map);
        let tables = MapTables::new(&map, &routes);
        let wanted: BTreeSet<NodeNumber> = nodes.iter().map(|&host| map.number(host)).collect();
        let is_here = |node| map.host(node).is_some_and(|h| map.topology().peer(PortId::new(h, 0)).is_some());
        // Nodes to which there is no way are not waited for.
        let targets: Vec<LoadTarget> = tables
            .targets()
            .filter(|target| wanted.contains(&target.node) && is_here(target.node) && !target.paths.is_empty())
            .collect();
        let all_or_none = !matches!(purpose, Purpose::Again);
        let config = DistributorConfig { patience, all_or_none, ..DistributorConfig::default() };
        let routes = Arc::new(match &purpose {
            Purpose::Between(between) => between.clone(),
            Purpose::Again | Purpose::New => routes,
        });
        let mut distributor = Distributor::new(config, routes.epoch(), Tables { map: map.clone(), routes });
        distributor.load_all(now, targets, endpoint);
        Publication { distributor, map, seen: now, purpose }
    }

    pub(super) fn epoch(&self) -> u32 {
        self.distributor.epoch()
    }

    pub(super) fn handle_event(&mut self, now: Time, event: &Event, endpoint: &mut ReliableEndpoint) {
        self.distributor.handle_event(now, event, endpoint);
    }

    pub(super) fn handle_timeout(&mut self, now: Time, endpoint: &mut ReliableEndpoint) {
        self.distributor.handle_timeout(now, endpoint);
    }

    pub(super) fn poll_timeout(&self) -> Option<Time> {
        self.distributor.poll_timeout()
    }

    /// How it has ended, if it has. One that a node does not take is given up.
    pub(super) fn outcome(&mut self, now: Time, endpoint: &mut ReliableEndpoint) -> Option<Outcome> {
        if !matches!(self.purpose, Purpose::Again) && self.distributor.phase() == LoadPhase::Loading {
            let failure = self.distributor.failures().next();
            if let Some(failure) = failure {
                self.distributor.abort(now, endpoint);
                return Some(Outcome::RolledBack(failure));
            }
        }
        if !self.distributor.is_done() {
            return None;
        }
        let uses = |&(number, _): &(NodeNumber, HostId)| self.distributor.stage(number) == Some(Stage::Committed);
        let using = self.map.nodes().filter(uses).map(|(_, host)| host).collect();
        Some(Outcome::InUse(using, self.distributor.failures().collect()))
    }

    /// The host of a node that failed.
    pub(super) fn host(&self, failure: &Failure) -> Option<HostId> {
        self.map.host(failure.node)
    }
}

/// What to report of a node that could not be reached when all had their routes.
pub(super) fn left_behind(failure: &Failure) -> What {
    What::LeftBehind { node: failure.node.to_string(), reason: format!("{}: {}", failure.stage, failure.reason) }
}
