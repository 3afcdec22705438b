//! What the nodes say: joins and reports.

use super::super::mover::Change;
use super::super::progress::{BootEvent, FailureReason, NodeFailure, Reached, StageTimes};
use super::control::{Control, Phase};
use super::gate::Statement;
use crate::image::KeyId;
use twowire_fabric::time::Time;
use twowire_fabric::wire::boot::{Answer, Join, Offering, Report, Stage};

impl Control {
    pub(super) fn on_join(&mut self, now: Time, join: &Join) {
        let Some(index) = self.index_of(join.from) else { return };
        let asks = join.answer == Answer::Asks;
        if self.gate.is_some() {
            if asks {
                return self.on_unproven_question(now, index);
            }
            let (card, node) = (self.members[index].card, join.from);
            let Join { incarnation, answer, proof, .. } = *join;
            let of_session = join.session == self.session;
            if !of_session || !self.believes(&Statement { card, node, incarnation, answer, proof }) {
                return;
            }
        } else if self.is_doubtful(index, join) {
            return self.on_unproven_question(now, index);
        }
        let of_session = join.session == self.session || asks;
        let answer = of_session.then_some(join.answer);
        self.on_answer(now, index, join.incarnation, answer, join.key_id);
    }

    /// True if this is not of the start of the node that takes part, and does not say what the offers to that node ask to be
    /// sent back: anybody could say it in the node's name.
    fn is_doubtful(&self, index: usize, join: &Join) -> bool {
        let is_new = self.members[index].incarnation != Some(join.incarnation);
        is_new && self.cookies.of(join.from).echo() != Some(join.proof)
    }

    /// Somebody says that it is this node, and has not proven it. It gets an offer; that the node is there, or has started
    /// anew, is believed when it has answered that. Whoever asks in the names of nodes makes the root send no more than a
    /// small share of what its link carries, once it needs that for the image, and nobody waits for an offer longer than
    /// all others.
    fn on_unproven_question(&mut self, now: Time, index: usize) {
        let is_sending = self.is_sending();
        let member = &mut self.members[index];
        member.may_be_new = member.incarnation.is_some();
        if self.phase == Phase::Idle || !member.is_invited {
            return;
        }
        if !member.may_be_new && !is_sending {
            if now - member.sent >= self.timing.retry_after(member.tries, self.members.len()) {
                self.offer(index);
            }
        } else if !std::mem::replace(&mut member.is_doubted, true) {
            self.doubted.push_back(index);
        }
    }

    /// True if the one that says this has proven to be of the cluster, or need not. Who has not is kept.
    pub(super) fn believes(&mut self, statement: &Statement) -> bool {
        let Some(gate) = &self.gate else { return true };
        let distrust = gate.judge(statement, &mut self.strangers);
        if distrust.is_some()
            && let Some(index) = self.index_of(statement.node)
        {
            self.members[index].distrust = distrust;
        }
        distrust.is_none()
    }

    /// What a node says to the offer; `None` if it speaks of another one.
    pub(super) fn on_answer(&mut self, now: Time, index: usize, incarnation: u32, answer: Option<Answer>, key_id: u64) {
        if self.phase == Phase::Idle {
            return;
        }
        if !self.members[index].is_invited {
            match answer {
                // It had left for the fallback, and has all its attempts again: its record was lost, or was set by hand.
                Some(Answer::Accepts) => self.members[index].is_invited = true,
                Some(Answer::Exhausted) => return self.leaves_for_fallback(now, index),
                _ => return,
            }
        }
        let member = &mut self.members[index];
        if member.past.contains(&incarnation) {
            return;
        }
        (member.heard, member.may_be_new) = (now, false);
        if member.incarnation.is_some_and(|known| known != incarnation) {
            self.has_restarted(now, index);
        }
        match answer {
            // An offer may have crossed the question.
            Some(Answer::Asks) => {
                let member = &self.members[index];
                let retry = self.timing.retry_after(member.tries, self.members.len());
                if member.takes_part() || now - member.sent >= retry {
                    self.offer(index);
                }
            }
            Some(Answer::Accepts) => self.has_joined(now, index, incarnation),
            // It may get the right routes yet: it is offered the image again.
            Some(Answer::WrongEpoch) | None => {}
            Some(answer) => {
                let member = &mut self.members[index];
                member.refusals += 1;
                if member.refusals < self.timing.refusals {
                    return self.offer(index);
                }
                if answer == Answer::Exhausted && member.offering == Offering::NormalOrFallback {
                    return self.leaves_for_fallback(now, index);
                }
                self.fail(now, index, FailureReason::Refused { answer, key: KeyId(key_id.to_le_bytes()) });
            }
        }
    }

