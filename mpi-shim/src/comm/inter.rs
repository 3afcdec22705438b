//! Inter-communicators: two groups that talk to one another.
use super::construct::{Birth, install, members_from_bytes, members_to_bytes, repeated_context, text_to_words};
use super::exchange::{Circle, swap};
use super::{Comm, context};
use crate::abi::{MPI_Comm, MPI_ERR_ARG, MPI_ERR_COMM, MPI_ERR_GROUP, MPI_ERR_OTHER, MPI_ERR_RANK};
use crate::errhandler::Errhandler;
use crate::error::{Error, Result};
use crate::group::Group;
use crate::p2p;
use crate::state;
use std::ffi::{CStr, c_int};
use std::sync::Arc;

/// What the leader of a local group knows of the other group.
#[derive(Clone, Copy, Debug)]
pub struct Leader {
    /// A communicator of both leaders.
    pub peer: MPI_Comm,
    /// The other leader's rank in it.
    pub remote: c_int,
    /// Tells this call from others between the same leaders.
    pub tag: c_int,
}

/// Connects the groups of two communicators. `leader` counts only in the process with the rank `local_leader`.
pub fn create_inter(local: MPI_Comm, local_leader: c_int, leader: Leader) -> Result<MPI_Comm> {
    let birth = Birth::of(&mut state::enter(), local)?;
    let comm = birth.parent.clone();
    comm.require_intra()?;
    let root = checked_rank(local_leader, &comm.group)?;
    let (mut told, mut failure) = (Vec::new(), None);
    if comm.rank == root {
        // The others wait for their leader: it must tell them of its failure too.
        match meet(&comm, leader) {
            Ok(bytes) => told = bytes,
            Err(error) => failure = Some(error),
        }
    }
    Circle::new(&comm, birth.number).broadcast(root, &mut told)?;
    if let Some(error) = failure {
        return Err(error);
    }
    let Some((context, members)) = told.split_first_chunk() else {
        return Err(Error::new(MPI_ERR_OTHER, format!("rank {local_leader}, the leader, failed to reach the other")));
    };
    let remote = members_from_bytes(members);
    require_disjoint(&comm.group, &remote)?;
    let context = u64::from_le_bytes(*context);
    birth.install(Comm::inter(context, comm.rank, comm.group.clone(), Arc::new(remote)))
}

/// The leaders tell one another a context and their groups; the context of the lower one is taken.
fn meet(comm: &Comm, leader: Leader) -> Result<Vec<u8>> {
    let (peer, own) = {
        let mut state = state::enter();
        let peer = state.comm(leader.peer)?.comm.clone();
        (peer, context::fresh(&mut state, comm.me()))
    };
    if !(0..=p2p::TAG_UB).contains(&leader.tag) {
        return Err(Error::new(crate::abi::MPI_ERR_TAG, format!("the tag {}; it must be 0 to MPI_TAG_UB", leader.tag)));
    }
    let other = peer.process(leader.remote)?;
    if other == comm.me() {
        return Err(Error::new(MPI_ERR_RANK, format!("rank {} is this process, not the other leader", leader.remote)));
    }
    let mut message = own.to_le_bytes().to_vec();
    message.extend(members_to_bytes(&comm.group));
    let mut theirs = swap(&peer, leader.remote, leader.tag, &message)?;
    if comm.me() < other && theirs.len() >= 8 {
        theirs[..8].copy_from_slice(&own.to_le_bytes());
    }
    Ok(theirs)
}

/// Connects two groups, without a communicator to start from. `remote` counts only in the leader.
pub fn create_inter_from_groups(
    group: Arc<Group>,
    local_leader: c_int,
    remote: impl FnOnce() -> Result<Arc<Group>>,
    tag: &CStr,
    errhandler: Errhandler,
) -> Result<MPI_Comm> {
    let (rank, context) = {
        let mut state = state::enter();
        let me = state.running()?.rank;
        let outside = || Error::new(MPI_ERR_GROUP, "the local group does not contain this process");
        let rank = group.rank_of(me).ok_or_else(outside)?;
        (rank, repeated_context(&mut state, text_to_words(tag), &group))
    };
    let root = checked_rank(local_leader, &group)?;
    let local = Comm::intra(context, rank, group.clone());
    let (mut told, mut failure) = (Vec::new(), None);
    if rank == root {
        match remote() {
            Ok(remote) => told = members_to_bytes(&remote),
            Err(error) => failure = Some(error),
        }
    }
    Circle::new(&local, 0).broadcast(root, &mut told)?;
    if let Some(error) = failure {
        return Err(error);
    }
    let remote = members_from_bytes(&told);
    if remote.size() == 0 {
        return Err(Error::new(MPI_ERR_GROUP, "an empty remote group"));
    }
    require_disjoint(&group, &remote)?;
    let mut state = state::enter();
    // Both sides must find the same context: the group with the lower first process comes first.
    let ours_first = group.members()[0] < remote.members()[0];
    let joined = if ours_first { group.union(&remote) } else { remote.union(&group) };
    let split = if ours_first { group.size() } else { remote.size() };
    let context = repeated_context(&mut state, text_to_words(tag).chain([split as u64]), &joined);
    install(&mut state, Comm::inter(context, rank, group, Arc::new(remote)), errhandler)
}

/// The intra-communicator of both groups of an inter-communicator, the group that says `high` last.
pub fn merge(inter: MPI_Comm, high: bool) -> Result<MPI_Comm> {
    let birth = Birth::of(&mut state::enter(), inter)?;
    let comm = birth.parent.clone();
    let remote = comm.require_inter()?;
    let Some(local) = comm.local.as_deref() else { return Err(Error::new(MPI_ERR_COMM, "no local communicator")) };
    let mut theirs = Vec::new();
    if comm.rank == 0 {
        theirs = swap(&comm, 0, (birth.number & 0x3fff_ffff) as i32, &[u8::from(high)])?;
    }
    Circle::new(local, birth.number).broadcast(0, &mut theirs)?;
    let theirs_high = theirs.first() == Some(&1);
    let first = if high == theirs_high { comm.group.members()[0] < remote.members()[0] } else { !high };
    let joined = if first { comm.group.union(remote) } else { remote.union(&comm.group) };
    let made = birth.intra(Arc::new(joined), None)?;
    made.ok_or_else(|| Error::new(MPI_ERR_COMM, "a process outside of its own group"))
}

fn checked_rank(rank: c_int, group: &Group) -> Result<usize> {
    let found = usize::try_from(rank).ok().filter(|&rank| rank < group.size());
    let text = || format!("the local leader {rank} is outside of a group of {}", group.size());
    found.ok_or_else(|| Error::new(MPI_ERR_RANK, text()))
}

fn require_disjoint(group: &Group, remote: &Group) -> Result<()> {
    match remote.members().iter().find(|&&process| group.contains(process)) {
        None => Ok(()),
        Some(process) => Err(Error::new(MPI_ERR_ARG, format!("process {process} is in both groups"))),
    }
}
