//! Watches a mapped fabric, and keeps its routes right.
//!
//! [`Server`] is one state machine: a sweep looks whether all that is known is still there; what it finds changes the topology, the
//! routes are [repaired](crate::repair) and proved, and the nodes that this touches are given theirs in two phases, or none is. Then, after
//! an interval, comes the next sweep. A sweep sees that a crossbar is where none was, but not which: then the fabric is mapped anew, and
//! what that finds is one more change.

mod event;
mod findings;
mod mapping;
mod news;
mod publish;
mod sweep;
#[cfg(test)]
mod tests;
mod ways;

pub use event::{Event, Proved, What};

use crate::change::Change;
use crate::discovery::Discovery;
use crate::discovery::window::RoundTrips;
use crate::repair::Routing;
use event::ms;
use findings::Cards;
use publish::{Outcome, Publication, Purpose, left_behind};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;
use sweep::{Answer, Known, Sweep};
use twowire_fabric::endpoint::{EndpointConfig, ReliableEndpoint};
use twowire_fabric::id::UniqueId;
use twowire_fabric::map::distribute::{DistributorConfig, Failure};
use twowire_fabric::map::{FabricMap, RouteSet};
use twowire_fabric::protocol::{Protocol, Transmit};
use twowire_fabric::time::Time;
use twowire_fabric::topology::{HostId, NodeId, PortId, Topology};
use twowire_fabric::wire::probe::FIRST_SEARCH_SESSION;
use twowire_fabric::wire::{Family, Header, Packet};
use ways::{Cable, Walk, Ways};

/// How often an epoch is given up because of a node before that node is taken out of the map.
const STRIKES: u8 = 2;

/// After so many epochs in a row that were given up, the next sweep waits for its time.
const MANY_GIVEN_UP: u32 = 6;

/// How a server goes about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ServeConfig {
    /// From the end of a sweep to the next.
    pub interval: Duration,
    /// Probes that may be on their way at once.
    pub window: usize,
    /// How long to wait for an answer at least.
    pub timeout_floor: Duration,
    /// Ports without a cable that a sweep looks at; the next one goes on with others.
    pub ports_at_once: usize,
    /// How long a node may make no progress while it is given routes.
    pub patience: Duration,
}

impl Default for ServeConfig {
    /// For a simulated fabric.
    fn default() -> ServeConfig {
        ServeConfig {
            interval: Duration::from_secs(1),
            window: 64,
            timeout_floor: Duration::from_micros(40),
            ports_at_once: 64,
            patience: DistributorConfig::default().patience,
        }
    }
}

/// What it does at present.
enum State {
    Waiting,
    Sweeping(Box<Sweep>, Time),
    Mapping(Box<Discovery>, Time),
    Publishing(Box<Publication>),
}

/// Watches a fabric.
pub struct Server {
    config: ServeConfig,
    routing: Routing,
    front_end: HostId,
    endpoint: ReliableEndpoint,
    session: u32,
    id: UniqueId,
    rng: fastrand::Rng,
    round_trips: RoundTrips,
    state: State,
    begin: Time,
    next_sweep: Time,
    sweeps: u64,
    /// The walks of a sweep, until the topology changes.
    walks: Vec<Walk>,
    /// Cables that were lost.
    lost: Vec<Cable>,
    /// For each host, the epoch of the routes that it was given.
    held: Vec<u32>,
    /// The nodes that the epoch on its way is for, and the new one if it goes before that.
    waiting: Vec<HostId>,
    /// The last epoch between that was in use, if no other has been since.
    between: Option<u32>,
    /// Where to go on among the ports without a cable.
    next_port: usize,
    /// Ports without a known cable behind which there is a crossbar, for which the fabric has been mapped since it last changed.
    mapped_for: BTreeSet<PortId>,
    /// The crossbars that there were at first.
    first_crossbars: usize,
    /// True if there is a crossbar where none is known, or another one than is known.
    is_to_map: bool,
    /// For each host, how many epochs were given up because of it.
    strikes: BTreeMap<HostId, u8>,
    /// How many epochs in a row were given up.
    given_up: u32,
    /// True if the routes do not fit the topology, since there were none or they were given up.
    is_open: bool,
    /// True if there were none the last time.
    is_refused: bool,
    events: VecDeque<Event>,
}

