//! A node passes on frames of the root to others, and their answers to the root: so the root sends and gets a frame for
//! many nodes, where it would one for each.

use super::Location;
use bytes::Bytes;
use std::collections::VecDeque;
use twowire_fabric::id::NodeNumber;
use twowire_fabric::protocol::Transmit;
use twowire_fabric::time::Time;
use twowire_fabric::wire::boot::{MAX_RELAYED, Relay, Relayed};
use twowire_fabric::wire::{Header, Packet};

/// A frame for another node.
struct Passing {
    session: u32,
    to: NodeNumber,
    header: Header,
    shared: Bytes,
}

/// What a node passes on.
#[derive(Default)]
pub(super) struct Relaying {
    passing: VecDeque<Passing>,
    /// Answers for the root, and the session that they are of.
    answers: Vec<Header>,
    session: u32,
    /// Answers that are still to come to what was passed on.
    missing: usize,
    /// The last answer was the last that can be waited for.
    is_complete: bool,
    /// When the answers are sent, even if some are missing.
    flush_at: Option<Time>,
}

impl Relaying {
    /// A frame for another node is to be passed on.
    pub(super) fn pass(&mut self, session: u32, to: NodeNumber, packet: &Packet) {
        if self.passing.len() < MAX_RELAYED {
            let (header, shared) = (packet.header, packet.payload.clone());
            self.passing.push_back(Passing { session, to, header, shared });
            self.missing = self.passing.len();
        }
    }

    /// A node has answered a frame that was passed on to it, or says by itself what many say at the same time; the root is
    /// told at `flush_at` at the latest.
    pub(super) fn collect(&mut self, session: u32, header: Header, flush_at: Time) {
        if self.answers.len() < MAX_RELAYED {
            self.session = session;
            self.answers.push(header);
            self.is_complete = self.missing == 1 || self.answers.len() == MAX_RELAYED;
            self.missing = self.missing.saturating_sub(1);
            self.flush_at.get_or_insert(flush_at);
        }
    }

    /// The next frame: to a node, or with the answers to the root.
    pub(super) fn poll_transmit(&mut self, now: Time, location: &Location) -> Option<Transmit> {
        let own = location.own();
        while let Some(Passing { session, to, header, shared }) = self.passing.pop_front() {
            if let Some(path) = location.path_to(to, 0) {
                return Some(Transmit::new(path, Relay::packet(session, own, &shared, &[header])));
            }
        }
        if self.answers.is_empty() || (!self.is_complete && self.flush_at.is_some_and(|at| now < at)) {
            return None;
        }
        let mut relayed = Relayed::new(&Bytes::new());
        let fitting = self.answers.iter().take_while(|answer| relayed.push(answer)).count();
        self.answers.drain(..fitting);
        self.flush_at = self.flush_at.filter(|_| !self.answers.is_empty());
        Some(Transmit::new(location.to_front_end(0)?, relayed.packet(self.session, own)))
    }

    /// When answers are sent although some are missing.
    pub(super) fn next_timeout(&self) -> Time {
        self.flush_at.unwrap_or(Time::MAX)
    }

    /// Time has passed.
    pub(super) fn on_timeout(&mut self, now: Time) {
        if self.flush_at.is_some_and(|at| at <= now) {
            self.flush_at = None;
        }
    }
}
