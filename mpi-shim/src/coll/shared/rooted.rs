//! Blocks of equal size to and from a root, through heads and slots.

use super::area::{Shared, read_part, write_part};
use super::slots::chunks;
use crate::coll::call::Parts;
use crate::coll::schedule::Data;
use crate::error::Result;

impl Shared {
    /// `MPI_Gather`: only the root, which has `all`, waits. It has put its own block in place.
    pub(super) fn gather(&self, mine: Option<&Data>, all: Option<&Parts>, root: usize) -> Result<()> {
        let all = all.filter(|_| self.rank() == root);
        let Some(block) = all.map(|all| all.of(root)).or_else(|| mine.cloned()) else { return Ok(()) };
        for (position, len) in chunks(block.bytes(), self.chunk()) {
            let number = self.begin();
            match all {
                Some(all) => {
                    self.await_all(number)?;
                    for rank in self.others() {
                        // SAFETY: the caller's buffer, and a slot that was published.
                        unsafe { write_part(&all.of(rank), position, self.contribution(rank, number, len), len) };
                    }
                }
                None => {
                    self.claim(number);
                    // SAFETY: the caller's buffer, and this member's slot, claimed and large enough for a chunk.
                    unsafe { read_part(&block, position, self.contribution(self.rank(), number, len), len) };
                    self.publish(number);
                }
            }
            self.end(number);
        }
        Ok(())
    }

    /// `MPI_Scatter`: the root, which has `all`, does not wait. It has taken its own block.
    pub(super) fn scatter(&self, all: Option<&Parts>, mine: Option<&Data>, root: usize) -> Result<()> {
        let all = all.filter(|_| self.rank() == root);
        let Some(block) = all.map(|all| all.of(root)).or_else(|| mine.cloned()) else { return Ok(()) };
        for (position, len) in chunks(block.bytes(), self.chunk() / self.size()) {
            let number = self.begin();
            let place = self.contribution(root, number, len * self.size());
            match all {
                Some(all) => {
                    self.claim(number);
                    for rank in self.others() {
                        // SAFETY: the caller's buffer, and this member's slot, claimed and large enough for a chunk of each.
                        unsafe { read_part(&all.of(rank), position, place.add(rank * len), len) };
                    }
                    self.publish(number);
                }
                None => {
                    self.await_head(root, number)?;
                    // SAFETY: the caller's buffer, and the root's slot, which was published.
                    unsafe { write_part(&block, position, place.add(self.rank() * len), len) };
                }
            }
            self.end(number);
        }
        Ok(())
    }
}
