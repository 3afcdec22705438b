//! Finds a grid in a graph of anonymous crossbars: a torus, a mesh or a hypercube of any number of dimensions, of which
//! crossbars and cables may be missing.
//!
//! In a grid the only cycles of four cables are the squares that two dimensions span, so opposite sides of such a cycle
//! lead one step the same way in the same dimension. (A ring of four is two dimensions of length two.) From that follow:
//!
//! - **Steps**: all cables that lead from one position of a dimension to the next are opposite sides of squares. Missing
//!   cables take squares away, and never add any.
//! - **Dimensions**: the step after a step is the one that goes on without a square in between. Steps in a row are a dimension;
//!   it closes to a ring or it does not.
//! - **Places**: each cable of a crossbar says where the crossbar is in one dimension.

use super::cabling::Cabling;
use std::collections::BTreeMap;

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
        let steps = Steps::of(neighbours)?;
        let used = (0..neighbours.crossbars()).filter(|&x| !neighbours.edges(x).is_empty()).count();
        let rows = steps.rows(neighbours, used);
        let dimensions: Vec<Dimension> = rows.iter().map(Row::dimension).collect();
        let size = dimensions.iter().try_fold(1usize, |size, d| size.checked_mul(d.length as usize))?;
        if dimensions.is_empty() || size > 2 * used {
            return None;
        }
        let places = steps.places(neighbours, &rows)?;
        let mut grid = Grid { dimensions, places, at: vec![NONE; size], gaps: Vec::new() };
        for x in (0..neighbours.crossbars()).filter(|&x| !grid.places[x as usize].is_empty()) {
            let place = grid.index(&grid.places[x as usize]);
            if std::mem::replace(&mut grid.at[place], x) != NONE {
                return None;
            }
        }
        let regular = (0..neighbours.to.len()).filter(|&edge| {
            let [a, b] = [neighbours.from[edge], neighbours.to[edge]].map(|x| &grid.places[x as usize]);
            grid.are_next(a, b)
        });
        if 10 * regular.count() < 9 * neighbours.to.len() {
            return None;
        }
        grid.gaps = (0..grid.dimensions.len()).map(|dimension| grid.gaps_of(neighbours, dimension)).collect();
        Some(grid)
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

/// Steps in a row: a dimension.
struct Row {
    /// The steps onwards, in order.
    steps: Vec<u32>,
    is_ring: bool,
}

impl Row {
    fn dimension(&self) -> Dimension {
        let length = self.steps.len() as u32 + u32::from(!self.is_ring);
        Dimension { length, is_ring: self.is_ring }
    }
}

/// Which edges are the same step.
struct Steps {
    /// For each edge, its step: the smallest edge of it.
    of: Vec<u32>,
    /// For each edge, the edges that go on from it without a square in between.
    straight: Vec<Vec<u32>>,
}

