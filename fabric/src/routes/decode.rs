//! Reads a route table: see [`super::encode`]. Never panics, and builds no more than [`MAX_TABLE_BYTES`].

use super::RouteTable;
use super::bundle::{Edits, MAX_EDGES, for_each_route, read_fresh};
use super::column::{COLUMN_TAGS, Reader};
use crate::id::NodeNumber;
use crate::route::Hop;

pub use super::column::TableError;

/// The first byte of an encoded table.
pub(super) const FORMAT: u8 = 1;
/// A column of the graph that is the same as one before; the other tags are those of columns.
pub(super) const BACK: u8 = COLUMN_TAGS;
/// The most destinations that a table may have.
pub const MAX_DESTINATIONS: u32 = 1 << 20;
/// The most bytes that a table may have when it has been read.
pub const MAX_TABLE_BYTES: usize = 64 << 20;
/// The most routes that a table may have to one destination.
pub const MAX_ROUTES: u32 = 255;

/// Reads the table of `epoch`. Every route in it leads to its destination on the map that the table itself holds.
pub fn decode(epoch: u32, bytes: &[u8]) -> Result<RouteTable, TableError> {
    let mut reader = Reader::new(bytes);
    match reader.byte()? {
        FORMAT => {}
        other => return Err(TableError::Format(other)),
    }
    let own = reader.number("own number", MAX_DESTINATIONS - 1)?;
    let destinations = reader.number("number of destinations", MAX_DESTINATIONS)?;
    if own >= destinations {
        return Err(reader.invalid("own number", own.into(), u64::from(destinations).saturating_sub(1)));
    }
    let graph = Graph::read(&mut reader, destinations)?;
    let bundles = Bundles::read(&mut reader, destinations)?;
    if reader.remaining() > 0 {
        return Err(TableError::TrailingBytes { extra: reader.remaining() });
    }
    let (mut starts, mut hops) = (vec![0], Vec::with_capacity(bundles.bytes.len()));
    for to in 0..destinations {
        let before = hops.len();
        for_each_route(bundles.get(to as usize), |edges| graph.put_route(edges, to, &mut hops))?;
        if to == own && hops.len() > before {
            return Err(TableError::Astray { to });
        }
        starts.push(hops.len() as u32);
    }
    Ok(RouteTable::from_parts(epoch, NodeNumber::from_index(own as usize), starts, hops))
}

/// An edge by which routes leave a crossbar.
#[derive(Clone, Copy)]
struct Edge {
    target: Target,
    output: u8,
    entry: u8,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Target {
    Crossbar(u32),
    Host(u32),
}

/// The part of the map that a table uses.
struct Graph {
    /// The port by which the node's own cable enters the first crossbar.
    entry: u8,
    /// Where in `edges` each crossbar's begin, and where the last one's end.
    starts: Vec<usize>,
    edges: Vec<Edge>,
}

impl Graph {
    fn read(reader: &mut Reader<'_>, destinations: u32) -> Result<Graph, TableError> {
        let most = reader.remaining() as u32 / 4;
        let crossbars = reader.number("number of crossbars", most)?;
        let mut graph = Graph { entry: 0, starts: vec![0], edges: Vec::new() };
        if crossbars > 0 {
            graph.entry = reader.number("entry", 127)? as u8;
        }
        let max_target = (2 * destinations - 1).max((2 * crossbars).saturating_sub(2));
        let fields = [("target", max_target), ("output", 127), ("entry", 127)];
        let mut columns = [Vec::new(), Vec::new(), Vec::new()];
        for _ in 0..crossbars {
            let count = reader.number("number of edges", MAX_EDGES)? as usize;
            for (which, column) in columns.iter_mut().enumerate() {
                let (field, max) = fields[which];
                match reader.byte()? {
                    BACK => graph.column_before(reader, which, count, column)?,
                    tag => reader.column(tag, count, field, max, column)?,
                }
            }
            for ((&target, &output), &entry) in columns[0].iter().zip(&columns[1]).zip(&columns[2]) {
                let number = target / 2;
                let (target, end) = match target % 2 {
                    0 => (Target::Crossbar(number), crossbars),
                    _ => (Target::Host(number), destinations),
                };
                if number >= end {
                    return Err(reader.invalid("target", number.into(), u64::from(end).saturating_sub(1)));
                }
                graph.edges.push(Edge { target, output: output as u8, entry: entry as u8 });
            }
            graph.starts.push(graph.edges.len());
        }
        Ok(graph)
    }

