//! Turns from one edge to another, added one after the other, so that they never close a cycle.
//!
//! The edges are kept in an order in which every turn leads to a later one (D. Pearce and P. Kelly, "A dynamic topological
//! sort algorithm for directed acyclic graphs"): only what lies between the two ends of a new turn is looked at.

use super::grid::Neighbours;

/// The turns that are taken. A frame on an edge can have to wait for those that it turns to.
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
        let after = self.reached(to, |turns, edge| turns.next(neighbours, edge), |rank| rank <= highest);
        if after.contains(&from) {
            return false;
        }
        let before = self.reached(from, |turns, edge| turns.before[edge as usize].clone(), |rank| rank >= lowest);
        let [mut after, mut edges] = [after, before];
        after.sort_unstable_by_key(|&edge| self.rank[edge as usize]);
        edges.sort_unstable_by_key(|&edge| self.rank[edge as usize]);
        edges.append(&mut after);
        let mut ranks: Vec<u32> = edges.iter().map(|&edge| self.rank[edge as usize]).collect();
        ranks.sort_unstable();
        edges.into_iter().zip(ranks).for_each(|(edge, rank)| self.rank[edge as usize] = rank);
        true
    }

    /// The edges that turns lead to.
    fn next(&self, neighbours: &Neighbours, edge: u32) -> Vec<u32> {
        let (first, taken) = (neighbours.edges(neighbours.to[edge as usize]).start, self.taken[edge as usize]);
        (0..128).filter(|bit| taken >> bit & 1 == 1).map(|bit| first + bit).collect()
    }

    /// All edges that a search reaches, over those whose rank is `near`.
    fn reached(&mut self, start: u32, on: impl Fn(&Turns, u32) -> Vec<u32>, near: impl Fn(u32) -> bool) -> Vec<u32> {
        let mut reached = vec![start];
        self.seen[start as usize] = true;
        let mut next = 0;
        while let Some(&edge) = reached.get(next) {
            next += 1;
            for other in on(self, edge) {
                if near(self.rank[other as usize]) && !std::mem::replace(&mut self.seen[other as usize], true) {
                    reached.push(other);
                }
            }
        }
        reached.iter().for_each(|&edge| self.seen[edge as usize] = false);
        reached
    }
}
