//! The tables of a map's nodes.

use super::{LoadTarget, TableSource};
use crate::naming::FabricMap;
use crate::routes::{Attachment, RouteSet};
use bytes::Bytes;
use twowire_fabric::id::NodeNumber;
use twowire_fabric::protocol::Path;
use twowire_fabric::route::Route;
use twowire_fabric::routes::RouteTable;
use twowire_fabric::routes::encode::{EncodeError, TableEncoder};
use twowire_fabric::topology::HostId;

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

    /// The table of a node or of the front end. It has no routes if there is no such node.
    pub fn table(&self, number: NodeNumber) -> RouteTable {
        let routes = self.map.host(number).map_or(Vec::new(), |own| self.routes_from(own));
        let mut routes = routes.as_slice();
        let mut table = RouteTable::new(self.routes.epoch(), number);
        for (to, host) in self.map.nodes() {
            while table.destinations() < to.index() {
                table.push([]);
            }
            let count = routes.iter().take_while(|&&(to, _)| to == host).count();
            let (these, rest) = routes.split_at(count);
            table.push(these.iter().map(|&(_, route)| route));
            routes = rest;
        }
        table
    }

    /// A host's routes, in the order of the hosts to which they lead. A table is of one rail, the one by which the host is attached.
    fn routes_from(&self, own: HostId) -> Vec<(HostId, Route)> {
        let rail = match Attachment::of(self.map.topology(), own) {
            Attachment::Crossbar { rail, .. } | Attachment::Host { rail, .. } => rail,
            Attachment::None => return Vec::new(),
        };
        let mut found = Vec::with_capacity(self.routes.hosts() * self.routes.routes_per_pair());
        self.routes.for_each_from(own, |route| {
            if route.rail == rail {
                found.push((route.to, Route::from_bytes(route.hops).expect("a stored route is a route")));
            }
        });
        found.sort_by_key(|&(to, _)| to);
        found
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
