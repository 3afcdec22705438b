//! The shared memory of one communicator.

use super::INLINE;
use super::signature::{self, CORE, CROSSED};
use crate::coll::call::Call;
use crate::coll::schedule::Data;
use crate::coll::shared::establish;
use crate::coll::shared::wait::{Awaited, Waiter};
use crate::error::Result;
use crate::p2p::Buffer;
use crate::transport::shm::Area;
use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

const LINE: usize = 64;
const PAGE: usize = 4096;

/// A line in which a member tells the others what it has put where.
#[repr(C, align(64))]
pub(super) struct Head {
    /// The operation that the rest belongs to; written last.
    number: AtomicU64,
    /// The call, and where the member ran when it wrote this: see `signature`.
    origin: AtomicU64,
    /// Data, or addresses.
    words: [AtomicU64; INLINE / 8],
}

/// A communicator's members, all on this node, and the memory that they share.
#[derive(Debug)]
pub struct Shared {
    area: Area,
    offset: u64,
    rank: usize,
    size: usize,
    waiter: Waiter,
    /// Ids of the members' processes, if they may read one another's memory.
    pids: Option<Box<[u32]>>,
    /// The call that goes on: see `signature`.
    call: AtomicU64,
    /// The number of the last operation begun here.
    number: AtomicU64,
    /// The last operation that everybody is known to have ended.
    settled: AtomicU64,
    /// Whose turn it is to fill whose places, for each parity: see `swap`.
    turns: [AtomicBool; 2],
    scratch: Mutex<Vec<u128>>,
}

// SAFETY: what members share is read and written through atomics, and slots by the rules of the module; one thread at a time is in a
// collective of a communicator, as the standard demands.
unsafe impl Send for Shared {}
// SAFETY: as above.
unsafe impl Sync for Shared {}

/// Bytes of the memory for `size` members.
pub(super) fn bytes(size: usize) -> usize {
    slots(size) + 2 * size * slot_bytes(size)
}

/// Bytes of a slot: all of them together stay within some caches' size, and one is worth a wait.
fn slot_bytes(size: usize) -> usize {
    ((16 << 20) / size.next_power_of_two()).clamp(64 << 10, 1 << 20)
}

fn slots(size: usize) -> usize {
    (LINE + 3 * size * LINE).next_multiple_of(PAGE)
}

impl Shared {
    /// The memory at `offset` of the node's, as member `rank` of `size` sees it; its flags are zeros.
    pub(super) fn new(
        (area, offset): (Area, u64),
        (rank, size): (usize, usize),
        waiter: Waiter,
        pids: Option<Box<[u32]>>,
    ) -> Shared {
        assert!(rank < size && area.len() >= bytes(size), "the area was sized by `bytes`");
        let [call, number, settled] = Default::default();
        Shared {
            area,
            offset,
            rank,
            size,
            waiter,
            pids,
            call,
            number,
            settled,
            turns: Default::default(),
            scratch: Mutex::default(),
        }
    }

    /// This member's rank.
    #[inline]
    pub(super) fn rank(&self) -> usize {
        self.rank
    }

    /// How many members.
    #[inline]
    pub(super) fn size(&self) -> usize {
        self.size
    }

    /// Whether members may read one another's memory.
    #[inline]
    pub fn reads_processes(&self) -> bool {
        self.pids.is_some()
    }

    /// Whether there are more processes than cores.
    #[inline]
    pub(super) fn is_crowded(&self) -> bool {
        self.waiter.is_crowded()
    }

    /// The process of a member.
    pub(super) fn pid(&self, rank: usize) -> Option<u32> {
        self.pids.as_ref().map(|pids| pids[rank])
    }

    #[inline]
    fn at(&self, offset: usize) -> *mut u8 {
        // SAFETY: all callers' offsets are within `bytes(size)`, which the area has.
        unsafe { self.area.base().add(offset) }
    }

    /// Members that have given the memory up.
    fn left(&self) -> &AtomicU64 {
        // SAFETY: aligned, within the area, and only used as an atomic.
        unsafe { AtomicU64::from_ptr(self.at(0).cast()) }
    }

    #[inline]
    fn done(&self, rank: usize) -> &AtomicU64 {
        assert!(rank < self.size);
        // SAFETY: as above.
        unsafe { AtomicU64::from_ptr(self.at(LINE + rank * LINE).cast()) }
    }

    #[inline]
    fn head(&self, rank: usize, number: u64) -> &Head {
        assert!(rank < self.size);
        let index = self.size + 2 * rank + (number & 1) as usize;
        // SAFETY: aligned, within the area, and made of atomics.
        unsafe { &*self.at(LINE + index * LINE).cast() }
    }

