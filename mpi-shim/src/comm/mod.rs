//! Communicators: a group, and a context that keeps its messages apart from all others'.
mod construct;
mod context;
mod exchange;
mod inter;
mod split;
#[cfg(test)]
mod tests;

use crate::abi::{MPI_ERR_COMM, MPI_ERR_RANK, MPI_ERR_TOPOLOGY};
use crate::coll::Collectives;
use crate::errhandler::Errhandler;
use crate::error::{Error, Result};
use crate::group::{Comparison, Group};
use crate::info::Info;
use crate::topology::{Neighbours, Topology};
use std::ffi::{CStr, CString};
use std::sync::Arc;

pub use construct::{
    create, create_from_group, create_group, disconnect, duplicate, free, with_named_edges, with_topology,
};
pub use context::{WORLD, own};
pub use exchange::Circle;
pub use inter::{Leader, create_inter, create_inter_from_groups, merge};
pub use split::{Level, split, split_by_level, split_grid};

/// A communicator, as far as it never changes.
#[derive(Debug, Default)]
pub struct Comm {
    /// What its messages are told apart by: see `comm/context.rs`.
    pub context: u64,
    /// This process's rank in `group`.
    pub rank: usize,
    /// The (local) group.
    pub group: Arc<Group>,
    /// The other group of an inter-communicator.
    pub remote: Option<Arc<Group>>,
    /// An intra-communicator of the local group of an inter-communicator, for what its collectives do among
    /// themselves. It has no handle.
    pub local: Option<Arc<Comm>>,
    /// Who is whose neighbour.
    pub topology: Option<Topology>,
    /// Numbers its collectives, and holds the memory that they share.
    pub collectives: Collectives,
}

/// What a handle of a communicator stands for.
#[derive(Debug)]
pub struct CommEntry {
    /// What never changes; operations under way hold it.
    pub comm: Arc<Comm>,
    /// Its error handler.
    pub errhandler: Errhandler,
    /// Its name.
    pub name: CString,
    /// The hints that it was given.
    pub info: Info,
    /// How many communicators were made from it: the same number on all its processes.
    children: u64,
}

impl CommEntry {
    /// A new handle's worth, with the defaults.
    pub fn new(comm: Comm) -> CommEntry {
        CommEntry {
            comm: Arc::new(comm),
            errhandler: Errhandler::Fatal,
            name: CString::default(),
            info: Info::new(),
            children: 0,
        }
    }

    /// The same with a name.
    pub fn named(comm: Comm, name: &CStr) -> CommEntry {
        CommEntry { name: name.to_owned(), ..CommEntry::new(comm) }
    }
}

impl Comm {
    /// An intra-communicator.
    pub fn intra(context: u64, rank: usize, group: Arc<Group>) -> Comm {
        Comm { context, rank, group, ..Comm::default() }
    }

    /// An inter-communicator.
    pub fn inter(context: u64, rank: usize, group: Arc<Group>, remote: Arc<Group>) -> Comm {
        let local = context::of_words([context, group.members()[0].into()]);
        let local = Some(Arc::new(Comm::intra(local, rank, group.clone())));
        Comm { context, rank, group, remote: Some(remote), local, ..Comm::default() }
    }

    /// The group that messages go to and come from: the remote one of an inter-communicator.
    #[inline]
    pub fn peers(&self) -> &Group {
        self.remote.as_deref().unwrap_or(&self.group)
    }

    /// The process of a rank among the peers.
    #[inline]
    pub fn process(&self, rank: i32) -> Result<u32> {
        let peers = self.peers();
        usize::try_from(rank).ok().and_then(|rank| peers.members().get(rank)).copied().ok_or_else(|| {
            Error::new(MPI_ERR_RANK, format!("rank {rank} is outside of a communicator of {}", peers.size()))
        })
    }

    /// This process.
    pub fn me(&self) -> u32 {
        self.group.members()[self.rank]
    }

    /// Whom the neighbourhood collectives of this process talk to.
    pub fn neighbours(&self) -> Result<Neighbours> {
        let missing = || Error::new(MPI_ERR_TOPOLOGY, "a communicator without topology has no neighbours");
        Ok(self.topology.as_ref().ok_or_else(missing)?.neighbours(self.rank))
    }

    /// The error of a call that is for intra-communicators only.
    pub fn require_intra(&self) -> Result<()> {
        match self.remote {
            None => Ok(()),
            Some(_) => Err(Error::new(MPI_ERR_COMM, "an inter-communicator, where an intra-communicator is expected")),
        }
    }

    /// The remote group; the error of a call that is for inter-communicators only.
    pub fn require_inter(&self) -> Result<&Arc<Group>> {
        let missing = || Error::new(MPI_ERR_COMM, "an intra-communicator, where an inter-communicator is expected");
        self.remote.as_ref().ok_or_else(missing)
    }

    /// How the groups of two communicators compare.
    pub fn compare(&self, other: &Comm) -> Comparison {
        let groups = self.group.compare(&other.group);
        match (&self.remote, &other.remote) {
            (None, None) => groups,
            (Some(one), Some(two)) => match (groups, one.compare(two)) {
                (Comparison::Unequal, _) | (_, Comparison::Unequal) => Comparison::Unequal,
                (Comparison::Identical, Comparison::Identical) => Comparison::Identical,
                _ => Comparison::Similar,
            },
            _ => Comparison::Unequal,
        }
    }
}
