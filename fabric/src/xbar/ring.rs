//! A ring of frames in shared memory, between one producer and one consumer in different processes.
//!
//! The layout is in `docs/xbar.md`. Each side keeps its own position to itself and only tells it the other; what
//! the other one tells is checked at every look, because a peer may write anything anywhere.

use super::sys::SharedMemory;
use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::{Ordering, fence};

/// The numbers of a ring, each in cache lines of its own.
const PRODUCED: usize = 0;
const CONSUMED: usize = 128;
const CONSUMER_WAITS: usize = 256;
const PRODUCER_WAITS: usize = 384;
/// Bytes of a ring's numbers.
pub(super) const NUMBERS: usize = 512;

/// Bytes before the first ring's data: the numbers of both rings, and nothing up to the end of the page.
pub(super) const HEADER: usize = 4096;

/// Before each frame stands its length.
const LENGTH: usize = 4;

/// The peer wrote what no peer of ours writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RingError {
    /// A position that cannot be.
    #[error(
        "the other side's position is {theirs}, this side's {ours}: more than the {capacity} bytes of the ring apart"
    )]
    Position {
        /// What it says.
        theirs: u64,
        /// Where this side is.
        ours: u64,
        /// Bytes of the ring.
        capacity: u64,
    },
    /// A frame that would not fit.
    #[error("a frame of {len} bytes, with {available} bytes in the ring and {max} bytes in a frame at most")]
    Length {
        /// What it says.
        len: usize,
        /// Bytes that the producer has told of.
        available: u64,
        /// The largest frame.
        max: usize,
    },
}

/// One ring of a mapping.
#[derive(Clone, Debug)]
pub(super) struct Ring {
    memory: Arc<SharedMemory>,
    numbers: usize,
    data: usize,
    capacity: u64,
    max_frame: usize,
}

/// Bytes of a mapping with two rings of `capacity` bytes each.
pub(super) fn mapping_len(capacity: usize) -> usize {
    HEADER + 2 * capacity
}

/// The bytes that a frame takes in a ring.
fn record(len: usize) -> u64 {
    (LENGTH + len).next_multiple_of(8) as u64
}

/// The least capacity for frames of this size: a power of two that holds four.
pub(super) fn least_capacity(max_frame: usize) -> usize {
    (4 * record(max_frame) as usize).next_power_of_two()
}

impl Ring {
    /// The two rings of a mapping: from the host to the fabric, and from the fabric to the host.
    pub(super) fn both(memory: SharedMemory, capacity: usize, max_frame: usize) -> (Ring, Ring) {
        assert!(capacity.is_power_of_two() && capacity >= least_capacity(max_frame), "a ring that holds frames");
        let memory = Arc::new(memory);
        let ring = |index: usize| Ring {
            memory: Arc::clone(&memory),
            numbers: index * NUMBERS,
            data: HEADER + index * capacity,
            capacity: capacity as u64,
            max_frame,
        };
        (ring(0), ring(1))
    }

    /// The other side's position, as far ahead of `behind` as it may be.
    fn position(&self, offset: usize, behind: u64) -> Result<u64, RingError> {
        let theirs = self.memory.number(self.numbers + offset).load(Ordering::Acquire);
        if theirs.wrapping_sub(behind) > self.capacity || !theirs.is_multiple_of(8) {
            return Err(RingError::Position { theirs, ours: behind, capacity: self.capacity });
        }
        Ok(theirs)
    }

    fn tell(&self, offset: usize, position: u64) {
        self.memory.number(self.numbers + offset).store(position, Ordering::Release);
    }

    fn set(&self, offset: usize) {
        self.memory.flag(self.numbers + offset).store(1, Ordering::Relaxed);
        // What is looked at next must be newer than the flag: else the other side may look at the flag before it was
        // set, and this side at the position before it was told.
        fence(Ordering::SeqCst);
    }

    /// Takes a flag back; true if it was set.
    fn take(&self, offset: usize) -> bool {
        fence(Ordering::SeqCst);
        let flag = self.memory.flag(self.numbers + offset);
        flag.load(Ordering::Relaxed) != 0 && flag.swap(0, Ordering::Relaxed) != 0
    }

    /// Where the bytes at `position` are: up to the end of the ring, and the rest from its start.
    fn parts(&self, position: u64, len: usize) -> (usize, usize) {
        let at = (position & (self.capacity - 1)) as usize;
        (self.data + at, len.min(self.capacity as usize - at))
    }

    fn read(&self, position: u64, out: &mut [u8]) {
        let (at, first) = self.parts(position, out.len());
        let (head, tail) = out.split_at_mut(first);
        self.memory.read(at, head);
        self.memory.read(self.data, tail);
    }

    fn append(&self, position: u64, len: usize, out: &mut Vec<u8>) {
        let (at, first) = self.parts(position, len);
        self.memory.append(at, first, out);
        self.memory.append(self.data, len - first, out);
    }

