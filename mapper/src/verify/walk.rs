//! Walks every route of a set, and counts.

use super::network::{End, Lost, Network};
use super::report::{CycleStep, Fault, Report};
use crate::routes::{RouteRef, RouteSet};
use twowire_fabric::topology::{HostId, NodeId, PortId, Topology};

/// How many faults a report lists.
const FAULTS_LISTED: usize = 10;

/// Walks over a network, and what they have shown so far.
pub(super) struct Walk<'a> {
    network: &'a Network,
    topology: &'a Topology,
    /// For each port where frames come in, the ports of its crossbar by which they leave: the channel dependency graph.
    dependencies: Vec<u128>,
    /// For each channel, how many preferred routes use it.
    load: Vec<u64>,
    report: Report,
}

/// What is known of the source that is being walked from.
struct Source {
    /// Where its cables lead; sources with the same ends have the same shortest paths.
    ends: Vec<End>,
    /// For each host, the hops of a shortest path; `u32::MAX` if there is none.
    shortest: Vec<u32>,
    /// For each host, whether a route has arrived there.
    arrived: Vec<bool>,
}

impl<'a> Walk<'a> {
    pub(super) fn new(network: &'a Network, topology: &'a Topology) -> Walk<'a> {
        let report = Report {
            hosts: topology.hosts().len(),
            crossbars: topology.crossbars().len(),
            cables: topology.cables().len(),
            ..Report::default()
        };
        let (dependencies, load) = (vec![0; network.ports()], vec![0; network.ports()]);
        Walk { network, topology, dependencies, load, report }
    }

    /// For each port where frames come in, the ports of its crossbar by which they leave.
    pub(super) fn dependencies(&self) -> &[u128] {
        &self.dependencies
    }

    /// Adds the dependencies of a set that is in use beside the one that is checked.
    pub(super) fn depend(&mut self, routes: &RouteSet) {
        for from in self.topology.host_ids() {
            routes.for_each_from(from, |r| {
                // Where a route of an earlier epoch no longer arrives, what it does on the way still counts.
                let _ = self.network.walk(from, r.rail, r.hops, r.to, |arrival, out, _| {
                    self.dependencies[arrival as usize] |= 1 << out;
                });
            });
        }
    }

    /// Walks all routes of a set.
    pub(super) fn check(&mut self, routes: &RouteSet) {
        assert_eq!(routes.hosts(), self.topology.hosts().len(), "the routes are of another topology");
        let mut order: Vec<HostId> = self.topology.host_ids().collect();
        order.sort_by_key(|host| self.network.rails(host.0).first().copied());
        let mut source = Source { ends: Vec::new(), shortest: Vec::new(), arrived: Vec::new() };
        for from in order {
            let ends = self.network.rails(from.0);
            if source.ends != ends || ends.iter().any(|end| matches!(end, End::Host(_))) {
                source.shortest = self.shortest(ends);
                source.ends = ends.to_vec();
            }
            source.arrived.clear();
            source.arrived.resize(self.report.hosts, false);
            routes.for_each_from(from, |route| self.walk_one(from, route, &mut source));
            self.count_missing(from, &source);
        }
    }

    fn walk_one(&mut self, from: HostId, route: RouteRef<'_>, source: &mut Source) {
        let preferred = u64::from(route.alternate == 0);
        self.report.routes += 1;
        self.report.hops_max = self.report.hops_max.max(route.hops.len());
        self.report.routes_per_pair = self.report.routes_per_pair.max(route.alternate + 1);
        let walked = self.network.walk(from, route.rail, route.hops, route.to, |arrival, out, leaving| {
            self.dependencies[arrival as usize] |= 1 << out;
            self.load[leaving as usize] += preferred;
        });
        let to = route.to.0 as usize;
        match walked {
            Ok(()) => {
                source.arrived[to] = true;
                self.report.longer += preferred * u64::from(route.hops.len() as u32 > source.shortest[to]);
            }
            Err(lost) => {
                self.report.wrong += 1;
                self.add_fault(from, route.to, |walk| walk.reason(&route, lost));
            }
        }
    }

    fn count_missing(&mut self, from: HostId, source: &Source) {
        for to in self.topology.host_ids().filter(|&to| to != from) {
            let connected = source.shortest[to.0 as usize] != u32::MAX;
            match (connected, source.arrived[to.0 as usize]) {
                (_, true) => self.report.pairs_routed += 1,
                (false, false) => self.report.disconnected += 1,
                (true, false) => {
                    self.report.missing += 1;
                    self.add_fault(from, to, |_| "they are connected, but no route arrives".to_owned());
                }
            }
        }
    }

    /// For each host, the hops of a shortest path from a host whose cables lead to `ends`.
    fn shortest(&self, ends: &[End]) -> Vec<u32> {
        let mut shortest = vec![u32::MAX; self.report.hosts];
        let mut seen = vec![false; self.network.ports()];
        let mut queue: Vec<(u32, u32)> = Vec::new();
        let mut arrive = |end: End, hops: u32, queue: &mut Vec<(u32, u32)>| match end {
            End::Nothing => {}
            End::Host(host) => shortest[host as usize] = shortest[host as usize].min(hops),
            End::Crossbar { first, .. } => {
                if !std::mem::replace(&mut seen[first as usize], true) {
                    queue.push((first, hops + 1));
                }
            }
        };
        ends.iter().for_each(|&end| arrive(end, 0, &mut queue));
        let mut next = 0;
        while let Some(&(first, hops)) = queue.get(next) {
            next += 1;
            for channel in self.network.channels_of(first) {
                arrive(self.network.end(channel), hops, &mut queue);
            }
        }
        shortest
    }

    fn add_fault(&mut self, from: HostId, to: HostId, reason: impl FnOnce(&Self) -> String) {
        if self.report.faults.len() < FAULTS_LISTED {
            let name = |host: HostId| self.topology.host(host).name.clone();
            let fault = Fault { from: name(from), to: name(to), reason: reason(self) };
            self.report.faults.push(fault);
        }
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
