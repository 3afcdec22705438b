//! One attachment, seen from the parent: what the child still lacks, and when its next frame is due.

use super::super::positions::Positions;
use super::super::timing::Timing;
use super::feed::is_newer;
use std::collections::VecDeque;
use std::time::Duration;
use twowire_fabric::id::NodeNumber;
use twowire_fabric::prefetch::prefetch;
use twowire_fabric::protocol::Path;
use twowire_fabric::time::Time;
use twowire_fabric::wire::boot::{Attach, Receipt, parse_spans};

/// Frames to one child that are not settled, at most.
const WINDOW: usize = 1024;

/// Frames that a child is behind before its parent feeds it evenly, so that it does not run dry.
const PREFILL: usize = 2;

/// A child that is so many frames behind when it gets this parent is fed as fast as the link can, until it is only
/// [`PREFILL`] behind. One that losses leave behind is not: as long as all are fed evenly nobody waits for a link that
/// somebody else is using, and it would catch up at the cost of others.
const CATCH_UP: usize = 64;

/// Marks a frame whose repeat is queued or sent.
const REPEATED: u32 = 1 << 31;

/// One child.
pub(super) struct Child {
    pub(super) number: NodeNumber,
    pub(super) edge: u16,
    pub(super) tree: u8,
    pub(super) late: bool,
    pub(super) path: Path,
    /// The next place in the tree's log.
    cursor: usize,
    /// What the child had when it attached.
    held: Option<Positions>,
    /// Positions to send once more.
    repeats: VecDeque<u32>,
    /// The positions of the frames from `settled` on; with [`REPEATED`] where the child need not ask again.
    sent: VecDeque<u32>,
    settled: u32,
    pub(super) echo: u16,
    pace: Pace,
    pub(super) pulse_due: bool,
    pub(super) pulse_at: Time,
    pulse_interval: Duration,
    pub(super) heard: Time,
}

impl Child {
    /// A child that attaches now; `len` is how many positions its tree has.
    pub(super) fn new(now: Time, attach: &Attach, payload: &[u8], len: u32, path: Path, timing: &Timing) -> Child {
        Child {
            number: attach.from,
            edge: attach.edge,
            tree: attach.tree,
            late: attach.late,
            path,
            cursor: 0,
            held: claimed(payload, len),
            repeats: VecDeque::new(),
            sent: VecDeque::new(),
            settled: 0,
            echo: 0,
            pace: Pace { even_at: now, catches_up: None, is_primed: false, prime_at: None },
            // The child learns at once that it has been heard, even if there is nothing for it yet.
            pulse_due: true,
            pulse_at: now,
            pulse_interval: timing.pulse_first,
            heard: now,
        }
    }

    /// True if this is the request of this attachment once more: the child has heard nothing yet.
    pub(super) fn is_asked_for_again(&self, attach: &Attach, payload: &[u8], len: u32) -> bool {
        let is_it = (self.number, self.tree, self.edge) == (attach.from, attach.tree, attach.edge);
        is_it && self.echo == 0 && self.held == claimed(payload, len)
    }

    /// The sequence number of the next frame.
    pub(super) fn next_sequence(&self) -> u32 {
        self.settled + self.sent.len() as u32
    }

    /// The next position to send, and for how long it was due, if there is one, the window is open, and it is time; if it
    /// is not, when to ask again.
    pub(super) fn next_position(
        &mut self,
        now: Time,
        log: &[u32],
        interval: Duration,
    ) -> Result<(u32, Duration), Option<Time>> {
        if self.sent.len() >= WINDOW {
            return Err(None);
        }
        let is_paced = !interval.is_zero() && !self.late;
        let behind = self.repeats.len() + log.len() - self.cursor;
        let held_up = if is_paced { self.pace.is_time(now, behind, interval)? } else { Duration::ZERO };
        if let Some(position) = self.repeats.pop_front() {
            return Ok((position, held_up));
        }
        loop {
            let &position = log.get(self.cursor).ok_or(None)?;
            self.cursor += 1;
            if self.held.as_ref().is_none_or(|held| !held.contains(position)) {
                return Ok((position, held_up));
            }
        }
    }

