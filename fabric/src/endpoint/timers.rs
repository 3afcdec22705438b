//! The timers of many peers, in order of time.

use crate::time::Time;
use std::collections::BTreeSet;

/// One timer for each slot at most: the peer remembers when it stands. One that has become too early is left to ring, since
/// moving it with every frame would cost more than a vain ring now and then.
#[derive(Debug, Default)]
pub(super) struct Timers {
    agenda: BTreeSet<(Time, u32)>,
}

impl Timers {
    /// Sets the timer of `slot` to `at`, unless `armed` says that it rings before.
    pub(super) fn set(&mut self, at: Time, slot: u32, armed: &mut Option<Time>) {
        if armed.is_some_and(|armed| armed <= at) {
            return;
        }
        self.cancel(slot, armed);
        self.agenda.insert((at, slot));
        *armed = Some(at);
    }

    pub(super) fn cancel(&mut self, slot: u32, armed: &mut Option<Time>) {
        if let Some(at) = armed.take() {
            self.agenda.remove(&(at, slot));
        }
    }

    pub(super) fn next(&self) -> Option<Time> {
        self.agenda.first().map(|&(at, _)| at)
    }

    /// The slot of the earliest timer, if it is due. The timer is gone.
    pub(super) fn pop_due(&mut self, now: Time) -> Option<u32> {
        let due = self.next().is_some_and(|at| at <= now);
        if due { self.agenda.pop_first().map(|(_, slot)| slot) } else { None }
    }
}
