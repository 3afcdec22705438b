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
//! made messages of 4 and 8 KiB 10 % slower: reader and writer get into each other's lines.)
//!
//! The reader says how far it has read by a count of units in the pair's tail, each quarter of the ring; the writer looks there only
//! when the ring seems full.

use std::slice;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

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

/// What the two sides share beside the lines: the pair's tail.
#[repr(C, align(64))]
#[derive(Debug, Default)]
pub(super) struct Tail {
    /// Units that the reader is done with.
    read: AtomicU64,
    /// Set while the reader holds more unexpected data from this writer than it wants.
    throttled: AtomicU32,
}

/// Where a ring lies.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    /// The first unit.
    pub(super) units: *mut u8,
    /// How many: a power of two.
    pub(super) count: u64,
    /// The pair's tail.
    pub(super) tail: *const Tail,
}

impl Place {
    fn word(&self, unit: u64) -> &AtomicU64 {
        // SAFETY: the masked unit is within the ring, aligned, and mapped as long as the segment, which outlives both sides.
        unsafe { AtomicU64::from_ptr(self.units.add((unit & (self.count - 1)) as usize * UNIT).cast()) }
    }

    fn tail(&self) -> &Tail {
        // SAFETY: as above.
        unsafe { &*self.tail }
    }

    /// `len` bytes from byte `offset` of the message that begins at `unit`: up to the ring's end, and the rest from its beginning.
    fn pieces(&self, unit: u64, offset: usize, len: usize) -> [(*mut u8, usize); 2] {
        let size = self.count as usize * UNIT;
        let start = ((unit & (self.count - 1)) as usize * UNIT + offset) & (size - 1);
        let first = len.min(size - start);
        // SAFETY: `start` is within the ring.
        [(unsafe { self.units.add(start) }, first), (self.units, len - first)]
    }
}

/// The writing side.
#[derive(Debug)]
pub struct Producer {
    place: Place,
    /// Units written.
    head: u64,
    /// Units that the reader was done with when last asked.
    read: u64,
}

impl Producer {
    pub(super) fn new(place: Place) -> Producer {
        Producer { place, head: 0, read: 0 }
    }

    /// The longest payload of a message: a quarter of the ring.
    pub fn max_payload(&self) -> usize {
        (self.place.count as usize / 4) * UNIT - HEADER - PREFIX
    }

    /// True if the reader asks for announcements in place of data.
    #[inline]
    pub fn throttled(&self) -> bool {
        self.place.tail().throttled.load(Ordering::Relaxed) != 0
    }

    /// Writes a message if there is room: `fill` is given the payload's place, in one or two pieces. False if there is none.
    #[inline]
    pub fn push(&mut self, word: Word, context: u64, prefix: &[u64], fill: impl FnOnce(&mut [u8], &mut [u8])) -> bool {
        let units = word.units();
        if !self.has_room(units) {
            return false;
        }
        let [first, second] = self.place.pieces(self.head, HEADER + usize::from(word.prefix), word.payload.into());
        // SAFETY: the pieces are within the ring, do not overlap, and belong to the writer: the reader is done with these units
        // and does not look at them before the word is published. Numbers of eight bytes do not cross the
        // ring's end: its length is a multiple of that.
        unsafe {
            self.place.pieces(self.head, 8, 8)[0].0.cast::<u64>().write(context);
            for (index, &value) in prefix.iter().enumerate() {
                self.place.pieces(self.head, HEADER + 8 * index, 8)[0].0.cast::<u64>().write(value);
            }
            fill(slice::from_raw_parts_mut(first.0, first.1), slice::from_raw_parts_mut(second.0, second.1));
        }
        let next = self.head + units;
        self.place.word(next).store(0, Ordering::Relaxed);
        self.place.word(self.head).store(word.pack(), Ordering::Release);
        self.head = next;
        true
    }

    /// Room for so many units, and for the cleared word behind them.
    #[inline]
    fn has_room(&mut self, units: u64) -> bool {
        if self.head + units < self.read + self.place.count {
            return true;
        }
        self.read = self.place.tail().read.load(Ordering::Acquire);
        self.head + units < self.read + self.place.count
    }
}

/// A message at the head of a ring.
#[derive(Clone, Copy, Debug)]
pub struct Head {
    /// Its first word.
    pub word: Word,
    /// Its context.
    pub context: u64,
    place: Place,
    unit: u64,
}

impl Head {
    /// A number of the message's prefix.
    #[inline]
    pub fn prefix(&self, index: usize) -> u64 {
        debug_assert!(index < PREFIX / 8);
        // SAFETY: within the ring; eight bytes do not cross its end.
        unsafe { self.place.pieces(self.unit, HEADER + 8 * index, 8)[0].0.cast::<u64>().read() }
    }

    /// The payload, in one or two pieces.
    #[inline]
    pub fn payload(&self) -> (&[u8], &[u8]) {
        let len = usize::from(self.word.payload).min(self.place.count as usize * UNIT);
        let [first, second] = self.place.pieces(self.unit, HEADER + usize::from(self.word.prefix), len);
        // SAFETY: within the ring; the writer does not touch these units before `consume`, which comes after.
        unsafe { (slice::from_raw_parts(first.0, first.1), slice::from_raw_parts(second.0, second.1)) }
    }
}

/// The reading side.
#[derive(Debug)]
pub struct Consumer {
    place: Place,
    /// Units read.
    head: u64,
    /// What the writer was told.
    told: u64,
}

impl Consumer {
    pub(super) fn new(place: Place) -> Consumer {
        Consumer { place, head: 0, told: 0 }
    }

    /// The next message, if there is one.
    #[inline]
    pub fn peek(&self) -> Option<Head> {
        let word = self.place.word(self.head).load(Ordering::Acquire);
        if word == 0 {
            return None;
        }
        let word = Word::unpack(word);
        self.prefetch(word.units());
        // SAFETY: the word says that the message is there; its header is within the unit.
        let context = unsafe { self.place.pieces(self.head, 8, 8)[0].0.cast::<u64>().read() };
        Some(Head { word, context, place: self.place, unit: self.head })
    }

    /// Asks for the rest of a message's first kilobytes at once: they come from the writer's cache, while the message is matched.
    #[inline]
    fn prefetch(&self, units: u64) {
        #[cfg(target_arch = "x86_64")]
        for unit in (2..units.min(PREFETCHED)).step_by(2) {
            let line = self.place.word(self.head + unit).as_ptr();
            // SAFETY: a hint, which reads nothing.
            unsafe { std::arch::x86_64::_mm_prefetch::<{ std::arch::x86_64::_MM_HINT_T0 }>(line.cast()) };
        }
    }

    /// Goes on to the message after `head`.
    #[inline]
    pub fn consume(&mut self, head: &Head) {
        self.head += head.word.units();
        if self.head - self.told >= self.place.count / 4 {
            self.told = self.head;
            self.place.tail().read.store(self.head, Ordering::Release);
        }
    }

    /// Asks the writer for announcements in place of data, or no longer.
    pub fn throttle(&self, on: bool) {
        self.place.tail().throttled.store(on.into(), Ordering::Relaxed);
    }
}
