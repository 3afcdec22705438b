//! Discovery of anonymous crossbars, by probes from the front end's port alone.
//!
//! A crossbar forwards a frame that came in at port `i` to port `(i + delta) mod 128` and says nothing. A probe that
//! reaches a host is answered with the host's unique id; one that comes back to the front end shows that its hops are a
//! loop; all others are silent, whether nothing was there or a frame was lost. The problem, and the idea of giving a
//! crossbar as many names as it is reached in ways and merging the names later, are those of Mainwaring, Chun, Schleimer
//! and Wilkerson, "System Area Network Mapping" (SPAA 1997); what is asked, and in which order, is not.
//!
//! **What an answer proves.** A crossbar permutes its ports, so the hops of an answered probe are a path that can be
//! walked from both ends: each crossbar on it exists, and each pair of ports that follow one another is a cable. The
//! `model` holds these facts; where two names turn out to have one port's peer or one host in common, they are
//! one crossbar, shifted by a known offset, and are merged. No pair of names is ever compared.
//!
//! **What silence proves.** Nothing. It is counted for each port (`doubt`), it steers the next questions, and a
//! port is taken for empty only after so many silences that in the whole fabric less than a thousandth of a cable is
//! expected to be missed at the loss that was measured.
//!
//! **What is asked.** Three things of each port (`plan`): is there a host; is there a crossbar (turn round behind the
//! port and come back: this makes a new name); and which of the known crossbars is it (a `guess`: hops that would
//! reach a known host from as many candidates as possible). The question with the best chance of an answer goes first,
//! chances are learnt from the answers so far, and new names come last, because most cables can be had as facts from
//! one of their ends without one.
//!
//! **When it is done.** When every port of every name, within the radix (`radix`), has a proven peer or counts as
//! empty. Then names and crossbars are in one-to-one correspondence: of two names of one crossbar, each would have found
//! all of its hosts, or else crossbars that in turn are named twice and nearer to a host, and those are merged.
//!
//! **What cannot be seen.** A port without a cable; a host that does not answer; cables further than
//! [`MAX_HOPS`](twowire_fabric::route::MAX_HOPS) hops away (31 crossbars for those between crossbars), which are left out;
//! and the port at which a crossbar's numbering starts: the lowest port in use is called 0. A crossbar without any host
//! behind it is found like any other, since a probe turns round behind each of its cables. So is one that is reached by one
//! cable alone: it has that port and no other, which is all there is to know of it.

mod attempt;
mod chances;
mod diagnosis;
mod doubt;
mod error;
mod guess;
mod map;
mod model;
mod plan;
mod ports;
mod proof;
mod radix;
mod survey;
pub(crate) mod window;

pub use error::DiscoveryError;
pub use model::Contradiction;

use attempt::{Attempt, Setback};
use bytes::Bytes;
use std::time::Duration;
use twowire_fabric::id::UniqueId;
use twowire_fabric::protocol::{Protocol, Transmit};
use twowire_fabric::time::Time;
use twowire_fabric::topology::{HostId, Topology};
use twowire_fabric::wire::probe::{FIRST_SEARCH_SESSION, Probe};
use twowire_fabric::wire::{Header, Packet};

/// How discovery goes about it.
#[derive(Clone, Debug)]
pub struct DiscoveryConfig {
    /// Probes that may be on their way at once.
    pub window: usize,
    /// The least time to wait for an answer; the round trips that are measured may make it longer.
    pub timeout_floor: Duration,
    /// Ports of the largest crossbar, 1 to 128; `None` to learn it, which sees all but contrived fabrics (`docs/mapper-discovery.md`).
    pub radix: Option<u8>,
    /// Probes after which to give up.
    pub max_probes: u64,
    /// How often to start at most, if the answers contradict one another because the fabric changes meanwhile.
    pub max_attempts: u32,
}

impl Default for DiscoveryConfig {
    fn default() -> Self {
        DiscoveryConfig {
            window: 64,
            timeout_floor: Duration::from_micros(40),
            radix: None,
            max_probes: 50_000_000,
            max_attempts: 4,
        }
    }
}

/// What discovery has done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Statistics {
    /// Probes sent.
    pub probes: u64,
    /// Answers, and probes that came back.
    pub answers: u64,
    /// Answers that came after they had been given up; they count all the same.
    pub late: u64,
    /// Probes that were given up.
    pub timeouts: u64,
    /// Guesses that were answered.
    pub right_guesses: u64,
    /// Guesses that were not.
    pub wrong_guesses: u64,
    /// Pairs of names that were merged.
    pub merges: u64,
    /// How often discovery had to start anew.
    pub restarts: u32,
    /// Ports with a loopback plug; they are not part of the map.
    pub loopback_plugs: u32,
}

impl Statistics {
    /// The sum of two attempts'.
    fn plus(self, other: Statistics) -> Statistics {
        Statistics {
            probes: self.probes + other.probes,
            answers: self.answers + other.answers,
            late: self.late + other.late,
            timeouts: self.timeouts + other.timeouts,
            right_guesses: self.right_guesses + other.right_guesses,
            wrong_guesses: self.wrong_guesses + other.wrong_guesses,
            merges: self.merges + other.merges,
            restarts: self.restarts + other.restarts,
            loopback_plugs: self.loopback_plugs + other.loopback_plugs,
        }
    }
}