    /// Its next frame is not due before this instant.
    pub(super) fn pause_until(&mut self, until: Time) {
        self.pace.even_at = self.pace.even_at.max(until);
    }

    /// A frame with this position is sent. The next pulse comes soon after the last frame of all.
    pub(super) fn note_sent(&mut self, now: Time, position: u32, is_last: bool, timing: &Timing) {
        self.sent.push_back(position);
        self.pulse_interval = if is_last { timing.loss_delay_at_end } else { timing.pulse_first };
        self.pulse_at = now + self.pulse_interval;
    }

    pub(super) fn has_nothing_to_send(&self, log: &[u32]) -> bool {
        self.repeats.is_empty() && self.cursor >= log.len()
    }

    /// A receipt of this attachment; says how many frames are to be repeated.
    pub(super) fn on_receipt(&mut self, now: Time, receipt: &Receipt, payload: &[u8]) -> u64 {
        if !is_newer(receipt.serial, self.echo) || receipt.next > self.next_sequence() {
            return 0;
        }
        self.heard = now;
        self.echo = receipt.serial;
        let mut repeated = 0;
        for span in parse_spans(payload) {
            let end = span.end.min(receipt.next);
            for sequence in span.start.max(self.settled)..end {
                let sent = &mut self.sent[(sequence - self.settled) as usize];
                if *sent & REPEATED == 0 {
                    self.repeats.push_back(*sent);
                    *sent |= REPEATED;
                    repeated += 1;
                }
            }
        }
        let settled = receipt.settled.saturating_sub(self.settled) as usize;
        self.sent.drain(..settled.min(self.sent.len()));
        self.settled = self.settled.max(receipt.settled);
        repeated
    }

    /// Prefetches the places of the next frame in the log and in the window.
    pub(super) fn prefetch(&self, log: &[u32]) {
        log.get(self.cursor.saturating_sub(1)).into_iter().chain(self.sent.back()).for_each(prefetch);
    }

    /// Makes a pulse due if it is time for one; each comes later than the one before.
    pub(super) fn time_pulse(&mut self, now: Time, timing: &Timing) {
        if self.pulse_at <= now {
            self.pulse_due = true;
            self.pulse_at = now + self.pulse_interval;
            self.pulse_interval = (2 * self.pulse_interval).min(timing.pulse_max);
        }
    }
}

/// What a child says to have; `None` if nothing.
fn claimed(payload: &[u8], len: u32) -> Option<Positions> {
    (!payload.is_empty()).then(|| Positions::from_payload(len, payload))
}

/// Feeds a child evenly: new frames and repeats alike, so that a repeat for one child does not take the turn of another.
struct Pace {
    /// When the next frame is due.
    even_at: Time,
    /// The child came far behind, and still is; `None` before anything is there for it.
    catches_up: Option<bool>,
    /// The child is [`PREFILL`] frames behind, or was until it had everything.
    is_primed: bool,
    /// If it is not, and something is there: when it is fed all the same.
    prime_at: Option<Time>,
}

impl Pace {
    /// Since when the next of `behind` frames may be sent, where frames go at even intervals; if it may not, when to ask
    /// again.
    fn is_time(&mut self, now: Time, behind: usize, interval: Duration) -> Result<Duration, Option<Time>> {
        if behind > 0 {
            let far = if self.catches_up.is_none() { CATCH_UP } else { PREFILL + 1 };
            self.catches_up = Some(self.catches_up != Some(false) && behind >= far);
        }
        if self.catches_up == Some(true) && behind > 0 {
            (self.is_primed, self.prime_at, self.even_at) = (true, None, now);
            return Ok(Duration::ZERO);
        }
        if !self.is_primed {
            if behind == 0 {
                return Err(None);
            }
            let prime_at = *self.prime_at.get_or_insert(now + PREFILL as u32 * interval);
            if behind < PREFILL && now < prime_at {
                return Err(Some(prime_at));
            }
            (self.is_primed, self.prime_at, self.even_at) = (true, None, now);
        }
        if now < self.even_at {
            return Err(Some(self.even_at));
        }
        if behind == 0 {
            self.is_primed = false;
            return Err(None);
        }
        let held_up = now - self.even_at;
        self.even_at = now + interval;
        Ok(held_up)
    }
}
