//! How a node finds the front end again when the routes in its NVRAM are stale, as after the front end's cable was moved.
//! The page is `docs/front-end-search.md`.
//!
//! | module | what it is |
//! |---|---|
//! | [`FrontEndSearch`] | the state machine: known routes first, then whoever maps the fabric, then a search |
//! | `explorer` | which hop strings to try: the part of the fabric that is known, and where it may go on |
//!
//! Anybody can say that it is the front end. So what is found is a [`Candidate`] until the driver says that an offer
//! came that the cluster's key has signed ([`FrontEndSearch::proven`]).

mod explorer;
#[cfg(test)]
mod tests;

use bytes::Bytes;
use explorer::{Explorer, Question};
use std::collections::VecDeque;
use std::time::Duration;
use twowire_fabric::id::UniqueId;
use twowire_fabric::protocol::{Protocol, Transmit};
use twowire_fabric::route::Route;
use twowire_fabric::time::Time;
use twowire_fabric::wire::probe::{FIRST_SEARCH_SESSION, Probe, ProbeReply, Role};
use twowire_fabric::wire::{Header, Packet};

/// Further candidates that wait until the first one has proven itself or not, at most.
const MAX_WAITING: usize = 4;

/// How a search goes about it.
#[derive(Clone, Debug)]
pub struct SearchConfig {
    /// The mean pause between two probes; each pause is drawn from half to one and a half times as much.
    pub pause: Duration,
    /// The longest mean pause: it doubles each time that all was searched in vain.
    pub longest_pause: Duration,
    /// The search starts after a pause of at most this, so that nodes that lost power together do not start together.
    pub spread: Duration,
    /// Probes on their way at once.
    pub window: usize,
    /// How long to wait for an answer.
    pub timeout: Duration,
    /// How often each known route is tried.
    pub tries: u32,
    /// How long a candidate has to prove itself.
    pub proof: Duration,
    /// Probes before the search looks further away.
    pub budget: u32,
    /// The longest route that is tried.
    pub max_hops: usize,
}

impl Default for SearchConfig {
    fn default() -> SearchConfig {
        SearchConfig {
            pause: Duration::from_micros(50),
            longest_pause: Duration::from_millis(5),
            spread: Duration::from_millis(10),
            window: 32,
            timeout: Duration::from_millis(1),
            tries: 3,
            proof: Duration::from_secs(2),
            budget: 20_000,
            max_hops: 15,
        }
    }
}

/// A host that may be the front end, and the way to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// The way to it.
    pub route: Route,
    /// The unique id of its card, if it has answered.
    pub id: Option<UniqueId>,
    /// How it came to notice.
    pub source: Source,
}

/// How a candidate came to notice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// It answered on a route that was known.
    Known,
    /// It sent a probe as only somebody does who maps the fabric or calls the roll.
    Overheard,
    /// It was found.
    Searched,
}

/// What a search has done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SearchStats {
    /// Probes sent.
    pub probes: u64,
    /// Candidates, and among them those that did not prove themselves in time.
    pub candidates: u64,
    /// Candidates that did not prove themselves in time.
    pub refused: u64,
    /// How often all was searched in vain.
    pub rounds: u64,
}

/// What is being done.
enum State {
    /// The known routes are tried: so many probes were sent.
    Known { sent: u32 },
    /// The fabric is searched.
    Exploring,
    /// A candidate has until then to prove itself.
    Waiting { candidate: Candidate, until: Time },
    /// It has.
    Found(Candidate),
}

/// What an outstanding probe asks.
#[derive(Clone, Copy)]
enum Asked {
    Known(Route),
    Question(Question),
}

/// Looks for the front end.
pub struct FrontEndSearch {
    config: SearchConfig,
    session: u32,
    known: Vec<Route>,
    state: State,
    explorer: Explorer,
    waiting: VecDeque<Candidate>,
    /// Candidates that did not prove themselves: not taken again in this round.
    refused: Vec<Candidate>,
    /// Probes that wait for their answer, by nonce; the deadline of each, in their order.
    asked: VecDeque<(u32, Asked, Time)>,
    nonce: u32,
    pause: Duration,
    next_send: Time,
    rng: fastrand::Rng,
    stats: SearchStats,
}

