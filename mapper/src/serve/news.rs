//! What a new map of the fabric has that is not known yet: laid beside the known map, place by place.

use super::ways::Cable;
use crate::discovery::DiscoveredMap;
use crate::levels;
use std::collections::BTreeMap;
use twowire_fabric::id::UniqueId;
use twowire_fabric::topology::lockstep::Lockstep;
use twowire_fabric::topology::{Crossbar, CrossbarId, HostId, MAX_RADIX, NodeId, PortId, Topology};

/// Crossbars, cables and hosts that are new, or back. New crossbars are numbered behind the known ones.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct News {
    pub crossbars: Vec<Crossbar>,
    /// Cables between crossbars.
    pub cables: Vec<Cable>,
    /// Hosts, and the ports of crossbars where they are.
    pub hosts: Vec<(PortId, UniqueId)>,
    /// Known hosts with another card.
    pub cards: Vec<(HostId, UniqueId)>,
}

/// Something else is where a cable is known to be: the fabric has changed since the last sweep.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("another cable is at {0} than the last look has found")]
pub(super) struct Unlike(String);

impl News {
    /// What the map has that is not known, or was lost. Ports that a known crossbar does not have are left out.
    ///
    /// # Errors
    /// The map contradicts what is known.
    pub(super) fn of(known: &Topology, lost: &[Cable], front_end: HostId, map: &DiscoveredMap) -> Result<News, Unlike> {
        let mut places = Places::of(known, lost, front_end, map);
        let mut news = News { crossbars: places.add_new(known, &map.topology), ..News::default() };
        let unlike = |at: PortId| Err(Unlike(known.port_name(at).to_string()));
        for cable in map.topology.cables() {
            match (at(&places, known, cable.a), at(&places, known, cable.b)) {
                (At::Known(here, Some(peer)), At::Host(id)) | (At::Host(id), At::Known(here, Some(peer))) => {
                    match peer.node {
                        NodeId::Crossbar(_) => return unlike(here),
                        NodeId::Host(host) if known.host(host).id != id => news.cards.push((host, id)),
                        NodeId::Host(_) => {}
                    }
                }
                (At::Known(here, None) | At::New(here), At::Host(id))
                | (At::Host(id), At::Known(here, None) | At::New(here)) => news.hosts.push((here, id)),
                (At::Known(here, Some(peer)), other) | (other, At::Known(here, Some(peer))) => {
                    if other.port() != Some(peer) {
                        return unlike(here);
                    }
                }
                (one, other) => news.cables.extend(one.port().zip(other.port())),
            }
        }
        Ok(news)
    }
}

/// What an end of a cable of the map is.
#[derive(Clone, Copy)]
enum At {
    /// A known port, and what is known to be at the other end of its cable.
    Known(PortId, Option<PortId>),
    /// A port of a new crossbar.
    New(PortId),
    Host(UniqueId),
    /// A port that the known crossbar does not have.
    Beyond,
}

impl At {
    fn port(self) -> Option<PortId> {
        match self {
            At::Known(port, _) | At::New(port) => Some(port),
            At::Host(_) | At::Beyond => None,
        }
    }
}

fn at(places: &Places, known: &Topology, end: PortId) -> At {
    match end.node {
        NodeId::Host(host) => At::Host(places.map.host(host).id),
        NodeId::Crossbar(x) => {
            let port = places.port(x, end.port).expect("what is not known is new");
            match port.node {
                NodeId::Crossbar(y) if y.0 as usize >= known.crossbars().len() => At::New(port),
                node if port.port < known.peers(node).len() as u8 => At::Known(port, known.peer(port)),
                _ => At::Beyond,
            }
        }
    }
}

/// Where the crossbars of the map are known to be: for each the known one, and what to add to its ports' numbers, modulo 128.
struct Places<'a> {
    map: &'a Topology,
    known: BTreeMap<CrossbarId, (CrossbarId, u8)>,
}