    /// A member's slot for an operation. Its owner may write it until the head is published, and the others read it from then until
    /// they have ended the operation.
    #[inline]
    pub(super) fn slot(&self, rank: usize, number: u64) -> *mut u8 {
        assert!(rank < self.size);
        self.at(slots(self.size) + (2 * rank + (number & 1) as usize) * slot_bytes(self.size))
    }

    /// Where the data of a member's contribution of `len` bytes lies.
    #[inline]
    pub(super) fn contribution(&self, rank: usize, number: u64, len: usize) -> *mut u8 {
        match len <= INLINE {
            true => ptr::from_ref(&self.head(rank, number).words).cast_mut().cast(),
            false => self.slot(rank, number),
        }
    }

    /// Whether places are crossed in operation `number`: every other time for slots of its parity. The head says it, so that nobody reads from the
    /// wrong place after a call that only some of the members made.
    #[inline]
    pub(super) fn take_turn(&self, number: u64) -> bool {
        let turn = &self.turns[(number & 1) as usize];
        let crossed = turn.load(Ordering::Relaxed);
        turn.store(!crossed, Ordering::Relaxed);
        let call = self.call.load(Ordering::Relaxed) & !CROSSED;
        self.call.store(if crossed { call | CROSSED } else { call }, Ordering::Relaxed);
        crossed
    }

    /// Bytes that pass through a slot at a time. With a core for each rank, one copies in while others copy out; with fewer, a wait costs
    /// more than that saves.
    #[inline]
    pub(super) fn chunk(&self) -> usize {
        let most = slot_bytes(self.size);
        if self.is_crowded() { most } else { most.min(128 << 10) }
    }

    /// The same where all members fill their slots at once, and read all of them. With a core for each, what is under way stays in the caches;
    /// with fewer, a round of all members costs more than that saves (4, 8 and 16 members on two cores).
    #[inline]
    pub(super) fn common_chunk(&self) -> usize {
        let most = match self.is_crowded() {
            true => ((4 << 20) / self.size).max(512 << 10),
            false => ((16 << 20) / (self.size * self.size)).max(64 << 10),
        };
        self.chunk().min(most)
    }

    /// Says which call goes on.
    #[inline]
    pub(super) fn note_call(&self, call: &Call) {
        self.call.store(signature::of(call), Ordering::Relaxed);
    }

    /// The error of a head that was published for another call than that which goes on here.
    #[inline]
    fn check(&self, rank: usize, head: &Head) -> Result<()> {
        let (theirs, ours) = (head.origin.load(Ordering::Relaxed) & !CORE, self.call.load(Ordering::Relaxed));
        if theirs == ours { Ok(()) } else { Err(signature::mismatch(rank, theirs, ours)) }
    }

    /// Begins the next operation; its number. Then this member's head and slot are free.
    #[inline]
    pub(super) fn begin(&self) -> u64 {
        let number = self.number.load(Ordering::Relaxed) + 1;
        self.number.store(number, Ordering::Relaxed);
        number
    }

    /// Waits until this member's head and slot are not read for an earlier operation any more.
    #[inline]
    pub(super) fn claim(&self, number: u64) {
        if self.settled.load(Ordering::Relaxed) + 2 < number {
            self.settle(number - 2);
        }
    }

    /// Waits until all members have ended operation `number`.
    pub(super) fn settle(&self, number: u64) {
        let mut settled = u64::MAX;
        for rank in (0..self.size).filter(|&rank| rank != self.rank) {
            let done = self.done(rank);
            let ready = || done.load(Ordering::Acquire) >= number;
            self.waiter.until(Awaited::Somewhere, ready, || self.absent(|rank| self.done(rank), number));
            settled = settled.min(done.load(Ordering::Relaxed));
        }
        self.settled.store(settled.min(self.number.load(Ordering::Relaxed)), Ordering::Relaxed);
    }

    /// Tells the others that this member's head and slot are written.
    #[inline]
    pub(super) fn publish(&self, number: u64) {
        let head = self.head(self.rank, number);
        let core = if self.is_crowded() { self.waiter.note_core() & CORE } else { 0 };
        head.origin.store(self.call.load(Ordering::Relaxed) | core, Ordering::Relaxed);
        head.number.store(number, Ordering::Release);
        self.waiter.wake_all();
    }

