//! Communicators: a group, and a context that keeps its messages apart from all others'.
use crate::abi::{MPI_ERR_RANK, MPI_ERRORS_ARE_FATAL, MPI_Errhandler};
use crate::error::{Error, Result};
use crate::group::Group;
use std::sync::Arc;

/// A communicator, as far as it never changes.
#[derive(Debug)]
pub struct Comm {
    /// Unique among the communicators of the job's processes: the number of the process that leads its group << 28,
    /// and a counter of that process.
    pub context: u64,
    /// This process's rank in `group`.
    pub rank: usize,
    /// The (local) group.
    pub group: Arc<Group>,
    /// The other group of an inter-communicator.
    pub remote: Option<Arc<Group>>,
}

/// What a handle of a communicator stands for.
#[derive(Debug)]
pub struct CommEntry {
    /// What never changes; operations under way hold it.
    pub comm: Arc<Comm>,
    /// Its error handler.
    pub errhandler: MPI_Errhandler,
}

impl CommEntry {
    /// A new handle's worth, with the defaults.
    pub fn new(comm: Comm) -> CommEntry {
        CommEntry { comm: Arc::new(comm), errhandler: MPI_ERRORS_ARE_FATAL }
    }
}

impl Comm {
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
}
