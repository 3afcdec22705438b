//! Which way the cables of a grid lead: the same way in the same dimension, or another.

use super::Neighbours;
use std::collections::BTreeMap;

/// Edges, put together where they lead the same way. What leads back is put together likewise.
///
/// A crossbar has one cable at most in each direction; so two sets of edges that both leave one crossbar, or both arrive at one,
/// are different directions.
pub(super) struct Directions<'a> {
    neighbours: &'a Neighbours,
    /// For each edge, the one that leads back.
    back: Vec<u32>,
    /// For each edge, another of the same direction; itself for the one that stands for all of them.
    parents: Vec<u32>,
    /// For each edge that stands for a direction, all edges of that.
    members: Vec<Vec<u32>>,
    /// For each edge, how many there are that are opposite to it in squares and in those next to them, with itself; many if all
    /// edges are in one line.
    opposite: Vec<usize>,
    /// Edges of which the second goes on where the first ends, and which are not sides of one square.
    straight: Vec<(u32, u32)>,
}

/// Two directions, and how many edges of the first go straight on in the second.
type Vote = ((u32, u32), u32);

/// What the ways over two cables show.
struct Ways {
    /// Edges that are opposite sides of a square.
    opposite: Vec<(u32, u32)>,
    /// Edges of which the second goes on where the first ends, and which are not sides of one square.
    straight: Vec<(u32, u32)>,
}

