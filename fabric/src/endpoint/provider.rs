//! The trait of everything that moves messages.

use super::event::{Event, MessageId, SendError};
use crate::id::UniqueId;
use crate::protocol::{Path, PortError};
use crate::time::Time;
use bytes::Bytes;

/// What an endpoint can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Capabilities {
    /// The longest message, in bytes.
    pub max_message: usize,
    /// Messages up to so many bytes travel whole, and are handed over without being copied.
    pub whole_message: usize,
    /// Large messages are spread over several paths, and a path that fails is replaced by another one.
    pub several_paths: bool,
    /// The hardware can read a peer's memory.
    pub remote_read: bool,
    /// The hardware can write to a peer's memory.
    pub remote_write: bool,
}

/// Moves messages between hosts or processes: reliable, and in order for each peer.
///
/// Nothing here blocks but [`Endpoint::wait`]. What must hold for every provider is in `conformance`.
pub trait Endpoint {
    /// The unique id of this side.
    fn unique_id(&self) -> UniqueId;

    /// What this endpoint can do.
    fn capabilities(&self) -> Capabilities;

    /// The endpoint's clock.
    fn now(&self) -> Time;

    /// Asks for a connection with `peer`, or replaces the paths to it. A provider that finds its own way ignores `paths`.
    fn connect(&mut self, peer: UniqueId, paths: Vec<Path>);

    /// Forgets `peer`, and drops what is not delivered to it.
    fn disconnect(&mut self, peer: UniqueId);

    /// Takes a message for `peer`. It may be given before the connection stands.
    fn send(&mut self, peer: UniqueId, message: Bytes) -> Result<MessageId, SendError>;

    /// Does what there is to do now, and says what has happened, if anything has.
    fn poll(&mut self) -> Result<Option<Event>, PortError>;

    /// Waits until there is something to do or `deadline` has passed.
    fn wait(&mut self, deadline: Time) -> Result<(), PortError>;
}
