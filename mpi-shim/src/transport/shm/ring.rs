//! A ring from one process to another.
//!
//! A message is a header, up to 32 bytes of the protocol's own and the payload, one after the other over as many units of a quarter of a
//! cache line as it takes:
//!
//! ```text
//! byte  0      1          2..4         4..8   8..16       then      then
//!       kind   prefix     payload      tag    (context)   prefix    payload
//!              bytes      bytes
//! ```
//! The first eight bytes are one word, written last: not zero says that the whole message is there. The context is there only if it is another
//! one than that of the message before, which the highest bit of the kind says. So a short message
//! goes from one cache to the other once, and a burst of them four at a time. What does not fit the line in which it begins, or takes more
//! than half of one, ends at the end of a line, so that of messages of one length each touches as few lines as it can; but not what touches
//! two lines wherever it begins. A writer clears the word
//! where the next message will begin before
//! it publishes this one, so what an earlier lap left there is never taken for a header; then it asks for a line further on, which the reader
//! has in its cache. (Clearing further ahead, after the message is
//! published, was tried: it made short messages 7 % slower. Publishing long messages in pieces, so that their two copies overlap,
//! made messages of 4 KiB 6 to 8 % and of 8 KiB 18 to 27 % slower: reader and writer get into each other's lines.)
//!
//! Short messages stay in the first part of the ring, which a core's own caches hold; a writer that comes beyond it says that the next message begins with the
//! ring. Long messages use all of it, which is more than a core's own caches hold: they come here when one side sends and
//! sends, and the writer would otherwise take each line out of the reader's cache. By the time that it comes round, they
//! have moved on to a cache that both share. Between two near cores of a Zen 4, windows of 4 KiB became up to 1.5 times as fast with that and with
//! `pace`, and of 16 KiB both ways at once 1.7 to 2.2 times; of 4 and 8 KiB both ways they lost 7 %.
//!
//! The reader says how far it has read by a count of units in the pair's tail, each quarter of the first part; the writer looks there only
//! when the ring seems full.

use super::place::{Memory, Place};
use std::slice;
use std::sync::atomic::Ordering;

/// Bytes of a unit.
pub(super) const UNIT: usize = 16;
/// Units of a cache line.
const LINE: u64 = 4;
/// Units of a message that touches two lines, no more, wherever it begins.
const ANYWHERE: u64 = LINE + 1;
/// Bytes of a header, with its context and without.
const HEADER: usize = 16;
const SHORT_HEADER: usize = 8;
/// A word that says: the next message begins with the ring.
const SKIP: u64 = u64::MAX;
/// In a word: the context follows.
const WITH_CONTEXT: u64 = 1 << 7;
/// Before the first message no context is known.
const NO_CONTEXT: u64 = u64::MAX;
/// Most bytes of a prefix.
const PREFIX: usize = 32;
/// The longest message behind which lines are asked for, in units.
const ASKED: u64 = 68;
/// So many units behind the next message the writer asks for, before it comes to write them.
const AHEAD: u64 = 3 * LINE;
/// Units of a message that its reader prefetches: what a core can have under way at once.
const PREFETCHED: u64 = 128;

