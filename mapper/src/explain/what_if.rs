//! What would be lost if something broke.

use super::bisection::{Bisection, bisection};
use super::path::follow;
use crate::hostlist::compress;
use crate::verify::Report;
use serde::Serialize;
use std::collections::BTreeSet;
use std::fmt;
use twowire_fabric::map::RouteSet;
use twowire_fabric::topology::transform::reachable;
use twowire_fabric::topology::{HostId, NodeId, PortId, Topology};

/// Random bisections that a mean is taken over.
const PATTERNS: usize = 20;
const SEED: u64 = 1;

/// Something that might break.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// A crossbar or a host, with all its cables.
    Node(NodeId),
    /// The cable at a port.
    Cable(PortId),
}

/// Why a name is no part.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoSuchPart {
    /// No crossbar or host has the name.
    #[error("`{0}`: the map has no such crossbar or host; name one, or a cable by one of its ends, as in `x1.3:9`")]
    Name(String),
    /// No cable is at the port.
    #[error("`{0}`: no cable is there; `mapper show --wiring` lists all")]
    NoCable(String),
}

impl Part {
    /// The part of this name: a crossbar's, a host's, or one end of a cable as `x1.3:9`.
    pub fn find(topology: &Topology, name: &str) -> Result<Part, NoSuchPart> {
        if let Some(node) = topology.find(name) {
            return Ok(Part::Node(node));
        }
        let unknown = || NoSuchPart::Name(name.to_owned());
        let (node, port) = name.rsplit_once(':').ok_or_else(unknown)?;
        let node = topology.find(node).ok_or_else(unknown)?;
        let port = PortId { node, port: port.parse().map_err(|_| unknown())? };
        topology.peer(port).map(|_| Part::Cable(port)).ok_or_else(|| NoSuchPart::NoCable(name.to_owned()))
    }

    fn ends(self, topology: &Topology) -> Vec<PortId> {
        match self {
            Part::Cable(end) => vec![end],
            Part::Node(node) => (0..topology.ports_of(node)).map(|port| PortId { node, port }).collect(),
        }
    }
}

/// The topology without the cables of these parts; all indices stay.
pub fn without(topology: &Topology, parts: &[Part]) -> Topology {
    let mut damaged = topology.clone();
    for end in parts.iter().flat_map(|part| part.ends(topology)) {
        damaged.disconnect(end);
    }
    damaged
}

/// What would be lost.
#[derive(Clone, Debug, Serialize)]
pub struct Losses {
    /// Cables that would be dead.
    pub cables: usize,
    /// Hosts that would not be connected with most of the others.
    pub hosts_cut_off: Vec<String>,
    /// Ordered pairs of hosts that no cables would connect any more.
    pub pairs_lost: u64,
    /// Preferred routes that would be interrupted.
    pub routes_interrupted: u64,
    /// All preferred routes.
    pub routes: u64,
    /// Pairs, still connected, whose every route would be interrupted: they wait for new ones.
    pub pairs_waiting: u64,
    /// Hosts that would still be connected, and of whose routes, alternates included, some would be interrupted.
    pub nodes: Vec<String>,
    /// As it is.
    pub before: Traffic,
    /// With new routes.
    pub after: Traffic,
}

/// What a set of routes carries.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Traffic {
    /// All-to-all traffic: preferred routes over the busiest cable between crossbars, in one direction.
    pub load_max: u64,
    /// The same, in the mean of the cables that carry any.
    pub load_mean: f64,
    /// Preferred routes longer than a shortest way.
    pub longer: u64,
    /// Random bisections.
    #[serde(flatten)]
    pub bisection: Bisection,
}

impl Traffic {
    /// What a set of routes carries, of which the verifier has made this report.
    pub fn of(topology: &Topology, routes: &RouteSet, report: &Report) -> Traffic {
        let bisection = bisection(topology, routes, PATTERNS, SEED);
        Traffic { load_max: report.load_max, load_mean: report.load_mean, longer: report.longer, bisection }
    }
}

