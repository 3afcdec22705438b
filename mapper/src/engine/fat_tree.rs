//! Finds the structure of a fat tree in a graph of anonymous crossbars with arbitrary port numbers.
//!
//! A crossbar's level is its distance from the nearest host: crossbars with hosts are level 1. Two things are then
//! read off the graph, and both survive the loss of many cables:
//!
//! - **Subtrees**, from the bottom: the connected parts of the levels up to `l`. Hosts are numbered subtree by subtree, so
//!   that neighbours in the tree have neighbouring numbers.
//! - **Planes**, from the top: the connected parts of the levels from `l` on. The parents of a crossbar lie in different
//!   planes, the planes of a part are numbered, and so "the third parent" means the same plane for every crossbar of
//!   the part: a crossbar that has lost a cable still knows which of its parents is missing.

use super::cabling::{Cabling, Link};
use super::{EngineError, Steps};
use twowire_fabric::topology::{CrossbarId, PortId, Topology};

/// The structure of a fat tree.
pub(super) struct FatTree {
    /// The crossbars of each level, level 1 first; those without any host in reach are left out.
    pub levels: Vec<Vec<u32>>,
    /// The level of each crossbar; 0 without any host in reach.
    pub level_of: Vec<u32>,
    /// The cables up of each crossbar.
    pub up: Vec<UpLinks>,
    /// The number of each host in the order of locations; those without a cable have none and are left at 0.
    pub host_index: Vec<u32>,
    /// The connected part of the whole graph that each crossbar is in.
    pub connected: Vec<u32>,
}

/// The cables from a crossbar to its parents, in an order that is the same all over the tree.
#[derive(Clone, Debug, Default)]
pub(super) struct UpLinks {
    /// The cable of each slot: first one cable to each plane, then the second cable to each plane, and so on. A slot is
    /// empty where others of the same part of the tree have a cable.
    pub slots: Vec<Option<Link>>,
    /// The number of planes above.
    pub planes: usize,
    /// Cables that have no slot: more than most planes have, or to crossbars that belong to no plane.
    pub extra: Vec<Link>,
    /// The parents by all these cables.
    pub parents: Vec<u32>,
    /// The ports of the slots, if none is empty and no cable has none.
    pub ports: Vec<u8>,
}

impl UpLinks {
    /// All cables up.
    pub(super) fn links(&self) -> impl Iterator<Item = Link> + '_ {
        self.slots.iter().flatten().chain(&self.extra).copied()
    }

    /// The same slots, those empty whose cable is gone.
    pub(super) fn without(&self, gone: impl Fn(&Link) -> bool) -> UpLinks {
        let slots = self.slots.iter().map(|slot| slot.filter(|link| !gone(link))).collect();
        let extra = self.extra.iter().filter(|link| !gone(link)).copied().collect();
        let mut left = UpLinks { slots, planes: self.planes, extra, ..UpLinks::default() };
        left.summarize();
        left
    }

    fn summarize(&mut self) {
        self.parents = self.links().map(|link| link.to).collect();
        if self.extra.is_empty() {
            let ports: Option<Vec<u8>> = self.slots.iter().map(|slot| slot.map(|link| link.port)).collect();
            self.ports = ports.unwrap_or_default();
        }
    }
}

impl FatTree {
    /// The structure of a graph; an error that names a cable if it has no levels.
    pub(super) fn of(topology: &Topology, cabling: &Cabling) -> Result<FatTree, EngineError> {
        let level_of = levels(topology, cabling)?;
        let top = level_of.iter().copied().max().unwrap_or(0);
        let mut levels = vec![Vec::new(); top as usize];
        for (x, &level) in level_of.iter().enumerate().filter(|&(_, &level)| level > 0) {
            levels[level as usize - 1].push(x as u32);
        }
        let subtrees = subtrees(cabling, &levels, &level_of);
        let host_index = host_index(topology.hosts().len(), cabling, &levels, &subtrees);
        let up = Planes::of(cabling, &levels, &level_of, &subtrees).up_links(cabling, &levels, &level_of);
        let connected = subtrees.last().cloned().unwrap_or_else(|| vec![0; cabling.crossbars()]);
        Ok(FatTree { levels, level_of, up, host_index, connected })
    }

