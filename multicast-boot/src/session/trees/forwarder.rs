//! A parent's side of all its attachments: sends each child what it has not yet, as soon as it is here and verified.

use super::super::positions::Positions;
use super::super::timing::Timing;
use super::feed::is_newer;
use bytes::Bytes;
use std::collections::VecDeque;
use std::time::Duration;
use twowire_fabric::id::NodeNumber;
use twowire_fabric::protocol::{Path, Transmit};
use twowire_fabric::time::Time;
use twowire_fabric::wire::Packet;
use twowire_fabric::wire::boot::{Attach, Block, Pulse, Receipt, TREES, parse_spans};

/// Frames to one child that are not settled, at most.
const WINDOW: usize = 1024;

/// Children at the same time, at most.
const MAX_CHILDREN: usize = 16;

/// Frames that a child is behind before its parent feeds it evenly, so that it does not run dry.
const PREFILL: usize = 2;

/// A child that is so many frames behind is fed as fast as the link can.
const CATCH_UP: usize = 16;

/// A node whose link was held up takes the next child out of turn once in so many times: see
/// [`Forwarder::was_held_up`].
const FLIP: u8 = 4;

/// Marks a frame whose repeat is queued or sent.
const REPEATED: u32 = 1 << 31;

/// Gives the bytes at a position.
pub(crate) trait Source {
    /// The bytes at a position that was announced.
    fn bytes(&self, tree: usize, position: u32) -> Option<Bytes>;
}

/// One attachment, seen from the parent.
struct Child {
    number: NodeNumber,
    edge: u16,
    tree: u8,
    late: bool,
    path: Path,
    /// The next place in the tree's log.
    cursor: usize,
    /// What the child had when it attached.
    held: Option<Positions>,
    /// Positions to send once more.
    repeats: VecDeque<u32>,
    /// The positions of the frames from `settled` on; with [`REPEATED`] where the child need not ask again.
    sent: VecDeque<u32>,
    settled: u32,
    echo: u16,
    /// When its next frame is due, if it is fed evenly.
    even_at: Time,
    /// It is [`PREFILL`] frames behind, or was until it had everything.
    is_primed: bool,
    /// If it is not, and something is there: when it is fed all the same.
    prime_at: Option<Time>,
    pulse_due: bool,
    pulse_at: Time,
    pulse_interval: Duration,
    heard: Time,
}

impl Child {
    fn next_sequence(&self) -> u32 {
        self.settled + self.sent.len() as u32
    }

    /// The next position to send, if there is one, the window is open, and it is time.
    fn next_position(&mut self, now: Time, log: &[u32], interval: Duration) -> Result<u32, Option<Time>> {
        if self.sent.len() >= WINDOW {
            return Err(None);
        }
        if let Some(position) = self.repeats.pop_front() {
            return Ok(position);
        }
        if !interval.is_zero() {
            self.is_time(now, log.len() - self.cursor, interval)?;
        }
        loop {
            let &position = log.get(self.cursor).ok_or(None)?;
            self.cursor += 1;
            if self.held.as_ref().is_none_or(|held| !held.contains(position)) {
                return Ok(position);
            }
        }
    }

    /// Whether the next of `behind` frames may be sent now, where frames go at even intervals; if not, when to ask
    /// again.
    fn is_time(&mut self, now: Time, behind: usize, interval: Duration) -> Result<(), Option<Time>> {
        if behind >= CATCH_UP {
            (self.is_primed, self.prime_at, self.even_at) = (true, None, now);
            return Ok(());
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
        self.even_at = now + interval;
        Ok(())
    }

    fn has_nothing_to_send(&self, log: &[u32]) -> bool {
        self.repeats.is_empty() && self.cursor >= log.len()
    }
}

/// All attachments of one parent.
pub(crate) struct Forwarder {
    session: u32,
    /// From one frame to a child to the next; zero for as fast as possible.
    interval: Duration,
    /// For each tree that has had a child, the positions in the order in which they became available.
    logs: [Option<Vec<u32>>; TREES],
    children: Vec<Child>,
    /// Whose turn it is.
    turn: usize,
    /// When the last frame was sent, if there was another one for the next child already.
    sent_at: Time,
    rng: fastrand::Rng,
    pulses_due: bool,
    deadline: Time,
    /// Block frames sent.
    pub(crate) frames_sent: u64,
    /// Block frames among them that were sent for the second time or more.
    pub(crate) repeats_sent: u64,
    /// Bytes of lists and chunks in them.
    pub(crate) bytes_sent: u64,
}

impl Forwarder {
    pub(crate) fn new(session: u32, interval: Duration, seed: u64) -> Forwarder {
        Forwarder {
            session,
            interval,
            logs: [None, None],
            children: Vec::new(),
            turn: 0,
            sent_at: Time::ZERO,
            rng: fastrand::Rng::with_seed(seed),
            pulses_due: false,
            deadline: Time::MAX,
            frames_sent: 0,
            repeats_sent: 0,
            bytes_sent: 0,
        }
    }

    /// A child attaches, or attaches again. `held` is what the parent has of the tree's stream, `path` leads to the
    /// child.
    pub(crate) fn attach(
        &mut self,
        now: Time,
        attach: &Attach,
        payload: &[u8],
        held: &Positions,
        path: Path,
        timing: &Timing,
    ) {
        self.children.retain(|c| (c.number, c.tree) != (attach.from, attach.tree));
        if self.children.len() >= MAX_CHILDREN {
            return;
        }
        self.logs[usize::from(attach.tree)].get_or_insert_with(|| held.iter().collect());
        self.children.push(Child {
            number: attach.from,
            edge: attach.edge,
            tree: attach.tree,
            late: attach.late,
            path,
            cursor: 0,
            held: (!payload.is_empty()).then(|| Positions::from_payload(held.len(), payload)),
            repeats: VecDeque::new(),
            sent: VecDeque::new(),
            settled: 0,
            echo: 0,
            even_at: now,
            is_primed: false,
            prime_at: None,
            // The child learns at once that it has been heard, even if there is nothing for it yet.
            pulse_due: true,
            pulse_at: now,
            pulse_interval: timing.pulse_first,
            heard: now,
        });
        self.pulses_due = true;
        self.deadline = self.deadline.min(now);
    }

