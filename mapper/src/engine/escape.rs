//! Ways that are left whatever else is taken: those along a spanning tree (J. Domke, T. Hoefler and S. Matsuoka, "Routing on the
//! Dependency Graph", as Nue's escape paths).
//!
//! All turns of one tree together close no cycle. Where they are taken before any other, every destination that is not to be
//! reached otherwise can be reached over the tree.

use super::grid::{NONE, Neighbours};
use super::turns::Turns;

/// A tree that spans each connected part of a graph.
pub(super) struct Escape {
    /// For each edge, whether it is in the tree; the edge the other way is too.
    in_tree: Vec<bool>,
}

impl Escape {
    /// The tree that grows from a root: first along the edges that lead to where `onward` says of their far end, then along others.
    pub(super) fn spanning(neighbours: &Neighbours, root: u32, onward: &[u32]) -> Escape {
        let mut escape = Escape { in_tree: vec![false; neighbours.to.len()] };
        let mut is_reached = vec![false; onward.len()];
        for root in std::iter::once(root).chain(0..neighbours.crossbars()) {
            if std::mem::replace(&mut is_reached[root as usize], true) {
                continue;
            }
            let mut reached = vec![root];
            for takes_all in [false, true] {
                let mut next = 0;
                while let Some(&y) = reached.get(next) {
                    next += 1;
                    for out in neighbours.edges(y) {
                        let x = neighbours.to[out as usize];
                        if (takes_all || onward[x as usize] == y)
                            && !std::mem::replace(&mut is_reached[x as usize], true)
                        {
                            escape.in_tree[out as usize] = true;
                            escape.in_tree[neighbours.back(out) as usize] = true;
                            reached.push(x);
                        }
                    }
                }
            }
        }
        escape
    }

    /// Takes all turns from one edge of the tree to another; false if others that are taken stand against one.
    pub(super) fn reserve(&self, neighbours: &Neighbours, turns: &mut Turns) -> bool {
        (0..neighbours.to.len() as u32).filter(|&edge| self.in_tree[edge as usize]).all(|edge| {
            let (from, at) = (neighbours.from[edge as usize], neighbours.to[edge as usize]);
            let mut onward = neighbours.edges(at).filter(|&out| self.in_tree[out as usize]);
            onward.all(|out| neighbours.to[out as usize] == from || turns.take(neighbours, edge, out))
        })
    }

    /// The ways to a crossbar over the tree: for each other one the edge by which it sends on.
    pub(super) fn lead(&self, neighbours: &Neighbours, to: u32) -> Vec<u32> {
        let mut edges = vec![NONE; neighbours.crossbars() as usize];
        let mut reached = vec![to];
        while let Some(y) = reached.pop() {
            for out in neighbours.edges(y).filter(|&out| self.in_tree[out as usize]) {
                let x = neighbours.to[out as usize];
                if x != to && edges[x as usize] == NONE {
                    edges[x as usize] = neighbours.back(out);
                    reached.push(x);
                }
            }
        }
        edges
    }
}
