//! The timers of many peers in one heap.

use crate::time::Time;
use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// At most one entry of each slot counts: the one that its peer remembers. Others are left behind and skipped.
#[derive(Debug, Default)]
pub(super) struct TimerHeap {
    heap: BinaryHeap<Reverse<(Time, u32)>>,
}

impl TimerHeap {
    pub(super) fn push(&mut self, at: Time, slot: u32) {
        self.heap.push(Reverse((at, slot)));
    }

    pub(super) fn next(&self) -> Option<Time> {
        self.heap.peek().map(|r| r.0.0)
    }

    /// The earliest entry that is due.
    pub(super) fn pop_due(&mut self, now: Time) -> Option<(Time, u32)> {
        let due = self.heap.peek().is_some_and(|r| r.0.0 <= now);
        if due { self.heap.pop().map(|r| r.0) } else { None }
    }
}
