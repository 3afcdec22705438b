//! Blocks of equal size to and from a root, through heads and slots.

use super::area::{Shared, read_part, write_part};
use super::slots::chunks;
use crate::coll::call::Parts;
use crate::coll::memory;
use crate::coll::schedule::Data;
use crate::error::Result;

/// Longer blocks go by messages: one copy in place of two.
const LONGEST: usize = 8 << 10;

/// A block, and the blocks of all members where this one is the root.
type Blocks<'a> = (Data, Option<&'a Parts>);

impl Shared {
    /// What this member gives or takes; `None` if that is too long, which all members see alike.
    fn blocks<'a>(&self, mine: Option<&Data>, all: Option<&'a Parts>, root: usize) -> Option<Blocks<'a>> {
        let all = all.filter(|_| self.rank() == root);
        let block = all.map(|all| all.of(root)).or_else(|| mine.cloned())?;
        (block.bytes() <= LONGEST).then_some((block, all))
    }

    /// `MPI_Gather`: only the root waits.
    pub(super) fn gather(&self, mine: Option<&Data>, all: Option<&Parts>, root: usize) -> Option<Result<()>> {
        let (block, all) = self.blocks(mine, all, root)?;
        if let (Some(mine), Some(_)) = (mine, all) {
            memory::copy(mine, &block);
        }
        Some(chunks(block.bytes(), self.chunk()).try_for_each(|(position, len)| {
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
            Ok(())
        }))
    }

    /// `MPI_Scatter`: the root does not wait.
    pub(super) fn scatter(&self, all: Option<&Parts>, mine: Option<&Data>, root: usize) -> Option<Result<()>> {
        let (block, all) = self.blocks(mine, all, root)?;
        if let (Some(mine), Some(_)) = (mine, all) {
            memory::copy(&block, mine);
        }
        Some(chunks(block.bytes(), self.chunk() / self.size()).try_for_each(|(position, len)| {
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
            Ok(())
        }))
    }
}
