//! Proves a repair.

use super::changed::{Changed, ChangedRoutes};
use super::tree::{State, Tree};
use super::turns::Turn;
use super::{Patch, Refusal, Standing};
use crate::verify::network::End;
use crate::verify::tally::channel_name;
use std::collections::BTreeSet;
use twowire_fabric::map::{Entry, NO_PORT, Tables};
use twowire_fabric::route::MAX_HOPS;
use twowire_fabric::topology::HostId;

/// How to go back to the epoch before, and what of it is still counted.
#[derive(Default)]
pub(super) struct Pending {
    epoch: u32,
    /// What the entries were, in the order in which they were changed.
    before: Vec<(Entry, u8)>,
    added: Vec<Turn>,
    /// Turns that only the epoch before makes.
    old: Vec<Turn>,
    broken: BTreeSet<Entry>,
    joined: Vec<(HostId, u32)>,
    /// All that were to join.
    joining: Vec<HostId>,
    joined_parts: bool,
}

impl Standing {
    /// Proves a new epoch: the tables of the last with these entries changed. It is in use then, beside the one before.
    ///
    /// What was counted of the epoch before counts on until [`Standing::retire`], and [`Standing::roll_back`] goes back to it.
    ///
    /// # Errors
    /// The routes do not hold; then nothing has changed.
    ///
    /// # Panics
    /// If an epoch is pending.
    pub fn prove(&mut self, epoch: u32, patches: &[Patch]) -> Result<Changed, Refusal> {
        assert!(self.pending.is_none(), "the epoch before is neither retired nor rolled back");
        let mut patches = patches.to_vec();
        patches.sort_unstable_by_key(|patch| (patch.entry.to, patch.entry.layer, patch.entry));
        let tables = self.tables();
        let twice = patches.windows(2).find(|pair| pair[0].entry == pair[1].entry).map(|pair| &pair[0]);
        if let Some(patch) = patches.iter().find(|patch| !tables.holds(patch.entry)).or(twice) {
            let (crossbar, to) = self.names(patch.entry);
            return Err(Refusal::NoSuchEntry { crossbar, to });
        }
        self.pending = Some(Pending {
            epoch: self.routes.epoch(),
            broken: self.broken.clone(),
            joining: self.joining.clone(),
            joined_parts: self.joined_parts,
            ..Pending::default()
        });
        let proved = self.prove_all(epoch, &patches);
        if proved.is_err() {
            self.roll_back();
        }
        proved
    }

    /// The epoch before is not in use any more.
    pub fn retire(&mut self) {
        if let Some(pending) = self.pending.take() {
            pending.old.iter().for_each(|&turn| self.turns.remove(&self.network, turn));
        }
    }

    /// The epoch that was proved last is not used after all: the routes are those of the one before.
    pub fn roll_back(&mut self) {
        let Some(pending) = self.pending.take() else { return };
        let (tables, epoch) = self.routes.tables_mut().expect("checked when the proof began");
        *epoch = pending.epoch;
        pending.before.iter().rev().for_each(|&(entry, port)| tables.set_port(entry, port));
        pending.added.iter().for_each(|&turn| self.turns.remove(&self.network, turn));
        (self.broken, self.joined_parts) = (pending.broken, pending.joined_parts);
        for (host, leaf) in pending.joined {
            self.senders.at[leaf as usize] -= 1;
            self.senders.leaf_of[host.0 as usize] = None;
        }
        self.joining = pending.joining;
    }

    pub(super) fn tables(&self) -> &Tables {
        self.routes.tables().expect("checked when the proof began")
    }

    fn names(&self, entry: Entry) -> (String, String) {
        let crossbar = self.topology.crossbars().get(entry.crossbar as usize);
        let host = self.topology.hosts().get(entry.to.0 as usize);
        (
            crossbar.map_or_else(|| format!("crossbar {}", entry.crossbar), |x| x.name.clone()),
            host.map_or_else(|| format!("host {}", entry.to.0), |h| h.name.clone()),
        )
    }

