//! The root's eye on every node: repeats what was not confirmed, asks the silent, gives up the dead.

use super::super::progress::FailureReason;
use super::control::Control;
use twowire_fabric::time::Time;
use twowire_fabric::wire::boot::Stage;

impl Control {
    /// Looks after every node. Returns true if one of them needs a look again soon.
    pub(super) fn watch_all(&mut self, now: Time) -> bool {
        let mut soon = false;
        let someone_in_time_is_fed = self.members.iter().any(|m| m.is_fed() && !m.late);
        for index in 0..self.members.len() {
            soon |= self.watch(now, index, someone_in_time_is_fed);
        }
        soon
    }

    fn watch(&mut self, now: Time, index: usize, others_come_first: bool) -> bool {
        let member = &mut self.members[index];
        if member.is_settled() {
            return false;
        }
        if member.late && others_come_first {
            member.progress_at = now;
        }
        if member.incarnation.is_none() {
            self.await_join(now, index);
            return true;
        }
        if !self.is_sending() {
            return true;
        }
        if self.fail_if_stuck(now, index) || self.members[index].reached.stage == Stage::HandingOver {
            return false;
        }
        let member = &mut self.members[index];
        let unconfirmed = member.confirmed < member.revision && !member.due.assign;
        let (sent, tries) = (member.sent, member.tries);
        if unconfirmed && now - sent >= self.timing.retry_after(tries, self.members.len()) {
            self.members[index].tries_again();
            self.assign(index);
        }
        self.question(now, index)
    }

    /// A node has not joined yet: it is offered the image again, and given up in the end.
    fn await_join(&mut self, now: Time, index: usize) {
        let (timing, nodes) = (self.timing, self.members.len());
        let is_late = self.is_sending() || now - self.outcome.started >= timing.join_timeout;
        let gives_up = self.is_sending() || self.knows_all();
        let member = &mut self.members[index];
        let idle = now - member.progress_at;
        let retry = if is_late { timing.late_offer_retry } else { timing.retry_after(member.tries, nodes) };
        if gives_up && idle >= timing.no_progress {
            let reason =
                member.distrust.map_or(FailureReason::DidNotJoin(idle), |why| FailureReason::NotProven(idle, why));
            self.fail(now, index, reason);
        } else if !member.due.offer && now - member.sent >= retry {
            member.tries_again();
            self.offer(index);
        }
    }

    /// Gives up a node that gets no further. Says whether it did.
    fn fail_if_stuck(&mut self, now: Time, index: usize) -> bool {
        let (timing, member) = (&self.timing, &self.members[index]);
        let limit = match member.reached.stage {
            Stage::Offered | Stage::Joined | Stage::Receiving => Some(timing.no_progress),
            Stage::Verified => member.released.then_some(timing.no_progress),
            Stage::HandingOver | Stage::Ready => Some(timing.hand_over_timeout),
        };
        let idle = now - member.progress_at;
        if limit.is_none_or(|limit| idle < limit) {
            return false;
        }
        let handing_over = member.reached.stage == Stage::HandingOver;
        let reason = if handing_over { FailureReason::HandOver(idle) } else { FailureReason::NoProgress(idle) };
        self.fail(now, index, reason);
        true
    }

    /// Asks a node of which nothing is heard, or that others say is silent. Returns true if it needs a look again soon.
    fn question(&mut self, now: Time, index: usize) -> bool {
        let timing = self.timing;
        let member = &mut self.members[index];
        let overdue = now - member.heard >= 5 * self.report_interval;
        let nudge = member.released && now - member.query_at >= timing.query_interval;
        if member.queries == 0 && !overdue {
            if nudge {
                // It does not know yet that it may hand over.
                (member.query_at, member.way) = (now, member.way + 1);
                self.instruct(index, true);
            }
            return self.members[index].confirmed < self.members[index].revision || self.members[index].released;
        }
        if now - member.query_at >= timing.query_interval || member.queries == 0 {
            if member.queries >= timing.queries {
                let asked = member.queries;
                self.fail(now, index, FailureReason::Silent(asked));
                return true;
            }
            member.queries += 1;
            member.tries_again();
            member.query_at = now;
            if member.may_be_new {
                // A new start would not answer a question to the old one, and its answer to the last offer may be lost.
                self.offer(index);
            }
            self.instruct(index, true);
        }
        true
    }
}
