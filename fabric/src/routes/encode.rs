//! Writes a route table as the part of the map that it uses, and its choices there.
//!
//! The routes of a table share most of their cables, so a table is much smaller as a graph with choices than as hops:
//! each cable is written once, and the routes to one destination mostly make the choices that those to another one made.

use super::RouteTable;
use super::bundle;
use super::choices::{Bundles, put_choices};
use super::column::{put_column, put_number};
use super::decode::{BACK, FORMAT};
use crate::id::NodeNumber;
use crate::route::{Hop, Route};
use crate::topology::{CrossbarId, HostId, NodeId, PortId, Topology};
use std::collections::HashMap;

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

/// What the table at hand makes of a crossbar.
#[derive(Clone, Copy)]
struct Mark {
    /// Its number in the encoding, or [`UNUSED`].
    number: u32,
    /// The lowest port in use; ports are written relative to it.
    lowest: u8,
    /// The ports by which routes leave, a bit each.
    outputs: u128,
}

const UNUSED: u32 = u32::MAX;

/// Where a crossbar's port leads.
#[derive(Clone, Copy)]
struct Link {
    /// The next crossbar, or [`EDGE`].
    crossbar: u32,
    port: u8,
}

/// Instead of a crossbar: a host, or no cable.
const EDGE: u32 = u32::MAX;

/// Encodes route tables of one map. Keeps its buffers, so that encoding the tables of all nodes does not allocate each time.
pub struct TableEncoder<'a> {
    topology: &'a Topology,
    /// The host of each node, by [`NodeNumber::index`]; `None` for numbers that nobody has.
    hosts: Vec<Option<HostId>>,
    /// The inverse of `hosts`.
    index_of: Vec<Option<u32>>,
    /// The most ports that a crossbar has.
    stride: usize,
    /// Port `p` of crossbar `x` is at `x * stride + p`, here and in `edges`.
    links: Vec<Link>,
    /// The number of the edge of each port by which routes leave.
    edges: Vec<u8>,
    marks: Vec<Mark>,
    /// The crossbars that have numbers, in their order.
    used: Vec<CrossbarId>,
    /// For each hop of each route, in the order of the table, the port by which it leaves.
    steps: Vec<u32>,
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
        let crossbars = topology.crossbars().len();
        let stride = topology.crossbars().iter().map(|crossbar| crossbar.ports).max().unwrap_or(0).into();
        let mut links = vec![Link { crossbar: EDGE, port: 0 }; crossbars * stride];
        for id in topology.crossbar_ids() {
            for (port, end) in topology.peers(id.into()).iter().enumerate() {
                if let Some(PortId { node: NodeId::Crossbar(next), port: input }) = *end {
                    links[id.0 as usize * stride + port] = Link { crossbar: next.0, port: input };
                }
            }
        }
        TableEncoder {
            topology,
            hosts,
            index_of,
            stride,
            edges: vec![0; links.len()],
            links,
            marks: vec![Mark { number: UNUSED, lowest: 0, outputs: 0 }; crossbars],
            used: Vec::new(),
            steps: Vec::new(),
        }
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
        for id in self.used.drain(..) {
            self.marks[id.0 as usize] = Mark { number: UNUSED, lowest: 0, outputs: 0 };
        }
        self.steps.clear();
    }

    fn walk_all(&mut self, table: &RouteTable) -> Result<(), EncodeError> {
        let attachment = self.attachment(table.own());
        for index in 0..table.destinations() {
            let to = NodeNumber::from_index(index);
            for hops in table.hops_to(to) {
                self.walk(attachment, table.own(), to, hops)?;
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
    fn walk(
        &mut self,
        attachment: Option<PortId>,
        from: NodeNumber,
        to: NodeNumber,
        hops: &[u8],
    ) -> Result<(), EncodeError> {
        let route = || Route::from_bytes(hops).expect("a table holds routes");
        let mut at = match attachment {
            Some(PortId { node: NodeId::Crossbar(id), port }) => Link { crossbar: id.0, port },
            _ => Link { crossbar: EDGE, port: 0 },
        };
        let mut last = None;
        for (index, hop) in hops.iter().filter_map(|&byte| Hop::from_byte(byte)).enumerate() {
            let output = hop.out_of(at.port);
            if at.crossbar == EDGE || usize::from(output) >= self.stride {
                return Err(EncodeError::NoWay { from, to, route: route(), hop: index });
            }
            self.note(CrossbarId(at.crossbar), at.port, output);
            last = Some(PortId::new(CrossbarId(at.crossbar), output));
            let slot = at.crossbar as usize * self.stride + usize::from(output);
            self.steps.push(slot as u32);
            at = self.links[slot];
        }
        let end = last.map_or(attachment, |port| self.topology.peer(port));
        match end {
            Some(PortId { node: NodeId::Host(host), .. }) if self.hosts[to.index()] == Some(host) => Ok(()),
            other => {
                let found = other.map_or("no cable".to_owned(), |end| self.topology.port_name(end).to_string());
                Err(EncodeError::Astray { from, to, route: route(), found })
            }
        }
    }

    /// Notes that a route goes through a crossbar. Their numbers count up in the order of first use, so that crossbars
    /// which serve neighbouring destinations have neighbouring numbers.
    fn note(&mut self, id: CrossbarId, input: u8, output: u8) {
        let mark = &mut self.marks[id.0 as usize];
        if mark.number == UNUSED {
            (mark.number, mark.lowest) = (self.used.len() as u32, input);
            self.used.push(id);
        }
        mark.outputs |= 1 << output;
        mark.lowest = mark.lowest.min(input).min(output);
    }

    /// Appends the crossbars and the edges by which routes leave them, and gives the edges their numbers.
    fn put_graph(&mut self, out: &mut Vec<u8>, own: NodeNumber) {
        put_number(out, self.used.len() as u32);
        let (Some(first), Some(attachment)) = (self.used.first(), self.attachment(own)) else { return };
        out.push(attachment.port - self.marks[first.0 as usize].lowest);
        let mut columns = Columns::default();
        for number in 0..self.used.len() {
            let id = self.used[number];
            let edges = self.edges_of(id);
            put_number(out, edges.len() as u32);
            for (index, edge) in edges.iter().enumerate() {
                self.edges[id.0 as usize * self.stride + usize::from(edge.output)] = index as u8;
            }
            let lowest = self.marks[id.0 as usize].lowest;
            columns.put(out, 0, number, edges.iter().map(|e| e.target).collect());
            columns.put(out, 1, number, edges.iter().map(|e| u32::from(e.output - lowest)).collect());
            columns.put(out, 2, number, edges.iter().map(|e| e.entry.into()).collect());
        }
    }

    /// The edges by which routes leave a crossbar, sorted by where they lead.
    fn edges_of(&self, id: CrossbarId) -> Vec<Edge> {
        let outputs = self.marks[id.0 as usize].outputs;
        let edge = |output: u8| {
            let end = self.topology.peer(PortId::new(id, output)).expect("a route has gone this way");
            let (target, entry) = match end.node {
                NodeId::Host(host) => (self.index_of[host.0 as usize].expect("a destination") * 2 + 1, 0),
                NodeId::Crossbar(next) => {
                    let next = self.marks[next.0 as usize];
                    (next.number * 2, end.port - next.lowest)
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
            edges.extend(these.iter().map(|&slot| self.edges[slot as usize]));
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
