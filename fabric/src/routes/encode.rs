//! Writes a route table as the part of the map that it uses, and its choices there.
//!
//! The routes of a table share most of their cables, so a table is much smaller as a graph with choices than as hops:
//! each cable is written once, and the routes to one destination mostly make the choices that those to another one made.

use super::RouteTable;
use super::bundle::{self, columns_end, put_edits, put_fresh, shape};
use super::column::{put_column, put_number};
use super::decode::{BACK, FORMAT};
use crate::id::NodeNumber;
use crate::route::{Hop, Route};
use crate::topology::{CrossbarId, HostId, NodeId, PortId, Topology};
use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};

/// Why a table cannot be encoded: it does not fit the map.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EncodeError {
    /// A route runs into a port without a cable, or goes on through a host.
    #[error("{from} to {to}: route {route} ends at hop {hop}, where no crossbar is")]
    NoWay {
        /// Whose table.
        from: NodeNumber,
        /// The destination.
        to: NodeNumber,
        /// The route.
        route: Route,
        /// The hop that cannot be taken, from 0.
        hop: usize,
    },
    /// A route ends elsewhere than at its destination.
    #[error("{from} to {to}: route {route} leads to {found}")]
    Astray {
        /// Whose table.
        from: NodeNumber,
        /// The destination.
        to: NodeNumber,
        /// The route.
        route: Route,
        /// What is at its end.
        found: String,
    },
    /// The table has another number of destinations than there are numbers.
    #[error("the table of {from} has {got} destinations, expected {expected}")]
    Destinations {
        /// Whose table.
        from: NodeNumber,
        /// The highest number of the map, and two: the front end's and 0.
        expected: usize,
        /// Destinations of the table.
        got: usize,
    },
}

/// One crossbar on a route's way.
#[derive(Clone, Copy)]
struct Step {
    /// Its number in the encoding.
    crossbar: u32,
    output: u8,
}

/// A crossbar that the table uses.
struct Used {
    id: CrossbarId,
    /// The ports by which routes leave, a bit each.
    outputs: u128,
    /// The lowest port in use; ports are written relative to it.
    lowest: u8,
    /// The number of each output's edge.
    edges: [u8; 128],
}

/// Encodes route tables of one map. Keeps its buffers, so that encoding the tables of all nodes does not allocate each time.
pub struct TableEncoder<'a> {
    topology: &'a Topology,
    /// The host of each node, by [`NodeNumber::index`]; `None` for numbers that nobody has.
    hosts: Vec<Option<HostId>>,
    /// The inverse of `hosts`.
    index_of: Vec<Option<u32>>,
    /// The number of each crossbar in the table at hand.
    number_of: Vec<Option<u32>>,
    used: Vec<Used>,
    /// All routes' steps, in the order of the table.
    steps: Vec<Step>,
}

