//! Walks every route of a set, and counts.

use super::network::{End, Lost, Network};
use super::report::{CycleStep, Fault, Report};
use super::shortest::Shortest;
use twowire_fabric::map::{RouteRef, RouteSet};
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
        routes.for_each(|from, route| {
            // Where a route of an earlier epoch no longer arrives, what it does on the way still counts.
            let _ = self.network.walk(from, route.rail, route.hops, route.to, |arrival, out, _| {
                self.dependencies[arrival as usize] |= 1 << out;
            });
        });
    }

    /// Walks all routes of a set.
    pub(super) fn check(&mut self, routes: &RouteSet) {
        assert_eq!(routes.hosts(), self.topology.hosts().len(), "the routes are of another topology");
        let shortest = Shortest::of(self.network);
        let mut arrived = Pairs::none(self.report.hosts);
        routes.for_each(|from, route| self.walk_one(from, route, &shortest, &mut arrived));
        self.report.pairs_routed = arrived.count;
        self.count_missing(&shortest, &arrived);
    }

    fn walk_one(&mut self, from: HostId, route: RouteRef<'_>, shortest: &Shortest, arrived: &mut Pairs) {
        let preferred = u64::from(route.alternate == 0);
        self.report.routes += 1;
        self.report.hops_max = self.report.hops_max.max(route.hops.len());
        self.report.routes_per_pair = self.report.routes_per_pair.max(route.alternate + 1);
        let walked = self.network.walk(from, route.rail, route.hops, route.to, |arrival, out, leaving| {
            self.dependencies[arrival as usize] |= 1 << out;
            self.load[leaving as usize] += preferred;
        });
        match walked {
            Ok(()) => {
                arrived.add(from, route.to);
                if preferred == 1 && Some(route.hops.len() as u32) > shortest.hops(from, route.to) {
                    self.report.longer += 1;
                }
            }
            Err(lost) => {
                self.report.wrong += 1;
                self.add_fault(from, route.to, |walk| walk.reason(&route, lost));
            }
        }
    }

    fn count_missing(&mut self, shortest: &Shortest, arrived: &Pairs) {
        let hosts = self.report.hosts as u64;
        if arrived.count == hosts * hosts.saturating_sub(1) {
            return;
        }
        for from in self.topology.host_ids() {
            for to in self.topology.host_ids().filter(|&to| to != from && !arrived.contains(from, to)) {
                if shortest.hops(from, to).is_none() {
                    self.report.disconnected += 1;
                } else {
                    self.report.missing += 1;
                    self.add_fault(from, to, |_| "they are connected, but no route arrives".to_owned());
                }
            }
        }
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

/// A set of ordered pairs of hosts.
struct Pairs {
    hosts: usize,
    bits: Vec<u64>,
    count: u64,
}

impl Pairs {
    fn none(hosts: usize) -> Pairs {
        Pairs { hosts, bits: vec![0; (hosts * hosts).div_ceil(64)], count: 0 }
    }

    /// The word and the bit of a pair. Sources of one destination lie together: an engine's routes come in this order.
    fn place(&self, from: HostId, to: HostId) -> (usize, u64) {
        let index = to.0 as usize * self.hosts + from.0 as usize;
        (index / 64, 1 << (index % 64))
    }

    fn add(&mut self, from: HostId, to: HostId) {
        let (word, bit) = self.place(from, to);
        self.count += u64::from(self.bits[word] & bit == 0);
        self.bits[word] |= bit;
    }

    fn contains(&self, from: HostId, to: HostId) -> bool {
        let (word, bit) = self.place(from, to);
        self.bits[word] & bit != 0
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
