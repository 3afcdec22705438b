//! A ring of packet(7) that a socket shares with the kernel: whether a frame has come is seen without asking the kernel.
//!
//! A frame lies in its slot if it fits, and is taken without a call. A longer one waits in the socket's queue, and its slot says so; what fits of it
//! the kernel copies into the slot as well, so slots are no longer than is of use.
#![allow(unsafe_code)]

use super::sys::{Memory, Socket};
use std::io;
use std::sync::atomic::{AtomicU32, Ordering};

/// Bytes of the kernel's words at the start of a slot: `struct tpacket2_hdr`.
const WORDS: usize = 8;
/// Their bits that are of interest.
const WITH_THE_PROGRAM: u32 = libc::TP_STATUS_USER;
const IN_THE_QUEUE: u32 = libc::TP_STATUS_COPY;
const WITH_THE_KERNEL: u32 = libc::TP_STATUS_KERNEL;

/// The frame whose turn it is.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Front<'a> {
    /// Here it is, with what the socket tells of it.
    Whole(&'a [u8]),
    /// It waits in the socket's queue.
    Queued,
    /// There was no room for it there: it is lost.
    Lost,
}

/// Bytes that come before a frame in its slot, at most: the kernel's words, the sender's address, and what the socket tells of the frame.
const BEFORE_FRAME: usize = 80;
/// What the kernel wants slots to begin at multiples of.
const ALIGNMENT: usize = 16;
/// Bytes that are one piece for the kernel. A slot lies within one.
const BLOCK: usize = 64 << 10;

/// How a ring is laid out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Layout {
    slot_bytes: usize,
    slots_of_block: usize,
    blocks: usize,
    /// Bytes that the socket tells of a frame, right before it: they come out with it.
    told: usize,
}

impl Layout {
    /// At least so many slots for frames of so many bytes, which are fewer than 64 Ki; the socket tells `told` bytes of each.
    pub(super) fn new(slots: usize, frame_bytes: usize, told: usize) -> Layout {
        let slot_bytes = (BEFORE_FRAME + frame_bytes).next_multiple_of(ALIGNMENT);
        let slots_of_block = BLOCK / slot_bytes;
        Layout { slot_bytes, slots_of_block, blocks: slots.div_ceil(slots_of_block), told }
    }

    fn slots(&self) -> usize {
        self.blocks * self.slots_of_block
    }

    /// Bytes of all the blocks.
    pub(super) fn bytes(&self) -> usize {
        self.blocks * BLOCK
    }

    /// What the kernel is asked for.
    pub(super) fn request(&self) -> libc::tpacket_req {
        libc::tpacket_req {
            tp_block_size: BLOCK as libc::c_uint,
            tp_block_nr: self.blocks as libc::c_uint,
            tp_frame_size: self.slot_bytes as libc::c_uint,
            tp_frame_nr: self.slots() as libc::c_uint,
        }
    }

    /// Where a slot begins.
    fn slot(&self, index: usize) -> usize {
        index / self.slots_of_block * BLOCK + index % self.slots_of_block * self.slot_bytes
    }
}

/// A socket's ring.
#[derive(Debug)]
pub(super) struct Ring {
    memory: Memory,
    layout: Layout,
    /// The slot whose turn it is, and where it begins.
    next: usize,
    at: usize,
}

impl Ring {
    /// Gives a socket that is not bound yet a ring.
    pub(super) fn new(socket: &Socket, layout: Layout) -> io::Result<Ring> {
        Ok(Ring { memory: socket.map_ring(&layout)?, layout, next: 0, at: 0 })
    }

    fn words(&self) -> &[AtomicU32; WORDS] {
        let start = self.memory.start().wrapping_add(self.at);
        // SAFETY: a slot lies within the memory, which is mapped as long as `self` is, and begins with that many words, aligned to 16 bytes.
        // The kernel writes them too, so they are looked at as atomics.
        unsafe { &*start.cast() }
    }

    /// The next frame, if one has come.
    pub(super) fn front(&self) -> Option<Front<'_>> {
        let [status, len, kept, offsets, ..] = self.words();
        let status = status.load(Ordering::Acquire);
        if status & WITH_THE_PROGRAM == 0 {
            return None;
        }
        if status & IN_THE_QUEUE != 0 {
            return Some(Front::Queued);
        }
        let (len, kept) = (len.load(Ordering::Relaxed) as usize, kept.load(Ordering::Relaxed) as usize);
        let [low, high, ..] = offsets.load(Ordering::Relaxed).to_ne_bytes();
        let start = usize::from(u16::from_ne_bytes([low, high]));
        if kept < len || start < self.layout.told || start + kept > self.layout.slot_bytes {
            return Some(Front::Lost);
        }
        let first = self.memory.start().wrapping_add(self.at + start - self.layout.told);
        // SAFETY: the bytes lie within the slot, which the kernel leaves alone until `release`; that needs `&mut self`.
        Some(Front::Whole(unsafe { std::slice::from_raw_parts(first, self.layout.told + kept) }))
    }

    /// The frame has been taken: its slot is the kernel's again.
    pub(super) fn release(&mut self) {
        let [status, ..] = self.words();
        status.store(WITH_THE_KERNEL, Ordering::Release);
        self.next = (self.next + 1) % self.layout.slots();
        self.at = self.layout.slot(self.next);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn slots_lie_in_blocks_one_behind_the_other(slots in 1usize..3000, frame in 14usize..9300, told in 0usize..11) {
            let layout = Layout::new(slots, frame, told);
            prop_assert!(layout.slots() >= slots && layout.slot_bytes >= BEFORE_FRAME + frame);
            for index in 0..layout.slots() {
                let (start, end) = (layout.slot(index), layout.slot(index) + layout.slot_bytes);
                prop_assert_eq!(start % ALIGNMENT, 0);
                prop_assert_eq!(start / BLOCK, (end - 1) / BLOCK);
                prop_assert!(index + 1 == layout.slots() || end <= layout.slot(index + 1));
                prop_assert!(end <= layout.bytes());
            }
        }
    }
}
