//! Where a node is, and how it reaches the others.

use std::sync::Arc;
use twowire_fabric::id::{NodeNumber, UniqueId};
use twowire_fabric::protocol::Path;
use twowire_fabric::routes::RouteTable;

/// What a node knows of itself and of the ways to the others.
pub(crate) struct Location {
    own: NodeNumber,
    to_front_end: Vec<Path>,
    /// To the other nodes, where it has routes.
    routes: Option<Arc<RouteTable>>,
}

impl Location {
    /// On a source-routed fabric.
    pub(crate) fn on_map(routes: Arc<RouteTable>) -> Location {
        let to_front_end = routes.routes_to(NodeNumber::FRONT_END).map(Path::from).collect();
        Location { own: routes.own(), to_front_end, routes: Some(routes) }
    }

    /// Where cards find one another: the node with this number, whose front end has this card.
    pub(crate) fn by_card(own: NodeNumber, front_end: UniqueId) -> Location {
        Location { own, to_front_end: vec![Path::Card(front_end)], routes: None }
    }

    /// The node's own number.
    pub(crate) fn own(&self) -> NodeNumber {
        self.own
    }

    /// The path to the front end for this attempt: each takes another one.
    pub(crate) fn to_front_end(&self, attempt: usize) -> Option<Path> {
        self.to_front_end.get(attempt % self.to_front_end.len().max(1)).copied()
    }

    /// All paths to the front end.
    pub(crate) fn all_to_front_end(&self) -> &[Path] {
        &self.to_front_end
    }

    /// The routes to the other nodes, where there are such.
    pub(crate) fn routes(&self) -> Option<Arc<RouteTable>> {
        self.routes.clone()
    }

    /// How many paths there are to a node.
    pub(crate) fn paths_to(&self, node: NodeNumber) -> usize {
        self.routes.as_ref().map_or(0, |routes| routes.routes_to(node).count())
    }

    /// One of the paths to a node; the first follows the last.
    pub(crate) fn path_to(&self, node: NodeNumber, alternate: usize) -> Option<Path> {
        let routes = self.routes.as_ref()?;
        let paths = || routes.routes_to(node);
        paths().nth(alternate % paths().count().max(1)).map(Path::from)
    }
}