/// What the routes of a topology would lose if it became the damaged one.
pub fn losses(topology: &Topology, routes: &RouteSet, damaged: &Topology, before: Traffic, after: Traffic) -> Losses {
    let parts = islands(damaged);
    let main = parts.iter().max_by_key(|hosts| hosts.len()).cloned().unwrap_or_default();
    let connected = |islands: &[BTreeSet<HostId>]| {
        islands.iter().map(|hosts| (hosts.len() * (hosts.len() - 1)) as u64).sum::<u64>()
    };
    let pairs_lost = connected(&islands(topology)) - connected(&parts);
    let interrupted = interrupted(routes, damaged);
    let name = |host: HostId| topology.host(host).name.clone();
    Losses {
        cables: topology.cables().len() - damaged.cables().len(),
        hosts_cut_off: topology.host_ids().filter(|host| !main.contains(host)).map(name).collect(),
        pairs_lost,
        routes_interrupted: interrupted.preferred,
        routes: interrupted.all_preferred,
        pairs_waiting: interrupted.pairs.saturating_sub(pairs_lost),
        nodes: interrupted.sources.intersection(&main).copied().map(name).collect(),
        before,
        after,
    }
}

/// The sets of hosts that cables connect.
fn islands(topology: &Topology) -> Vec<BTreeSet<HostId>> {
    let mut islands: Vec<BTreeSet<HostId>> = Vec::new();
    let mut seen = vec![false; topology.hosts().len()];
    for host in topology.host_ids() {
        if seen[host.0 as usize] {
            continue;
        }
        let hosts = reachable(topology, host.into()).into_iter().filter_map(|node| match node {
            NodeId::Host(host) => Some(host),
            NodeId::Crossbar(_) => None,
        });
        islands.push(hosts.inspect(|host| seen[host.0 as usize] = true).collect());
    }
    islands
}

#[derive(Default)]
struct Interrupted {
    preferred: u64,
    all_preferred: u64,
    /// Pairs without a route that arrives, of those that have any route.
    pairs: u64,
    sources: BTreeSet<HostId>,
}

/// Follows all routes over the damaged topology.
fn interrupted(routes: &RouteSet, damaged: &Topology) -> Interrupted {
    let mut found = Interrupted::default();
    let mut last = None;
    let mut arrives = true;
    routes.for_each(|from, route| {
        if last != Some((from, route.to)) {
            found.pairs += u64::from(!arrives);
            (last, arrives) = (Some((from, route.to)), false);
        }
        let preferred = u64::from(route.alternate == 0);
        found.all_preferred += preferred;
        if follow(damaged, from, route.rail, route.hops, |_| ()).is_some() {
            arrives = true;
        } else {
            found.preferred += preferred;
            found.sources.insert(from);
        }
    });
    found.pairs += u64::from(!arrives);
    found
}

impl fmt::Display for Losses {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list = |names: &[String]| match names.len() {
            0 => "none".to_owned(),
            n => format!("{n}: {}", compress(names.iter().map(String::as_str))),
        };
        let Losses { before, after, .. } = self;
        writeln!(f, "{:<16} {}", "cables dead", self.cables)?;
        writeln!(f, "{:<16} {}", "hosts cut off", list(&self.hosts_cut_off))?;
        writeln!(f, "{:<16} {}", "pairs lost", self.pairs_lost)?;
        let waiting = format!("{} pairs wait for new ones", self.pairs_waiting);
        writeln!(f, "{:<16} {} of {} interrupted; {waiting}", "routes", self.routes_interrupted, self.routes)?;
        writeln!(f, "{:<16} {}", "nodes touched", list(&self.nodes))?;
        writeln!(f, "\n{:<28} {:>10} {:>10}", "", "before", "after")?;
        writeln!(f, "{:<28} {:>10} {:>10}", "all-to-all load, busiest", before.load_max, after.load_max)?;
        writeln!(f, "{:<28} {:>10.1} {:>10.1}", "all-to-all load, mean", before.load_mean, after.load_mean)?;
        writeln!(f, "{:<28} {:>10} {:>10}", "routes longer than needed", before.longer, after.longer)?;
        let (before, after) = (before.bisection, after.bisection);
        writeln!(f, "{:<28} {:>10.3} {:>10.3}", "bisection, share of a cable", before.bisection, after.bisection)?;
        let (before, after) = (before.bisection_spread, after.bisection_spread);
        writeln!(f, "{:<28} {before:>10.3} {after:>10.3}", "the same, spread over all")
    }
}
