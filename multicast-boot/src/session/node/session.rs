//! A transfer that the node takes part in: how far it is, what it tells the root, and when it hands over.

use super::super::mover::{Context, NodeMover};
use super::super::node_state::{NodeConfig, NodeState};
use super::super::timing::Timing;
use super::Location;
use super::entrance::Offered;
use super::images::Trial;
use super::reporting::{Attempt, Reporting};
use bytes::Bytes;
use twowire_fabric::time::Time;
use twowire_fabric::wire::Packet;
use twowire_fabric::wire::boot::{Assign, Instruct, Report, Stage};

/// One transfer.
pub(super) struct Session {
    pub(super) id: u32,
    /// What the root has offered.
    pub(super) offered: Box<Offered>,
    pub(super) trial: Trial,
    /// All is here that the image needs to get control, but it has to be written down first.
    pub(super) waits_for_record: bool,
    pub(super) mover: Box<dyn NodeMover>,
    revision: u32,
    pub(super) stage: Stage,
    /// When the current stage began.
    stage_since: Time,
    may_hand_over: bool,
    pub(super) root_heard: Time,
    /// When the root was asked whether it lives, because somebody else offers an image.
    asked: Time,
    pub(super) report: Reporting,
    /// The mover has its own.
    deadline: Time,
}

impl Session {
    /// A session that begins at this stage: with a mover that has something, if it is a later one than *joined*.
    pub(super) fn new(
        now: Time,
        offered: Offered,
        trial: Trial,
        mover: Box<dyn NodeMover>,
        stage: Stage,
        mut report: Reporting,
    ) -> Session {
        if stage > Stage::Joined {
            report.needs_answer();
        }
        Session {
            id: offered.session,
            // The frame that it came in belongs to the port, which wants it back.
            offered: Box::new(Offered { signed_manifest: Bytes::new(), ..offered }),
            trial,
            waits_for_record: false,
            mover,
            revision: 0,
            stage,
            stage_since: now,
            may_hand_over: false,
            root_heard: now,
            asked: Time::ZERO,
            report,
            deadline: now,
        }
    }

    /// How far the node is.
    pub(super) fn state(&self) -> NodeState {
        match self.stage {
            Stage::Offered | Stage::Joined => NodeState::Joined,
            Stage::Receiving => NodeState::Receiving { percent: self.mover.percent() },
            Stage::Verified => NodeState::Verified,
            Stage::HandingOver => NodeState::HandingOver,
            Stage::Ready => NodeState::Ready,
        }
    }

