//! The host's side of discovery: answers probes.
//!
//! A probe's payload is the list of hops that it set out with. The host at its end reverses them, and sends its unique
//! id and the epoch of its routes back along that way.

use crate::id::UniqueId;
use crate::protocol::{Protocol, Transmit};
use crate::route::Route;
use crate::time::Time;
use crate::wire::probe::{ProbeReply, Role};
use crate::wire::{Header, Packet};
use std::collections::VecDeque;

/// The answers that wait for room to be sent. A prober asks again, so one more than these is better lost than kept.
pub const QUEUE: usize = 64;

/// What a responder has done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ResponderStats {
    /// Probes that were answered, or whose answer waits.
    pub probes: u64,
    /// Probes whose payload is not a list of hops; they were ignored.
    pub malformed: u64,
    /// Probes that were ignored because [`QUEUE`] answers waited.
    pub overflowed: u64,
}

/// Answers the probes that reach a host.
///
/// A host that is itself discovering must not answer its own probes when they come back to it: it hands them to the
/// discovery alone, or tells the responder its session with [`Responder::ignore_session`].
#[derive(Clone, Debug)]
pub struct Responder {
    id: UniqueId,
    role: Role,
    epoch: u32,
    ignored_session: Option<u32>,
    queue: VecDeque<Transmit>,
    stats: ResponderStats,
}

impl Responder {
    /// A responder for a node with the card of this id, without routes (epoch 0).
    pub fn new(id: UniqueId) -> Responder {
        Responder::with_role(id, Role::Node)
    }

    /// The same for the front end, which nodes that look for it recognise by the answers.
    pub fn front_end(id: UniqueId) -> Responder {
        Responder::with_role(id, Role::FrontEnd)
    }

    fn with_role(id: UniqueId, role: Role) -> Responder {
        let (queue, stats) = (VecDeque::new(), ResponderStats::default());
        Responder { id, role, epoch: 0, ignored_session: None, queue, stats }
    }

    /// Sets the epoch that the answers carry.
    pub fn set_epoch(&mut self, epoch: u32) {
        self.epoch = epoch;
    }

    /// Leaves the probes of this session unanswered.
    pub fn ignore_session(&mut self, session: u32) {
        self.ignored_session = Some(session);
    }

    /// What it has done so far.
    pub fn stats(&self) -> ResponderStats {
        self.stats
    }
}

impl Protocol for Responder {
    fn handle_packet(&mut self, _now: Time, packet: &Packet) {
        let Header::Probe(probe) = packet.header else { return };
        if self.ignored_session == Some(probe.session) {
            return;
        }
        let Ok(route) = Route::from_bytes(&packet.payload) else {
            self.stats.malformed += 1;
            return;
        };
        if self.queue.len() == QUEUE {
            self.stats.overflowed += 1;
            return;
        }
        let Responder { id, epoch, role, .. } = *self;
        let reply = ProbeReply { session: probe.session, nonce: probe.nonce, id, epoch, role };
        self.queue.push_back(Transmit::new(route.reversed(), Packet::new(reply)));
        self.stats.probes += 1;
    }

    fn handle_timeout(&mut self, _now: Time) {}

    fn poll_transmit(&mut self, _now: Time) -> Option<Transmit> {
        self.queue.pop_front()
    }

    fn poll_timeout(&self) -> Option<Time> {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::probe::Probe;
    use bytes::Bytes;

    fn probe(session: u32, payload: &'static [u8]) -> Packet {
        Packet::with_payload(Probe { session, nonce: 9 }, Bytes::from_static(payload))
    }

    #[test]
    fn the_answer_goes_back_the_way_the_probe_came() {
        let mut responder = Responder::new(UniqueId(0xa1));
        responder.set_epoch(3);
        responder.handle_packet(Time::ZERO, &probe(7, &[0x88, 0xf8, 0x87]));
        let reply = ProbeReply { session: 7, nonce: 9, id: UniqueId(0xa1), epoch: 3, role: Role::Node };
        let expected = Transmit::new(Route::from_bytes(&[0xf9, 0x88, 0xf8]).unwrap(), Packet::new(reply));
        assert_eq!(responder.poll_transmit(Time::ZERO), Some(expected));
        assert_eq!(responder.poll_transmit(Time::ZERO), None);
    }

    #[test]
    fn a_front_end_says_what_it_is() {
        let mut responder = Responder::front_end(UniqueId(0xa1));
        responder.handle_packet(Time::ZERO, &probe(7, &[0x88]));
        let Some(Transmit { packet: Packet { header: Header::ProbeReply(reply), .. }, .. }) =
            responder.poll_transmit(Time::ZERO)
        else {
            panic!("no answer")
        };
        assert_eq!((reply.id, reply.role), (UniqueId(0xa1), Role::FrontEnd));
    }

    #[test]
    fn what_is_not_a_probe_of_another_is_ignored() {
        let mut responder = Responder::new(UniqueId(1));
        responder.ignore_session(5);
        responder.handle_packet(Time::ZERO, &probe(5, &[0x81]));
        responder.handle_packet(Time::ZERO, &probe(6, &[0x81, 0x01]));
        let reply = ProbeReply { session: 6, nonce: 9, id: UniqueId(2), epoch: 0, role: Role::Node };
        responder.handle_packet(Time::ZERO, &Packet::new(reply));
        assert_eq!(responder.poll_transmit(Time::ZERO), None);
        assert_eq!(responder.stats(), ResponderStats { probes: 0, malformed: 1, overflowed: 0 });
    }

    #[test]
    fn the_queue_is_bounded() {
        let mut responder = Responder::new(UniqueId(1));
        for _ in 0..QUEUE + 3 {
            responder.handle_packet(Time::ZERO, &probe(1, &[]));
        }
        assert_eq!(responder.stats(), ResponderStats { probes: QUEUE as u64, malformed: 0, overflowed: 3 });
        assert_eq!(std::iter::from_fn(|| responder.poll_transmit(Time::ZERO)).count(), QUEUE);
    }
}
