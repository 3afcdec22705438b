//! One peer: who it is, how to reach it, and the connection with it.

mod handshake;
mod input;
mod output;
mod timers;

use super::address;
use super::config::EndpointConfig;
use super::event::{Event, MessageId, SendError};
use super::inbound::Inbound;
use super::outbound::{Outbound, PathState};
use super::receiver::Receiver;
use super::sender::Sender;
use super::shared::Shared;
use crate::id::UniqueId;
use crate::protocol::Path;
use crate::time::Time;
use bytes::Bytes;
use handshake::Candidate;
use std::time::Duration;

/// How far the connection is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// Our opens are not answered yet.
    Opening {
        since: Time,
        tries: u32,
        next: Time,
        due: bool,
        /// The path of the latest open.
        path: Option<u8>,
    },
    /// The peer has asked, and has not shown yet that our answer reached it.
    Asked {
        until: Time,
    },
    Connected,
}

/// Acknowledgements that are owed.
#[derive(Clone, Copy, Debug, Default)]
struct AckDebt {
    frames: u32,
    /// When it is paid at the latest.
    at: Option<Time>,
    now: bool,
}

/// Counts of one peer, since it became one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PeerStats {
    /// Data frames sent, with those sent again.
    pub data_frames: u64,
    /// Data frames sent again.
    pub retransmitted: u64,
    /// Data frames that were taken for lost and were only late.
    pub late: u64,
    /// Data frames received a second time.
    pub duplicates: u64,
    /// Acknowledgements sent in frames of their own.
    pub acks: u64,
    /// Pings sent.
    pub pings: u64,
    /// The smoothed round trip of the first path that works.
    pub round_trip: Option<Duration>,
}

#[derive(Debug)]
pub(super) struct Peer {
    pub(super) id: UniqueId,
    /// `connect` asked for this peer: a lost connection is opened again.
    pub(super) wanted: bool,
    /// The incarnation of the latest connection.
    known: Option<u64>,
    pub(super) phase: Phase,
    /// The connection number in frames to us.
    pub(super) number: u64,
    /// The connection number in frames to the peer.
    remote: u64,
    /// Opens that were answered and not confirmed.
    candidates: Vec<Candidate>,
    paths: Vec<Outbound>,
    next_path_id: u8,
    /// Whose turn it is when frames are spread over the paths.
    turn: usize,
    inbound: Inbound,
    sender: Sender,
    receiver: Receiver,
    acks: AckDebt,
    /// `send` said that it would block.
    blocked: bool,
    /// Pings sent because the peer's window is shut.
    shut_pings: u32,
    last_heard: Time,
    /// Frames of this connection are too long to arrive: it has to begin again.
    pub(super) stuck: bool,
    /// What `last_heard` was set to when the silence was not the peer's.
    excused: Option<Time>,
    stats: PeerStats,
    /// Which of the endpoint's queues this peer is in, and when its timer stands.
    pub(super) in_control: bool,
    pub(super) in_data: bool,
    pub(super) armed: Option<Time>,
}

impl Peer {
    pub(super) fn new(now: Time, id: UniqueId, number: u64, phase: Phase) -> Peer {
        Peer {
            id,
            wanted: false,
            known: None,
            phase,
            number,
            remote: 0,
            candidates: Vec::new(),
            paths: Vec::new(),
            next_path_id: 0,
            turn: 0,
            inbound: Inbound::default(),
            sender: Sender::default(),
            receiver: Receiver::default(),
            acks: AckDebt::default(),
            blocked: false,
            shut_pings: 0,
            last_heard: now,
            stuck: false,
            excused: None,
            stats: PeerStats::default(),
            in_control: false,
            in_data: false,
            armed: None,
        }
    }

    pub(super) fn is_connected(&self) -> bool {
        self.phase == Phase::Connected
    }

    pub(super) fn stats(&self) -> PeerStats {
        let up = self.paths.iter().find(|p| p.state == PathState::Up);
        PeerStats { round_trip: up.and_then(Outbound::smoothed_rtt), ..self.stats }
    }

