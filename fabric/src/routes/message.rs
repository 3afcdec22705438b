//! The control messages of route loading. They travel whole and in order as messages of the reliable endpoint.
//!
//! ```text
//! 0        1          2         3          4             8                  12
//! | kind   | version  | reason  | reserved | epoch, LE   | node number, LE  | table (Load only)
//! ```

use crate::id::NodeNumber;
use bytes::Bytes;
use std::fmt;
use zerocopy::byteorder::little_endian::{I32, U32};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

/// The version in the second byte.
pub const VERSION: u8 = 1;

/// A message of route loading.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message {
    /// Front end to node: hold this table beside the one in use.
    Load {
        /// The epoch of the table.
        epoch: u32,
        /// The number of the node's location.
        node: NodeNumber,
        /// The table, as [`super::encode`] writes it.
        table: Bytes,
    },
    /// Node to front end: the table is whole and valid, and waits.
    Loaded {
        /// The epoch of the table.
        epoch: u32,
        /// The node that speaks.
        node: NodeNumber,
    },
    /// Front end to node: use the table of this epoch from now on.
    Commit {
        /// The epoch that has been loaded.
        epoch: u32,
        /// The node's number.
        node: NodeNumber,
    },
    /// Node to front end: the table is in use, and the old one is gone.
    Committed {
        /// The epoch in use.
        epoch: u32,
        /// The node that speaks.
        node: NodeNumber,
    },
    /// Front end to node: forget the table of this epoch, which will not be committed.
    Abort {
        /// The epoch that may have been loaded.
        epoch: u32,
        /// The node's number.
        node: NodeNumber,
    },
    /// Node to front end: I have not done what you asked.
    Refused {
        /// The epoch of the message that is refused.
        epoch: u32,
        /// The number that the message was for.
        node: NodeNumber,
        /// Why.
        reason: Refusal,
    },
}

/// Why a node does not do what it is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Refusal {
    /// The epoch is older than the one in use, or 0.
    EpochBackwards = 1,
    /// Other routes of the same epoch are in use.
    EpochInUse = 2,
    /// The table is another node's.
    OtherNode = 3,
    /// The table has no route to the front end.
    NoRouteToFrontEnd = 4,
    /// The bytes are not a table.
    BadTable = 5,
    /// A commit for an epoch that has not been loaded.
    NotLoaded = 6,
}

impl Refusal {
    /// Every reason, in the order of its byte.
    pub const ALL: &'static [Refusal] = &[
        Refusal::EpochBackwards,
        Refusal::EpochInUse,
        Refusal::OtherNode,
        Refusal::NoRouteToFrontEnd,
        Refusal::BadTable,
        Refusal::NotLoaded,
    ];
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Refusal::EpochBackwards => "a newer epoch is in use",
            Refusal::EpochInUse => "other routes of this epoch are in use",
            Refusal::OtherNode => "the table is another node's",
            Refusal::NoRouteToFrontEnd => "the table has no route to the front end",
            Refusal::BadTable => "the bytes are not a valid table",
            Refusal::NotLoaded => "this epoch has not been loaded",
        })
    }
}

/// Why bytes are not a message of route loading.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MessageError {
    /// Fewer bytes than a message has.
    #[error("truncated: {needed} bytes needed, got {got}")]
    Truncated {
        /// Bytes of the fixed part.
        needed: usize,
        /// Bytes that came.
        got: usize,
    },
    /// Bytes after a message that has none.
    #[error("{0} bytes too many after the message")]
    TrailingBytes(usize),
    /// A kind that is not one of these messages.
    #[error("unknown kind {0:#04x}")]
    UnknownKind(u8),
    /// A version that this program does not speak.
    #[error("version {0}, expected {VERSION}")]
    Version(u8),
    /// A field holds a value that means nothing.
    #[error("field `{field}` has the invalid value {value}")]
    Field {
        /// The field's name in `docs/route-loading.md`.
        field: &'static str,
        /// What it held.
        value: i64,
    },
}

const LOAD: u8 = 0x01;
const LOADED: u8 = 0x02;
const COMMIT: u8 = 0x03;
const COMMITTED: u8 = 0x04;
const ABORT: u8 = 0x05;
const REFUSED: u8 = 0x06;

#[derive(FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
struct Layout {
    kind: u8,
    version: u8,
    reason: u8,
    reserved: u8,
    epoch: U32,
    node: I32,
}
const FIXED: usize = size_of::<Layout>();
const _: () = assert!(FIXED == 12);

impl Message {
    /// True if these bytes are for route loading: other protocols' control messages begin with other bytes.
    pub fn is_one(bytes: &[u8]) -> bool {
        matches!(bytes.first(), Some(0x01..=0x0f))
    }

