//! The routes of a fat tree that changes: what the engine would do, done only where it comes out otherwise.
//!
//! The structure of the tree is kept as it was when the routes were computed. A cable that is lost leaves its slot empty, and fills it
//! when it comes back; so the numbers of hosts, planes and slots stay, and after a cut and a mend the tables are what they were. For each leaf
//! that is a destination it is kept how far every crossbar is. Where a change touches a way down to the leaf, or a distance, the leaf's
//! entries are computed anew; elsewhere only those of the crossbar that has one slot more or less.

use super::{Filler, Reach};
use crate::change::Change;
use crate::engine::cabling::Cabling;
use crate::engine::fat_tree::{FatTree, UpLinks};
use crate::verify::standing::Patch;
use std::collections::{BTreeMap, BTreeSet};
use twowire_fabric::map::{Entry, Layer, NO_PORT, Tables};
use twowire_fabric::topology::{HostId, NodeId, PortId, Topology};

/// A crossbar from which no way up and down leads to the leaf.
const NO_WAY: u8 = 0x7f;
/// Set for a crossbar that reaches the leaf by going down alone.
const ABOVE: u8 = 0x80;

/// Why the routes have to be computed as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Unfit {
    /// A cable or host where the structure has no place for it.
    #[error("a cable or a host has come where the tree had none")]
    New,
    /// No way up and then down connects two leaves any more.
    #[error("no way up and then down connects some hosts any more")]
    CutOff,
    /// The turns in use leave no others.
    #[error("the routes in use leave no way round that could not deadlock")]
    NoTurns,
}

/// What is kept of a computation.
pub(crate) struct Again {
    cabling: Cabling,
    tree: FatTree,
    /// The cables up as the structure has them.
    whole: Vec<UpLinks>,
    /// The lower ends of the structure's cables that are gone.
    gone: BTreeSet<(u32, u8)>,
    layers: Vec<Layer>,
    /// For each leaf and crossbar: how far it is, and [`ABOVE`].
    reach: Vec<u8>,
    /// For each leaf its place in `reach`.
    leaves: Vec<Option<u32>>,
    /// True if the tables may differ from `layers` anywhere.
    differs: bool,
}

/// What has to be computed anew.
#[derive(Default)]
struct Redo {
    /// Leaves to which all entries may be others.
    leaves: BTreeSet<u32>,
    /// Crossbars of which the entries for a leaf may be.
    slots: BTreeSet<(u32, u32)>,
    /// Hosts that are gone.
    hosts: Vec<u32>,
    /// The cables up of crossbars that have others now.
    before: BTreeMap<u32, UpLinks>,
}

impl Again {
    /// What is to be kept of routes that this engine has made of a topology; none if that is no tree.
    pub(crate) fn of(topology: &Topology, tables: &Tables) -> Option<Again> {
        let cabling = Cabling::of(topology);
        let tree = FatTree::of(topology, &cabling).ok()?;
        let mut again = Again {
            whole: tree.up.clone(),
            gone: BTreeSet::new(),
            layers: tables.layers().to_vec(),
            reach: Vec::new(),
            leaves: vec![None; cabling.crossbars()],
            differs: false,
            cabling,
            tree,
        };
        let mut reach = Reach::new(again.cabling.crossbars());
        for (place, &leaf) in again.tree.levels.first().into_iter().flatten().enumerate() {
            again.leaves[leaf as usize] = Some(place as u32);
            again.reach.resize(again.reach.len() + again.cabling.crossbars(), NO_WAY);
            reach.towards(leaf, &again.tree);
            again.reach[place * again.cabling.crossbars()..].copy_from_slice(&summary(&reach));
        }
        Some(again)
    }

    /// Notes that the tables are others than those of the last repair.
    pub(crate) fn differs(&mut self) {
        self.differs = true;
    }

    /// Bytes of what is kept.
    pub(crate) fn memory(&self) -> usize {
        self.reach.len() + self.layers.iter().map(|layer| layer.up.len()).sum::<usize>()
    }

    /// The entries of the tables that a change makes others. The topology has the change already.
    pub(crate) fn patches(
        &mut self,
        topology: &Topology,
        tables: &Tables,
        change: &Change,
    ) -> Result<Vec<Patch>, Unfit> {
        let mut redo = Redo::default();
        self.replug_hosts(topology, change, &mut redo)?;
        let cables = self.recable(change, &mut redo)?;
        self.find_touched(&cables, &mut redo);
        let mut patches = Vec::new();
        let reaches = self.fill(topology, &redo, &mut patches)?;
        for (leaf, summary) in reaches {
            let start = self.leaves[leaf as usize].expect("a leaf") as usize * self.cabling.crossbars();
            self.reach[start..start + summary.len()].copy_from_slice(&summary);
        }
        if std::mem::take(&mut self.differs) {
            patches.clear();
            (0..topology.hosts().len() as u32).for_each(|host| self.compare(tables, host, &mut patches));
            return Ok(patches);
        }
        for leaf in &redo.leaves {
            self.cabling.hosts_at[*leaf as usize]
                .iter()
                .for_each(|&(host, _)| self.compare(tables, host, &mut patches));
        }
        redo.hosts.iter().for_each(|&host| self.compare(tables, host, &mut patches));
        Ok(patches)
    }

