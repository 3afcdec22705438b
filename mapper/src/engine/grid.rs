//! Finds a grid in a graph of anonymous crossbars: a torus, a mesh or a hypercube of any number of dimensions, of which
//! crossbars and cables may be missing.
//!
//! In a grid the only cycles of four cables are the squares that two dimensions span, so opposite sides of such a cycle
//! lead one step the same way in the same dimension. (A ring of four is two dimensions of length two.) From that follow:
//!
//! - **Directions**: opposite sides of squares lead the same way, and so does what goes on without a square in between. Missing
//!   cables take squares away, and never add any; but where one is missing, a turn looks straight. So what most edges vote for is
//!   put together first, and nothing that is known to lead different ways because it leaves one crossbar. What is left in two halves
//!   on both sides of a missing square comes together by what is straight before it or behind.
//! - **Places**: a crossbar is a step further in the dimension in which a cable leads to it. A dimension is a ring if cables come
//!   back, all after the same number of steps. Crossbars that are not reached so get free places next to their neighbours.
//! - **Proof**: no two crossbars have the same place, nine in ten have one, and nine in ten cables lead to the next place. What
//!   fails that is no grid, however it was found.

mod directions;
mod layout;
#[cfg(test)]
mod tests;

use super::cabling::Cabling;
use directions::Directions;
use layout::Layout;

/// The number of a step, or of a crossbar, that is none.
pub(super) const NONE: u32 = u32::MAX;

/// The neighbours of a crossbar, each once, in ascending order; and the ports that lead there.
pub(super) struct Neighbours {
    /// For each crossbar, where its edges begin; behind the last, how many there are.
    pub first: Vec<u32>,
    /// For each edge, which is all cables from one crossbar to another, where it leads.
    pub to: Vec<u32>,
    /// For each edge, where it starts.
    pub from: Vec<u32>,
    /// For each edge, the ports by which it leaves.
    pub ports: Vec<Vec<u8>>,
}

impl Neighbours {
    pub(super) fn of(cabling: &Cabling) -> Neighbours {
        let mut all = Neighbours { first: vec![0], to: Vec::new(), from: Vec::new(), ports: Vec::new() };
        for x in 0..cabling.crossbars() as u32 {
            let mut links: Vec<(u32, u8)> = cabling.links(x).iter().map(|link| (link.to, link.port)).collect();
            links.sort_unstable();
            for cables in links.chunk_by(|a, b| a.0 == b.0) {
                all.from.push(x);
                all.to.push(cables[0].0);
                all.ports.push(cables.iter().map(|&(_, port)| port).collect());
            }
            all.first.push(all.to.len() as u32);
        }
        all
    }

    pub(super) fn crossbars(&self) -> u32 {
        self.first.len() as u32 - 1
    }

    /// The edges that leave a crossbar.
    pub(super) fn edges(&self, crossbar: u32) -> std::ops::Range<u32> {
        self.first[crossbar as usize]..self.first[crossbar as usize + 1]
    }

    /// The edge from one crossbar to another.
    pub(super) fn edge(&self, from: u32, to: u32) -> Option<u32> {
        let edges = self.edges(from);
        let ends = &self.to[edges.start as usize..edges.end as usize];
        ends.binary_search(&to).ok().map(|i| edges.start + i as u32)
    }

    /// The edge the other way.
    pub(super) fn back(&self, edge: u32) -> u32 {
        let (from, to) = (self.from[edge as usize], self.to[edge as usize]);
        self.edge(to, from).expect("a cable leads both ways")
    }
}

/// How many opposite edges those must have that are put together to dimensions, and those by which the crossbars are laid out:
/// the more, the surer it is where they lead.
const ATTEMPTS: [(usize, usize); 4] = [(2, 2), (2, 8), (1, 2), (1, 1)];

/// One dimension of a grid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Dimension {
    pub length: u32,
    /// True if the last place is next to the first.
    pub is_ring: bool,
}

/// Where each crossbar is.
#[derive(Debug)]
pub(super) struct Grid {
    pub dimensions: Vec<Dimension>,
    /// For each crossbar, its place in each dimension; empty where that is not to be seen.
    pub places: Vec<Vec<u32>>,
    /// The crossbar at each place, [`NONE`] if it is missing; the last dimension varies fastest.
    at: Vec<u32>,
    /// For each dimension and place whose place in it is the first, the first of that row from which no cable leads to the
    /// next one; [`NONE`] if there are all.
    gaps: Vec<Vec<u32>>,
}

impl Grid {
    /// The grid that a graph is, or was before it was damaged; none if there is none to be seen.
    pub(super) fn of(neighbours: &Neighbours) -> Option<Grid> {
        let mut directions = Directions::of(neighbours)?;
        let used = (0..neighbours.crossbars()).filter(|&x| !neighbours.edges(x).is_empty()).count();
        // At least half as many as there are in a dimension of length two.
        let least = used.div_ceil(4);
        ATTEMPTS.into_iter().find_map(|(joined, shown)| {
            directions.join_straight(joined);
            Grid::laid_out(neighbours, used, &directions.dimensions(least, shown))
        })
    }