    /// The message's bytes.
    pub fn encode(&self) -> Bytes {
        let none: &[u8] = &[];
        let (kind, epoch, node, reason, table) = match self {
            Message::Load { epoch, node, table } => (LOAD, *epoch, *node, 0, &table[..]),
            Message::Loaded { epoch, node } => (LOADED, *epoch, *node, 0, none),
            Message::Commit { epoch, node } => (COMMIT, *epoch, *node, 0, none),
            Message::Committed { epoch, node } => (COMMITTED, *epoch, *node, 0, none),
            Message::Abort { epoch, node } => (ABORT, *epoch, *node, 0, none),
            Message::Refused { epoch, node, reason } => (REFUSED, *epoch, *node, *reason as u8, none),
        };
        let fixed = Layout { kind, version: VERSION, reason, reserved: 0, epoch: epoch.into(), node: node.0.into() };
        [fixed.as_bytes(), table].concat().into()
    }

    /// Reads a message. A table shares the bytes, and is not looked at yet.
    pub fn parse(bytes: &Bytes) -> Result<Message, MessageError> {
        let (layout, rest) =
            Layout::ref_from_prefix(bytes).map_err(|_| MessageError::Truncated { needed: FIXED, got: bytes.len() })?;
        if !(LOAD..=REFUSED).contains(&layout.kind) {
            return Err(MessageError::UnknownKind(layout.kind));
        }
        if layout.version != VERSION {
            return Err(MessageError::Version(layout.version));
        }
        let field = |field, value: i64| MessageError::Field { field, value };
        if layout.reserved != 0 {
            return Err(field("reserved", layout.reserved.into()));
        }
        let (epoch, node) = (layout.epoch.get(), NodeNumber(layout.node.get()));
        if node < NodeNumber::FRONT_END {
            return Err(field("node number", node.0.into()));
        }
        if layout.kind != LOAD && !rest.is_empty() {
            return Err(MessageError::TrailingBytes(rest.len()));
        }
        let reason = Refusal::ALL.iter().copied().find(|&r| r as u8 == layout.reason);
        if (layout.kind == REFUSED) != reason.is_some() || (layout.kind != REFUSED && layout.reason != 0) {
            return Err(field("reason", layout.reason.into()));
        }
        Ok(match (layout.kind, reason) {
            (LOAD, _) => Message::Load { epoch, node, table: bytes.slice(FIXED..) },
            (LOADED, _) => Message::Loaded { epoch, node },
            (COMMIT, _) => Message::Commit { epoch, node },
            (COMMITTED, _) => Message::Committed { epoch, node },
            (ABORT, _) => Message::Abort { epoch, node },
            (_, Some(reason)) => Message::Refused { epoch, node, reason },
            (_, None) => return Err(field("reason", layout.reason.into())),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn any_message() -> impl Strategy<Value = Message> {
        let node = (-1i32..).prop_map(NodeNumber);
        let table = prop::collection::vec(any::<u8>(), 0..40);
        (0..6, any::<u32>(), node, table, prop::sample::select(Refusal::ALL)).prop_map(
            |(kind, epoch, node, table, reason)| match kind {
                0 => Message::Load { epoch, node, table: table.into() },
                1 => Message::Loaded { epoch, node },
                2 => Message::Commit { epoch, node },
                3 => Message::Committed { epoch, node },
                4 => Message::Abort { epoch, node },
                _ => Message::Refused { epoch, node, reason },
            },
        )
    }

    proptest! {
        #[test]
        fn messages_round_trip(message in any_message()) {
            let bytes = message.encode();
            prop_assert!(Message::is_one(&bytes));
            prop_assert_eq!(Message::parse(&bytes), Ok(message));
        }

        #[test]
        fn what_parses_is_encoded_to_the_same_bytes(
            start in (0u8..8, 0u8..3, 0u8..8, 0u8..2),
            rest in prop::collection::vec(any::<u8>(), 0..20),
        ) {
            let bytes = Bytes::from([&[start.0, start.1, start.2, start.3][..], &rest].concat());
            if let Ok(message) = Message::parse(&bytes) {
                prop_assert_eq!(message.encode(), bytes);
            }
        }
    }

    #[test]
    fn what_is_wrong_is_named() {
        let good = Message::Commit { epoch: 3, node: NodeNumber(7) }.encode();
        let with = |at: usize, byte: u8| {
            let mut bytes = good.to_vec();
            bytes[at] = byte;
            Message::parse(&bytes.into()).unwrap_err()
        };
        assert_eq!(with(0, 0x07), MessageError::UnknownKind(7));
        assert_eq!(with(1, 2), MessageError::Version(2));
        assert_eq!(with(2, 1), MessageError::Field { field: "reason", value: 1 });
        assert_eq!(with(3, 1), MessageError::Field { field: "reserved", value: 1 });
        assert_eq!(with(11, 0xff), MessageError::Field { field: "node number", value: 0xff00_0007u32 as i32 as i64 });
        assert_eq!(Message::parse(&good.slice(..11)), Err(MessageError::Truncated { needed: 12, got: 11 }));
        let longer = Bytes::from([&good[..], &[0]].concat());
        assert_eq!(Message::parse(&longer), Err(MessageError::TrailingBytes(1)));
    }
}
