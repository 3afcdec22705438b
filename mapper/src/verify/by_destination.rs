//! Proves routes that are held as forwarding tables, one destination at a time.
//!
//! All routes of one alternate to one destination leave a crossbar by the same port: they form a tree, whose root is the
//! destination. So each crossbar is looked at once for each destination, and not once for each source: how far it is, what
//! frames from there wait for, and how many hosts' frames come through.
//!
//! Where a frame goes is taken from the tables as they are read out, and compared with the cables. A destination to which
//! not all frames keep to cables that are there, and arrive, is walked route by route.

mod forest;
#[cfg(test)]
mod tests;

use super::network::{End, Network};
use super::shortest::{NOT_ONE, Shortest};
use super::tally::Tally;
use forest::{Depth, Forest, Repeats};
use std::num::NonZero;
use std::thread;
use twowire_fabric::map::{Attachment, Link, RouteRef, RouteSet, Tables};
use twowire_fabric::topology::HostId;

/// So many destinations are worth a thread.
const HOSTS_PER_THREAD: usize = 256;

/// What is at the end of a channel, by the tables' cables and by the network's.
#[derive(Clone, Copy, Debug)]
enum Step {
    /// Both lead to this port of a crossbar; or, if not `present`, the cable is not there any more.
    Crossbar { crossbar: u32, arrival: u32, down: bool, present: bool },
    /// A host.
    Host(u32),
    /// No crossbar, and no cable.
    Nothing,
    /// The cable leads elsewhere than the tables' does.
    Unlike,
}

/// The hosts that one leaf's routes start from, without those of [`Trees::loose`].
struct Source {
    crossbar: u32,
    hosts: u32,
}

/// Follows the tables of one set of routes.
struct Trees<'a> {
    set: &'a RouteSet,
    tables: &'a Tables,
    shortest: &'a Shortest<'a>,
    /// For each channel of the network, where it leads.
    steps: Vec<Step>,
    /// For each leaf.
    sources: Vec<Source>,
    /// Hosts whose routes are walked one by one: those of several cables or none, and those that have moved.
    loose: Vec<HostId>,
    /// For each host, whether it is one of the former.
    is_loose: Vec<bool>,
    /// For each alternate, the trees to the present destination.
    forests: Vec<Forest>,
    /// For each leaf, how many different routes it has to the present destination.
    routed: Vec<usize>,
    /// For each leaf that has any, the alternate that is the first of them.
    first: Vec<usize>,
    repeats: Repeats,
}

/// What is counted while frames go along the trees of an alternate.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Pass {
    /// What waits for what, of all.
    Dependencies,
    /// The loads of the routes that are the first of their pairs.
    LoadsOfFirsts,
    /// What waits for what, and the loads of all.
    Both,
}

/// Adds the dependencies of a set that is in use beside the one that is proved.
pub(super) fn depend(tally: &mut Tally, set: &RouteSet, tables: &Tables, shortest: &Shortest) {
    let mut trees = Trees::new(tally.network, set, tables, shortest);
    for to in (0..set.hosts() as u32).map(HostId) {
        if !trees.follow(tally.network, |step| !matches!(step, Step::Unlike), to) {
            set.for_each_to(to, |from, route| tally.depend(from, route));
            continue;
        }
        for layer in 0..trees.forests.len() {
            trees.pass(tally, layer, to, Pass::Dependencies);
        }
        trees.each_loose(to, |from, route| tally.depend(from, route));
    }
}

/// Proves the routes to every host, on as many cores as there are.
pub(super) fn check(tally: &mut Tally, set: &RouteSet, tables: &Tables, shortest: &Shortest) {
    let cores = thread::available_parallelism().map_or(1, NonZero::get);
    check_in_parts(tally, set, tables, shortest, cores.min(set.hosts() / HOSTS_PER_THREAD + 1));
}

/// Proves the routes to every host, in so many parts at once. What is found does not depend on their number.
fn check_in_parts(tally: &mut Tally, set: &RouteSet, tables: &Tables, shortest: &Shortest, parts: usize) {
    let hosts = set.hosts() as u32;
    let hosts_per_part = hosts.div_ceil(parts as u32).max(1);
    let starts = (0..hosts).step_by(hosts_per_part as usize);
    let found: Vec<Tally> = thread::scope(|scope| {
        let proofs = starts.map(|start| {
            let mut part = tally.empty();
            scope.spawn(move || {
                let destinations = start..hosts.min(start + hosts_per_part);
                check_to(&mut part, set, tables, shortest, destinations.map(HostId));
                part
            })
        });
        let proofs: Vec<_> = proofs.collect();
        proofs.into_iter().map(|proof| proof.join().expect("a proof does not panic")).collect()
    });
    found.into_iter().for_each(|part| tally.add(part));
}