    fn tree(&self, layer: u8, to: HostId) -> Tree<'_> {
        Tree::of(self.tables(), &self.network, &self.senders, layer, to)
    }

    fn pending(&mut self) -> &mut Pending {
        self.pending.as_mut().expect("an epoch is being proved")
    }

    fn prove_all(&mut self, epoch: u32, patches: &[Patch]) -> Result<Changed, Refusal> {
        let mut changed = Changed { epoch, entries: patches.len(), ..Changed::default() };
        let mut lacking = Vec::new();
        for of_host in patches.chunk_by(|a, b| a.entry.to == b.entry.to) {
            let mut from = BTreeSet::new();
            for of_tree in of_host.chunk_by(|a, b| a.entry.layer == b.entry.layer) {
                self.replant(of_tree, &mut from)?;
            }
            let to = of_host[0].entry.to;
            if !from.is_empty() {
                changed.routes.push(ChangedRoutes { to, from: from.into_iter().collect() });
            }
            let without = of_host.iter().filter(|patch| patch.port == NO_PORT && !patch.entry.after_down);
            lacking.extend(without.map(|patch| (patch.entry.crossbar, to)));
        }
        if let Some(&entry) = self.broken.first() {
            return Err(self.does_not_arrive(entry));
        }
        for host in std::mem::take(&mut self.joining) {
            self.join(host, &mut lacking)?;
            changed.joined.push(host);
        }
        if std::mem::take(&mut self.joined_parts) {
            let leaves: Vec<u32> =
                (0..self.network.crossbars() as u32).filter(|&x| self.senders.at[x as usize] > 0).collect();
            let hosts = (0..self.topology.hosts().len() as u32).map(HostId);
            lacking.extend(hosts.flat_map(|to| leaves.iter().map(move |&leaf| (leaf, to))));
        }
        self.lack(&lacking)?;
        *self.routes.tables_mut().expect("checked when the proof began").1 = epoch;
        Ok(changed)
    }

    /// Changes entries of one tree, and adds the crossbars whose hosts have another route then.
    fn replant(&mut self, patches: &[Patch], from: &mut BTreeSet<u32>) -> Result<(), Refusal> {
        let (layer, to) = (patches[0].entry.layer, patches[0].entry.to);
        let state = |patch: &Patch| State { crossbar: patch.entry.crossbar, after_down: patch.entry.after_down };
        let mut farthest = Vec::with_capacity(patches.len());
        for patch in patches {
            let mut cables_to_here = 0;
            self.tree(layer, to).sources(state(patch), 0, &mut |leaf, cables| {
                from.insert(leaf);
                cables_to_here = cables.max(cables_to_here);
            });
            farthest.push(cables_to_here);
        }
        for patch in patches {
            let mut turns = Vec::new();
            self.tree(layer, to).turns_with(state(patch), &mut |turn| turns.push(turn));
            let before = self.tables().port(patch.entry);
            self.set_port(patch.entry, NO_PORT);
            self.broken.remove(&patch.entry);
            self.pending().before.push((patch.entry, before));
            self.pending().old.extend(turns);
        }
        patches.iter().for_each(|patch| self.set_port(patch.entry, patch.port));
        for (patch, cables) in patches.iter().zip(farthest) {
            let tree = self.tree(layer, to);
            let good = match patch.port {
                NO_PORT => !tree.is_passed(state(patch), None),
                _ => tree.hops(state(patch)).is_some_and(|hops| hops + cables <= MAX_HOPS),
            };
            if !good {
                return Err(self.does_not_arrive(patch.entry));
            }
        }
        // None of them leads round in a circle, so they can be put in one after the other.
        patches.iter().for_each(|patch| self.set_port(patch.entry, NO_PORT));
        for patch in patches {
            let mut turns = Vec::new();
            self.set_port(patch.entry, patch.port);
            self.tree(layer, to).turns_with(state(patch), &mut |turn| turns.push(turn));
            turns.into_iter().try_for_each(|turn| self.add(turn))?;
        }
        Ok(())
    }

    fn set_port(&mut self, entry: Entry, port: u8) {
        self.routes.tables_mut().expect("checked when the proof began").0.set_port(entry, port);
    }

    fn add(&mut self, turn: Turn) -> Result<(), Refusal> {
        self.pending().added.push(turn);
        self.turns.add(&self.network, turn).map_err(|cycle| {
            let name = |channel| channel_name(&self.topology, self.network.port(channel));
            Refusal::Cycle(cycle.into_iter().map(name).collect())
        })
    }

    fn does_not_arrive(&self, entry: Entry) -> Refusal {
        let (crossbar, to) = self.names(entry);
        Refusal::DoesNotArrive { crossbar, to }
    }

    /// A host sends from now on, and is sent to. What may be lacking is added.
    fn join(&mut self, host: HostId, lacking: &mut Vec<(u32, HostId)>) -> Result<(), Refusal> {
        let Some(leaf) = self.leaf(host) else { return Ok(()) };
        let before = self.senders.at[leaf as usize];
        self.senders.at[leaf as usize] += 1;
        self.senders.leaf_of[host.0 as usize] = Some(leaf);
        self.pending().joined.push((host, leaf));
        let at = State { crossbar: leaf, after_down: false };
        for to in (0..self.topology.hosts().len() as u32).map(HostId).filter(|&to| to != host && before <= 1) {
            if before > u32::from(self.senders.leaf_of[to.0 as usize] == Some(leaf)) {
                continue;
            }
            lacking.push((leaf, to));
            for layer in 0..self.tables().layers().len() as u8 {
                let tree = self.tree(layer, to);
                let entry = tree.entry(at);
                if self.tables().port(entry) == NO_PORT {
                    continue;
                }
                if tree.hops(at).is_none() {
                    return Err(self.does_not_arrive(entry));
                }
                let mut turns = Vec::new();
                if !tree.is_passed(at, None) {
                    tree.turns_behind(at, &mut |turn| turns.push(turn));
                }
                turns.into_iter().try_for_each(|turn| self.add(turn))?;
            }
        }
        lacking.extend((0..self.network.crossbars() as u32).map(|x| (x, host)));
        Ok(())
    }

    /// The crossbar that a host is attached to.
    fn leaf(&self, host: HostId) -> Option<u32> {
        self.network.rails(host.0).iter().find_map(|&end| match end {
            End::Crossbar { first, .. } => Some(self.network.crossbar_of(first)),
            _ => None,
        })
    }

    /// Refuses if hosts at a crossbar have no route to a host to which they are connected.
    fn lack(&self, pairs: &[(u32, HostId)]) -> Result<(), Refusal> {
        let mut parts = None;
        for &(from, to) in pairs {
            let layers = 0..self.tables().layers().len() as u8;
            let entry = |layer| Entry { layer, to, after_down: false, crossbar: from };
            let Some(leaf) = self.leaf(to) else { continue };
            if self.tree(0, to).senders(from) == 0
                || layers.into_iter().any(|layer| self.tables().port(entry(layer)) != NO_PORT)
            {
                continue;
            }
            let parts = parts.get_or_insert_with(|| self.parts());
            if parts[from as usize] == parts[leaf as usize] {
                let own = |&host: &HostId| self.senders.leaf_of[host.0 as usize] == Some(from) && host != to;
                let host = self.topology.host_ids().find(own).expect("one sends");
                let name = |host: HostId| self.topology.host(host).name.clone();
                return Err(Refusal::Missing { from: name(host), to: name(to) });
            }
        }
        Ok(())
    }
}
