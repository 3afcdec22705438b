//! Reading ahead.
//!
//! The state of a large fabric does not fit the caches near the core, and each event waits for memory three times in a
//! row: for the frame, for the channel that it is on, for the one that it wants. Reading what the next events
//! will need in three rounds lets the processor wait for all of them at once. It changes nothing but the speed.

use super::network::{Network, event};
use crate::route::Hop;
use std::hint::black_box;

/// Events that are looked at together: as many as a core has outstanding loads, or somewhat more.
const BATCH: usize = 32;

/// Channels from which on it pays: fewer stay in the second-level cache.
const WORTHWHILE: usize = 12_000;

impl Network {
    /// How many events until the first look.
    pub(super) fn first_look(channels: usize) -> usize {
        if channels < WORTHWHILE { usize::MAX } else { 0 }
    }

    /// Reads what the next events need.
    pub(super) fn look_ahead(&mut self) {
        self.foreseen = BATCH;
        let mut events = [0; BATCH];
        let count = self.wheel.peek(&mut events);
        let events = &events[..count];
        let mut channels = [0; BATCH];
        for (channel, &what) in channels.iter_mut().zip(events) {
            let index = what & event::INDEX;
            *channel = match what & !event::INDEX {
                event::READY | event::DELIVER => self.frames[index].channel,
                event::TURN => index,
                event::POLL => self.first_host_channel + index,
                _ => 0,
            };
        }
        let mut next = [0; BATCH];
        let mut read = 0;
        for ((next, &channel), &what) in next.iter_mut().zip(&channels).zip(events) {
            read ^= self.outputs[channel as usize].class;
            *next = self.needed_next(what, channel);
        }
        let mut new_frames = 0;
        for (&next, &what) in next.iter().zip(events) {
            read ^= match what & !event::INDEX {
                event::READY => self.outputs.get(next as usize).map_or(0, |o| o.class),
                event::DELIVER => self.nics[next as usize].rx,
                event::POLL => {
                    new_frames += 1;
                    self.nics[next as usize].rx ^ self.frames.read_free_slot(new_frames)
                }
                event::TURN => self.frames[next].len,
                _ => 0,
            };
        }
        black_box(read);
    }

    /// What an event leads to: the output that a frame wants, the host that gets it, the frame whose turn it is.
    fn needed_next(&self, what: u32, channel: u32) -> u32 {
        let index = what & event::INDEX;
        let input = &self.inputs[channel as usize];
        match what & !event::INDEX {
            event::READY => {
                let hop = self.frames.next_hop_byte(index).and_then(Hop::from_byte);
                input.dest + u32::from(hop.map_or(0, |hop| hop.out_of(input.port)))
            }
            event::DELIVER => {
                black_box(self.frames.body(index).header_len());
                input.dest
            }
            event::TURN => self.frames.last(input.queued).unwrap_or(0),
            _ => index,
        }
    }
}