    /// The usual number of slots of a crossbar of each level.
    pub(super) fn widths(&self) -> Vec<usize> {
        let width = |level: &Vec<u32>| {
            let mut slots: Vec<usize> = level.iter().map(|&x| self.up[x as usize].slots.len()).collect();
            slots.sort_unstable();
            slots.get(slots.len() / 2).copied().unwrap_or(0).max(1)
        };
        self.levels.iter().map(width).collect()
    }
}

/// The level of each crossbar; an error if a cable joins two of one level.
fn levels(topology: &Topology, cabling: &Cabling) -> Result<Vec<u32>, EngineError> {
    let level_of: Vec<u32> = cabling.distances(cabling.leaves()).into_iter().map(|d| d.wrapping_add(1)).collect();
    for x in 0..cabling.crossbars() as u32 {
        let level = level_of[x as usize];
        if level == 0 {
            continue;
        }
        if let Some(link) = cabling.links(x).iter().find(|link| level_of[link.to as usize] == level) {
            let name = |x, port| topology.port_name(PortId::new(CrossbarId(x), port)).to_string();
            return Err(EngineError::NotClos {
                a: name(x, link.port),
                b: name(link.to, link.to_port),
                hops: Steps(level),
            });
        }
    }
    Ok(level_of)
}

/// Disjoint sets of crossbars, each known by its smallest member.
struct Parts(Vec<u32>);

impl Parts {
    fn singletons(crossbars: usize) -> Parts {
        Parts((0..crossbars as u32).collect())
    }

    fn find(&mut self, x: u32) -> u32 {
        let mut root = x;
        while self.0[root as usize] != root {
            self.0[root as usize] = self.0[self.0[root as usize] as usize];
            root = self.0[root as usize];
        }
        root
    }

    fn join(&mut self, x: u32, y: u32) {
        let (x, y) = (self.find(x), self.find(y));
        self.0[x.max(y) as usize] = x.min(y);
    }

    fn snapshot(&mut self) -> Vec<u32> {
        (0..self.0.len() as u32).map(|x| self.find(x)).collect()
    }
}

/// For each level, the connected part of this and all lower levels that each crossbar is in.
fn subtrees(cabling: &Cabling, levels: &[Vec<u32>], level_of: &[u32]) -> Vec<Vec<u32>> {
    let mut parts = Parts::singletons(cabling.crossbars());
    levels
        .iter()
        .map(|level| {
            for &x in level {
                for link in cabling.links(x).iter().filter(|link| level_of[link.to as usize] < level_of[x as usize]) {
                    parts.join(x, link.to);
                }
            }
            parts.snapshot()
        })
        .collect()
}

/// Numbers the hosts: those of one leaf together, the leaves of one subtree together, and so on upwards.
fn host_index(hosts: usize, cabling: &Cabling, levels: &[Vec<u32>], subtrees: &[Vec<u32>]) -> Vec<u32> {
    let mut leaves = levels.first().cloned().unwrap_or_default();
    leaves.sort_by_cached_key(|&x| {
        let path: Vec<u32> = subtrees.iter().rev().map(|part| part[x as usize]).collect();
        (path, x)
    });
    let mut index = vec![0; hosts];
    let in_order = leaves.iter().flat_map(|&x| &cabling.hosts_at[x as usize]);
    in_order.enumerate().for_each(|(i, &(host, _))| index[host as usize] = i as u32);
    index
}

