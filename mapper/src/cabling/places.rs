//! Where the found cables are, in the intended cabling's places.

use super::Place;
use crate::diff::port_in_old_names;
use std::collections::BTreeMap;
use twowire_fabric::id::UniqueId;
use twowire_fabric::topology::lockstep::Lockstep;
use twowire_fabric::topology::{CrossbarId, HostId, NodeId, PortId, Topology};

/// One end of a cable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum End {
    /// A port of something that was intended.
    Known(PortId),
    /// A port of the found map, of something that was not.
    New(PortId),
}

/// What leads where: each cable from both its ends.
pub(super) type Cables = BTreeMap<End, End>;

/// The intended cabling and the found one, and what is what.
pub(super) struct Places<'t> {
    intended: &'t Topology,
    found: &'t Topology,
    lockstep: Lockstep,
    /// For each host of the found map the intended one that it is.
    hosts: Vec<Option<HostId>>,
}

impl<'t> Places<'t> {
    pub(super) fn new(
        intended: &'t Topology,
        its_front_end: HostId,
        found: &'t Topology,
        front_end: HostId,
    ) -> Places<'t> {
        let lockstep = Lockstep::walk(intended, its_front_end, found, front_end);
        let hosts = recognised(intended, found, &lockstep);
        Places { intended, found, lockstep, hosts }
    }

    pub(super) fn intended(&self) -> &'t Topology {
        self.intended
    }

    fn end(&self, end: PortId) -> End {
        let known = match end.node {
            NodeId::Crossbar(_) => self.lockstep.port_in_a(end),
            NodeId::Host(host) => self.hosts[host.0 as usize].map(|host| PortId::new(host, end.port)),
        };
        known.map_or(End::New(end), End::Known)
    }

    /// The cables that were found.
    pub(super) fn found_cables(&self) -> Cables {
        let ends = self.found.cables().iter().map(|cable| (self.end(cable.a), self.end(cable.b)));
        ends.flat_map(|(a, b)| [(a, b), (b, a)]).collect()
    }

    /// The cables that were intended.
    pub(super) fn intended_cables(&self) -> Cables {
        let ends = self.intended.cables().iter().map(|cable| (End::Known(cable.a), End::Known(cable.b)));
        ends.flat_map(|(a, b)| [(a, b), (b, a)]).collect()
    }

    /// The intended crossbars that were not found.
    pub(super) fn missing_crossbars(&self) -> Vec<CrossbarId> {
        self.intended.crossbar_ids().filter(|&x| self.lockstep.crossbar_in_b(x).is_none()).collect()
    }

    /// The intended hosts that were not found.
    pub(super) fn missing_hosts(&self) -> Vec<HostId> {
        let mut missing = vec![true; self.intended.hosts().len()];
        self.hosts.iter().flatten().for_each(|host| missing[host.0 as usize] = false);
        self.intended.host_ids().filter(|host| missing[host.0 as usize]).collect()
    }

    pub(super) fn name(&self, end: End) -> Place {
        Place(match end {
            End::New(end) => format!("new:{}", self.found.port_name(end)),
            End::Known(end) => port_in_old_names(self.intended, end),
        })
    }
}

/// Which intended host each found one is: by its card where both maps have the card once, and else by its location.
fn recognised(intended: &Topology, found: &Topology, lockstep: &Lockstep) -> Vec<Option<HostId>> {
    let (cards, found_cards) = (by_card(intended), by_card(found));
    let mut free = vec![true; intended.hosts().len()];
    let by_its_card = |host: HostId| {
        let id = found.host(host).id;
        found_cards[&id].and(cards.get(&id).copied().flatten())
    };
    let mut hosts: Vec<Option<HostId>> = found.host_ids().map(by_its_card).collect();
    hosts.iter().flatten().for_each(|host| free[host.0 as usize] = false);
    for host in found.host_ids() {
        let here = lockstep.host_in_a(host).filter(|here| free[here.0 as usize]);
        if hosts[host.0 as usize].is_none()
            && let Some(here) = here
        {
            hosts[host.0 as usize] = Some(here);
            free[here.0 as usize] = false;
        }
    }
    hosts
}

/// The hosts by their cards; `None` for a card that several have.
fn by_card(topology: &Topology) -> BTreeMap<UniqueId, Option<HostId>> {
    let mut cards = BTreeMap::new();
    for host in topology.host_ids() {
        cards.entry(topology.host(host).id).and_modify(|known| *known = None).or_insert(Some(host));
    }
    cards
}
