//! Who takes part, and what is due to whom.

use super::super::mover::Change;
use super::super::progress::{BootEvent, FailureReason, NodeFailure, Outcome, Reached};
use super::super::strangers::Strangers;
use super::super::timing::Timing;
use super::Guest;
use super::cookies::Cookies;
use super::gate::Gate;
use super::member::Member;
use crate::node_ranges::NodeRanges;
use bytes::Bytes;
use std::collections::VecDeque;
use std::time::Duration;
use twowire_fabric::id::NodeNumber;
use twowire_fabric::time::Time;
use twowire_fabric::wire::boot::{Call, Offering, Stage};

/// How many times the time for joining the first node waits for others at most.
const JOIN_WAITS: u32 = 4;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    Idle,
    /// The image is offered. Once somebody has joined, the transfer begins no later than `latest`, and no later than `until` unless
    /// somebody else joins before: what is sent to nodes that join one after another is sent once.
    Joining {
        until: Time,
        latest: Time,
    },
    Sending,
    Done,
}

/// How the image is offered to a node.
pub(super) enum Invitation {
    /// To nodes that hold routes of this epoch.
    Mapped(u32),
    /// To cards.
    Called(Call),
}

/// How nodes come in, and who is believed.
pub(super) struct Door {
    pub(super) invitation: Invitation,
    pub(super) gate: Option<Gate>,
    pub(super) cookies: Cookies,
}

/// What an image is to each node.
#[derive(Clone, Debug)]
pub(crate) enum Terms {
    /// Its normal image; these nodes have a fallback.
    Normal(Vec<NodeRanges>),
    /// Its fallback.
    Fallback,
}

impl Terms {
    /// What a node is offered.
    pub(super) fn offering(&self, node: NodeNumber) -> Offering {
        match self {
            Terms::Fallback => Offering::Fallback,
            Terms::Normal(fallbacks) if fallbacks.iter().any(|nodes| nodes.contains(node)) => {
                Offering::NormalOrFallback
            }
            Terms::Normal(_) => Offering::Normal,
        }
    }

    /// What all are called to.
    pub(super) fn called(&self) -> Offering {
        match self {
            Terms::Normal(fallbacks) if !fallbacks.is_empty() => Offering::NormalOrFallback,
            other => other.offering(NodeNumber::FRONT_END),
        }
    }
}

/// The session as the root keeps it.
pub(crate) struct Control {
    pub(crate) timing: Timing,
    pub(crate) session: u32,
    pub(super) signed_manifest: Bytes,
    /// Nodes that need the fallback, in the order in which they said so.
    pub(super) exhausted: VecDeque<Guest>,
    /// What the image is to nodes that were not known from the start.
    pub(super) terms: Terms,
    pub(super) invitation: Invitation,
    pub(super) gate: Option<Gate>,
    pub(super) cookies: Cookies,
    pub(super) strangers: Strangers,
    /// When the next node in whose name somebody asks for an offer, while the image is sent, may get one.
    pub(super) doubtful_offers_from: Time,
    /// Those that wait for theirs, in turn: so a flood of questions in the names of all takes none its turn.
    pub(super) doubted: VecDeque<usize>,
    pub(crate) members: Vec<Member>,
    /// The index of each node's member, by [`NodeNumber::index`].
    by_number: Vec<Option<usize>>,
    pub(super) phase: Phase,
    /// The transfer begins when so many take part and none of the members is waited for.
    pub(super) expected: usize,
    /// The transfer is not over when all are settled.
    pub(super) stays: bool,
    /// Members to whom something is due.
    pub(super) outbox: VecDeque<usize>,
    pub(super) report_interval: Duration,
    pub(super) deadline: Time,
    pub(super) events: VecDeque<BootEvent>,
    pub(crate) outcome: Outcome,
    /// When a node that may come back failed.
    last_loss: Option<Time>,
    /// What the mover has not been told yet.
    pub(super) changes: VecDeque<Change>,
}