    fn has_joined(&mut self, now: Time, index: usize, incarnation: u32) {
        let member = &mut self.members[index];
        if member.takes_part() {
            return;
        }
        let returned = member.failed.take().is_some() || member.late;
        member.incarnation = Some(incarnation);
        member.reached = Reached { stage: Stage::Joined, percent: 0 };
        member.times = StageTimes::default();
        member.times.reach(Stage::Joined, now);
        (member.progress_at, member.queries, member.tries) = (now, 0, 0);
        if returned {
            self.event(BootEvent::Returned(self.members[index].number));
        }
        if self.is_sending() {
            self.joins_late(index);
        } else {
            self.wait_for_others(now);
            self.begin_when_all_have_joined(now);
        }
    }

    pub(super) fn on_report(&mut self, now: Time, report: &Report) {
        let Some(index) = self.index_of(report.from).filter(|_| report.session == self.session) else { return };
        let member = &mut self.members[index];
        if member.incarnation != Some(report.incarnation) {
            return;
        }
        (member.heard, member.may_be_new) = (now, false);
        let was_asked = member.queries > 0;
        (member.queries, member.tries) = (0, 0);
        member.confirmed = member.confirmed.max(report.revision);
        if report.serial <= member.report_serial {
            return self.instruct(index, false);
        }
        member.report_serial = report.serial;
        (member.repaired, member.rejected) = (report.repaired, report.rejected);
        let before = member.reached;
        member.reached = Reached { stage: report.stage.max(Stage::Joined), percent: report.percent };
        if member.reached != before {
            member.progress_at = now;
        }
        self.returns_unless_stuck(now, index, before);
        if was_asked {
            self.changes.push_back(Change::Alive(index));
        }
        if report.revision == self.members[index].revision {
            self.changes.push_back(Change::Orphaned { index, trees: report.orphaned });
        }
        self.on_stage(now, index, before.stage, report.stage);
        if report.wants_answer {
            if before.stage == report.stage {
                // The answer before has perhaps not arrived.
                self.members[index].way += 1;
            }
            self.instruct(index, false);
        }
    }

    /// A node that had failed has reported. One that was given up because nothing got to it returns when something
    /// does, not because it lives.
    fn returns_unless_stuck(&mut self, now: Time, index: usize, before: Reached) {
        let member = &mut self.members[index];
        let stuck = |f: &NodeFailure| matches!(f.reason, FailureReason::NoProgress(_)) && member.reached == before;
        if member.failed.as_ref().is_some_and(|failure| !stuck(failure)) {
            (member.failed, member.progress_at) = (None, now);
            let (number, is_fed) = (member.number, member.is_fed());
            self.event(BootEvent::Returned(number));
            if is_fed {
                self.joins_late(index);
            }
        }
    }

    fn on_stage(&mut self, now: Time, index: usize, before: Stage, stage: Stage) {
        let member = &mut self.members[index];
        member.times.reach(stage, now);
        let number = member.number;
        if before < Stage::Verified && stage >= Stage::Verified {
            self.outcome.last_verified = now;
            self.event(BootEvent::Verified(number));
            self.changes.push_back(Change::Verified(index));
        }
        if before < Stage::Ready && stage == Stage::Ready {
            self.outcome.last_ready = now;
            self.event(BootEvent::Ready(number));
        }
    }
}
