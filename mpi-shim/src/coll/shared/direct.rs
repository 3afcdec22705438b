//! Operations whose data is read from, or written to, the buffers of other members' processes: one copy for each byte, and the work
//! divided among the members. Heads carry the buffers' addresses.

use super::area::{Shared, read_part, write_part};
use super::fold::{Folding, whole};
use super::slots::chunks;
use crate::abi::{MPI_ERR_NOT_SAME, MPI_ERR_OTHER};
use crate::coll::schedule::{Blocks, Data, share};
use crate::copy::copy;
use crate::error::{Error, Result};
use crate::op::Op;
use crate::transport::shm::{CopyError, note_written, read_from, write_to};
use std::ptr;
use std::sync::atomic::Ordering;

/// Bytes of all members' operands that are folded at a time: they stay in the core's own cache.
const OPERANDS: usize = 256 << 10;

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
            unsafe { read_part(data, 0, copy.as_ptr().cast_mut(), copy.len()) };
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
            unsafe { write_part(data, 0, copy.as_ptr(), copy.len()) };
        }
    }
}

impl Shared {
    /// Tells the others where the own data is.
    fn announce(&self, number: u64, address: usize) {
        self.claim(number);
        self.address(self.rank(), number, 0).store(address as u64, Ordering::Relaxed);
        self.publish(number);
    }

    /// The address that another member announced.
    fn announced(&self, rank: usize, number: u64) -> Result<u64> {
        self.await_head(rank, number)?;
        Ok(self.address(rank, number, 0).load(Ordering::Relaxed))
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

    /// Ends an operation in which others used the caller's buffers; how it went. Who is in another call is not waited for.
    fn end_together(&self, number: u64, outcome: Result<()>) -> Result<()> {
        self.end(number);
        if !matches!(&outcome, Err(error) if error.code == MPI_ERR_NOT_SAME) {
            self.settle(number);
        }
        outcome
    }

    /// `MPI_Bcast` of two members: each moves one half.
    pub(super) fn bcast_direct(&self, data: &Data, root: usize) -> Result<()> {
        let (number, len) = (self.begin(), data.bytes());
        let (split, peer) = (len / 2, 1 - self.rank());
        let flat = if self.rank() == root { Flat::of(data) } else { Flat::room(data) };
        self.announce(number, flat.address);
        let there = self.announced(peer, number)?;
        // SAFETY: the caller's buffer, or room of its size.
        let outcome = unsafe {
            match self.rank() == root {
                true => self.push(peer, flat.address + split, there + split as u64, len - split),
                false => self.fetch(peer, there, flat.address, split),
            }
        };
        let outcome = self.end_together(number, outcome);
        if self.rank() != root {
            note_written(flat.address, len);
            flat.settle(data);
        }
        outcome
    }

    /// `MPI_Allgather`: everybody reads everybody's block.
    pub(super) fn allgather_direct(&self, mine: Option<&Data>, all: &Blocks) -> Result<()> {
        let number = self.begin();
        let own = all.of(self.rank());
        let flat = Flat::of(mine.unwrap_or(&own));
        self.announce(number, flat.address);
        if mine.is_some() {
            // SAFETY: the caller's buffer, and the own block as one run.
            unsafe { write_part(&own, 0, ptr::with_exposed_provenance(flat.address), own.bytes()) };
        }
        let outcome = self.fetch_all(number, all);
        self.end_together(number, outcome)
    }

    /// Reads the other members' blocks from their announced places.
    fn fetch_all(&self, number: u64, into: &Blocks) -> Result<()> {
        for rank in self.others() {
            let from = self.announced(rank, number)?;
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
    pub(super) fn reduce_direct(&self, mine: &Data, result: Option<&Data>, op: &Op, root: Option<usize>) -> Result<()> {
        let Some(datatype) = mine.datatype.as_ref() else { return Ok(()) };
        let number = self.begin();
        self.claim(number);
        self.address(self.rank(), number, 1).store(result.map_or(0, |result| result.address) as u64, Ordering::Relaxed);
        self.announce(number, mine.address);
        let outcome = self.fold_from_all(number, mine, Folding { op, datatype }, root);
        let outcome = self.end_together(number, outcome);
        if let Some(result) = result.filter(|_| root.is_none_or(|root| root == self.rank())) {
            note_written(result.address, mine.bytes());
        }
        outcome
    }

    fn fold_from_all(&self, number: u64, mine: &Data, folding: Folding<'_>, root: Option<usize>) -> Result<()> {
        let (width, size) = (folding.datatype.size(), self.size());
        let (first, count) = share(mine.count, size, self.rank());
        let room = whole(OPERANDS / (size + 1), width);
        // All operands but the own one, and the total in its place.
        let mut scratch = self.scratch(room * size);
        let scratch = scratch.as_mut_ptr().cast::<u8>();
        for (position, len) in chunks(count * width, room) {
            let position = first * width + position;
            for rank in self.others() {
                let from = self.announced(rank, number)? + position as u64;
                // SAFETY: the scratch memory has room for every member's operand.
                unsafe { self.fetch(rank, from, scratch.add(rank * room).expose_provenance(), len)? };
            }
            let operand = |rank| match rank == self.rank() {
                true => ptr::with_exposed_provenance(mine.address + position),
                // SAFETY: within the scratch memory.
                false => unsafe { scratch.add(rank * room).cast_const() },
            };
            // Folded at once where it is wanted, or where no operand was put.
            let own = self.address(self.rank(), number, 1).load(Ordering::Relaxed) as usize;
            let total = match own == 0 || own == mine.address || root.is_some_and(|root| root != self.rank()) {
                // SAFETY: within the scratch memory.
                true => unsafe { scratch.add(self.rank() * room) },
                false => ptr::with_exposed_provenance_mut(own + position),
            };
            // SAFETY: the caller's result, and the scratch memory.
            unsafe {
                folding.fold(size, operand, total, len / width.max(1))?;
                self.hand_out(number, total, position, len, root)?;
            }
        }
        Ok(())
    }

    /// Writes folded elements to the results.
    ///
    /// # Safety
    /// `len` bytes at `from` must be readable.
    unsafe fn hand_out(
        &self,
        number: u64,
        from: *const u8,
        position: usize,
        len: usize,
        root: Option<usize>,
    ) -> Result<()> {
        for rank in (0..self.size()).filter(|&rank| root.is_none_or(|root| root == rank)) {
            let to = self.address(rank, number, 1).load(Ordering::Relaxed) + position as u64;
            // SAFETY: the caller's promise, and the own result.
            unsafe {
                match rank == self.rank() {
                    true if from.addr() == to as usize => {}
                    true => copy(from, ptr::with_exposed_provenance_mut(to as usize), len),
                    false => self.push(rank, from.expose_provenance(), to, len)?,
                }
            }
        }
        Ok(())
    }
}

#[cold]
fn failed(rank: usize, error: &CopyError) -> Error {
    Error::new(MPI_ERR_OTHER, format!("the memory of rank {rank} of the communicator cannot be used: {error:?}"))
}
