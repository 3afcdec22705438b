//! One look at a known fabric: is everything still there, and is something back?
//!
//! Walks of up to 63 hops cross all cables between crossbars, some fifty each; every host is asked who it is. Only if a walk does not
//! come back its cables are tried one by one, by ways over those that are good, so that in the end each silent cable borders on what answers.

use super::ways::{Cable, Walk, Ways, cables};
use crate::discovery::window::{RoundTrips, Window};
use bytes::Bytes;
use std::collections::{BTreeSet, VecDeque};
use twowire_fabric::id::UniqueId;
use twowire_fabric::protocol::Transmit;
use twowire_fabric::route::Route;
use twowire_fabric::time::Time;
use twowire_fabric::topology::{HostId, NodeId, PortId, Topology};
use twowire_fabric::wire::Packet;
use twowire_fabric::wire::probe::Probe;

/// How often a question is asked before silence counts.
const TRIES: u8 = 4;

/// What is known of the fabric when a sweep begins.
pub(super) struct Known<'a> {
    pub topology: &'a Topology,
    pub front_end: HostId,
    /// Cables that were lost.
    pub lost: &'a [Cable],
    /// Ports of crossbars where something new may be.
    pub ports: Vec<PortId>,
    /// The walks over all cables, as they were planned for this topology.
    pub walks: &'a [Walk],
}

/// What a host has answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Answer {
    pub id: UniqueId,
    /// The epoch of the routes that it holds.
    pub epoch: u32,
}

/// What a sweep has found.
#[derive(Clone, Debug, Default)]
pub(super) struct Findings {
    pub probes: u64,
    /// Cables that are silent, though there are ways to them; hosts' cables too.
    pub gone: Vec<Cable>,
    /// Cables between crossbars that are back.
    pub back: Vec<Cable>,
    /// Who the known hosts are.
    pub hosts: Vec<(HostId, Answer)>,
    /// Hosts where none was known.
    pub new_hosts: Vec<(PortId, Answer)>,
    /// Ports behind which a crossbar is where none was known.
    pub new_cables: Vec<PortId>,
    /// Ports behind which none is.
    pub no_cables: Vec<PortId>,
    /// True if nothing answered at all.
    pub nothing: bool,
}

/// What is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ask {
    /// Does this walk come back?
    Walk(usize),
    /// Is this cable there?
    Cable(Cable),
    /// Is this one back?
    Lost(Cable),
    /// Who is this host?
    Host(HostId),
    /// Is there a host?
    NewHost(PortId),
    /// Is there a crossbar?
    NewCable(PortId),
}

#[derive(Clone, Copy, Debug)]
struct Question {
    ask: Ask,
    route: Route,
    tries_left: u8,
}

/// A sweep.
pub(super) struct Sweep {
    session: u32,
    window: Window<Question>,
    queue: VecDeque<Question>,
    /// Cables of walks that did not come back, and that have not answered since.
    suspects: BTreeSet<Cable>,
    /// Those of them that were asked for themselves.
    asked: BTreeSet<Cable>,
    silent_hosts: Vec<HostId>,
    answered: bool,
    /// True once silent hosts are asked by ways that are good.
    is_last: bool,
    walks: Vec<Vec<Cable>>,
    findings: Findings,
    done: bool,
}

impl Sweep {
    /// Begins to look.
    pub(super) fn new(session: u32, window: usize, round_trips: RoundTrips, known: &Known) -> Sweep {
        let mut sweep = Sweep {
            session,
            window: Window::new(window, round_trips),
            queue: VecDeque::new(),
            suspects: BTreeSet::new(),
            asked: BTreeSet::new(),
            silent_hosts: Vec::new(),
            answered: false,
            is_last: false,
            walks: known.walks.iter().map(|walk| walk.cables.clone()).collect(),
            findings: Findings::default(),
            done: false,
        };
        for (index, walk) in known.walks.iter().enumerate() {
            sweep.ask(Ask::Walk(index), Some(walk.route));
        }
        let ways = Ways::of(known.topology, known.front_end, |_| true);
        let walked: BTreeSet<Cable> = known.walks.iter().flat_map(|walk| &walk.cables).copied().collect();
        for cable in cables(known.topology).filter(|&(a, b)| !walked.contains(&(a, b)) && !walked.contains(&(b, a))) {
            sweep.ask(Ask::Cable(cable), ways.over(cable));
        }
        for host in known.topology.host_ids().filter(|&host| host != known.front_end) {
            sweep.ask_host(known.topology, &ways, host);
        }
        for &cable in known.lost.iter().filter(|(a, b)| is_crossbar(a) && is_crossbar(b)) {
            sweep.ask(Ask::Lost(cable), ways.over(cable));
        }
        for &port in &known.ports {
            sweep.ask(Ask::NewHost(port), ways.out_of(port));
            sweep.ask(Ask::NewCable(port), ways.there_and_back(port));
        }
        sweep
    }

    /// True once there are findings.
    pub(super) fn is_done(&self) -> bool {
        self.done
    }

