//! The endpoint: its peers, and whose turn it is.

use super::config::EndpointConfig;
use super::event::{Event, MessageId, SendError, UnreachableReason, Violation};
use super::inbound::Inbound;
use super::outbound::PathState;
use super::peer::{Peer, PeerStats, Phase};
use super::shared::Shared;
use super::timers::Timers;
use crate::id::UniqueId;
use crate::protocol::{Path, Protocol, Transmit};
use crate::time::Time;
use crate::wire::endpoint::{Accept, Close, CloseReason, Open, Ping, Reset, check};
use crate::wire::{Header, Packet};
use bytes::Bytes;
use std::collections::{BTreeMap, VecDeque};

/// Low bits of a connection number that say which slot it belongs to; the rest is random.
const SLOT_BITS: u32 = 20;

/// Messages, reliable and in order for each peer, over frames that may be lost, damaged, doubled or reordered.
///
/// See the [module's documentation](super) for how it works, and `docs/endpoint.md`.
#[derive(Debug)]
pub struct ReliableEndpoint {
    shared: Shared,
    slots: Vec<Option<Box<Peer>>>,
    free: Vec<u32>,
    by_id: BTreeMap<UniqueId, u32>,
    /// Slots with acknowledgements, pings and the like to send; then those with data. Each takes its turn.
    control: VecDeque<u32>,
    data: VecDeque<u32>,
    timers: Timers,
}

impl ReliableEndpoint {
    /// An endpoint of the card `id`. Its incarnation number comes from `seed`: a restarted host must give another one.
    pub fn new(config: EndpointConfig, id: UniqueId, seed: u64) -> ReliableEndpoint {
        let mut config = config.bounded();
        config.max_peers = config.max_peers.min(1 << SLOT_BITS);
        let mut rng = fastrand::Rng::with_seed(seed);
        let incarnation = rng.u64(..);
        let shared =
            Shared { config, id, incarnation, rng, events: VecDeque::new(), replies: VecDeque::new(), untaken: 0 };
        ReliableEndpoint {
            shared,
            slots: Vec::new(),
            free: Vec::new(),
            by_id: BTreeMap::new(),
            control: VecDeque::new(),
            data: VecDeque::new(),
            timers: Timers::default(),
        }
    }

    /// The unique id of this endpoint's card.
    pub fn unique_id(&self) -> UniqueId {
        self.shared.id
    }

    /// What was set.
    pub fn config(&self) -> &EndpointConfig {
        &self.shared.config
    }

    /// Opens a connection with `peer`, or replaces the paths to a peer that is known already. Its first path is used
    /// first, and for little data. Without paths it waits for the peer to open.
    pub fn connect(&mut self, now: Time, peer: UniqueId, paths: Vec<Path>) {
        let slot = match self.by_id.get(&peer) {
            Some(&slot) => slot,
            None => {
                let slot = self.take_slot();
                let number = self.fresh_number(slot);
                let mut fresh = Peer::new(now, peer, number, Phase::Connected);
                fresh.start_opening(now);
                self.insert(slot, fresh);
                slot
            }
        };
        let Some(known) = &mut self.slots[slot as usize] else { return };
        known.wanted = true;
        if matches!(known.phase, Phase::Asked { .. }) {
            known.start_opening(now);
        }
        if !paths.is_empty() {
            known.set_paths(&paths, &self.shared.config);
        }
        self.refresh(slot);
    }

    /// Sends a message to a peer. It may be given before the connection stands; it goes out in the order of these calls.
    pub fn send(&mut self, _now: Time, peer: UniqueId, message: Bytes) -> Result<MessageId, SendError> {
        let &slot = self.by_id.get(&peer).ok_or(SendError::NoSuchPeer { peer })?;
        let known = self.slots[slot as usize].as_mut().ok_or(SendError::NoSuchPeer { peer })?;
        let id = known.send(message, &self.shared.config)?;
        self.refresh(slot);
        Ok(id)
    }

