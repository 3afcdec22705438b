//! The facts: named crossbars, what is at their ports, and which names mean the same crossbar.
//!
//! A crossbar gets a name each time that a probe enters one through a port of which nothing was known; the port of
//! entry is the name's port 0. The names are the nodes of a union-find whose edges carry how far the ports of one name
//! are shifted against the other's. Every answered probe is a path of facts, and two rules close them:
//!
//! - one port has one peer: two names behind one port are one crossbar;
//! - one host is in one place: two names with one host are one crossbar.
//!
//! Each merge may give a port two peers, which merges those: the closure of the two rules is done when nothing is
//! pending. If it demands the impossible, the facts contradict one another ([`Contradiction`]).

use super::doubt::Doubts;
use super::ports::{PortSet, distance, moved};
use std::collections::HashMap;
use twowire_fabric::id::UniqueId;
use twowire_fabric::route::{Hop, Route};

/// A name of a crossbar.
pub(super) type Name = u32;

/// Index of a host in the order of its discovery; 0 is the front end.
pub(super) type HostIndex = u32;

/// A port of a named crossbar.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    pub(super) name: Name,
    pub(super) port: u8,
}

impl Place {
    pub(super) fn new(name: Name, port: u8) -> Place {
        Place { name, port }
    }

    fn moved(self, delta: u8) -> Place {
        Place { port: moved(self.port, delta), ..self }
    }
}

/// What is at the other end of a cable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Peer {
    Host(HostIndex),
    Crossbar(Place),
}

/// Why answers cannot all be true of one unchanging fabric of hosts with different ids.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Contradiction {
    /// Two hosts at one port.
    #[error("hosts {0} and {1} both answered from one port")]
    TwoHosts(UniqueId, UniqueId),
    /// A host, and a crossbar, at one port.
    #[error("host {0} answered from a port that leads to a crossbar")]
    HostAndCrossbar(UniqueId),
    /// Two different ports of one crossbar that would have to be the same.
    #[error("two ports of one crossbar, {0} apart, would have to be the same port")]
    Shifted(u8),
    /// A walk through what was found does not come back.
    #[error("a probe along {0} must come back by all that was answered, and does not")]
    Silent(Box<Route>),
}

/// A crossbar, under the one of its names that stands for all.
#[derive(Clone, Debug)]
pub(super) struct Crossbar {
    /// Sorted by port.
    links: Vec<(u8, Peer)>,
    /// Ports with a host.
    pub(super) hosts: PortSet,
    /// Ports with a cable to a crossbar.
    pub(super) cables: PortSet,
    /// A route that enters this crossbar at `entry`.
    pub(super) way: Route,
    pub(super) entry: u8,
    /// What silence says of the other ports.
    pub(super) doubts: Doubts,
    /// Crossbars between this one and the nearest host: 0 if it has one itself. Kept by the survey.
    pub(super) level: u8,
    /// Ports that lead nearer to a host. Kept by the survey.
    pub(super) down: PortSet,
    /// Ports of which nothing was known and that may be there. Kept by the survey.
    pub(super) candidates: PortSet,
    /// Ports with a crossbar that may turn out to be another one that is known. Kept by the survey.
    pub(super) doubtful: PortSet,
}

impl Crossbar {
    /// Ports of which a fact is known.
    pub(super) fn used(&self) -> PortSet {
        self.hosts.union(self.cables)
    }

    /// True if nothing yet tells this crossbar from that of another name: it has no host, and ports that are not known.
    pub(super) fn may_have_other_names(&self) -> bool {
        self.hosts.is_empty() && !self.candidates.minus(self.cables).is_empty()
    }

    pub(super) fn peer(&self, port: u8) -> Option<Peer> {
        let index = self.links.binary_search_by_key(&port, |link| link.0).ok()?;
        Some(self.links[index].1)
    }

    pub(super) fn links(&self) -> &[(u8, Peer)] {
        &self.links
    }

    /// Adds a fact; tells how many probes for it had been lost.
    fn set_peer(&mut self, port: u8, peer: Peer) -> u64 {
        let index = self.links.partition_point(|link| link.0 < port);
        self.links.insert(index, (port, peer));
        match peer {
            Peer::Host(_) => {
                self.hosts.insert(port);
                self.level = 0;
            }
            Peer::Crossbar(_) => self.cables.insert(port),
        }
        self.doubts.settle(port, matches!(peer, Peer::Host(_)))
    }
}

/// A host and where it is.
#[derive(Clone, Copy, Debug)]
pub(super) struct HostFact {
    pub(super) id: UniqueId,
    pub(super) place: Place,
    pub(super) epoch: u32,
}