impl<'a> TableEncoder<'a> {
    /// An encoder for tables of the map `topology`, in which these are the nodes and the front end.
    pub fn new(topology: &'a Topology, nodes: impl IntoIterator<Item = (NodeNumber, HostId)>) -> TableEncoder<'a> {
        let mut hosts = Vec::new();
        let mut index_of = vec![None; topology.hosts().len()];
        for (number, host) in nodes {
            let index = number.index();
            hosts.resize(hosts.len().max(index + 1), None);
            hosts[index] = Some(host);
            index_of[host.0 as usize] = Some(index as u32);
        }
        let number_of = vec![None; topology.crossbars().len()];
        TableEncoder { topology, hosts, index_of, number_of, used: Vec::new(), steps: Vec::new() }
    }

    /// The bytes of a table. Every route is walked on the map, and one that does not lead to its destination is an error.
    pub fn encode(&mut self, table: &RouteTable) -> Result<Vec<u8>, EncodeError> {
        if table.destinations() != self.hosts.len() || table.own().index() >= self.hosts.len() {
            return Err(EncodeError::Destinations {
                from: table.own(),
                expected: self.hosts.len(),
                got: table.destinations(),
            });
        }
        self.forget();
        self.walk_all(table)?;
        let mut out = vec![FORMAT];
        put_number(&mut out, table.own().index() as u32);
        put_number(&mut out, table.destinations() as u32);
        self.put_graph(&mut out, table.own());
        put_choices(&mut out, &self.choices(table));
        Ok(out)
    }

    fn forget(&mut self) {
        for crossbar in self.used.drain(..) {
            self.number_of[crossbar.id.0 as usize] = None;
        }
        self.steps.clear();
    }

    fn walk_all(&mut self, table: &RouteTable) -> Result<(), EncodeError> {
        for index in 0..table.destinations() {
            let to = NodeNumber::from_index(index);
            for hops in table.hops_to(to) {
                self.walk(table.own(), to, hops)?;
            }
        }
        Ok(())
    }

    /// Where a node's cable leads. Of several cables it is that of the lowest port which leads to a crossbar, if one does.
    fn attachment(&self, node: NodeNumber) -> Option<PortId> {
        let mut cables = self.topology.peers(self.hosts[node.index()]?.into()).iter().flatten();
        let first = cables.clone().next();
        cables.find(|end| matches!(end.node, NodeId::Crossbar(_))).or(first).copied()
    }

    /// Follows a route on the map and notes what it uses.
    fn walk(&mut self, from: NodeNumber, to: NodeNumber, hops: &[u8]) -> Result<(), EncodeError> {
        let route = || Route::from_bytes(hops).expect("a table holds routes");
        let mut at = self.attachment(from);
        for (index, hop) in hops.iter().filter_map(|&byte| Hop::from_byte(byte)).enumerate() {
            let Some(PortId { node: NodeId::Crossbar(id), port: input }) = at else {
                return Err(EncodeError::NoWay { from, to, route: route(), hop: index });
            };
            let output = hop.out_of(input);
            let crossbar = self.note(id, input, output);
            self.steps.push(Step { crossbar, output });
            at = self.topology.peer(PortId::new(id, output));
        }
        match at {
            Some(PortId { node: NodeId::Host(host), .. }) if self.hosts[to.index()] == Some(host) => Ok(()),
            other => {
                let found = other.map_or("no cable".to_owned(), |end| self.topology.port_name(end).to_string());
                Err(EncodeError::Astray { from, to, route: route(), found })
            }
        }
    }

    /// Notes that a route goes through a crossbar; returns the crossbar's number. They count up in the order of first use,
    /// so that crossbars which serve neighbouring destinations have neighbouring numbers.
    fn note(&mut self, id: CrossbarId, input: u8, output: u8) -> u32 {
        let number = *self.number_of[id.0 as usize].get_or_insert_with(|| {
            self.used.push(Used { id, outputs: 0, lowest: input, edges: [0; 128] });
            self.used.len() as u32 - 1
        });
        let used = &mut self.used[number as usize];
        used.outputs |= 1 << output;
        used.lowest = used.lowest.min(input).min(output);
        number
    }

    /// Appends the crossbars and the edges by which routes leave them, and gives the edges their numbers.
    fn put_graph(&mut self, out: &mut Vec<u8>, own: NodeNumber) {
        put_number(out, self.used.len() as u32);
        if self.used.is_empty() {
            return;
        }
        let entry = self.attachment(own).map_or(0, |end| end.port);
        out.push(entry - self.used[0].lowest);
        let mut columns = Columns::default();
        for number in 0..self.used.len() {
            let edges = self.edges_of(number);
            put_number(out, edges.len() as u32);
            for (index, edge) in edges.iter().enumerate() {
                self.used[number].edges[edge.output as usize] = index as u8;
            }
            let lowest = self.used[number].lowest;
            columns.put(out, 0, number, edges.iter().map(|e| e.target).collect());
            columns.put(out, 1, number, edges.iter().map(|e| u32::from(e.output - lowest)).collect());
            columns.put(out, 2, number, edges.iter().map(|e| e.entry.into()).collect());
        }
    }

    /// The edges by which routes leave a crossbar, sorted by where they lead.
    fn edges_of(&self, number: usize) -> Vec<Edge> {
        let Used { id, outputs, .. } = self.used[number];
        let edge = |output: u8| {
            let end = self.topology.peer(PortId::new(id, output)).expect("a route has gone this way");
            let (target, entry) = match end.node {
                NodeId::Host(host) => (self.index_of[host.0 as usize].expect("a destination") * 2 + 1, 0),
                NodeId::Crossbar(next) => {
                    let next = self.number_of[next.0 as usize].expect("a route has gone on from there");
                    (next * 2, end.port - self.used[next as usize].lowest)
                }
            };
            Edge { target, output, entry }
        };
        let mut edges: Vec<Edge> = (0..128).filter(|&port| outputs >> port & 1 == 1).map(edge).collect();
        edges.sort_unstable_by_key(|e| (e.target, e.output));
        edges
    }

    /// The bundle of each destination.
    fn choices(&self, table: &RouteTable) -> Bundles {
        let mut bundles = Bundles { starts: vec![0], bytes: Vec::with_capacity(self.steps.len() * 3 / 2) };
        let (mut steps, mut hops, mut edges) = (self.steps.as_slice(), Vec::new(), Vec::new());
        for index in 0..table.destinations() {
            hops.clear();
            hops.extend(table.hops_to(NodeNumber::from_index(index)).map(|hops| hops.len() as u8));
            let (these, rest) = steps.split_at(hops.iter().map(|&len| usize::from(len)).sum());
            edges.clear();
            edges.extend(these.iter().map(|step| self.used[step.crossbar as usize].edges[step.output as usize]));
            bundle::push(&mut bundles.bytes, &hops, &edges);
            bundles.starts.push(bundles.bytes.len());
            steps = rest;
        }
        bundles
    }
}

struct Edge {
    target: u32,
    output: u8,
    entry: u8,
}

/// The columns that have been written, to refer back to one that comes again.
#[derive(Default)]
struct Columns {
    last: HashMap<(u8, Vec<u32>), usize>,
    written: Vec<u8>,
}

impl Columns {
    fn put(&mut self, out: &mut Vec<u8>, which: u8, crossbar: usize, values: Vec<u32>) {
        self.written.clear();
        put_column(&mut self.written, &values);
        if let Some(before) = self.last.insert((which, values), crossbar) {
            let start = out.len();
            out.push(BACK);
            put_number(out, (crossbar - before) as u32);
            if out.len() - start < self.written.len() {
                return;
            }
            out.truncate(start);
        }
        out.append(&mut self.written);
    }
}

/// All destinations' bundles, one after the other.
struct Bundles {
    starts: Vec<usize>,
    bytes: Vec<u8>,
}

impl Bundles {
    fn len(&self) -> usize {
        self.starts.len() - 1
    }

