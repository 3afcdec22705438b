//! The memory that the processes of a node share, mapped.

use super::cells::{Cells, Counts};
use super::place::{Place, Tail};
use super::ring::{Consumer, Producer, UNIT};
use super::together::{Desk, Receiver};
use super::{CopyError, copy, sleep};
use crate::abi::MPI_ERR_NO_MEM;
use crate::error::{Error, Result};
use crate::launch::board::Board;
use rustix::mm::{MapFlags, ProtFlags, mmap, munmap};
use std::os::fd::{AsFd, OwnedFd};
use std::ptr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

const PAGE: usize = 4096;
/// Bytes of a ring that are used for short messages: they stay within a core's own caches.
const NEAR: usize = 128 << 10;
/// Bytes of a cache line.
const LINE: usize = 64;
/// Bytes of addresses for the free area; memory is taken only where something is written.
const FREE: usize = 1 << 40;

/// A process's line.
#[repr(C, align(64))]
struct Process {
    asleep: AtomicU32,
    pid: AtomicU32,
    namespace: AtomicU64,
    /// Where it was when it last waited for long, counted from 1.
    core: AtomicU32,
}

/// The parts' offsets, a function of how many processes there are.
#[derive(Clone, Copy, Debug)]
struct Layout {
    processes: usize,
    desks: usize,
    senders: usize,
    tails: usize,
    rings: usize,
    cells: usize,
    free: usize,
    /// Words of a process's senders.
    words: usize,
    /// Bytes of a ring.
    ring: usize,
    /// How many cells two processes have.
    counts: Counts,
}

impl Layout {
    fn new(count: usize) -> Layout {
        // All rings together stay within some gigabytes of addresses. What short messages use of one stays within a core's own caches, and
        // where it is longer, it is longer than they are.
        let ring = match count {
            0..=4 => 2 << 20,
            5..=16 => NEAR,
            17..=64 => 64 << 10,
            65..=256 => 16 << 10,
            _ => 8 << 10,
        };
        let words = count.div_ceil(64).next_multiple_of(LINE / 8);
        let processes = Board::BYTES + PAGE;
        let desks = processes + count * LINE;
        let senders = desks + count * size_of::<Desk>();
        let tails = (senders + count * words * 8).next_multiple_of(PAGE);
        let rings = (tails + count * count * LINE).next_multiple_of(PAGE);
        let cells = rings + count * count * ring;
        let counts = Counts::new(count);
        let free = (cells + count * count.saturating_sub(1) / 2 * counts.bytes()).next_multiple_of(PAGE);
        Layout { processes, desks, senders, tails, rings, cells, free, words, ring, counts }
    }
}

/// The memory shared by the processes of this node.
#[derive(Debug)]
pub struct Segment {
    memory: OwnedFd,
    base: *mut u8,
    layout: Layout,
    /// This process's place among the node's, and how many they are.
    me: usize,
    count: usize,
}

// SAFETY: what is reached through the base are atomics, and rings, each side of which belongs to one owner.
unsafe impl Send for Segment {}
// SAFETY: as above.
unsafe impl Sync for Segment {}

impl Segment {
    /// Maps the memory; this process is number `me` of the node's `count`.
    pub fn map(memory: OwnedFd, me: usize, count: usize) -> Result<Segment> {
        let layout = Layout::new(count);
        let no_memory =
            |error| Error::new(MPI_ERR_NO_MEM, format!("the node's shared memory cannot be mapped: {error}"));
        // Every process asks for the same length, so the order does not matter.
        rustix::fs::ftruncate(&memory, (layout.free + FREE) as u64).map_err(no_memory)?;
        // SAFETY: a new mapping at an address of the kernel's choice.
        let base = unsafe {
            mmap(ptr::null_mut(), layout.free, ProtFlags::READ | ProtFlags::WRITE, MapFlags::SHARED, memory.as_fd(), 0)
        };
        let segment = Segment { base: base.map_err(no_memory)?.cast(), memory, layout, me, count };
        segment.announce();
        Ok(segment)
    }

    fn announce(&self) {
        sleep::prepare();
        copy::permit();
        let mine = self.process(self.me);
        mine.namespace.store(copy::namespace(), Ordering::Relaxed);
        mine.pid.store(std::process::id(), Ordering::Relaxed);
    }

