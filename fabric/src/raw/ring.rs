//! A ring of packet(7) that a socket shares with the kernel: whether a frame has come is seen without asking the kernel.
//!
//! A short frame lies in its slot. A longer one waits in the socket's queue, and its slot says so: to have it copied into the ring, and out of it,
//! would cost more than the call that takes it.
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
    /// Here it is.
    Whole(&'a [u8]),
    /// It waits in the socket's queue.
    Queued,
    /// There was no room for it there: it is lost.
    Lost,
}

/// A socket's ring.
#[derive(Debug)]
pub(super) struct Ring {
    memory: Memory,
    slot_bytes: usize,
    slots: usize,
    next: usize,
}

impl Ring {
    /// Gives a socket that is not bound yet a ring of so many slots. Both numbers are powers of two, and the ring has whole pages.
    pub(super) fn new(socket: &Socket, slots: usize, slot_bytes: usize) -> io::Result<Ring> {
        let memory = socket.map_ring(slots, slot_bytes)?;
        Ok(Ring { memory, slot_bytes, slots, next: 0 })
    }

    fn words(&self) -> &[AtomicU32; WORDS] {
        let start = self.memory.start().wrapping_add(self.next * self.slot_bytes);
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
        if kept < len || start + kept > self.slot_bytes {
            return Some(Front::Lost);
        }
        let first = self.memory.start().wrapping_add(self.next * self.slot_bytes + start);
        // SAFETY: the bytes lie within the slot, which the kernel leaves alone until `release`; that needs `&mut self`.
        Some(Front::Whole(unsafe { std::slice::from_raw_parts(first, kept) }))
    }

    /// The frame has been taken: its slot is the kernel's again.
    pub(super) fn release(&mut self) {
        let [status, ..] = self.words();
        status.store(WITH_THE_KERNEL, Ordering::Release);
        self.next = (self.next + 1) % self.slots;
    }
}
