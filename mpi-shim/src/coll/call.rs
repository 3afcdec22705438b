//! A collective as it was called, and the choice of the algorithm that writes its schedule.

use std::sync::Arc;

use crate::coll::algorithm::neighbor::Neighbors;
use crate::coll::algorithm::{
    allgather, allreduce, alltoall, barrier, bcast, gather, inter, neighbor, reduce, reduce_scatter, scan, scatter,
};
use crate::coll::schedule::{Blocks, Builder, Data, Schedule};
use crate::coll::select::{self, Allgather, Allreduce, Alltoall, Bcast, Reduce, ReduceScatter, Tree};
use crate::op::Op;

/// The root of a rooted collective, as one rank sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Root {
    /// That rank (of the remote group in an inter-communicator).
    Rank(usize),
    /// This rank, the other group being the receivers or senders (`MPI_ROOT`).
    Here,
    /// Another rank of this group of an inter-communicator: nothing to do (`MPI_PROC_NULL`).
    Elsewhere,
}

/// The parts of a buffer that belong to the ranks.
#[derive(Clone, Debug)]
pub enum Parts {
    /// Equal ones, one after the other.
    Equal(Blocks),
    /// One of its own place, size and type for each rank.
    Each(Vec<Data>),
}

impl Parts {
    /// Equal parts, of which this is the first.
    pub fn equal(first: Data) -> Parts {
        Parts::Equal(Blocks::new(first).in_bytes())
    }

    /// The part of a rank.
    pub fn of(&self, rank: usize) -> Data {
        match self {
            Parts::Equal(blocks) => blocks.of(rank),
            Parts::Each(parts) => parts[rank].clone(),
        }
    }
}

/// A collective. `None` for data stands for `MPI_IN_PLACE`, or for an argument that does not matter at this rank; `equal` says that the
/// parts of all ranks have the same size, which in a `v` call only the root could know.
#[derive(Clone, Debug)]
pub enum Call {
    /// `MPI_Barrier`
    Barrier,
    /// `MPI_Bcast`
    Bcast {
        /// What is sent at the root, and received elsewhere.
        data: Data,
        /// The root.
        root: Root,
    },
    /// `MPI_Gather` and `MPI_Gatherv`
    Gather {
        /// What this rank gives, or takes from a scatter.
        mine: Option<Data>,
        /// The parts of all ranks.
        all: Option<Parts>,
        /// The root.
        root: Root,
        /// Whether all parts have the same size.
        equal: bool,
    },
    /// `MPI_Scatter` and `MPI_Scatterv`
    Scatter {
        /// The parts of all ranks.
        all: Option<Parts>,
        /// What this rank gives, or takes from a scatter.
        mine: Option<Data>,
        /// The root.
        root: Root,
        /// Whether all parts have the same size.
        equal: bool,
    },
    /// `MPI_Allgather` and `MPI_Allgatherv`
    Allgather {
        /// What this rank gives, or takes from a scatter.
        mine: Option<Data>,
        /// The parts of all ranks.
        all: Parts,
    },
    /// `MPI_Alltoall`, `MPI_Alltoallv` and `MPI_Alltoallw`
    Alltoall {
        /// What goes to each rank.
        out: Option<Parts>,
        /// What comes from each rank.
        into: Parts,
    },
    /// `MPI_Reduce`
    Reduce {
        /// What this rank gives, or takes from a scatter.
        mine: Data,
        /// Where the result goes.
        result: Option<Data>,
        /// The operation.
        op: Arc<Op>,
        /// The root.
        root: Root,
    },
    /// `MPI_Allreduce`
    Allreduce {
        /// What this rank gives, or takes from a scatter.
        mine: Data,
        /// Where the result goes.
        result: Data,
        /// The operation.
        op: Arc<Op>,
    },
    /// `MPI_Reduce_scatter` and `MPI_Reduce_scatter_block`; `counts` are the elements of each rank of the local group.
    ReduceScatter {
        /// What this rank gives, or takes from a scatter.
        mine: Data,
        /// Where the result goes.
        result: Data,
        /// The elements of each rank.
        counts: Vec<usize>,
        /// The operation.
        op: Arc<Op>,
    },
    /// `MPI_Scan`
    Scan {
        /// What this rank gives, or takes from a scatter.
        mine: Data,
        /// Where the result goes.
        result: Data,
        /// The operation.
        op: Arc<Op>,
    },
    /// `MPI_Exscan`
    Exscan {
        /// What this rank gives, or takes from a scatter.
        mine: Data,
        /// Where the result goes.
        result: Data,
        /// The operation.
        op: Arc<Op>,
    },
    /// `MPI_Neighbor_allgather`, `MPI_Neighbor_alltoall` and their kin
    Neighbor {
        /// The neighbours.
        with: Neighbors,
        /// What goes to each rank.
        out: Parts,
        /// What comes from each rank.
        into: Parts,
    },
}

/// Where a rank stands in its communicator.
#[derive(Clone, Copy, Debug)]
pub struct Place {
    /// Its rank.
    pub rank: usize,
    /// Ranks of its group.
    pub size: usize,
    /// Ranks of the other group of an inter-communicator.
    pub remote: Option<usize>,
}

