//! Frames of the image transfer. How they work together is in `docs/boot-protocol.md`.
//!
//! | module | frames |
//! |---|---|
//! | [`control`] | between the root (the front end) and each node: who takes part, who feeds whom, how far everybody is |
//! | [`edge`] | between a node and one that feeds it: the image itself, and what was lost of it |
//! | [`multicast`] | the image to a group of cards at once, where the fabric replicates frames |
//! | [`admission`] | by which the root and nodes find one another where the fabric finds cards by itself |
//! | [`membership`] | by what a node proves that it belongs to the cluster: a part of some of these |
//! | [`relay`] | control frames that a node passes on for the root |

pub mod admission;
pub mod control;
pub mod edge;
pub mod membership;
pub mod multicast;
pub mod relay;

pub use admission::{Admit, Call, Enlist};
pub use control::{Answer, Assign, Instruct, Join, Offer, Offering, Report, Stage};
pub use edge::{Attach, Block, Pulse, Receipt, Span, parse_spans, put_span};
pub use membership::{Challenge, PROOF_LEN};
pub use multicast::{LACK_LEN, Lack, Poll, Status, Symbol, parse_lacks, put_lack};
pub use relay::{MAX_RELAYED, Relay, Relayed};

use super::{Kind, WireError};
use crate::id::NodeNumber;

/// A transfer has two trees; each carries half of the image.
pub const TREES: usize = 2;

/// Reads a node's number: the front end's, or one from 0 on.
fn number(kind: Kind, field: &'static str, value: i32) -> Result<NodeNumber, WireError> {
    // The highest number is left out, so that every number has an index.
    if (-1..i32::MAX).contains(&value) {
        Ok(NodeNumber(value))
    } else {
        Err(WireError::Field { kind, field, value: value as u32 as u64 })
    }
}

/// Refuses a byte of flags in which a bit outside `known` is set.
fn flags(kind: Kind, value: u8, known: u8) -> Result<u8, WireError> {
    if value & !known == 0 { Ok(value) } else { Err(WireError::Field { kind, field: "flags", value: value.into() }) }
}
