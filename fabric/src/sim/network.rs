//! Cables, crossbars and cards: everything of the simulation but the programs that run on the hosts.
//!
//! A frame costs one event for each crossbar (its head is ready to leave), one when the receiving host has it, and one
//! when the sending card has room again. Outputs are reserved ahead: see [`Channel`]. Two more kinds of event are
//! rare: a frame behind another one in an input buffer gets its turn, and a dropped frame's tail has come in.

use super::channel::{Channel, Far};
use super::config::{NS_PER_METRE, SimConfig};
use super::frames::{Body, Frames, NONE, flag};
use super::nic::Nic;
use super::stats::{ChannelLoad, DropCause, Stats};
use super::wheel::Wheel;
use crate::protocol::{Path, Transmit};
use crate::route::Hop;
use crate::topology::{Cable, HostId, NodeId, PortId, Topology};
use crate::wire::frame::CRC_LEN;
use crate::wire::{MAX_HEADER, Packet};
use std::time::Duration;

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
    pub(super) channels: Vec<Channel>,
    pub(super) frames: Frames,
    pub(super) nics: Vec<Nic>,
    pub(super) stats: Stats,
    pub(super) loads: Vec<ChannelLoad>,
    pub(super) rng: fastrand::Rng,
    pub(super) mishaps: Mishaps,
    pub(super) digest: u64,
    /// Each crossbar's first output channel; one more at the end, which is the first host's.
    pub(super) first_output: Vec<u32>,
    /// The other direction of each channel's cable.
    pub(super) reverse: Vec<u32>,
    /// Channels in whose input buffers room was given back while frames wait for it.
    unblocked: Vec<u32>,
    send_cost: u64,
    receive_cost: u64,
    pub(super) crossbar_delay: u64,
    pub(super) max_payload: usize,
}

fn nanos(d: Duration) -> u64 {
    u64::try_from(d.as_nanos()).unwrap_or(u64::MAX)
}

impl Network {
    pub(super) fn new(topology: &Topology, config: &SimConfig, seed: u64) -> Network {
        let largest = crate::route::MAX_HOPS + MAX_HEADER + config.max_payload + CRC_LEN;
        let buffer_bytes = config.buffer_bytes.max(largest as u32);
        let mut first_output = vec![0];
        for crossbar in topology.crossbars() {
            first_output.push(first_output[first_output.len() - 1] + u32::from(crossbar.ports));
        }
        let outputs = first_output[topology.crossbars().len()];
        let count = outputs as usize + topology.hosts().len();
        let mut network = Network {
            wheel: Wheel::new(),
            channels: vec![Channel::unconnected(buffer_bytes); count],
            frames: Frames::new(),
            nics: topology.hosts().iter().zip(outputs..).map(|(host, tx)| Nic::new(host.id, tx)).collect(),
            stats: Stats::default(),
            loads: vec![ChannelLoad::default(); if config.count_channels { count } else { 0 }],
            rng: fastrand::Rng::with_seed(seed),
            mishaps: Mishaps::default(),
            digest: seed,
            first_output,
            reverse: vec![NONE; count],
            unblocked: Vec::new(),
            send_cost: nanos(config.send_cost),
            receive_cost: nanos(config.receive_cost),
            crossbar_delay: nanos(config.crossbar_delay),
            max_payload: config.max_payload,
        };
        for cable in topology.cables() {
            network.connect(topology, config, cable, cable.a, cable.b);
            network.connect(topology, config, cable, cable.b, cable.a);
        }
        network
    }

    fn connect(&mut self, topology: &Topology, config: &SimConfig, cable: &Cable, from: PortId, to: PortId) {
        let (Some(out), Some(back)) = (self.channel_from(from), self.channel_from(to)) else { return };
        self.reverse[out as usize] = back;
        let flight = cable.length_m.map_or(nanos(config.cable_delay), |m| (m * NS_PER_METRE) as u64);
        let (far, dest, delay) = match to.node {
            NodeId::Crossbar(x) => {
                (Far::Crossbar, self.first_output[x.0 as usize], flight.saturating_add(self.crossbar_delay))
            }
            NodeId::Host(h) => {
                self.nics[h.0 as usize].rx = out;
                (Far::Host, h.0, flight)
            }
        };
        let channel = &mut self.channels[out as usize];
        channel.set_rate(cable.rate_bits_per_s.unwrap_or(config.rate_bits_per_s));
        channel.flight = u32::try_from(flight).unwrap_or(u32::MAX);
        channel.delay = u32::try_from(delay).unwrap_or(u32::MAX);
        (channel.far, channel.dest, channel.port) = (far, dest, to.port);
        channel.ports = topology.ports_of(to.node);
    }

