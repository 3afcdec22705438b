//! Turns from one edge to another, added one after the other, so that they never close a cycle.
//!
//! The edges are kept in an order in which every turn leads to a later one (D. Pearce and P. Kelly, "A dynamic topological
//! sort algorithm for directed acyclic graphs"): only what lies between the two ends of a new turn is looked at.

use super::grid::Neighbours;

/// The turns that are taken. A frame on an edge can have to wait for those that it turns to.
#[derive(Clone)]
pub(super) struct Turns {
    /// For each edge, the turns taken from it: a bit for each edge of the crossbar where it ends.
    taken: Vec<u128>,
    /// For each edge, those that would have closed a cycle, and always will.
    refused: Vec<u128>,
    /// For each edge, those from which a turn leads to it.
    before: Vec<Vec<u32>>,
    /// For each edge, its place in the order.
    rank: Vec<u32>,
    seen: Vec<bool>,
}

impl Turns {
    pub(super) fn none(neighbours: &Neighbours) -> Turns {
        let edges = neighbours.to.len();
        Turns {
            taken: vec![0; edges],
            refused: vec![0; edges],
            before: vec![Vec::new(); edges],
            rank: (0..edges as u32).collect(),
            seen: vec![false; edges],
        }
    }

    /// Takes the turn from one edge to another that starts where it ends; false if that could close a cycle.
    pub(super) fn take(&mut self, neighbours: &Neighbours, from: u32, to: u32) -> bool {
        let bit = 1 << (to - neighbours.edges(neighbours.to[from as usize]).start);
        if self.taken[from as usize] & bit != 0 {
            return true;
        }
        if self.refused[from as usize] & bit != 0 {
            return false;
        }
        if self.rank[from as usize] > self.rank[to as usize] && !self.reorder(neighbours, from, to) {
            self.refused[from as usize] |= bit;
            return false;
        }
        self.taken[from as usize] |= bit;
        self.before[to as usize].push(from);
        true
    }

    /// Changes the order so that `from` comes before `to`; false if `to` leads to `from`.
    fn reorder(&mut self, neighbours: &Neighbours, from: u32, to: u32) -> bool {
        let (lowest, highest) = (self.rank[to as usize], self.rank[from as usize]);
        let mut after = vec![to];
        let mut reaches = false;
        let mut next = 0;
        while let Some(&edge) = after.get(next).filter(|_| !reaches) {
            next += 1;
            let first = neighbours.edges(neighbours.to[edge as usize]).start;
            for other in bits(self.taken[edge as usize]).map(|bit| first + bit) {
                reaches |= other == from;
                self.reach(other, |rank| rank <= highest, &mut after);
            }
        }
        after.iter().for_each(|&edge| self.seen[edge as usize] = false);
        if reaches {
            return false;
        }
        let mut before = vec![from];
        let mut next = 0;
        while let Some(&edge) = before.get(next) {
            next += 1;
            for i in 0..self.before[edge as usize].len() {
                self.reach(self.before[edge as usize][i], |rank| rank >= lowest, &mut before);
            }
        }
        before.iter().for_each(|&edge| self.seen[edge as usize] = false);
        after.sort_unstable_by_key(|&edge| self.rank[edge as usize]);
        before.sort_unstable_by_key(|&edge| self.rank[edge as usize]);
        before.append(&mut after);
        let mut ranks: Vec<u32> = before.iter().map(|&edge| self.rank[edge as usize]).collect();
        ranks.sort_unstable();
        before.into_iter().zip(ranks).for_each(|(edge, rank)| self.rank[edge as usize] = rank);
        true
    }

    /// Adds an edge to those that a search has reached, once, and if its rank is `near`.
    fn reach(&mut self, edge: u32, near: impl Fn(u32) -> bool, reached: &mut Vec<u32>) {
        if near(self.rank[edge as usize]) && !std::mem::replace(&mut self.seen[edge as usize], true) {
            reached.push(edge);
        }
    }
}

/// The numbers of the bits that are set.
fn bits(mut set: u128) -> impl Iterator<Item = u32> {
    std::iter::from_fn(move || {
        let bit = set.trailing_zeros();
        set &= set.wrapping_sub(1);
        (bit < u128::BITS).then_some(bit)
    })
}
