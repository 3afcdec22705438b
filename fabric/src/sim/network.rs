//! Cables, crossbars and cards: everything of the simulation but the programs that run on the hosts.
//!
//! A frame costs one event for each crossbar (its head is ready to leave), one when the receiving host has it, and one
//! when the sending card has room again. Outputs are reserved ahead: see [`Output`]. Two more kinds of event are
//! rare: a frame behind another one in an input buffer gets its turn, and a dropped frame's tail has come in.

use super::ahead::Ahead;
use super::channel::{CableClass, Far, Input, Output};
use super::frames::{Frames, NONE, flag};
use super::nic::Nic;
use super::stats::{ChannelLoad, DropCause, Stats};
use super::wheel::Wheel;
use crate::id::UniqueId;
use crate::protocol::{Path, Transmit};
use crate::route::Hop;
use crate::wire::Packet;
use crate::wire::frame::CRC_LEN;

/// Events: three bits of kind, the rest an index.
pub(super) mod event {
    pub(crate) const INDEX: u32 = (1 << 29) - 1;
    /// The head of a frame is ready to leave the input of a crossbar.
    pub(crate) const READY: u32 = 0 << 29;
    /// The frame that is first in a channel's input buffer gets its turn.
    pub(crate) const TURN: u32 = 1 << 29;
    /// A frame has reached its host.
    pub(crate) const DELIVER: u32 = 2 << 29;
    /// A host is to be asked for frames and timers.
    pub(crate) const POLL: u32 = 3 << 29;
    /// The tail of a dropped frame has come in.
    pub(crate) const DISCARD: u32 = 4 << 29;
    /// A fault strikes.
    pub(crate) const FAULT: u32 = 5 << 29;
}

/// What the network cannot do by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Upcall {
    /// It is time for the next round of prefetching.
    LookAhead,
    /// This frame has reached its host.
    Deliver(u32),
    /// This host is to be asked for frames and timers.
    Poll(u32),
    /// The fault of this index strikes.
    Fault(u32),
}

/// The chances of mishaps, in force for all frames that set out.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Mishaps {
    pub(super) loss: f64,
    pub(super) corrupt: f64,
    pub(super) duplicate: f64,
    pub(super) reorder: f64,
    pub(super) any: bool,
}

pub(super) struct Network {
    pub(super) wheel: Wheel,
    /// Both ends of each channel, and what cables have in common.
    pub(super) outputs: Vec<Output>,
    pub(super) inputs: Vec<Input>,
    pub(super) classes: Vec<CableClass>,
    pub(super) frames: Frames,
    pub(super) nics: Vec<Nic>,
    /// The unique id of each host's card.
    pub(super) ids: Vec<UniqueId>,
    pub(super) stats: Stats,
    pub(super) loads: Vec<ChannelLoad>,
    pub(super) rng: fastrand::Rng,
    pub(super) mishaps: Mishaps,
    pub(super) digest: u64,
    /// Each crossbar's first output channel, and one more at the end.
    pub(super) first_output: Vec<u32>,
    /// Hosts' channels follow those of the crossbars.
    pub(super) first_host_channel: u32,
    /// The other direction of each channel's cable.
    pub(super) reverse: Vec<u32>,
    /// Channels in whose input buffers room was given back while frames wait for it.
    pub(super) unblocked: Vec<u32>,
    pub(super) ahead: Ahead,
    pub(super) send_cost: u64,
    pub(super) receive_cost: u64,
    pub(super) max_payload: usize,
}

impl Network {
    pub(super) fn now(&self) -> u64 {
        self.wheel.now()
    }