    /// The grid of `used` crossbars in which edges lead in these directions; none if they contradict each other, or if a tenth of
    /// the crossbars has no place, or of the edges does not lead to the next one.
    fn laid_out(neighbours: &Neighbours, used: usize, directions: &[[Vec<u32>; 2]]) -> Option<Grid> {
        let (dimensions, places) = Layout::of(neighbours, directions).places();
        let size = dimensions.iter().try_fold(1usize, |size, d| size.checked_mul(d.length as usize))?;
        if dimensions.is_empty() || size > 2 * used {
            return None;
        }
        let mut grid = Grid { dimensions, places, at: vec![NONE; size], gaps: Vec::new() };
        for x in (0..neighbours.crossbars()).filter(|&x| !grid.places[x as usize].is_empty()) {
            let place = grid.index(&grid.places[x as usize]);
            if std::mem::replace(&mut grid.at[place], x) != NONE {
                return None;
            }
        }
        let unknown = grid.complete(neighbours);
        let regular = (0..neighbours.to.len()).filter(|&edge| {
            let [a, b] = [neighbours.from[edge], neighbours.to[edge]].map(|x| &grid.places[x as usize]);
            grid.are_next(a, b)
        });
        if 10 * unknown > used || 10 * regular.count() < 9 * neighbours.to.len() {
            return None;
        }
        grid.gaps = (0..grid.dimensions.len()).map(|dimension| grid.gaps_of(neighbours, dimension)).collect();
        Some(grid)
    }

    /// Gives crossbars whose places are not known free ones next to their neighbours, rather to more of them; says how many are
    /// left.
    fn complete(&mut self, neighbours: &Neighbours) -> usize {
        let is_left = |&x: &u32| self.places[x as usize].is_empty() && !neighbours.edges(x).is_empty();
        let mut left: Vec<u32> = (0..neighbours.crossbars()).filter(is_left).collect();
        for least in [2, 1] {
            let mut before = usize::MAX;
            while left.len() < before {
                before = left.len();
                left.retain(|&x| !self.place_beside(neighbours, x, least));
            }
        }
        left.len()
    }

    /// Gives a crossbar the free place that is next to most of its neighbours; false if there is none that is next to so many.
    fn place_beside(&mut self, neighbours: &Neighbours, x: u32, least: usize) -> bool {
        let ends = neighbours.edges(x).map(|edge| &self.places[neighbours.to[edge as usize] as usize]);
        let mut free: Vec<usize> = ends.flat_map(|place| self.around(place)).collect();
        free.retain(|&place| self.at[place] == NONE);
        free.sort_unstable();
        let most = free.chunk_by(|a, b| a == b).filter(|same| same.len() >= least).max_by_key(|same| same.len());
        let Some(&[place, ..]) = most else { return false };
        self.at[place] = x;
        let along = |(dimension, d): (usize, &Dimension)| (place / self.stride(dimension)) as u32 % d.length;
        self.places[x as usize] = self.dimensions.iter().enumerate().map(along).collect();
        true
    }

    /// The places next to one, by their numbers; none next to an unknown one.
    fn around(&self, place: &[u32]) -> Vec<usize> {
        let mut found = Vec::new();
        for (dimension, (&at, &Dimension { length, is_ring })) in place.iter().zip(&self.dimensions).enumerate() {
            let stride = self.stride(dimension);
            let row = self.index(place) - at as usize * stride;
            let onwards = (is_ring || at + 1 < length).then_some((at + 1) % length);
            let back = (is_ring || at > 0).then_some((at + length - 1) % length);
            found.extend([onwards, back].into_iter().flatten().map(|next| row + next as usize * stride));
        }
        found
    }

    fn gaps_of(&self, neighbours: &Neighbours, dimension: usize) -> Vec<u32> {
        let Dimension { length, is_ring } = self.dimensions[dimension];
        let stride = self.stride(dimension);
        let mut gaps = vec![NONE; self.at.len()];
        for (index, &x) in self.at.iter().enumerate() {
            let at = index / stride % length as usize;
            let row = index - at * stride;
            let next = self.at[row + (at + 1) % length as usize * stride];
            let is_end = !is_ring && at + 1 == length as usize;
            if !is_end && (x == NONE || next == NONE || neighbours.edge(x, next).is_none()) {
                gaps[row] = gaps[row].min(at as u32);
            }
        }
        gaps
    }

    /// How far apart places are that are next to each other in a dimension.
    fn stride(&self, dimension: usize) -> usize {
        self.dimensions[dimension + 1..].iter().map(|d| d.length as usize).product()
    }

    /// The place in its row along a dimension from which no cable leads onwards, the first of them; [`NONE`] if there are
    /// all.
    pub(super) fn gap(&self, place: &[u32], dimension: usize) -> u32 {
        self.gaps[dimension][self.index(place) - place[dimension] as usize * self.stride(dimension)]
    }

    fn index(&self, place: &[u32]) -> usize {
        self.dimensions.iter().zip(place).fold(0, |index, (d, &at)| index * d.length as usize + at as usize)
    }

    /// The crossbar that is one step from a place, onwards or back, in one dimension; [`NONE`] if it is missing.
    pub(super) fn beside(&self, place: &[u32], dimension: usize, onwards: bool) -> u32 {
        let Dimension { length, .. } = self.dimensions[dimension];
        let stride = self.stride(dimension);
        let at = place[dimension];
        let next = if onwards { (at + 1) % length } else { (at + length - 1) % length };
        self.at[self.index(place) - at as usize * stride + next as usize * stride]
    }

    fn are_next(&self, a: &[u32], b: &[u32]) -> bool {
        let mut differing = self.dimensions.iter().zip(a.iter().zip(b)).filter(|(_, (a, b))| a != b);
        match (differing.next(), differing.next()) {
            (Some((d, (&a, &b))), None) => {
                let apart = a.abs_diff(b);
                apart == 1 || d.is_ring && apart == d.length - 1
            }
            _ => false,
        }
    }
}