impl Control {
    pub(super) fn new(
        timing: Timing,
        session: u32,
        door: Door,
        signed_manifest: Bytes,
        members: Vec<Member>,
    ) -> Control {
        let Door { invitation, gate, cookies } = door;
        let mut by_number = vec![None; members.iter().map(|m| m.number.index() + 1).max().unwrap_or(0)];
        members.iter().enumerate().for_each(|(index, m)| by_number[m.number.index()] = Some(index));
        let spacing = timing.report_spacing * u32::try_from(members.len()).unwrap_or(u32::MAX);
        Control {
            timing,
            session,
            invitation,
            gate,
            cookies,
            strangers: Strangers::default(),
            doubtful_offers_from: Time::ZERO,
            doubted: VecDeque::new(),
            signed_manifest,
            exhausted: VecDeque::new(),
            terms: Terms::Normal(Vec::new()),
            expected: 0,
            stays: false,
            members,
            by_number,
            phase: Phase::Idle,
            outbox: VecDeque::new(),
            report_interval: timing.report_interval.max(spacing),
            deadline: Time::MAX,
            events: VecDeque::new(),
            outcome: Outcome::default(),
            last_loss: None,
            changes: VecDeque::new(),
        }
    }

    pub(super) fn start(&mut self, now: Time) {
        self.phase = Phase::Joining { until: Time::MAX, latest: Time::MAX };
        self.outcome.started = now;
        for index in 0..self.members.len() {
            self.members[index].progress_at = now;
            if !self.members[index].is_invited {
                continue;
            }
            if self.members[index].paths.is_empty() {
                self.fail(now, index, FailureReason::NoRoute);
            } else {
                self.offer(index);
            }
        }
        self.deadline = now;
    }

    pub(crate) fn event(&mut self, event: BootEvent) {
        self.events.push_back(event);
    }

    /// The member of a node; `None` for the front end and for strangers.
    pub(crate) fn index_of(&self, number: NodeNumber) -> Option<usize> {
        self.by_number.get(number.index()).copied().flatten()
    }

    /// The index of a node, which becomes a member if it is none.
    pub(super) fn index_or_add(&mut self, number: NodeNumber, member: impl FnOnce() -> Member) -> usize {
        if let Some(index) = self.index_of(number) {
            return index;
        }
        if self.by_number.len() <= number.index() {
            self.by_number.resize(number.index() + 1, None);
        }
        let index = self.members.len();
        self.by_number[number.index()] = Some(index);
        self.members.push(member());
        index
    }

    pub(crate) fn is_sending(&self) -> bool {
        self.phase == Phase::Sending
    }

    pub(super) fn offer(&mut self, index: usize) {
        self.members[index].due.offer = true;
        self.queue(index);
    }

    pub(super) fn assign(&mut self, index: usize) {
        self.members[index].due.assign = true;
        self.queue(index);
    }

    /// The node is to be told who feeds it.
    pub(crate) fn assign_anew(&mut self, index: usize) {
        self.members[index].revision += 1;
        self.assign(index);
    }

    pub(super) fn instruct(&mut self, index: usize, report_now: bool) {
        let due = &mut self.members[index].due;
        due.instruct = true;
        due.report_now |= report_now;
        self.queue(index);
    }

    pub(super) fn queue(&mut self, index: usize) {
        if !std::mem::replace(&mut self.members[index].due.queued, true) {
            self.outbox.push_back(index);
        }
    }

    /// Somebody says that a node is silent: it is asked.
    pub(crate) fn suspect(&mut self, now: Time, index: usize) {
        let member = &mut self.members[index];
        if member.queries == 0 {
            member.queries = 1;
            member.query_at = now;
            self.instruct(index, true);
        }
    }

    /// Nobody depends on a node: if it has the image, it may hand over.
    pub(crate) fn release(&mut self, index: usize) {
        let member = &mut self.members[index];
        if member.reached.stage == Stage::Verified && member.failed.is_none() {
            member.released = true;
            self.instruct(index, false);
        }
    }

    /// A node has failed.
    pub(crate) fn fail(&mut self, now: Time, index: usize, reason: FailureReason) {
        let member = &mut self.members[index];
        if member.failed.is_some() {
            return;
        }
        if !matches!(reason, FailureReason::Refused { .. } | FailureReason::NoRoute) {
            self.last_loss = Some(now);
        }
        let failure = NodeFailure { node: member.number, reached: member.reached, reason, at: now };
        member.failed = Some(failure.clone());
        (member.queries, member.released) = (0, false);
        self.event(BootEvent::Failed(failure));
        self.changes.push_back(Change::Left(index));
        self.begin_when_all_have_joined(now);
    }