impl FrontEndSearch {
    /// A search by the card `id` that first tries the `known` routes: the master route, then its alternates.
    pub fn new(now: Time, config: SearchConfig, id: UniqueId, known: Vec<Route>, seed: u64) -> FrontEndSearch {
        let mut rng = fastrand::Rng::with_seed(seed ^ id.0.rotate_left(32));
        let session = rng.u32(FIRST_SEARCH_SESSION..);
        let nearest = known.iter().map(Route::len).max().unwrap_or(1);
        let explorer = Explorer::new(id, nearest, config.max_hops, config.budget, rng.fork());
        FrontEndSearch {
            session,
            pause: config.pause,
            config,
            known,
            state: State::Known { sent: 0 },
            explorer,
            waiting: VecDeque::new(),
            refused: Vec::new(),
            asked: VecDeque::new(),
            nonce: 0,
            next_send: now,
            rng,
            stats: SearchStats::default(),
        }
    }

    /// The session of its probes. The node's own responder must not answer them when they come back.
    pub fn session(&self) -> u32 {
        self.session
    }

    /// Who may be the front end: the driver makes the node known to it, and says if it proves itself.
    pub fn candidate(&self) -> Option<&Candidate> {
        match &self.state {
            State::Waiting { candidate, .. } => Some(candidate),
            _ => None,
        }
    }

    /// The front end, once it has proven itself.
    pub fn found(&self) -> Option<&Candidate> {
        match &self.state {
            State::Found(candidate) => Some(candidate),
            _ => None,
        }
    }

    /// What it has done so far.
    pub fn stats(&self) -> SearchStats {
        self.stats
    }

    /// The candidate sent what only the front end can send: an offer that the cluster's key has signed. Returns the way
    /// to it; `None` if there is no candidate.
    pub fn proven(&mut self) -> Option<Route> {
        let candidate = *self.candidate()?;
        self.state = State::Found(candidate);
        self.asked.clear();
        Some(candidate.route)
    }

    fn take_candidate(&mut self, now: Time, candidate: Candidate) {
        let same = |other: &Candidate| other.route == candidate.route || other.id.is_some() && other.id == candidate.id;
        if self.refused.iter().chain(&self.waiting).any(same) {
            return;
        }
        match &self.state {
            State::Known { .. } | State::Exploring => {
                self.stats.candidates += 1;
                self.state = State::Waiting { candidate, until: now + self.config.proof };
            }
            State::Waiting { candidate: first, .. } if !same(first) && self.waiting.len() < MAX_WAITING => {
                self.waiting.push_back(candidate);
            }
            State::Waiting { .. } | State::Found(_) => {}
        }
    }

    /// The candidate did not prove itself: on to the next one.
    fn refuse(&mut self, now: Time) {
        if let State::Waiting { candidate, .. } = self.state {
            self.stats.refused += 1;
            self.refused.push(candidate);
            self.state = State::Exploring;
            if let Some(next) = self.waiting.pop_front() {
                self.take_candidate(now, next);
            }
        }
    }

    /// Somebody maps the fabric or calls the roll: the way back is a way to the front end.
    fn overhear(&mut self, now: Time, payload: &[u8]) {
        let Ok(route) = Route::from_bytes(payload) else { return };
        self.take_candidate(now, Candidate { route: route.reversed(), id: None, source: Source::Overheard });
    }

    fn take_asked(&mut self, nonce: u32) -> Option<Asked> {
        let index = self.asked.iter().position(|(asked, ..)| *asked == nonce)?;
        self.asked.remove(index).map(|(_, asked, _)| asked)
    }

