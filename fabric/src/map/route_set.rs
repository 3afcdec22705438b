//! The routes of all ordered pairs of hosts, several for each pair.
//!
//! An engine's routes are held as forwarding tables, one byte for each crossbar and destination, and one table for each
//! alternate; a pair's routes are read out of them when they are asked for. So Pink's 8.4 million routes take 2.6 MB.
//! Routes that were read from a file are held as they are.

mod listed;
mod tables;

pub use listed::{Listed, ListedBuilder};
pub use tables::{Attachment, Entry, Layer, Link, NO_PORT, Tables};

use crate::route::Route;
use crate::topology::HostId;
use std::borrow::Cow;

/// One route as it is read out: see [`RouteSet::for_each_from`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RouteRef<'a> {
    /// Where it leads to.
    pub to: HostId,
    /// The port by which it leaves the source: 0 for a host of one port.
    pub rail: u8,
    /// 0 for the pair's preferred route, 1 for its first alternate, and so on.
    pub alternate: usize,
    /// The hop bytes.
    pub hops: &'a [u8],
}

/// The routes of all ordered pairs of hosts of a topology, of one epoch.
#[derive(Clone, Debug)]
pub struct RouteSet {
    epoch: u32,
    engine: Cow<'static, str>,
    routes_per_pair: usize,
    store: Store,
}

#[derive(Clone, Debug)]
enum Store {
    Tables(Tables),
    Listed(Listed),
}

impl RouteSet {
    /// Routes held as forwarding tables: what an engine makes.
    pub fn from_tables(epoch: u32, engine: &'static str, tables: Tables) -> RouteSet {
        RouteSet { epoch, engine: engine.into(), routes_per_pair: tables.layers().len(), store: Store::Tables(tables) }
    }

    /// Routes that were listed one by one.
    pub fn from_listed(epoch: u32, engine: impl Into<Cow<'static, str>>, listed: Listed) -> RouteSet {
        RouteSet {
            epoch,
            engine: engine.into(),
            routes_per_pair: listed.routes_per_pair(),
            store: Store::Listed(listed),
        }
    }

    /// The version of this set.
    pub fn epoch(&self) -> u32 {
        self.epoch
    }

    /// The same routes as another version.
    pub fn with_epoch(mut self, epoch: u32) -> RouteSet {
        self.epoch = epoch;
        self
    }

    /// The name of the engine that computed the routes.
    pub fn engine(&self) -> &str {
        &self.engine
    }

    /// How many routes a pair has at most. A pair with fewer different ones has fewer.
    pub fn routes_per_pair(&self) -> usize {
        self.routes_per_pair
    }

    /// The forwarding tables, where that is how the routes are held.
    pub fn tables(&self) -> Option<&Tables> {
        match &self.store {
            Store::Tables(tables) => Some(tables),
            Store::Listed(_) => None,
        }
    }

    /// The forwarding tables, to change them, and the version, which is another one then.
    pub fn tables_mut(&mut self) -> Option<(&mut Tables, &mut u32)> {
        match &mut self.store {
            Store::Tables(tables) => Some((tables, &mut self.epoch)),
            Store::Listed(_) => None,
        }
    }

    /// The preferred routes made such that each crossbar tells by the destination alone where a frame leaves, as InfiniBand's
    /// switches do. Some may be longer than before, so they want a proof of their own. `None` for routes that were listed one by one.
    pub fn by_destination(&self) -> Option<RouteSet> {
        let Store::Tables(tables) = &self.store else { return None };
        let store = Store::Tables(tables.by_destination());
        Some(RouteSet { epoch: self.epoch, engine: self.engine.clone(), routes_per_pair: 1, store })
    }

    /// The number of hosts.
    pub fn hosts(&self) -> usize {
        match &self.store {
            Store::Tables(tables) => tables.hosts(),
            Store::Listed(listed) => listed.hosts(),
        }
    }

    /// Calls `visit` for every route that leaves `from`: a destination's routes together, the preferred one first.
    pub fn for_each_from(&self, from: HostId, mut visit: impl FnMut(RouteRef<'_>)) {
        match &self.store {
            Store::Tables(tables) => tables.visit_from(from, &mut visit),
            Store::Listed(listed) => listed.visit_from(from, &mut visit),
        }
    }

    /// Calls `visit` for every route, with its source: in any order, but a pair's routes together, the preferred one first.
    pub fn for_each(&self, mut visit: impl FnMut(HostId, RouteRef<'_>)) {
        match &self.store {
            Store::Tables(tables) => tables.visit_all(&mut visit),
            Store::Listed(listed) => {
                for from in (0..listed.hosts() as u32).map(HostId) {
                    listed.visit_from(from, &mut |route| visit(from, route));
                }
            }
        }
    }

    /// Calls `visit` for every route that leads to `to`, with its source: a pair's routes together, the preferred one first.
    pub fn for_each_to(&self, to: HostId, mut visit: impl FnMut(HostId, RouteRef<'_>)) {
        match &self.store {
            Store::Tables(tables) => tables.visit_to(to, &mut visit),
            Store::Listed(listed) => {
                for from in (0..listed.hosts() as u32).map(HostId) {
                    listed.visit_pair(from, to, &mut |route| visit(from, route));
                }
            }
        }
    }

    /// The routes of a pair, the preferred one first. There are none from a host to itself, and none to a host that
    /// cannot be reached.
    pub fn routes(&self, from: HostId, to: HostId) -> impl Iterator<Item = Route> + use<> {
        self.routes_and_rails(from, to).map(|(_, route)| route)
    }

    /// As [`RouteSet::routes`], each with the source's port by which it leaves.
    pub fn routes_and_rails(&self, from: HostId, to: HostId) -> impl Iterator<Item = (u8, Route)> + use<> {
        let mut found = Vec::with_capacity(self.routes_per_pair);
        let mut visit = |route: RouteRef<'_>| {
            found.push((route.rail, Route::from_bytes(route.hops).expect("a stored route is a route")));
        };
        match &self.store {
            Store::Tables(tables) => tables.visit_pair(from, to, &mut visit),
            Store::Listed(listed) => listed.visit_pair(from, to, &mut visit),
        }
        found.into_iter()
    }
}