impl Server {
    /// A server that begins by giving all nodes their routes. The hosts are named by their numbers, in this order; `id` is the front end's card.
    pub fn new(config: ServeConfig, now: Time, routing: Routing, front_end: HostId, id: UniqueId, seed: u64) -> Server {
        let mut rng = fastrand::Rng::with_seed(seed);
        let session = rng.u32(1..FIRST_SEARCH_SESSION / 2);
        let topology = routing.standing().topology();
        let (hosts, walks) = (topology.hosts().len(), Ways::of(topology, front_end, |_| true).walks(topology));
        let mut server = Server {
            config,
            front_end,
            endpoint: ReliableEndpoint::new(EndpointConfig::default(), id, rng.u64(..)),
            session,
            id,
            rng,
            round_trips: RoundTrips::new(config.timeout_floor),
            state: State::Waiting,
            begin: now,
            next_sweep: now + config.interval,
            sweeps: 0,
            walks,
            lost: Vec::new(),
            held: vec![0; hosts],
            waiting: Vec::new(),
            between: None,
            next_port: 0,
            mapped_for: BTreeSet::new(),
            first_crossbars: routing.standing().topology().crossbars().len(),
            is_to_map: false,
            strikes: BTreeMap::new(),
            given_up: 0,
            is_open: false,
            is_refused: false,
            events: VecDeque::new(),
            routing,
        };
        let nodes: Vec<HostId> = server.topology().host_ids().filter(|&host| host != front_end).collect();
        server.publish(now, nodes, Purpose::New);
        server
    }

    /// The fabric as it is known, and its routes.
    pub fn routing(&self) -> &Routing {
        &self.routing
    }

    fn topology(&self) -> &Topology {
        self.routing.standing().topology()
    }

    /// How many sweeps have ended.
    pub fn sweeps(&self) -> u64 {
        self.sweeps
    }

    /// True while it waits for the next sweep: all that was found has been dealt with, as far as it can be.
    pub fn is_settled(&self) -> bool {
        matches!(self.state, State::Waiting) && !self.is_to_map && (!self.is_open || self.is_refused)
    }

    /// True if the routes in use do not fit the fabric: there are none that do.
    pub fn is_open(&self) -> bool {
        self.is_open
    }

