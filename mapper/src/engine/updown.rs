//! Up*/down* routes on any graph (M. Schroeder et al., "Autonet: a high-speed, self-configuring local area network using
//! point-to-point links").
//!
//! The crossbars of a connected part are put in order: by their distance from a root, then by their index. A cable leads
//! up to its end that comes first. A route goes up any number of times, then down any number of times, and never up
//! again; so no routes can wait for one another in a circle, however many there are. Among the shortest such routes each
//! destination takes those over the least loaded cables, where the load counts every source that is already routed.

mod again;
mod along;

pub(crate) use again::patches;
pub(crate) use along::along;

use super::cabling::{Cabling, Link};
use super::{Engine, EngineError, Request};
use std::cmp::Reverse;
use twowire_fabric::map::{Layer, RouteSet, Tables};
use twowire_fabric::topology::Topology;

/// The engine for any graph.
#[derive(Clone, Copy, Debug, Default)]
pub struct UpDown;

/// Crossbars that are compared as roots in a part of the graph; in a larger part, as many spread over it.
const ROOT_CANDIDATES: usize = 2048;

impl Engine for UpDown {
    fn name(&self) -> &'static str {
        "updown"
    }

    fn compute(&self, topology: &Topology, request: Request) -> Result<RouteSet, EngineError> {
        let cabling = Cabling::of(topology);
        Ok(routes(topology, request, &cabling, &Order::of(&cabling)))
    }
}

/// The routes by an order of the crossbars.
fn routes(topology: &Topology, request: Request, cabling: &Cabling, order: &Order) -> RouteSet {
    let layers = usize::from(request.routes_per_pair.get());
    let mut filler = Filler::new(cabling, order, topology.hosts().len(), layers);
    for leaf in cabling.leaves() {
        filler.fill(leaf);
    }
    let goes_down = |x: usize, port: u8| {
        let links = cabling.links(x as u32);
        links.binary_search_by_key(&port, |link| link.port).is_ok_and(|i| order.is_down(x as u32, &links[i]))
    };
    RouteSet::from_tables(request.epoch, UpDown.name(), Tables::new(topology, filler.layers, goes_down))
}

/// The order of the crossbars that says which way is up.
struct Order {
    /// All crossbars, roots first.
    sequence: Vec<u32>,
    /// The place of each crossbar in `sequence`.
    rank: Vec<u32>,
}

impl Order {
    /// The better of two orders: by the distance from a root, which always connects everything; and by the distance from
    /// the nearest host, farthest first, which on anything like a fat tree has all its tops for roots.
    fn of(cabling: &Cabling) -> Order {
        let depth = depths(cabling);
        let from_root = Order::by(|x| (depth[x as usize], x), cabling.crossbars());
        let height = cabling.distances(cabling.leaves());
        if height.iter().all(|&height| height == 0 || height == u32::MAX) {
            return from_root;
        }
        let by_height = |x: u32| (Reverse(height[x as usize]), depth[x as usize], x);
        let from_tops = Order::by(by_height, cabling.crossbars());
        match (from_tops.total_distance(cabling), from_root.total_distance(cabling)) {
            (Some(tops), Some(root)) if tops <= root => from_tops,
            _ => from_root,
        }
    }

    fn by<K: Ord>(key: impl Fn(u32) -> K, crossbars: usize) -> Order {
        let mut sequence: Vec<u32> = (0..crossbars as u32).collect();
        sequence.sort_by_key(|&x| key(x));
        let mut rank = vec![0; crossbars];
        sequence.iter().enumerate().for_each(|(i, &x)| rank[x as usize] = i as u32);
        Order { sequence, rank }
    }

    fn is_down(&self, from: u32, link: &Link) -> bool {
        self.rank[link.to as usize] > self.rank[from as usize]
    }