    /// Adds the entries for a host that differ from those of the tables.
    fn compare(&self, tables: &Tables, host: u32, patches: &mut Vec<Patch>) {
        let crossbars = self.cabling.crossbars();
        for (layer, (new, old)) in self.layers.iter().zip(tables.layers()).enumerate() {
            let ([new, _], [old, _]) = (new.rows(crossbars, HostId(host)), old.rows(crossbars, HostId(host)));
            if new == old {
                continue;
            }
            let others = (0..).zip(new.iter().zip(old)).filter(|(_, (new, old))| new != old);
            patches.extend(others.map(|(crossbar, (&port, _))| Patch {
                entry: Entry { layer: layer as u8, to: HostId(host), after_down: false, crossbar },
                port,
            }));
        }
    }

    /// Takes hosts away and in.
    fn replug_hosts(&mut self, topology: &Topology, change: &Change, redo: &mut Redo) -> Result<(), Unfit> {
        let crossbars = self.cabling.crossbars();
        for (host, at) in change.gone.iter().filter_map(|&(a, b)| host_end(a, b)) {
            self.cabling.hosts_at[at.0 as usize].retain(|&(other, _)| other != host.0);
            let row = host.0 as usize * crossbars..(host.0 as usize + 1) * crossbars;
            self.layers.iter_mut().for_each(|layer| layer.up[row.clone()].fill(NO_PORT));
            redo.hosts.push(host.0);
        }
        for (host, at) in change.come.iter().filter_map(|&(a, b)| host_end(a, b)) {
            let (x, port) = at;
            if self.leaves.get(x as usize).copied().flatten().is_none() {
                return Err(Unfit::New);
            }
            let hosts = topology.hosts().len();
            // The next numbers: which cables a host's routes take depends on it, and nothing else does.
            self.tree.host_index.extend(self.tree.host_index.len() as u32..hosts as u32);
            self.layers.iter_mut().for_each(|layer| layer.up.resize(hosts * crossbars, NO_PORT));
            let hosts_at = &mut self.cabling.hosts_at[x as usize];
            let place = hosts_at.partition_point(|&(_, other)| other < port);
            hosts_at.insert(place, (host.0, port));
            redo.leaves.insert(x);
        }
        Ok(())
    }

    /// Takes cables out of their slots and puts them in. Returns the lower and the upper end of each.
    fn recable(&mut self, change: &Change, redo: &mut Redo) -> Result<Vec<(u32, u32)>, Unfit> {
        let mut cables = Vec::new();
        let all = change.gone.iter().map(|cable| (cable, true)).chain(change.come.iter().map(|cable| (cable, false)));
        for (&(a, b), is_gone) in all {
            let (NodeId::Crossbar(x), NodeId::Crossbar(y)) = (a.node, b.node) else { continue };
            let level = |x: u32| self.tree.level_of[x as usize];
            let (lower, upper) =
                if level(x.0) < level(y.0) { ((x.0, a.port), (y.0, b.port)) } else { ((y.0, b.port), (x.0, a.port)) };
            let known =
                |link: crate::engine::cabling::Link| (link.port, link.to, link.to_port) == (lower.1, upper.0, upper.1);
            if !self.whole[lower.0 as usize].links().any(known) {
                // One that leads back to its crossbar is not part of the tree, and carries nothing.
                if is_gone || x == y {
                    continue;
                }
                return Err(Unfit::New);
            }
            if is_gone {
                self.gone.insert(lower)
            } else {
                self.gone.remove(&lower)
            };
            cables.push((lower.0, upper.0));
        }
        for &(x, _) in &cables {
            let now = self.whole[x as usize].without(|link| self.gone.contains(&(x, link.port)));
            let before = std::mem::replace(&mut self.tree.up[x as usize], now);
            redo.before.entry(x).or_insert(before);
        }
        Ok(cables)
    }

    fn reach_of(&self, leaf: u32, x: u32) -> u8 {
        let place = self.leaves[leaf as usize].expect("a leaf") as usize;
        self.reach[place * self.cabling.crossbars() + x as usize]
    }

