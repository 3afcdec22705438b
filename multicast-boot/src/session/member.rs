//! What the root keeps of each node.

use super::cabling::Laid;
use super::progress::{NodeFailure, Reached};
use twowire_fabric::id::NodeNumber;
use twowire_fabric::route::Route;
use twowire_fabric::time::Time;
use twowire_fabric::wire::boot::{Stage, TREES};

/// Who feeds a node in one tree.
#[derive(Clone, Debug)]
pub(crate) struct Link {
    pub(crate) parent: NodeNumber,
    pub(crate) laid: Laid,
}

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
    pub(crate) routes: Vec<Route>,
    /// Frames sent without an answer: each takes another route.
    pub(crate) tries: usize,
    /// Which start of it has joined; `None` if none has.
    pub(crate) incarnation: Option<u32>,
    /// How often it has refused the offer.
    pub(crate) refusals: u32,
    pub(crate) reached: Reached,
    pub(crate) failed: Option<NodeFailure>,
    /// It came after the start, and must not slow down the others.
    pub(crate) late: bool,
    pub(crate) links: [Option<Link>; TREES],
    /// Those that it feeds, by their index.
    pub(crate) children: [Vec<usize>; TREES],
    /// In which trees it says that its parent is silent, and has no other one yet.
    pub(crate) orphaned: [bool; TREES],
    /// Parents that it could not hear: the last one in each tree.
    pub(crate) avoid: [Option<NodeNumber>; TREES],
    /// Its place in the row of the layout.
    pub(crate) place: usize,
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
    /// It may hand over.
    pub(crate) released: bool,
}

impl Member {
    pub(crate) fn new(number: NodeNumber, routes: Vec<Route>) -> Member {
        Member {
            number,
            routes,
            tries: 0,
            incarnation: None,
            refusals: 0,
            reached: Reached { stage: Stage::Offered, percent: 0 },
            failed: None,
            late: false,
            links: [None, None],
            children: [Vec::new(), Vec::new()],
            orphaned: [false; TREES],
            avoid: [None; TREES],
            place: 0,
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
            released: false,
        }
    }

    /// It takes part, and needs something.
    pub(crate) fn is_fed(&self) -> bool {
        self.failed.is_none() && self.incarnation.is_some() && self.reached.stage < Stage::Verified
    }

    /// It can feed others.
    pub(crate) fn can_feed(&self) -> bool {
        self.failed.is_none()
            && self.incarnation.is_some()
            && self.reached.stage <= Stage::Verified
            && !self.released
            && self.queries == 0
    }

    /// Nothing more is expected of it.
    pub(crate) fn is_settled(&self) -> bool {
        self.failed.is_some() || self.reached.stage == Stage::Ready
    }

    pub(crate) fn child_count(&self) -> usize {
        self.children.iter().map(Vec::len).sum()
    }

    /// The route for the next frame: another one for each try.
    pub(crate) fn route(&self) -> Option<Route> {
        self.routes.get(self.tries % self.routes.len().max(1)).copied()
    }
}