    fn answered(&mut self, now: Time, reply: &ProbeReply) {
        let Some(asked) = self.take_asked(reply.nonce) else { return };
        let (route, source) = match asked {
            Asked::Known(route) => (route, Source::Known),
            Asked::Question(question) => {
                self.explorer.host(question, reply.id);
                (self.explorer.probe_route(question), Source::Searched)
            }
        };
        if reply.role == Role::FrontEnd {
            self.take_candidate(now, Candidate { route, id: Some(reply.id), source });
        }
    }

    /// What to ask next; `None` if there is nothing, for now.
    fn next_question(&mut self, now: Time) -> Option<(Asked, Route)> {
        if let State::Known { sent } = self.state {
            let tries = self.config.tries * self.known.len() as u32;
            if sent < tries {
                self.state = State::Known { sent: sent + 1 };
                let route = self.known[sent as usize % self.known.len()];
                return Some((Asked::Known(route), route));
            }
            if !self.asked.is_empty() {
                return None;
            }
            self.state = State::Exploring;
            self.next_send = now + self.config.spread.mul_f64(self.rng.f64());
            return None;
        }
        if let Some(question) = self.explorer.next() {
            return Some((Asked::Question(question), self.explorer.probe_route(question)));
        }
        if self.asked.is_empty() {
            // All in vain: anew, in another order, with less haste.
            self.stats.rounds += 1;
            self.refused.clear();
            self.explorer.restart();
            self.pause = (self.pause * 2).min(self.config.longest_pause);
            self.next_send = now + self.pause;
        }
        None
    }

    fn may_send(&self) -> bool {
        matches!(self.state, State::Known { .. } | State::Exploring) && self.asked.len() < self.config.window
    }
}

impl Protocol for FrontEndSearch {
    fn handle_packet(&mut self, now: Time, packet: &Packet) {
        match packet.header {
            Header::ProbeReply(reply) if reply.session == self.session => self.answered(now, &reply),
            Header::Probe(probe) if probe.session == self.session => {
                if let Some(Asked::Question(question)) = self.take_asked(probe.nonce) {
                    self.explorer.came_back(question);
                }
            }
            Header::Probe(probe) if probe.session < FIRST_SEARCH_SESSION => self.overhear(now, &packet.payload),
            _ => {}
        }
    }

    fn handle_timeout(&mut self, now: Time) {
        while self.asked.front().is_some_and(|&(.., deadline)| deadline <= now) {
            if let Some((_, Asked::Question(question), _)) = self.asked.pop_front() {
                self.explorer.silent(question);
            }
        }
        if matches!(self.state, State::Waiting { until, .. } if until <= now) {
            self.refuse(now);
        }
    }

    fn poll_transmit(&mut self, now: Time) -> Option<Transmit> {
        if now < self.next_send || !self.may_send() {
            return None;
        }
        let (asked, route) = self.next_question(now)?;
        self.nonce = self.nonce.wrapping_add(1);
        self.asked.push_back((self.nonce, asked, now + self.config.timeout));
        self.next_send = now + self.pause.mul_f64(0.5 + self.rng.f64());
        self.stats.probes += 1;
        let probe = Probe { session: self.session, nonce: self.nonce };
        Some(Transmit::new(route, Packet::with_payload(probe, Bytes::copy_from_slice(route.as_bytes()))))
    }

    fn poll_timeout(&self) -> Option<Time> {
        let answer = self.asked.front().map(|&(.., deadline)| deadline);
        let proof = match self.state {
            State::Waiting { until, .. } => Some(until),
            _ => None,
        };
        // While probes are on their way, what comes of them may be all that there is to do.
        let idle = self.asked.is_empty() || self.has_questions();
        let send = (self.may_send() && idle).then_some(self.next_send);
        [answer, proof, send].into_iter().flatten().min()
    }
}

impl FrontEndSearch {
    fn has_questions(&self) -> bool {
        match self.state {
            State::Known { sent } => sent < self.config.tries * self.known.len() as u32,
            _ => self.explorer.has_questions(),
        }
    }
}
