//! What the verifier says.

use serde::Serialize;
use std::fmt;

/// What is to be said of a set of routes.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Report {
    /// Hosts of the topology.
    pub hosts: usize,
    /// Crossbars of the topology.
    pub crossbars: usize,
    /// Cables of the topology.
    pub cables: usize,
    /// The engine that the routes are from.
    pub engine: String,
    /// The version of the routes.
    pub epoch: u32,
    /// Routes of the pair that has the most.
    pub routes_per_pair: usize,
    /// Routes.
    pub routes: u64,
    /// Ordered pairs of hosts with a route that arrives.
    pub pairs_routed: u64,
    /// Routes that do not arrive where they should.
    pub wrong: u64,
    /// Ordered pairs of hosts that are connected, but have no route that arrives.
    pub missing: u64,
    /// Ordered pairs of hosts that no cables connect.
    pub disconnected: u64,
    /// Preferred routes with more hops than a shortest path has.
    pub longer: u64,
    /// The hops of the longest route.
    pub hops_max: usize,
    /// All-to-all traffic over the preferred routes: routes over the busiest cable between crossbars, in one direction.
    pub load_max: u64,
    /// The same traffic, in the mean of the directed cables between crossbars that carry any.
    pub load_mean: f64,
    /// True if no cycle of routes can wait for one another.
    pub deadlock_free: bool,
    /// A shortest cycle in the channel dependency graph, if there is one.
    pub cycle: Vec<CycleStep>,
    /// The first of the wrong routes and missing pairs.
    pub faults: Vec<Fault>,
}

/// One step of a cycle: a frame on `route` holds `channel` and waits for the next step's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CycleStep {
    /// A cable, in the direction in which it is used.
    pub channel: String,
    /// A route that goes on from this channel to the next step's: source, destination, hop bytes, epoch.
    pub route: String,
}

/// A route that does not hold, or a pair without one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Fault {
    /// Where it starts.
    pub from: String,
    /// Where it should end.
    pub to: String,
    /// What is wrong.
    pub reason: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} to {}: {}", self.from, self.to, self.reason)
    }
}

impl Report {
    /// True if every connected pair has a route, every route arrives, and no routes can deadlock.
    pub fn holds(&self) -> bool {
        self.wrong == 0 && self.missing == 0 && self.deadlock_free
    }

    /// One line that says whether the routes hold, and if not, why.
    pub fn verdict(&self) -> String {
        if self.holds() {
            return format!("all {} pairs arrive, and no routes can deadlock", self.pairs_routed);
        }
        let mut reasons = Vec::new();
        if self.wrong > 0 {
            reasons.push(format!("{} routes do not arrive", self.wrong));
        }
        if self.missing > 0 {
            reasons.push(format!("{} connected pairs have no route", self.missing));
        }
        if !self.deadlock_free {
            reasons.push(format!("routes can deadlock over a cycle of {} cables", self.cycle.len()));
        }
        if let Some(first) = self.faults.first() {
            reasons.push(format!("the first fault is {first}"));
        }
        reasons.join("; ")
    }
}