/// Proves the routes to some hosts.
fn check_to(
    tally: &mut Tally,
    set: &RouteSet,
    tables: &Tables,
    shortest: &Shortest,
    destinations: impl Iterator<Item = HostId>,
) {
    let mut trees = Trees::new(tally.network, set, tables, shortest);
    for to in destinations {
        let arrives = |step: Step| match step {
            Step::Crossbar { present, .. } => present,
            Step::Host(host) => host == to.0,
            Step::Nothing | Step::Unlike => false,
        };
        if trees.is_loose[to.0 as usize] || !trees.follow(tally.network, arrives, to) {
            walk(tally, set, to, shortest);
        } else {
            trees.count(tally, to);
        }
    }
}

/// Walks all routes to a host.
fn walk(tally: &mut Tally, set: &RouteSet, to: HostId, shortest: &Shortest) {
    let mut arrived = vec![false; set.hosts()];
    set.for_each_to(to, |from, route| arrived[from.0 as usize] |= tally.walk(from, route, shortest));
    tally.report.pairs_routed += arrived.iter().filter(|&&arrived| arrived).count() as u64;
    let lacking = (0..set.hosts() as u32).map(HostId).filter(|&from| from != to && !arrived[from.0 as usize]);
    tally.lack(lacking, to, shortest);
}

impl<'a> Trees<'a> {
    fn new(network: &Network, set: &'a RouteSet, tables: &'a Tables, shortest: &'a Shortest<'a>) -> Trees<'a> {
        let leaves = shortest.leaves();
        let mut sources: Vec<Source> = leaves.iter().map(|&crossbar| Source { crossbar, hosts: 0 }).collect();
        let mut is_loose = vec![true; set.hosts()];
        for host in (0..set.hosts() as u32).map(HostId) {
            let leaf = shortest.leaf_of(host);
            if leaf != NOT_ONE && is_attached(network, tables, host) {
                sources[leaf as usize].hosts += 1;
                is_loose[host.0 as usize] = false;
            }
        }
        let states = 2 * network.crossbars();
        Trees {
            set,
            tables,
            shortest,
            steps: steps(network, tables),
            routed: vec![0; sources.len()],
            first: vec![0; sources.len()],
            sources,
            loose: (0..set.hosts() as u32).map(HostId).filter(|host| is_loose[host.0 as usize]).collect(),
            is_loose,
            forests: tables.layers().iter().map(|_| Forest::new(states)).collect(),
            repeats: Repeats::new(states),
        }
    }

    /// The leaves whose hosts send to a host, each with how many there are.
    fn senders(&self, to: HostId) -> impl Iterator<Item = (usize, u32, u32)> + use<'_> {
        let own = if self.is_loose[to.0 as usize] { NOT_ONE } else { self.shortest.leaf_of(to) };
        let hosts = move |leaf: usize, source: &Source| source.hosts - u32::from(leaf as u32 == own);
        let sources = self.sources.iter().enumerate();
        sources.map(move |(leaf, source)| (leaf, source.crossbar, hosts(leaf, source))).filter(|&(_, _, n)| n > 0)
    }

    /// Finds the trees to a host. False if a frame takes a step that is not allowed, or more hops than a route may have:
    /// then the routes must be walked.
    fn follow(&mut self, network: &Network, allowed: impl Fn(Step) -> bool, to: HostId) -> bool {
        if self.tables.crossbars() != network.crossbars() {
            return false;
        }
        let mut forests = std::mem::take(&mut self.forests);
        let followed = self.tables.layers().iter().zip(&mut forests).all(|(layer, forest)| {
            let rows = layer.rows(self.tables.crossbars(), to);
            forest.clear();
            self.senders(to)
                .all(|(_, crossbar, _)| forest.follow(crossbar, rows, network, &self.steps, &allowed) != Depth::WALK)
        });
        self.forests = forests;
        followed
    }

    /// Counts the routes to a host, whose trees have been found.
    fn count(&mut self, tally: &mut Tally, to: HostId) {
        self.routed.fill(0);
        let mut arrived = 0;
        for layer in 0..self.forests.len() {
            let firsts = self.count_layer(tally, layer, to);
            arrived += firsts;
            if layer == 0 {
                self.pass(tally, layer, to, Pass::Both);
            } else {
                self.pass(tally, layer, to, Pass::Dependencies);
                if firsts > 0 {
                    self.pass(tally, layer, to, Pass::LoadsOfFirsts);
                }
            }
        }
        let mut loose_arrived = Vec::new();
        self.each_loose(to, |from, route| {
            if tally.walk(from, route, self.shortest) && loose_arrived.last() != Some(&from) {
                loose_arrived.push(from);
            }
        });
        arrived += loose_arrived.len() as u64;
        tally.report.pairs_routed += arrived;
        if arrived + 1 < self.set.hosts() as u64 {
            let arrives = |from: HostId| match self.is_loose[from.0 as usize] {
                true => loose_arrived.binary_search(&from).is_ok(),
                false => self.routed[self.shortest.leaf_of(from) as usize] > 0,
            };
            let lacking = (0..self.set.hosts() as u32).map(HostId).filter(|&from| from != to && !arrives(from));
            tally.lack(lacking, to, self.shortest);
        }
    }

    /// Counts the routes of one alternate that are not the same as an earlier one's. Returns how many are the first of
    /// their pairs.
    fn count_layer(&mut self, tally: &mut Tally, layer: usize, to: HostId) -> u64 {
        self.repeats.find(self.tables, layer, to, &self.forests[layer]);
        let (report, forest) = (&mut tally.report, &self.forests[layer]);
        let its_leaf = self.shortest.leaf_of(to);
        let mut firsts = 0;
        let mut routed = std::mem::take(&mut self.routed);
        let mut first = std::mem::take(&mut self.first);
        for (leaf, crossbar, hosts) in self.senders(to) {
            let Some(hops) = forest.hops(crossbar).filter(|_| layer == 0 || !self.repeats.is_repeat(crossbar)) else {
                continue;
            };
            if routed[leaf] == 0 {
                firsts += u64::from(hosts);
                first[leaf] = layer;
                if Some(hops) > self.shortest.between(leaf as u32, its_leaf) {
                    report.longer += u64::from(hosts);
                }
            }
            routed[leaf] += 1;
            report.routes += u64::from(hosts);
            report.hops_max = report.hops_max.max(hops as usize);
            report.routes_per_pair = report.routes_per_pair.max(routed[leaf]);
        }
        (self.routed, self.first) = (routed, first);
        firsts
    }

    /// Sends a frame from every host along the trees of one alternate, and counts.
    fn pass(&mut self, tally: &mut Tally, layer: usize, to: HostId, pass: Pass) {
        let mut forest = std::mem::take(&mut self.forests[layer]);
        forest.start();
        let takes_part = |leaf: usize| pass != Pass::LoadsOfFirsts || self.first[leaf] == layer;
        for (_, crossbar, hosts) in self.senders(to).filter(|&(leaf, ..)| takes_part(leaf)) {
            forest.send(crossbar, hosts);
        }
        let rows = self.tables.layers()[layer].rows(self.tables.crossbars(), to);
        forest.pass(rows, tally, pass != Pass::Dependencies);
        self.forests[layer] = forest;
    }

    /// Calls `visit` for every route from a loose host.
    fn each_loose(&self, to: HostId, mut visit: impl FnMut(HostId, RouteRef<'_>)) {
        for &from in &self.loose {
            for (alternate, (rail, route)) in self.set.routes_and_rails(from, to).enumerate() {
                visit(from, RouteRef { to, rail, alternate, hops: route.as_bytes() });
            }
        }
    }
}

