//! What a member's head says of the call that it belongs to, so that members who call different collectives find that out before they use one
//! another's data.
//!
//! ```text
//! bit 0…14    the core where the member ran, counted from 1; 0 if it did not look
//!     15      whether places are crossed: see `swap`
//!     16…23   the root, where there is one
//!     24…27   the call
//!     28…63   bytes of a member's block
//! ```

use crate::abi::MPI_ERR_NOT_SAME;
use crate::coll::call::{Call, Parts, Root};
use crate::coll::schedule::Data;
use crate::error::Error;

/// The bits of the core.
pub(super) const CORE: u64 = 0x7fff;
/// The bit of crossed places.
pub(super) const CROSSED: u64 = 1 << 15;

/// The calls that are made here; their numbers are their places.
const CALLS: [&str; 13] = [
    "",
    "MPI_Barrier",
    "MPI_Bcast",
    "MPI_Reduce",
    "MPI_Allreduce",
    "MPI_Allgather",
    "MPI_Alltoall",
    "MPI_Gather",
    "MPI_Scatter",
    "MPI_Scan",
    "MPI_Exscan",
    "MPI_Reduce_scatter",
    "MPI_Allgatherv",
];
const BCAST: u64 = 2;
const REDUCE: u64 = 3;
const GATHER: u64 = 7;
const SCATTER: u64 = 8;

/// A call's bits, but for those of the core.
#[inline]
pub(super) fn of(call: &Call) -> u64 {
    let root = |root: &Root| if let Root::Rank(rank) = root { *rank } else { 0 };
    let block = |parts: &Parts| if let Parts::Equal(blocks) = parts { blocks.bytes() } else { 0 };
    // Others than the root may have named anything as the parts of all.
    let rooted = |mine: &Option<Data>, all: &Option<Parts>| match (mine, all) {
        (Some(mine), _) => mine.bytes(),
        (None, Some(all)) => block(all),
        (None, None) => 0,
    };
    let (number, bytes, root) = match call {
        Call::Barrier => (1, 0, 0),
        Call::Bcast { data, root: from } => (BCAST, data.bytes(), root(from)),
        Call::Reduce { mine, root: to, .. } => (REDUCE, mine.bytes(), root(to)),
        Call::Allreduce { mine, .. } => (4, mine.bytes(), 0),
        Call::Gather { mine, all, root: to, equal: true } => (GATHER, rooted(mine, all), root(to)),
        Call::Scatter { all, mine, root: from, equal: true } => (SCATTER, rooted(mine, all), root(from)),
        Call::Scan { mine, .. } => (9, mine.bytes(), 0),
        Call::Exscan { mine, .. } => (10, mine.bytes(), 0),
        Call::ReduceScatter { mine, .. } => (11, mine.bytes(), 0),
        Call::Allgather { all: Parts::Each(blocks), .. } => (12, blocks.iter().map(Data::bytes).sum(), 0),
        Call::Allgather { mine, all } => (5, mine.as_ref().map_or_else(|| block(all), Data::bytes), 0),
        Call::Alltoall { into, .. } => (6, block(into), 0),
        _ => (0, 0, 0),
    };
    (bytes as u64).min((1 << 36) - 1) << 28 | number << 24 | (root as u64 & 0xff) << 16
}

/// The error of a member that calls something else than this process.
#[cold]
pub(super) fn mismatch(rank: usize, theirs: u64, ours: u64) -> Error {
    let text = format!("this rank calls {}, and rank {rank} {}", in_words(ours), in_words(theirs));
    Error::new(MPI_ERR_NOT_SAME, text)
}

fn in_words(bits: u64) -> String {
    let (bytes, number, root) = (bits >> 28, bits >> 24 & 0xf, bits >> 16 & 0xff);
    let name = CALLS.get(number as usize).copied().unwrap_or("");
    match number {
        1 => name.to_owned(),
        BCAST | REDUCE | GATHER | SCATTER => format!("{name} with {bytes} bytes and root {root}"),
        _ => format!("{name} with {bytes} bytes for each rank"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::coll::schedule::run;

    #[test]
    fn calls_differ_by_name_bytes_and_root() {
        let bcast = |bytes, root| of(&Call::Bcast { data: run(64, bytes), root: Root::Rank(root) });
        let all = [of(&Call::Barrier), bcast(8, 0), bcast(16, 0), bcast(8, 255)];
        for (index, bits) in all.iter().enumerate() {
            assert_eq!(bits & (CORE | CROSSED), 0);
            assert!(all[..index].iter().all(|other| other != bits));
        }
        let expected = "this rank calls MPI_Barrier, and rank 3 MPI_Bcast with 8 bytes and root 255";
        assert_eq!(mismatch(3, all[3], all[0]).text, expected);
        assert_eq!(bcast(1 << 40, 0), bcast(1 << 41, 0));
    }
}
