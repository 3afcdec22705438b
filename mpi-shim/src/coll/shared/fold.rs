//! Reductions. Operands are folded in the order of ranks, whoever does it.

use super::area::Shared;
use super::slots::chunks;
use super::stream::Way;
use super::swap::Swap;
use crate::coll::schedule::{Data, share};
use crate::copy::{copy, copy_past_caches};
use crate::datatype::Datatype;
use crate::error::Result;
use crate::op::{self, Op};
use std::ptr;

/// Bytes that are folded at a time: they stay in the innermost cache.
const PIECE: usize = 8 << 10;
/// Bytes that one of two members puts into a slot while the other one folds another slot.
const HANDED: usize = 64 << 10;
/// From so many bytes on they are written past the caches: the other member has the slot's lines in its own.
const PAST_CACHES: usize = 4 << 10;

/// Elements of all members: those of a type, under an operation.
#[derive(Clone, Copy)]
pub(super) struct Folding<'a> {
    /// The operation.
    pub(super) op: &'a Op,
    /// The type.
    pub(super) datatype: &'a Datatype,
}

impl Folding<'_> {
    /// `out = x[0] op (x[1] op (… op x[n - 1]))`, element by element, where `operand` gives the address of x of a rank.
    ///
    /// # Safety
    /// `count` elements must be readable at each operand, and writable at `out`, which is none of them.
    pub(super) unsafe fn fold(
        &self,
        size: usize,
        operand: impl Fn(usize) -> *const u8,
        out: *mut u8,
        count: usize,
    ) -> Result<()> {
        let width = self.datatype.size();
        for (begin, len) in chunks(count * width, (PIECE / width.max(1)).max(1) * width) {
            let count = len.checked_div(width).unwrap_or(0);
            // SAFETY: the caller's promise, for a part of the elements.
            unsafe {
                let (last, out) = (operand(size - 1).add(begin), out.add(begin));
                op::combine(self.op, self.datatype, operand(size - 2).add(begin), last, out, count)?;
                for rank in (0..size - 2).rev() {
                    op::apply(self.op, self.datatype, operand(rank).add(begin), out, count)?;
                }
            }
        }
        Ok(())
    }
}

impl Shared {
    /// `MPI_Reduce`: the root folds, and only it waits.
    pub(super) fn reduce(&self, mine: &Data, result: Option<&Data>, op: &Op, root: usize) -> Result<()> {
        let Some(datatype) = mine.datatype.as_ref() else { return Ok(()) };
        let mut outcome = Ok(());
        let beside = self.size() == 2 && !self.is_crowded();
        let chunk = if beside { HANDED.min(self.chunk()) } else { self.chunk() };
        for (begin, len) in chunks(mine.bytes(), whole(chunk, datatype.size())) {
            let number = self.begin();
            match result.filter(|_| self.rank() == root) {
                Some(result) => {
                    let own = match mine.address == result.address {
                        true => {
                            self.claim(number);
                            self.deposit(number, mine.address + begin, len)
                        }
                        false => ptr::with_exposed_provenance(mine.address + begin),
                    };
                    let folded = self.fold_all(number, own, Folding { op, datatype }, result.address + begin, len);
                    outcome = outcome.and(folded);
                }
                None => {
                    self.claim(number);
                    match beside && len >= PAST_CACHES {
                        true => self.deposit_past_caches(number, mine.address + begin, len),
                        false => _ = self.deposit(number, mine.address + begin, len),
                    }
                    self.publish(number);
                }
            }
            self.end(number);
        }
        outcome
    }

    /// `MPI_Allreduce` of few elements, or of two members: every member folds all of them.
    pub(super) fn allreduce(&self, mine: &Data, result: &Data, op: &Op) -> Result<()> {
        let Some(datatype) = mine.datatype.as_ref() else { return Ok(()) };
        let mut outcome = Ok(());
        for (begin, len) in chunks(mine.bytes(), whole(self.chunk(), datatype.size())) {
            let number = self.begin();
            self.claim(number);
            let swap = self.swap(number, len);
            let (from, place) = (ptr::with_exposed_provenance(mine.address + begin), self.shown(swap, self.rank()));
            // SAFETY: the caller's buffer, and a place that was claimed and is large enough for a chunk.
            unsafe { copy(from, place, len) };
            self.publish(number);
            self.await_all(number)?;
            let in_place = mine.address == result.address;
            let operand = |rank| match rank == self.rank() && !in_place {
                true => from,
                false => self.shown(swap, rank).cast_const(),
            };
            let out = ptr::with_exposed_provenance_mut(result.address + begin);
            let count = len.checked_div(datatype.size()).unwrap_or(0);
            // SAFETY: the caller's buffers, and places that were published. The result is none of the operands.
            outcome = outcome.and(unsafe { Folding { op, datatype }.fold(self.size(), operand, out, count) });
            self.end(number);
        }
        outcome
    }

    /// `MPI_Scan`, or, without the own elements, `MPI_Exscan`: who has a higher rank is not waited for.
    pub(super) fn scan(&self, mine: &Data, result: &Data, op: &Op, inclusive: bool) -> Result<()> {
        let Some(datatype) = mine.datatype.as_ref() else { return Ok(()) };
        let (number, len) = (self.begin(), mine.bytes());
        self.claim(number);
        self.deposit(number, mine.address, len);
        self.publish(number);
        for rank in 0..self.rank() {
            self.await_head(rank, number)?;
        }
        let operand = |rank| self.contribution(rank, number, len).cast_const();
        let (operands, out) = (self.rank() + usize::from(inclusive), ptr::with_exposed_provenance_mut(result.address));
        // SAFETY: the caller's buffer, and slots that were published; the own operand is in the own slot.
        let outcome = unsafe {
            match operands {
                0 => Ok(()),
                1 => {
                    copy(operand(0), out, len);
                    Ok(())
                }
                _ => Folding { op, datatype }.fold(operands, operand, out, mine.count),
            }
        };
        self.end(number);
        outcome
    }

