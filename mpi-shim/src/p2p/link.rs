//! The way to a process: its ring, and what waits for room in it.
use super::buffer::Buffer;
use super::engine::Pushed;
use super::matching::Key;
use super::message::Kind;
use crate::abi::MPI_Request;
use crate::transport::shm::{Producer, Word};
use std::collections::VecDeque;

/// The way to a process of this node.
#[derive(Debug)]
pub(super) struct Link {
    ring: Producer,
    eager: usize,
    /// What waits, in order.
    pub queue: VecDeque<Outgoing>,
}

/// Something to be written into a ring.
#[derive(Clone, Debug)]
pub(super) enum Outgoing {
    /// A message with its data.
    Eager {
        /// Its key; the source is not sent.
        key: Key,
        /// Its data.
        buffer: Buffer,
        /// The send.
        request: MPI_Request,
        /// Complete when it is matched, not when it is sent.
        synchronous: bool,
    },
    /// A kind and its numbers.
    Control {
        /// What it is.
        kind: Kind,
        /// The message that it is about.
        key: Key,
        /// The prefix.
        numbers: [u64; 3],
        /// How many of them there are.
        count: usize,
    },
    /// The data that a receiver asked for.
    Stream {
        /// The message's key.
        key: Key,
        /// The data,
        buffer: Buffer,
        /// sent up to here,
        position: usize,
        /// to be sent up to here.
        len: usize,
        /// The receiver's request.
        receive: u64,
        /// The send.
        request: MPI_Request,
    },
}

impl Outgoing {
    /// A control message.
    pub(super) fn control(kind: Kind, key: Key, prefix: &[u64]) -> Outgoing {
        let mut numbers = [0; 3];
        numbers[..prefix.len()].copy_from_slice(prefix);
        Outgoing::Control { kind, key, numbers, count: prefix.len() }
    }

    /// The send that is complete when this is written.
    pub(super) fn completes(&self) -> Option<MPI_Request> {
        match self {
            Outgoing::Eager { request, synchronous: false, .. } | Outgoing::Stream { request, .. } => Some(*request),
            _ => None,
        }
    }
}

impl Link {
    /// The way by a ring; messages of up to `eager` bytes go at once, if the ring takes them.
    pub(super) fn new(ring: Producer, eager: usize) -> Link {
        Link { eager: eager.min(ring.max_payload()), ring, queue: VecDeque::new() }
    }

    /// The longest message that is sent before anybody has asked for it.
    #[inline]
    pub(super) fn eager_limit(&self) -> usize {
        self.eager
    }

    /// True if data may be sent at once.
    #[inline]
    pub(super) fn is_free(&self) -> bool {
        self.queue.is_empty() && !self.ring.throttled()
    }

    /// True if the receiver wants announcements in place of data.
    pub(super) fn is_throttled(&self) -> bool {
        self.ring.throttled()
    }

    /// Writes a whole message, if there is room.
    #[inline]
    pub(super) fn push_eager(&mut self, key: Key, buffer: &Buffer) -> bool {
        let word = Word { kind: Kind::Eager as u8, prefix: 0, payload: buffer.len() as u16, tag: key.tag };
        self.ring.push(word, key.context, &[], |first, second| fill(buffer, 0, first, second))
    }

    /// Writes as much of something as there is room for.
    pub(super) fn push(&mut self, outgoing: &Outgoing) -> Pushed {
        let pushed = match outgoing {
            Outgoing::Eager { key, buffer, synchronous: false, .. } => self.push_eager(*key, buffer),
            Outgoing::Eager { key, buffer, request, .. } => {
                let prefix = [usize::from(*request) as u64];
                self.push_data(Kind::Synchronous, *key, &prefix, buffer, 0, buffer.len())
            }
            Outgoing::Control { kind, key, numbers, count } => {
                let word = Word { kind: *kind as u8, prefix: 8 * *count as u8, payload: 0, tag: key.tag };
                self.ring.push(word, key.context, &numbers[..*count], |_, _| {})
            }
            Outgoing::Stream { key, buffer, position, len, receive, request } => {
                let piece = (len - position).min(self.ring.max_payload());
                if !self.push_data(Kind::Data, *key, &[*receive], buffer, *position, piece) {
                    return Pushed::None;
                }
                let position = position + piece;
                if position < *len {
                    let (key, buffer, len, receive, request) = (*key, buffer.clone(), *len, *receive, *request);
                    return Pushed::Some(Outgoing::Stream { key, buffer, position, len, receive, request });
                }
                true
            }
        };
        if pushed { Pushed::All } else { Pushed::None }
    }

    fn push_data(
        &mut self,
        kind: Kind,
        key: Key,
        prefix: &[u64],
        buffer: &Buffer,
        position: usize,
        len: usize,
    ) -> bool {
        let word = Word { kind: kind as u8, prefix: 8 * prefix.len() as u8, payload: len as u16, tag: key.tag };
        self.ring.push(word, key.context, prefix, |first, second| fill(buffer, position, first, second))
    }
}

#[inline]
fn fill(buffer: &Buffer, position: usize, first: &mut [u8], second: &mut [u8]) {
    buffer.read(position, first);
    if !second.is_empty() {
        buffer.read(position + first.len(), second);
    }
}