    fn get(&self, index: usize) -> &[u8] {
        &self.bytes[self.starts[index]..self.starts[index + 1]]
    }
}

/// Destinations in a row, with routes of the same shape, that differ in the same way from those `distance` before them.
struct Run {
    /// The first of them.
    first: usize,
    count: u32,
    distance: usize,
    /// The bytes of the edits, or of the whole bundle where `distance` is 0.
    change: Vec<u8>,
}

impl Run {
    fn put(&self, out: &mut Vec<u8>) {
        put_number(out, self.count);
        put_number(out, self.distance as u32);
        out.extend_from_slice(&self.change);
    }
}

/// Appends the bundles, each as what changed against an earlier one.
fn put_choices(out: &mut Vec<u8>, bundles: &Bundles) {
    let mut finder = ReferenceFinder::default();
    let mut run: Option<Run> = None;
    let mut change = Vec::new();
    for index in 0..bundles.len() {
        let mut goes_on = |run: &Run| {
            shape(bundles.get(run.first)) == shape(bundles.get(index))
                && put_change(&mut change, bundles, index, run.distance)
                && change == run.change
        };
        match &mut run {
            Some(run) if goes_on(run) => run.count += 1,
            _ => {
                run.iter().for_each(|run| run.put(out));
                run = Some(finder.shortest(bundles, index));
            }
        }
        finder.note(bundles, index);
    }
    run.iter().for_each(|run| run.put(out));
}

/// Replaces `out` by the bytes that write a bundle as an edit of the one `distance` before it, or whole if that is 0. False if
/// it cannot be written so.
fn put_change(out: &mut Vec<u8>, bundles: &Bundles, index: usize, distance: usize) -> bool {
    out.clear();
    let bundle = bundles.get(index);
    if distance == 0 {
        put_number(out, shape(bundle)[0].into());
        put_fresh(out, bundle);
        return true;
    }
    index.checked_sub(distance).is_some_and(|before| put_edits(out, bundles.get(before), bundle))
}

/// Finds earlier destinations whose routes make the same choices.
#[derive(Default)]
struct ReferenceFinder {
    /// The last destination with these choices, by a hash of them.
    last: HashMap<u64, usize>,
    recent: [usize; 4],
}

impl ReferenceFinder {
    /// A destination's choices on the first half of the way, and all but the last: what two destinations of one
    /// pod, or of one crossbar, have in common.
    fn keys(bundle: &[u8]) -> [u64; 2] {
        let hash = |end: usize| {
            let mut hasher = DefaultHasher::new();
            bundle[..end].hash(&mut hasher);
            hasher.finish()
        };
        [hash(columns_end(bundle, |hops| hops / 2)), hash(columns_end(bundle, |hops| hops.saturating_sub(1)))]
    }

    fn note(&mut self, bundles: &Bundles, index: usize) {
        for key in Self::keys(bundles.get(index)) {
            self.last.insert(key, index);
        }
    }

    /// The shortest way to write a destination.
    fn shortest(&mut self, bundles: &Bundles, index: usize) -> Run {
        let alike = Self::keys(bundles.get(index)).map(|key| self.last.get(&key).map_or(0, |&before| index - before));
        let mut best = Run { first: index, count: 1, distance: 0, change: Vec::new() };
        put_change(&mut best.change, bundles, index, 0);
        let mut change = Vec::new();
        for distance in self.recent.into_iter().chain(alike).chain([1]).filter(|&distance| distance != 0) {
            if put_change(&mut change, bundles, index, distance) && change.len() < best.change.len() {
                best.distance = distance;
                std::mem::swap(&mut best.change, &mut change);
            }
        }
        if best.distance != 0 && !self.recent.contains(&best.distance) {
            self.recent.rotate_right(1);
            self.recent[0] = best.distance;
        }
        best
    }
}