/// The planes of every level.
struct Planes {
    /// For each level, the part of this and all higher levels that each crossbar is in.
    parts: Vec<Vec<u32>>,
    /// Whether a crossbar counts: one whose children all lie in one subtree, as a leaf that has lost all its hosts, would
    /// join planes that have nothing to do with each other.
    counts: Vec<bool>,
}

impl Planes {
    fn of(cabling: &Cabling, levels: &[Vec<u32>], level_of: &[u32], subtrees: &[Vec<u32>]) -> Planes {
        let counts: Vec<bool> = (0..cabling.crossbars() as u32)
            .map(|x| {
                let level = level_of[x as usize];
                if level < 3 {
                    return true;
                }
                let below = &subtrees[level as usize - 2];
                let mut children = cabling.links(x).iter().filter(|link| level_of[link.to as usize] < level);
                let first = children.next().map(|link| below[link.to as usize]);
                children.any(|link| Some(below[link.to as usize]) != first)
            })
            .collect();
        let mut parts = Parts::singletons(cabling.crossbars());
        let mut by_level: Vec<Vec<u32>> = levels
            .iter()
            .rev()
            .map(|level| {
                for &x in level {
                    let up = cabling.links(x).iter().filter(|link| level_of[link.to as usize] > level_of[x as usize]);
                    up.filter(|link| counts[link.to as usize]).for_each(|link| parts.join(x, link.to));
                }
                parts.snapshot()
            })
            .collect();
        by_level.reverse();
        Planes { parts: by_level, counts }
    }

    /// The cables up of every crossbar, put into slots.
    fn up_links(&self, cabling: &Cabling, levels: &[Vec<u32>], level_of: &[u32]) -> Vec<UpLinks> {
        let mut all = vec![UpLinks::default(); cabling.crossbars()];
        for (level, parts) in levels.iter().zip(self.parts.windows(2)) {
            let (own, above) = (&parts[0], &parts[1]);
            let up = |x: u32| cabling.links(x).iter().filter(move |l| level_of[l.to as usize] > level_of[x as usize]);
            let counted = |x: u32| up(x).filter(|link| self.counts[link.to as usize]);
            let mut numbered: Vec<(u32, u32)> =
                level.iter().flat_map(|&x| counted(x).map(move |l| (own[x as usize], above[l.to as usize]))).collect();
            numbered.sort_unstable();
            numbered.dedup();
            for &x in level {
                let part = own[x as usize];
                let start = numbered.partition_point(|&(p, _)| p < part);
                let planes = numbered[start..].partition_point(|&(p, _)| p == part);
                let plane_of = |link: &Link| {
                    numbered[start..start + planes].binary_search(&(part, above[link.to as usize])).expect("collected")
                };
                let by_plane = counted(x).map(|link| (plane_of(link), *link)).collect();
                all[x as usize] = into_slots(by_plane, planes);
                all[x as usize].extra.extend(up(x).filter(|link| !self.counts[link.to as usize]));
                all[x as usize].summarize();
            }
        }
        all
    }
}

/// Puts a crossbar's cables into slots. As many cables as it has to most planes get one; what a plane has more is extra.
fn into_slots(mut by_plane: Vec<(usize, Link)>, planes: usize) -> UpLinks {
    by_plane.sort_unstable_by_key(|&(plane, link)| (plane, link.to, link.port));
    let mut cables_to: Vec<usize> = by_plane.chunk_by(|a, b| a.0 == b.0).map(<[_]>::len).collect();
    cables_to.sort_unstable();
    let parallel = cables_to.get(cables_to.len() / 2).copied().unwrap_or(0);
    let mut up = UpLinks { slots: vec![None; planes * parallel], planes, ..UpLinks::default() };
    for cables in by_plane.chunk_by(|a, b| a.0 == b.0) {
        for (rank, &(plane, link)) in cables.iter().enumerate() {
            match up.slots.get_mut(plane + rank * planes) {
                Some(slot) => *slot = Some(link),
                None => up.extra.push(link),
            }
        }
    }
    up
}