impl<'a> Directions<'a> {
    /// The directions of a grid; none if two crossbars have more than two neighbours in common, or if most cables are in no
    /// square, which is so in no grid of more than one dimension.
    pub(super) fn of(neighbours: &'a Neighbours) -> Option<Directions<'a>> {
        let ways = Ways::of(neighbours)?;
        let edges = 0..neighbours.to.len() as u32;
        let is_line = (0..neighbours.crossbars()).all(|x| neighbours.edges(x).len() <= 2);
        let mut directions = Directions {
            neighbours,
            back: edges.clone().map(|edge| neighbours.back(edge)).collect(),
            parents: edges.clone().collect(),
            members: edges.clone().map(|edge| vec![edge]).collect(),
            opposite: Vec::new(),
            straight: ways.straight,
        };
        ways.opposite.into_iter().for_each(|(one, two)| directions.join(one, two));
        let opposite =
            |edge| if is_line { usize::MAX } else { directions.members[directions.find(edge) as usize].len() };
        directions.opposite = edges.map(opposite).collect();
        let in_squares = directions.opposite.iter().filter(|&&opposite| opposite > 1).count();
        (2 * in_squares >= neighbours.to.len()).then_some(directions)
    }

    /// For each dimension the edges that lead onwards and those that lead back, if they are at least so many; the dimensions in
    /// the order of their first edges. Edges with fewer opposite ones than this are left out.
    pub(super) fn dimensions(&self, least: usize, opposite: usize) -> Vec<[Vec<u32>; 2]> {
        let is_asked_for = |&edge: &u32| self.opposite[edge as usize] >= opposite;
        let members = |edge: u32| self.members[self.find(edge) as usize].iter().copied();
        let first = |edge: u32| members(edge).min();
        let is_large = |edge: &u32| members(*edge).len() >= least && self.find(*edge) == *edge;
        let directions = (0..self.parents.len() as u32).filter(is_large).filter_map(first);
        let mut firsts: Vec<u32> = directions.filter(|&one| first(self.back[one as usize]) > Some(one)).collect();
        firsts.sort_unstable();
        let both = |one: u32| [one, self.back[one as usize]].map(|edge| members(edge).filter(is_asked_for).collect());
        firsts.into_iter().map(both).collect()
    }

    /// Puts together what goes straight on, of edges with at least so many opposite ones: first the directions between which most
    /// edges do, since where squares are missing a turn looks straight, too.
    pub(super) fn join_straight(&mut self, opposite: usize) {
        let is_sure = |edge: u32| self.opposite[edge as usize] >= opposite;
        let sure = self.straight.iter().filter(|&&(one, two)| is_sure(one) && is_sure(two));
        let mut votes: Vec<Vote> = sure.map(|&pair| (pair, 1)).collect();
        let mut least = u32::MAX;
        while least > 0 {
            votes = self.counted(votes);
            let most = votes.iter().map(|&(_, count)| count).max().unwrap_or(0);
            least = least.min(most);
            let mut has_joined = false;
            for &((one, two), count) in votes.iter().filter(|&&(_, count)| count >= least) {
                if self.may_be_one(one, two) && !self.is_ambiguous(&votes, [one, two], count) {
                    self.join(one, two);
                    has_joined = true;
                }
            }
            if !has_joined {
                least /= 2;
            }
        }
    }

    /// True if of the smaller one of two directions as many edges go on in a third one, or come from there, that is another than the
    /// second.
    fn is_ambiguous(&self, votes: &[Vote], [one, two]: [u32; 2], count: u32) -> bool {
        let size = |edge: u32| self.members[self.find(edge) as usize].len();
        let pair = if size(one) <= size(two) { [one, two] } else { [two, one].map(|edge| self.back[edge as usize]) };
        let [from, to] = pair.map(|edge| self.find(edge));
        let first = votes.partition_point(|&((one, _), _)| one < from);
        let others = votes[first..].iter().take_while(|&&((one, _), _)| one == from);
        let mut as_many = others.filter(|&&(_, others)| others >= count).map(|&((_, third), _)| third);
        as_many.any(|third| self.find(third) != to && self.may_be_one(from, third) && !self.may_be_one(to, third))
    }

    /// The votes of directions for each other, in their order.
    fn counted(&self, votes: Vec<Vote>) -> Vec<Vote> {
        let of_directions = votes.into_iter().map(|((one, two), count)| ((self.find(one), self.find(two)), count));
        let mut votes: Vec<Vote> = of_directions.filter(|&((one, two), _)| one != two).collect();
        votes.sort_unstable();
        let same = votes.chunk_by(|a, b| a.0 == b.0);
        same.map(|votes| (votes[0].0, votes.iter().map(|&(_, count)| count).sum())).collect()
    }

    /// False if two edges are known to lead different ways, or in the same one already.
    fn may_be_one(&self, one: u32, two: u32) -> bool {
        let (mut few, mut many) = (self.find(one), self.find(two));
        if self.members[few as usize].len() > self.members[many as usize].len() {
            (few, many) = (many, few);
        }
        let back = self.find(self.back[many as usize]);
        let leaves =
            |crossbar: u32, direction: u32| self.neighbours.edges(crossbar).any(|edge| self.find(edge) == direction);
        let (from, to) = (&self.neighbours.from, &self.neighbours.to);
        let is_apart = |&edge: &u32| !leaves(from[edge as usize], many) && !leaves(to[edge as usize], back);
        few != many && few != back && self.members[few as usize].iter().all(is_apart)
    }

    /// Puts two edges together, and those that lead back.
    fn join(&mut self, one: u32, two: u32) {
        for (one, two) in [(one, two), (self.back[one as usize], self.back[two as usize])] {
            let (mut few, mut many) = (self.find(one), self.find(two));
            if self.members[few as usize].len() > self.members[many as usize].len() {
                (few, many) = (many, few);
            }
            if few != many {
                self.parents[few as usize] = many;
                let moved = std::mem::take(&mut self.members[few as usize]);
                self.members[many as usize].extend(moved);
            }
        }
    }

    fn find(&self, edge: u32) -> u32 {
        let mut root = edge;
        while self.parents[root as usize] != root {
            root = self.parents[root as usize];
        }
        root
    }
}

impl Ways {
    /// Looks at all ways over two cables; none if two crossbars have more than two neighbours in common.
    fn of(neighbours: &Neighbours) -> Option<Ways> {
        let mut found = Ways { opposite: Vec::new(), straight: Vec::new() };
        for x in 0..neighbours.crossbars() {
            // By the crossbar at its end, each way of two edges.
            let mut ways: BTreeMap<u32, Vec<(u32, u32)>> = BTreeMap::new();
            for one in neighbours.edges(x) {
                for two in neighbours.edges(neighbours.to[one as usize]) {
                    ways.entry(neighbours.to[two as usize]).or_default().push((one, two));
                }
            }
            ways.remove(&x);
            for ways in ways.values() {
                match ways[..] {
                    [way] => found.straight.push(way),
                    // Each side is opposite to one of the other way's.
                    [(a, b), (c, d)] => found.opposite.extend([(a, d), (c, b)]),
                    _ => return None,
                }
            }
        }
        Some(found)
    }
}