/// The first word of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Word {
    /// What it is, 1 to 127.
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

    /// The unit behind a message that begins at a unit, with a header of so many bytes.
    #[inline]
    fn end(self, start: u64, header: usize) -> u64 {
        let units = (header + usize::from(self.prefix) + usize::from(self.payload)).div_ceil(UNIT) as u64;
        let end = start + units;
        let aligned = units > LINE / 2 || start % LINE + units > LINE;
        if aligned && units != ANYWHERE { end.next_multiple_of(LINE) } else { end }
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
    /// The context of the last message.
    context: u64,
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
        Producer { place, head: 0, read: 0, context: NO_CONTEXT }
    }

    /// The longest payload of a message: a quarter of the ring, as far as a word can say it.
    pub fn max_payload(&self) -> usize {
        ((self.place.count() as usize / 4) * UNIT - HEADER - PREFIX).min(u16::MAX.into())
    }

    /// Writes a message if there is room: `fill` is given the payload's place, in one or two pieces. False if there is none.
    #[inline]
    pub fn push(&mut self, word: Word, context: u64, prefix: &[u64], fill: impl FnOnce(&mut [u8], &mut [u8])) -> bool {
        let bytes = usize::from(word.prefix) + usize::from(word.payload);
        if self.head & (self.place.count() - 1) >= self.place.reach(bytes) && !self.skip() {
            return false;
        }
        let with_context = context != self.context;
        let header = if with_context { HEADER } else { SHORT_HEADER };
        let next = word.end(self.head, header);
        if !self.has_room(next) {
            return false;
        }
        if with_context {
            self.place.set_number(self.head, SHORT_HEADER, context);
            self.context = context;
        }
        for (index, &value) in prefix.iter().enumerate() {
            self.place.set_number(self.head, header + 8 * index, value);
        }
        let [first, second] = self.place.pieces(self.head, header + usize::from(word.prefix), word.payload.into());
        // SAFETY: the pieces are within the ring, do not overlap, and belong to the writer: the reader is done with these units
        // and does not look at them before the word is published.
        unsafe { fill(slice::from_raw_parts_mut(first.0, first.1), slice::from_raw_parts_mut(second.0, second.1)) };
        self.place.set_word(next, 0, Ordering::Relaxed);
        self.place.set_word(self.head, word.pack() | if with_context { WITH_CONTEXT } else { 0 }, Ordering::Release);
        self.ask_for_more(next);
        self.head = next;
        true
    }

    /// Goes on at the ring's beginning, if there is room.
    #[cold]
    fn skip(&mut self) -> bool {
        let next = self.head.next_multiple_of(self.place.count());
        if !self.has_room(next) {
            return false;
        }
        self.place.set_word(next, 0, Ordering::Relaxed);
        self.place.set_word(self.head, SKIP, Ordering::Release);
        self.head = next;
        true
    }

    /// Asks for the lines that another message as long as the one before `next` will take, some way ahead, while others are written.
    #[inline]
    fn ask_for_more(&self, next: u64) {
        let units = next - self.head;
        if units <= ASKED {
            for unit in (0..units).step_by(LINE as usize) {
                self.place.prefetch_to_write(next + AHEAD + unit);
            }
        }
    }

    /// Room for the units before `next`, and for the word there, which is cleared.
    #[inline]
    fn has_room(&mut self, next: u64) -> bool {
        if next < self.read + self.place.count() {
            return true;
        }
        self.read = self.place.read();
        next < self.read + self.place.count()
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
    /// Bytes of its header.
    header: usize,
}

impl<M: Memory> Head<M> {
    /// A number of the message's prefix.
    #[inline]
    pub fn prefix(&self, index: usize) -> u64 {
        debug_assert!(8 * index < self.word.prefix.into());
        self.place.number(self.unit, self.header + 8 * index)
    }

    /// The payload, in one or two pieces.
    #[inline]
    pub fn payload(&self) -> (&[u8], &[u8]) {
        let len = usize::from(self.word.payload).min(self.place.count() as usize * UNIT);
        let [first, second] = self.place.pieces(self.unit, self.header + usize::from(self.word.prefix), len);
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
    /// The context of the last message.
    context: u64,
}

impl Consumer {
    /// Asks the writer for announcements in place of data, or no longer.
    pub fn throttle(&self, on: bool) {
        self.place.throttle(on);
    }
}

impl<M: Memory> Consumer<M> {
    pub(super) fn new(place: M) -> Consumer<M> {
        Consumer { place, head: 0, told: 0, context: NO_CONTEXT }
    }

    /// The next message, if there is one.
    #[inline]
    pub fn peek(&self) -> Option<Head<M>> {
        let (mut start, mut word) = (self.head, self.place.word(self.head, Ordering::Acquire));
        if word == SKIP {
            start = start.next_multiple_of(self.place.count());
            word = self.place.word(start, Ordering::Acquire);
        }
        if word == 0 {
            return None;
        }
        let (header, context) = if word & WITH_CONTEXT == 0 {
            (SHORT_HEADER, self.context)
        } else {
            (HEADER, self.place.number(start, SHORT_HEADER))
        };
        let word = Word::unpack(word & !WITH_CONTEXT);
        let units = word.end(start, header) - start;
        for unit in (LINE..units.min(PREFETCHED)).step_by(LINE as usize) {
            self.place.prefetch(start + unit);
        }
        Some(Head { word, context, place: self.place, unit: start, header })
    }

    /// Goes on to the message after `head`.
    #[inline]
    pub fn consume(&mut self, head: &Head<M>) {
        self.head = head.word.end(head.unit, head.header);
        self.context = head.context;
        if self.head - self.told >= self.place.reach(0) / 4 {
            self.told = self.head;
            self.place.set_read(self.head);
        }
    }
}

#[cfg(test)]
mod tests;
