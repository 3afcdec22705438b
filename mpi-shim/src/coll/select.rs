//! Which algorithm serves which call. Every rank must come to the same choice, so only what all of them know may decide: the bytes of
//! the values, the number of ranks, and whether the operation commutes.
//!
//! | collective | short | middle | long |
//! |---|---|---|---|
//! | barrier | dissemination | | |
//! | bcast | binomial tree | scatter, then ring | chain of segments |
//! | gather, scatter | binomial tree | linear | linear |
//! | allgather | recursive doubling (n = 2^k), Bruck | ring | ring |
//! | alltoall | Bruck | pairwise | pairwise |
//! | reduce | binomial tree | Rabenseifner | Rabenseifner |
//! | allreduce | recursive doubling | Rabenseifner | ring |
//! | reduce_scatter | by an allreduce | pairwise | pairwise |
//! | scan, exscan | doubling | doubling | doubling |
//!
//! `v` and `w` forms are linear, pairwise or rings: no rank but one may know all sizes. Operations that do not commute take the algorithms
//! that keep the order of ranks whatever the size.

use crate::coll::schedule::Data;

/// A broadcast's algorithm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bcast {
    /// [`binomial`](super::algorithm::bcast::binomial)
    Binomial,
    /// [`scatter_allgather`](super::algorithm::bcast::scatter_allgather)
    ScatterAllgather,
    /// [`chain`](super::algorithm::bcast::chain)
    Chain {
        /// Bytes that move on at a time.
        segment: usize,
    },
}

/// How blocks come to a root or from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tree {
    /// Directly.
    Linear,
    /// Through a binomial tree.
    Binomial,
}

/// An all-gather's algorithm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Allgather {
    /// [`recursive_doubling`](super::algorithm::allgather::recursive_doubling)
    RecursiveDoubling,
    /// [`bruck`](super::algorithm::allgather::bruck)
    Bruck,
    /// [`ring`](super::algorithm::allgather::ring)
    Ring,
}

/// An all-to-all's algorithm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Alltoall {
    /// [`bruck`](super::algorithm::alltoall::bruck)
    Bruck,
    /// [`pairwise`](super::algorithm::alltoall::pairwise)
    Pairwise,
}

/// A reduction's algorithm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reduce {
    /// [`binomial`](super::algorithm::reduce::binomial)
    Binomial,
    /// [`rabenseifner`](super::algorithm::reduce::rabenseifner)
    Rabenseifner,
}

/// An all-reduction's algorithm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Allreduce {
    /// [`recursive_doubling`](super::algorithm::allreduce::recursive_doubling)
    RecursiveDoubling,
    /// [`rabenseifner`](super::algorithm::allreduce::rabenseifner)
    Rabenseifner,
    /// [`ring`](super::algorithm::allreduce::ring)
    Ring,
}

/// The algorithm of a reduction whose result is divided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReduceScatter {
    /// [`by_allreduce`](super::algorithm::reduce_scatter::by_allreduce)
    ByAllreduce,
    /// [`by_reduce`](super::algorithm::reduce_scatter::by_reduce)
    ByReduce,
    /// [`pairwise`](super::algorithm::reduce_scatter::pairwise)
    Pairwise,
}

/// For a broadcast of `bytes` bytes.
pub fn bcast(bytes: usize, size: usize) -> Bcast {
    match bytes {
        ..12_288 => Bcast::Binomial,
        _ if size < 4 => Bcast::Binomial,
        12_288..1_048_576 => Bcast::ScatterAllgather,
        _ => Bcast::Chain { segment: 131_072 },
    }
}

/// For a gather or a scatter of `bytes` bytes a rank.
pub fn gather(bytes: usize, size: usize, equal: bool) -> Tree {
    if equal && size > 4 && bytes <= 2048 { Tree::Binomial } else { Tree::Linear }
}

/// For an all-gather of `bytes` bytes a rank.
pub fn allgather(bytes: usize, size: usize) -> Allgather {
    match bytes * size {
        ..81_920 if size.is_power_of_two() => Allgather::RecursiveDoubling,
        ..81_920 => Allgather::Bruck,
        _ => Allgather::Ring,
    }
}

/// For an all-to-all of `bytes` bytes from each to each.
pub fn alltoall(bytes: usize, size: usize) -> Alltoall {
    if size >= 8 && bytes <= 256 { Alltoall::Bruck } else { Alltoall::Pairwise }
}

/// For a reduction of elements like `data`.
pub fn reduce(data: &Data, size: usize, commutes: bool) -> Reduce {
    match commutes && data.bytes() >= 16_384 && data.count >= size {
        true => Reduce::Rabenseifner,
        false => Reduce::Binomial,
    }
}

/// For an all-reduction of elements like `data`.
pub fn allreduce(data: &Data, size: usize, commutes: bool) -> Allreduce {
    match data.bytes() {
        _ if !commutes || data.count < size || size < 3 => Allreduce::RecursiveDoubling,
        ..8192 => Allreduce::RecursiveDoubling,
        8192..1_048_576 => Allreduce::Rabenseifner,
        _ => Allreduce::Ring,
    }
}

/// For a divided reduction of elements like `data`, those of all ranks.
pub fn reduce_scatter(data: &Data, size: usize, commutes: bool) -> ReduceScatter {
    match (data.bytes() / size.max(1), commutes) {
        (..1024, _) => ReduceScatter::ByAllreduce,
        (_, true) => ReduceScatter::Pairwise,
        (_, false) => ReduceScatter::ByReduce,
    }
}
