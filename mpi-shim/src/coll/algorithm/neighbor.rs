//! Exchanges with the neighbours of a topology.

use crate::coll::schedule::{Builder, Data};

/// The neighbours of a rank, in the order of the blocks of a call; `None` stands for a missing one (`MPI_PROC_NULL`).
#[derive(Clone, Debug, Default)]
pub struct Neighbors {
    /// From whom block i of the receive buffer comes.
    pub sources: Vec<Option<usize>>,
    /// To whom block i of the send buffer goes.
    pub destinations: Vec<Option<usize>>,
    /// Neighbours come in pairs, one before and one after in each dimension. What goes to the one before arrives at it from its
    /// neighbour after; so when both are the same rank, receives are taken in the other order than sends.
    pub cartesian: bool,
}

/// Sends `out(i)` to destination i and receives `into(i)` from source i.
pub fn exchange(builder: &mut Builder, with: &Neighbors, out: &dyn Fn(usize) -> Data, into: &dyn Fn(usize) -> Data) {
    for index in 0..with.sources.len() {
        let slot = if with.cartesian { index ^ 1 } else { index };
        if let Some(from) = with.sources[slot] {
            builder.receive_some(from, into(slot));
        }
    }
    for (slot, to) in with.destinations.iter().enumerate() {
        if let Some(to) = to {
            builder.send_some(*to, out(slot));
        }
    }
    builder.wait();
}