    /// A node takes part in this session from now on.
    pub(super) fn invite(&mut self, now: Time, index: usize) {
        let member = &mut self.members[index];
        (member.is_invited, member.progress_at) = (true, now);
        if self.phase != Phase::Idle {
            self.offer(index);
            self.deadline = now;
        }
    }

    /// The image has used up its attempts on a node, which leaves the session for that of the fallback.
    pub(super) fn leaves_for_fallback(&mut self, now: Time, index: usize) {
        let Member { number, card, ref paths, .. } = self.members[index];
        self.exhausted.push_back(Guest { number, card, paths: paths.clone() });
        self.leaves(now, index);
    }

    /// A node is not to take part any more.
    pub(super) fn leaves(&mut self, now: Time, index: usize) {
        self.changes.push_back(Change::Left(index));
        let member = &mut self.members[index];
        let (paths, past) = (std::mem::take(&mut member.paths), std::mem::take(&mut member.past));
        let (offering, blank) = (member.offering, Member::new(member.number, member.card, paths));
        *member = Member { is_invited: false, offering, past, ..blank };
        self.begin_when_all_have_joined(now);
    }

    /// A node has lost all it had: it starts anew.
    pub(super) fn has_restarted(&mut self, now: Time, index: usize) {
        self.changes.push_back(Change::Left(index));
        let member = &mut self.members[index];
        if self.gate.is_some() {
            member.past.extend(member.incarnation);
        }
        member.incarnation = None;
        member.reached = Reached { stage: Stage::Offered, percent: 0 };
        (member.queries, member.released, member.late) = (0, false, true);
        (member.report_serial, member.confirmed, member.progress_at) = (0, 0, now);
    }

    /// A node takes part again, or comes late.
    pub(super) fn joins_late(&mut self, index: usize) {
        self.members[index].late = true;
        self.changes.push_back(Change::Joined(index));
    }

    /// A node has joined: others may follow soon.
    pub(super) fn wait_for_others(&mut self, now: Time) {
        if let Phase::Joining { until, latest } = &mut self.phase {
            *latest = (*latest).min(now + JOIN_WAITS * self.timing.join_timeout);
            *until = (*latest).min(now + self.timing.join_timeout);
        }
    }

    /// All who are to take part are known from the start.
    pub(super) fn knows_all(&self) -> bool {
        self.expected == 0
    }

    pub(super) fn begin_when_all_have_joined(&mut self, now: Time) {
        if let Phase::Joining { until, .. } = self.phase
            && (now >= until || self.has_all())
        {
            self.phase = Phase::Sending;
            self.outcome.laid = now;
            self.members.iter_mut().filter(|m| m.takes_part()).for_each(|m| m.progress_at = now);
            self.changes.push_back(Change::Begin);
            self.deadline = now;
        }
    }

    /// True if nobody else is waited for.
    fn has_all(&self) -> bool {
        let joined = self.members.iter().filter(|m| m.takes_part()).count();
        joined >= self.expected && !self.members.iter().any(|m| m.is_awaited() || m.has_not_answered())
    }

    /// Ends the transfer when nothing is expected any more, and no node that was lost may still come back.
    pub(super) fn finish_when_settled(&mut self, now: Time) {
        if !self.stays && self.is_settled(now) {
            self.phase = Phase::Done;
            self.event(BootEvent::Done);
        }
    }

    /// True if nothing is expected any more, and no node that was lost may still come back.
    pub(super) fn is_settled(&self, now: Time) -> bool {
        let is_missing = self.members.iter().any(|member| member.failed.is_some());
        let wait_over = !is_missing || self.last_loss.is_none_or(|at| now - at >= self.timing.rejoin_wait);
        let has_begun = match self.phase {
            Phase::Sending => true,
            // Nobody has come at all.
            Phase::Joining { .. } => is_missing && self.knows_all(),
            Phase::Idle | Phase::Done => false,
        };
        has_begun && wait_over && self.members.iter().all(Member::is_settled)
    }
}