    /// The largest payload that the first path which works is known to carry.
    pub(super) fn payload(&self) -> Option<usize> {
        self.paths.iter().find(|p| p.state == PathState::Up).map(Outbound::payload)
    }

    pub(super) fn paths(&self) -> impl Iterator<Item = (Path, PathState)> + '_ {
        self.paths.iter().map(|p| (p.path, p.state))
    }

    /// Replaces the paths. One that stays keeps all that is known of it; frames on the way by one that goes are sent again.
    pub(super) fn set_paths(&mut self, wanted: &[Path], config: &EndpointConfig) {
        let mut old = std::mem::take(&mut self.paths);
        for path in wanted.iter().take(config.max_paths) {
            if self.paths.iter().any(|p| p.path == *path) {
                continue;
            }
            match old.iter().position(|p| p.path == *path) {
                Some(i) => self.paths.push(old.remove(i)),
                None => self.add_path(*path, config),
            }
        }
        for mut path in old {
            path.abandon(&mut self.sender);
        }
        if self.is_connected() && self.paths.iter().all(|p| p.state != PathState::Up) {
            self.prove_paths();
        }
    }

    fn add_path(&mut self, path: Path, config: &EndpointConfig) {
        while self.paths.iter().any(|p| p.id == self.next_path_id) {
            self.next_path_id = self.next_path_id.wrapping_add(1);
        }
        self.paths.push(Outbound::new(self.next_path_id, path, config));
        self.next_path_id = self.next_path_id.wrapping_add(1);
    }

    /// The way back of a frame is a path of ours if we were given none, or if none of ours works.
    fn learn_path(&mut self, back: Path, config: &EndpointConfig) {
        let room = self.paths.len() < config.max_paths;
        if room && self.paths.iter().all(|p| p.path != back) {
            self.add_path(back, config);
        }
    }

    /// Asks every path of which nothing is known.
    fn prove_paths(&mut self) {
        for path in &mut self.paths {
            path.ping_due |= path.state == PathState::Unproven && path.waiting_since().is_none();
        }
    }

    fn path_mut(&mut self, id: u8) -> Option<&mut Outbound> {
        self.paths.iter_mut().find(|p| p.id == id)
    }

    /// Takes a message to send.
    pub(super) fn send(&mut self, message: Bytes, config: &EndpointConfig) -> Result<MessageId, SendError> {
        if message.len() > config.max_message {
            return Err(SendError::TooLong { len: message.len(), max: config.max_message });
        }
        let held = self.sender.held_bytes();
        let full = held > 0 && held + message.len() > config.send_memory;
        if full || self.sender.held_messages() >= config.send_messages {
            self.blocked = true;
            return Err(SendError::WouldBlock { peer: self.id });
        }
        let id = self.sender.push(message);
        if self.is_connected() && self.is_spreading(config) {
            self.prove_paths();
        }
        Ok(id)
    }

    /// True if so much is to be sent that all paths are used.
    fn is_spreading(&self, config: &EndpointConfig) -> bool {
        self.paths.len() > 1 && self.sender.held_bytes() >= config.spread_from
    }

    /// The owner has taken a message of connection `number`.
    pub(super) fn taken(&mut self, number: u64, end: u64, shared: &Shared) {
        if number != self.number || !self.is_connected() {
            return;
        }
        self.receiver.take(end);
        self.acks.now |= self.receiver.wants_update(shared.config.window, shared.is_tight());
    }

    fn deliver(&mut self, shared: &mut Shared) {
        while let Some(id) = self.sender.next_delivered() {
            shared.event(Event::Delivered { peer: self.id, id });
        }
        let config = &shared.config;
        let half_free = self.sender.held_bytes() <= config.send_memory / 2
            && self.sender.held_messages() <= config.send_messages / 2;
        if self.blocked && half_free {
            self.blocked = false;
            shared.event(Event::Writable { peer: self.id });
        }
    }
}
