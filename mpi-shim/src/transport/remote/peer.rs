//! Another process: how it is reached, and what is on its way there.

use crate::launch::seats;
use bytes::Bytes;
use std::collections::VecDeque;
use twowire_fabric::endpoint::MessageId;
use twowire_fabric::id::UniqueId;
use twowire_fabric::protocol::Path;

/// Another process.
pub(super) struct Peer {
    pub(super) card: UniqueId,
    pub(super) paths: Vec<Path>,
    pub(super) connected: bool,
    pub(super) outgoing: Outgoing,
    /// The sequence number of the next message to it, and from it.
    pub(super) next: (u16, u16),
    /// It said that it ends.
    pub(super) gone: bool,
}

impl Peer {
    pub(super) fn new(peer: &seats::Peer) -> Peer {
        let (card, paths) = (peer.card, peer.paths.clone());
        Peer { card, paths, connected: false, outgoing: Outgoing::default(), next: (0, 0), gone: false }
    }

    /// The sequence number of a new message to it.
    pub(super) fn take_sequence(&mut self) -> u16 {
        let sequence = self.next.0;
        self.next.0 = sequence.wrapping_add(1);
        sequence
    }
}

/// Messages to a process that are not known to have arrived, in order. Those that the endpoint has come first; at most one more waits for room
/// there, unless a connection was lost.
#[derive(Debug, Default)]
pub(super) struct Outgoing {
    messages: VecDeque<Bytes>,
    /// The endpoint's numbers of the first of them.
    handed: VecDeque<MessageId>,
}

impl Outgoing {
    pub(super) fn is_empty(&self) -> bool {
        self.messages.is_empty()
    }

    /// True if a message may be added.
    pub(super) fn has_room(&self) -> bool {
        self.handed.len() == self.messages.len()
    }

    pub(super) fn push(&mut self, message: Bytes) {
        self.messages.push_back(message);
    }

    /// The first message that the endpoint does not have.
    pub(super) fn next(&self) -> Option<&Bytes> {
        self.messages.get(self.handed.len())
    }

    /// The endpoint has taken it.
    pub(super) fn handed_over(&mut self, id: MessageId) {
        self.handed.push_back(id);
    }

    /// A message has arrived. One that was sent again has another number: what is said of its first transmission counts no more.
    pub(super) fn delivered(&mut self, id: MessageId) {
        if self.handed.front() == Some(&id) {
            self.handed.pop_front();
            self.messages.pop_front();
        }
    }

    /// The endpoint has lost them: it is given all again.
    pub(super) fn begin_again(&mut self) {
        self.handed.clear();
    }

    /// None of them is needed any longer.
    pub(super) fn clear(&mut self) {
        *self = Outgoing::default();
    }
}