    /// How many processes share it.
    pub fn count(&self) -> usize {
        self.count
    }

    /// This process's place among them.
    pub fn me(&self) -> usize {
        self.me
    }

    fn process(&self, index: usize) -> &Process {
        assert!(index < self.count);
        // SAFETY: within the mapping by the layout; all fields are atomics.
        unsafe { &*self.base.add(self.layout.processes + index * LINE).cast() }
    }

    /// The id of a process whose memory may be read by it: none if ids mean something else there.
    pub fn pid(&self, index: usize) -> Option<u32> {
        let other = self.process(index);
        let same = other.namespace.load(Ordering::Relaxed) == self.process(self.me).namespace.load(Ordering::Relaxed);
        same.then(|| other.pid.load(Ordering::Relaxed))
    }

    /// Whether a process has announced itself, as it does when it initialises MPI.
    pub fn has_come(&self, index: usize) -> bool {
        self.process(index).pid.load(Ordering::Relaxed) != 0
    }

    /// The longest payload of a message to another process.
    pub fn longest_payload(&self) -> usize {
        Producer::new(self.place(self.me, self.me)).max_payload()
    }

    /// The longest message to another process that a cell takes; 0 where there are none.
    pub fn longest_in_cells(&self) -> usize {
        self.layout.counts.longest()
    }

    /// Notes on which core this process is; whether another process of the node was seen last on the same one.
    pub fn shares_core(&self) -> bool {
        // SAFETY: the call takes no arguments.
        let core = unsafe { libc::sched_getcpu() } as u32 + 1;
        self.process(self.me).core.store(core, Ordering::Relaxed);
        let mut others = (0..self.count).filter(|&index| index != self.me);
        others.any(|index| self.process(index).core.load(Ordering::Relaxed) == core)
    }

    fn place(&self, from: usize, to: usize) -> Place {
        assert!(from < self.count && to < self.count);
        let pair = to * self.count + from;
        // SAFETY: both are within the mapping by the layout.
        let (units, tail) = unsafe {
            (self.base.add(self.layout.rings + pair * self.layout.ring), self.base.add(self.layout.tails + pair * LINE))
        };
        let [near, count] = [NEAR.min(self.layout.ring), self.layout.ring].map(|bytes| (bytes / UNIT) as u64);
        Place { units, count, near, tail: tail.cast::<Tail>() }
    }

    /// The ring to a process, which is told that there is one; to be called once for each.
    pub fn producer(&self, to: usize) -> Producer {
        let word = &self.senders(to)[self.me / 64];
        word.fetch_or(1 << (self.me % 64), Ordering::Release);
        Producer::new(self.place(self.me, to))
    }

    /// The ring from a process; to be called once for each.
    pub fn consumer(&self, from: usize) -> Consumer {
        Consumer::new(self.place(from, self.me))
    }

    /// The cells that this process has with another; to be called once for each.
    pub fn cells(&self, other: usize) -> Cells {
        assert!(other < self.count && other != self.me);
        let (low, high) = (self.me.min(other), self.me.max(other));
        let pair = high * (high - 1) / 2 + low;
        // SAFETY: within the mapping by the layout.
        let base = unsafe { self.base.add(self.layout.cells + pair * self.layout.counts.bytes()) };
        Cells::new(base, self.layout.counts, self.me == low)
    }

    /// A bit for each process that ever sent to `to`.
    fn senders(&self, to: usize) -> &[AtomicU64] {
        let offset = self.layout.senders + to * self.layout.words * 8;
        // SAFETY: within the mapping by the layout.
        unsafe { std::slice::from_raw_parts(self.base.add(offset).cast(), self.layout.words) }
    }

    /// Word `index` of the processes that ever sent to this one.
    #[inline]
    pub fn incoming(&self, index: usize) -> u64 {
        self.senders(self.me)[index].load(Ordering::Acquire)
    }

    /// Wakes a process, if it sleeps.
    #[inline]
    pub fn wake(&self, index: usize) {
        sleep::wake(&self.process(index).asleep);
    }

    /// Sleeps until woken, at most for `limit`, unless `look` finds something to do.
    pub fn sleep(&self, limit: Duration, look: impl FnOnce() -> bool) {
        sleep::sleep(&self.process(self.me).asleep, limit, look);
    }