/// What is known so far. Names of one crossbar that are not merged yet count as several, so the numbers may also fall.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Crossbars.
    pub crossbars: usize,
    /// Hosts, the front end included.
    pub hosts: usize,
    /// Cables.
    pub cables: usize,
    /// Probes sent.
    pub probes: u64,
}

/// The fabric as it was discovered.
#[derive(Clone, Debug)]
pub struct DiscoveredMap {
    /// Crossbars `x0`, `x1`, ... and hosts `master`, `n0`, `n1`, ..., numbered breadth first from the front end.
    ///
    /// The lowest port in use of each crossbar is 0; it has as many ports as the widest crossbar spans, or as the
    /// configured radix says: probes cannot see ports without a cable.
    pub topology: Topology,
    /// The front end's own host.
    pub front_end: HostId,
    /// The epoch of the routes that each host said it holds, by [`HostId`]; 0 for none, and for the front end.
    pub epochs: Vec<u32>,
    /// How it was found out.
    pub statistics: Statistics,
}

/// Maps a fabric from one of its hosts, the front end.
///
/// A [`Protocol`] that only ever sends probes. It is done when [`Discovery::is_done`] says so; then
/// [`Discovery::into_map`] has the map, or says why there is none. The same seed and answers give the same probes.
#[derive(Clone, Debug)]
pub struct Discovery {
    config: DiscoveryConfig,
    own_id: UniqueId,
    rng: fastrand::Rng,
    session: u32,
    attempt: Attempt,
    /// Of the attempts before.
    statistics: Statistics,
    error: Option<DiscoveryError>,
}

impl Discovery {
    /// A discovery from the host whose card has this id.
    pub fn new(config: DiscoveryConfig, own_id: UniqueId, seed: u64) -> Discovery {
        let mut rng = fastrand::Rng::with_seed(seed);
        // Session 0 is that of announcements, which nobody asked for.
        let session = rng.u32(1..FIRST_SEARCH_SESSION / 2);
        let attempt = Attempt::new(config.clone(), own_id, rng.fork());
        Discovery { config, own_id, rng, session, attempt, statistics: Statistics::default(), error: None }
    }

    /// True once there is a map, or an error.
    pub fn is_done(&self) -> bool {
        self.error.is_some() || self.attempt.is_complete()
    }

    /// The session that its probes carry now; a new attempt takes the next one.
    pub fn session(&self) -> u32 {
        self.session
    }

    /// What is known so far.
    pub fn progress(&self) -> Progress {
        let model = self.attempt.model();
        Progress {
            crossbars: model.crossbar_count(),
            hosts: model.hosts().len(),
            cables: model.cable_count(),
            probes: self.statistics().probes,
        }
    }

    /// What has been done so far.
    pub fn statistics(&self) -> Statistics {
        self.statistics.plus(self.attempt.statistics())
    }

    /// The map.
    ///
    /// # Errors
    ///
    /// Why there is none: it is not done, there is no cable, two hosts have one unique id, or the fabric kept changing.
    pub fn into_map(self) -> Result<DiscoveredMap, DiscoveryError> {
        match &self.error {
            Some(error) => Err(error.clone()),
            None if self.attempt.is_complete() => Ok(self.attempt.map(self.statistics())),
            None => Err(DiscoveryError::NotDone(self.statistics().probes)),
        }
    }

    fn take<T>(&mut self, outcome: Result<T, Setback>) -> Option<T> {
        match outcome {
            Ok(value) => Some(value),
            Err(Setback::Error(error)) => {
                self.error = Some(error);
                None
            }
            Err(Setback::Contradiction(last)) => {
                self.start_anew(last);
                None
            }
        }
    }

    fn start_anew(&mut self, last: Contradiction) {
        let attempts = self.statistics.restarts + 1;
        if attempts >= self.config.max_attempts {
            self.error = Some(DiscoveryError::Unstable { attempts, last });
            return;
        }
        self.statistics = self.statistics();
        self.statistics.restarts = attempts;
        self.session = self.session.wrapping_add(1);
        self.attempt = Attempt::new(self.config.clone(), self.own_id, self.rng.fork());
    }
}

impl Protocol for Discovery {
    fn handle_packet(&mut self, now: Time, packet: &Packet) {
        if self.is_done() {
            return;
        }
        let outcome = match packet.header {
            Header::Probe(probe) if probe.session == self.session => {
                self.attempt.answer(now, probe.nonce, self.own_id, 0, true)
            }
            Header::ProbeReply(reply) if reply.session == self.session => {
                self.attempt.answer(now, reply.nonce, reply.id, reply.epoch, false)
            }
            _ => return,
        };
        self.take(outcome);
    }

    fn handle_timeout(&mut self, now: Time) {
        if !self.is_done() {
            self.attempt.expire(now);
        }
    }

    fn poll_transmit(&mut self, now: Time) -> Option<Transmit> {
        let probes = self.statistics().probes;
        if !self.is_done() && probes >= self.config.max_probes {
            self.error = Some(DiscoveryError::TooManyProbes(probes));
        }
        while !self.is_done() {
            let outcome = self.attempt.next(now);
            // After a contradiction the new attempt has a probe to send at once.
            let Some(next) = self.take(outcome) else { continue };
            let (nonce, route) = next?;
            let payload = Bytes::copy_from_slice(route.as_bytes());
            return Some(Transmit::new(route, Packet::with_payload(Probe { session: self.session, nonce }, payload)));
        }
        None
    }

    fn poll_timeout(&self) -> Option<Time> {
        if self.is_done() { None } else { self.attempt.deadline() }
    }
}

#[cfg(test)]
mod tests;
