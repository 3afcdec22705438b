//! Collectives of communicators whose members are all on one node: flags and buffers in memory that they share, no messages.
//!
//! ```text
//! control     the count of members that have left, for whoever gave out the memory
//! done        a line for each member: the number of the last operation that it has ended
//! heads       two lines for each member, taken in turn: the number of the operation that its contents belong to,
//!             and up to 48 bytes of data, or addresses
//! slots       two for each member: data that does not fit into the head
//! ```
//! **Numbers.** Members number the operations of a communicator alike, since they call them in the same order. In operation k a member
//! writes its head and slot of parity k, the number last; the others wait for the number, and read. So a small operation moves one
//! cache line from each member to each other, and nobody waits for anything but data.
//!
//! **Reuse.** What a member wrote for operation k - 2 is overwritten in operation k, so everybody must have ended k - 2 by then. Who has
//! seen number k of all others knows that they ended k - 1: after a barrier or an all-reduce nothing has to be looked at. Only in a row of
//! broadcasts or reductions, where some members run ahead, the lines of `done` are read.
//!
//! **Large data** does not pass through the shared memory: heads carry addresses, and members read each other's buffers, each as much
//! as the others (`direct.rs`). A call ends when nobody needs the caller's buffer any longer.
//!
//! **Waiting.** With a core for each rank, waiting is looking, with a look for messages now and then. With more ranks than cores the core is
//! given away at once, and after a while the process sleeps (`wait.rs`).
//!
//! Reductions fold the operands of all members in the order of ranks, element by element, wherever they are computed: the result is the same
//! on all of them, and the same whatever arrives first.
#![allow(unsafe_code)]

mod area;
mod direct;
mod establish;
mod small;
mod wait;

pub use area::Shared;
pub use establish::establish;

use crate::coll::call::{Call, Parts, Root};
use crate::coll::schedule::Data;
use crate::error::Result;

/// Bytes of a slot.
const SLOT: usize = 64 << 10;
/// Bytes of data in a head.
const INLINE: usize = 48;

impl Shared {
    /// Does a call if it is of those that are done here, which all members decide alike.
    pub fn run(&self, call: &Call) -> Option<Result<()>> {
        match call {
            Call::Barrier => Some(self.barrier()),
            Call::Bcast { data, root: Root::Rank(root) } => Some(match data.bytes() {
                ..=SMALL_BCAST => self.bcast(data, *root),
                _ if self.reads_processes() => self.bcast_direct(data, *root),
                len if len <= SLOT => self.bcast(data, *root),
                _ => return None,
            }),
            Call::Reduce { mine, .. } | Call::Allreduce { mine, .. } if !is_flat(mine) => None,
            Call::Reduce { mine, result, op, root: Root::Rank(root) } => Some(match mine.bytes() {
                ..=SMALL_REDUCE => self.reduce(mine, result.as_ref(), op, *root),
                _ if self.reads_processes() => self.reduce_direct(mine, result.as_ref(), op, Some(*root)),
                _ => return None,
            }),
            Call::Allreduce { mine, result, op } => Some(match mine.bytes() {
                ..=SMALL_REDUCE => self.allreduce(mine, result, op),
                _ if self.reads_processes() => self.reduce_direct(mine, Some(result), op, None),
                _ => return None,
            }),
            Call::Allgather { mine, all: all @ Parts::Equal(blocks) } => Some(match blocks.bytes() {
                ..=SMALL_BLOCK => self.allgather(mine.as_ref(), all),
                _ if self.reads_processes() => self.allgather_direct(mine.as_ref(), blocks),
                _ => return None,
            }),
            Call::Alltoall { out: Some(out @ Parts::Equal(blocks)), into: into @ Parts::Equal(places) } => {
                Some(match places.bytes() * self.size() {
                    ..=SMALL_BLOCK => self.alltoall(out, into),
                    _ if self.reads_processes() => self.alltoall_direct(blocks, places),
                    _ => return None,
                })
            }
            _ => None,
        }
    }
}

/// Whether elements fill one run of bytes from their address on. All members of a reduction have the same type.
fn is_flat(data: &Data) -> bool {
    data.as_run().is_some_and(|run| run.address == data.address)
}

/// A broadcast up to here goes through a slot.
const SMALL_BCAST: usize = 8 << 10;
/// A reduction up to here is computed by every member in full.
const SMALL_REDUCE: usize = 4 << 10;
/// What a member gives to all others goes through its slot up to here.
const SMALL_BLOCK: usize = 16 << 10;
