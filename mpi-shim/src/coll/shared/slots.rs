//! Operations whose data passes through heads and slots, a chunk at a time. Each chunk is an operation of its own number, so who gives may
//! be one chunk ahead of who takes.

use super::area::{Shared, read_part, write_part};
use crate::coll::call::Parts;
use crate::coll::schedule::Data;
use crate::error::Result;

/// The chunks of `len` bytes, at least one: where each begins, and how long it is.
pub(super) fn chunks(len: usize, chunk: usize) -> impl Iterator<Item = (usize, usize)> {
    (0..len.max(1)).step_by(chunk.max(1)).map(move |begin| (begin, chunk.min(len - begin)))
}

impl Shared {
    /// `MPI_Barrier`
    #[inline]
    pub(super) fn barrier(&self) -> Result<()> {
        let number = self.begin();
        self.claim(number);
        self.publish(number);
        self.await_all(number)?;
        self.end(number);
        Ok(())
    }

    /// `MPI_Bcast`: the root does not wait.
    pub(super) fn bcast(&self, data: &Data, root: usize) -> Result<()> {
        for (position, len) in chunks(data.bytes(), self.chunk()) {
            let number = self.begin();
            let place = self.contribution(root, number, len);
            if self.rank() == root {
                self.claim(number);
                // SAFETY: the caller's buffer, and this member's slot, claimed and large enough for a chunk.
                unsafe { read_part(data, position, place, len) };
                self.publish(number);
            } else {
                self.await_head(root, number)?;
                // SAFETY: the caller's buffer, and the root's slot, which was published.
                unsafe { write_part(data, position, place, len) };
            }
            self.end(number);
        }
        Ok(())
    }

    /// `MPI_Allgather` and `MPI_Allgatherv`: of shorter blocks than the longest the last chunks are shorter, or empty.
    pub(super) fn allgather(&self, mine: Option<&Data>, all: &Parts) -> Result<()> {
        let own = all.of(self.rank());
        for (position, len) in chunks(self.longest(all), self.chunk()) {
            let piece = |block: &Data| block.bytes().saturating_sub(position).min(len);
            let number = self.begin();
            self.claim(number);
            let place = self.contribution(self.rank(), number, len);
            // SAFETY: the caller's buffer, and this member's slot, claimed and large enough for a chunk.
            unsafe { read_part(mine.unwrap_or(&own), position, place, piece(&own)) };
            self.publish(number);
            if mine.is_some() {
                // SAFETY: the caller's buffer, and the own slot.
                unsafe { write_part(&own, position, place, piece(&own)) };
            }
            self.await_all(number)?;
            for rank in self.others() {
                let block = all.of(rank);
                // SAFETY: the caller's buffer, and a slot that was published.
                unsafe { write_part(&block, position, self.contribution(rank, number, len), piece(&block)) };
            }
            self.end(number);
        }
        Ok(())
    }

    /// Bytes of the longest of all members' blocks.
    pub(super) fn longest(&self, all: &Parts) -> usize {
        match all {
            Parts::Equal(blocks) => blocks.bytes(),
            Parts::Each(blocks) => blocks.iter().map(Data::bytes).max().unwrap_or(0),
        }
    }

    /// `MPI_Alltoall`
    pub(super) fn alltoall(&self, out: &Parts, into: &Parts) -> Result<()> {
        let (me, size) = (self.rank(), self.size());
        for (position, len) in chunks(into.of(0).bytes(), self.chunk() / size) {
            let number = self.begin();
            self.claim(number);
            let place = self.contribution(me, number, len * size);
            for rank in 0..size {
                // SAFETY: the caller's buffer, and this member's slot, claimed and large enough for a chunk.
                unsafe { read_part(&out.of(rank), position, place.add(rank * len), len) };
            }
            self.publish(number);
            self.await_all(number)?;
            for rank in (me..size).chain(0..me) {
                // SAFETY: the caller's buffer, and a slot that was published, with a block for each member.
                unsafe {
                    let from = self.contribution(rank, number, len * size).add(me * len);
                    write_part(&into.of(rank), position, from, len);
                }
            }
            self.end(number);
        }
        Ok(())
    }
}
