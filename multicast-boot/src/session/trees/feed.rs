//! A child's side of one attachment: what came, what was lost, and whether the parent lives.

use super::super::assembly::Claim;
use super::super::timing::Timing;
use std::time::Duration;
use twowire_fabric::id::NodeNumber;
use twowire_fabric::protocol::Path;
use twowire_fabric::time::Time;
use twowire_fabric::wire::DEFAULT_MAX_PAYLOAD;
use twowire_fabric::wire::boot::{Span, put_span};

/// Frames after which a receipt is sent: few enough that the parent's window never closes.
const FRAMES_PER_RECEIPT: u32 = 448;

/// When so few positions are missing, losses are said at once: nothing else comes that their repeats could wait for.
const FEW: u32 = 192;

/// Attempts along the routes of the layout, before others are tried.
const FIRST_ATTEMPTS: u32 = 3;

/// Receipts that are not echoed before the parent is thought not to hear us: where one frame of ten is lost, four in a row
/// are lost somewhere all the time, and other routes share cables with others.
const UNHEARD: u32 = 10;

/// Spans of lost frames that a receipt names, at most.
const MAX_SPANS: usize = DEFAULT_MAX_PAYLOAD / 8;

/// Sequence numbers that were lost, and the first receipt that said so.
struct Lost {
    span: Span,
    said_in: Option<u16>,
}

/// One attachment, seen from the child.
pub(crate) struct Feed {
    pub(crate) parent: NodeNumber,
    /// The parent's route to us that the layout chose; attempts start from it.
    alternate: u8,
    pub(crate) late: bool,
    /// Our name for the attachment.
    pub(crate) edge: u16,
    /// One above the highest sequence number known.
    next: u32,
    lost: Vec<Lost>,
    /// When the parent is to be told of a loss.
    say_at: Option<Time>,
    serial: u16,
    /// When the last receipt was sent; `None` before the first.
    receipt_sent: Option<Time>,
    /// The receipt whose echo gives the next sample of the round trip.
    timed: Option<(u16, Time)>,
    /// Receipts sent since then, it among them.
    unechoed: u32,
    round_trip: Duration,
    unreported: u32,
    pub(crate) receipt_due: bool,
    pub(crate) attach_due: bool,
    attach_sent: Time,
    /// Our path to the parent, of the last attempt.
    pub(crate) path: Option<Box<Path>>,
    /// When the parent was last heard in this attachment.
    heard: Option<Time>,
    /// When data last came, or the attachment was asked for.
    fed: Time,
    /// Attempts to attach since the parent was last heard.
    attempts: u32,
    /// How many routes have been given up.
    rotation: u32,
    /// Few positions are missing.
    is_ending: bool,
    /// Nothing is missing: the parent only has to be told.
    pub(crate) complete: bool,
    /// Frames found to be lost.
    pub(crate) lost_count: u32,
    /// What the parent was told to be here, if that was more than is.
    pub(crate) claim: Option<Box<Claim>>,
}

impl Feed {
    pub(crate) fn new(parent: NodeNumber, alternate: u8, late: bool, edge: u16) -> Feed {
        Feed {
            parent,
            alternate,
            late,
            edge,
            next: 0,
            lost: Vec::new(),
            say_at: None,
            serial: 0,
            receipt_sent: None,
            timed: None,
            unechoed: 0,
            round_trip: Duration::ZERO,
            unreported: 0,
            receipt_due: false,
            attach_due: true,
            attach_sent: Time::ZERO,
            path: None,
            heard: None,
            fed: Time::ZERO,
            attempts: 0,
            rotation: 0,
            is_ending: false,
            complete: false,
            lost_count: 0,
            claim: None,
        }
    }

    /// Starts over under another name. With `other_routes` along other routes than before.
    pub(crate) fn reattach(&mut self, edge: u16, other_routes: bool) {
        let attempts = if self.heard.is_some() { 0 } else { self.attempts };
        *self = Feed {
            attempts,
            rotation: self.rotation + u32::from(other_routes),
            lost_count: self.lost_count,
            ..Feed::new(self.parent, self.alternate, self.late, edge)
        };
    }

    /// The parent silent, or never heard: starts over. The first attempts of all keep to the routes of the layout: a
    /// frame may have been lost, and another route could overload a cable.
    pub(crate) fn try_again(&mut self, edge: u16) {
        if self.heard.is_some() || self.rotation > 0 || self.attempts >= FIRST_ATTEMPTS {
            self.reattach(edge, true);
        } else {
            self.attach_due = true;
        }
    }

    /// So many positions are missing. Call it until [`Feed::complete`].
    pub(crate) fn set_missing(&mut self, now: Time, missing: u32, timing: &Timing) {
        if missing <= FEW && !self.is_ending {
            self.is_ending = true;
            self.say_at = self.say_at.map(|at| at.min(now + timing.loss_delay_at_end));
        }
        if missing == 0 {
            (self.complete, self.receipt_due) = (true, true);
        }
    }

