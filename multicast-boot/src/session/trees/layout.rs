//! Lays the two trees over the mapped fabric, before anything is sent.
//!
//! Nodes are put in a row by location, the trees follow from the row ([`pair_trees`]), and each edge takes the least
//! loaded of its pair's routes. While a cable carries more than the image once, nodes change places: those of one
//! crossbar first. At last edges that share a cable with strangers are taken apart (`untangle.rs`).

use super::cabling::{Cabling, Laid};
use super::pair_trees;
use std::collections::BTreeMap;
use twowire_fabric::id::NodeNumber;
use twowire_fabric::topology::CrossbarId;
use twowire_fabric::wire::boot::TREES;

/// How often all edges are laid again, each on the least loaded of its routes.
const ROUNDS: usize = 4;

/// How many changes of places are tried before the layout is taken as it is.
const MAX_TRIES: usize = 4_000;

/// How far in the row a node is looked for with which another one may change places.
const NEAR: usize = 12;

/// The trees over a set of nodes.
#[derive(Clone, Debug)]
pub(crate) struct Layout {
    /// The front end, then the nodes in their row.
    pub(crate) row: Vec<NodeNumber>,
    /// For each tree and place the edge from the parent; `None` for the front end, and where there is no route.
    pub(crate) edges: [Vec<Option<Laid>>; TREES],
    /// For each tree and place the place of the parent.
    parents: [Vec<usize>; TREES],
    /// For each tree and place the places that it feeds.
    children: [Vec<Vec<usize>>; TREES],
    /// How often nodes changed places.
    pub(crate) swaps: usize,
}

impl Layout {
    /// Lays the trees over these nodes.
    pub(crate) fn new(cabling: &mut Cabling, nodes: &[NodeNumber]) -> Layout {
        let (row, spots) = row(&cabling.by_location(nodes));
        let none = vec![None; row.len()];
        let parents = pair_trees::parents(row.len() - 1, &spots);
        let children = [0, 1].map(|tree: usize| {
            let mut children = vec![Vec::new(); row.len()];
            (1..row.len()).for_each(|place| children[parents[tree][place]].push(place));
            children
        });
        let mut layout = Layout { row, edges: [none.clone(), none], parents, children, swaps: 0 };
        for _ in 0..ROUNDS {
            let before = layout.edges.clone();
            layout.lay_again(cabling, 1..layout.row.len());
            if layout.edges == before {
                break;
            }
        }
        layout.swap_while_overloaded(cabling);
        layout.untangle(cabling);
        layout
    }

    /// The place of the parent of a place.
    pub(crate) fn parent(&self, tree: usize, place: usize) -> usize {
        self.parents[tree][place]
    }

    /// How far a place is from the root, in the tree in which it is nearer.
    pub(crate) fn depth(&self, place: usize) -> usize {
        let depth = |tree| {
            std::iter::successors(Some(place), |&at| Some(self.parent(tree, at)).filter(|&parent| parent != 0)).count()
        };
        (0..TREES).map(depth).min().unwrap_or(0)
    }

    /// Lays the edges from these places to their parents again, one after the other.
    fn lay_again(&mut self, cabling: &mut Cabling, places: impl Iterator<Item = usize>) {
        for place in places {
            for tree in 0..TREES {
                if let Some(laid) = self.edges[tree][place].take() {
                    cabling.lift(&laid);
                }
                let parent = self.parent(tree, place);
                self.edges[tree][place] = cabling.lay(self.row[parent], self.row[place]);
            }
        }
    }

    /// The places of the nodes of each crossbar.
    fn by_crossbar(&self, cabling: &Cabling) -> Crossbars {
        let mut crossbars = Crossbars::new();
        for place in 1..self.row.len() {
            if let Some(crossbar) = cabling.crossbar(self.row[place]) {
                crossbars.entry(crossbar).or_default().push(place);
            }
        }
        crossbars
    }

    fn swap_while_overloaded(&mut self, cabling: &mut Cabling) {
        let (crossbars, mut tries) = (self.by_crossbar(cabling), 0);
        while cabling.excess() > 0 && self.swap_one(cabling, &crossbars, &mut tries) {
            self.swaps += 1;
        }
    }

    /// Looks for one change of places after which the cables carry less too much. False if there is none.
    fn swap_one(&mut self, cabling: &mut Cabling, crossbars: &Crossbars, tries: &mut usize) -> bool {
        let before = cabling.excess();
        for place in self.ends_of_overloaded(cabling) {
            let Some(crossbar) = cabling.crossbar(self.row[place]) else { continue };
            // If nobody on the crossbar will do, a neighbour in the row may.
            let near = place.saturating_sub(NEAR).max(1)..(place + NEAR).min(self.row.len());
            for other in crossbars[&crossbar].iter().copied().chain(near).filter(|&other| other != place) {
                if *tries == MAX_TRIES {
                    return false;
                }
                *tries += 1;
                let swap = self.swap(cabling, place, other);
                if cabling.excess() < before {
                    return true;
                }
                self.undo(cabling, place, other, swap);
            }
        }
        false
    }

