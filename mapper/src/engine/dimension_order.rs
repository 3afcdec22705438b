//! Routes on grids, dimension by dimension, free of cycles without virtual channels.
//!
//! A route goes all its way in the first dimension, then in the second, and so on (W. Dally and C. Seitz); so only the turns
//! within a dimension can close a cycle, and only in a ring of five or more. There no route passes through one crossbar of
//! each ring: what would, goes round the other way. Which crossbar that is moves on from ring to ring. A ring that has lost a
//! cable needs no such crossbar: all routes go round the other way.
//!
//! Where crossbars or cables are missing otherwise, routes are led round; and alternates take other turns. Both take a turn only if
//! together with all that were taken before it can close no cycle.

#[cfg(test)]
mod tests;

use super::cabling::Cabling;
use super::grid::{Dimension, Grid, NONE, Neighbours};
use super::turns::Turns;
use super::{EngineError, Request};
use twowire_fabric::map::{Layer, RouteSet, Tables};
use twowire_fabric::topology::{HostId, Topology};

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
    let layers = usize::from(request.routes_per_pair.get());
    let dimensions = grid.dimensions.len();
    let mut filler = Filler {
        trees: vec![vec![NONE; cabling.crossbars()]; layers],
        onward: vec![NONE; cabling.crossbars()],
        layers: vec![Layer::empty(cabling.crossbars(), topology.hosts().len(), false); layers],
        turns: Turns::none(&neighbours),
        cabling: &cabling,
        neighbours: &neighbours,
        grid: &grid,
        order: (0..dimensions).collect(),
        prefers_onwards: true,
    };
    // Which turns a damaged grid leaves depends on the order of the dimensions: another one may do where one does not.
    let mut filled = filler.fill_all();
    for attempt in 1..2 * dimensions {
        if filled.is_ok() {
            break;
        }
        filler.order.rotate_left(1);
        filler.prefers_onwards = attempt < dimensions;
        filled = filler.fill_all();
    }
    filled.map_err(|(from, to)| {
        let host = |x: u32| topology.host(HostId(cabling.hosts_at[x as usize][0].0)).name.clone();
        EngineError::NoDetour { engine, from: host(from), to: host(to) }
    })?;
    Ok(RouteSet::from_tables(request.epoch, engine, Tables::new(topology, filler.layers, |_, _| false)))
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
    /// The dimensions, in the order in which routes take them.
    order: Vec<usize>,
    /// True if what is led round rather goes on onwards than back.
    prefers_onwards: bool,
}

impl Filler<'_> {
    /// Fills in all tables; an error names two leaves between which no route was found.
    fn fill_all(&mut self) -> Result<(), (u32, u32)> {
        self.turns = Turns::none(self.neighbours);
        // What is led round must not take the turns away that the others need.
        self.cabling.leaves().for_each(|leaf| self.go_straight(leaf));
        self.cabling.leaves().try_for_each(|leaf| self.fill(leaf).map_err(|from| (from, leaf)))
    }

    /// Fills in the entries of all crossbars for the hosts of one leaf; an error names a leaf that no route leads from.
    fn fill(&mut self, leaf: u32) -> Result<(), u32> {
        let distance = self.cabling.distances([leaf].into_iter());
        self.go_straight(leaf);
        self.lead_round(leaf, &distance);
        let is_connected = |&x: &u32| x != leaf && distance[x as usize] != u32::MAX;
        if let Some(from) = self.cabling.leaves().filter(is_connected).find(|&x| self.trees[0][x as usize] == NONE) {
            return Err(from);
        }
        let mut sequence: Vec<u32> = (0..self.neighbours.crossbars()).filter(is_connected).collect();
        sequence.sort_by_key(|&x| distance[x as usize]);
        for layer in 1..self.layers.len() {
            self.find_alternates(layer, leaf, &sequence, &distance);
        }
        self.write(leaf);
        Ok(())
    }

    /// The tree of the routes that find all cables on their way, and no turn that could close a cycle.
    fn go_straight(&mut self, leaf: u32) {
        self.trees[0].fill(NONE);
        let onward = (0..self.neighbours.crossbars()).map(|x| self.next(x, leaf)).collect();
        self.onward = onward;
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

    /// Leads the crossbars that are in no tree yet to one that is, nearest first.
    fn lead_round(&mut self, leaf: u32, distance: &[u32]) {
        let in_tree = |filler: &Self, x: u32| x == leaf || filler.trees[0][x as usize] != NONE;
        let mut left: Vec<u32> = (0..self.neighbours.crossbars())
            .filter(|&x| distance[x as usize] != u32::MAX && !in_tree(self, x))
            .collect();
        left.sort_by_key(|&x| distance[x as usize]);
        loop {
            let before = left.len();
            left.retain(|&x| {
                let mut edges: Vec<u32> = self.neighbours.edges(x).collect();
                // Turns that all go on the same way close no cycle with each other.
                edges.sort_by_key(|&edge| {
                    (
                        distance[self.neighbours.to[edge as usize] as usize],
                        self.is_onwards(edge) != self.prefers_onwards,
                    )
                });
                let found = edges
                    .into_iter()
                    .find(|&edge| in_tree(self, self.neighbours.to[edge as usize]) && self.turn(0, edge));
                found.inspect(|&edge| self.trees[0][x as usize] = edge).is_none()
            });
            if left.is_empty() || left.len() == before {
                return;
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
        if [x, leaf].iter().any(|&x| self.neighbours.edges(x).is_empty()) {
            return NONE;
        }
        let (from, to) = (&self.grid.places[x as usize], &self.grid.places[leaf as usize]);
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