    /// Lets the mover work, then looks what has become of the image.
    pub(super) fn with_mover<R>(
        &mut self,
        now: Time,
        timing: &Timing,
        location: &Location,
        work: impl FnOnce(&mut dyn NodeMover, &mut Context<'_>) -> R,
    ) -> R {
        let mut context = Context { now, timing, location, is_leaving: self.stage >= Stage::HandingOver };
        let result = work(self.mover.as_mut(), &mut context);
        self.look_at_image(now);
        result
    }

    /// A packet for the mover.
    pub(super) fn handle_packet(&mut self, now: Time, timing: &Timing, location: &Location, packet: &Packet) {
        if self.with_mover(now, timing, location, |mover, context| mover.handle_packet(context, packet)) {
            self.root_heard = now;
        }
        self.try_hand_over(now, timing);
    }

    /// The stages that follow from what is here.
    fn look_at_image(&mut self, now: Time) {
        if self.stage < Stage::Verified && self.mover.is_verified() {
            self.enter(now, Stage::Verified);
        } else if self.stage < Stage::Receiving && !self.mover.is_empty() {
            (self.stage, self.stage_since) = (Stage::Receiving, now);
        }
    }

    /// A new stage of which the root must hear.
    fn enter(&mut self, now: Time, stage: Stage) {
        (self.stage, self.stage_since) = (stage, now);
        self.report.needs_answer();
        self.deadline = now;
    }

    fn try_hand_over(&mut self, now: Time, timing: &Timing) {
        let root_is_gone = now - self.root_heard >= timing.root_silence;
        let allowed = self.may_hand_over || root_is_gone;
        if self.stage != Stage::Verified || !allowed || self.mover.is_feeding() {
            return;
        }
        if self.trial.is_begun {
            self.enter(now, Stage::HandingOver);
        } else {
            self.waits_for_record = true;
        }
    }

    /// It is written down that the image is tried.
    pub(super) fn begin_trial(&mut self, now: Time, timing: &Timing) {
        (self.trial.is_begun, self.waits_for_record) = (true, false);
        self.try_hand_over(now, timing);
    }

    /// Phase 2 runs.
    pub(super) fn handed_over(&mut self, now: Time) {
        if self.stage == Stage::HandingOver {
            self.enter(now, Stage::Ready);
        }
    }

    /// Somebody else offers an image: perhaps this session's root, which has started anew. It is asked whether it lives,
    /// for nobody but itself can keep it from answering. True if it has died.
    pub(super) fn is_left_by_root(&mut self, now: Time, timing: &Timing) -> bool {
        let silent = now - self.root_heard;
        if silent >= timing.root_silence {
            return true;
        }
        if self.asked > self.root_heard {
            return now - self.asked >= timing.contested;
        }
        if silent >= timing.contested / 2 {
            (self.asked, self.deadline) = (now, now);
            self.report.needs_answer();
        }
        false
    }

    /// The root has given the node its number: it hears from the node from now on.
    pub(super) fn admitted(&mut self, now: Time) {
        self.report.needs_answer();
        self.deadline = now;
    }

    /// An assignment for this node.
    pub(super) fn on_assign(&mut self, now: Time, timing: &Timing, location: &Location, assign: &Assign) {
        self.root_heard = now;
        self.report.due = true;
        if assign.revision > self.revision {
            self.revision = assign.revision;
            self.with_mover(now, timing, location, |mover, context| mover.on_assign(context, assign));
            self.note_orphaned(timing);
        }
    }

    /// An instruction for this node.
    pub(super) fn on_instruct(&mut self, now: Time, timing: &Timing, instruct: &Instruct) {
        self.root_heard = now;
        if instruct.report_now {
            self.report.asked();
        }
        self.report.answered(instruct.answers);
        self.may_hand_over |= instruct.hand_over;
        self.try_hand_over(now, timing);
    }

    /// The root must hear of a mover that is cut off.
    pub(super) fn note_orphaned(&mut self, timing: &Timing) {
        self.report.set_orphaned(self.mover.orphaned(timing));
    }

    /// The report that is due, and the attempt that it is. `rejected` frames failed verification in earlier sessions.
    pub(super) fn poll_report(
        &mut self,
        now: Time,
        timing: &Timing,
        location: &Location,
        incarnation: u32,
        rejected: u64,
    ) -> Option<(Report, Attempt)> {
        if !self.report.due {
            return None;
        }
        let (serial, counters) = (self.report.next(now, timing), self.mover.counters());
        let count = |n: u64| u32::try_from(n).unwrap_or(u32::MAX);
        let frame = Report {
            session: self.id,
            from: location.own(),
            incarnation,
            serial,
            revision: self.revision,
            stage: self.stage,
            percent: self.mover.percent(),
            orphaned: self.report.orphaned,
            wants_answer: self.report.is_unanswered(),
            repaired: count(counters.lost),
            rejected: count(rejected + counters.rejected),
        };
        self.deadline = self.deadline.min(self.report.next_timeout());
        Some((frame, self.report.attempt()))
    }

    /// The timers of reports and of the hand-over.
    pub(super) fn handle_timeout(&mut self, now: Time, config: &NodeConfig) {
        let timing = &config.timing;
        self.deadline = Time::MAX;
        self.try_hand_over(now, timing);
        if let (Stage::HandingOver, Some(takes)) = (self.stage, config.hand_over) {
            let at = self.stage_since + takes;
            if at <= now {
                self.enter(now, Stage::Ready);
            }
            self.deadline = at;
        }
        // A node that runs phase 2 speaks when it is asked, or has not been answered.
        let silent = self.stage == Stage::Ready && !self.report.is_unanswered();
        let report_at = if silent { Time::MAX } else { self.report.on_timeout(now) };
        let waits = self.stage == Stage::Verified;
        let root_at = if waits { self.root_heard + timing.root_silence } else { Time::MAX };
        let root_at = if root_at <= now { now + timing.report_retry } else { root_at };
        self.deadline = self.deadline.min(report_at).min(root_at);
    }

    /// When something is due next.
    pub(super) fn next_timeout(&self) -> Time {
        self.deadline.min(self.mover.next_timeout())
    }
}
