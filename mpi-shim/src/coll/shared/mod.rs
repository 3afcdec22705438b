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
//! **Large data** goes through the slots in chunks (`slots.rs`, `fold.rs`), and what a pair of members gives one another through places that
//! they swap (`swap.rs`). Where that is faster, it does not pass through the shared memory: heads carry addresses, and members read each
//! other's buffers (`direct.rs`). Such a call ends when nobody needs the caller's buffer any longer.
//!
//! **Waiting.** With a core for each rank, waiting is looking, with a look for messages now and then. With more ranks than cores the core is
//! given away at once, and after a while the process sleeps (`wait.rs`).
//!
//! **Different calls.** A head says to which call it belongs, with how many bytes and which root; a member that waits for it and is in another call
//! fails with `MPI_ERR_NOT_SAME` before it uses anything of it.
//!
//! Reductions fold the operands of all members in the order of ranks, element by element, wherever they are computed: the result is the same
//! on all of them, and the same whatever arrives first.
#![allow(unsafe_code)]

mod area;
mod direct;
mod establish;
mod fold;
mod rooted;
mod signature;
mod slots;
mod stream;
mod swap;
mod wait;

pub use area::Shared;
pub use establish::{MAX_MEMBERS, establish};

use crate::coll::call::{Call, Parts, Root};
use crate::coll::schedule::Data;
use crate::error::Result;

/// Bytes of data in a head.
const INLINE: usize = 48;
/// An all-reduction up to here is folded by every member in full.
const FOLDED_BY_ALL: usize = 4 << 10;
/// With more members than this, a root does not fold everything alone.
const FOLDED_BY_ROOT: usize = 16;
/// Elements wider than this are left to messages: a chunk must hold some.
const WIDEST: usize = 4 << 10;
/// With a core for each member, data from this size on does not pass through the shared memory: a line that another core has written is
/// slow to read, and a buffer that was written long ago is not.
const DIRECT: usize = 16 << 10;
impl Shared {
    /// Does a call if it is of those that are done here, which all members decide alike.
    pub fn run(&self, call: &Call) -> Option<Result<()>> {
        self.note_call(call);
        let direct = |bytes: usize| self.reads_processes() && !self.is_crowded() && bytes >= DIRECT;
        Some(match call {
            Call::Barrier => self.barrier(),
            Call::Bcast { data, root: Root::Rank(root) } => match self.size() == 2 && direct(data.bytes()) {
                true => self.bcast_direct(data, *root),
                false => self.bcast(data, *root),
            },
            Call::Reduce { mine, .. } | Call::Allreduce { mine, .. } if !may_chunk(mine) => return None,
            Call::Reduce { mine, result, op, root: Root::Rank(root) } => match self.size() {
                size if size > 2 && direct(mine.bytes()) => self.reduce_direct(mine, result.as_ref(), op, Some(*root)),
                ..=FOLDED_BY_ROOT => self.reduce(mine, result.as_ref(), op, *root),
                _ => self.reduce_by_shares(mine, result.as_ref(), op, Some(*root)),
            },
            Call::Allreduce { mine, result, op } => match mine.bytes() {
                ..=FOLDED_BY_ALL => self.allreduce(mine, result, op),
                _ if self.size() == 2 => self.allreduce(mine, result, op),
                bytes if direct(bytes) => self.reduce_direct(mine, Some(result), op, None),
                _ => self.reduce_by_shares(mine, Some(result), op, None),
            },
            Call::Gather { mine, all, root: Root::Rank(root), equal: true } => {
                return self.gather(mine.as_ref(), all.as_ref(), *root);
            }
            Call::Scatter { all, mine, root: Root::Rank(root), equal: true } => {
                return self.scatter(all.as_ref(), mine.as_ref(), *root);
            }
            Call::Scan { mine, result, op } | Call::Exscan { mine, result, op }
                if may_chunk(mine) && mine.bytes() <= FOLDED_BY_ALL && self.size() <= FOLDED_BY_ROOT =>
            {
                self.scan(mine, result, op, matches!(call, Call::Scan { .. }))
            }
            Call::ReduceScatter { mine, result, counts, op } if may_chunk(mine) && !direct(mine.bytes()) => {
                self.reduce_scatter(mine, result, counts, op)
            }
            Call::Allgather { mine, all: all @ Parts::Equal(blocks) } => {
                match self.size() > 2 && direct(blocks.bytes()) {
                    true => self.allgather_direct(mine.as_ref(), blocks),
                    false => self.allgather(mine.as_ref(), all),
                }
            }
            Call::Allgather { mine, all } if !direct(self.longest(all)) => self.allgather(mine.as_ref(), all),
            Call::Alltoall { out: Some(out @ Parts::Equal(_)), into: into @ Parts::Equal(_) } => {
                self.alltoall(out, into)
            }
            _ => return None,
        })
    }
}

/// Whether elements fill one run of bytes from their address on, and are not too wide. All members of a reduction have the same type.
fn may_chunk(data: &Data) -> bool {
    let narrow = data.datatype.as_ref().is_some_and(|datatype| (1..=WIDEST).contains(&datatype.size()));
    narrow && data.as_run().is_some_and(|run| run.address == data.address)
}
