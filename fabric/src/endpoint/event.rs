//! What an endpoint tells its owner.

use crate::id::UniqueId;
use crate::protocol::Path;
use bytes::Bytes;
use std::time::Duration;

/// A message to one peer: 0 for the first one sent to it, and so on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MessageId(pub u64);

/// Something happened.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// A connection stands, asked for by either side.
    Connected {
        /// With whom.
        peer: UniqueId,
    },
    /// A message has come in, whole, and after all earlier ones of this connection.
    Message {
        /// From whom.
        peer: UniqueId,
        /// Its bytes.
        message: Bytes,
    },
    /// The peer's endpoint holds this message whole.
    Delivered {
        /// To whom.
        peer: UniqueId,
        /// Which message.
        id: MessageId,
    },
    /// After [`SendError::WouldBlock`]: half of the peer's send memory is free again.
    Writable {
        /// To whom.
        peer: UniqueId,
    },
    /// The peer is a new incarnation, and a connection with it stands. Messages sent before this event and not
    /// [`Event::Delivered`] are dropped.
    PeerRestarted {
        /// Who.
        peer: UniqueId,
    },
    /// The same incarnation of the peer closed or lost the connection. Messages sent before this event and not
    /// [`Event::Delivered`] are dropped. If this side asked for the connection, it asks again.
    Disconnected {
        /// By whom.
        peer: UniqueId,
    },
    /// A path went silent while another one to the same peer answers.
    PathDown {
        /// To whom.
        peer: UniqueId,
        /// Which.
        path: Path,
    },
    /// A path that was down answers again.
    PathUp {
        /// To whom.
        peer: UniqueId,
        /// Which.
        path: Path,
    },
    /// The peer is given up and forgotten, and so are all messages to it; `connect` starts afresh.
    PeerUnreachable {
        /// Who.
        peer: UniqueId,
        /// Why.
        reason: UnreachableReason,
    },
}

/// Why a peer was given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UnreachableReason {
    /// No open was answered.
    #[error("it answered no open for {0:?}")]
    NoAnswer(Duration),
    /// Nothing was heard from a connected peer that owed an acknowledgement.
    #[error("it fell silent for {0:?}")]
    Silent(Duration),
    /// The peer sent what the protocol does not allow.
    #[error("it broke the protocol: {0}")]
    Violation(Violation),
    /// The peer says that this side sent what the protocol does not allow.
    #[error("it says that this side broke the protocol")]
    Accused,
}

/// What a peer did that the protocol does not allow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Violation {
    /// A message longer than allowed here.
    #[error("a message of {len} bytes, where {max} are allowed")]
    MessageTooLong {
        /// What its first fragment says.
        len: usize,
        /// What is allowed.
        max: usize,
    },
    /// A fragment that does not continue its message.
    #[error("a fragment {remaining} bytes from its message's end, expected {expected}")]
    Fragment {
        /// What the fragment says.
        remaining: usize,
        /// What is missing of the message.
        expected: usize,
    },
    /// A fragment longer than the rest of its message, or an empty one of a message with bytes left.
    #[error("a fragment of {len} bytes, {remaining} from its message's end")]
    FragmentLength {
        /// Bytes of the fragment.
        len: usize,
        /// Bytes that are missing.
        remaining: usize,
    },
    /// An acknowledgement of frames that were never sent.
    #[error("an acknowledgement of frames that were never sent")]
    Acknowledgement,
}

/// Why a message was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SendError {
    /// Too much is waiting for this peer: [`Event::Writable`] tells when to try again.
    #[error("too much is waiting for {peer}: try again when it is writable")]
    WouldBlock {
        /// To whom.
        peer: UniqueId,
    },
    /// The message is longer than allowed.
    #[error("a message of {len} bytes is more than the {max} allowed")]
    TooLong {
        /// Bytes of the message.
        len: usize,
        /// Bytes that are allowed.
        max: usize,
    },
    /// No such peer: it was never connected, or was given up.
    #[error("{peer} is not a peer: connect to it first")]
    NoSuchPeer {
        /// To whom.
        peer: UniqueId,
    },
}