    /// The next event, in the order in which they happened. Taking a message makes room for more of its sender's.
    pub fn poll_event(&mut self) -> Option<Event> {
        let queued = self.shared.events.pop_front()?;
        if let Some(taken) = queued.taken {
            self.shared.untaken -= taken.len;
            let slot = slot_of(taken.number);
            if let Some(Some(peer)) = self.slots.get_mut(slot as usize) {
                peer.taken(taken.number, taken.end, &self.shared);
                self.refresh(slot);
            }
        }
        Some(queued.event)
    }

    /// Forgets a peer, and drops what is not delivered to it. The peer is told, once; if that frame is lost it finds out
    /// when it next sends.
    pub fn disconnect(&mut self, peer: UniqueId) {
        if let Some(&slot) = self.by_id.get(&peer) {
            self.remove(slot, Some(CloseReason::Asked));
        }
    }

    /// The peers, by unique id, connected or not.
    pub fn peers(&self) -> impl Iterator<Item = UniqueId> + '_ {
        self.by_id.keys().copied()
    }

    /// True if a connection with `peer` stands.
    pub fn is_connected(&self, peer: UniqueId) -> bool {
        self.peer(peer).is_some_and(Peer::is_connected)
    }

    /// Counts of a peer.
    pub fn stats(&self, peer: UniqueId) -> Option<PeerStats> {
        self.peer(peer).map(Peer::stats)
    }

    /// The largest payload of a frame to a peer, as far as is known what gets through.
    pub fn payload(&self, peer: UniqueId) -> usize {
        self.peer(peer).and_then(Peer::payload).unwrap_or(self.shared.config.max_payload)
    }

    /// The paths to a peer, and which of them work; unproven ones do not count as working.
    pub fn paths(&self, peer: UniqueId) -> Vec<(Path, bool)> {
        let paths = self.peer(peer).into_iter().flat_map(Peer::paths);
        paths.map(|(path, state)| (path, state == PathState::Up)).collect()
    }

    fn peer(&self, id: UniqueId) -> Option<&Peer> {
        self.slots[*self.by_id.get(&id)? as usize].as_deref()
    }

    fn take_slot(&mut self) -> u32 {
        self.free.pop().unwrap_or_else(|| {
            self.slots.push(None);
            self.slots.len() as u32 - 1
        })
    }

    fn insert(&mut self, slot: u32, peer: Peer) {
        self.by_id.insert(peer.id, slot);
        self.slots[slot as usize] = Some(Box::new(peer));
    }

    /// A connection number that nobody has used before, but for one chance in 2^44.
    fn fresh_number(&mut self, slot: u32) -> u64 {
        self.shared.rng.u64(..) << SLOT_BITS | u64::from(slot)
    }

    fn remove(&mut self, slot: u32, say: Option<CloseReason>) {
        let Some(mut peer) = self.slots[slot as usize].take() else { return };
        self.timers.cancel(slot, &mut peer.armed);
        if let (Some(reason), Some((connection, path))) = (say, peer.last_path()) {
            self.shared.reply(Transmit::new(path, Packet::new(Close { connection, reason })));
        }
        self.by_id.remove(&peer.id);
        self.free.push(slot);
    }

    fn give_up(&mut self, slot: u32, reason: UnreachableReason, say: Option<CloseReason>) {
        let Some(known) = &self.slots[slot as usize] else { return };
        let peer = known.id;
        if known.wanted || known.is_connected() {
            self.shared.event(Event::PeerUnreachable { peer, reason });
        } else if known.was_connected() {
            self.shared.event(Event::Disconnected { peer });
        }
        // A stranger that never got as far as a connection is forgotten in silence.
        self.remove(slot, say);
    }

    /// Puts a peer into the queues and the timer heap as its state wants it.
    fn refresh(&mut self, slot: u32) {
        let Some(peer) = &mut self.slots[slot as usize] else { return };
        if !peer.in_control && peer.has_control() {
            peer.in_control = true;
            self.control.push_back(slot);
        }
        if !peer.in_data && peer.has_data(&self.shared.config) {
            peer.in_data = true;
            self.data.push_back(slot);
        }
        if let Some(at) = peer.deadline(&self.shared.config) {
            self.timers.set(at, slot, &mut peer.armed);
        }
    }

    /// Finds the connected peer that gave out this number, putting its candidate in place if it is the candidate's.
    fn connection(&mut self, now: Time, number: u64) -> Option<u32> {
        let slot = slot_of(number);
        let peer = self.slots.get_mut(slot as usize)?.as_mut()?;
        peer.promote(now, number, &mut self.shared);
        (peer.is_connected() && peer.number == number).then_some(slot)
    }

    /// Hands a frame to its connection; what the protocol does not allow ends it.
    fn on_connection(
        &mut self,
        now: Time,
        number: u64,
        handle: impl FnOnce(&mut Peer, &mut Shared) -> Result<(), Violation>,
    ) -> bool {
        let Some(slot) = self.connection(now, number) else { return false };
        let Some(peer) = &mut self.slots[slot as usize] else { return false };
        match handle(peer, &mut self.shared) {
            Ok(()) => self.refresh(slot),
            Err(violation) => {
                self.give_up(slot, UnreachableReason::Violation(violation), Some(CloseReason::Violation));
            }
        }
        true
    }

    fn on_open(&mut self, now: Time, open: &Open, payload: &Bytes) {
        if open.source == self.shared.id || open.target != self.shared.id {
            return;
        }
        let slot = match self.by_id.get(&open.source) {
            Some(&slot) => slot,
            None if self.by_id.len() >= self.shared.config.max_peers => return,
            None => {
                let slot = self.take_slot();
                let number = self.fresh_number(slot);
                let until = now + self.shared.config.peer_timeout;
                self.insert(slot, Peer::new(now, open.source, number, Phase::Asked { until }));
                slot
            }
        };
        let number = self.fresh_number(slot);
        let Some(peer) = &mut self.slots[slot as usize] else { return };
        peer.on_open(now, open, payload, number, &self.shared);
        self.refresh(slot);
    }

    fn on_accept(&mut self, now: Time, accept: &Accept, payload: &Bytes) {
        let slot = slot_of(accept.connection);
        let Some(Some(peer)) = self.slots.get_mut(slot as usize) else { return };
        if peer.number == accept.connection {
            peer.on_accept(now, accept, payload, &mut self.shared);
            self.refresh(slot);
        }
    }

    /// A ping for a connection that is not here is refused: the pinger has an old one.
    fn on_ping(&mut self, now: Time, ping: &Ping, payload: &Bytes) {
        if ping.target != self.shared.id {
            return;
        }
        let known = self.on_connection(now, ping.connection, |peer, shared| {
            peer.on_ping(now, ping, payload, shared);
            Ok(())
        });
        if known {
            return;
        }
        let mut inbound = Inbound::default();
        if let Some(back) = inbound.announced(now, ping.label, payload) {
            let reset = Reset { connection: ping.number, refused: ping.connection };
            self.shared.reply(Transmit::new(back, Packet::new(reset)));
        }
    }

    fn on_reset(&mut self, now: Time, reset: &Reset) {
        let slot = slot_of(reset.connection);
        let number = self.fresh_number(slot);
        let Some(Some(peer)) = self.slots.get_mut(slot as usize) else { return };
        if peer.number != reset.connection {
            return;
        }
        peer.on_reset(now, reset.refused, number, &self.shared.config);
        self.refresh(slot);
    }

    fn on_close(&mut self, now: Time, close: &Close) {
        let Some(slot) = self.connection(now, close.connection) else { return };
        if close.reason == CloseReason::Violation {
            self.give_up(slot, UnreachableReason::Accused, None);
        } else {
            self.begin_again(now, slot, None);
        }
    }

    /// A connection cannot go on. Who asked for it opens it again.
    fn begin_again(&mut self, now: Time, slot: u32, say: Option<CloseReason>) {
        let number = self.fresh_number(slot);
        let Some(peer) = &mut self.slots[slot as usize] else { return };
        if peer.wanted {
            peer.lost_connection(now, number);
            self.refresh(slot);
        } else {
            let peer = peer.id;
            self.shared.event(Event::Disconnected { peer });
            self.remove(slot, say);
        }
    }

    /// The next frame of the first peer in a queue that has one; a peer with more goes to the queue's end.
    fn next_control(&mut self, now: Time) -> Option<Transmit> {
        while let Some(slot) = self.control.pop_front() {
            let Some(peer) = &mut self.slots[slot as usize] else { continue };
            peer.in_control = false;
            let transmit = peer.next_control(now, &mut self.shared);
            self.refresh(slot);
            if transmit.is_some() {
                return transmit;
            }
        }
        None
    }

    fn next_data(&mut self, now: Time) -> Option<Transmit> {
        while let Some(slot) = self.data.pop_front() {
            let Some(peer) = &mut self.slots[slot as usize] else { continue };
            peer.in_data = false;
            let transmit = peer.next_data(now, &self.shared);
            self.refresh(slot);
            if transmit.is_some() {
                return transmit;
            }
        }
        None
    }
}

