//! The routes that one node holds: to every other node, several each.

use crate::id::NodeNumber;
use crate::route::Route;
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

#[cfg(test)]
mod tests {
    use super::*;

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