    /// Copies a column of an earlier crossbar.
    fn column_before(
        &self,
        reader: &mut Reader<'_>,
        which: usize,
        count: usize,
        column: &mut Vec<u32>,
    ) -> Result<(), TableError> {
        let before = self.starts.len() - 1;
        let back = reader.number("crossbars back", before as u32)? as usize;
        let edges = match back {
            0 => return Err(reader.invalid("crossbars back", 0, before as u64)),
            _ => self.edges_of(before - back),
        };
        if edges.len() != count {
            return Err(reader.invalid("number of edges", count as u64, edges.len() as u64));
        }
        column.clear();
        column.extend(edges.iter().map(|edge| match (which, edge.target) {
            (0, Target::Crossbar(number)) => number * 2,
            (0, Target::Host(number)) => number * 2 + 1,
            (1, _) => edge.output.into(),
            _ => edge.entry.into(),
        }));
        Ok(())
    }

    fn edges_of(&self, crossbar: usize) -> &[Edge] {
        match (self.starts.get(crossbar), self.starts.get(crossbar + 1)) {
            (Some(&start), Some(&end)) => &self.edges[start..end],
            _ => &[],
        }
    }

    /// Appends the number of hops and the hops of the route that takes these edges, if it leads to destination `to`.
    fn put_route(&self, edges: &[u8], to: u32, out: &mut Vec<u8>) -> Result<(), TableError> {
        out.push(edges.len() as u8);
        let mut at = (Target::Crossbar(0), self.entry);
        if edges.is_empty() && self.starts.len() == 1 {
            return Ok(());
        }
        for &edge in edges {
            let (Target::Crossbar(crossbar), entry) = at else { return Err(TableError::Astray { to }) };
            let edge = self.edges_of(crossbar as usize).get(edge as usize).ok_or(TableError::Astray { to })?;
            out.push(Hop::between(entry, edge.output).byte());
            at = (edge.target, edge.entry);
        }
        if at.0 == Target::Host(to) { Ok(()) } else { Err(TableError::Astray { to }) }
    }
}

/// The choices for each destination.
struct Bundles {
    starts: Vec<usize>,
    bytes: Vec<u8>,
}

impl Bundles {
    fn read(reader: &mut Reader<'_>, destinations: u32) -> Result<Bundles, TableError> {
        let mut bundles = Bundles { starts: vec![0], bytes: Vec::new() };
        while bundles.len() < destinations {
            let count = reader.number("number of destinations alike", destinations - bundles.len())?;
            if count == 0 {
                return Err(reader.invalid("number of destinations alike", 0, (destinations - bundles.len()).into()));
            }
            match reader.number("distance", bundles.len())? {
                0 => bundles.read_fresh_run(reader, count)?,
                distance => bundles.read_edited_run(reader, count, distance)?,
            }
        }
        Ok(bundles)
    }

    fn len(&self) -> u32 {
        self.starts.len() as u32 - 1
    }

    fn get(&self, index: usize) -> &[u8] {
        &self.bytes[self.starts[index]..self.starts[index + 1]]
    }

    fn read_fresh_run(&mut self, reader: &mut Reader<'_>, count: u32) -> Result<(), TableError> {
        let routes = reader.number("number of routes", MAX_ROUTES)?;
        let start = self.bytes.len();
        read_fresh(reader, routes as u8, &mut self.bytes)?;
        let bundle = start..self.bytes.len();
        self.close()?;
        for _ in 1..count {
            self.bytes.extend_from_within(bundle.clone());
            self.close()?;
        }
        Ok(())
    }

    fn read_edited_run(&mut self, reader: &mut Reader<'_>, count: u32, distance: u32) -> Result<(), TableError> {
        let edits = Edits::read(reader, self.get((self.len() - distance) as usize))?;
        for _ in 0..count {
            let (to, reference) = (self.len(), self.len() - distance);
            let start = self.bytes.len();
            self.bytes.extend_from_within(self.starts[reference as usize]..self.starts[reference as usize + 1]);
            let applied = edits.apply(&mut self.bytes[start..]);
            applied.ok_or(TableError::Reference { to, reference })?;
            self.close()?;
        }
        Ok(())
    }

    /// Ends a destination's bundle.
    fn close(&mut self) -> Result<(), TableError> {
        if self.bytes.len() > MAX_TABLE_BYTES {
            return Err(TableError::TooLarge { max: MAX_TABLE_BYTES });
        }
        self.starts.push(self.bytes.len());
        Ok(())
    }
}