    /// What has happened, the oldest first.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    fn report(&mut self, now: Time, what: What) {
        tracing::debug!(%what, "mapper serve");
        self.events.push_back(Event::new(self.begin, now, what));
    }

    fn advance(&mut self, now: Time) {
        match &mut self.state {
            State::Waiting if self.is_to_map => self.map(now),
            State::Waiting if self.next_sweep <= now => self.sweep(now),
            State::Waiting => {}
            State::Mapping(discovery, _) => {
                if discovery.is_done() {
                    self.mapped(now);
                }
            }
            State::Sweeping(sweep, _) => {
                sweep.advance(now, self.routing.standing().topology(), self.front_end);
                if sweep.is_done() {
                    self.swept(now);
                }
            }
            State::Publishing(publication) => {
                if let Some(outcome) = publication.outcome(now, &mut self.endpoint) {
                    self.published(now, outcome);
                }
            }
        }
    }

    fn sweep(&mut self, now: Time) {
        self.session = self.session % (FIRST_SEARCH_SESSION / 2 - 1) + 1;
        // Not before: what came with an epoch that was given up is not there any more.
        let topology = self.routing.standing().topology();
        self.lost.retain(|&(a, b)| topology.peer(a) != Some(b));
        let ports = self.ports_to_look_at();
        let known = Known {
            topology: self.routing.standing().topology(),
            front_end: self.front_end,
            lost: &self.lost,
            ports,
            walks: &self.walks,
        };
        let sweep = Sweep::new(self.session, self.config.window, self.round_trips.clone(), &known);
        self.state = State::Sweeping(Box::new(sweep), now);
    }

    /// Where hosts were, and some of the other ports without a cable.
    fn ports_to_look_at(&mut self) -> Vec<PortId> {
        let topology = self.routing.standing().topology();
        let ends = |x: twowire_fabric::topology::CrossbarId| {
            (0..topology.crossbar(x).ports).map(move |port| PortId::new(x, port))
        };
        let lost: BTreeSet<PortId> = self.lost.iter().flat_map(|&(a, b)| [a, b]).collect();
        let is_free = |end: &PortId| topology.peer(*end).is_none() && !lost.contains(end);
        let free: Vec<PortId> = topology.crossbar_ids().flat_map(ends).filter(is_free).collect();
        let some = free.iter().cycle().skip(self.next_port % free.len().max(1));
        let mut ports: Vec<PortId> = some.take(self.config.ports_at_once.min(free.len())).copied().collect();
        self.next_port = (self.next_port + ports.len()) % free.len().max(1);
        ports.extend(
            lost.into_iter().filter(|end| matches!(end.node, NodeId::Crossbar(_)) && topology.peer(*end).is_none()),
        );
        ports
    }

    fn swept(&mut self, now: Time) {
        let State::Sweeping(sweep, since) = std::mem::replace(&mut self.state, State::Waiting) else { return };
        let findings;
        (findings, self.round_trips) = sweep.finish();
        (self.sweeps, self.next_sweep) = (self.sweeps + 1, now + self.config.interval);
        self.report(now, What::Sweep { probes: findings.probes, took_ms: ms(since, now) });
        if findings.nothing {
            return self.report(now, What::Silence);
        }
        let (change, cards) = self.understand(now, &findings);
        let nodes = self.look_at_hosts(now, &findings);
        if change.is_empty() && !self.is_open && !self.is_to_map {
            self.strikes.retain(|_, strikes| *strikes < STRIKES);
        }
        self.follow(now, &change, cards, nodes);
    }

    /// Takes in a change, and gives the nodes that it touches their routes; and those to which these have to be given anyway.
    fn follow(&mut self, now: Time, change: &Change, mut cards: Cards, mut nodes: Vec<HostId>) {
        let mut purpose = Purpose::Again;
        if !change.is_empty() || self.is_open {
            match self.routing.change(change) {
                Ok(update) => {
                    let (epoch, entries) = (update.changed.epoch, update.changed.entries);
                    let between = update.between.as_ref().map(RouteSet::epoch);
                    let proved = Proved { epoch, entries, nodes: update.nodes.len(), whole: update.whole, between };
                    self.report(now, What::Proved(proved));
                    nodes.extend(update.nodes);
                    purpose = update.between.map_or(Purpose::New, Purpose::Between);
                    (self.is_open, self.is_refused) = (false, false);
                    if !change.is_empty() {
                        self.mapped_for.clear();
                    }
                }
                Err(error) => {
                    (self.is_open, self.is_refused) = (true, true);
                    self.report(now, What::Refused { reason: error.to_string() });
                }
            }
            self.changed(change);
        }
        cards.retain(|&(host, _)| (host.0 as usize) < self.topology().hosts().len());
        cards.into_iter().for_each(|(host, id)| self.routing.set_unique_id(host, id));
        let is_new = !matches!(purpose, Purpose::Again);
        if is_new {
            nodes.extend(self.topology().host_ids().filter(|host| self.between == Some(self.held[host.0 as usize])));
        }
        nodes.retain(|&host| host != self.front_end);
        nodes.sort_unstable();
        nodes.dedup();
        if is_new || !nodes.is_empty() {
            self.publish(now, nodes, purpose);
        }
    }

    fn plan_walks(&mut self) {
        let topology = self.routing.standing().topology();
        self.walks = Ways::of(topology, self.front_end, |_| true).walks(topology);
    }

    /// Takes a change over into what is remembered.
    fn changed(&mut self, change: &Change) {
        let topology = self.routing.standing().topology();
        let is_there = |&(a, b): &Cable| topology.peer(a) == Some(b);
        let gone = change.gone.iter().filter(|cable| !is_there(cable) && !self.lost.contains(cable));
        let gone: Vec<Cable> = gone.copied().collect();
        self.lost.extend(gone);
        self.held.resize(topology.hosts().len(), 0);
        for host in change.come.iter().filter_map(|(a, _)| match a.node {
            NodeId::Host(host) => Some(host),
            NodeId::Crossbar(_) => None,
        }) {
            if let Some(held) = self.held.get_mut(host.0 as usize) {
                *held = 0;
            }
        }
        self.plan_walks();
    }

    fn publish(&mut self, now: Time, nodes: Vec<HostId>, purpose: Purpose) {
        let standing = self.routing.standing();
        let map = FabricMap::from_topology(standing.topology().clone()).expect("hosts are named by their numbers");
        let routes = standing.routes().clone();
        let patience = self.config.patience;
        let publication = Publication::begin(now, map, routes, &nodes, patience, purpose, &mut self.endpoint);
        self.waiting = nodes;
        self.state = State::Publishing(Box::new(publication));
        self.advance(now);
    }

    fn published(&mut self, now: Time, outcome: Outcome) {
        let State::Publishing(publication) = std::mem::replace(&mut self.state, State::Waiting) else { return };
        match outcome {
            Outcome::InUse(hosts, failures) => self.in_use(now, &publication, &hosts, &failures),
            Outcome::RolledBack(failure) => self.rolled_back(now, &publication, &failure),
        }
    }

    /// These hosts use an epoch; others that hold it could not be reached any more.
    fn in_use(&mut self, now: Time, publication: &Publication, hosts: &[HostId], failures: &[Failure]) {
        let epoch = publication.epoch();
        // One that holds another epoch when it is asked again is given its routes again.
        let all = failures.iter().filter_map(|failure| publication.host(failure)).chain(hosts.iter().copied());
        all.for_each(|host| self.held[host.0 as usize] = epoch);
        self.strikes.retain(|host, _| !hosts.contains(host));
        let took_ms = ms(publication.seen, now);
        self.report(now, What::InUse { epoch, nodes: hosts.len(), took_ms });
        failures.iter().for_each(|failure| self.report(now, left_behind(failure)));
        match &publication.purpose {
            Purpose::Again => {}
            Purpose::New => {
                (self.between, self.given_up) = (None, 0);
                self.routing.retire();
            }
            Purpose::Between(_) => {
                self.between = Some(epoch);
                match failures.first() {
                    // It may use the routes of before, with which the new ones do not go together.
                    Some(failure) => self.rolled_back(now, publication, failure),
                    None => {
                        let nodes = std::mem::take(&mut self.waiting);
                        self.publish(now, nodes, Purpose::New);
                    }
                }
            }
        }
    }

    fn rolled_back(&mut self, now: Time, publication: &Publication, failure: &Failure) {
        self.routing.roll_back();
        // Crossbars that were new are not in the map any more.
        self.mapped_for.clear();
        self.plan_walks();
        self.is_open = true;
        if let Some(host) = publication.host(failure) {
            *self.strikes.entry(host).or_default() += 1;
        }
        let (node, reason) = (failure.node.to_string(), format!("{}: {}", failure.stage, failure.reason));
        self.report(now, What::RolledBack { epoch: publication.epoch(), node, reason });
        self.given_up += 1;
        if self.given_up < MANY_GIVEN_UP {
            self.next_sweep = now;
        }
    }

    fn take_events(&mut self, now: Time) {
        while let Some(event) = self.endpoint.poll_event() {
            if let State::Publishing(publication) = &mut self.state {
                publication.handle_event(now, &event, &mut self.endpoint);
            }
        }
    }
}

