//! One node that is being loaded.

use crate::endpoint::{MessageId, SendError, UnreachableReason};
use crate::id::{NodeNumber, UniqueId};
use crate::protocol::Path;
use crate::routes::encode::EncodeError;
use crate::routes::{MessageError, Refusal};
use crate::time::Time;
use std::time::Duration;

/// A node to load.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoadTarget {
    /// The number of its location.
    pub node: NodeNumber,
    /// The unique id of its card.
    pub id: UniqueId,
    /// How the front end reaches it, the preferred path first.
    pub paths: Vec<Path>,
}

/// How far a node is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// It has not answered so far.
    Connecting,
    /// It waits for its turn.
    Queued,
    /// Its table is on the way.
    Loading,
    /// It holds its table, and uses the old one.
    Loaded,
    /// It has been told to use its table.
    Committing,
    /// It uses its table.
    Committed,
    /// It was given up.
    Failed,
}

impl std::fmt::Display for Stage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(match self {
            Stage::Connecting => "connecting",
            Stage::Queued => "queued",
            Stage::Loading => "loading routes",
            Stage::Loaded => "routes loaded",
            Stage::Committing => "committing routes",
            Stage::Committed => "routes committed",
            Stage::Failed => "failed",
        })
    }
}

/// Why a node was given up.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FailureReason {
    /// The endpoint gave it up.
    #[error(transparent)]
    Unreachable(UnreachableReason),
    /// It made no progress.
    #[error("it did not answer within {0:?}")]
    NoAnswer(Duration),
    /// It refused.
    #[error("it refused: {0}")]
    Refused(Refusal),
    /// It sent what is no message.
    #[error("it sent a malformed message: {0}")]
    Message(MessageError),
    /// Its table does not fit the map: our own fault.
    #[error(transparent)]
    Table(EncodeError),
    /// The endpoint does not take its table.
    #[error(transparent)]
    Send(SendError),
}

/// A node that was given up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The number of its location.
    pub node: NodeNumber,
    /// The unique id of its card.
    pub id: UniqueId,
    /// How far it had come.
    pub stage: Stage,
    /// Why.
    pub reason: FailureReason,
}

/// What the distributor knows of a node.
pub(super) struct Node {
    pub(super) number: NodeNumber,
    pub(super) stage: Stage,
    /// The message that it has to answer, once the endpoint has taken it, and whether it has been delivered.
    pub(super) asked: Option<(MessageId, bool)>,
    /// How often it has been asked in this stage.
    pub(super) times_asked: u32,
    /// The instant at which it is given up, unless it makes progress.
    pub(super) give_up_at: Time,
    /// Its entry among the timers.
    pub(super) look_at: Option<Time>,
    /// The stage at which it failed, and why.
    pub(super) failure: Option<(Stage, FailureReason)>,
}

impl Node {
    pub(super) fn new(number: NodeNumber) -> Node {
        Node {
            number,
            stage: Stage::Connecting,
            asked: None,
            times_asked: 0,
            give_up_at: Time::MAX,
            look_at: None,
            failure: None,
        }
    }

    /// True while it owes an answer.
    pub(super) fn owes(&self) -> bool {
        matches!(self.stage, Stage::Connecting | Stage::Loading | Stage::Committing)
    }
}
