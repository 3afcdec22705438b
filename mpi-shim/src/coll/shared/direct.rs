//! Operations whose data is read from, or written to, the buffers of other members' processes: one copy for each byte, and the work
//! divided among the members. Heads carry the buffers' addresses.

use super::area::{Shared, read_data, write_data};
use crate::abi::MPI_ERR_OTHER;
use crate::coll::schedule::{Blocks, Data, share};
use crate::error::{Error, Result};
use crate::op::{self, Op};
use crate::transport::shm::{CopyError, read_from, write_to};
use std::ptr;
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// Bytes of elements that are folded at a time: they and an operand of that size stay in the core's own cache.
pub(super) const PIECE: usize = 64 << 10;

/// Data as one run of bytes, to be read or written by others: its own place, or a copy.
struct Flat {
    address: usize,
    copy: Option<Vec<u8>>,
}

impl Flat {
    /// Values to be read.
    fn of(data: &Data) -> Flat {
        let flat = Flat::room(data);
        if let Some(copy) = &flat.copy {
            // SAFETY: the caller's buffer, and a copy of its size that nobody else knows yet.
            unsafe { read_data(data, copy.as_ptr().cast_mut()) };
        }
        flat
    }

    /// A place for values; they are in place after [`Flat::settle`].
    fn room(data: &Data) -> Flat {
        match data.as_run() {
            Some(run) => Flat { address: run.address, copy: None },
            None => {
                let mut copy = vec![0; data.bytes()];
                Flat { address: copy.as_mut_ptr().expose_provenance(), copy: Some(copy) }
            }
        }
    }

    fn settle(self, data: &Data) {
        if let Some(copy) = self.copy {
            // SAFETY: the caller's buffer, and values of its size.
            unsafe { write_data(data, copy.as_ptr()) };
        }
    }
}

impl Shared {
    /// Tells the others where the own data is.
    fn announce(&self, number: u64, addresses: [usize; 2]) {
        self.claim(number);
        for (index, address) in addresses.into_iter().enumerate() {
            self.word(self.rank(), number, index).store(address as u64, Ordering::Relaxed);
        }
        self.publish(number);
    }

    /// An address that another member announced.
    fn announced(&self, rank: usize, number: u64, index: usize) -> u64 {
        self.await_head(rank, number);
        self.word(rank, number, index).load(Ordering::Relaxed)
    }

    /// Copies from a member's memory.
    ///
    /// # Safety
    /// `len` bytes at `to` must be writable.
    unsafe fn fetch(&self, rank: usize, from: u64, to: usize, len: usize) -> Result<()> {
        let pid = self.pid(rank).ok_or_else(|| failed(rank, &CopyError::Refused))?;
        // SAFETY: the caller's promise.
        unsafe { read_from(pid, from, ptr::with_exposed_provenance_mut(to), len) }.map_err(|error| failed(rank, &error))
    }

    /// Copies to a member's memory, which it has announced for that.
    ///
    /// # Safety
    /// `len` bytes at `from` must be readable.
    unsafe fn push(&self, rank: usize, from: usize, to: u64, len: usize) -> Result<()> {
        let pid = self.pid(rank).ok_or_else(|| failed(rank, &CopyError::Refused))?;
        // SAFETY: the caller's promise.
        unsafe { write_to(pid, ptr::with_exposed_provenance(from), to, len) }.map_err(|error| failed(rank, &error))
    }

    /// Ends an operation in which others used the caller's buffers.
    fn end_together(&self, number: u64) {
        self.end_aloud(number);
        self.settle(number);
    }

    /// `MPI_Bcast`: the others read the root's buffer. Of two members, each moves one half.
    pub(super) fn bcast_direct(&self, data: &Data, root: usize) -> Result<()> {
        let (number, len) = (self.begin(), data.bytes());
        let flat = if self.rank() == root { Flat::of(data) } else { Flat::room(data) };
        let split = if self.size() == 2 { len / 2 } else { len };
        let outcome = if self.rank() == root {
            self.announce(number, [flat.address, 0]);
            match self.size() == 2 {
                true => {
                    let to = self.announced(1 - root, number, 0);
                    // SAFETY: the caller's buffer.
                    unsafe { self.push(1 - root, flat.address + split, to + split as u64, len - split) }
                }
                false => Ok(()),
            }
        } else {
            if self.size() == 2 {
                self.announce(number, [flat.address, 0]);
            }
            let from = self.announced(root, number, 0);
            // SAFETY: the caller's buffer, or room of its size.
            unsafe { self.fetch(root, from, flat.address, split) }
        };
        self.end_aloud(number);
        if self.rank() == root || self.size() == 2 {
            self.settle(number);
        }
        if self.rank() != root {
            flat.settle(data);
        }
        outcome
    }

    /// `MPI_Allgather`: everybody reads everybody's block.
    pub(super) fn allgather_direct(&self, mine: Option<&Data>, all: &Blocks) -> Result<()> {
        let number = self.begin();
        let own = all.of(self.rank());
        let flat = Flat::of(mine.unwrap_or(&own));
        self.announce(number, [flat.address, 0]);
        if mine.is_some() {
            // SAFETY: the caller's buffer, and the own block as one run.
            unsafe { write_data(&own, ptr::with_exposed_provenance(flat.address)) };
        }
        let outcome = self.fetch_all(number, all, 0);
        self.end_together(number);
        outcome
    }