    /// Runs until a host is concerned; `None` when nothing more happens up to `limit`.
    pub(super) fn advance(&mut self, limit: u64) -> Option<Upcall> {
        loop {
            if self.ahead.pause == 0 {
                return Some(Upcall::LookAhead);
            }
            let what = self.wheel.pop(limit)?;
            self.ahead.pause -= 1;
            self.stats.events += 1;
            self.digest =
                (self.digest ^ self.now().rotate_left(32) ^ u64::from(what)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
            self.digest ^= self.digest >> 29;
            let index = what & event::INDEX;
            match what & !event::INDEX {
                event::READY => self.head_ready(index),
                event::TURN => self.take_turn(index),
                event::DELIVER => return Some(Upcall::Deliver(index)),
                event::POLL => return Some(Upcall::Poll(index)),
                event::DISCARD => self.frames.remove(index),
                _ => return Some(Upcall::Fault(index)),
            }
        }
    }

    /// A host hands a packet to its card, which has room for it.
    pub(super) fn send(&mut self, host: u32, transmit: Transmit) {
        let Transmit { path, packet: Packet { header, payload } } = transmit;
        let Path::Hops(route) = path else { return self.count_drop(DropCause::NoHop) };
        self.stats.frames_sent += 1;
        let now = self.now();
        let nic = &mut self.nics[host as usize];
        let ready = nic.prepare(now, self.send_cost);
        let tx = self.first_host_channel + host;
        if payload.len() > self.max_payload {
            self.count_drop(DropCause::TooLarge);
            return self.left_nic(host, ready);
        }
        let header = header.encode(payload.len() as u16);
        let len = (route.len() + header.len() + payload.len() + CRC_LEN) as u32;
        self.stats.bytes_sent += u64::from(len);
        let class = self.class(tx);
        if self.outputs[tx as usize].down != 0 || class.far == Far::Nothing {
            let cause = if class.far == Far::Nothing { DropCause::NoCable } else { DropCause::DeadLink };
            let gone = ready + class.serialisation(len);
            self.count_drop(cause);
            return self.left_nic(host, gone);
        }
        let frame = self.frames.insert(&route, ready, len, &header, payload);
        if self.mishaps.any {
            self.draw_mishaps(frame);
        }
        if !self.forward(frame, tx) {
            self.ask(host);
        }
    }

    /// The head of a frame is ready at the far end of its channel.
    fn head_ready(&mut self, frame: u32) {
        let (c, tail, flags) = (self.frames[frame].channel, self.frames[frame].tail, self.frames[frame].flags);
        if flags & flag::MISHAP != 0 && self.suffer(frame) {
            self.give_back(c, tail, self.frames[frame].len);
            self.discard(frame);
            return self.settle();
        }
        let now = self.now();
        let input = &mut self.inputs[c as usize];
        (input.last_frame, input.last_tail) = (frame, tail);
        if input.blocked || !input.queued.is_empty() || input.free_at > now {
            if !input.blocked && input.queued.is_empty() {
                self.wheel.schedule(input.free_at, event::TURN | c);
            }
            self.frames.push(&mut input.queued, frame);
        } else {
            self.route(frame, c);
        }
        self.settle();
    }

    fn take_turn(&mut self, c: u32) {
        if let Some(frame) = self.frames.pop(&mut self.inputs[c as usize].queued) {
            self.route(frame, c);
        }
        self.settle();
    }

    /// Reads the next hop of the frame whose turn it is in the input buffer of `c`.
    fn route(&mut self, frame: u32, c: u32) {
        if self.frames[frame].flags & flag::LOST != 0 {
            return self.drop_at_input(frame);
        }
        let input = &self.inputs[c as usize];
        let hop = self.frames.next_hop_byte(frame).and_then(Hop::from_byte);
        let cause = match hop.map(|hop| hop.out_of(input.port)) {
            None => DropCause::NoHop,
            Some(port) if port >= input.ports => DropCause::NoPort,
            Some(port) => {
                let out = input.dest + u32::from(port);
                if self.outputs[out as usize].down != 0 {
                    DropCause::DeadLink
                } else if self.class(out).far == Far::Nothing {
                    DropCause::NoCable
                } else {
                    self.forward(frame, out);
                    return;
                }
            }
        };
        self.lose(frame, cause);
        self.drop_at_input(frame);
    }

    /// Commits a frame to an output, or lets it wait there; says which.
    fn forward(&mut self, frame: u32, out: u32) -> bool {
        if self.outputs[out as usize].waiting.is_empty() && self.commit(frame, out) {
            return true;
        }
        self.frames.push(&mut self.outputs[out as usize].waiting, frame);
        let from = self.frames[frame].channel;
        if from != NONE {
            self.inputs[from as usize].blocked = true;
        }
        false
    }

    /// Reserves an output and the room behind it, if it is known when there will be room.
    fn commit(&mut self, frame: u32, out: u32) -> bool {
        let f = &mut self.frames[frame];
        let from = f.channel;
        let len_in = f.len;
        let len = if from == NONE { len_in } else { len_in - 1 };
        let output = &mut self.outputs[out as usize];
        if !output.reserve(len) {
            return false;
        }
        let class = &self.classes[output.class as usize];
        let start = self.wheel.now().max(f.start).max(output.free_at);
        let gone = (start + class.serialisation(len)).max(f.tail);
        output.free_at = gone;
        (f.channel, f.len, f.start, f.tail) = (out, len, start, gone + u64::from(class.delay));
        if class.far == Far::Host {
            let host = self.inputs[out as usize].dest;
            let done = self.nics[host as usize].receive(f.tail, self.receive_cost);
            output.release(done + u64::from(class.flight), len);
            self.wheel.schedule(done, event::DELIVER | frame);
        } else {
            self.wheel.schedule(start + u64::from(class.delay), event::READY | frame);
        }
        self.stats.crossings += 1;
        if let Some(load) = self.loads.get_mut(out as usize) {
            load.frames += 1;
            load.bytes += u64::from(len);
        }
        if from == NONE {
            self.left_nic(out - self.first_host_channel, gone);
        } else {
            f.taken += 1;
            self.leave_input(from, gone);
            self.give_back(from, gone, len_in);
        }
        true
    }

    /// The frame whose turn it was in the input buffer of `c` has left it at `at`.
    fn leave_input(&mut self, c: u32, at: u64) {
        let input = &mut self.inputs[c as usize];
        input.free_at = at;
        input.blocked = false;
        if !input.queued.is_empty() {
            self.wheel.schedule(at, event::TURN | c);
        }
    }

    /// Room in the input buffer of `c` is free again at `at`, and its sender knows it a flight later.
    fn give_back(&mut self, c: u32, at: u64, bytes: u32) {
        let output = &mut self.outputs[c as usize];
        let flight = self.classes[output.class as usize].flight;
        output.release(at.max(self.wheel.now()) + u64::from(flight), bytes);
        if !output.waiting.is_empty() {
            self.unblocked.push(c);
        }
    }

    /// Lets the frames go that wait for room which has been given back, and those that wait behind them, and so on.
    pub(super) fn settle(&mut self) {
        while let Some(c) = self.unblocked.pop() {
            while let Some(frame) = self.frames.first(self.outputs[c as usize].waiting) {
                if !self.commit(frame, c) {
                    break;
                }
                self.frames.pop(&mut self.outputs[c as usize].waiting);
            }
        }
    }

    /// The card of `host` has sent its oldest frame, or will have at `at`.
    pub(super) fn left_nic(&mut self, host: u32, at: u64) {
        self.nics[host as usize].sent(at);
        self.ask(host);
    }

    /// Makes the event for asking `host` for its next frame.
    fn ask(&mut self, host: u32) {
        if let Some(at) = self.nics[host as usize].ask_at(self.wheel.now()) {
            self.wheel.schedule(at, event::POLL | host);
        }
    }

    /// Counts a frame as lost. It is still to be taken out of where it is.
    pub(super) fn lose(&mut self, frame: u32, cause: DropCause) {
        if self.frames.mark_lost(frame) {
            self.count_drop(cause);
        }
    }

    pub(super) fn count_drop(&mut self, cause: DropCause) {
        self.stats.dropped[cause as usize] += 1;
    }

    /// Takes a lost frame, whose turn it is, out of the input buffer: as soon as its tail has come in.
    pub(super) fn drop_at_input(&mut self, frame: u32) {
        let (c, len) = (self.frames[frame].channel, self.frames[frame].len);
        let at = self.frames[frame].tail.max(self.now());
        self.leave_input(c, at);
        self.give_back(c, at, len);
        self.discard(frame);
    }

    /// Frees a lost frame once its tail has come in; until then the channels behind it may refer to it.
    fn discard(&mut self, frame: u32) {
        let tail = self.frames[frame].tail;
        if tail > self.now() {
            self.wheel.schedule(tail, event::DISCARD | frame);
        } else {
            self.frames.remove(frame);
        }
    }
}
