//! What all peers of an endpoint have in common.

use super::config::EndpointConfig;
use super::event::Event;
use crate::id::UniqueId;
use crate::protocol::Transmit;
use bytes::Bytes;
use std::collections::VecDeque;

/// Answers to strangers that may wait to be sent; further ones are dropped, as the network might have done.
const MAX_REPLIES: usize = 1024;

/// An event, and if it is a message what its receiver is to be told when it is taken.
#[derive(Debug)]
pub(super) struct QueuedEvent {
    pub(super) event: Event,
    pub(super) taken: Option<Taken>,
}

/// A message that was taken: of which connection, and where it ended.
#[derive(Clone, Copy, Debug)]
pub(super) struct Taken {
    pub(super) number: u64,
    pub(super) end: u64,
    pub(super) len: usize,
}

#[derive(Debug)]
pub(super) struct Shared {
    pub(super) config: EndpointConfig,
    pub(super) id: UniqueId,
    pub(super) incarnation: u64,
    pub(super) rng: fastrand::Rng,
    pub(super) events: VecDeque<QueuedEvent>,
    pub(super) replies: VecDeque<Transmit>,
    /// Bytes of messages in `events`.
    pub(super) untaken: usize,
}

impl Shared {
    pub(super) fn event(&mut self, event: Event) {
        self.events.push_back(QueuedEvent { event, taken: None });
    }

    pub(super) fn message(&mut self, peer: UniqueId, message: Bytes, number: u64, end: u64) {
        let taken = Some(Taken { number, end, len: message.len() });
        self.untaken += message.len();
        self.events.push_back(QueuedEvent { event: Event::Message { peer, message }, taken });
    }

    pub(super) fn reply(&mut self, transmit: Transmit) {
        if self.replies.len() < MAX_REPLIES {
            self.replies.push_back(transmit);
        }
    }

    /// True if so much waits to be taken that windows are kept small.
    pub(super) fn is_tight(&self) -> bool {
        self.untaken >= self.config.receive_memory
    }
}
