//! What is to be done, and in which order.

use super::places::{Cables, End, Places};
use super::{Instruction, Place};
use std::collections::{BTreeMap, BTreeSet};
use twowire_fabric::topology::{CrossbarId, HostId, NodeId, PortId, Topology};

/// What makes the found cabling the intended one: see to what does not answer, remove cables, move and swap plugs, plug cables.
/// Empty if nothing is to be done.
pub fn instructions(
    intended: &Topology,
    its_front_end: HostId,
    found: &Topology,
    front_end: HostId,
) -> Vec<Instruction> {
    let places = Places::new(intended, its_front_end, found, front_end);
    let mut work = Work::between(&places);
    let mut all = work.silent();
    let moves = work.pair_up();
    all.extend(work.surplus.iter().map(|&(a, b)| Instruction::Remove { a: places.name(a), b: places.name(b) }));
    all.extend(in_order(&places, moves));
    all.extend(work.to_plug().map(|(a, b)| Instruction::Plug { a: places.name(a), b: places.name(b) }));
    all
}

/// The intended cables that are not there, and that no plug at a wrong port explains.
pub(super) fn dead_cables(places: &Places<'_>) -> Vec<(End, End)> {
    let mut work = Work::between(places);
    work.pair_up();
    work.lacking.into_iter().collect()
}

/// A plug that is at `from` and should be at `to`; the other end of its cable stays.
struct Moving {
    stays: End,
    from: End,
    to: End,
}

/// What is still to be done.
struct Work<'p, 't> {
    places: &'p Places<'t>,
    intended: Cables,
    /// Cables that are there and should not be, lower end first.
    surplus: BTreeSet<(End, End)>,
    /// Cables that should be there and are not, lower end first.
    lacking: BTreeSet<(End, End)>,
    missing: BTreeSet<NodeId>,
}

impl<'p, 't> Work<'p, 't> {
    fn between(places: &'p Places<'t>) -> Work<'p, 't> {
        let (intended, found) = (places.intended_cables(), places.found_cables());
        let only = |of: &Cables, other: &Cables| {
            let alone = of.iter().filter(|&(a, b)| a <= b && other.get(a) != Some(b));
            alone.map(|(&a, &b)| (a, b)).collect()
        };
        let mut missing: BTreeSet<NodeId> = places.missing_crossbars().into_iter().map(NodeId::from).collect();
        missing.extend(places.missing_hosts().into_iter().map(NodeId::from));
        Work { places, surplus: only(&found, &intended), lacking: only(&intended, &found), intended, missing }
    }

    /// What does not answer: crossbars, each with its hosts, then the other hosts.
    fn silent(&self) -> Vec<Instruction> {
        let topology = self.places.intended();
        let host_name = |host: HostId| topology.host(host).name.clone();
        let mut told = BTreeSet::new();
        let mut all = Vec::new();
        for x in self.places.missing_crossbars() {
            let hosts: Vec<HostId> = self.missing_hosts_at(x).filter(|&host| told.insert(host)).collect();
            let crossbar = topology.crossbar(x).name.clone();
            all.push(Instruction::SeeToCrossbar { crossbar, hosts: hosts.into_iter().map(host_name).collect() });
        }
        let others = self.places.missing_hosts().into_iter().filter(|host| !told.contains(host));
        all.extend(others.map(|host| {
            let at = topology.peers(host.into()).iter().flatten().next();
            let at = at.map(|&end| Place(topology.port_name(end).to_string()));
            Instruction::SeeToHost { host: host_name(host), at }
        }));
        all
    }

    fn missing_hosts_at(&self, x: CrossbarId) -> impl Iterator<Item = HostId> + '_ {
        self.places.intended().peers(x.into()).iter().flatten().filter_map(|peer| match peer.node {
            NodeId::Host(host) if self.missing.contains(&peer.node) => Some(host),
            _ => None,
        })
    }

    /// Takes each surplus cable that one moved plug would make a lacking one.
    fn pair_up(&mut self) -> Vec<Moving> {
        let mut moves = Vec::new();
        for (a, b) in std::mem::take(&mut self.surplus) {
            let candidates = [(a, b), (b, a)].into_iter().filter_map(|(stays, from)| {
                let to = *self.intended.get(&stays)?;
                self.lacking.contains(&ordered(stays, to)).then_some(Moving { stays, from, to })
            });
            match candidates.min_by_key(Moving::doubt) {
                Some(moving) => {
                    self.lacking.remove(&ordered(moving.stays, moving.to));
                    moves.push(moving);
                }
                None => {
                    self.surplus.insert((a, b));
                }
            }
        }
        moves
    }

    /// Lacking cables between what does answer: seeing to the rest brings their own.
    fn to_plug(&self) -> impl Iterator<Item = (End, End)> + '_ {
        let is_missing = |end: End| matches!(end, End::Known(port) if self.missing.contains(&port.node));
        self.lacking.iter().copied().filter(move |&(a, b)| !is_missing(a) && !is_missing(b))
    }
}

impl Moving {
    /// Of two plugs that could be moved, the one is to blame that stays at its crossbar, then the one that is no host's.
    fn doubt(&self) -> (bool, bool) {
        let node = |end: End| match end {
            End::Known(PortId { node, .. }) => Some(node),
            End::New(_) => None,
        };
        (node(self.from) != node(self.to), matches!(node(self.to), Some(NodeId::Host(_))))
    }
}

fn ordered(a: End, b: End) -> (End, End) {
    (a.min(b), a.max(b))
}

/// Moves in an order in which each port is free when its plug comes; where plugs wait for one another, they swap.
fn in_order(places: &Places<'_>, moves: Vec<Moving>) -> Vec<Instruction> {
    let mut waiting: BTreeMap<End, Moving> = moves.into_iter().map(|moving| (moving.from, moving)).collect();
    let mut done = Vec::with_capacity(waiting.len());
    while let Some(&first) = waiting.keys().next() {
        let free = waiting.values().find(|moving| !waiting.contains_key(&moving.to)).map(|moving| moving.from);
        let Moving { stays, from, to } = waiting.remove(&free.unwrap_or(first)).expect("it waits");
        if free.is_some() {
            done.push(Instruction::Move {
                from: places.name(from),
                to: places.name(to),
                other_end: places.name(stays),
            });
            continue;
        }
        done.push(Instruction::Swap { a: places.name(from), b: places.name(to) });
        let displaced = waiting.remove(&to).expect("no port is free");
        if displaced.to != from {
            waiting.insert(from, Moving { from, ..displaced });
        }
    }
    done
}
