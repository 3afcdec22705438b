//! A proof that stands while the fabric changes: only what a change touches is proved again.
//!
//! It rests on a full proof ([`verify`](super::verify)) and keeps what that found: for each turn from a cable into the next, how many trees
//! take it, where a tree is all routes of one alternate to one destination; and an order of the channels in which every turn leads to a
//! later one. When a repair changes entries of the tables, the trees of these destinations are taken out and put in at these entries only:
//!
//! - every changed entry must lead to its destination, so all that come by it still arrive;
//! - a crossbar with hosts that has no entry any more must have no connection either;
//! - a turn that is new must fit into the order, together with all turns of the epoch before, until that is [retired](Standing::retire).
//!
//! The tables are changed here and nowhere else, entry by entry, so what the repair has done needs no trust. Where a change does
//! not fit in, the answer is [`NotStanding`], and a full proof is needed.

mod changed;
mod error;
mod prove;
mod tree;
mod turns;

#[cfg(test)]
mod tests;

pub use changed::{Changed, ChangedRoutes};
pub use error::{NotStanding, Refusal};

use super::Verified;
use super::network::{End, Network};
use crate::change::Change;
use prove::Pending;
use std::collections::BTreeSet;
use tree::{Next, Senders, State, Tree};
use turns::Turns;
use twowire_fabric::map::{Attachment, Entry, NO_PORT, RouteSet, Tables};
use twowire_fabric::topology::{HostId, NodeId, PortId, Topology};

/// An entry of the tables that a repair changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Patch {
    /// Which.
    pub entry: Entry,
    /// By which port frames leave from now on, or [`NO_PORT`].
    pub port: u8,
}

/// A topology with proved routes, which can change.
pub struct Standing {
    topology: Topology,
    routes: RouteSet,
    network: Network,
    senders: Senders,
    turns: Turns,
    /// Entries that lead over cables that are gone.
    broken: BTreeSet<Entry>,
    /// Hosts that have come since the last epoch.
    joining: Vec<HostId>,
    /// True if parts have been connected that were not.
    joined_parts: bool,
    /// What has to be undone if the epoch that was proved last is not used after all.
    pending: Option<Pending>,
}

impl Standing {
    /// A proof that goes on from a full one of the same topology.
    ///
    /// # Errors
    /// Routes that were listed one by one, or hosts of several cables.
    ///
    /// # Panics
    /// If the routes were proved on another topology.
    pub fn new(topology: Topology, routes: Verified<RouteSet>) -> Result<Standing, NotStanding> {
        let mut routes = routes.into_inner();
        let network = Network::of(&topology);
        let (tables, _) = routes.tables_mut().ok_or(NotStanding::Listed)?;
        assert_eq!(tables.crossbars(), network.crossbars(), "the routes are of another topology");
        let senders = senders(&topology, &network)?;
        clear_loose_entries(&topology, tables, &network, &senders);
        let turns = counted(&topology, tables, &network, &senders);
        let (broken, joining) = (BTreeSet::new(), Vec::new());
        Ok(Standing { topology, routes, network, senders, turns, broken, joining, joined_parts: false, pending: None })
    }

    /// The topology as it is now.
    pub fn topology(&self) -> &Topology {
        &self.topology
    }

    /// The routes of the epoch that was proved last. After a change they may lead over cables that are gone, until a repair is proved.
    pub fn routes(&self) -> &RouteSet {
        &self.routes
    }

    /// Sets the card that a host has. Routes do not depend on it.
    pub fn set_unique_id(&mut self, host: HostId, id: twowire_fabric::id::UniqueId) {
        self.topology.set_unique_id(host, id);
    }

    /// Bytes of what is kept beside the topology and the tables.
    pub fn memory(&self) -> usize {
        self.turns.memory() + 4 * self.senders.at.len() + 8 * self.senders.leaf_of.len()
    }

    /// True if another proof has counted the same.
    #[cfg(test)]
    pub(crate) fn counts_as(&self, other: &Standing) -> bool {
        self.turns == other.turns && self.senders.at == other.senders.at && self.broken == other.broken
    }