    /// What was found, and the round trips for the next sweep.
    pub(super) fn finish(self) -> (Findings, RoundTrips) {
        (self.findings, self.window.into_round_trips())
    }

    fn ask(&mut self, ask: Ask, route: Option<Route>) {
        // What is so far away that no probe can come back from it is left alone. Unknown places are asked less often.
        let tries_left = if matches!(ask, Ask::NewHost(_) | Ask::NewCable(_)) { 2 } else { TRIES };
        self.queue.extend(route.map(|route| Question { ask, route, tries_left }));
    }

    fn ask_host(&mut self, topology: &Topology, ways: &Ways, host: HostId) {
        let at = topology.peers(host.into()).iter().flatten().next();
        self.ask(Ask::Host(host), at.and_then(|&at| ways.out_of(at)));
    }

    /// A probe has come back by itself, or been answered by a host.
    pub(super) fn answer(&mut self, now: Time, session: u32, nonce: u32, host: Option<Answer>) {
        if session != self.session {
            return;
        }
        let Some(question) = self.window.answered(now, nonce) else { return };
        match (question.ask, host) {
            (Ask::Walk(_), None) => {}
            (Ask::Cable(cable), None) => drop(self.suspects.remove(&cable)),
            (Ask::Lost(cable), None) => self.findings.back.push(cable),
            (Ask::NewCable(port), None) => self.findings.new_cables.push(port),
            (Ask::Host(host), Some(answer)) => self.findings.hosts.push((host, answer)),
            (Ask::NewHost(port), Some(answer)) => self.findings.new_hosts.push((port, answer)),
            // What answers is not what was asked for: somebody has moved cables.
            _ => return self.silent(question),
        }
        self.answered |= !matches!(question.ask, Ask::NewHost(_) | Ask::NewCable(_));
    }

    fn silent(&mut self, question: Question) {
        if question.tries_left > 1 {
            self.queue.push_back(Question { tries_left: question.tries_left - 1, ..question });
            return;
        }
        match question.ask {
            Ask::Walk(index) => self.suspects.extend(self.walks[index].iter().copied()),
            Ask::Cable(cable) => {
                self.suspects.insert(cable);
            }
            Ask::Host(host) => self.silent_hosts.push(host),
            Ask::NewCable(port) => self.findings.no_cables.push(port),
            Ask::Lost(_) | Ask::NewHost(_) => {}
        }
    }

    /// Gives up probes whose time is over, and goes on when nothing is left to ask.
    pub(super) fn advance(&mut self, now: Time, topology: &Topology, front_end: HostId) {
        while let Some((_, question)) = self.window.expired(now) {
            self.silent(question);
        }
        if self.done || !self.queue.is_empty() || self.window.unanswered() > 0 {
            return;
        }
        if !self.answered {
            self.findings = Findings { probes: self.findings.probes, nothing: true, ..Findings::default() };
            self.done = true;
            return;
        }
        let suspect: BTreeSet<PortId> = self.suspects.iter().flat_map(|&(a, b)| [a, b]).collect();
        let ways = Ways::of(topology, front_end, |end| !suspect.contains(&end));
        let near = |&(a, b): &Cable| ways.lead_to(a) || ways.lead_to(b);
        let next: Vec<Cable> = self.suspects.iter().copied().filter(near).filter(|c| !self.asked.contains(c)).collect();
        if !next.is_empty() {
            self.asked.extend(&next);
            next.into_iter().for_each(|cable| self.ask(Ask::Cable(cable), ways.over(cable)));
        } else if !self.is_last && !suspect.is_empty() {
            self.is_last = true;
            let hosts = std::mem::take(&mut self.silent_hosts);
            hosts.into_iter().for_each(|host| self.ask_host(topology, &ways, host));
        } else {
            self.findings.gone = self.suspects.iter().copied().filter(near).collect();
            let cable = |host: &HostId| {
                let end = PortId::new(*host, 0);
                topology.peer(end).filter(|&at| ways.lead_to(at)).map(|at| (end, at))
            };
            self.findings.gone.extend(self.silent_hosts.iter().filter_map(cable));
            self.done = true;
        }
        if !self.done && self.queue.is_empty() {
            self.advance(now, topology, front_end);
        }
    }

    /// The next probe.
    pub(super) fn next(&mut self, now: Time) -> Option<Transmit> {
        if !self.window.has_room() {
            return None;
        }
        let question = self.queue.pop_front()?;
        let nonce = self.window.sent(now, &question.route, question);
        self.findings.probes += 1;
        let payload = Bytes::copy_from_slice(question.route.as_bytes());
        Some(Transmit::new(question.route, Packet::with_payload(Probe { session: self.session, nonce }, payload)))
    }

    /// When the next probe's time is over.
    pub(super) fn deadline(&self) -> Option<Time> {
        self.window.deadline()
    }
}

fn is_crossbar(end: &PortId) -> bool {
    matches!(end.node, NodeId::Crossbar(_))
}