    /// The parent's route to us for this attempt, and which of ours to it, of which there are so many. Each of one side is tried with each of
    /// the other in the end: if both went on together, two that are alive might never meet.
    pub(crate) fn routes(&self, ours: usize) -> (u8, usize) {
        let rotation = self.rotation as usize;
        (self.alternate.wrapping_add(self.rotation as u8), rotation + rotation / ours.max(1))
    }

    pub(crate) fn attach_sent(&mut self, now: Time, path: Path) {
        self.attach_due = false;
        self.path = Some(Box::new(path));
        self.attach_sent = now;
        self.fed = now;
        self.attempts += 1;
    }

    /// True if the parent did not answer although it was tried along several routes.
    pub(crate) fn is_orphaned(&self, timing: &Timing) -> bool {
        !self.complete && self.heard.is_none() && self.attempts > timing.attach_attempts
    }

    /// A `Block` frame came. Call it only for one that is kept: another one counts as lost.
    pub(crate) fn on_data(&mut self, now: Time, sequence: u32, echo: u16, timing: &Timing) {
        self.on_sign_of_life(now, echo);
        self.fed = now;
        if sequence >= self.next {
            self.note_lost(now, sequence, timing);
            self.next = sequence.saturating_add(1);
        } else {
            self.remove_lost(sequence);
        }
        self.unreported += 1;
        self.receipt_due |= self.unreported >= FRAMES_PER_RECEIPT;
    }

    /// A pulse came: everything below `next` was sent.
    pub(crate) fn on_pulse(&mut self, now: Time, next: u32, echo: u16, timing: &Timing) {
        self.on_sign_of_life(now, echo);
        if next > self.next {
            self.note_lost(now, next, timing);
            self.next = next;
        }
        self.receipt_due |= self.unreported > 0 || self.complete || self.receipt_sent.is_none();
    }

    fn on_sign_of_life(&mut self, now: Time, echo: u16) {
        self.heard = Some(now);
        self.attempts = 0;
        if let Some((serial, sent)) = self.timed
            && !is_newer(serial, echo)
        {
            let sample = now - sent;
            self.round_trip = if self.round_trip.is_zero() { sample } else { (self.round_trip * 7 + sample) / 8 };
            (self.timed, self.unechoed) = (None, 0);
        }
        if !self.lost.is_empty() {
            self.lost.retain(|lost| lost.said_in.is_none_or(|serial| is_newer(serial, echo)));
        }
    }

    /// Everything from the highest number known up to `below` was lost.
    fn note_lost(&mut self, now: Time, below: u32, timing: &Timing) {
        if below > self.next {
            self.lost.push(Lost { span: Span { start: self.next, end: below }, said_in: None });
            self.lost_count = self.lost_count.saturating_add(below - self.next);
            let delay = if self.is_ending { timing.loss_delay_at_end } else { timing.loss_delay };
            let say_at = self.say_at.map_or(now + delay, |at| at.min(now + delay));
            self.say_at = Some(say_at);
        }
    }

    /// A frame came after all, out of order.
    fn remove_lost(&mut self, sequence: u32) {
        let Some(at) = self.lost.iter().position(|l| (l.span.start..l.span.end).contains(&sequence)) else { return };
        let Lost { span, said_in } = self.lost.remove(at);
        let rest = [Span { start: span.start, end: sequence }, Span { start: sequence + 1, end: span.end }];
        let rest = rest.into_iter().filter(|s| s.start < s.end).map(|span| Lost { span, said_in });
        self.lost.splice(at..at, rest);
    }

    /// Everything below came, or is known to the parent as lost.
    fn settled(&self) -> u32 {
        self.lost.first().map_or(self.next, |lost| lost.span.start)
    }

    /// Fills in a receipt: its serial, `settled`, `next` and the spans for its payload.
    pub(crate) fn receipt(&mut self, now: Time) -> (u16, u32, u32, Vec<u8>) {
        self.serial = self.serial.wrapping_add(1);
        let mut payload = Vec::with_capacity(8 * self.lost.len().min(MAX_SPANS));
        let mut last: Option<Span> = None;
        for lost in self.lost.iter_mut().take(MAX_SPANS) {
            lost.said_in.get_or_insert(self.serial);
            // Spans on the wire do not touch, those of different receipts may.
            match &mut last {
                Some(span) if span.end == lost.span.start => span.end = lost.span.end,
                _ => last.replace(lost.span).iter().for_each(|&span| put_span(&mut payload, span)),
            }
        }
        last.iter().for_each(|&span| put_span(&mut payload, span));
        self.receipt_due = false;
        self.say_at = None;
        self.unreported = 0;
        self.receipt_sent = Some(now);
        self.timed.get_or_insert((self.serial, now));
        self.unechoed += 1;
        (self.serial, self.settled(), self.next, payload)
    }