    /// The sum of the distances of all pairs of hosts; none if a connected pair has no legal route.
    fn total_distance(&self, cabling: &Cabling) -> Option<u64> {
        let mut distances = Distances::new(cabling.crossbars());
        let mut sum = 0;
        for leaf in cabling.leaves() {
            distances.towards(cabling, self, leaf);
            let connected = cabling.distances([leaf].into_iter());
            for from in cabling.leaves().filter(|&x| connected[x as usize] != u32::MAX) {
                let distance = distances.of(Phase::Up, from);
                if distance == UNREACHABLE {
                    return None;
                }
                let pairs = cabling.hosts_at[from as usize].len() * cabling.hosts_at[leaf as usize].len();
                sum += u64::from(distance) * pairs as u64;
            }
        }
        Some(sum)
    }
}

/// How far each crossbar is from the root of its part of the graph.
fn depths(cabling: &Cabling) -> Vec<u32> {
    let mut depth = vec![u32::MAX; cabling.crossbars()];
    for x in 0..cabling.crossbars() as u32 {
        if depth[x as usize] == u32::MAX {
            let part: Vec<u32> = reached(&cabling.distances([x].into_iter())).collect();
            let from_root = cabling.distances([root(cabling, &part)].into_iter());
            part.iter().for_each(|&y| depth[y as usize] = from_root[y as usize]);
        }
    }
    depth
}

/// The crossbars that a search has reached.
fn reached(distances: &[u32]) -> impl Iterator<Item = u32> + '_ {
    distances.iter().zip(0..).filter(|&(&distance, _)| distance != u32::MAX).map(|(_, x)| x)
}

/// The crossbar from which the hosts of its part are nearest: first by the farthest, then by the sum.
fn root(cabling: &Cabling, part: &[u32]) -> u32 {
    let step = part.len().div_ceil(ROOT_CANDIDATES);
    let remoteness = |&x: &u32| {
        let distances = cabling.distances([x].into_iter());
        let hosts = |y: u32| cabling.hosts_at[y as usize].len() as u64;
        let with_hosts = reached(&distances).filter(|&y| hosts(y) > 0);
        with_hosts.fold((0, 0), |(farthest, sum), y| {
            let distance = u64::from(distances[y as usize]);
            (distance.max(farthest), sum + distance * hosts(y))
        })
    };
    part.iter().step_by(step).copied().min_by_key(remoteness).expect("a part holds a crossbar")
}

/// Whether a frame may still go up. The discriminants index arrays.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    Up,
    Down,
}

impl Phase {
    fn of(self, layer: &Layer) -> &[u8] {
        match self {
            Phase::Up => &layer.up,
            Phase::Down => &layer.down,
        }
    }

    fn of_mut(self, layer: &mut Layer) -> &mut [u8] {
        match self {
            Phase::Up => &mut layer.up,
            Phase::Down => &mut layer.down,
        }
    }
}

/// The distance of a crossbar from which no legal route leads to the leaf.
const UNREACHABLE: u32 = u32::MAX;

/// How many cables each crossbar is from a leaf by the shortest legal route, for each phase.
struct Distances([Vec<u32>; 2]);

impl Distances {
    fn new(crossbars: usize) -> Distances {
        Distances([vec![UNREACHABLE; crossbars], vec![UNREACHABLE; crossbars]])
    }

    fn of(&self, phase: Phase, x: u32) -> u32 {
        self.0[phase as usize][x as usize]
    }

    /// Measures anew. Going up leads to earlier crossbars, going down to later ones; so one pass for each phase is enough.
    fn towards(&mut self, cabling: &Cabling, order: &Order, leaf: u32) {
        let [up, down] = &mut self.0;
        let next = |distance: &[u32], link: &Link| distance[link.to as usize].saturating_add(1);
        for &x in order.sequence.iter().rev() {
            let links = cabling.links(x).iter().filter(|link| order.is_down(x, link));
            let nearest = links.map(|link| next(down, link)).min().unwrap_or(UNREACHABLE);
            down[x as usize] = if x == leaf { 0 } else { nearest };
        }
        for &x in &order.sequence {
            let links = cabling.links(x).iter().filter(|link| !order.is_down(x, link));
            let nearest = links.map(|link| next(up, link)).min().unwrap_or(UNREACHABLE);
            up[x as usize] = nearest.min(down[x as usize]);
        }
    }
}