/// All facts of one session.
#[derive(Clone, Debug)]
pub(super) struct Model {
    /// For each name the name that it was merged into (itself if none), and the shift of its ports.
    aliases: Vec<(Name, u8)>,
    crossbars: Vec<Option<Box<Crossbar>>>,
    hosts: Vec<HostFact>,
    by_id: HashMap<UniqueId, HostIndex>,
    /// Places that must be the same.
    pending: Vec<(Place, Place)>,
    /// Names that a fact was added to since they were last taken.
    touched: Vec<Name>,
    merges: u64,
    links: usize,
    /// Probes that were not answered although what they asked for is there.
    lost: u64,
}

impl Model {
    /// The one fact known at the start: the front end sits at port 0 of the crossbar that it calls 0.
    pub(super) fn new(own_id: UniqueId) -> Model {
        let mut model = Model {
            aliases: Vec::new(),
            crossbars: Vec::new(),
            hosts: vec![HostFact { id: own_id, place: Place::new(0, 0), epoch: 0 }],
            by_id: HashMap::from([(own_id, 0)]),
            pending: Vec::new(),
            touched: Vec::new(),
            merges: 0,
            links: 0,
            lost: 0,
        };
        let first = model.add_name(Route::EMPTY, 0);
        model.set_peer(Place::new(first, 0), Peer::Host(0));
        model
    }

    /// Adds what an answered probe proves: its hops lead from the front end to host `end`.
    pub(super) fn learn(&mut self, hops: &Route, end: UniqueId, epoch: u32) -> Result<(), Contradiction> {
        let mut at = Place::new(0, 0);
        let mut way = Route::EMPTY;
        let last = hops.len().saturating_sub(1);
        for (index, hop) in hops.hops().enumerate() {
            let out = at.moved(hop.delta());
            if index == last {
                self.place_host(out, end, epoch)?;
            } else {
                way.push(hop).expect("a part of a route");
                at = self.cross(out, &way)?;
            }
        }
        self.close()
    }

    /// Where a frame comes in that leaves by `out`, having come along `way`: names the crossbar if it has no name.
    fn cross(&mut self, out: Place, way: &Route) -> Result<Place, Contradiction> {
        let out = self.resolve(out);
        match self.crossbar(out.name).peer(out.port) {
            Some(Peer::Crossbar(place)) => Ok(place),
            Some(Peer::Host(host)) => Err(Contradiction::HostAndCrossbar(self.host(host).id)),
            None => {
                let level = self.crossbar(out.name).level.saturating_add(1);
                let place = Place::new(self.add_name(*way, level), 0);
                self.set_peer(out, Peer::Crossbar(place));
                self.set_peer(place, Peer::Crossbar(out));
                Ok(place)
            }
        }
    }

    fn place_host(&mut self, out: Place, id: UniqueId, epoch: u32) -> Result<(), Contradiction> {
        let out = self.resolve(out);
        let known = self.by_id.get(&id).copied();
        let host = known.unwrap_or(self.hosts.len() as HostIndex);
        match self.crossbar(out.name).peer(out.port) {
            None => self.set_peer(out, Peer::Host(host)),
            Some(Peer::Host(there)) if there == host => {}
            Some(Peer::Host(there)) => return Err(Contradiction::TwoHosts(self.host(there).id, id)),
            Some(Peer::Crossbar(_)) => return Err(Contradiction::HostAndCrossbar(id)),
        }
        match known {
            Some(_) => self.pending.push((self.host(host).place, out)),
            None => {
                self.hosts.push(HostFact { id, place: out, epoch });
                self.by_id.insert(id, host);
            }
        }
        Ok(())
    }

    fn add_name(&mut self, way: Route, level: u8) -> Name {
        let name = self.aliases.len() as Name;
        self.aliases.push((name, 0));
        self.crossbars.push(Some(Box::new(Crossbar {
            links: Vec::new(),
            hosts: PortSet::EMPTY,
            cables: PortSet::EMPTY,
            way,
            entry: 0,
            doubts: Doubts::default(),
            level,
            down: PortSet::EMPTY,
            candidates: PortSet::ALL,
            doubtful: PortSet::EMPTY,
        })));
        name
    }

    fn set_peer(&mut self, at: Place, peer: Peer) {
        self.lost += self.crossbar_mut(at.name).set_peer(at.port, peer);
        self.touched.push(at.name);
        self.links += 1;
    }

    /// Merges until no two names are known to mean the same crossbar.
    fn close(&mut self) -> Result<(), Contradiction> {
        while let Some((a, b)) = self.pending.pop() {
            self.merge(a, b)?;
        }
        Ok(())
    }

    fn merge(&mut self, a: Place, b: Place) -> Result<(), Contradiction> {
        let (mut a, mut b) = (self.resolve(a), self.resolve(b));
        if a.name == b.name {
            let apart = distance(a.port, b.port);
            return if apart == 0 { Ok(()) } else { Err(Contradiction::Shifted(apart)) };
        }
        if self.crossbar(a.name).links.len() < self.crossbar(b.name).links.len() {
            std::mem::swap(&mut a, &mut b);
        }
        let shift = distance(b.port, a.port);
        self.aliases[b.name as usize] = (a.name, shift);
        let gone = self.crossbars[b.name as usize].take().expect("a name that stands for a crossbar");
        self.merges += 1;
        self.touched.extend([a.name, b.name]);
        self.absorb(a.name, *gone, shift)
    }