    fn write(&self, position: u64, bytes: &[u8]) {
        let (at, first) = self.parts(position, bytes.len());
        let (head, tail) = bytes.split_at(first);
        self.memory.write(at, head);
        self.memory.write(self.data, tail);
    }
}

/// The side that puts frames in.
#[derive(Debug)]
pub(super) struct Producer {
    ring: Ring,
    produced: u64,
    /// What the consumer has been told.
    told: u64,
    /// The consumer's position when it was last looked at.
    consumed: Cell<u64>,
}

impl Producer {
    pub(super) fn new(ring: Ring) -> Producer {
        Producer { ring, produced: 0, told: 0, consumed: Cell::new(0) }
    }

    /// True if a frame of this size fits now.
    pub(super) fn has_room(&self, len: usize) -> Result<bool, RingError> {
        let fits = |consumed: u64| self.produced + record(len) - consumed <= self.ring.capacity;
        if fits(self.consumed.get()) {
            return Ok(true);
        }
        // The consumer is between where it was and where this side is.
        let behind = self.consumed.get();
        let consumed = self.ring.position(CONSUMED, behind)?;
        if consumed.wrapping_sub(behind) > self.produced - behind {
            let capacity = self.ring.capacity;
            return Err(RingError::Position { theirs: consumed, ours: self.produced, capacity });
        }
        self.consumed.set(consumed);
        Ok(fits(consumed))
    }

    /// True if the largest frame fits now.
    pub(super) fn has_room_for_any(&self) -> Result<bool, RingError> {
        self.has_room(self.ring.max_frame)
    }

    /// Puts a frame of several parts in, for which there is room. The consumer sees it after [`Producer::publish`].
    pub(super) fn push(&mut self, parts: &[&[u8]]) {
        let len: usize = parts.iter().map(|part| part.len()).sum();
        self.ring.write(self.produced, &(len as u32).to_le_bytes());
        let mut position = self.produced + LENGTH as u64;
        for part in parts {
            self.ring.write(position, part);
            position += part.len() as u64;
        }
        self.produced += record(len);
    }

    /// Lets the consumer see what was put in; true if it sleeps and is to be woken.
    pub(super) fn publish(&mut self) -> bool {
        self.told = self.produced;
        self.ring.tell(PRODUCED, self.produced);
        self.ring.take(CONSUMER_WAITS)
    }

    /// Bytes that the consumer has not been told of.
    pub(super) fn untold(&self) -> u64 {
        self.produced - self.told
    }

    /// Asks to be woken when room comes back. Look for room once more afterwards.
    pub(super) fn ask_for_room(&self) {
        self.ring.set(PRODUCER_WAITS);
    }
}

/// The side that takes frames out.
#[derive(Debug)]
pub(super) struct Consumer {
    ring: Ring,
    consumed: u64,
    /// What the producer has been told.
    told: u64,
    /// The producer's position when it was last looked at.
    produced: u64,
}

impl Consumer {
    pub(super) fn new(ring: Ring) -> Consumer {
        Consumer { ring, consumed: 0, told: 0, produced: 0 }
    }

    /// Takes the next frame out into `frame`, which is replaced; false if there is none. The producer gets its room
    /// back with [`Consumer::publish`].
    pub(super) fn pop(&mut self, frame: &mut Vec<u8>) -> Result<bool, RingError> {
        if !self.has_frame()? {
            return Ok(false);
        }
        let mut len = [0; LENGTH];
        self.ring.read(self.consumed, &mut len);
        let len = u32::from_le_bytes(len) as usize;
        let (available, max) = (self.produced - self.consumed, self.ring.max_frame);
        if len > max || record(len) > available {
            return Err(RingError::Length { len, available, max });
        }
        frame.clear();
        self.ring.append(self.consumed + LENGTH as u64, len, frame);
        self.consumed += record(len);
        Ok(true)
    }

    /// True if there is a frame.
    pub(super) fn has_frame(&mut self) -> Result<bool, RingError> {
        if self.produced == self.consumed {
            self.produced = self.ring.position(PRODUCED, self.consumed)?;
        }
        Ok(self.produced != self.consumed)
    }

    /// Gives room back; true if the producer waits for it and is to be woken.
    pub(super) fn publish(&mut self) -> bool {
        self.told = self.consumed;
        self.ring.tell(CONSUMED, self.consumed);
        self.ring.take(PRODUCER_WAITS)
    }

    /// Like [`Consumer::publish`], but lets room add up while there are frames: up to an eighth of the ring.
    pub(super) fn publish_by_and_by(&mut self) -> bool {
        let untold = self.consumed - self.told;
        let due = self.produced == self.consumed || untold >= self.ring.capacity / 8;
        untold > 0 && due && self.publish()
    }

    /// Asks to be woken when a frame comes in. Look for one once more afterwards.
    pub(super) fn ask_for_frames(&self) {
        self.ring.set(CONSUMER_WAITS);
    }
}

#[cfg(test)]
mod tests;
