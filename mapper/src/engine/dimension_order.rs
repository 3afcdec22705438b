//! Routes on grids, dimension by dimension, free of cycles without virtual channels.
//!
//! A route goes all its way in the first dimension, then in the second, and so on (W. Dally and C. Seitz); so only the turns
//! within a dimension can close a cycle, and only in a ring of five or more. There no route passes through one crossbar of
//! each ring: what would, goes round the other way. Which crossbar that is moves on from ring to ring. A ring that has lost a
//! cable needs no such crossbar: all routes go round the other way.
//!
//! Where crossbars or cables are missing otherwise, routes are led round; and alternates take other turns. Both take a turn only if
//! together with all that were taken before it can close no cycle. So that every destination stays within reach, the turns of a spanning
//! tree are taken first; which tree leaves the others the most room is tried out.

#[cfg(test)]
mod tests;

use super::cabling::Cabling;
use super::escape::Escape;
use super::grid::{Dimension, Grid, NONE, Neighbours};
use super::turns::Turns;
use super::{EngineError, Request};
use twowire_fabric::map::{Layer, RouteSet, Tables};
use twowire_fabric::topology::Topology;

/// How many trees are tried out on a damaged grid, and on one that is large.
const ATTEMPTS: usize = 8;
const FEW_ATTEMPTS: usize = 2;
const MANY_CROSSBARS: usize = 1_024;

/// Routes a grid of which `suits` says that it is one for this engine.
pub(super) fn compute(
    topology: &Topology,
    request: Request,
    engine: &'static str,
    suits: impl Fn(&Grid) -> bool,
) -> Result<RouteSet, EngineError> {
    let cabling = Cabling::of(topology);
    let neighbours = Neighbours::of(&cabling);
    let grid = Grid::of(&neighbours).filter(suits).ok_or(EngineError::NotGrid { engine })?;
    let fill = |attempt: &Attempt| Filler::new(topology, &cabling, &neighbours, &grid, request, attempt).fill_all();
    let as_if_whole = fill(&Attempt { first: 0, root: None, prefers_onwards: true });
    let filled = match as_if_whole {
        Some(filled) if filled.is_straight => filled,
        damaged => attempts(&grid)
            .iter()
            .filter_map(fill)
            .chain(damaged)
            .min_by_key(|filled| filled.load_max)
            .expect("a spanning tree leads everywhere"),
    };
    Ok(RouteSet::from_tables(request.epoch, engine, Tables::new(topology, filled.layers, |_, _| false)))
}

/// How the tables of a damaged grid are tried to be filled in.
struct Attempt {
    /// The dimension that routes take first; the others follow in their order.
    first: usize,
    /// Where the spanning tree begins that is always left; `None` if none is kept free.
    root: Option<u32>,
    /// True if what is led round rather goes on onwards than back.
    prefers_onwards: bool,
}

/// Attempts with trees from several roots: each leaves room for other turns.
fn attempts(grid: &Grid) -> Vec<Attempt> {
    let crossbars = grid.places.len();
    let dimensions = grid.dimensions.len();
    let count = if crossbars > MANY_CROSSBARS { FEW_ATTEMPTS } else { ATTEMPTS };
    let roots = (0..count).map(|i| (crossbars * i / count) as u32).zip(0..);
    roots
        .map(|(root, i)| Attempt {
            first: i % dimensions,
            root: Some(root),
            prefers_onwards: (i / dimensions).is_multiple_of(2),
        })
        .collect()
}

/// A filled table, and what it is worth.
struct Filled {
    layers: Vec<Layer>,
    /// Routes on the busiest edge, for one route from each host to each leaf.
    load_max: u32,
    /// True if nothing had to be led round.
    is_straight: bool,
}

/// Fills in the tables, destination leaf by destination leaf.
struct Filler<'a> {
    cabling: &'a Cabling,
    neighbours: &'a Neighbours,
    grid: &'a Grid,
    turns: Turns,
    /// For each alternate and crossbar, the edge by which frames to the present leaf leave; [`NONE`] if there is none.
    trees: Vec<Vec<u32>>,
    /// For each crossbar, the one to which dimension order leads it towards the present leaf, or [`NONE`].
    onward: Vec<u32>,
    layers: Vec<Layer>,
    /// The ways that are always left.
    escape: Option<Escape>,
    /// The dimensions, in the order in which routes take them.
    order: Vec<usize>,
    prefers_onwards: bool,
    /// For each edge, the routes on it.
    loads: Vec<u32>,
}