/// Fills in the tables, destination leaf by destination leaf.
struct Filler<'a> {
    cabling: &'a Cabling,
    order: &'a Order,
    layers: Vec<Layer>,
    /// To the present leaf.
    distances: Distances,
    /// The sources whose frames to the present destination come through, for each phase and crossbar.
    flow: [Vec<u32>; 2],
    /// Where a crossbar's cables begin in the loads.
    first: Vec<usize>,
    /// For each cable and direction: sources times destinations over preferred routes, and over all.
    load: [Vec<u64>; 2],
}

impl<'a> Filler<'a> {
    fn new(cabling: &'a Cabling, order: &'a Order, hosts: usize, layers: usize) -> Filler<'a> {
        let crossbars = cabling.crossbars();
        let mut first = vec![0];
        (0..crossbars).for_each(|x| first.push(first[x] + cabling.links(x as u32).len()));
        let cables = first[crossbars];
        Filler {
            cabling,
            order,
            layers: vec![Layer::empty(crossbars, hosts, true); layers],
            distances: Distances::new(crossbars),
            flow: [vec![0; crossbars], vec![0; crossbars]],
            first,
            load: [vec![0; cables], vec![0; cables]],
        }
    }

    /// Fills in the entries of all crossbars for the hosts of one leaf.
    fn fill(&mut self, leaf: u32) {
        self.distances.towards(self.cabling, self.order, leaf);
        for layer in 0..self.layers.len() {
            for &(host, port) in &self.cabling.hosts_at[leaf as usize] {
                let entry = self.entry(leaf, host);
                self.layers[layer].up[entry] = port;
                self.layers[layer].down[entry] = port;
                self.fill_host(layer, leaf, host);
            }
        }
    }

    /// Fills in the entries of all crossbars for one host, sources before those through which their frames come.
    fn fill_host(&mut self, layer: usize, leaf: u32, host: u32) {
        let [up, down] = &mut self.flow;
        for (flow, hosts) in up.iter_mut().zip(&self.cabling.hosts_at) {
            *flow = hosts.len() as u32;
        }
        down.fill(0);
        let order = self.order;
        for &x in order.sequence.iter().rev().filter(|&&x| x != leaf) {
            self.choose(layer, Phase::Up, x, host);
        }
        for &x in order.sequence.iter().filter(|&&x| x != leaf) {
            self.choose(layer, Phase::Down, x, host);
        }
    }

    /// Where the tables have what a crossbar does with frames to a host.
    fn entry(&self, x: u32, host: u32) -> usize {
        host as usize * self.cabling.crossbars() + x as usize
    }

    /// Chooses the cable by which a crossbar sends the frames of one phase to a host.
    fn choose(&mut self, layer: usize, phase: Phase, x: u32, host: u32) {
        let Some((cable, link, after)) = self.best(layer, phase, x, host) else { return };
        let flow = self.flow[phase as usize][x as usize];
        self.flow[after as usize][link.to as usize] += flow;
        self.load[1][cable] += u64::from(flow);
        if layer == 0 {
            self.load[0][cable] += u64::from(flow);
        }
        let entry = self.entry(x, host);
        phase.of_mut(&mut self.layers[layer])[entry] = link.port;
    }

    /// The cable on a shortest legal way that the fewest earlier alternates use, then the least loaded one; with its
    /// place in the loads, and the phase behind it. None if no legal way leads to the leaf.
    fn best(&self, layer: usize, phase: Phase, x: u32, host: u32) -> Option<(usize, Link, Phase)> {
        let remaining = self.distances.of(phase, x);
        if remaining == UNREACHABLE {
            return None;
        }
        let entry = self.entry(x, host);
        let load = &self.load[usize::from(layer > 0)];
        let candidates = self.cabling.links(x).iter().zip(self.first[x as usize]..).filter_map(|(link, cable)| {
            let after = if self.order.is_down(x, link) { Phase::Down } else { Phase::Up };
            let legal = phase == Phase::Up || after == Phase::Down;
            let shortest = self.distances.of(after, link.to) == remaining - 1;
            (legal && shortest).then_some((cable, *link, after))
        });
        candidates.min_by_key(|&(cable, link, _)| {
            let used = self.layers[..layer].iter().filter(|l| phase.of(l)[entry] == link.port).count();
            (used, load[cable])
        })
    }
}
