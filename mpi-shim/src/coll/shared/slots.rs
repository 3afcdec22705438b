//! Operations whose data passes through heads and slots, a chunk at a time. Each chunk is an operation of its own number, so who gives may
//! be one chunk ahead of who takes.

use super::area::{Shared, read_part, write_part};
use super::stream::Way;
use crate::coll::call::Parts;
use crate::coll::schedule::Data;
use crate::error::Result;

/// With more ranks than cores, a root writes so many bytes of a broadcast past the caches: others have read what was in the slot, from this core
/// and from others, and taking its lines from all of them took as long as the copy.
const PAST_CACHES: usize = 16 << 10;

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
                let way = if self.is_crowded() && len >= PAST_CACHES { Way::Streamed } else { Way::Cached };
                // SAFETY: the caller's buffer, and this member's slot, claimed and large enough for a chunk.
                unsafe { way.read_part(data, position, place, len) };
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
        let (own, longest) = (all.of(self.rank()), self.longest(all));
        let way = Way::for_bytes(longest * self.size() * (self.size() + 1));
        for (position, len) in chunks(longest, self.common_chunk()) {
            let piece = |block: &Data| block.bytes().saturating_sub(position).min(len);
            let number = self.begin();
            self.claim(number);
            let swap = self.swap(number, len);
            // SAFETY: the caller's buffer, and a place that was claimed and is large enough for a chunk.
            unsafe { read_part(mine.unwrap_or(&own), position, self.shown(swap, self.rank()), piece(&own)) };
            self.publish(number);
            if let Some(mine) = mine.filter(|_| position == 0) {
                way.copy(mine, &own);
            }
            self.await_all(number)?;
            for rank in self.others() {
                let block = all.of(rank);
                // SAFETY: the caller's buffer, and a place that was published.
                unsafe { way.write_part(&block, position, self.shown(swap, rank), piece(&block)) };
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
}
