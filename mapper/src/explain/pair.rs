//! The routes of a pair, hop by hop.

use super::cable_name;
use super::path::{follow, shortest};
use crate::verify::{Loads, check};
use serde::Serialize;
use std::fmt;
use twowire_fabric::map::{ListedBuilder, RouteSet};
use twowire_fabric::route::Route;
use twowire_fabric::topology::{HostId, NodeId, PortId, Topology};

/// All routes of an ordered pair of hosts.
#[derive(Clone, Debug, Serialize)]
pub struct Pair {
    /// Where they start.
    pub from: String,
    /// Where they end.
    pub to: String,
    /// The hops of a shortest way over the cables; `None` if no cables connect the two.
    pub shortest: Option<usize>,
    /// The preferred route, then its alternates.
    pub routes: Vec<Explained>,
}

/// One route.
#[derive(Clone, Debug, Serialize)]
pub struct Explained {
    /// The hop bytes, in hexadecimal.
    pub hops: String,
    /// The source's port.
    pub rail: u8,
    /// The cable by which it leaves the source.
    pub first_cable: String,
    /// What it does at each crossbar.
    pub steps: Vec<Step>,
    /// The host where it ends; `None` if it is lost on its way.
    pub ends_at: Option<String>,
    /// True if it ends where it should.
    pub arrives: bool,
    /// How many hops more than a shortest way it has.
    pub longer: usize,
    /// Why it is longer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}

/// One hop.
#[derive(Clone, Debug, Serialize)]
pub struct Step {
    /// The crossbar.
    pub crossbar: String,
    /// The port where the frame comes in.
    pub port_in: u8,
    /// The port by which it leaves.
    pub port_out: u8,
    /// The hop byte, in hexadecimal.
    pub byte: String,
    /// The cable by which it leaves.
    pub cable: String,
    /// How many preferred routes of all pairs use that cable in this direction; `None` if it leads to a host.
    pub load: Option<u64>,
}

/// Explains the routes of a pair.
pub fn explain(topology: &Topology, routes: &RouteSet, loads: &Loads, from: HostId, to: HostId) -> Pair {
    let best = shortest(topology, from, to);
    let found: Vec<(u8, Route)> = routes.routes_and_rails(from, to).collect();
    let why = best.as_ref().filter(|(_, best)| found.iter().any(|(_, route)| route.len() > best.len()));
    let why = why.map(|(rail, best)| why_longer(topology, routes, (from, to), *rail, best));
    let shortest = best.map(|(_, route)| route.len());
    let explained = found.iter().map(|(rail, route)| {
        let longer = shortest.map_or(0, |hops| route.len().saturating_sub(hops));
        let why = why.clone().filter(|_| longer > 0);
        Explained { longer, why, ..explain_route(topology, loads, (from, to), *rail, route) }
    });
    let name = |host: HostId| topology.host(host).name.clone();
    Pair { from: name(from), to: name(to), shortest, routes: explained.collect() }
}

fn explain_route(topology: &Topology, loads: &Loads, pair: (HostId, HostId), rail: u8, route: &Route) -> Explained {
    let mut steps = Vec::with_capacity(route.len());
    let end = follow(topology, pair.0, rail, route.as_bytes(), |turn| {
        steps.push(Step {
            crossbar: topology.node_name(turn.arrival.node).to_owned(),
            port_in: turn.arrival.port,
            port_out: turn.leaving.port,
            byte: format!("{:02x}", route.as_bytes()[steps.len()]),
            cable: cable_name(topology, turn.leaving),
            load: loads.leaving(turn.leaving),
        });
    });
    Explained {
        hops: route.to_string(),
        rail,
        first_cable: cable_name(topology, PortId::new(pair.0, rail)),
        steps,
        ends_at: end.map(|end| topology.node_name(end.node).to_owned()),
        arrives: end.is_some_and(|end| end.node == NodeId::Host(pair.1)),
        longer: 0,
        why: None,
    }
}

/// Puts a shortest route beside all that are in use, and asks the verifier what comes of it.
fn why_longer(topology: &Topology, routes: &RouteSet, (from, to): (HostId, HostId), rail: u8, best: &Route) -> String {
    let mut one = ListedBuilder::new(routes.hosts());
    one.push(from, to, rail, best);
    let beside = RouteSet::from_listed(routes.epoch(), "shortest", one.finish());
    let report = check(topology, routes, Some(&beside));
    let cables: Vec<&str> = report.cycle.iter().map(|step| step.channel.as_str()).collect();
    match &cables[..] {
        [] => format!("the engine `{}` did not choose the way {best}, though it could not deadlock", routes.engine()),
        cables => format!("the way {best} could deadlock with other routes, over {}", cables.join(", ")),
    }
}

impl fmt::Display for Pair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Pair { from, to, routes, .. } = self;
        match (self.shortest, routes.len()) {
            (None, _) => writeln!(f, "{from} to {to}: no cables connect them")?,
            (Some(hops), 1) => writeln!(f, "{from} to {to}: 1 route; a shortest way has {}", count(hops))?,
            (Some(hops), n) => writeln!(f, "{from} to {to}: {n} routes; a shortest way has {}", count(hops))?,
        }
        for (index, route) in (1..).zip(routes) {
            write!(f, "\nroute {index} of {}: {}, {}", routes.len(), route.hops, count(route.steps.len()))?;
            writeln!(f, ", {}", if route.longer == 0 { "as few as possible".into() } else { more(route.longer) })?;
            route.fmt(f)?;
        }
        Ok(())
    }
}

impl fmt::Display for Explained {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(why) = &self.why {
            writeln!(f, "  longer because {why}")?;
        }
        writeln!(f, "  {:<12} {:>4} {:>4} {:>5}  {:<28} {:>9}", "crossbar", "in", "out", "byte", "cable", "load")?;
        writeln!(f, "  {:<12} {:>4} {:>4} {:>5}  {}", "", "", "", "", self.first_cable)?;
        for Step { crossbar, port_in, port_out, byte, cable, load } in &self.steps {
            let load = load.map_or_else(|| "-".to_owned(), |load| load.to_string());
            writeln!(f, "  {crossbar:<12} {port_in:>4} {port_out:>4} {byte:>5}  {cable:<28} {load:>9}")?;
        }
        match &self.ends_at {
            _ if self.arrives => Ok(()),
            Some(end) => writeln!(f, "  it does not arrive: it ends at {end}"),
            None => writeln!(f, "  it does not arrive: it is lost behind the last line"),
        }
    }
}

fn count(hops: usize) -> String {
    if hops == 1 { "1 hop".to_owned() } else { format!("{hops} hops") }
}

fn more(hops: usize) -> String {
    format!("{hops} more than necessary")
}
