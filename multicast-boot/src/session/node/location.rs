//! Where a node is, and how it reaches the others.

use std::sync::Arc;
use twowire_fabric::id::NodeNumber;
use twowire_fabric::protocol::Path;
use twowire_fabric::routes::RouteTable;

/// What a node knows of itself and of the ways to the others.
pub(crate) struct Location {
    routes: Arc<RouteTable>,
    to_front_end: Vec<Path>,
}

impl Location {
    pub(crate) fn new(routes: Arc<RouteTable>) -> Location {
        let to_front_end = routes.routes_to(NodeNumber::FRONT_END).map(Path::from).collect();
        Location { routes, to_front_end }
    }

    /// The node's own number.
    pub(crate) fn own(&self) -> NodeNumber {
        self.routes.own()
    }

    /// The epoch of its routes.
    pub(crate) fn epoch(&self) -> u32 {
        self.routes.epoch()
    }

    /// The path to the front end for this attempt: each takes another one.
    pub(crate) fn to_front_end(&self, attempt: usize) -> Option<Path> {
        self.to_front_end.get(attempt % self.to_front_end.len().max(1)).copied()
    }

    /// One of the paths to a node; the first follows the last.
    pub(crate) fn path_to(&self, node: NodeNumber, alternate: usize) -> Option<Path> {
        let paths = || self.routes.routes_to(node);
        paths().nth(alternate % paths().count().max(1)).map(Path::from)
    }
}