impl Call {
    /// What the rank at `place` has to do.
    pub fn schedule(&self, place: Place) -> Schedule {
        let mut builder = Builder::new(place.rank, place.size, self.op());
        match place.remote {
            Some(remote) => self.across(&mut builder, remote),
            None => self.within(&mut builder),
        }
        let mut schedule = builder.finish();
        schedule.name = self.name();
        schedule
    }

    /// The standard's name of the simplest form.
    pub fn name(&self) -> &'static str {
        match self {
            Call::Barrier => "MPI_Barrier",
            Call::Bcast { .. } => "MPI_Bcast",
            Call::Gather { .. } => "MPI_Gather",
            Call::Scatter { .. } => "MPI_Scatter",
            Call::Allgather { .. } => "MPI_Allgather",
            Call::Alltoall { .. } => "MPI_Alltoall",
            Call::Reduce { .. } => "MPI_Reduce",
            Call::Allreduce { .. } => "MPI_Allreduce",
            Call::ReduceScatter { .. } => "MPI_Reduce_scatter",
            Call::Scan { .. } => "MPI_Scan",
            Call::Exscan { .. } => "MPI_Exscan",
            Call::Neighbor { .. } => "a neighbourhood collective",
        }
    }

    /// The operation of a reduction.
    pub fn op(&self) -> Option<&Arc<Op>> {
        match self {
            Call::Reduce { op, .. }
            | Call::Allreduce { op, .. }
            | Call::ReduceScatter { op, .. }
            | Call::Scan { op, .. }
            | Call::Exscan { op, .. } => Some(op),
            _ => None,
        }
    }

    fn within(&self, builder: &mut Builder) {
        match self {
            Call::Barrier => barrier::dissemination(builder),
            Call::Bcast { data, root } => write_bcast(builder, data, root.rank()),
            Call::Gather { mine, all, root, equal } => {
                write_gather(builder, mine.as_ref(), all.as_ref(), root.rank(), *equal);
            }
            Call::Scatter { all, mine, root, equal } => {
                write_scatter(builder, all.as_ref(), mine.as_ref(), root.rank(), *equal);
            }
            Call::Allgather { mine, all } => write_allgather(builder, mine.as_ref(), all),
            Call::Alltoall { out, into } => write_alltoall(builder, out.as_ref(), into),
            Call::Reduce { mine, result, op, root } => {
                write_reduce(builder, mine, result.as_ref(), root.rank(), op.commutative);
            }
            Call::Allreduce { mine, result, op } => write_allreduce(builder, mine, result, op.commutative),
            Call::ReduceScatter { mine, result, counts, op } => {
                write_reduce_scatter(builder, mine, result, counts, op.commutative);
            }
            Call::Scan { mine, result, .. } => scan::inclusive(builder, mine, result),
            Call::Exscan { mine, result, .. } => scan::exclusive(builder, mine, result),
            Call::Neighbor { with, out, into } => neighbor::exchange(builder, with, &|i| out.of(i), &|i| into.of(i)),
        }
    }

    fn across(&self, builder: &mut Builder, remote: usize) {
        match self {
            Call::Barrier => inter::barrier(builder, remote),
            Call::Bcast { data, root } => {
                let same = Parts::Each(vec![data.clone(); remote]);
                inter::one_to_all(builder, remote, *root, Some(&same), Some(data));
            }
            Call::Gather { mine, all, root, .. } => {
                inter::all_to_one(builder, remote, *root, mine.as_ref(), all.as_ref())
            }
            Call::Scatter { all, mine, root, .. } => {
                inter::one_to_all(builder, remote, *root, all.as_ref(), mine.as_ref());
            }
            Call::Allgather { mine: Some(mine), all } => {
                inter::exchange(builder, remote, &|_| mine.clone(), &|rank| all.of(rank));
            }
            Call::Alltoall { out: Some(out), into } => {
                inter::exchange(builder, remote, &|rank| out.of(rank), &|rank| into.of(rank));
            }
            Call::Reduce { mine, result, root, .. } => inter::reduce(builder, remote, *root, mine, result.as_ref()),
            Call::Allreduce { mine, result, .. } => inter::allreduce(builder, remote, mine, result),
            Call::ReduceScatter { mine, result, counts, .. } => {
                inter::reduce_scatter(builder, remote, mine, result, counts);
            }
            // Not defined between groups: such calls are refused before.
            Call::Allgather { .. } | Call::Alltoall { .. } => {}
            Call::Scan { .. } | Call::Exscan { .. } | Call::Neighbor { .. } => {}
        }
    }
}

impl Root {
    /// The rank; an intracommunicator's root always is one.
    fn rank(self) -> usize {
        match self {
            Root::Rank(rank) => rank,
            Root::Here | Root::Elsewhere => 0,
        }
    }
}

pub(super) fn write_bcast(builder: &mut Builder, data: &Data, root: usize) {
    match select::bcast(data.bytes(), builder.size) {
        Bcast::Binomial => bcast::binomial(builder, data, root),
        Bcast::ScatterAllgather => bcast::scatter_allgather(builder, data, root),
        Bcast::Chain { segment } => bcast::chain(builder, data, root, segment),
    }
}

