//! Proves routes, with code that shares nothing with the engines.
//!
//! Every route is followed hop by hop over the cables of the topology, as a frame would go: those that are held as tables by
//! their trees (`by_destination`), those that are listed one by one (`walk`). From that follow reachability of every pair, the
//! load of every cable, what is longer than a shortest path, and the channel dependency graph: routes can deadlock only if
//! that graph has a cycle (Dally and Seitz).
//!
//! Routes leave the mapper only as [`Verified`], which nothing but [`verify`] makes.

mod by_destination;
mod cycle;
mod loads;
mod network;
mod report;
mod shortest;
pub mod standing;
mod tally;
mod walk;

#[cfg(test)]
mod tests;

pub use loads::{Loads, loads};
pub use report::{CycleStep, Fault, Report};
pub use standing::Standing;

use shortest::Shortest;
use std::borrow::Borrow;
use std::ops::Deref;
use tally::Tally;
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
    assert_eq!(routes.hosts(), topology.hosts().len(), "the routes are of another topology");
    let network = network::Network::of(topology);
    let shortest = Shortest::of(&network);
    let mut tally = Tally::new(&network, topology);
    match in_use.map(|set| (set, set.tables())) {
        Some((set, Some(tables))) => by_destination::depend(&mut tally, set, tables, &shortest),
        Some((set, None)) => set.for_each(|from, route| tally.depend(from, route)),
        None => {}
    }
    tally.count(routes, &shortest);
    let cycle = cycle::find(&network, &tally.dependencies);
    let steps = cycle.map(|cycle| cycle::explain(&network, topology, &cycle, routes, in_use));
    tally.finish(routes, steps.unwrap_or_default())
}