    /// The places at both ends of the edges that take an overloaded cable.
    fn ends_of_overloaded(&self, cabling: &Cabling) -> Vec<usize> {
        let mut ends = Vec::new();
        for tree in 0..TREES {
            for place in 1..self.row.len() {
                if self.edges[tree][place].as_ref().is_some_and(|laid| cabling.is_overloaded(laid)) {
                    ends.extend([place, self.parent(tree, place)]);
                }
            }
        }
        ends.retain(|&place| place != 0);
        ends.sort_unstable();
        ends.dedup();
        ends
    }

    /// Two nodes change places; all edges from and to them are laid again.
    fn swap(&mut self, cabling: &mut Cabling, a: usize, b: usize) -> Swap {
        let mut swap = Swap { moved: Vec::new(), strangers_before: 0, strangers_after: 0 };
        for (tree, place) in self.edges_at(a, b) {
            let laid = self.edges[tree][place].take();
            if let Some(laid) = &laid {
                swap.strangers_before += cabling.strangers(laid).count();
                cabling.lift(laid);
            }
            swap.moved.push((tree, place, laid));
        }
        self.row.swap(a, b);
        for &(tree, place, _) in &swap.moved {
            let parent = self.parent(tree, place);
            let laid = cabling.lay(self.row[parent], self.row[place]);
            swap.strangers_after += laid.iter().map(|laid| cabling.strangers(laid).count()).sum::<usize>();
            self.edges[tree][place] = laid;
        }
        swap
    }

    /// Takes a change of places back.
    fn undo(&mut self, cabling: &mut Cabling, a: usize, b: usize, swap: Swap) {
        self.row.swap(a, b);
        for (tree, place, laid) in swap.moved {
            self.edges[tree][place].take().iter().for_each(|laid| cabling.lift(laid));
            laid.iter().for_each(|laid| cabling.count(laid));
            self.edges[tree][place] = laid;
        }
    }

    /// The edges from and to two places: each by its tree and its lower end.
    fn edges_at(&self, a: usize, b: usize) -> Vec<(usize, usize)> {
        let mut edges = Vec::new();
        for tree in 0..TREES {
            let own = [a, b].into_iter();
            let below = [a, b].into_iter().flat_map(|place| self.children(tree, place));
            edges.extend(own.chain(below).map(|place| (tree, place)));
        }
        edges.sort_unstable();
        edges.dedup();
        edges
    }

    /// The places that a place feeds in a tree.
    fn children(&self, tree: usize, place: usize) -> impl Iterator<Item = usize> + '_ {
        self.children[tree][place].iter().copied()
    }
}

/// The front end and the nodes in their row, and the spot of each pair ([`pair_trees::parents`]). Nodes of one crossbar
/// make pairs; of crossbars with an odd number of them one is left, and makes a pair with the next one that is left.
fn row(groups: &[Vec<NodeNumber>]) -> (Vec<NodeNumber>, Vec<u32>) {
    let mut row = vec![NodeNumber::FRONT_END];
    let mut alone = pair_trees::alone(groups.iter().map(Vec::len).sum());
    let largest = groups.iter().map(Vec::len).max().unwrap_or(0);
    let spots_of_one = (largest.div_ceil(2) as u32).next_power_of_two();
    let (mut pairs, mut left) = (Vec::new(), None);
    for (group, first_spot) in groups.iter().zip((0..).step_by(spots_of_one as usize)) {
        let (before, paired) = group.split_at(alone.min(group.len()));
        row.extend(before);
        alone -= before.len();
        let (in_twos, odd) = paired.as_chunks::<2>();
        pairs.extend((first_spot..).zip(in_twos.iter().copied()));
        if let &[node] = odd {
            match left.take() {
                None => left = Some((first_spot + in_twos.len() as u32, node)),
                Some((spot, other)) => pairs.push((spot, [other, node])),
            }
        }
    }
    pairs.sort_unstable();
    row.extend(pairs.iter().flat_map(|(_, pair)| pair));
    (row, pairs.into_iter().map(|(spot, _)| spot).collect())
}

/// The places of the nodes of each crossbar.
type Crossbars = BTreeMap<CrossbarId, Vec<usize>>;

/// A change of places.
struct Swap {
    /// The edges that were laid again, each by its tree and its lower end, and where it lay.
    moved: Vec<(usize, usize, Option<Laid>)>,
    /// With how many strangers these edges shared cables, and share them now; of two of them each pair counts once.
    strangers_before: usize,
    strangers_after: usize,
}

#[path = "untangle.rs"]
mod untangle;

#[cfg(test)]
#[path = "layout_tests.rs"]
mod tests;