    fn desk(&self, index: usize) -> &Desk {
        assert!(index < self.count);
        // SAFETY: within the mapping by the layout; all fields are atomics.
        unsafe { &*self.base.add(self.layout.desks + index * size_of::<Desk>()).cast() }
    }

    /// Says whether this process waits for others, which then may ask it to help them copy.
    #[inline]
    pub fn set_waits(&self, waits: bool) {
        self.desk(self.me).set_waits(waits);
    }

    /// True if a process asks this one to help it copy.
    #[inline]
    pub fn is_asked(&self) -> bool {
        self.desk(self.me).is_asked()
    }

    /// Helps the process that asks. False if it needs no help any more.
    pub fn help(&self) -> bool {
        self.desk(self.me).help(|place| {
            let pid = (place < self.count).then(|| self.pid(place))??;
            Some((self.desk(place), pid))
        })
    }

    /// Copies `len` bytes at `from` in another process, whose id is `pid`, to `to`, together with that process if it waits.
    ///
    /// # Safety
    /// `len` bytes at `to` must be writable, and nobody may use them meanwhile.
    pub unsafe fn copy_together(
        &self,
        other: usize,
        pid: u32,
        from: u64,
        to: *mut u8,
        len: usize,
    ) -> Result<(), CopyError> {
        let (desk, sender) = (self.desk(self.me), self.desk(other));
        let receiver = Receiver { place: self.me, desk, sender, sender_pid: pid };
        // SAFETY: the caller's promise.
        unsafe { receiver.copy(from, to, len, || self.wake(other)) }
    }

    /// Takes `len` bytes of the free area, for ever: zeros, which any process of the node can map by the offset.
    pub fn allocate(&self, len: usize) -> u64 {
        // SAFETY: the page behind the board is ours, and the word aligned.
        let used = unsafe { AtomicU64::from_ptr(self.base.add(Board::BYTES).cast()) };
        self.layout.free as u64 + used.fetch_add(len.next_multiple_of(PAGE) as u64, Ordering::Relaxed)
    }

    /// Maps a part of the free area.
    pub fn area(self: &Arc<Self>, offset: u64, len: usize) -> Result<Area> {
        // SAFETY: a new mapping at an address of the kernel's choice.
        let base = unsafe {
            mmap(
                ptr::null_mut(),
                len,
                ProtFlags::READ | ProtFlags::WRITE,
                MapFlags::SHARED,
                self.memory.as_fd(),
                offset,
            )
        };
        let no_memory =
            |error| Error::new(MPI_ERR_NO_MEM, format!("{len} bytes of shared memory cannot be mapped: {error}"));
        Ok(Area { base: base.map_err(no_memory)?.cast(), len, segment: self.clone() })
    }
}

impl Drop for Segment {
    fn drop(&mut self) {
        // SAFETY: mapped by `map`; rings live no longer than the segment, whose owner drops them first.
        let _ = unsafe { munmap(self.base.cast(), self.layout.free) };
    }
}

/// A mapped part of the free area.
#[derive(Debug)]
pub struct Area {
    base: *mut u8,
    len: usize,
    segment: Arc<Segment>,
}

impl Area {
    /// Its first byte.
    pub fn base(&self) -> *mut u8 {
        self.base
    }

    /// Its bytes.
    pub fn len(&self) -> usize {
        self.len
    }

    /// True if it has none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The segment that it is of.
    pub fn segment(&self) -> &Arc<Segment> {
        &self.segment
    }
}

impl Drop for Area {
    fn drop(&mut self) {
        // SAFETY: mapped by `Segment::area`.
        let _ = unsafe { munmap(self.base.cast(), self.len) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parts_of_the_memory_follow_one_another_and_the_free_area_can_be_mapped() {
        for count in 1..=300 {
            let layout = Layout::new(count);
            let Layout { processes, desks, senders, tails, rings, cells, free, .. } = layout;
            assert!([processes, desks, senders, tails, rings, cells, free].is_sorted(), "{layout:?}");
            assert!(layout.free.is_multiple_of(PAGE) && layout.cells.is_multiple_of(LINE), "{layout:?}");
        }
    }
}