    /// Waits for another member's head, which must be of the same call.
    #[inline]
    pub(super) fn await_head(&self, rank: usize, number: u64) -> Result<()> {
        self.await_one(rank, number, || vec![rank]);
        self.check(rank, self.head(rank, number))
    }

    #[inline]
    fn await_one(&self, rank: usize, number: u64, absent: impl Fn() -> Vec<usize>) {
        let head = self.head(rank, number);
        self.waiter.until(Awaited::On(&head.origin), || head.number.load(Ordering::Acquire) >= number, absent);
    }

    /// Waits for the heads of all members, who therefore have ended what was before.
    #[inline]
    pub(super) fn await_all(&self, number: u64) -> Result<()> {
        let absent = || self.absent(|rank| &self.head(rank, number).number, number);
        // Those first for whom this core must be given away: the others come meanwhile.
        for rank in self.others() {
            if self.waiter.is_nearby(&self.head(rank, number).origin) {
                self.await_one(rank, number, absent);
            }
        }
        for rank in self.others() {
            let head = self.head(rank, number);
            self.waiter.until(Awaited::LastOne, || head.number.load(Ordering::Acquire) >= number, absent);
            self.check(rank, head)?;
        }
        self.seen_all(number);
        Ok(())
    }

    /// The other members whose words are below a number.
    #[cold]
    fn absent<'a>(&'a self, word: impl Fn(usize) -> &'a AtomicU64, number: u64) -> Vec<usize> {
        let others = (0..self.size).filter(|&rank| rank != self.rank);
        others.filter(|&rank| word(rank).load(Ordering::Relaxed) < number).collect()
    }

    /// The other members, from the next one on, so that not all look at the same one at once.
    #[inline]
    pub(super) fn others(&self) -> impl Iterator<Item = usize> + use<> {
        (self.rank + 1..self.size).chain(0..self.rank)
    }

    /// Everybody's head was seen: they have ended what was before.
    #[inline]
    pub(super) fn seen_all(&self, number: u64) {
        self.settled.store(number - 1, Ordering::Relaxed);
    }

    /// Ends an operation: what others wrote for it is not read here any more.
    #[inline]
    pub(super) fn end(&self, number: u64) {
        self.done(self.rank).store(number, Ordering::Release);
        self.waiter.wake_all();
    }

    /// Address `index` in a member's head.
    #[inline]
    pub(super) fn address(&self, rank: usize, number: u64, index: usize) -> &AtomicU64 {
        &self.head(rank, number).words[index]
    }

    /// Memory of this process for at least `bytes` bytes.
    pub(super) fn scratch(&self, bytes: usize) -> MutexGuard<'_, Vec<u128>> {
        let mut scratch = self.scratch.lock().unwrap_or_else(PoisonError::into_inner);
        if scratch.len() * 16 < bytes {
            scratch.resize(bytes.div_ceil(16), 0);
        }
        scratch
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        if self.left().fetch_add(1, Ordering::AcqRel) + 1 < self.size as u64 {
            return;
        }
        // SAFETY: within the area; all others have given it up.
        unsafe { ptr::write_bytes(self.at(0), 0, slots(self.size)) };
        establish::give_back(self.offset, bytes(self.size));
    }
}

/// Copies `len` bytes of the values of `data`, from byte `position` of them on, to `to`.
///
/// # Safety
/// `data` must be readable and `len` bytes at `to` writable.
#[inline]
pub(super) unsafe fn read_part(data: &Data, position: usize, to: *mut u8, len: usize) {
    // SAFETY: the caller's promise.
    let (buffer, out) = unsafe { (buffer_of(data), std::slice::from_raw_parts_mut(to, len)) };
    buffer.read(position, out);
}

/// Copies `len` bytes at `from` to the values of `data`, from byte `position` of them on.
///
/// # Safety
/// `data` must be writable and `len` bytes at `from` readable.
#[inline]
pub(super) unsafe fn write_part(data: &Data, position: usize, from: *const u8, len: usize) {
    // SAFETY: the caller's promise.
    let (buffer, input) = unsafe { (buffer_of(data), std::slice::from_raw_parts(from, len)) };
    buffer.write(position, input);
}

/// # Safety
/// `data` must be readable or writable, as the buffer is used.
#[inline]
unsafe fn buffer_of(data: &Data) -> Buffer {
    let address = ptr::with_exposed_provenance_mut(data.address);
    match &data.datatype {
        // SAFETY: the caller's promise.
        Some(datatype) => unsafe { Buffer::new(address, data.count, datatype) },
        // SAFETY: as above.
        None => unsafe { Buffer::of_bytes(address, data.count) },
    }
}