impl<'a> Places<'a> {
    /// First by location, as far as all has been there all the time. What was lost may be back by another way: then by the location
    /// that it had, and then by the hosts at it.
    fn of(known: &Topology, lost: &[Cable], front_end: HostId, map: &'a DiscoveredMap) -> Places<'a> {
        let mut places = Places { map: &map.topology, known: BTreeMap::new() };
        let remembered = remembered(known, lost);
        for topology in [known, &remembered] {
            let lockstep = Lockstep::walk(topology, front_end, &map.topology, map.front_end);
            places.add(map.topology.crossbar_ids().filter_map(|x| Some((x, lockstep.crossbar_in_a(x)?))));
        }
        places.add(map.topology.crossbar_ids().filter_map(|x| Some((x, by_hosts(&remembered, &map.topology, x)?))));
        places
    }

    /// Adds places, but neither a second one nor one that is taken.
    fn add(&mut self, found: impl Iterator<Item = (CrossbarId, (CrossbarId, u8))>) {
        for (x, place) in found {
            if !self.known.contains_key(&x) && self.known.values().all(|&(taken, _)| taken != place.0) {
                self.known.insert(x, place);
            }
        }
    }

    /// Numbers the crossbars that are not known behind the known ones.
    fn add_new(&mut self, known: &Topology, map: &Topology) -> Vec<Crossbar> {
        let levels = levels::of_crossbars(map);
        let mut new: Vec<Crossbar> = Vec::new();
        for x in map.crossbar_ids() {
            if self.known.contains_key(&x) {
                continue;
            }
            let is_free = |name: &String| known.find(name).is_none() && new.iter().all(|other| other.name != *name);
            let mut names = (0..).map(|index| format!("x{}.{index}", levels[x.0 as usize]));
            let name = names.find(is_free).expect("names do not end");
            let (ports, room) = with_room(map, x);
            self.known.insert(x, (CrossbarId((known.crossbars().len() + new.len()) as u32), room));
            new.push(Crossbar { name, ports });
        }
        new
    }

    fn port(&self, x: CrossbarId, port: u8) -> Option<PortId> {
        self.known.get(&x).map(|&(known, offset)| PortId::new(known, (port + offset) & 0x7f))
    }
}

/// How many ports a new crossbar has, and what to add to their numbers, such that cables may come below the lowest port that has
/// one now, and above the highest: as many as the widest crossbar has ports more.
fn with_room(map: &Topology, x: CrossbarId) -> (u8, u8) {
    let used = map.peers(x.into()).iter().rposition(Option::is_some).map_or(0, |highest| highest as u8 + 1);
    let room = (map.crossbar(x).ports - used).min((MAX_RADIX - used) / 2);
    (used + 2 * room, room)
}

/// What is known, and what was lost, where it was.
fn remembered(known: &Topology, lost: &[Cable]) -> Topology {
    let mut remembered = known.clone();
    let is_there = |end: PortId| match end.node {
        NodeId::Crossbar(x) => (x.0 as usize) < known.crossbars().len(),
        NodeId::Host(host) => (host.0 as usize) < known.hosts().len(),
    };
    for &(a, b) in lost.iter().filter(|&&(a, b)| is_there(a) && is_there(b)) {
        if remembered.peer(a).is_none() && remembered.peer(b).is_none() {
            remembered.connect(a, b).expect("both ports are free");
        }
    }
    remembered
}

/// The crossbar where most of the hosts were that are at a crossbar of the map now.
fn by_hosts(remembered: &Topology, map: &Topology, x: CrossbarId) -> Option<(CrossbarId, u8)> {
    let mut votes: BTreeMap<(CrossbarId, u8), usize> = BTreeMap::new();
    for (port, peer) in (0..).zip(map.peers(x.into())) {
        let Some(PortId { node: NodeId::Host(host), .. }) = *peer else { continue };
        let was = remembered.host_ids().find(|&was| remembered.host(was).id == map.host(host).id);
        let at = was.and_then(|was| remembered.peer(PortId::new(was, 0)));
        if let Some(PortId { node: NodeId::Crossbar(y), port: before }) = at {
            *votes.entry((y, before.wrapping_sub(port) & 0x7f)).or_default() += 1;
        }
    }
    votes.into_iter().max_by_key(|&(_, votes)| votes).map(|(place, _)| place)
}
