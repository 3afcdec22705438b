//! How a connection begins and ends.
//!
//! Three steps: open, accept, and the first frame with the acceptor's number. The third one matters: an open may be an
//! old one, of an incarnation that is gone, and must not cost a connection that stands. So an open makes a *candidate*
//! beside the connection, and only a frame with the candidate's number, which nobody but the living opener can know,
//! puts the candidate into the connection's place. An open of the incarnation with which a connection stands makes no candidate but a ping:
//! where both open at once, the connection that one of them has made is enough, and who has lost it refuses the ping.

use super::super::config::EndpointConfig;
use super::super::event::Event;
use super::super::inbound::Inbound;
use super::super::outbound::PathState;
use super::super::receiver::Receiver;
use super::super::shared::Shared;
use super::{AckDebt, Peer, Phase};
use crate::protocol::Path;
use crate::time::Time;
use crate::wire::endpoint::{Accept, Open};
use bytes::Bytes;
use std::time::Duration;

/// Opens that may go unanswered before a peer that also opens is answered on its own open.
const TIE_TIMEOUTS: u32 = 5;
/// The longest interval between two opens, in initial timeouts.
const MAX_OPEN_INTERVAL: u32 = 16;

/// Opens of one peer that may wait for their confirmation: of the living one, and late ones of its predecessors.
const MAX_CANDIDATES: usize = 4;

/// An open that was answered and not confirmed.
#[derive(Debug)]
pub(super) struct Candidate {
    pub(super) number: u64,
    pub(super) remote: u64,
    incarnation: u64,
    window: u16,
    pub(super) inbound: Inbound,
    pub(super) accept_due: bool,
    heard: Time,
}

impl Peer {
    /// Begins to open a connection.
    pub(in super::super) fn start_opening(&mut self, now: Time) {
        self.phase = Phase::Opening { since: now, tries: 0, next: now, due: true, path: None };
    }

    /// The peer asks for a connection; `number` is one that is free.
    pub(in super::super) fn on_open(&mut self, now: Time, open: &Open, payload: &Bytes, number: u64, shared: &Shared) {
        let mut inbound = Inbound::default();
        let Some(back) = inbound.announced(now, open.label, payload) else { return };
        if matches!(self.phase, Phase::Opening { .. }) && shared.id < self.id {
            // Both opened at once, and the lower id's open counts: the peer may have missed it, so repeat it this way.
            self.learn_path(back, &shared.config);
            if let Phase::Opening { due, .. } = &mut self.phase {
                *due = true;
            }
            return;
        }
        if self.is_connected() && self.known == Some(open.incarnation) {
            // Sent before the peer knew of the connection, or after it lost it: a ping tells it of the one, and has it say the other.
            if self.remote != open.number {
                self.challenge(back, &shared.config);
            }
            return;
        }
        let known = |c: &Candidate| c.incarnation == open.incarnation && c.remote == open.number;
        let number = match self.candidates.iter().position(known) {
            Some(i) => self.candidates.remove(i).number,
            None => number,
        };
        if self.candidates.len() == MAX_CANDIDATES {
            self.candidates.remove(0);
        }
        self.candidates.push(Candidate {
            number,
            remote: open.number,
            incarnation: open.incarnation,
            window: open.window,
            inbound,
            accept_due: true,
            heard: now,
        });
    }

    /// Asks by path `back` whether the connection still stands.
    fn challenge(&mut self, back: Path, config: &EndpointConfig) {
        self.learn_path(back, config);
        let index = self.paths.iter().position(|p| p.path == back).unwrap_or(0);
        self.paths.get_mut(index).into_iter().for_each(|path| path.ping_due = true);
    }

