//! Edges of the trees that share a cable with strangers get others for themselves.
//!
//! The routes of a pair give a choice. Where they are few, or a fabric is full, that is not enough: then nodes of one crossbar
//! change places, which changes where the routes to them lead.

use super::super::cabling::Cabling;
use super::{Crossbars, Layout};
use std::collections::{BTreeMap, VecDeque};
use twowire_fabric::id::NodeNumber;
use twowire_fabric::wire::boot::TREES;

/// How many edges are laid elsewhere for each node, at most.
const MOVES_PER_NODE: usize = 20;

/// How often all that is left is tried again, first with other routes, then with other places.
const ROUNDS: usize = 8;

impl Layout {
    /// Lets as few edges as possible share a cable with strangers.
    pub(super) fn untangle(&mut self, cabling: &mut Cabling) {
        let (crossbars, mut left) = (self.by_crossbar(cabling), usize::MAX);
        for _ in 0..ROUNDS {
            self.lay_apart(cabling);
            let strangers = self.count_strangers(cabling);
            if strangers == 0 || strangers >= left {
                break;
            }
            left = strangers;
            self.seat_apart(cabling, &crossbars);
        }
    }

    /// Lays edges that share a cable with strangers elsewhere, and then those that they meet there, until none is left or
    /// it takes too long: as one colours the edges of a graph, where a free colour for one edge may take the changes of a
    /// whole chain of them.
    fn lay_apart(&mut self, cabling: &mut Cabling) {
        let place_of: BTreeMap<NodeNumber, usize> = self.row.iter().copied().zip(0..).collect();
        let mut tangled: VecDeque<(usize, usize)> =
            (0..TREES).flat_map(|tree| (1..self.row.len()).map(move |place| (tree, place))).collect();
        let before = (self.edges.clone(), self.count_strangers(cabling));
        for step in 0..MOVES_PER_NODE * self.row.len() {
            let Some((tree, place)) = tangled.pop_front() else { break };
            let Some(laid) = self.edges[tree][place].take() else { continue };
            if cabling.strangers(&laid).next().is_none() {
                self.edges[tree][place] = Some(laid);
                continue;
            }
            let laid = cabling.lay_elsewhere(laid, step);
            for (parent, child) in cabling.strangers(&laid) {
                let other = place_of[&child];
                let is_in = |&tree: &usize| self.row[self.parent(tree, other)] == parent;
                tangled.extend((0..TREES).find(is_in).map(|tree| (tree, other)));
            }
            self.edges[tree][place] = Some(laid);
        }
        if self.count_strangers(cabling) > before.1 {
            self.edges.iter().flatten().flatten().for_each(|laid| cabling.lift(laid));
            self.edges = before.0;
            self.edges.iter().flatten().flatten().for_each(|laid| cabling.count(laid));
        }
    }

    /// How often edges share a cable with strangers.
    pub(super) fn count_strangers(&self, cabling: &Cabling) -> usize {
        self.edges.iter().flatten().flatten().map(|laid| cabling.strangers(laid).count()).sum()
    }

    /// Lets nodes change places with others on their crossbar where fewer edges share a cable with strangers then.
    fn seat_apart(&mut self, cabling: &mut Cabling, crossbars: &Crossbars) {
        for tree in 0..TREES {
            for place in 1..self.row.len() {
                let parent = self.parent(tree, place);
                for end in [place, parent] {
                    let is_tangled = |laid| cabling.strangers(laid).next().is_some();
                    if end != 0 && self.edges[tree][place].as_ref().is_some_and(is_tangled) {
                        self.seat_elsewhere(cabling, crossbars, end);
                    }
                }
            }
        }
    }

    /// Lets the node at a place change it with another one on its crossbar, if that is better.
    fn seat_elsewhere(&mut self, cabling: &mut Cabling, crossbars: &Crossbars, place: usize) {
        let Some(crossbar) = cabling.crossbar(self.row[place]) else { return };
        let before = cabling.excess();
        for other in crossbars[&crossbar].iter().copied().filter(|&other| other != place) {
            let swap = self.swap(cabling, place, other);
            if cabling.excess() <= before && swap.strangers_after < swap.strangers_before {
                self.swaps += 1;
                return;
            }
            self.undo(cabling, place, other, swap);
        }
    }
}
