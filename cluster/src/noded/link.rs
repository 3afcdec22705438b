//! Messages of a channel over the reliable endpoint, as fast as it takes them.

use super::channel::Channel;
use super::wire::Message;
use bytes::Bytes;
use std::collections::VecDeque;
use twowire_fabric::endpoint::{Endpoint, PortEndpoint, SendError};
use twowire_fabric::id::UniqueId;
use twowire_fabric::protocol::Port;

/// Messages that may wait for room before their source is no longer asked for more.
const WAITING: usize = 16;

/// A channel to a peer.
pub(super) struct Link {
    peer: UniqueId,
    channel: Channel,
    waiting: VecDeque<Bytes>,
}

impl Link {
    pub(super) fn new(peer: UniqueId, channel: Channel) -> Link {
        Link { peer, channel, waiting: VecDeque::new() }
    }

    /// Sends a message, when there is room.
    pub(super) fn send<P: Port>(&mut self, endpoint: &mut PortEndpoint<P>, message: &Message) {
        self.waiting.push_back(self.channel.seal(&message.to_bytes()).into());
        self.flush(endpoint);
    }

    /// Sends what waits, as far as there is room. True if there is room for more.
    pub(super) fn flush<P: Port>(&mut self, endpoint: &mut PortEndpoint<P>) -> bool {
        while let Some(bytes) = self.waiting.pop_front() {
            if let Err(SendError::WouldBlock { .. }) = endpoint.send(self.peer, bytes.clone()) {
                self.waiting.push_front(bytes);
                break;
            }
            // Any other error is a connection that is gone: an event says so.
        }
        self.waiting.len() < WAITING
    }

    /// The message that came; `None` if it is none of this channel.
    pub(super) fn open(&mut self, bytes: &[u8]) -> Option<Message> {
        self.channel.open(bytes).and_then(Message::parse)
    }
}