    /// When something is to be done without a frame coming in.
    pub(crate) fn next_timeout(&self, timing: &Timing) -> Option<Time> {
        if self.complete {
            return None;
        }
        let Some(heard) = self.heard else { return Some(self.attach_sent + timing.attach_retry) };
        let sent = self.receipt_sent.unwrap_or(heard);
        // A receipt that is not echoed may have been lost itself.
        let is_open = self.timed.is_some();
        let receipt = if is_open { self.repeat_after(timing) } else { timing.receipt_interval };
        Some((self.contact(heard) + timing.parent_silence).min(sent + receipt).min(self.say_at.unwrap_or(Time::MAX)))
    }

    /// The last instant of which we know that parent and child heard one another: receipts that are not echoed show
    /// that the parent does not hear us.
    fn contact(&self, heard: Time) -> Time {
        let unheard = self.timed.filter(|_| self.unechoed >= UNHEARD);
        unheard.map_or(heard, |(_, sent)| heard.min(sent))
    }

    fn repeat_after(&self, timing: &Timing) -> Duration {
        let least = if self.is_ending { 3 * timing.loss_delay_at_end } else { timing.repeat_min };
        least.max(2 * self.round_trip)
    }

    /// True if the parent lives but has sent nothing for long, although something is missing: one of the two may be
    /// mistaken about what the other has, because a list of it was damaged on the way.
    pub(crate) fn is_starved(&self, now: Time, timing: &Timing) -> bool {
        !self.complete && !self.attach_due && now - self.fed >= timing.starvation
    }

    /// Time has passed. Says whether to attach again, because the parent is silent.
    #[must_use]
    pub(crate) fn on_timeout(&mut self, now: Time, timing: &Timing) -> bool {
        if self.next_timeout(timing).is_none_or(|at| at > now) {
            return false;
        }
        let Some(heard) = self.heard else { return !self.attach_due };
        if now - self.contact(heard) >= timing.parent_silence {
            return true;
        }
        self.receipt_due = true;
        false
    }
}

/// True if serial `a` was given after serial `b`.
pub(crate) fn is_newer(a: u16, b: u16) -> bool {
    a.wrapping_sub(b) as i16 > 0
}

#[cfg(test)]
mod tests {
    use super::*;
    use twowire_fabric::id::UniqueId;

    /// A feed whose parent answers the first receipt and is heard from then on, but hears nothing more. Says after how many more
    /// receipts the feed attaches anew, if it does within so many.
    fn attaches_anew_after(receipts: u32) -> Option<u32> {
        let (timing, mut now) = (Timing::default(), Time::ZERO);
        let mut feed = Feed::new(NodeNumber::from_index(1), 0, false, 1);
        let (serial, ..) = feed.receipt(now);
        (1..=receipts).find(|_| {
            now += timing.repeat_min;
            feed.on_data(now, feed.next, serial, &timing);
            feed.receipt(now);
            feed.on_timeout(now, &timing)
        })
    }

    #[test]
    fn a_few_lost_receipts_in_a_row_are_no_reason_for_other_routes_but_many_are() {
        assert_eq!(attaches_anew_after(UNHEARD - 1), None, "a lossy fabric loses so many");
        assert_eq!(attaches_anew_after(2 * UNHEARD), Some(UNHEARD));
    }

    /// An emulated machine beside others, or one that does something else, answers late. If its children went elsewhere, what is on its
    /// way to them would be sent once more by somebody else, who is as slow.
    #[test]
    fn a_real_machine_may_be_slow_to_answer() {
        const EDGE: u16 = 1;
        let timing = Timing::real();
        let mut feed = Feed::new(NodeNumber::from_index(1), 0, false, EDGE);
        let passes = |feed: &mut Feed, from_ms: u64, to_ms: u64| {
            for now in (from_ms..to_ms).step_by(50).map(|ms| Time::from_nanos(ms * 1_000_000)) {
                if feed.attach_due {
                    feed.attach_sent(now, Path::Card(UniqueId(1)));
                }
                if feed.on_timeout(now, &timing) {
                    feed.try_again(EDGE + 2);
                }
            }
        };
        passes(&mut feed, 0, 800);
        assert_eq!((feed.edge, feed.is_orphaned(&timing)), (EDGE, false), "no answer for 0.8 s");
        feed.on_pulse(Time::from_nanos(800_000_000), 0, 0, &timing);
        passes(&mut feed, 800, 2_200);
        assert_eq!((feed.edge, feed.is_orphaned(&timing)), (EDGE, false), "nothing was heard for 1.4 s more");
        passes(&mut feed, 2_200, 8_000);
        assert!(feed.edge != EDGE && feed.is_orphaned(&timing), "it is not waited for without end");
    }
}