pub(super) fn write_gather(builder: &mut Builder, mine: Option<&Data>, all: Option<&Parts>, root: usize, equal: bool) {
    let all = all.filter(|_| builder.rank == root);
    let bytes = mine.map(Data::bytes).or(all.map(|all| all.of(root).bytes())).unwrap_or(0);
    match (all, select::gather(bytes, builder.size, equal)) {
        (Some(Parts::Equal(all)), Tree::Binomial) => gather::binomial(builder, mine, Some(all), root, bytes),
        (None, Tree::Binomial) => gather::binomial(builder, mine, None, root, bytes),
        (Some(all), _) => gather::linear(builder, mine, Some(&|rank| all.of(rank)), root),
        (None, _) => gather::linear(builder, mine, None, root),
    }
}

pub(super) fn write_scatter(builder: &mut Builder, all: Option<&Parts>, mine: Option<&Data>, root: usize, equal: bool) {
    let all = all.filter(|_| builder.rank == root);
    let bytes = mine.map(Data::bytes).or(all.map(|all| all.of(root).bytes())).unwrap_or(0);
    match (all, select::gather(bytes, builder.size, equal)) {
        (Some(Parts::Equal(all)), Tree::Binomial) => scatter::binomial(builder, Some(all), mine, root, bytes),
        (None, Tree::Binomial) => scatter::binomial(builder, None, mine, root, bytes),
        (Some(all), _) => scatter::linear(builder, Some(&|rank| all.of(rank)), mine, root),
        (None, _) => scatter::linear(builder, None, mine, root),
    }
}

pub(super) fn write_allgather(builder: &mut Builder, mine: Option<&Data>, all: &Parts) {
    if let Some(mine) = mine {
        builder.copy(mine.clone(), all.of(builder.rank));
    }
    let Parts::Equal(blocks) = all else {
        return allgather::ring(builder, &|rank| all.of(rank));
    };
    match select::allgather(blocks.bytes(), builder.size) {
        Allgather::RecursiveDoubling => allgather::recursive_doubling(builder, blocks),
        Allgather::Bruck => allgather::bruck(builder, blocks),
        Allgather::Ring => allgather::ring(builder, &|rank| all.of(rank)),
    }
}

pub(super) fn write_alltoall(builder: &mut Builder, out: Option<&Parts>, into: &Parts) {
    let kept;
    let out = match out {
        Some(out) => out,
        None => {
            kept = keep(builder, into);
            &kept
        }
    };
    if let (Parts::Equal(out), Parts::Equal(into)) = (out, into)
        && select::alltoall(into.bytes(), builder.size) == Alltoall::Bruck
    {
        return alltoall::bruck(builder, out, into);
    }
    alltoall::pairwise(builder, &|rank| out.of(rank), &|rank| into.of(rank));
}

/// What a call in place sends, kept from being overwritten by what it receives.
fn keep(builder: &mut Builder, parts: &Parts) -> Parts {
    let size = builder.size;
    let mut copied = |part: Data| {
        let copy = builder.scratch_run(part.bytes());
        builder.copy(part, copy.clone());
        copy
    };
    match parts {
        Parts::Equal(blocks) => {
            let all = copied(blocks.range(0, size));
            Parts::Equal(Blocks::new(all.elements(0, blocks.bytes())))
        }
        Parts::Each(parts) => Parts::Each(parts.iter().cloned().map(copied).collect()),
    }
}

pub(super) fn write_reduce(builder: &mut Builder, mine: &Data, result: Option<&Data>, root: usize, commutes: bool) {
    match select::reduce(mine, builder.size, commutes) {
        Reduce::Binomial => reduce::binomial(builder, mine, result, root, commutes),
        Reduce::Rabenseifner => reduce::rabenseifner(builder, mine, result, root),
    }
}

pub(super) fn write_allreduce(builder: &mut Builder, mine: &Data, result: &Data, commutes: bool) {
    match select::allreduce(mine, builder.size, commutes) {
        Allreduce::RecursiveDoubling => allreduce::recursive_doubling(builder, mine, result),
        Allreduce::Rabenseifner => allreduce::rabenseifner(builder, mine, result),
        Allreduce::Ring => allreduce::ring(builder, mine, result),
    }
}

pub(super) fn write_reduce_scatter(
    builder: &mut Builder,
    mine: &Data,
    result: &Data,
    counts: &[usize],
    commutes: bool,
) {
    let begins: Vec<usize> = counts
        .iter()
        .scan(0, |begin, count| {
            *begin += count;
            Some(*begin - count)
        })
        .collect();
    let part = |whole: &Data, rank: usize| whole.elements(begins[rank], counts[rank]);
    match select::reduce_scatter(mine, builder.size, commutes) {
        ReduceScatter::ByAllreduce => reduce_scatter::by_allreduce(builder, mine, &part, result),
        ReduceScatter::ByReduce => reduce_scatter::by_reduce(builder, mine, &part, result),
        ReduceScatter::Pairwise => reduce_scatter::pairwise(builder, mine, &part, result),
    }
}