impl<'a> Filler<'a> {
    fn new(
        topology: &Topology,
        cabling: &'a Cabling,
        neighbours: &'a Neighbours,
        grid: &'a Grid,
        request: Request,
        attempt: &Attempt,
    ) -> Filler<'a> {
        let (crossbars, layers) = (cabling.crossbars(), usize::from(request.routes_per_pair.get()));
        let mut order: Vec<usize> = (0..grid.dimensions.len()).collect();
        order.rotate_left(attempt.first);
        let mut filler = Filler {
            cabling,
            neighbours,
            grid,
            turns: Turns::none(neighbours),
            trees: vec![vec![NONE; crossbars]; layers],
            onward: vec![NONE; crossbars],
            layers: vec![Layer::empty(crossbars, topology.hosts().len(), false); layers],
            escape: None,
            order,
            prefers_onwards: attempt.prefers_onwards,
            loads: vec![0; neighbours.to.len()],
        };
        if let Some(root) = attempt.root {
            filler.aim_at(root);
            let escape = Escape::spanning(neighbours, root, &filler.onward);
            let is_reserved = escape.reserve(neighbours, &mut filler.turns);
            debug_assert!(is_reserved, "a tree has no cycles");
            filler.escape = Some(escape);
        }
        filler
    }

    /// Fills in all tables; `None` if there is no route between two leaves that are connected.
    fn fill_all(mut self) -> Option<Filled> {
        // What is led round must not take the turns away that the others need.
        self.cabling.leaves().for_each(|leaf| self.go_straight(leaf));
        let mut is_straight = true;
        for leaf in self.cabling.leaves() {
            is_straight &= self.fill(leaf)?;
        }
        let load_max = self.loads.into_iter().max().unwrap_or(0);
        Some(Filled { layers: self.layers, load_max, is_straight })
    }

    /// Fills in the entries of all crossbars for the hosts of one leaf, and says whether nothing had to be led round; `None` if
    /// a connected leaf is left without a route.
    fn fill(&mut self, leaf: u32) -> Option<bool> {
        let distance = self.cabling.distances([leaf].into_iter());
        self.go_straight(leaf);
        let is_straight = self.lead_round(leaf, &distance)?;
        let is_connected = |&x: &u32| x != leaf && distance[x as usize] != u32::MAX;
        let mut sequence: Vec<u32> = (0..self.neighbours.crossbars()).filter(is_connected).collect();
        sequence.sort_by_key(|&x| distance[x as usize]);
        for layer in 1..self.layers.len() {
            self.find_alternates(layer, leaf, &sequence, &distance);
        }
        self.add_loads(leaf);
        self.write(leaf);
        Some(is_straight)
    }

    /// Points every crossbar to the one that is next towards a leaf, by the order of dimensions.
    fn aim_at(&mut self, leaf: u32) {
        let onward = (0..self.neighbours.crossbars()).map(|x| self.next(x, leaf)).collect();
        self.onward = onward;
    }

    /// The tree of the routes that find all cables on their way, and no turn that could close a cycle.
    fn go_straight(&mut self, leaf: u32) {
        self.trees[0].fill(NONE);
        self.aim_at(leaf);
        let mut found = vec![leaf];
        let mut next = 0;
        while let Some(&y) = found.get(next) {
            next += 1;
            for out in self.neighbours.edges(y) {
                let (x, edge) = (self.neighbours.to[out as usize], self.neighbours.back(out));
                if x != leaf && self.onward[x as usize] == y && self.turn(0, edge) {
                    self.trees[0][x as usize] = edge;
                    found.push(x);
                }
            }
        }
    }

    /// Leads the crossbars that are in no tree yet to one that is, nearest first, or all over the tree that is always left. True
    /// if there were none; `None` if there is no way.
    fn lead_round(&mut self, leaf: u32, distance: &[u32]) -> Option<bool> {
        let is_left = |tree: &[u32], x: u32| x != leaf && tree[x as usize] == NONE && distance[x as usize] != u32::MAX;
        let mut left: Vec<u32> = (0..self.neighbours.crossbars()).filter(|&x| is_left(&self.trees[0], x)).collect();
        left.sort_by_key(|&x| distance[x as usize]);
        let is_straight = left.is_empty();
        while !left.is_empty() {
            let before = left.len();
            left.retain(|&x| !self.hang_up(x, leaf, distance));
            if left.len() == before {
                self.trees[0] = self.escape.as_ref()?.lead(self.neighbours, leaf);
                break;
            }
        }
        Some(is_straight)
    }

    /// Leads one crossbar to a neighbour that is in the tree; false if no turn allows it.
    fn hang_up(&mut self, x: u32, leaf: u32, distance: &[u32]) -> bool {
        let end = |edge: u32| self.neighbours.to[edge as usize] as usize;
        let leads_on = |&edge: &u32| end(edge) == leaf as usize || self.trees[0][end(edge)] != NONE;
        let mut edges: Vec<u32> = self.neighbours.edges(x).filter(leads_on).collect();
        // Turns that all go on the same way close no cycle with each other.
        edges.sort_by_key(|&edge| (distance[end(edge)], self.is_onwards(edge) != self.prefers_onwards));
        let found = edges.into_iter().find(|&edge| self.turn(0, edge));
        found.inspect(|&edge| self.trees[0][x as usize] = edge).is_some()
    }

    /// Counts the routes to a leaf on each edge of its tree, from the far ends on.
    fn add_loads(&mut self, leaf: u32) {
        let tree = &self.trees[0];
        let hosts = |x: usize| self.cabling.hosts_at[x].len() as u32;
        let mut routes: Vec<u32> = (0..tree.len()).map(hosts).collect();
        let end = |edge: u32| self.neighbours.to[edge as usize] as usize;
        let mut before = vec![0u32; tree.len()];
        tree.iter().filter(|&&edge| edge != NONE).for_each(|&edge| before[end(edge)] += 1);
        let mut ready: Vec<usize> = (0..tree.len()).filter(|&x| before[x] == 0 && tree[x] != NONE).collect();
        while let Some(x) = ready.pop() {
            let (edge, next) = (tree[x], end(tree[x]));
            self.loads[edge as usize] += routes[x];
            routes[next] += routes[x];
            before[next] -= 1;
            if before[next] == 0 && next != leaf as usize {
                ready.push(next);
            }
        }
    }

    fn is_onwards(&self, edge: u32) -> bool {
        let [from, to] = [&self.neighbours.from, &self.neighbours.to].map(|ends| ends[edge as usize] as usize);
        let places = self.grid.places[from].iter().zip(&self.grid.places[to]).zip(&self.grid.dimensions);
        places.into_iter().all(|((&from, &to), d)| to == from || to == (from + 1) % d.length)
    }

    /// Finds shortest routes that earlier alternates do not use, as far as turns allow; `sequence` has the crossbars that
    /// are nearer first.
    fn find_alternates(&mut self, layer: usize, leaf: u32, sequence: &[u32], distance: &[u32]) {
        self.trees[layer].fill(NONE);
        for &x in sequence {
            let edges = self.neighbours.edges(x);
            let count = edges.len() as u32;
            let nearer = |&edge: &u32| {
                let y = self.neighbours.to[edge as usize];
                distance[y as usize] < distance[x as usize] && (y == leaf || self.trees[layer][y as usize] != NONE)
            };
            let rotated = (0..count).map(|i| edges.start + (i + leaf + layer as u32) % count);
            let mut candidates: Vec<u32> = rotated.filter(nearer).collect();
            let uses = |edge: u32| self.trees[..layer].iter().filter(|tree| tree[x as usize] == edge).count();
            candidates.sort_by_key(|&edge| uses(edge));
            if let Some(edge) = candidates.into_iter().find(|&edge| self.turn(layer, edge)) {
                self.trees[layer][x as usize] = edge;
            }
        }
    }

    /// Takes the turn from an edge to the one by which an alternate goes on; true if there is none to take.
    fn turn(&mut self, layer: usize, edge: u32) -> bool {
        match self.trees[layer][self.neighbours.to[edge as usize] as usize] {
            NONE => true,
            // A frame does not go back to where it comes from.
            onward if self.neighbours.to[onward as usize] == self.neighbours.from[edge as usize] => false,
            onward => self.turns.take(self.neighbours, edge, onward),
        }
    }

    /// The crossbar to which dimension order leads from one crossbar towards another.
    fn next(&self, x: u32, leaf: u32) -> u32 {
        let (from, to) = (&self.grid.places[x as usize], &self.grid.places[leaf as usize]);
        if from.is_empty() || to.is_empty() {
            return NONE;
        }
        let dimension = self.order.iter().copied().find(|&d| from[d] != to[d]);
        dimension.map_or(NONE, |d| {
            let gap = self.grid.gap(from, d);
            // From ring to ring the crossbar that no route passes through moves on.
            let ring = from.iter().sum::<u32>() - from[d];
            self.grid.beside(from, d, goes_onwards(self.grid.dimensions[d], [from[d], to[d]], gap, ring))
        })
    }

    /// Writes the trees into the tables. Hosts of one leaf take parallel cables in turn.
    fn write(&mut self, leaf: u32) {
        let crossbars = self.cabling.crossbars();
        for (layer, tree) in self.layers.iter_mut().zip(&self.trees) {
            for &(host, port) in &self.cabling.hosts_at[leaf as usize] {
                let row = &mut layer.up[host as usize * crossbars..(host as usize + 1) * crossbars];
                row[leaf as usize] = port;
                for (entry, &edge) in row.iter_mut().zip(tree).filter(|&(_, &edge)| edge != NONE) {
                    let ports = &self.neighbours.ports[edge as usize];
                    *entry = ports[host as usize % ports.len()];
                }
            }
        }
    }
}

/// Which way a route goes from one place of a dimension to another: the shorter way round a ring, but not over a gap; and
/// if there is none, not through the place that is barred.
fn goes_onwards(dimension: Dimension, [from, to]: [u32; 2], gap: u32, ring: u32) -> bool {
    let Dimension { length, is_ring } = dimension;
    if !is_ring {
        return from < to;
    }
    let ahead = |place: u32| (place % length + length - from) % length;
    let onwards = ahead(to);
    if gap != NONE {
        return ahead(gap) >= onwards;
    }
    let barred = ahead(ring);
    let shorter = 2 * onwards < length || 2 * onwards == length && (from + to + ring).is_multiple_of(2);
    // In a ring of three no route takes two steps, so there is nothing to bar.
    if length > 3 && barred > 0 && barred != onwards { barred > onwards } else { shorter }
}
