//! Up*/down* routes that go together with a tree: all cables along which it leads to its root lead up.

use super::{Order, depths, routes};
use crate::engine::Request;
use crate::engine::cabling::Cabling;
use twowire_fabric::map::RouteSet;
use twowire_fabric::topology::Topology;

/// The routes. For each crossbar the tree has the port by which it sends to the root, which has hosts.
pub(crate) fn along(topology: &Topology, request: Request, root: u32, tree: &[u8]) -> RouteSet {
    let cabling = Cabling::of(topology);
    let depth = tree_depths(&cabling, root, tree);
    let order = Order::by(|x| (depth[x as usize], x), cabling.crossbars());
    routes(topology, request, &cabling, &order)
}

/// How far each crossbar is from the root over the tree; what the tree does not reach follows behind what it does.
fn tree_depths(cabling: &Cabling, root: u32, tree: &[u8]) -> Vec<u32> {
    let mut depth = depths(cabling);
    let mut is_reached = vec![false; tree.len()];
    let mut reached = vec![root];
    (depth[root as usize], is_reached[root as usize]) = (0, true);
    for takes_all in [false, true] {
        let mut next = 0;
        while let Some(&x) = reached.get(next) {
            next += 1;
            for link in cabling.links(x) {
                let in_tree = takes_all || tree[link.to as usize] == link.to_port;
                if in_tree && !std::mem::replace(&mut is_reached[link.to as usize], true) {
                    depth[link.to as usize] = depth[x as usize] + 1;
                    reached.push(link.to);
                }
            }
        }
    }
    depth
}
