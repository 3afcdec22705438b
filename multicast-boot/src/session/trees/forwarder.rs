//! A parent's side of all its attachments: sends each child what it has not yet, as soon as it is here and verified.

use super::super::positions::Positions;
use super::super::timing::Timing;
use super::child::Child;
use super::holdups::Holdups;
use bytes::Bytes;
use std::time::Duration;
use twowire_fabric::prefetch::prefetch;
use twowire_fabric::protocol::{Path, Transmit};
use twowire_fabric::time::Time;
use twowire_fabric::wire::Packet;
use twowire_fabric::wire::boot::{Attach, Block, Pulse, Receipt, TREES};

/// Children at the same time, at most.
const MAX_CHILDREN: usize = 16;

/// Gives the bytes at a position.
pub(crate) trait Source {
    /// The bytes at a position that was announced.
    fn bytes(&self, tree: usize, position: u32) -> Option<Bytes>;
}

/// What a parent has of one tree, once that tree has had a child.
struct Log {
    /// The positions in the order in which they became available.
    positions: Vec<u32>,
    /// How many there will be.
    len: u32,
}

impl Log {
    /// Everything is here.
    fn is_whole(&self) -> bool {
        self.positions.len() as u32 == self.len
    }
}

/// All attachments of one parent.
pub(crate) struct Forwarder {
    session: u32,
    /// From one frame to a child to the next; zero for as fast as possible.
    interval: Duration,
    logs: [Option<Log>; TREES],
    children: Vec<Child>,
    /// Whose turn it is.
    turn: usize,
    holdups: Holdups,
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
            holdups: Holdups::new(seed),
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
        self.pulses_due = true;
        self.deadline = self.deadline.min(now);
        if let Some(child) = self.children.iter_mut().find(|c| c.is_asked_for_again(attach, payload, held.len())) {
            (child.pulse_due, child.heard) = (true, now);
            return;
        }
        self.children.retain(|c| (c.number, c.tree) != (attach.from, attach.tree));
        if self.children.len() >= MAX_CHILDREN {
            return;
        }
        let log = || Log { positions: held.iter().collect(), len: held.len() };
        self.logs[usize::from(attach.tree)].get_or_insert_with(log);
        self.children.push(Child::new(now, attach, payload, held.len(), path, timing));
    }

    /// Something has become available.
    pub(crate) fn announce(&mut self, tree: u8, position: u32) {
        if let Some(log) = &mut self.logs[usize::from(tree)] {
            log.positions.push(position);
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
        self.repeats_sent += child.on_receipt(now, receipt, payload);
        // The echo travels with the next frame; where there is none, it needs a pulse.
        if !payload.is_empty() && child.has_nothing_to_send(log(&self.logs, child.tree)) {
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
        for step in 0..self.children.len() {
            let at = (self.turn + step) % self.children.len();
            let child = &mut self.children[at];
            if child.late != late {
                continue;
            }
            let tree = usize::from(child.tree);
            let log = log(&self.logs, child.tree);
            let (position, held_up) = match child.next_position(now, log, self.interval) {
                Ok(next) => next,
                Err(later) => {
                    self.deadline = self.deadline.min(later.unwrap_or(Time::MAX));
                    continue;
                }
            };
            let Some(bytes) = source.bytes(tree, position) else { continue };
            let (edge, echo, sequence) = (child.edge, child.echo, child.next_sequence());
            let data = Block { session: self.session, edge, echo, sequence, position };
            let is_last = self.logs[tree].as_ref().is_some_and(Log::is_whole) && child.has_nothing_to_send(log);
            child.note_sent(now, position, is_last, timing);
            self.deadline = self.deadline.min(child.pulse_at);
            self.turn = at + 1;
            self.frames_sent += 1;
            self.bytes_sent += bytes.len() as u64;
            let transmit = Transmit::new(child.path, Packet::with_payload(data, bytes));
            if let Some(pause) = self.holdups.note(now, held_up, self.interval) {
                self.children.iter_mut().for_each(|child| child.pause_until(now + pause));
            }
            return Some(transmit);
        }
        None
    }

    /// True if a child waits for something that is here.
    pub(crate) fn is_feeding(&self) -> bool {
        !self.children.is_empty()
    }

    pub(crate) fn next_timeout(&self) -> Time {
        self.deadline
    }

    /// Prefetches what a frame to a child needs, and lies so many pointers from here.
    pub(crate) fn prefetch(&self, depth: usize) {
        match depth {
            0 => prefetch(self.children.as_slice()),
            _ => self.children.iter().for_each(|child| child.prefetch(log(&self.logs, child.tree))),
        }
    }

    /// Time has passed: pulses become due, and silent children are given up.
    pub(crate) fn on_timeout(&mut self, now: Time, timing: &Timing) {
        if self.deadline > now {
            return;
        }
        self.children.retain(|c| now - c.heard < timing.child_silence);
        self.deadline = Time::MAX;
        for child in &mut self.children {
            child.time_pulse(now, timing);
            self.pulses_due |= child.pulse_due;
            self.deadline = self.deadline.min(child.pulse_at);
        }
    }
}

/// What is here of a tree, in the order in which it came.
fn log(logs: &[Option<Log>; TREES], tree: u8) -> &[u32] {
    logs[usize::from(tree)].as_ref().map_or(&[], |log| &log.positions)
}