    /// `MPI_Reduce_scatter` and `MPI_Reduce_scatter_block`: everybody folds what it wants of the elements.
    pub(super) fn reduce_scatter(&self, mine: &Data, result: &Data, counts: &[usize], op: &Op) -> Result<()> {
        let Some(datatype) = mine.datatype.as_ref() else { return Ok(()) };
        let (width, folding) = (datatype.size(), Folding { op, datatype });
        let first = counts[..self.rank()].iter().sum::<usize>() * width;
        let own = first..first + counts[self.rank()] * width;
        let mut outcome = Ok(());
        for (begin, len) in chunks(mine.bytes(), whole(self.common_chunk(), width)) {
            let number = self.begin();
            self.claim(number);
            // The own part as well: in place, the result takes the place of operands.
            self.deposit(number, mine.address + begin, len);
            self.publish(number);
            self.await_all(number)?;
            let (from, to) = (own.start.clamp(begin, begin + len), own.end.clamp(begin, begin + len));
            // SAFETY: within slots that were published, which hold a chunk.
            let operand = |rank| unsafe { self.contribution(rank, number, len).add(from - begin).cast_const() };
            let out = ptr::with_exposed_provenance_mut(result.address + (from - own.start.min(from)));
            // SAFETY: the caller's buffer, and slots that were published.
            let folded = unsafe { folding.fold(self.size(), operand, out, (to - from) / width.max(1)) };
            outcome = outcome.and(folded);
            self.end(number);
        }
        outcome
    }

    /// Puts elements where the others find them, once they are told; that place.
    fn deposit(&self, number: u64, from: usize, len: usize) -> *const u8 {
        let place = self.contribution(self.rank(), number, len);
        // SAFETY: the caller's buffer, and this member's slot, claimed and large enough for a chunk.
        unsafe { copy(ptr::with_exposed_provenance(from), place, len) };
        place
    }

    /// The same, past the caches.
    fn deposit_past_caches(&self, number: u64, from: usize, len: usize) {
        let place = self.contribution(self.rank(), number, len);
        // SAFETY: as above.
        unsafe { copy_past_caches(ptr::with_exposed_provenance(from), place, len) };
    }

    /// Folds the contributions of all members to `result`.
    fn fold_all(&self, number: u64, own: *const u8, folding: Folding<'_>, result: usize, len: usize) -> Result<()> {
        self.await_all(number)?;
        let operand = |rank| if rank == self.rank() { own } else { self.contribution(rank, number, len).cast_const() };
        let count = len.checked_div(folding.datatype.size()).unwrap_or(0);
        // SAFETY: the caller's buffer, and slots that were published. The own operand is not in the result.
        unsafe { folding.fold(self.size(), operand, ptr::with_exposed_provenance_mut(result), count) }
    }

    /// `MPI_Allreduce` of many elements, and `MPI_Reduce` among many members: each folds its share, which those who want the result copy.
    pub(super) fn reduce_by_shares(
        &self,
        mine: &Data,
        result: Option<&Data>,
        op: &Op,
        root: Option<usize>,
    ) -> Result<()> {
        let Some(datatype) = mine.datatype.as_ref() else { return Ok(()) };
        let (width, folding) = (datatype.size(), Folding { op, datatype });
        let wanted = result.filter(|_| root.is_none_or(|root| root == self.rank()));
        let way = Way::for_bytes(2 * mine.bytes() * self.size());
        let mut outcome = Ok(());
        for (begin, len) in chunks(mine.bytes(), whole(self.common_chunk(), width)) {
            let part = |rank| {
                let (first, count) = share(len / width, self.size(), rank);
                (first * width, count * width)
            };
            let number = self.begin();
            self.claim(number);
            let swap = self.swap(number, part(0).1);
            for rank in self.others() {
                let from = ptr::with_exposed_provenance::<u8>(mine.address + begin + part(rank).0);
                // SAFETY: the caller's buffer, and a place that was claimed and is large enough for a share.
                unsafe { copy(from, self.given(swap, rank), part(rank).1) };
            }
            self.publish(number);
            self.await_all(number)?;
            let folded = self.fold_share(number, swap, mine.address + begin, folding, part(self.rank()));
            outcome = outcome.and(folded);
            self.end(number);
            let number = self.begin();
            self.publish(number);
            self.await_all(number)?;
            if let Some(result) = wanted {
                for rank in 0..self.size() {
                    let (first, len) = part(rank);
                    // SAFETY: the caller's buffer, and a slot that was published.
                    unsafe { way.write_part(result, begin + first, self.slot(rank, number), len) };
                }
            }
            self.end(number);
        }
        outcome
    }

    /// Folds the own share into the slot of the next number, which is free: everybody has begun this one.
    fn fold_share(
        &self,
        number: u64,
        swap: Swap,
        mine: usize,
        folding: Folding<'_>,
        (begin, len): (usize, usize),
    ) -> Result<()> {
        let operand = |rank| match rank == self.rank() {
            true => ptr::with_exposed_provenance(mine + begin),
            false => self.taken(swap, rank).cast_const(),
        };
        let out = self.slot(self.rank(), number + 1);
        // SAFETY: the caller's buffer, and slots that were published; the one written is of the other parity.
        unsafe { folding.fold(self.size(), operand, out, len / folding.datatype.size().max(1)) }
    }
}

/// The most bytes up to `chunk` that are whole elements.
pub(super) fn whole(chunk: usize, width: usize) -> usize {
    chunk - chunk % width.max(1)
}
