//! Prefetching.
//!
//! The state of a large fabric does not fit the caches near the core, and each event waits for memory several times in a
//! row: for the frame, for the channel that it is on, for the one that it wants or the host that it reaches, for what that host's
//! program points to. So what the events after the next ones will need is asked for in rounds, a few events apart: it comes while
//! other events are worked on. It changes nothing but the speed.

use super::network::{Network, event};
use super::run::DEPTHS;
use crate::prefetch::prefetch;
use crate::route::Hop;
use arrayvec::ArrayVec;

/// Events from one round to the next.
const STRIDE: usize = 4;

/// Rounds for the frames, the channels that they are on, what those lead to, and the hosts.
const ROUNDS: usize = 3 + DEPTHS;

/// Events that are looked at together, while as many are worked on.
const BATCH: usize = STRIDE * ROUNDS;

/// Channels from which on it pays: fewer stay in the second-level cache.
const WORTHWHILE: usize = 12_000;

/// An event that will come.
struct Foreseen {
    what: u32,
    channel: u32,
}

/// What is being prefetched.
pub(super) struct Ahead {
    /// Events until the next round.
    pub(super) pause: usize,
    round: usize,
    events: ArrayVec<Foreseen, BATCH>,
    hosts: ArrayVec<u32, BATCH>,
}

impl Ahead {
    /// For a fabric of so many channels.
    pub(super) fn new(channels: usize) -> Ahead {
        let pause = if channels < WORTHWHILE { usize::MAX } else { 0 };
        Ahead { pause, round: 0, events: ArrayVec::new(), hosts: ArrayVec::new() }
    }
}

impl Network {
    /// The next round. If it is one for hosts, says how deep, and for which.
    pub(super) fn look_ahead(&mut self) -> Option<(usize, &[u32])> {
        let round = self.ahead.round;
        self.ahead.round = (round + 1) % ROUNDS;
        self.ahead.pause = STRIDE;
        match round {
            0 => self.look_at_frames(),
            1 => self.look_at_channels(),
            2 => self.look_further(),
            _ => return Some((round - (ROUNDS - DEPTHS), &self.ahead.hosts)),
        }
        None
    }

    fn look_at_frames(&mut self) {
        let mut next = [0; 2 * BATCH];
        let count = self.wheel.peek(&mut next);
        self.ahead.events.clear();
        for &what in &next[BATCH.min(count)..count] {
            match what & !event::INDEX {
                event::READY => self.frames.prefetch(what & event::INDEX),
                event::DELIVER => self.frames.prefetch_all(what & event::INDEX),
                _ => {}
            }
            self.ahead.events.push(Foreseen { what, channel: 0 });
        }
    }

    fn look_at_channels(&mut self) {
        for Foreseen { what, channel } in &mut self.ahead.events {
            let index = *what & event::INDEX;
            *channel = match *what & !event::INDEX {
                event::READY | event::DELIVER => self.frames[index].channel,
                event::TURN => index,
                event::POLL => self.first_host_channel + index,
                _ => continue,
            };
            self.outputs.get(*channel as usize).into_iter().for_each(prefetch);
            self.inputs.get(*channel as usize).into_iter().for_each(prefetch);
        }
    }

    /// What the events lead to: the output that a frame wants, the frame whose turn it is, the host that is concerned.
    fn look_further(&mut self) {
        self.ahead.hosts.clear();
        for &Foreseen { what, channel } in &self.ahead.events {
            let index = what & event::INDEX;
            let Some(input) = self.inputs.get(channel as usize) else { continue };
            let host = match what & !event::INDEX {
                event::READY => {
                    let hop = self.frames.next_hop_byte(index).and_then(Hop::from_byte);
                    let out = input.dest.wrapping_add(hop.map_or(0, |hop| hop.out_of(input.port)).into());
                    self.outputs.get(out as usize).into_iter().for_each(prefetch);
                    continue;
                }
                event::TURN => {
                    self.frames.last(input.queued).into_iter().for_each(|frame| self.frames.prefetch(frame));
                    continue;
                }
                event::DELIVER => input.dest,
                event::POLL => index,
                _ => continue,
            };
            if let Some(nic) = self.nics.get(host as usize) {
                prefetch(nic);
                self.ahead.hosts.push(host);
            }
        }
    }
}
