//! The tables of a map's nodes.

use super::{LoadTarget, TableSource};
use crate::id::NodeNumber;
use crate::map::FabricMap;
use crate::map::{Attachment, RouteSet};
use crate::protocol::Path;
use crate::route::Route;
use crate::routes::RouteTable;
use crate::routes::encode::{EncodeError, TableEncoder};
use crate::topology::HostId;
use bytes::Bytes;

/// Reads each node's table out of the routes of all pairs, and encodes it.
pub struct MapTables<'a> {
    map: &'a FabricMap,
    routes: &'a RouteSet,
    encoder: TableEncoder<'a>,
}

impl<'a> MapTables<'a> {
    /// The tables of these routes on this map.
    pub fn new(map: &'a FabricMap, routes: &'a RouteSet) -> MapTables<'a> {
        MapTables { map, routes, encoder: TableEncoder::new(map.topology(), map.nodes()) }
    }

    /// The table of a node or of the front end, of the rail by which it is attached. It has no routes if there is no such node.
    pub fn table(&self, number: NodeNumber) -> RouteTable {
        let mut table = RouteTable::new(self.routes.epoch(), number);
        let rail = |own| match Attachment::of(self.map.topology(), own) {
            Attachment::Crossbar { rail, .. } | Attachment::Host { rail, .. } => Some((own, rail)),
            Attachment::None => None,
        };
        if let Some((own, rail)) = self.map.host(number).and_then(rail) {
            let mut same = Vec::new();
            let mut to = HostId(0);
            self.routes.for_each_from(own, |route| {
                if route.to != to {
                    self.push(&mut table, to, &mut same);
                    to = route.to;
                }
                if route.rail == rail {
                    same.push(Route::from_bytes(route.hops).expect("a stored route is a route"));
                }
            });
            self.push(&mut table, to, &mut same);
        }
        let destinations = self.map.last_number().index() + 1;
        (table.destinations()..destinations).for_each(|_| table.push([]));
        table
    }

    /// Adds the routes to a host, after as many destinations without routes as there are numbers before its own.
    fn push(&self, table: &mut RouteTable, to: HostId, routes: &mut Vec<Route>) {
        (table.destinations()..self.map.number(to).index()).for_each(|_| table.push([]));
        table.push(routes.drain(..));
    }

    /// All nodes to load, with the cards that the map has and the front end's routes to them.
    pub fn targets(&self) -> impl Iterator<Item = LoadTarget> + use<'a> {
        let (map, own) = (self.map, self.table(NodeNumber::FRONT_END));
        map.nodes().filter(|&(node, _)| node != NodeNumber::FRONT_END).map(move |(node, host)| LoadTarget {
            node,
            id: map.topology().host(host).id,
            paths: own.routes_to(node).map(Path::from).collect(),
        })
    }
}

impl TableSource for MapTables<'_> {
    fn encoded_table(&mut self, node: NodeNumber) -> Result<Bytes, EncodeError> {
        let table = self.table(node);
        self.encoder.encode(&table).map(Bytes::from)
    }
}
