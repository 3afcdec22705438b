//! Shortest routes on fat trees: d-mod-k (E. Zahavi, "Fat-trees routing and node ordering providing contention free
//! traffic for MPI global collectives"), extended to damaged trees as Dmodc does (J. Gliksberg et al., "High-quality fault
//! resiliency in fat trees").
//!
//! A frame goes up until it stands above its destination, then down. Which parent it takes follows from its destination's
//! number `d` alone: at level `l` the slot `d / (s1 * .. * s(l-1)) mod sl`, where `s` is the number of slots of a level. So all routes to a
//! destination meet early, and each cable down from the top carries the routes of few destinations. Where that slot does not
//! lead there by a shortest path, the destinations that would share it are spread over the slots that do.
//!
//! Leaves of a badly damaged tree that no way up and down connects any more are led round (`detour`).
//!
//! Alternate `i` moves on by `i` slots, at every level: the alternates of a pair share no cable between the first
//! crossbar and the last while there are as many slots.

mod again;

pub(crate) use again::{Again, Unfit};

use super::cabling::Cabling;
use super::detour::Detours;
use super::fat_tree::{FatTree, UpLinks};
use super::{Engine, EngineError, Request};
use twowire_fabric::map::{Layer, NO_PORT, RouteSet, Tables};
use twowire_fabric::topology::{HostId, Topology};

/// The engine for fat trees.
#[derive(Clone, Copy, Debug, Default)]
pub struct Clos;

impl Engine for Clos {
    fn name(&self) -> &'static str {
        "clos"
    }

    fn compute(&self, topology: &Topology, request: Request) -> Result<RouteSet, EngineError> {
        let cabling = Cabling::of(topology);
        let tree = FatTree::of(topology, &cabling)?;
        let layers = usize::from(request.routes_per_pair.get());
        let empty = vec![Layer::empty(cabling.crossbars(), topology.hosts().len(), false); layers];
        let mut tables = Filler::new(&cabling, &tree, empty);
        let mut reach = Reach::new(cabling.crossbars());
        let mut cut_off = Vec::new();
        for leaf in cabling.leaves() {
            reach.towards(leaf, &tree);
            tables.fill(leaf, &reach);
            cut_off.extend(reach.cut_off_leaves(leaf, &tree).map(|from| (from, leaf)));
        }
        if let Err((from, to)) = tables.lead_round(&cut_off) {
            let host = |x: u32| topology.host(HostId(cabling.hosts_at[x as usize][0].0)).name.clone();
            return Err(EngineError::Incomplete { from: host(from), to: host(to) });
        }
        let tables = Tables::new(topology, tables.layers, |_, _| false);
        Ok(RouteSet::from_tables(request.epoch, self.name(), tables))
    }
}

/// How each crossbar reaches one leaf.
struct Reach {
    /// Cables to the leaf by the shortest way up and down; `u32::MAX` if there is none.
    cost: Vec<u32>,
    /// The crossbars that reach it by going down alone, in the order of their levels; the leaf is the first.
    above: Vec<u32>,
    /// For those: the cables down that lead there.
    down: Vec<Vec<DownLink>>,
    /// For the others, whether the parents of all slots are on a shortest way.
    whole: Vec<bool>,
}

/// A cable down, on the way to a leaf.
#[derive(Clone, Copy)]
struct DownLink {
    port: u8,
    child: u32,
}

impl Reach {
    fn new(crossbars: usize) -> Reach {
        Reach {
            cost: vec![u32::MAX; crossbars],
            above: Vec::new(),
            down: vec![Vec::new(); crossbars],
            whole: vec![false; crossbars],
        }
    }

    /// Finds how every crossbar reaches a leaf.
    fn towards(&mut self, leaf: u32, tree: &FatTree) {
        self.cost.fill(u32::MAX);
        for x in self.above.drain(..) {
            self.down[x as usize].clear();
        }
        self.cost[leaf as usize] = 0;
        self.above.push(leaf);
        let mut next = 0;
        while let Some(&child) = self.above.get(next) {
            next += 1;
            for link in tree.up[child as usize].links() {
                let parent = link.to as usize;
                if self.cost[parent] == u32::MAX {
                    self.cost[parent] = self.cost[child as usize] + 1;
                    self.above.push(link.to);
                }
                self.down[parent].push(DownLink { port: link.to_port, child });
            }
        }
        for &x in tree.levels.iter().rev().flatten() {
            if self.cost[x as usize] == u32::MAX {
                let up = &tree.up[x as usize];
                let costs = up.parents.iter().map(|&parent| self.cost[parent as usize]);
                let (best, worst) = costs.fold((u32::MAX, 0), |(best, worst), cost| (cost.min(best), cost.max(worst)));
                self.cost[x as usize] = best.saturating_add(1);
                self.whole[x as usize] = best == worst && !up.ports.is_empty();
            }
        }
    }

