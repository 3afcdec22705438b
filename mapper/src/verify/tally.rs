//! What is counted while routes are proved, in whatever order they come.

use super::network::{End, Lost, Network};
use super::report::{CycleStep, Fault, Report};
use super::shortest::Shortest;
use super::{by_destination, walk};
use twowire_fabric::map::{RouteRef, RouteSet};
use twowire_fabric::topology::{HostId, NodeId, PortId, Topology};

/// How many faults a report lists.
const FAULTS_LISTED: usize = 10;

/// What the routes so far have shown.
pub(super) struct Tally<'a> {
    pub network: &'a Network,
    topology: &'a Topology,
    /// For each port where frames come in, the ports of its crossbar by which they leave: the channel dependency graph.
    pub dependencies: Vec<u128>,
    /// For each channel between crossbars, how many preferred routes use it.
    pub load: Vec<u64>,
    pub report: Report,
    /// The first of the missing pairs: they are listed behind the routes that do not arrive.
    missing: Vec<Fault>,
}

impl<'a> Tally<'a> {
    pub(super) fn new(network: &'a Network, topology: &'a Topology) -> Tally<'a> {
        let report = Report {
            hosts: topology.hosts().len(),
            crossbars: topology.crossbars().len(),
            cables: topology.cables().len(),
            ..Report::default()
        };
        let (dependencies, load) = (vec![0; network.ports()], vec![0; network.ports()]);
        Tally { network, topology, dependencies, load, report, missing: Vec::new() }
    }

    /// One in which nothing has been counted.
    pub(super) fn empty(&self) -> Tally<'a> {
        Tally::new(self.network, self.topology)
    }

    /// Adds what was counted elsewhere, of routes that come after those here.
    pub(super) fn add(&mut self, mut other: Tally<'_>) {
        self.dependencies.iter_mut().zip(&other.dependencies).for_each(|(all, more)| *all |= more);
        self.load.iter_mut().zip(&other.load).for_each(|(all, more)| *all += more);
        let (all, more) = (&mut self.report, &mut other.report);
        all.routes_per_pair = all.routes_per_pair.max(more.routes_per_pair);
        all.hops_max = all.hops_max.max(more.hops_max);
        all.routes += more.routes;
        all.pairs_routed += more.pairs_routed;
        all.wrong += more.wrong;
        all.missing += more.missing;
        all.disconnected += more.disconnected;
        all.longer += more.longer;
        for (all, more) in [(&mut all.faults, &mut more.faults), (&mut self.missing, &mut other.missing)] {
            all.append(more);
            all.truncate(FAULTS_LISTED);
        }
    }

    /// Walks all routes of a set, by its tables if it has any.
    pub(super) fn count(&mut self, routes: &RouteSet, shortest: &Shortest) {
        match routes.tables() {
            Some(tables) => by_destination::check(self, routes, tables, shortest),
            None => walk::check(self, routes, shortest),
        }
    }

    /// Walks a route of a set that is in use beside the one that is proved, and adds its dependencies.
    pub(super) fn depend(&mut self, from: HostId, route: RouteRef<'_>) {
        // Where a route of an earlier epoch no longer arrives, what it does on the way still counts.
        let _ = self.network.walk(from, route.rail, route.hops, route.to, |arrival, out, _| {
            self.dependencies[arrival as usize] |= 1 << out;
        });
    }

    /// Walks a route; true if it arrives.
    pub(super) fn walk(&mut self, from: HostId, route: RouteRef<'_>, shortest: &Shortest) -> bool {
        let preferred = u64::from(route.alternate == 0);
        self.report.routes += 1;
        self.report.hops_max = self.report.hops_max.max(route.hops.len());
        self.report.routes_per_pair = self.report.routes_per_pair.max(route.alternate + 1);
        let walked = self.network.walk(from, route.rail, route.hops, route.to, |arrival, out, leaving| {
            self.dependencies[arrival as usize] |= 1 << out;
            self.load[leaving as usize] += preferred;
        });
        match walked {
            Ok(()) if preferred == 1 && Some(route.hops.len() as u32) > shortest.hops(from, route.to) => {
                self.report.longer += 1;
            }
            Ok(()) => {}
            Err(lost) => {
                self.report.wrong += 1;
                if self.report.faults.len() < FAULTS_LISTED {
                    let fault = self.fault(from, route.to, self.reason(&route, lost));
                    self.report.faults.push(fault);
                }
            }
        }
        walked.is_ok()
    }

    /// Counts pairs without a route, sources in ascending order, whose destination is `to`.
    pub(super) fn lack(&mut self, sources: impl Iterator<Item = HostId>, to: HostId, shortest: &Shortest) {
        for from in sources {
            if shortest.hops(from, to).is_none() {
                self.report.disconnected += 1;
                continue;
            }
            self.report.missing += 1;
            if self.missing.len() < FAULTS_LISTED {
                let fault = self.fault(from, to, "they are connected, but no route arrives".to_owned());
                self.missing.push(fault);
            }
        }
    }

    fn fault(&self, from: HostId, to: HostId, reason: String) -> Fault {
        let name = |host: HostId| self.topology.host(host).name.clone();
        Fault { from: name(from), to: name(to), reason }
    }

    fn reason(&self, route: &RouteRef<'_>, lost: Lost) -> String {
        let host = |host: u32| self.topology.host(HostId(host)).name.as_str();
        let hops = HexHops(route.hops);
        match lost {
            Lost::AtSource { rail } => format!("route {hops} leaves by port {rail} of the source, which has no cable"),
            Lost::NotAHop { hop } => format!("route {hops}: byte {hop} is not a hop byte"),
            Lost::NoCable { hop, arrival, out } => {
                let PortId { node, port } = self.network.port(arrival);
                let name = self.topology.node_name(node);
                format!("route {hops}: hop {hop} leads from port {port} of {name} to port {out}, which has no cable")
            }
            Lost::TooLong { hop, host: reached } => {
                format!("route {hops} is too long: it reaches {} before hop {hop}", host(reached))
            }
            Lost::TooShort => format!("route {hops} is too short: it ends at a crossbar"),
            Lost::OtherHost { host: reached } => format!("route {hops} ends at {}", host(reached)),
        }
    }

    /// The report, with the cycle that was found in the dependencies.
    pub(super) fn finish(mut self, routes: &RouteSet, cycle: Vec<CycleStep>) -> Report {
        let between = (0..self.network.ports() as u32)
            .filter(|&channel| matches!(self.network.end(channel), End::Crossbar { .. }))
            .map(|channel| self.load[channel as usize])
            .filter(|&load| load > 0);
        let (used, sum, max) =
            between.fold((0u64, 0, 0), |(used, sum, max), load| (used + 1, sum + load, load.max(max)));
        self.missing.truncate(FAULTS_LISTED - self.report.faults.len());
        self.report.faults.append(&mut self.missing);
        self.report.load_max = max;
        self.report.load_mean = if used == 0 { 0.0 } else { sum as f64 / used as f64 };
        self.report.engine = routes.engine().to_owned();
        self.report.epoch = routes.epoch();
        self.report.deadlock_free = cycle.is_empty();
        self.report.cycle = cycle;
        self.report
    }
}

/// Hop bytes as route files have them.
pub(super) struct HexHops<'a>(pub(super) &'a [u8]);

impl std::fmt::Display for HexHops<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.0.is_empty() {
            return f.write_str("-");
        }
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// A channel as people write it: the port by which frames leave, and the one where they arrive.
pub(super) fn channel_name(topology: &Topology, arrival: PortId) -> String {
    let from = topology.peer(arrival).map_or_else(|| "nothing".to_owned(), |p| topology.port_name(p).to_string());
    debug_assert!(matches!(arrival.node, NodeId::Crossbar(_)));
    format!("{from} -> {}", topology.port_name(arrival))
}