impl Steps {
    /// Finds the squares; none if two crossbars have more than two neighbours in common, which no grid has.
    fn of(neighbours: &Neighbours) -> Option<Steps> {
        let mut parents: Vec<u32> = (0..neighbours.to.len() as u32).collect();
        let mut straight = vec![Vec::new(); neighbours.to.len()];
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
                    [(one, two)] => straight[one as usize].push(two),
                    // Each side is opposite to one of the other way's.
                    [(a, b), (c, d)] => {
                        join(&mut parents, a, d);
                        join(&mut parents, c, b);
                    }
                    _ => return None,
                }
            }
        }
        let of = (0..parents.len() as u32).map(|edge| find(&mut parents, edge)).collect();
        Some(Steps { of, straight })
    }

    /// The dimensions: rows of steps that have at least half of the edges that they must have with so many crossbars.
    fn rows(&self, neighbours: &Neighbours, crossbars: usize) -> Vec<Row> {
        let (next, previous) = self.neighbours();
        let mut sizes: BTreeMap<u32, usize> = BTreeMap::new();
        self.of.iter().for_each(|&step| *sizes.entry(step).or_default() += 1);
        let mut taken = vec![false; self.of.len()];
        let mut rows: Vec<Row> = Vec::new();
        for &step in sizes.keys() {
            if taken[step as usize] {
                continue;
            }
            let row = row_through(step, &next, &previous);
            for &step in &row.steps {
                taken[step as usize] = true;
                taken[self.of[neighbours.back(step) as usize] as usize] = true;
            }
            let edges: usize = row.steps.iter().map(|step| sizes[step]).sum();
            let length = row.dimension().length as usize;
            let expected = crossbars * row.steps.len() / length;
            let turns_back = row.steps.iter().any(|&s| row.steps.contains(&self.of[neighbours.back(s) as usize]));
            if 2 * edges >= expected && !turns_back {
                rows.push(row);
            }
        }
        rows
    }

    /// For each step, the steps that most of its edges go on to, and come from; [`NONE`] where there is none, or where that
    /// does not hold the other way round.
    fn neighbours(&self) -> (Vec<u32>, Vec<u32>) {
        let mut votes: BTreeMap<(u32, u32), usize> = BTreeMap::new();
        let mut size = vec![0; self.of.len()];
        for (edge, straight) in self.straight.iter().enumerate() {
            size[self.of[edge] as usize] += 1;
            for &on in straight {
                *votes.entry((self.of[edge], self.of[on as usize])).or_default() += 1;
            }
        }
        let mut best = [vec![(0, NONE); self.of.len()], vec![(0, NONE); self.of.len()]];
        for (&(one, two), &count) in votes.iter().filter(|&(&(one, _), &count)| 2 * count > size[one as usize]) {
            best[0][one as usize] = best[0][one as usize].max((count, two));
            best[1][two as usize] = best[1][two as usize].max((count, one));
        }
        let [on, from] = best.map(|best| best.into_iter().map(|(_, step)| step).collect::<Vec<u32>>());
        let mutual = |there: &[u32], back: &[u32]| -> Vec<u32> {
            let holds = |(step, &other): (usize, &u32)| other != NONE && back[other as usize] == step as u32;
            there.iter().enumerate().map(|pair| if holds(pair) { *pair.1 } else { NONE }).collect()
        };
        (mutual(&on, &from), mutual(&from, &on))
    }

    /// Where each crossbar is, by what its edges say; empty where they say too little. None if they contradict each other, or if
    /// too little is known.
    fn places(&self, neighbours: &Neighbours, rows: &[Row]) -> Option<Vec<Vec<u32>>> {
        // For each step, its dimension, and the places where it starts and ends.
        let mut meaning = vec![None; self.of.len()];
        for (dimension, row) in rows.iter().enumerate() {
            let length = row.dimension().length;
            for (&step, at) in row.steps.iter().zip(0..) {
                let next = (at + 1) % length;
                meaning[step as usize] = Some((dimension, at, next));
                meaning[self.of[neighbours.back(step) as usize] as usize] = Some((dimension, next, at));
            }
        }
        let meaning_of = |edge: u32| meaning[self.of[edge as usize] as usize];
        let mut places = vec![vec![NONE; rows.len()]; neighbours.crossbars() as usize];
        for x in 0..neighbours.crossbars() {
            for (dimension, at, _) in neighbours.edges(x).filter_map(meaning_of) {
                let place = &mut places[x as usize][dimension];
                if *place != NONE && *place != at {
                    return None;
                }
                *place = at;
            }
        }
        // Steps in other dimensions lead to the same place in this one.
        let mut changed = true;
        while changed {
            changed = false;
            for edge in 0..neighbours.to.len() as u32 {
                let Some((along, ..)) = meaning_of(edge) else { continue };
                let [from, to] = [neighbours.from[edge as usize], neighbours.to[edge as usize]].map(|x| x as usize);
                for dimension in (0..rows.len()).filter(|&dimension| dimension != along) {
                    if places[to][dimension] == NONE && places[from][dimension] != NONE {
                        places[to][dimension] = places[from][dimension];
                        changed = true;
                    }
                }
            }
        }
        places.iter_mut().filter(|place| place.contains(&NONE)).for_each(Vec::clear);
        let is_unknown = |x: u32| places[x as usize].is_empty() && !neighbours.edges(x).is_empty();
        let unknown = (0..neighbours.crossbars()).filter(|&x| is_unknown(x)).count();
        (10 * unknown <= places.len()).then_some(places)
    }
}

/// The row that a step is in.
fn row_through(step: u32, next: &[u32], previous: &[u32]) -> Row {
    let mut first = step;
    while previous[first as usize] != NONE && previous[first as usize] != step {
        first = previous[first as usize];
    }
    let mut steps = vec![first];
    let mut last = first;
    while next[last as usize] != NONE && next[last as usize] != first {
        last = next[last as usize];
        steps.push(last);
    }
    Row { steps, is_ring: next[last as usize] == first }
}

fn find(parents: &mut [u32], edge: u32) -> u32 {
    let mut root = edge;
    while parents[root as usize] != root {
        parents[root as usize] = parents[parents[root as usize] as usize];
        root = parents[root as usize];
    }
    root
}

fn join(parents: &mut [u32], a: u32, b: u32) {
    let (a, b) = (find(parents, a), find(parents, b));
    parents[a.max(b) as usize] = a.min(b);
}
