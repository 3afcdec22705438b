//! The routes that one node holds: to every other node, several each.

use crate::id::{NodeNumber, NotANode};
use crate::route::{Route, RouteError};
use std::fmt::{self, Write};
use std::str::FromStr;
use std::sync::Arc;

/// One node's routes of one epoch, held compactly and indexed by the destination's number. A clone shares them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RouteTable {
    /// The epoch that these routes belong to; 0 before any were loaded.
    epoch: u32,
    /// The index of the node whose routes these are.
    own_index: u32,
    /// Where in `bytes` each destination's routes begin, and where the last one's end.
    starts: Arc<Vec<u32>>,
    /// For each route: its number of hops, then its hop bytes.
    bytes: Arc<Vec<u8>>,
}

impl RouteTable {
    /// An empty table of node `own`.
    pub fn new(epoch: u32, own: NodeNumber) -> RouteTable {
        RouteTable { epoch, own_index: own.index() as u32, starts: Arc::new(vec![0]), bytes: Arc::default() }
    }

    /// Adds the routes to the next destination: the front end's first, then node 0's, and so on. A node's routes to itself,
    /// and those to a node that cannot be reached, are none.
    pub fn push(&mut self, routes: impl IntoIterator<Item = Route>) {
        let bytes = Arc::make_mut(&mut self.bytes);
        for route in routes {
            bytes.push(route.len() as u8);
            bytes.extend_from_slice(route.as_bytes());
        }
        let end = u32::try_from(bytes.len()).expect("a table has less than 4 GiB");
        Arc::make_mut(&mut self.starts).push(end);
    }

    /// A table of these bytes, as `starts` and `bytes` hold them.
    pub(super) fn from_parts(epoch: u32, own: NodeNumber, starts: Vec<u32>, bytes: Vec<u8>) -> RouteTable {
        RouteTable { epoch, own_index: own.index() as u32, starts: Arc::new(starts), bytes: Arc::new(bytes) }
    }

    /// The epoch that these routes belong to; 0 before any were loaded.
    pub fn epoch(&self) -> u32 {
        self.epoch
    }

    /// The node whose routes these are.
    pub fn own(&self) -> NodeNumber {
        NodeNumber::from_index(self.own_index as usize)
    }

    /// The number of destinations, the node itself among them.
    pub fn destinations(&self) -> usize {
        self.starts.len().saturating_sub(1)
    }

    /// The routes to a node, the preferred one first; none if it is unknown or cannot be reached.
    pub fn routes_to(&self, to: NodeNumber) -> impl Iterator<Item = Route> + '_ {
        self.hops_to(to).map(|hops| Route::from_bytes(hops).expect("pushed from a route"))
    }

    /// The hop bytes of the routes to a node, as [`RouteTable::routes_to`].
    pub fn hops_to(&self, to: NodeNumber) -> impl Iterator<Item = &[u8]> + '_ {
        let index = to.index();
        let range = match (self.starts.get(index), self.starts.get(index + 1)) {
            (Some(&start), Some(&end)) => start as usize..end as usize,
            _ => 0..0,
        };
        let mut rest = &self.bytes[range];
        std::iter::from_fn(move || {
            let (&len, tail) = rest.split_first()?;
            let (hops, tail) = tail.split_at(len.into());
            rest = tail;
            Some(hops)
        })
    }
}

/// A text that is no route table.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TableTextError {
    /// The first line, or a line of too few words.
    #[error("`{0}`: expected `table 1 epoch=N own=NODE`, and then `NODE HOPS...` for each node in its order")]
    Line(String),
    /// A name.
    #[error(transparent)]
    Node(#[from] NotANode),
    /// Hops.
    #[error(transparent)]
    Route(#[from] RouteError),
}

impl fmt::Display for RouteTable {
    /// A line that says whose routes these are, and one for each destination.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "table 1 epoch={} own={}", self.epoch, self.own())?;
        for index in 0..self.destinations() {
            let node = NodeNumber::from_index(index);
            write!(f, "{node}")?;
            self.routes_to(node).try_for_each(|route| write!(f, " {route}"))?;
            f.write_char('\n')?;
        }
        Ok(())
    }
}

impl FromStr for RouteTable {
    type Err = TableTextError;

    fn from_str(text: &str) -> Result<RouteTable, TableTextError> {
        let mut lines = text.lines();
        let first = lines.next().unwrap_or_default();
        let wrong = |line: &str| TableTextError::Line(line.to_owned());
        let header = first.strip_prefix("table 1 epoch=").and_then(|rest| rest.split_once(" own="));
        let (epoch, own) = header.ok_or_else(|| wrong(first))?;
        let mut table = RouteTable::new(epoch.parse().map_err(|_| wrong(first))?, own.parse()?);
        for line in lines {
            let mut words = line.split(' ');
            let node: NodeNumber = words.next().unwrap_or_default().parse()?;
            if node.index() != table.destinations() {
                return Err(wrong(line));
            }
            let routes: Vec<Route> = words.map(str::parse).collect::<Result<_, _>>()?;
            table.push(routes);
        }
        Ok(table)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_text_gives_the_same_table() {
        let mut table = RouteTable::new(7, NodeNumber(0));
        table.push(["88f8".parse().unwrap(), "89f7".parse().unwrap()]);
        table.push([]);
        table.push(["-".parse().unwrap()]);
        let text = table.to_string();
        assert_eq!(text, "table 1 epoch=7 own=n0\nmaster 88f8 89f7\nn0\nn1 -\n");
        assert_eq!(text.parse(), Ok(table));
        for wrong in ["", "table 1 epoch=x own=n0", "table 2 epoch=1 own=n0", "table 1 epoch=1 own=n0\nn0 88"] {
            assert!(matches!(wrong.parse::<RouteTable>(), Err(TableTextError::Line(_))), "{wrong}");
        }
        assert!(matches!("table 1 epoch=1 own=n0\nmaster 8".parse::<RouteTable>(), Err(TableTextError::Route(_))));
    }

    proptest! {
        #[test]
        fn no_text_is_a_panic(text in "table 1 epoch=1 own=(n1|master|x)((\n| |master|n0|n1|[0-9a-f]|-){0,30})") {
            let _ = text.parse::<RouteTable>();
        }
    }

    #[test]
    fn routes_are_found_by_number() {
        let route = |text: &str| text.parse::<Route>().unwrap();
        let mut table = RouteTable::new(3, NodeNumber(0));
        table.push([route("88f8"), route("89f7")]);
        table.push([]);
        table.push([route("-")]);
        let to = |n| table.routes_to(NodeNumber(n)).collect::<Vec<_>>();
        assert_eq!(to(-1), [route("88f8"), route("89f7")]);
        assert_eq!(to(0), []);
        assert_eq!(to(1), [route("-")]);
        assert_eq!(to(2), []);
        assert_eq!((table.epoch(), table.own(), table.destinations()), (3, NodeNumber(0), 3));
    }
}