fn slot_of(number: u64) -> u32 {
    (number & ((1 << SLOT_BITS) - 1)) as u32
}

/// The check that a frame carries, if its kind has one.
fn payload_check(header: &Header) -> Option<u32> {
    match header {
        Header::Open(h) => Some(h.check),
        Header::Accept(h) => Some(h.check),
        Header::Data(h) => Some(h.check),
        Header::Ack(h) => Some(h.check),
        Header::Ping(h) => Some(h.check),
        Header::Sounding(h) => Some(h.check),
        _ => None,
    }
}

impl Protocol for ReliableEndpoint {
    fn handle_packet(&mut self, now: Time, packet: &Packet) {
        let payload = &packet.payload;
        if payload_check(&packet.header).is_some_and(|expected| expected != check(payload)) {
            return;
        }
        match &packet.header {
            Header::Open(open) => self.on_open(now, open, payload),
            Header::Accept(accept) => self.on_accept(now, accept, payload),
            Header::Data(data) => {
                self.on_connection(now, data.connection, |peer, shared| peer.on_data(now, data, payload, shared));
            }
            Header::Ack(ack) => {
                self.on_connection(now, ack.connection, |peer, shared| peer.on_ack(now, ack, payload, shared));
            }
            Header::Ping(ping) => self.on_ping(now, ping, payload),
            Header::Sounding(sounding) => {
                self.on_connection(now, sounding.connection, |peer, shared| {
                    peer.on_sounding(now, sounding, payload.len(), shared);
                    Ok(())
                });
            }
            Header::Sounded(sounded) => {
                self.on_connection(now, sounded.connection, |peer, shared| {
                    peer.on_sounded(now, sounded, shared);
                    Ok(())
                });
            }
            Header::Reset(reset) => self.on_reset(now, reset),
            Header::Close(close) => self.on_close(now, close),
            _ => {}
        }
    }

    fn handle_timeout(&mut self, now: Time) {
        while let Some(slot) = self.timers.pop_due(now) {
            let Some(peer) = &mut self.slots[slot as usize] else { continue };
            if let Some(at) = peer.armed.take() {
                peer.excuse(now, now - at, &self.shared.config);
            }
            match peer.on_timeout(now, &mut self.shared) {
                Ok(()) if peer.stuck => self.begin_again(now, slot, Some(CloseReason::Asked)),
                Ok(()) => self.refresh(slot),
                Err(reason) => self.give_up(slot, reason, None),
            }
        }
    }

    fn poll_transmit(&mut self, now: Time) -> Option<Transmit> {
        let reply = self.shared.replies.pop_front();
        reply.or_else(|| self.next_control(now)).or_else(|| self.next_data(now))
    }

    fn poll_timeout(&self) -> Option<Time> {
        self.timers.next()
    }
}
