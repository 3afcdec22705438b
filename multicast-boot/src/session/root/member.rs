//! What the root keeps of each node, however the image gets to it.

use super::super::progress::{FailureReason, NodeFailure, Reached, StageTimes};
use super::super::strangers::Distrust;
use twowire_fabric::id::{NodeNumber, UniqueId};
use twowire_fabric::protocol::Path;
use twowire_fabric::time::Time;
use twowire_fabric::wire::boot::{Offering, Stage};

/// Frames that are due to a node.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Due {
    pub(crate) offer: bool,
    pub(crate) assign: bool,
    pub(crate) instruct: bool,
    pub(crate) report_now: bool,
    /// It is in the queue of those to whom something is due.
    pub(crate) queued: bool,
}

/// One node.
#[derive(Clone, Debug)]
pub(crate) struct Member {
    pub(crate) number: NodeNumber,
    pub(crate) card: UniqueId,
    pub(crate) paths: Vec<Path>,
    /// What it is offered.
    pub(crate) offering: Offering,
    /// It is to take part: others may be invited later.
    pub(crate) is_invited: bool,
    /// Frames sent without an answer.
    pub(crate) tries: usize,
    /// The path that they take: another one after each. The one after which something came is kept.
    pub(crate) way: usize,
    /// Which start of it has joined; `None` if none has.
    pub(crate) incarnation: Option<u32>,
    /// Starts of it before that one, where each had to prove that it is the node: what they said may be repeated.
    pub(crate) past: Vec<u32>,
    /// Why somebody was not believed who said to be this node.
    pub(crate) distrust: Option<Distrust>,
    /// How often it has refused the offer.
    pub(crate) refusals: u32,
    pub(crate) reached: Reached,
    pub(crate) times: StageTimes,
    pub(crate) failed: Option<NodeFailure>,
    /// It came after the start, and must not slow down the others.
    pub(crate) late: bool,
    /// Its assignment, and the newest that it has confirmed.
    pub(crate) revision: u32,
    pub(crate) confirmed: u32,
    pub(crate) due: Due,
    /// When the last offer or assignment was sent.
    pub(crate) sent: Time,
    pub(crate) report_serial: u32,
    pub(crate) repaired: u32,
    pub(crate) rejected: u32,
    pub(crate) heard: Time,
    pub(crate) progress_at: Time,
    /// Questions asked without an answer, and when the last was.
    pub(crate) queries: u32,
    pub(crate) query_at: Time,
    /// Somebody has asked for an offer in its name since it was heard: it may have started anew.
    pub(crate) may_be_new: bool,
    /// It is among those that wait for an offer because of that.
    pub(crate) is_doubted: bool,
    /// It may hand over.
    pub(crate) released: bool,
}

impl Member {
    pub(crate) fn new(number: NodeNumber, card: UniqueId, paths: Vec<Path>) -> Member {
        Member {
            number,
            card,
            paths,
            offering: Offering::Normal,
            is_invited: true,
            tries: 0,
            way: 0,
            incarnation: None,
            past: Vec::new(),
            distrust: None,
            refusals: 0,
            reached: Reached { stage: Stage::Offered, percent: 0 },
            times: StageTimes::default(),
            failed: None,
            late: false,
            revision: 0,
            confirmed: 0,
            due: Due::default(),
            sent: Time::ZERO,
            report_serial: 0,
            repaired: 0,
            rejected: 0,
            heard: Time::ZERO,
            progress_at: Time::ZERO,
            queries: 0,
            query_at: Time::ZERO,
            may_be_new: false,
            is_doubted: false,
            released: false,
        }
    }

    /// One more frame goes out to which there was no answer: along another path.
    pub(crate) fn tries_again(&mut self) {
        self.tries += 1;
        self.way += 1;
    }

    /// It takes part: it has joined, and has not failed.
    pub(crate) fn takes_part(&self) -> bool {
        self.failed.is_none() && self.incarnation.is_some()
    }

    /// It takes part, and needs something.
    pub(crate) fn is_fed(&self) -> bool {
        self.takes_part() && self.reached.stage < Stage::Verified
    }

    /// It can feed others.
    pub(crate) fn can_feed(&self) -> bool {
        self.takes_part() && self.reached.stage <= Stage::Verified && !self.released && self.queries == 0
    }

    /// Nothing more is expected of it.
    pub(crate) fn is_settled(&self) -> bool {
        !self.is_invited || self.failed.is_some() || self.reached.stage == Stage::Ready
    }

    /// Nobody knows yet whether it takes part.
    pub(crate) fn is_awaited(&self) -> bool {
        self.is_invited && self.incarnation.is_none() && self.failed.is_none()
    }

    /// It was given up because it did not answer the offer.
    pub(crate) fn has_not_answered(&self) -> bool {
        let reason = self.failed.as_ref().map(|failure| &failure.reason);
        matches!(reason, Some(FailureReason::DidNotJoin(_) | FailureReason::NotProven(..)))
    }

    /// The path for the next frame.
    pub(crate) fn path(&self) -> Option<Path> {
        self.paths.get(self.way % self.paths.len().max(1)).copied()
    }
}