    /// The channel that leaves by a port. A host has a channel at its port 0 only.
    pub(super) fn channel_from(&self, port: PortId) -> Option<u32> {
        match port.node {
            NodeId::Crossbar(x) => Some(self.first_output[x.0 as usize] + u32::from(port.port)),
            NodeId::Host(h) => (port.port == 0).then(|| self.nics[h.0 as usize].tx),
        }
    }

    /// The rate of a host's link; `None` without a cable.
    pub(super) fn rate_bits_per_s(&self, host: HostId) -> Option<u64> {
        let tx = &self.channels[self.nics[host.0 as usize].tx as usize];
        (tx.far != Far::Nothing).then(|| tx.rate_bits_per_s())
    }

    /// Bytes allocated.
    pub(super) fn memory(&self) -> usize {
        self.wheel.memory()
            + self.frames.memory()
            + self.channels.capacity() * size_of::<Channel>()
            + self.nics.capacity() * size_of::<Nic>()
            + self.loads.capacity() * size_of::<ChannelLoad>()
            + (self.first_output.capacity() + self.reverse.capacity()) * size_of::<u32>()
    }

    pub(super) fn now(&self) -> u64 {
        self.wheel.now()
    }

    /// Runs until a host is concerned; `None` when nothing more happens up to `limit`.
    pub(super) fn advance(&mut self, limit: u64) -> Option<Upcall> {
        while let Some(what) = self.wheel.pop(limit) {
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
                event::DISCARD => drop(self.frames.remove(index)),
                _ => return Some(Upcall::Fault(index)),
            }
        }
        None
    }

    /// A host hands a packet to its card, which has room for it.
    pub(super) fn send(&mut self, host: u32, transmit: Transmit) {
        let Transmit { path: Path::Hops(route), packet: Packet { header, payload } } = transmit;
        self.stats.frames_sent += 1;
        let now = self.now();
        let nic = &mut self.nics[host as usize];
        let ready = nic.prepare(now, self.send_cost);
        let tx = nic.tx;
        if payload.len() > self.max_payload || !nic.up {
            let cause = if nic.up { DropCause::TooLarge } else { DropCause::HostDown };
            self.count_drop(cause);
            return self.left_nic(host, ready);
        }
        let header = header.encode(payload.len() as u16);
        let len = (route.len() + header.len() + payload.len() + CRC_LEN) as u32;
        self.stats.bytes_sent += u64::from(len);
        let frame = self.frames.insert(&route, len, Body::Sent { header, payload });
        self.frames[frame].start = ready;
        if self.mishaps.any {
            self.draw_mishaps(frame);
        }
        let channel = &self.channels[tx as usize];
        if channel.down != 0 || channel.far == Far::Nothing {
            let cause = if channel.down != 0 { DropCause::DeadLink } else { DropCause::NoCable };
            let gone = ready + channel.serialisation(len);
            self.lose(frame, cause);
            drop(self.frames.remove(frame));
            return self.left_nic(host, gone);
        }
        self.forward(frame, tx);
        self.settle();
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
        let channel = &mut self.channels[c as usize];
        (channel.last_frame, channel.last_tail) = (frame, tail);
        if channel.blocked || !channel.queued.is_empty() || channel.input_free > now {
            if !channel.blocked && channel.queued.is_empty() {
                self.wheel.schedule(channel.input_free, event::TURN | c);
            }
            self.frames.push(&mut channel.queued, frame);
        } else {
            self.route(frame, c);
        }
        self.settle();
    }

    fn take_turn(&mut self, c: u32) {
        if let Some(frame) = self.frames.pop(&mut self.channels[c as usize].queued) {
            self.route(frame, c);
        }
        self.settle();
    }

    /// Reads the next hop of the frame whose turn it is in the input buffer of `c`.
    fn route(&mut self, frame: u32, c: u32) {
        let f = &self.frames[frame];
        if f.flags & flag::LOST != 0 {
            return self.drop_at_input(frame);
        }
        let channel = &self.channels[c as usize];
        let hop = if f.taken < f.hops { Hop::from_byte(f.route[f.taken as usize]) } else { None };
        let cause = match hop.map(|hop| hop.out_of(channel.port)) {
            None => DropCause::NoHop,
            Some(port) if port >= channel.ports => DropCause::NoPort,
            Some(port) => {
                let out = channel.dest + u32::from(port);
                match &self.channels[out as usize] {
                    Channel { far: Far::Nothing, .. } => DropCause::NoCable,
                    Channel { down: 1.., .. } => DropCause::DeadLink,
                    _ => return self.forward(frame, out),
                }
            }
        };
        self.lose(frame, cause);
        self.drop_at_input(frame);
    }

    /// Commits a frame to an output, or lets it wait there.
    fn forward(&mut self, frame: u32, out: u32) {
        if !self.channels[out as usize].waiting.is_empty() || !self.commit(frame, out) {
            self.frames.push(&mut self.channels[out as usize].waiting, frame);
            let from = self.frames[frame].channel;
            if from != NONE {
                self.channels[from as usize].blocked = true;
            }
        }
    }

    /// Reserves an output and the room behind it, if it is known when there will be room.
    fn commit(&mut self, frame: u32, out: u32) -> bool {
        let f = &mut self.frames[frame];
        let from = f.channel;
        let len_in = f.len;
        let len = if from == NONE { len_in } else { len_in - 1 };
        let now = self.wheel.now();
        let channel = &mut self.channels[out as usize];
        if !channel.reserve(len) {
            return false;
        }
        let start = now.max(f.start).max(channel.open_at());
        let gone = (start + channel.serialisation(len)).max(f.tail);
        channel.busy_until = gone;
        (f.channel, f.len, f.start, f.tail) = (out, len, start, gone + u64::from(channel.delay));
        if channel.far == Far::Host {
            let nic = &mut self.nics[channel.dest as usize];
            let done = nic.receive(f.tail, self.receive_cost);
            channel.release(done, len);
            self.wheel.schedule(done, event::DELIVER | frame);
        } else {
            self.wheel.schedule(start + u64::from(channel.delay), event::READY | frame);
        }
        self.stats.crossings += 1;
        if let Some(load) = self.loads.get_mut(out as usize) {
            load.frames += 1;
            load.bytes += u64::from(len);
        }
        if from == NONE {
            self.left_nic(out - self.first_host_channel(), gone);
        } else {
            self.frames[frame].taken += 1;
            self.leave_input(from, gone);
            self.give_back(from, gone, len_in);
        }
        true
    }

    pub(super) fn first_host_channel(&self) -> u32 {
        self.first_output[self.first_output.len() - 1]
    }

    /// The frame whose turn it was in the input buffer of `c` has left it at `at`.
    fn leave_input(&mut self, c: u32, at: u64) {
        let channel = &mut self.channels[c as usize];
        channel.input_free = at;
        channel.blocked = false;
        if !channel.queued.is_empty() {
            self.wheel.schedule(at, event::TURN | c);
        }
    }

    /// Room in the input buffer of `c` is free again at `at`.
    fn give_back(&mut self, c: u32, at: u64, bytes: u32) {
        let at = at.max(self.wheel.now());
        let channel = &mut self.channels[c as usize];
        channel.release(at, bytes);
        if !channel.waiting.is_empty() {
            self.unblocked.push(c);
        }
    }

    /// Lets the frames go that wait for room which has been given back, and those that wait behind them, and so on.
    pub(super) fn settle(&mut self) {
        while let Some(c) = self.unblocked.pop() {
            while let Some(frame) = self.frames.first(self.channels[c as usize].waiting) {
                if !self.commit(frame, c) {
                    break;
                }
                self.frames.pop(&mut self.channels[c as usize].waiting);
            }
        }
    }

    /// The card of `host` has sent its oldest frame, or will have at `at`.
    pub(super) fn left_nic(&mut self, host: u32, at: u64) {
        self.nics[host as usize].sent(at);
        self.wheel.schedule(at, event::POLL | host);
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
            drop(self.frames.remove(frame));
        }
    }
}
