//! Mishaps of single frames, and how frames reach their hosts.

use super::frames::flag;
use super::network::{Network, event};
use super::stats::DropCause;
use crate::protocol::Received;
use crate::route::Hop;
use crate::wire::frame;
use crate::wire::{Header, Packet, WireError};
use bytes::Bytes;

/// A second copy comes this many nanoseconds after the first at most.
const DUPLICATE_WITHIN_NS: u64 = 50_000;
/// A frame that others overtake is held up by this many nanoseconds at most.
const DELAY_WITHIN_NS: u64 = 100_000;
/// One in this many corruptions happens in the receiver's memory, behind its CRC check.
const LATE_CORRUPTIONS: u32 = 8;

impl Network {
    /// Draws what will happen to a frame that sets out.
    pub(super) fn draw_mishaps(&mut self, frame: u32) {
        let mishaps = self.mishaps;
        let rng = &mut self.rng;
        let mut chance = |p: f64| p > 0.0 && rng.f64() < p;
        let (lose, corrupt) = (chance(mishaps.loss), chance(mishaps.corrupt));
        let (duplicate, delay) = (chance(mishaps.duplicate), chance(mishaps.reorder));
        let f = &mut self.frames[frame];
        if lose || corrupt {
            f.mishap_at = self.rng.u8(..=f.hops);
        }
        if lose {
            f.flags |= flag::TO_LOSE;
        } else if corrupt {
            self.stats.frames_corrupted += 1;
            let late = self.rng.u32(..LATE_CORRUPTIONS) == 0;
            let payload = !self.frames.body(frame).payload().is_empty();
            self.frames[frame].flags |= if late && payload { flag::TO_CORRUPT_LATE } else { flag::TO_CORRUPT };
        }
        let f = &mut self.frames[frame];
        f.flags |= if duplicate { flag::TO_DUPLICATE } else { 0 };
        f.flags |= if delay { flag::TO_DELAY } else { 0 };
    }

    /// Does to a frame what its present channel was to do to it; true if it is lost.
    pub(super) fn suffer(&mut self, frame: u32) -> bool {
        let f = &mut self.frames[frame];
        if f.flags & flag::LOST != 0 {
            return true;
        }
        if f.taken != f.mishap_at {
            return false;
        }
        if f.flags & flag::TO_LOSE != 0 {
            self.lose(frame, DropCause::Loss);
            return true;
        }
        if f.flags & flag::TO_CORRUPT != 0 {
            f.flags &= !flag::TO_CORRUPT;
            self.flip_bits(frame);
        }
        false
    }

    /// Flips one or three bits anywhere in the frame as it is on the cable now: an odd number, so that they never undo
    /// one another.
    fn flip_bits(&mut self, frame: u32) {
        let mut bytes = self.remaining_bytes(frame);
        let count = if self.rng.bool() { 1 } else { 3 };
        for _ in 0..count {
            let bit = self.rng.usize(..bytes.len() * 8);
            bytes[bit / 8] ^= 1 << (bit % 8);
        }
        let hops = self.frames.hops_left_mut(frame);
        hops.copy_from_slice(&bytes[..hops.len()]);
        let rest = Bytes::from(bytes).slice(hops.len()..);
        self.frames.body_mut(frame).damage(rest);
    }

    /// The frame's bytes as they are on the cable now, copied.
    fn remaining_bytes(&mut self, frame: u32) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.frames[frame].len as usize);
        bytes.extend_from_slice(self.frames.hops_left_mut(frame));
        let body = self.frames.body(frame);
        match body.header() {
            Some(header) => {
                bytes.extend_from_slice(header);
                bytes.extend_from_slice(body.payload());
                bytes.extend_from_slice(&frame::crc(header, body.payload()).to_le_bytes());
            }
            None => bytes.extend_from_slice(body.payload()),
        }
        bytes
    }

    /// A frame has come to the end of its way. Says which host gets what, unless it is lost or late.
    pub(super) fn arrive(&mut self, frame: u32) -> Option<(u32, Received)> {
        let host = self.inputs[self.frames[frame].channel as usize].dest;
        if self.frames[frame].flags != flag::LIVE && self.arrive_oddly(frame) {
            return None;
        }
        if !self.nics[host as usize].up {
            self.lose(frame, DropCause::HostDown);
            self.frames.remove(frame);
            return None;
        }
        let result = self.read(frame);
        self.frames.remove(frame);
        let received = match result {
            Ok(packet) => {
                self.stats.frames_delivered += 1;
                self.stats.payload_delivered += packet.payload.len() as u64;
                Received::Packet(packet)
            }
            Err(error) => {
                let too_long = matches!(error, WireError::RouteTooLong(_));
                self.count_drop(if too_long { DropCause::RouteTooLong } else { DropCause::Damaged });
                Received::Rejected(error)
            }
        };
        Some((host, received))
    }

    /// What happens to a marked frame at the receiving card; true if it does not arrive now.
    fn arrive_oddly(&mut self, frame: u32) -> bool {
        if self.suffer(frame) {
            self.frames.remove(frame);
            return true;
        }
        let now = self.now();
        if self.frames[frame].flags & flag::TO_DELAY != 0 {
            self.frames[frame].flags &= !flag::TO_DELAY;
            self.wheel.schedule(now + self.rng.u64(1..=DELAY_WITHIN_NS), event::DELIVER | frame);
            return true;
        }
        if self.frames[frame].flags & flag::TO_DUPLICATE != 0 {
            self.frames[frame].flags &= !flag::TO_DUPLICATE;
            self.stats.frames_duplicated += 1;
            let copy = self.frames.duplicate(frame);
            self.wheel.schedule(now + self.rng.u64(1..=DUPLICATE_WITHIN_NS), event::DELIVER | copy);
        }
        if self.frames[frame].flags & flag::TO_CORRUPT_LATE != 0 {
            self.flip_payload_bit(frame);
        }
        false
    }

    fn flip_payload_bit(&mut self, frame: u32) {
        let body = self.frames.body_mut(frame);
        let mut bytes = body.payload().to_vec();
        let bit = self.rng.usize(..bytes.len() * 8);
        bytes[bit / 8] ^= 1 << (bit % 8);
        body.set_payload(bytes.into());
    }

    /// Reads a frame at the end of its way. One that nothing has touched has the CRC-32 that its sender computed, so
    /// neither of the two is computed here.
    fn read(&mut self, frame: u32) -> Result<Packet, WireError> {
        let hop_byte = self.frames.next_hop_byte(frame);
        if let Some(hop) = hop_byte.and_then(Hop::from_byte) {
            return Err(WireError::RouteTooLong(hop.byte()));
        }
        let body = self.frames.body_mut(frame);
        if hop_byte.is_none()
            && let Some(header) = body.header()
        {
            let (header, _, payload_len) = Header::parse(header)?;
            debug_assert_eq!(payload_len, body.payload().len());
            return Ok(Packet { header, payload: body.take_payload() });
        }
        frame::parse(&self.remaining_bytes(frame).into())
    }
}