    /// The leaves that are connected to `leaf`, but not by a way up and down.
    fn cut_off_leaves<'a>(&'a self, leaf: u32, tree: &'a FatTree) -> impl Iterator<Item = u32> + 'a {
        let part = tree.connected[leaf as usize];
        let cut_off = move |&x: &u32| self.cost[x as usize] == u32::MAX && tree.connected[x as usize] == part;
        tree.levels[0].iter().copied().filter(cut_off)
    }
}

/// Fills in the tables, destination leaf by destination leaf.
struct Filler<'a> {
    cabling: &'a Cabling,
    tree: &'a FatTree,
    /// For each level: by what a destination's number is divided before the slot is taken.
    divisors: Vec<usize>,
    /// For each level and alternate: by how many slots it moves on.
    shifts: Vec<Vec<usize>>,
    /// The usual number of slots of each level.
    widths: Vec<usize>,
    /// For each level, alternate and host of the present leaf: the slot that the host takes where there are as many as
    /// usual, and so no more than a crossbar has ports.
    slots: Vec<Vec<Vec<u8>>>,
    layers: Vec<Layer>,
}

impl<'a> Filler<'a> {
    fn new(cabling: &'a Cabling, tree: &'a FatTree, layers: Vec<Layer>) -> Filler<'a> {
        let widths = tree.widths();
        let divisors = widths
            .iter()
            .scan(1usize, |product, &width| {
                let divisor = *product;
                *product = product.saturating_mul(width);
                Some(divisor)
            })
            .collect();
        Filler { cabling, tree, divisors, shifts: shifts(&widths, layers.len()), slots: Vec::new(), widths, layers }
    }

    /// Fills in the entries of all crossbars for the hosts of one leaf.
    fn fill(&mut self, leaf: u32, reach: &Reach) {
        let crossbars = self.cabling.crossbars();
        for &(host, port) in &self.cabling.hosts_at[leaf as usize] {
            self.layers.iter_mut().for_each(|layer| layer.up[host as usize * crossbars + leaf as usize] = port);
        }
        self.slots = self.slots_of(leaf);
        for &x in &reach.above[1..] {
            self.fill_down(x, leaf, &reach.down[x as usize]);
        }
        for &x in self.tree.levels.iter().flatten() {
            let cost = reach.cost[x as usize];
            if cost == u32::MAX || x == leaf || !reach.down[x as usize].is_empty() {
                continue;
            }
            let up = &self.tree.up[x as usize];
            if reach.whole[x as usize] && up.ports.len() == self.widths[self.tree.level_of[x as usize] as usize - 1] {
                self.fill_up_whole(x, leaf, up);
            } else {
                let (crossbars, mut layers) = (self.cabling.crossbars(), std::mem::take(&mut self.layers));
                let leads = |parent: u32| reach.cost[parent as usize] == cost - 1;
                let put =
                    |layer: usize, host: u32, port| layers[layer].up[host as usize * crossbars + x as usize] = port;
                self.ways_up(x, leaf, up, leads, put);
                self.layers = layers;
            }
        }
    }

    /// For each level, alternate and host of a leaf, the slot that is the host's.
    fn slots_of(&self, leaf: u32) -> Vec<Vec<Vec<u8>>> {
        let hosts = &self.cabling.hosts_at[leaf as usize];
        let level = |(l, shifts): (usize, &Vec<usize>)| {
            let number = |host: u32| self.tree.host_index[host as usize] as usize / self.divisors[l];
            let of_layer = |&shift| hosts.iter().map(|&(h, _)| ((number(h) + shift) % self.widths[l]) as u8).collect();
            shifts.iter().map(of_layer).collect()
        };
        self.shifts.iter().enumerate().map(level).collect()
    }

    /// A crossbar that must send the frame up, and has as many slots as is usual, which all lead to the leaf.
    fn fill_up_whole(&mut self, x: u32, leaf: u32, up: &UpLinks) {
        let crossbars = self.cabling.crossbars();
        let slots = &self.slots[self.tree.level_of[x as usize] as usize - 1];
        for (layer, slots) in self.layers.iter_mut().zip(slots) {
            for (&(host, _), &slot) in self.cabling.hosts_at[leaf as usize].iter().zip(slots) {
                layer.up[host as usize * crossbars + x as usize] = up.ports[usize::from(slot)];
            }
        }
    }

    /// Finds detours for pairs of leaves that are not connected by a way up and down; an error for a pair without one.
    fn lead_round(&mut self, pairs: &[(u32, u32)]) -> Result<(), (u32, u32)> {
        let crossbars = self.cabling.crossbars();
        let mut detours = Detours::new(self.cabling, self.tree);
        for &(from, to) in pairs {
            for layer in &mut self.layers {
                for &(host, _) in &self.cabling.hosts_at[to as usize] {
                    let led = layer.up[host as usize * crossbars + from as usize] != NO_PORT;
                    if !led && !detours.lead(layer, from, host) {
                        return Err((from, to));
                    }
                }
            }
        }
        Ok(())
    }

    /// A crossbar above the leaf. If several cables lead there, the destination takes the one that its way up to the
    /// same crossbar would take.
    fn fill_down(&mut self, x: u32, leaf: u32, links: &[DownLink]) {
        for &(host, _) in &self.cabling.hosts_at[leaf as usize] {
            for i in 0..self.layers.len() {
                let link = match links {
                    [only] => only,
                    _ => &links[self.parallel(links[0].child, host, i) % links.len()],
                };
                self.layers[i].up[host as usize * self.cabling.crossbars() + x as usize] = link.port;
            }
        }
    }

    /// Which of the parallel cables to its parent a destination takes at a crossbar.
    fn parallel(&self, crossbar: u32, host: u32, layer: usize) -> usize {
        let up = &self.tree.up[crossbar as usize];
        let level = self.tree.level_of[crossbar as usize] as usize - 1;
        let number = self.tree.host_index[host as usize] as usize / self.divisors[level];
        (number + self.shifts[level][layer]) % up.slots.len().max(1) / up.planes.max(1)
    }

    /// A crossbar that must send the frame up. `leads` says of a parent whether it is on a shortest way; `put` is given the
    /// layer, the host and the port.
    fn ways_up(
        &self,
        x: u32,
        leaf: u32,
        up: &UpLinks,
        leads: impl Fn(u32) -> bool,
        mut put: impl FnMut(usize, u32, u8),
    ) {
        let whole = !up.slots.is_empty() && up.slots.iter().all(|slot| slot.is_some_and(|link| leads(link.to)));
        let level = self.tree.level_of[x as usize] as usize - 1;
        let ports: Vec<Option<u8>> = up
            .slots
            .iter()
            .copied()
            .chain((!whole).then(|| up.extra.iter().copied().map(Some)).into_iter().flatten())
            .map(|slot| slot.filter(|link| leads(link.to)).map(|link| link.port))
            .collect();
        let usable: Vec<u8> = ports.iter().copied().flatten().collect();
        let mut rotated = Vec::with_capacity(ports.len());
        for &(host, _) in &self.cabling.hosts_at[leaf as usize] {
            let number = self.tree.host_index[host as usize] as usize / self.divisors[level];
            if !whole {
                rotate(&ports, &usable, number, up.slots.len().max(1), &mut rotated);
            }
            for (layer, &shift) in self.shifts[level].iter().enumerate() {
                let port = if whole { usable[(number + shift) % usable.len()] } else { rotated[shift % rotated.len()] };
                put(layer, host, port);
            }
        }
    }
}

/// The order in which a destination's alternates use the ports of a crossbar some of whose slots do not lead there: first
/// the slot that is its own, or one by which those that have lost theirs are spread; then the others, in turn.
fn rotate(ports: &[Option<u8>], usable: &[u8], number: usize, slots: usize, rotated: &mut Vec<u8>) {
    let own = number % slots;
    let first = ports.get(own).copied().flatten().unwrap_or_else(|| usable[number / slots % usable.len()]);
    rotated.clear();
    rotated.push(first);
    let others = (1..=ports.len()).filter_map(|i| ports[(own + i) % ports.len()]);
    rotated.extend(others.filter(|&port| port != first));
}

/// For each level and alternate, by how many slots it moves on: alternate `i` by `i` at every level, while there are as many
/// slots. Later ones combine the levels differently, so that no two are the same before every path has been used.
fn shifts(widths: &[usize], layers: usize) -> Vec<Vec<usize>> {
    let mut rest: Vec<usize> = (0..layers).collect();
    let mut sum = vec![0; layers];
    widths
        .iter()
        .map(|&width| {
            for (rest, sum) in rest.iter_mut().zip(&mut sum) {
                *sum += *rest % width;
                *rest /= width;
            }
            sum.clone()
        })
        .collect()
}