    /// Something has become available.
    pub(crate) fn announce(&mut self, tree: u8, position: u32) {
        if let Some(log) = &mut self.logs[usize::from(tree)] {
            log.push(position);
        }
    }

    /// A receipt came.
    pub(crate) fn on_receipt(&mut self, now: Time, receipt: &Receipt, payload: &[u8]) {
        let is_it = |c: &Child| (c.number, c.edge) == (receipt.from, receipt.edge);
        let Some(at) = self.children.iter().position(is_it) else { return };
        if receipt.complete {
            self.children.remove(at);
            return;
        }
        let child = &mut self.children[at];
        if !is_newer(receipt.serial, child.echo) || receipt.next > child.next_sequence() {
            return;
        }
        child.heard = now;
        child.echo = receipt.serial;
        for span in parse_spans(payload) {
            let end = span.end.min(receipt.next);
            for sequence in span.start.max(child.settled)..end {
                let sent = &mut child.sent[(sequence - child.settled) as usize];
                if *sent & REPEATED == 0 {
                    child.repeats.push_back(*sent);
                    *sent |= REPEATED;
                    self.repeats_sent += 1;
                }
            }
        }
        let settled = receipt.settled.saturating_sub(child.settled) as usize;
        child.sent.drain(..settled.min(child.sent.len()));
        child.settled = child.settled.max(receipt.settled);
        // The echo travels with the next frame; where there is none, it needs a pulse.
        let log = self.logs[usize::from(child.tree)].as_deref().unwrap_or_default();
        if !payload.is_empty() && child.has_nothing_to_send(log) {
            child.pulse_due = true;
            self.pulses_due = true;
        }
    }

    /// The next frame to a child, if there is one.
    pub(crate) fn poll_transmit(&mut self, now: Time, source: &impl Source, timing: &Timing) -> Option<Transmit> {
        if self.pulses_due {
            if let Some(child) = self.children.iter_mut().find(|c| c.pulse_due) {
                child.pulse_due = false;
                let pulse =
                    Pulse { session: self.session, edge: child.edge, echo: child.echo, next: child.next_sequence() };
                return Some(Transmit::new(child.path, Packet::new(pulse)));
            }
            self.pulses_due = false;
        }
        [false, true].into_iter().find_map(|late| self.poll_data(now, late, source, timing))
    }

    /// The next data frame to a child in time, or to a late one; the children take turns.
    fn poll_data(&mut self, now: Time, late: bool, source: &impl Source, timing: &Timing) -> Option<Transmit> {
        if self.was_held_up(now) && self.rng.u8(..FLIP) == 0 {
            self.turn += 1;
        }
        for step in 0..self.children.len() {
            let at = (self.turn + step) % self.children.len();
            let child = &mut self.children[at];
            if child.late != late {
                continue;
            }
            let tree = usize::from(child.tree);
            let log = self.logs[tree].as_deref().unwrap_or_default();
            let position = match child.next_position(now, log, self.interval) {
                Ok(position) => position,
                Err(later) => {
                    self.deadline = self.deadline.min(later.unwrap_or(Time::MAX));
                    continue;
                }
            };
            let Some(bytes) = source.bytes(tree, position) else { continue };
            let data = Block {
                session: self.session,
                edge: child.edge,
                echo: child.echo,
                sequence: child.next_sequence(),
                position,
            };
            child.sent.push_back(position);
            child.pulse_at = now + timing.pulse_first;
            child.pulse_interval = timing.pulse_first;
            self.deadline = self.deadline.min(child.pulse_at);
            self.turn = at + 1;
            self.frames_sent += 1;
            self.bytes_sent += bytes.len() as u64;
            let transmit = Transmit::new(child.path, Packet::with_payload(data, bytes));
            self.sent_at = if self.waiting() > 1 { now } else { Time::MAX };
            return Some(transmit);
        }
        None
    }

    /// How many children wait for something that is here.
    fn waiting(&self) -> usize {
        let log = |tree: u8| self.logs[usize::from(tree)].as_deref().unwrap_or_default();
        self.children.iter().filter(|c| !c.has_nothing_to_send(log(c.tree))).count()
    }

    /// True if the link did not take the next frame in time, although there was one: the last ones wait for links on
    /// which others send.
    fn was_held_up(&self, now: Time) -> bool {
        !self.interval.is_zero() && now.saturating_since(self.sent_at) > self.interval * 5 / 8
    }

    /// True if a child waits for something that is here.
    pub(crate) fn is_feeding(&self) -> bool {
        !self.children.is_empty()
    }

    pub(crate) fn next_timeout(&self) -> Time {
        self.deadline
    }

    /// Time has passed: pulses become due, and silent children are given up.
    pub(crate) fn on_timeout(&mut self, now: Time, timing: &Timing) {
        if self.deadline > now {
            return;
        }
        self.children.retain(|c| now - c.heard < timing.child_silence);
        self.deadline = Time::MAX;
        for child in &mut self.children {
            if child.pulse_at <= now {
                child.pulse_due = true;
                self.pulses_due = true;
                child.pulse_at = now + child.pulse_interval;
                child.pulse_interval = (2 * child.pulse_interval).min(timing.pulse_max);
            }
            self.deadline = self.deadline.min(child.pulse_at);
        }
    }
}