    /// Finds what changed cables, each given by its lower and its upper end, make others.
    fn find_touched(&self, cables: &[(u32, u32)], redo: &mut Redo) {
        for leaf in self.cabling.leaves().filter(|&leaf| self.leaves[leaf as usize].is_some()) {
            for &(lower, upper) in cables {
                let (reach, its_parent) = (self.reach_of(leaf, lower), self.reach_of(leaf, upper) & !ABOVE);
                let parents = self.tree.up[lower as usize].parents.iter();
                let nearest = parents.map(|&parent| self.reach_of(leaf, parent) & !ABOVE).min().unwrap_or(NO_WAY);
                if reach & ABOVE != 0 || (nearest + 1).min(NO_WAY) != reach {
                    redo.leaves.insert(leaf);
                } else if reach != NO_WAY && its_parent == nearest {
                    redo.slots.insert((lower, leaf));
                }
            }
        }
    }

    /// Fills in what has to be computed anew, and returns the distances to the leaves that it has measured.
    fn fill(
        &mut self,
        topology: &Topology,
        redo: &Redo,
        patches: &mut Vec<Patch>,
    ) -> Result<Vec<(u32, Vec<u8>)>, Unfit> {
        let crossbars = self.cabling.crossbars();
        let mut layers = std::mem::take(&mut self.layers);
        for &(host, _) in redo.leaves.iter().flat_map(|&leaf| &self.cabling.hosts_at[leaf as usize]) {
            let row = host as usize * crossbars..(host as usize + 1) * crossbars;
            layers.iter_mut().for_each(|layer| layer.up[row.clone()].fill(NO_PORT));
        }
        let mut filler = Filler::new(&self.cabling, &self.tree, layers);
        let mut reach = Reach::new(crossbars);
        let mut reaches = Vec::new();
        let mut cut_off = Vec::new();
        for &leaf in &redo.leaves {
            reach.towards(leaf, &self.tree);
            filler.fill(leaf, &reach);
            let without = self.cabling.leaves().filter(|&x| reach.cost[x as usize] == u32::MAX);
            cut_off.extend(without.map(|from| (from, leaf)));
            reaches.push((leaf, summary(&reach)));
        }
        for &(x, leaf) in redo.slots.iter().filter(|(_, leaf)| !redo.leaves.contains(leaf)) {
            let nearest = (self.reach_of(leaf, x) & !ABOVE) - 1;
            let leads = |parent| self.reach_of(leaf, parent) & !ABOVE == nearest;
            let mut before = Vec::new();
            filler.ways_up(x, leaf, &redo.before[&x], leads, |_, _, port| before.push(port));
            let mut before = before.into_iter();
            let first_patch = patches.len();
            filler.ways_up(x, leaf, &self.tree.up[x as usize], leads, |layer, host, port| {
                if before.next() != Some(port) {
                    let entry = Entry { layer: layer as u8, to: HostId(host), after_down: false, crossbar: x };
                    patches.push(Patch { entry, port });
                }
            });
            for &Patch { entry, port } in &patches[first_patch..] {
                filler.layers[usize::from(entry.layer)].up[entry.to.0 as usize * crossbars + x as usize] = port;
            }
        }
        self.layers = filler.layers;
        let connected = if cut_off.is_empty() { Vec::new() } else { parts(topology) };
        match cut_off.iter().any(|&(from, leaf)| connected[from as usize] == connected[leaf as usize]) {
            true => Err(Unfit::CutOff),
            false => Ok(reaches),
        }
    }
}

/// The host and the place at the crossbar, if one end of a cable is a host's.
fn host_end(a: PortId, b: PortId) -> Option<(HostId, (u32, u8))> {
    match (a.node, b.node) {
        (NodeId::Host(host), NodeId::Crossbar(x)) => Some((host, (x.0, b.port))),
        (NodeId::Crossbar(x), NodeId::Host(host)) => Some((host, (x.0, a.port))),
        _ => None,
    }
}

/// How far each crossbar is from a leaf, in a byte.
fn summary(reach: &Reach) -> Vec<u8> {
    let mut summary: Vec<u8> = reach.cost.iter().map(|&cost| cost.min(NO_WAY.into()) as u8).collect();
    reach.above.iter().for_each(|&x| summary[x as usize] |= ABOVE);
    summary
}

/// For each crossbar, the connected part that it is in.
fn parts(topology: &Topology) -> Vec<u32> {
    let cabling = Cabling::of(topology);
    let mut part = vec![u32::MAX; cabling.crossbars()];
    for start in 0..part.len() as u32 {
        let mut stack = vec![start];
        while let Some(x) = stack.pop() {
            if part[x as usize] == u32::MAX {
                part[x as usize] = start;
                stack.extend(cabling.links(x).iter().map(|link| link.to));
            }
        }
    }
    part
}
