//! Blocks that each member gives to each other one, through places that a pair of members swaps.
//!
//! The slots of two members have a place for what one gives the other. A processor that reads a line which another one has written takes
//! it over, with the right to write it: so what a member has read it can write at once, and what was read from it it must fetch first.
//! Therefore the two take turns: in one operation a member fills the place in its own slot, in the next one the place in the other's slot,
//! which it has read in the one before.

use super::INLINE;
use super::area::{Shared, read_part};
use super::slots::chunks;
use super::stream::Way;
use crate::coll::call::Parts;
use crate::error::Result;

/// The places of one operation.
#[derive(Clone, Copy, Debug)]
pub(super) struct Swap {
    /// The operation.
    number: u64,
    /// Bytes of a block.
    len: usize,
    /// Whether members fill places in the others' slots.
    crossed: bool,
}

impl Shared {
    /// The places for blocks of `len` bytes in operation `number`, which this member has claimed. All members ask alike.
    #[inline]
    pub(super) fn swap(&self, number: u64, len: usize) -> Swap {
        Swap { number, len, crossed: len > INLINE && self.take_turn(number) }
    }

    /// Where this member puts what it gives to another one.
    #[inline]
    pub(super) fn given(&self, swap: Swap, to: usize) -> *mut u8 {
        self.place(swap, self.rank(), to)
    }

    /// Where another member has put what it gives to this one.
    #[inline]
    pub(super) fn taken(&self, swap: Swap, from: usize) -> *mut u8 {
        self.place(swap, from, self.rank())
    }

    /// What lies at a member's place if all give the same to everybody. Two members swap; more of them cannot.
    #[inline]
    pub(super) fn shown(&self, swap: Swap, rank: usize) -> *mut u8 {
        match self.size() {
            2 => self.place(swap, rank, 1 - rank),
            _ => self.contribution(rank, swap.number, swap.len),
        }
    }

    #[inline]
    fn place(&self, swap: Swap, from: usize, to: usize) -> *mut u8 {
        let (slot, other) = if swap.crossed { (to, from) } else { (from, to) };
        // Nobody gives to itself.
        let index = if other > slot { other - 1 } else { other };
        self.contribution(slot, swap.number, swap.len * (self.size() - 1)).wrapping_add(index * swap.len)
    }

    /// `MPI_Alltoall`
    pub(super) fn alltoall(&self, out: &Parts, into: &Parts) -> Result<()> {
        let (me, block) = (self.rank(), into.of(0).bytes());
        let way = Way::for_bytes(2 * block * self.size() * self.size());
        for (position, len) in chunks(block, self.common_chunk() / (self.size() - 1)) {
            let number = self.begin();
            self.claim(number);
            let swap = self.swap(number, len);
            for rank in self.others() {
                // SAFETY: the caller's buffer, and a place that was claimed and is large enough.
                unsafe { read_part(&out.of(rank), position, self.given(swap, rank), len) };
            }
            self.publish(number);
            if position == 0 {
                way.copy(&out.of(me), &into.of(me));
            }
            self.await_all(number)?;
            for rank in self.others() {
                // SAFETY: the caller's buffer, and a place that was published.
                unsafe { way.write_part(&into.of(rank), position, self.taken(swap, rank), len) };
            }
            self.end(number);
        }
        Ok(())
    }
}