impl Protocol for Server {
    fn handle_packet(&mut self, now: Time, packet: &Packet) {
        match (&packet.header, &mut self.state) {
            (Header::Probe(probe), State::Sweeping(sweep, _)) => sweep.answer(now, probe.session, probe.nonce, None),
            (Header::ProbeReply(reply), State::Sweeping(sweep, _)) => {
                let answer = Answer { id: reply.id, epoch: reply.epoch };
                sweep.answer(now, reply.session, reply.nonce, Some(answer));
            }
            (Header::Probe(_) | Header::ProbeReply(_), State::Mapping(discovery, _)) => {
                discovery.handle_packet(now, packet);
            }
            (header, _) if header.kind().family() == Family::Endpoint => {
                self.endpoint.handle_packet(now, packet);
                self.take_events(now);
            }
            _ => {}
        }
        self.advance(now);
    }

    fn handle_timeout(&mut self, now: Time) {
        if self.endpoint.poll_timeout().is_some_and(|at| at <= now) {
            self.endpoint.handle_timeout(now);
            self.take_events(now);
        }
        match &mut self.state {
            State::Publishing(publication) => publication.handle_timeout(now, &mut self.endpoint),
            State::Mapping(discovery, _) => discovery.handle_timeout(now),
            State::Waiting | State::Sweeping(..) => {}
        }
        self.advance(now);
    }

    fn poll_transmit(&mut self, now: Time) -> Option<Transmit> {
        let probe = match &mut self.state {
            State::Sweeping(sweep, _) => sweep.next(now),
            State::Mapping(discovery, _) => discovery.poll_transmit(now),
            _ => None,
        };
        probe.or_else(|| self.endpoint.poll_transmit(now))
    }

    fn poll_timeout(&self) -> Option<Time> {
        let own = match &self.state {
            // There is something to do at once.
            State::Waiting if self.is_to_map => Some(self.begin),
            State::Mapping(discovery, since) if discovery.is_done() => Some(*since),
            State::Waiting => Some(self.next_sweep),
            State::Sweeping(sweep, _) => sweep.deadline(),
            State::Mapping(discovery, _) => discovery.poll_timeout(),
            State::Publishing(publication) => publication.poll_timeout(),
        };
        [own, self.endpoint.poll_timeout()].into_iter().flatten().min()
    }
}
