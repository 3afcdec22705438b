//! What the root knows of its nodes, for programs and people.

use super::strangers::Distrust;
use crate::image::KeyId;
use std::fmt;
use std::ops::AddAssign;
use std::time::Duration;
use twowire_fabric::id::NodeNumber;
use twowire_fabric::time::Time;
use twowire_fabric::wire::boot::{Answer, Stage};

/// How far a node is, with how much of the image it has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reached {
    /// The stage.
    pub stage: Stage,
    /// How much of the image it has, in percent.
    pub percent: u8,
}

impl fmt::Display for Reached {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.stage {
            Stage::Offered => f.write_str("offered"),
            Stage::Joined => f.write_str("joined"),
            Stage::Receiving => write!(f, "receiving ({} %)", self.percent),
            Stage::Verified => f.write_str("verified"),
            Stage::HandingOver => f.write_str("handing over"),
            Stage::Ready => f.write_str("ready"),
        }
    }
}

/// When the front end heard that a node was how far, since the node joined.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StageTimes([Option<Time>; Stage::ALL.len()]);

impl StageTimes {
    /// When it was heard to be so far, or further; `None` if it has not been.
    pub fn at(&self, stage: Stage) -> Option<Time> {
        self.0[stage as usize]
    }

    /// It is so far now: whoever is further than before has been through all in between.
    pub(crate) fn reach(&mut self, stage: Stage, now: Time) {
        for at in &mut self.0[..=stage as usize] {
            at.get_or_insert(now);
        }
    }
}

/// Why a node has failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FailureReason {
    /// It refused the offer.
    #[error("it refused the image: {why}{key}", why = refusal(*.answer), key = key_note(*.answer, .key))]
    Refused {
        /// What it said.
        answer: Answer,
        /// The key that it trusts.
        key: KeyId,
    },
    /// It never answered an offer.
    #[error("it did not answer the offer within {0:?}")]
    DidNotJoin(Duration),
    /// It did not prove that it belongs to the cluster.
    #[error("it did not prove within {0:?} that it belongs to the cluster: {1}")]
    NotProven(Duration, Distrust),
    /// It fell silent.
    #[error("it fell silent, and {0} questions, each along another route, got no answer")]
    Silent(u32),
    /// It lives, but the image does not get to it.
    #[error("it made no progress for {0:?}")]
    NoProgress(Duration),
    /// Phase 2 did not report.
    #[error("phase 2 did not report within {0:?}")]
    HandOver(Duration),
    /// There is no route to it.
    #[error("there is no route to it")]
    NoRoute,
}

/// An answer that is a refusal, in words.
pub(crate) fn refusal(answer: Answer) -> &'static str {
    match answer {
        Answer::Asks | Answer::Accepts => "it did not",
        Answer::WrongKey => "it is signed with another key than the cluster's",
        Answer::BadManifest => "the manifest is damaged, or its signature is wrong",
        Answer::WrongEpoch => "the node holds routes of another epoch",
        Answer::TooOld => "it is older than the oldest version that the node boots",
        Answer::NoRoom => "the node has no room for it",
        Answer::NoSecret => "the front end asks for proof of membership, and the node has no cluster secret (--secret)",
        Answer::WrongSecret => "the front end has another cluster secret than the node",
        Answer::Exhausted => "it has used up its attempts on the node, and did not become ready",
    }
}

fn key_note(answer: Answer, key: &KeyId) -> String {
    if answer == Answer::WrongKey { format!(" (the node trusts key {key})") } else { String::new() }
}

/// A node that has failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeFailure {
    /// Which.
    pub node: NodeNumber,
    /// How far it was.
    pub reached: Reached,
    /// Why.
    pub reason: FailureReason,
    /// When the root gave it up.
    pub at: Time,
}

impl fmt::Display for NodeFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} failed at `{}`: {}", self.node, self.reached, self.reason)
    }
}

/// Something that a program may want to show.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum BootEvent {
    /// The trees are laid, and the image is on its way.
    Started {
        /// Nodes that have joined.
        nodes: usize,
        /// What the busiest cable will carry, in images.
        busiest_cable: f64,
    },
    /// A node has verified all of the image.
    Verified(NodeNumber),
    /// A node runs the image.
    Ready(NodeNumber),
    /// A node has failed.
    Failed(NodeFailure),
    /// A node that had failed, or started again, takes part.
    Returned(NodeNumber),
    /// A node is fed by another one from now on.
    Adopted {
        /// The node.
        child: NodeNumber,
        /// In which tree.
        tree: usize,
        /// Who feeds it.
        parent: NodeNumber,
    },
    /// Every node is ready or has failed.
    Done,
}

/// A summary of the transfer so far.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Progress {
    /// Nodes at each stage, in the order of [`Stage::ALL`]; those that have failed are in none.
    pub at_stage: [usize; Stage::ALL.len()],
    /// Nodes that have failed.
    pub failed: usize,
    /// Frames with a part of the image that the root has sent.
    pub frames_sent: u64,
    /// Those of them that had been sent before.
    pub repeats_sent: u64,
    /// Bytes of the image, its lists and its parity in them.
    pub bytes_sent: u64,
    /// Frames that were lost anywhere and asked for again, as far as reported.
    pub repaired: u64,
    /// Frames that failed verification anywhere, as far as reported.
    pub rejected: u64,
    /// Joins of those who did not prove that they belong to the cluster.
    pub refused_joins: u64,
}

impl AddAssign for Progress {
    fn add_assign(&mut self, more: Progress) {
        std::iter::zip(&mut self.at_stage, more.at_stage).for_each(|(sum, more)| *sum += more);
        self.failed += more.failed;
        self.frames_sent += more.frames_sent;
        self.repeats_sent += more.repeats_sent;
        self.bytes_sent += more.bytes_sent;
        self.repaired += more.repaired;
        self.rejected += more.rejected;
        self.refused_joins += more.refused_joins;
    }
}

/// How a transfer has ended, or how it stands.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Outcome {
    /// Nodes that run the image.
    pub ready: usize,
    /// Nodes that have failed, in the order of their numbers.
    pub failed: Vec<NodeFailure>,
    /// When the first offer was sent.
    pub started: Time,
    /// When the trees were laid.
    pub laid: Time,
    /// When the last node reported that it has verified the image.
    pub last_verified: Time,
    /// When the last node reported that it runs the image.
    pub last_ready: Time,
    /// What the busiest cable was to carry, in images, by the layout.
    pub busiest_cable: f64,
    /// How often nodes changed places in the layout to bring this down.
    pub swaps: usize,
}

impl Outcome {
    /// How this transfer and another one beside it have ended together.
    pub(crate) fn beside(mut self, other: Outcome) -> Outcome {
        self.ready += other.ready;
        self.failed.extend(other.failed);
        self.failed.sort_by_key(|failure| failure.node);
        self.last_verified = self.last_verified.max(other.last_verified);
        self.last_ready = self.last_ready.max(other.last_ready);
        self.busiest_cable = self.busiest_cable.max(other.busiest_cable);
        self.swaps += other.swaps;
        self
    }
}