    /// Takes in a change of the fabric. Frames that come to a cable that is gone are lost there.
    ///
    /// # Errors
    /// The change does not fit: a full proof is needed, for the topology with the change.
    ///
    /// # Panics
    /// If an epoch is pending.
    pub fn change(&mut self, change: &Change) -> Result<(), NotStanding> {
        assert!(self.pending.is_none(), "the epoch before is neither retired nor rolled back");
        if let Some(new) = change.crossbars.first() {
            return Err(NotStanding::NewCrossbar(new.name.clone()));
        }
        change.come.iter().flat_map(|&(a, b)| [(a, b), (b, a)]).try_for_each(|(end, peer)| self.can_come(end, peer))?;
        for &(a, b) in &change.gone {
            self.break_cable([a, b]);
            for end in [a, b] {
                if let NodeId::Host(host) = end.node {
                    self.leave(host);
                }
            }
        }
        let parts = (!change.come.is_empty()).then(|| self.parts());
        change.make(&mut self.topology)?;
        let (tables, _) = self.routes.tables_mut().expect("checked when the proof began");
        for end in change.ends() {
            self.network.reconnect(&self.topology, end);
            let comes = change.come.iter().any(|&(a, b)| a == end || b == end);
            match end.node {
                NodeId::Crossbar(_) if comes => tables.relink(&self.topology, end),
                NodeId::Crossbar(_) => {}
                NodeId::Host(host) => {
                    tables.reattach(&self.topology, host);
                    self.senders.leaf_of.resize(self.topology.hosts().len(), None);
                    if comes && !self.joining.contains(&host) {
                        self.joining.push(host);
                    }
                }
            }
        }
        self.joining.retain(|host| self.network.rails(host.0).iter().any(|&end| end != End::Nothing));
        self.joined_parts |= parts.is_some_and(|before| joins(&before, &self.parts()));
        Ok(())
    }

    /// Refuses a cable that comes where it does not fit.
    fn can_come(&self, end: PortId, peer: PortId) -> Result<(), NotStanding> {
        let name = || self.topology.port_name(end).to_string();
        let NodeId::Crossbar(x) = end.node else {
            let alone = matches!(peer.node, NodeId::Crossbar(_)) && end.port == 0;
            return if alone { Ok(()) } else { Err(NotStanding::Rails(self.topology.node_name(end.node).to_owned())) };
        };
        let tables = self.routes.tables().expect("checked when the proof began");
        if self.broken.iter().any(|&entry| entry.crossbar == x.0 && tables.port(entry) == end.port) {
            return Err(NotStanding::Returned(name()));
        }
        let NodeId::Crossbar(y) = peer.node else { return Ok(()) };
        let known = tables.link(x.0 as usize, end.port);
        if tables.has_two_phases() && (known.crossbar, known.port) != (y.0, peer.port) {
            return Err(NotStanding::NewCable(name()));
        }
        Ok(())
    }

    /// The frames that are sent over a cable do not arrive anywhere from now on.
    fn break_cable(&mut self, ends: [PortId; 2]) {
        let mut broken = Vec::new();
        ends.iter().for_each(|&end| self.unset(end, &mut broken));
        ends.iter().for_each(|&end| self.network.disconnect(end));
        let (tables, _) = self.routes.tables_mut().expect("checked when the proof began");
        broken.iter().for_each(|&(entry, port)| tables.set_port(entry, port));
        self.broken.extend(broken.into_iter().map(|(entry, _)| entry));
    }

    /// Takes out all entries that lead to a port, and the turns that are made because of them.
    fn unset(&mut self, end: PortId, unset: &mut Vec<(Entry, u8)>) {
        let NodeId::Crossbar(x) = end.node else { return };
        let (tables, _) = self.routes.tables_mut().expect("checked when the proof began");
        for entry in tables.entries_to(x.0, end.port) {
            let mut turns = Vec::new();
            let tree = Tree::of(tables, &self.network, &self.senders, entry.layer, entry.to);
            let at = State { crossbar: x.0, after_down: entry.after_down };
            tree.turns_with(at, &mut |turn| turns.push(turn));
            turns.iter().for_each(|&turn| self.turns.remove(&self.network, turn));
            tables.set_port(entry, NO_PORT);
            unset.push((entry, end.port));
        }
    }

    /// A host sends nothing from now on.
    fn leave(&mut self, host: HostId) {
        let Some(leaf) = self.senders.leaf_of[host.0 as usize].take() else { return };
        let tables = self.routes.tables().expect("checked when the proof began");
        self.senders.at[leaf as usize] -= 1;
        // With two others left each destination has a sender there as before.
        let left = self.senders.at[leaf as usize];
        for to in (0..self.topology.hosts().len() as u32).map(HostId).filter(|_| left <= 1) {
            let was = left + 1 - u32::from(to == host || self.senders.leaf_of[to.0 as usize] == Some(leaf));
            for layer in 0..tables.layers().len() as u8 {
                let tree = Tree::of(tables, &self.network, &self.senders, layer, to);
                let at = State { crossbar: leaf, after_down: false };
                if was > 0 && !tree.is_reached(at) {
                    tree.turns_behind(at, &mut |turn| self.turns.remove(&self.network, turn));
                }
            }
        }
    }