    /// The peer has answered an open of ours.
    pub(in super::super) fn on_accept(&mut self, now: Time, accept: &Accept, payload: &Bytes, shared: &mut Shared) {
        let Phase::Opening { tries, path, .. } = self.phase else { return };
        let tie = self.candidates.iter().any(|c| {
            c.incarnation == accept.incarnation && now - c.heard < shared.config.initial_timeout * TIE_TIMEOUTS
        });
        if accept.source != self.id || (tie && self.id < shared.id) {
            return;
        }
        let mut inbound = Inbound::default();
        inbound.announced(now, accept.label, payload);
        self.establish(now, self.number, accept.number, accept.incarnation, accept.window, inbound, shared);
        // One open, one answer: this path works. Of several opens it may have been any.
        if let Some(path) = path.and_then(|id| self.path_mut(id)) {
            if tries == 1 {
                path.state = PathState::Up;
            }
            path.ping_due = true;
        }
    }

    /// If a frame with this number is a candidate's, the peer lives and has our answer: the candidate takes over.
    pub(in super::super) fn promote(&mut self, now: Time, number: u64, shared: &mut Shared) {
        let Some(i) = self.candidates.iter().position(|c| c.number == number) else { return };
        let candidate = self.candidates.swap_remove(i);
        let back = candidate.inbound.back();
        if !self.wanted
            && let Some(back) = back
        {
            self.learn_path(back, &shared.config);
        }
        let Candidate { number, remote, incarnation, window, inbound, .. } = candidate;
        self.establish(now, number, remote, incarnation, window, inbound, shared);
        let mut proven = false;
        for path in self.paths.iter_mut().filter(|p| Some(p.path) == back) {
            path.state = PathState::Up;
            proven = true;
        }
        if !proven {
            self.prove_paths();
        }
    }

    #[allow(clippy::too_many_arguments, reason = "the terms of a connection, named at both of its callers")]
    fn establish(
        &mut self,
        now: Time,
        number: u64,
        remote: u64,
        incarnation: u64,
        window: u16,
        inbound: Inbound,
        shared: &mut Shared,
    ) {
        let peer = self.id;
        match self.known.replace(incarnation) {
            Some(before) if before != incarnation => {
                self.sender.purge();
                shared.event(Event::PeerRestarted { peer });
            }
            Some(_) => {
                self.sender.purge();
                shared.event(Event::Disconnected { peer });
            }
            None => {}
        }
        (self.number, self.remote, self.phase) = (number, remote, Phase::Connected);
        self.candidates.clear();
        self.inbound = inbound;
        self.receiver = Receiver::new(shared.config.window);
        self.sender.start(window);
        self.acks = AckDebt::default();
        (self.shut_pings, self.stuck) = (0, false);
        self.last_heard = now;
        self.paths.iter_mut().for_each(|p| p.start());
        shared.event(Event::Connected { peer });
        if self.is_spreading(&shared.config) {
            self.prove_paths();
        }
    }

    /// The peer says that it does not know connection `refused`; `number` is a free one for the next. Who asked for the
    /// connection asks again; otherwise that is up to the peer, and we wait for it a while.
    pub(in super::super) fn on_reset(&mut self, now: Time, refused: u64, number: u64, config: &EndpointConfig) {
        if !self.is_connected() || refused != self.remote {
            return;
        }
        self.lost_connection(now, number);
        if !self.wanted {
            self.phase = Phase::Asked { until: now + config.peer_timeout };
        }
    }

    /// The connection is gone on the other side: begin again.
    pub(in super::super) fn lost_connection(&mut self, now: Time, number: u64) {
        self.sender.purge();
        self.paths.iter_mut().for_each(|p| p.start());
        self.number = number;
        self.start_opening(now);
    }

    /// True if there was a connection.
    pub(in super::super) fn was_connected(&self) -> bool {
        self.known.is_some()
    }

    /// The path for a last word.
    pub(in super::super) fn last_path(&self) -> Option<(u64, Path)> {
        let up = self.paths.iter().find(|p| p.state == PathState::Up).map(|p| p.path);
        let path = up.or_else(|| self.inbound.back());
        path.filter(|_| self.is_connected()).map(|path| (self.remote, path))
    }
}

/// From one open to the next: it doubles.
pub(super) fn open_interval(tries: u32, config: &EndpointConfig) -> Duration {
    config.initial_timeout * (1 << tries.min(16)).min(MAX_OPEN_INTERVAL)
}