    fn absorb(&mut self, into: Name, gone: Crossbar, shift: u8) -> Result<(), Contradiction> {
        let kept = self.crossbars[into as usize].as_mut().expect("a name that stands for a crossbar");
        if gone.way.len() < kept.way.len() {
            kept.way = gone.way;
            kept.entry = moved(gone.entry, shift);
        }
        kept.level = kept.level.min(gone.level);
        kept.down = kept.down.union(gone.down.moved(shift));
        kept.candidates = kept.candidates.both(gone.candidates.moved(shift));
        kept.doubts.absorb(gone.doubts, shift);
        for &(port, peer) in &kept.links {
            self.lost += kept.doubts.settle(port, matches!(peer, Peer::Host(_)));
        }
        for (port, peer) in gone.links {
            let port = moved(port, shift);
            match (kept.peer(port), peer) {
                (None, _) => self.lost += kept.set_peer(port, peer),
                (Some(Peer::Crossbar(one)), Peer::Crossbar(other)) => {
                    self.pending.push((one, other));
                    self.links -= 1;
                }
                (Some(Peer::Host(one)), Peer::Host(other)) if one == other => self.links -= 1,
                (Some(Peer::Host(one)), Peer::Host(other)) => {
                    let id = |host: HostIndex| self.hosts[host as usize].id;
                    return Err(Contradiction::TwoHosts(id(one), id(other)));
                }
                (Some(Peer::Host(host)), Peer::Crossbar(_)) | (Some(Peer::Crossbar(_)), Peer::Host(host)) => {
                    return Err(Contradiction::HostAndCrossbar(self.hosts[host as usize].id));
                }
            }
        }
        Ok(())
    }

    /// The place under the name that stands for its crossbar.
    pub(super) fn resolve(&self, mut place: Place) -> Place {
        loop {
            let (parent, shift) = self.aliases[place.name as usize];
            if parent == place.name {
                return place;
            }
            place = Place::new(parent, moved(place.port, shift));
        }
    }

    /// A crossbar by the name that stands for it.
    pub(super) fn crossbar(&self, name: Name) -> &Crossbar {
        self.crossbars[name as usize].as_ref().expect("a name that stands for a crossbar")
    }

    pub(super) fn crossbar_mut(&mut self, name: Name) -> &mut Crossbar {
        self.crossbars[name as usize].as_mut().expect("a name that stands for a crossbar")
    }

    /// What is at a place.
    pub(super) fn peer(&self, at: Place) -> Option<Peer> {
        let at = self.resolve(at);
        self.crossbar(at.name).peer(at.port)
    }

    /// The place at the other end of the cable between crossbars.
    pub(super) fn across(&self, at: Place) -> Option<Place> {
        match self.peer(at)? {
            Peer::Crossbar(place) => Some(self.resolve(place)),
            Peer::Host(_) => None,
        }
    }

    /// Every name that stands for a crossbar, in the order of their making.
    pub(super) fn names(&self) -> impl Iterator<Item = Name> + '_ {
        (0..self.crossbars.len() as Name).filter(|&name| self.crossbars[name as usize].is_some())
    }

    /// How many names were ever made.
    pub(super) fn names_made(&self) -> usize {
        self.aliases.len()
    }

    pub(super) fn stands(&self, name: Name) -> bool {
        self.crossbars[name as usize].is_some()
    }

    pub(super) fn host(&self, host: HostIndex) -> &HostFact {
        &self.hosts[host as usize]
    }

    pub(super) fn hosts(&self) -> &[HostFact] {
        &self.hosts
    }

    pub(super) fn merges(&self) -> u64 {
        self.merges
    }

    /// How many probes for what is known by now were lost.
    pub(super) fn lost(&self) -> u64 {
        self.lost
    }

    /// Crossbars that are known now.
    pub(super) fn crossbar_count(&self) -> usize {
        self.aliases.len() - self.merges as usize
    }

    /// Cables that are known now: each host's, and half of the ports that lead from crossbar to crossbar.
    pub(super) fn cable_count(&self) -> usize {
        let to_hosts = self.hosts.len();
        to_hosts + (self.links - to_hosts.min(self.links)) / 2
    }

    /// The names that facts were added to since the last call.
    pub(super) fn take_touched(&mut self) -> Vec<Name> {
        std::mem::take(&mut self.touched)
    }

    /// The route to a crossbar, and out of it by a port.
    pub(super) fn route_out(&self, at: Place) -> Option<Route> {
        let at = self.resolve(at);
        let crossbar = self.crossbar(at.name);
        let mut route = crossbar.way;
        route.push(Hop::new(distance(crossbar.entry, at.port).into())).ok()?;
        Some(route)
    }
}