/// True if a host is attached where it was when the tables were made.
fn is_attached(network: &Network, tables: &Tables, host: HostId) -> bool {
    match tables.attachment(host) {
        Attachment::Crossbar { rail, crossbar, port } if (crossbar as usize) < network.crossbars() => {
            network.rails(host.0).get(usize::from(rail))
                == Some(&End::Crossbar { first: network.first(crossbar), port })
        }
        _ => false,
    }
}

/// For each channel, where it leads; none if the tables are of other crossbars.
fn steps(network: &Network, tables: &Tables) -> Vec<Step> {
    if tables.crossbars() != network.crossbars() {
        return Vec::new();
    }
    let step = |crossbar: u32, channel: u32| {
        let Link { crossbar: next, port, down } =
            tables.link(crossbar as usize, (channel - network.first(crossbar)) as u8);
        let end = network.end(channel);
        if next == Link::EDGE {
            return match end {
                End::Host(host) => Step::Host(host),
                End::Nothing => Step::Nothing,
                End::Crossbar { .. } => Step::Unlike,
            };
        }
        let (first, present) = (network.first(next), end != End::Nothing);
        match !present || end == (End::Crossbar { first, port }) {
            true => Step::Crossbar { crossbar: next, arrival: first + u32::from(port), down, present },
            false => Step::Unlike,
        }
    };
    (0..network.crossbars() as u32)
        .flat_map(|x| network.ports_of(x).map(move |channel| (x, channel)))
        .map(|(x, channel)| step(x, channel))
        .collect()
}
