//! Where a ring lies.
use super::ring::UNIT;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

/// Messages from so many bytes on use all of a ring.
pub const LONG: usize = 512;

/// What a ring lies in: memory that two processes share, or a model of it.
pub trait Memory: Copy {
    /// How many units: a power of two.
    fn count(&self) -> u64;
    /// The units from the ring's first on in which a message of so many bytes behind its header may begin.
    fn reach(&self, bytes: usize) -> u64;
    /// The first eight bytes of a unit; units are counted on and on.
    fn word(&self, unit: u64, ordering: Ordering) -> u64;
    /// Writes them.
    fn set_word(&self, unit: u64, value: u64, ordering: Ordering);
    /// Eight bytes at byte `offset`, a multiple of eight, of the message that begins at `unit`.
    fn number(&self, unit: u64, offset: usize) -> u64;
    /// Writes them.
    fn set_number(&self, unit: u64, offset: usize, value: u64);
    /// `len` bytes from byte `offset` of the message that begins at `unit`: up to the ring's end, and the rest from its beginning.
    fn pieces(&self, unit: u64, offset: usize, len: usize) -> [(*mut u8, usize); 2];
    /// Units that the reader is done with; what it read of them was read before.
    fn read(&self) -> u64;
    /// Says so.
    fn set_read(&self, units: u64);
    /// A unit will be read soon.
    fn prefetch(&self, unit: u64);
    /// A unit will be written soon.
    fn prefetch_to_write(&self, unit: u64);
}

/// What the two sides share beside the units: the pair's tail.
#[repr(C, align(64))]
#[derive(Debug, Default)]
pub(super) struct Tail {
    /// Units that the reader is done with.
    read: AtomicU64,
    /// Set while the reader holds more unexpected data from this writer than it wants.
    throttled: AtomicU32,
}

/// A ring in memory that two processes share.
#[derive(Clone, Copy, Debug)]
pub struct Place {
    /// The first unit.
    pub(super) units: *mut u8,
    /// How many: a power of two.
    pub(super) count: u64,
    /// Those in which short messages begin.
    pub(super) near: u64,
    /// The pair's tail.
    pub(super) tail: *const Tail,
}

impl Place {
    #[inline]
    fn at(&self, unit: u64) -> &AtomicU64 {
        // SAFETY: the masked unit is within the ring, aligned, and mapped as long as the segment, which outlives both sides.
        unsafe { AtomicU64::from_ptr(self.units.add((unit & (self.count - 1)) as usize * UNIT).cast()) }
    }

    #[inline]
    fn tail(&self) -> &Tail {
        // SAFETY: as above.
        unsafe { &*self.tail }
    }

    /// True if the reader asks for announcements in place of data.
    #[inline]
    pub(super) fn is_throttled(&self) -> bool {
        self.tail().throttled.load(Ordering::Relaxed) != 0
    }

    /// Asks for that, or no longer.
    pub(super) fn throttle(&self, on: bool) {
        self.tail().throttled.store(on.into(), Ordering::Relaxed);
    }
}

impl Memory for Place {
    #[inline]
    fn count(&self) -> u64 {
        self.count
    }

    #[inline]
    fn reach(&self, bytes: usize) -> u64 {
        if bytes < LONG { self.near } else { self.count }
    }

    #[inline]
    fn word(&self, unit: u64, ordering: Ordering) -> u64 {
        self.at(unit).load(ordering)
    }

    #[inline]
    fn set_word(&self, unit: u64, value: u64, ordering: Ordering) {
        self.at(unit).store(value, ordering);
    }

    #[inline]
    fn number(&self, unit: u64, offset: usize) -> u64 {
        // SAFETY: within the ring, whose length is a multiple of eight bytes, so these do not cross its end.
        unsafe { self.pieces(unit, offset, 8)[0].0.cast::<u64>().read() }
    }

    #[inline]
    fn set_number(&self, unit: u64, offset: usize, value: u64) {
        // SAFETY: as above; the writer calls it for units that are its own.
        unsafe { self.pieces(unit, offset, 8)[0].0.cast::<u64>().write(value) };
    }

    #[inline]
    fn pieces(&self, unit: u64, offset: usize, len: usize) -> [(*mut u8, usize); 2] {
        let size = self.count as usize * UNIT;
        let start = ((unit & (self.count - 1)) as usize * UNIT + offset) & (size - 1);
        let first = len.min(size - start);
        // SAFETY: `start` is within the ring.
        [(unsafe { self.units.add(start) }, first), (self.units, len - first)]
    }

    #[inline]
    fn read(&self) -> u64 {
        self.tail().read.load(Ordering::Acquire)
    }

    #[inline]
    fn set_read(&self, units: u64) {
        self.tail().read.store(units, Ordering::Release);
    }

    #[inline]
    fn prefetch(&self, unit: u64) {
        #[cfg(target_arch = "x86_64")]
        // SAFETY: a hint, which reads nothing.
        unsafe {
            std::arch::x86_64::_mm_prefetch::<{ std::arch::x86_64::_MM_HINT_T0 }>(self.at(unit).as_ptr().cast());
        }
    }

    #[inline]
    fn prefetch_to_write(&self, unit: u64) {
        #[cfg(target_arch = "x86_64")]
        // SAFETY: a hint, which reads and writes nothing; processors without it take it for no operation.
        unsafe {
            std::arch::asm!("prefetchw [{}]", in(reg) self.at(unit).as_ptr(), options(nostack, preserves_flags, readonly));
        }
    }
}