    /// For each crossbar, the connected part that it is in.
    fn parts(&self) -> Vec<u32> {
        let mut part = vec![u32::MAX; self.network.crossbars()];
        for start in 0..part.len() as u32 {
            let mut stack = vec![start];
            while let Some(x) = stack.pop() {
                if part[x as usize] != u32::MAX {
                    continue;
                }
                part[x as usize] = start;
                stack.extend(self.network.ports_of(x).filter_map(|channel| match self.network.end(channel) {
                    End::Crossbar { first, .. } => Some(self.network.crossbar_of(first)),
                    _ => None,
                }));
            }
        }
        part
    }
}

/// True if two crossbars of different parts are in the same one afterwards.
fn joins(before: &[u32], after: &[u32]) -> bool {
    // A part is named by the lowest crossbar in it.
    before.iter().zip(after).any(|(before, after)| before != after && before > after)
}

/// Where each host sends from.
fn senders(topology: &Topology, network: &Network) -> Result<Senders, NotStanding> {
    let mut senders = Senders { at: vec![0; network.crossbars()], leaf_of: vec![None; topology.hosts().len()] };
    for host in topology.host_ids() {
        let mut ends = network.rails(host.0).iter().filter(|&&end| end != End::Nothing);
        match (Attachment::of(topology, host), ends.next(), ends.next()) {
            (Attachment::Crossbar { crossbar, .. }, Some(_), None) => {
                senders.at[crossbar as usize] += 1;
                senders.leaf_of[host.0 as usize] = Some(crossbar);
            }
            (_, None, None) => {}
            _ => return Err(NotStanding::Rails(topology.host(host).name.clone())),
        }
    }
    Ok(senders)
}

/// Takes out the entries that do not lead to their destination: no route comes by them.
fn clear_loose_entries(topology: &Topology, tables: &mut Tables, network: &Network, senders: &Senders) {
    let mut leads = vec![[false; 2]; network.crossbars()];
    for to in topology.host_ids() {
        for layer in 0..tables.layers().len() as u8 {
            while let Some(state) = loose_entry(&Tree::of(tables, network, senders, layer, to), &mut leads) {
                tables.set_port(Entry { layer, to, after_down: state.after_down, crossbar: state.crossbar }, NO_PORT);
            }
        }
    }
}

/// Counts the turns of all trees.
fn counted(topology: &Topology, tables: &Tables, network: &Network, senders: &Senders) -> Turns {
    let mut turns = Turns::none(network);
    let mut seen = vec![[false; 2]; network.crossbars()];
    for to in topology.host_ids() {
        for layer in 0..tables.layers().len() as u8 {
            let tree = Tree::of(tables, network, senders, layer, to);
            seen.fill([false; 2]);
            for leaf in (0..network.crossbars() as u32).filter(|&x| tree.senders(x) > 0) {
                let mut at = State { crossbar: leaf, after_down: false };
                while !std::mem::replace(&mut seen[at.crossbar as usize][usize::from(at.after_down)], true)
                    && let Next::On { state, arrival } = tree.next(at)
                {
                    tree.turn(arrival, state).into_iter().for_each(|turn| turns.count(network, turn));
                    at = state;
                }
            }
        }
    }
    assert!(turns.sort(network), "the full proof has found no cycle");
    turns
}

/// An entry that does not lead to the destination; `seen` is for the states that do.
fn loose_entry(tree: &Tree, seen: &mut [[bool; 2]]) -> Option<State> {
    seen.fill([false; 2]);
    let mut way = Vec::new();
    for crossbar in 0..seen.len() as u32 {
        for start in tree.states(crossbar).filter(|&start| tree.next(start) != Next::NoRoute) {
            let mut at = start;
            while !seen[at.crossbar as usize][usize::from(at.after_down)] {
                way.push(at);
                match tree.next(at) {
                    Next::Arrives => break,
                    Next::On { state, .. } if way.len() <= 2 * seen.len() => at = state,
                    _ => return Some(start),
                }
            }
            way.drain(..).for_each(|state| seen[state.crossbar as usize][usize::from(state.after_down)] = true);
        }
    }
    None
}