    /// `MPI_Alltoall`: everybody reads its block of everybody's buffer.
    pub(super) fn alltoall_direct(&self, out: &Blocks, into: &Blocks) -> Result<()> {
        let (number, len) = (self.begin(), into.bytes());
        let flat = Flat::of(&out.range(0, self.size()));
        self.announce(number, [flat.address, 0]);
        let own = self.rank() * len;
        // SAFETY: the caller's buffers.
        unsafe { write_data(&into.of(self.rank()), ptr::with_exposed_provenance(flat.address + own)) };
        let outcome = self.fetch_all(number, into, own);
        self.end_together(number);
        outcome
    }

    /// Reads the other members' blocks from their announced places, `offset` bytes behind them.
    fn fetch_all(&self, number: u64, into: &Blocks, offset: usize) -> Result<()> {
        for rank in (self.rank() + 1..self.size()).chain(0..self.rank()) {
            let from = self.announced(rank, number, 0) + offset as u64;
            let place = into.of(rank);
            let room = Flat::room(&place);
            // SAFETY: the caller's buffer, or room of its size.
            unsafe { self.fetch(rank, from, room.address, place.bytes())? };
            room.settle(&place);
        }
        Ok(())
    }

    /// `MPI_Reduce` and `MPI_Allreduce`: each member folds its share of the elements, of which it reads everybody's operands and which it
    /// writes to whoever wants the result. A share of a buffer is used by one member alone, so calls in place need no more care.
    pub(super) fn reduce_direct(
        &self,
        mine: &Data,
        result: Option<&Data>,
        op: &Arc<Op>,
        root: Option<usize>,
    ) -> Result<()> {
        let number = self.begin();
        self.announce(number, [mine.address, result.map_or(0, |result| result.address)]);
        let outcome = self.fold_share(number, mine, op, root);
        self.end_together(number);
        outcome
    }

    fn fold_share(&self, number: u64, mine: &Data, op: &Arc<Op>, root: Option<usize>) -> Result<()> {
        let Some(datatype) = mine.datatype.as_ref().filter(|_| mine.bytes() > 0) else { return Ok(()) };
        let (first, count) = share(mine.count, self.size(), self.rank());
        let at_a_time = (PIECE / datatype.size()).max(1);
        let mut scratch = self.scratch(2 * at_a_time * datatype.size());
        let total = scratch.as_mut_ptr().expose_provenance();
        let operand = total + at_a_time * datatype.size();
        for begin in (first..first + count).step_by(at_a_time) {
            let count = at_a_time.min(first + count - begin);
            let (offset, len) = ((begin * datatype.size()) as u64, count * datatype.size());
            for rank in (0..self.size()).rev() {
                let place = if rank + 1 == self.size() { total } else { operand };
                let operand = match rank == self.rank() {
                    true => mine.address + offset as usize,
                    false => {
                        let from = self.announced(rank, number, 0) + offset;
                        // SAFETY: both are in the scratch memory, which has room for it.
                        unsafe { self.fetch(rank, from, place, len)? };
                        place
                    }
                };
                // SAFETY: the caller's buffer and scratch memory.
                unsafe { fold_piece(op, datatype, operand, total, count, rank + 1 == self.size())? };
            }
            self.hand_out(number, total, offset, len, root)?;
        }
        Ok(())
    }

    /// Writes folded elements to the results.
    fn hand_out(&self, number: u64, from: usize, offset: u64, len: usize, root: Option<usize>) -> Result<()> {
        let wants = |rank: &usize| root.is_none_or(|root| root == *rank);
        for rank in (0..self.size()).filter(wants) {
            let to = self.announced(rank, number, 1) + offset;
            // SAFETY: scratch memory, and the own result.
            unsafe {
                match rank == self.rank() {
                    true => ptr::copy_nonoverlapping(
                        ptr::with_exposed_provenance::<u8>(from),
                        ptr::with_exposed_provenance_mut(to as usize),
                        len,
                    ),
                    false => self.push(rank, from, to, len)?,
                }
            }
        }
        Ok(())
    }
}

/// `total = operand op total`, or `total = operand` to begin with.
///
/// # Safety
/// Both must have room for `count` elements, and differ unless they are the same.
unsafe fn fold_piece(
    op: &Arc<Op>,
    datatype: &Arc<crate::datatype::Datatype>,
    operand: usize,
    total: usize,
    count: usize,
    begins: bool,
) -> Result<()> {
    let from = ptr::with_exposed_provenance(operand);
    let into = ptr::with_exposed_provenance_mut::<u8>(total);
    match begins {
        // SAFETY: the caller's promise.
        true => unsafe { ptr::copy(from, into, count * datatype.size()) },
        // SAFETY: as above.
        false => unsafe { op::apply(op, datatype, from, into, count)? },
    }
    Ok(())
}

#[cold]
fn failed(rank: usize, error: &CopyError) -> Error {
    Error::new(MPI_ERR_OTHER, format!("the memory of rank {rank} of the communicator cannot be used: {error:?}"))
}
