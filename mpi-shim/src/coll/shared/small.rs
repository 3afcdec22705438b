//! Operations whose data passes through heads and slots.

use super::area::{Shared, read_data, write_data};
use crate::coll::call::Parts;
use crate::coll::schedule::Data;
use crate::error::Result;
use crate::op::{self, Op};
use std::ptr;
use std::sync::Arc;

impl Shared {
    /// `MPI_Barrier`
    pub(super) fn barrier(&self) -> Result<()> {
        let number = self.begin();
        self.claim(number);
        self.publish(number);
        self.await_all(number);
        self.end(number);
        Ok(())
    }

    /// `MPI_Bcast`: the root does not wait.
    pub(super) fn bcast(&self, data: &Data, root: usize) -> Result<()> {
        let (number, len) = (self.begin(), data.bytes());
        let place = self.contribution(root, number, len);
        if self.rank() == root {
            self.claim(number);
            // SAFETY: the caller's buffer, and this member's slot, claimed and large enough for what is sent this way.
            unsafe { read_data(data, place) };
            self.publish(number);
        } else {
            self.await_head(root, number);
            // SAFETY: the caller's buffer, and the root's slot, which was published.
            unsafe { write_data(data, place) };
        }
        self.end(number);
        Ok(())
    }

    /// `MPI_Allgather`
    pub(super) fn allgather(&self, mine: Option<&Data>, all: &Parts) -> Result<()> {
        let (number, own) = (self.begin(), all.of(self.rank()));
        let (mine, len) = (mine.unwrap_or(&own), own.bytes());
        self.claim(number);
        // SAFETY: the caller's buffer, and this member's slot, claimed and large enough for what is sent this way.
        unsafe { read_data(mine, self.contribution(self.rank(), number, mine.bytes().min(len))) };
        self.publish(number);
        for rank in (self.rank()..self.size()).chain(0..self.rank()) {
            self.await_head(rank, number);
            // SAFETY: the caller's buffer, and a slot that was published.
            unsafe { write_data(&all.of(rank), self.contribution(rank, number, len)) };
        }
        self.await_all(number);
        self.end(number);
        Ok(())
    }

    /// `MPI_Alltoall`
    pub(super) fn alltoall(&self, out: &Parts, into: &Parts) -> Result<()> {
        let number = self.begin();
        let len = into.of(0).bytes();
        let total = len * self.size();
        self.claim(number);
        let place = self.contribution(self.rank(), number, total);
        for rank in 0..self.size() {
            // SAFETY: the caller's buffer, and this member's slot, claimed and large enough for what is sent this way.
            unsafe { read_data(&out.of(rank), place.add(rank * len)) };
        }
        self.publish(number);
        for rank in (self.rank()..self.size()).chain(0..self.rank()) {
            self.await_head(rank, number);
            // SAFETY: the caller's buffer, and a slot that was published, with a block for each member.
            unsafe { write_data(&into.of(rank), self.contribution(rank, number, total).add(self.rank() * len)) };
        }
        self.await_all(number);
        self.end(number);
        Ok(())
    }

    /// `MPI_Reduce`: only the root waits.
    pub(super) fn reduce(&self, mine: &Data, result: Option<&Data>, op: &Arc<Op>, root: usize) -> Result<()> {
        let number = self.begin();
        let outcome = match result.filter(|_| self.rank() == root) {
            Some(result) if mine.address != result.address => {
                self.fold(number, ptr::with_exposed_provenance(mine.address), result, op)
            }
            Some(result) => {
                self.claim(number);
                let own = self.deposit(number, mine);
                self.fold(number, own, result, op)
            }
            None => {
                self.claim(number);
                self.deposit(number, mine);
                self.publish(number);
                Ok(())
            }
        };
        self.end(number);
        outcome
    }

    /// `MPI_Allreduce`: every member folds all operands.
    pub(super) fn allreduce(&self, mine: &Data, result: &Data, op: &Arc<Op>) -> Result<()> {
        let number = self.begin();
        self.claim(number);
        let own = self.deposit(number, mine);
        self.publish(number);
        let outcome = self.fold(number, own, result, op);
        self.await_all(number);
        self.end(number);
        outcome
    }

    /// Puts elements where the others find them, once they are told; that place.
    fn deposit(&self, number: u64, mine: &Data) -> *const u8 {
        let place = self.contribution(self.rank(), number, mine.bytes());
        // SAFETY: the caller's buffer, and this member's slot, claimed and large enough for what is sent this way.
        unsafe { read_data(mine, place) };
        place
    }

    /// Folds the contributions of all members into `result`, the last one first, so that none but the result is written.
    fn fold(&self, number: u64, own: *const u8, result: &Data, op: &Arc<Op>) -> Result<()> {
        let (len, last) = (result.bytes(), self.size() - 1);
        let Some(datatype) = &result.datatype else { return Ok(()) };
        let into = ptr::with_exposed_provenance_mut(result.address);
        for rank in (0..=last).rev() {
            let from = if rank == self.rank() {
                own
            } else {
                self.await_head(rank, number);
                self.contribution(rank, number, len)
            };
            match rank == last {
                // SAFETY: the caller's buffers, and slots that were published; the elements are one run of bytes.
                true => unsafe { ptr::copy(from, into, len) },
                // SAFETY: as above.
                false => unsafe { op::apply(op, datatype, from, into, result.count)? },
            }
        }
        Ok(())
    }
}
