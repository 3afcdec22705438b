//! A ring from one process to another.
//!
//! A message is a header, up to 32 bytes of the protocol's own and the payload, one after the other over as many units of half a cache line
//! as it takes:
//!
//! ```text
//! byte  0      1          2..4         4..8   8..16      16..16+prefix   then
//!       kind   prefix     payload      tag    context    prefix          payload
//!              bytes      bytes
//! ```
//! The first eight bytes are one word, written last: not zero says that the whole message is there. So a short message
//! goes from one cache to the other once, and a burst of them two at a time. A writer clears the word where the next message will begin before
//! it publishes this one, so what an earlier lap left there is never taken for a header. (Clearing further ahead, after the message is
//! published, was tried: it made short messages 7 % slower. Publishing long messages in pieces, so that their two copies overlap,
//! made messages of 4 KiB 6 to 8 % and of 8 KiB 18 to 27 % slower: reader and writer get into each other's lines.)
//!
//! The reader says how far it has read by a count of units in the pair's tail, each quarter of the ring; the writer looks there only
//! when the ring seems full.

use super::place::{Memory, Place};
use std::slice;
use std::sync::atomic::Ordering;

/// Bytes of a unit.
pub(super) const UNIT: usize = 32;
/// Bytes of a header.
const HEADER: usize = 16;
/// Most bytes of a prefix.
const PREFIX: usize = 32;
/// Units of a message that its reader prefetches: what a core can have under way at once.
const PREFETCHED: u64 = 64;

/// The first word of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Word {
    /// What it is; not zero.
    pub kind: u8,
    /// Bytes of the prefix.
    pub prefix: u8,
    /// Bytes of the payload.
    pub payload: u16,
    /// The message's tag.
    pub tag: i32,
}

impl Word {
    fn pack(self) -> u64 {
        u64::from(self.kind)
            | u64::from(self.prefix) << 8
            | u64::from(self.payload) << 16
            | u64::from(self.tag as u32) << 32
    }

    fn unpack(word: u64) -> Word {
        Word { kind: word as u8, prefix: (word >> 8) as u8, payload: (word >> 16) as u16, tag: (word >> 32) as i32 }
    }

    fn units(self) -> u64 {
        ((HEADER + usize::from(self.prefix) + usize::from(self.payload)).div_ceil(UNIT)) as u64
    }
}

/// The writing side.
#[derive(Debug)]
pub struct Producer<M = Place> {
    place: M,
    /// Units written.
    head: u64,
    /// Units that the reader was done with when last asked.
    read: u64,
}

impl Producer {
    /// True if the reader asks for announcements in place of data.
    #[inline]
    pub fn throttled(&self) -> bool {
        self.place.is_throttled()
    }
}

impl<M: Memory> Producer<M> {
    pub(super) fn new(place: M) -> Producer<M> {
        Producer { place, head: 0, read: 0 }
    }

    /// The longest payload of a message: a quarter of the ring.
    pub fn max_payload(&self) -> usize {
        (self.place.count() as usize / 4) * UNIT - HEADER - PREFIX
    }

    /// Writes a message if there is room: `fill` is given the payload's place, in one or two pieces. False if there is none.
    #[inline]
    pub fn push(&mut self, word: Word, context: u64, prefix: &[u64], fill: impl FnOnce(&mut [u8], &mut [u8])) -> bool {
        let units = word.units();
        if !self.has_room(units) {
            return false;
        }
        let [first, second] = self.place.pieces(self.head, HEADER + usize::from(word.prefix), word.payload.into());
        self.place.set_number(self.head, 8, context);
        for (index, &value) in prefix.iter().enumerate() {
            self.place.set_number(self.head, HEADER + 8 * index, value);
        }
        // SAFETY: the pieces are within the ring, do not overlap, and belong to the writer: the reader is done with these units
        // and does not look at them before the word is published.
        unsafe { fill(slice::from_raw_parts_mut(first.0, first.1), slice::from_raw_parts_mut(second.0, second.1)) };
        let next = self.head + units;
        self.place.set_word(next, 0, Ordering::Relaxed);
        self.place.set_word(self.head, word.pack(), Ordering::Release);
        self.head = next;
        true
    }

    /// Room for so many units, and for the cleared word behind them.
    #[inline]
    fn has_room(&mut self, units: u64) -> bool {
        if self.head + units < self.read + self.place.count() {
            return true;
        }
        self.read = self.place.read();
        self.head + units < self.read + self.place.count()
    }
}

/// A message at the head of a ring.
#[derive(Clone, Copy, Debug)]
pub struct Head<M = Place> {
    /// Its first word.
    pub word: Word,
    /// Its context.
    pub context: u64,
    place: M,
    unit: u64,
}

impl<M: Memory> Head<M> {
    /// A number of the message's prefix.
    #[inline]
    pub fn prefix(&self, index: usize) -> u64 {
        debug_assert!(index < PREFIX / 8);
        self.place.number(self.unit, HEADER + 8 * index)
    }

    /// The payload, in one or two pieces.
    #[inline]
    pub fn payload(&self) -> (&[u8], &[u8]) {
        let len = usize::from(self.word.payload).min(self.place.count() as usize * UNIT);
        let [first, second] = self.place.pieces(self.unit, HEADER + usize::from(self.word.prefix), len);
        // SAFETY: within the ring; the writer does not touch these units before `consume`, which comes after.
        unsafe { (slice::from_raw_parts(first.0, first.1), slice::from_raw_parts(second.0, second.1)) }
    }
}

/// The reading side.
#[derive(Debug)]
pub struct Consumer<M = Place> {
    place: M,
    /// Units read.
    head: u64,
    /// What the writer was told.
    told: u64,
}

impl Consumer {
    /// Asks the writer for announcements in place of data, or no longer.
    pub fn throttle(&self, on: bool) {
        self.place.throttle(on);
    }
}

impl<M: Memory> Consumer<M> {
    pub(super) fn new(place: M) -> Consumer<M> {
        Consumer { place, head: 0, told: 0 }
    }

    /// The next message, if there is one.
    #[inline]
    pub fn peek(&self) -> Option<Head<M>> {
        let word = self.place.word(self.head, Ordering::Acquire);
        if word == 0 {
            return None;
        }
        let word = Word::unpack(word);
        for unit in (2..word.units().min(PREFETCHED)).step_by(2) {
            self.place.prefetch(self.head + unit);
        }
        Some(Head { word, context: self.place.number(self.head, 8), place: self.place, unit: self.head })
    }

    /// Goes on to the message after `head`.
    #[inline]
    pub fn consume(&mut self, head: &Head<M>) {
        self.head += head.word.units();
        if self.head - self.told >= self.place.count() / 4 {
            self.told = self.head;
            self.place.set_read(self.head);
        }
    }
}

#[cfg(test)]
mod tests;
