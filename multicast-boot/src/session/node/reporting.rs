//! What a node tells the root, and when.

use super::super::timing::Timing;
use std::time::Duration;
use twowire_fabric::time::Time;
use twowire_fabric::wire::boot::TREES;

/// Reports that a node sends at most from the end of the transfer until its kernel is another one.
const FAR_AHEAD: u32 = 4096;

/// How many reports that are not answered the root has time for, where it has time for one: it is many nodes that report
/// rarely, and when they all have something to say their answers take time.
const RETRIES: u32 = 10;

/// How a frame to the root goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Attempt {
    /// It has not been sent before.
    pub(crate) is_first: bool,
    /// Which of the paths it takes; the first follows the last.
    pub(crate) way: usize,
}

/// What the root has been told.
pub(crate) struct Reporting {
    interval: Duration,
    serial: u32,
    pub(crate) due: bool,
    /// The report that must be answered, if it has not been yet.
    unanswered: Option<u32>,
    /// When the next one is due at the latest.
    at: Time,
    /// When the next one is due that nothing has caused. Its beat is the node's own, so that the reports of all nodes do
    /// not meet at the root, whatever has made them report together once.
    beat: Time,
    /// Reports sent without an answer.
    tries: usize,
    /// The path that they take: another one after each that was not answered. The one that an answer came to is kept, or every report that
    /// needs no answer would be lost again where the first path is dead.
    way: usize,
    pub(crate) orphaned: [bool; TREES],
}

impl Reporting {
    /// Reports every `interval`, at the latest from `at` on.
    pub(crate) fn new(interval: Duration, at: Time) -> Reporting {
        Reporting {
            interval,
            serial: 0,
            due: false,
            unanswered: None,
            at,
            beat: at,
            tries: 0,
            way: 0,
            orphaned: [false; TREES],
        }
    }

    /// The next report must be answered.
    pub(crate) fn needs_answer(&mut self) {
        self.unanswered = Some(self.serial + 1);
        self.tries = 0;
        self.due = true;
    }

    /// True until the root has answered what it must answer.
    pub(crate) fn is_unanswered(&self) -> bool {
        self.unanswered.is_some()
    }

    /// The root has had this report.
    pub(crate) fn answered(&mut self, serial: u32) {
        if self.unanswered.is_some_and(|unanswered| serial >= unanswered) {
            self.unanswered = None;
            self.tries = 0;
            self.at = self.beat;
        }
    }

    /// The root asks: the last path may be dead.
    pub(crate) fn asked(&mut self) {
        self.due = true;
        self.tries += 1;
        self.way += 1;
    }

    /// How the report that was sent last goes.
    pub(crate) fn attempt(&self) -> Attempt {
        Attempt { is_first: self.tries <= 1, way: self.way }
    }

    /// A serial that the next reports do not reach.
    pub(crate) fn serial_far_ahead(&self) -> u32 {
        self.serial.saturating_add(FAR_AHEAD)
    }

    /// In which trees nothing is heard: the root must hear of a new one.
    pub(crate) fn set_orphaned(&mut self, orphaned: [bool; TREES]) {
        let is_new = std::iter::zip(orphaned, self.orphaned).any(|(now, before)| now && !before);
        self.orphaned = orphaned;
        if is_new {
            self.needs_answer();
        }
    }

    /// A report is sent now: its serial.
    pub(crate) fn next(&mut self, now: Time, timing: &Timing) -> u32 {
        self.due = false;
        self.serial += 1;
        if let Some(unanswered) = &mut self.unanswered {
            *unanswered = (*unanswered).min(self.serial);
            self.way += usize::from(self.tries > 0);
            self.tries += 1;
        }
        while self.beat <= now {
            self.beat += self.interval;
        }
        let retry_after = timing.report_retry.max(self.interval / RETRIES);
        let retry = if self.is_unanswered() { now + retry_after } else { Time::MAX };
        self.at = retry.min(self.beat);
        self.serial
    }

    /// Makes the next report due if it is time; says when to ask again.
    pub(crate) fn on_timeout(&mut self, now: Time) -> Time {
        self.due |= self.at <= now;
        self.next_timeout()
    }

    /// When the next report becomes due.
    pub(crate) fn next_timeout(&self) -> Time {
        if self.due { Time::MAX } else { self.at }
    }
}
