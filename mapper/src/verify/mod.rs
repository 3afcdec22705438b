//! Proves routes, with code that shares nothing with the engines.
//!
//! Every route is walked hop by hop over the cables of the topology, as a frame would go. From the walks follow
//! reachability of every pair, the load of every cable, what is longer than a shortest path, and the channel dependency
//! graph: routes can deadlock only if that graph has a cycle (Dally and Seitz).
//!
//! Routes leave the mapper only as [`Verified`], which nothing but [`verify`] makes.

mod cycle;
mod network;
mod report;
mod shortest;
mod walk;

#[cfg(test)]
mod tests;

pub use report::{CycleStep, Fault, Report};

use std::borrow::Borrow;
use std::ops::Deref;
use twowire_fabric::map::RouteSet;
use twowire_fabric::topology::Topology;

/// Routes that have been proved: every connected pair has one, each arrives, and together they cannot deadlock.
#[derive(Clone, Debug)]
pub struct Verified<T> {
    routes: T,
    report: Report,
}

impl<T> Verified<T> {
    /// What the verifier found.
    pub fn report(&self) -> &Report {
        &self.report
    }

    /// The routes, without the proof.
    pub fn into_inner(self) -> T {
        self.routes
    }
}

impl<T> Deref for Verified<T> {
    type Target = T;
    fn deref(&self) -> &T {
        &self.routes
    }
}

impl Borrow<RouteSet> for Verified<RouteSet> {
    fn borrow(&self) -> &RouteSet {
        &self.routes
    }
}

/// Routes that do not hold.
#[derive(Clone, Debug, thiserror::Error)]
#[error("the routes do not hold: {}", .0.verdict())]
pub struct Refused(pub Box<Report>);

/// Proves a set of routes for a topology.
///
/// `in_use` is the set of the epoch before, if its routes may still be in use: then both together must be free of cycles.
pub fn verify(topology: &Topology, routes: RouteSet, in_use: Option<&RouteSet>) -> Result<Verified<RouteSet>, Refused> {
    let report = check(topology, &routes, in_use);
    if report.holds() { Ok(Verified { routes, report }) } else { Err(Refused(Box::new(report))) }
}

/// What is to be said of a set of routes, whether it holds or not.
///
/// # Panics
/// If a set is of another number of hosts than the topology.
pub fn check(topology: &Topology, routes: &RouteSet, in_use: Option<&RouteSet>) -> Report {
    let network = network::Network::of(topology);
    let mut walk = walk::Walk::new(&network, topology);
    if let Some(in_use) = in_use {
        walk.depend(in_use);
    }
    walk.check(routes);
    let cycle = cycle::find(&network, walk.dependencies());
    let steps = cycle.map(|cycle| cycle::explain(&network, topology, &cycle, routes, in_use));
    walk.finish(routes, steps.unwrap_or_default())
}
