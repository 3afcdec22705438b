//! Communicators.
use super::argument::{set_text_and_length, text, value};
use super::group::{comparison, group_of, set_group};
use super::{mpi, set};
use crate::abi::{
    MPI_COMM_NULL, MPI_COMM_TYPE_HW_GUIDED, MPI_COMM_TYPE_HW_UNGUIDED, MPI_COMM_TYPE_RESOURCE_GUIDED,
    MPI_COMM_TYPE_SHARED, MPI_CONGRUENT, MPI_Comm, MPI_ERR_ARG, MPI_ERR_TAG, MPI_Errhandler, MPI_Group, MPI_IDENT,
    MPI_INFO_NULL, MPI_Info, MPI_MAX_OBJECT_NAME, MPI_Request, MPI_UNDEFINED,
};
use crate::comm::{self, Comm, Leader, Level};
use crate::errhandler::{Errhandler, Kind, Target};
use crate::error::{Error, Result};
use crate::info::Info;
use crate::p2p;
use crate::state;
use std::ffi::{CStr, CString, c_char, c_int};
use std::sync::Arc;

/// The key of an info object that names what the parts of a communicator share.
const RESOURCE: &CStr = c"mpi_hw_resource_type";
/// The one value of it that this library knows.
const SHARED_MEMORY: &CStr = c"mpi_shared_memory";

pub(super) fn comm_of(handle: MPI_Comm) -> Result<Arc<Comm>> {
    Ok(state::enter().comm(handle)?.comm.clone())
}

/// An optional info object of the caller.
pub(super) fn info_of(handle: MPI_Info) -> Result<Option<Info>> {
    if handle == MPI_INFO_NULL {
        return Ok(None);
    }
    state::enter().infos.get(handle).cloned().map(Some)
}

/// Writes the handle that a constructor gave: null where this process is not in the new communicator.
pub(super) fn set_made(place: *mut MPI_Comm, made: Option<MPI_Comm>) -> Result<()> {
    set(place, made.unwrap_or(MPI_COMM_NULL))
}

/// Writes a duplicate, and a request that is complete: no message was needed.
fn set_duplicate(comm: MPI_Comm, hints: Option<Info>, newcomm: *mut MPI_Comm, request: *mut MPI_Request) -> Result<()> {
    set(newcomm, comm::duplicate(comm, hints)?)?;
    set(request, p2p::COMPLETE)
}

/// The communicator of a handle that a call takes away.
fn behind(place: *const MPI_Comm) -> Target {
    value(place).map_or(Target::None, Target::Comm)
}

fn level(split_type: c_int, resource: Option<&CStr>) -> Result<Option<Level>> {
    match split_type {
        MPI_UNDEFINED => Ok(None),
        MPI_COMM_TYPE_SHARED => Ok(Some(Level::Node)),
        MPI_COMM_TYPE_HW_UNGUIDED => Ok(Some(Level::NextBelow)),
        MPI_COMM_TYPE_HW_GUIDED | MPI_COMM_TYPE_RESOURCE_GUIDED => {
            Ok(Some(if resource == Some(SHARED_MEMORY) { Level::Node } else { Level::Unknown }))
        }
        _ => Err(Error::new(MPI_ERR_ARG, format!("{split_type} is no split type"))),
    }
}

mpi! {
    /// The size of a communicator's group.
    fn MPI_Comm_size, PMPI_Comm_size(comm: MPI_Comm, size: *mut c_int) on comm, {
        set(size, state::enter().comm(comm)?.comm.group.size() as c_int)
    }

    /// This process's rank.
    fn MPI_Comm_rank, PMPI_Comm_rank(comm: MPI_Comm, rank: *mut c_int) on comm, {
        set(rank, state::enter().comm(comm)?.comm.rank as c_int)
    }

    /// The group.
    fn MPI_Comm_group, PMPI_Comm_group(comm: MPI_Comm, group: *mut MPI_Group) on comm, {
        set_group(group, comm_of(comm)?.group.clone())
    }

    /// Whether it is an inter-communicator.
    fn MPI_Comm_test_inter, PMPI_Comm_test_inter(comm: MPI_Comm, flag: *mut c_int) on comm, {
        set(flag, state::enter().comm(comm)?.comm.remote.is_some().into())
    }

    /// The size of the other group of an inter-communicator.
    fn MPI_Comm_remote_size, PMPI_Comm_remote_size(comm: MPI_Comm, size: *mut c_int) on comm, {
        set(size, state::enter().comm(comm)?.comm.require_inter()?.size() as c_int)
    }

    /// The other group of an inter-communicator.
    fn MPI_Comm_remote_group, PMPI_Comm_remote_group(comm: MPI_Comm, group: *mut MPI_Group) on comm, {
        set_group(group, comm_of(comm)?.require_inter()?.clone())
    }

    /// How two communicators relate.
    fn MPI_Comm_compare, PMPI_Comm_compare(comm1: MPI_Comm, comm2: MPI_Comm, result: *mut c_int) on comm1, {
        let relation = comm_of(comm1)?.compare(&*comm_of(comm2)?);
        set(result, if comm1 == comm2 { MPI_IDENT } else { comparison(relation, MPI_CONGRUENT) })
    }

    /// A communicator of the same processes.
    fn MPI_Comm_dup, PMPI_Comm_dup(comm: MPI_Comm, newcomm: *mut MPI_Comm) on comm, {
        set(newcomm, comm::duplicate(comm, None)?)
    }

    /// The same with hints.
    fn MPI_Comm_dup_with_info, PMPI_Comm_dup_with_info(
        comm: MPI_Comm, info: MPI_Info, newcomm: *mut MPI_Comm
    ) on comm, {
        set(newcomm, comm::duplicate(comm, info_of(info)?)?)
    }

    /// A communicator of the same processes, without waiting.
    fn MPI_Comm_idup, PMPI_Comm_idup(comm: MPI_Comm, newcomm: *mut MPI_Comm, request: *mut MPI_Request) on comm, {
        set_duplicate(comm, None, newcomm, request)
    }

    /// The same with hints.
    fn MPI_Comm_idup_with_info, PMPI_Comm_idup_with_info(
        comm: MPI_Comm, info: MPI_Info, newcomm: *mut MPI_Comm, request: *mut MPI_Request
    ) on comm, {
        set_duplicate(comm, info_of(info)?, newcomm, request)
    }

    /// A communicator of some of the processes; all of the old one call this.
    fn MPI_Comm_create, PMPI_Comm_create(comm: MPI_Comm, group: MPI_Group, newcomm: *mut MPI_Comm) on comm, {
        set_made(newcomm, comm::create(comm, group_of(group)?)?)
    }

    /// A communicator of some of the processes; only these call this.
    fn MPI_Comm_create_group, PMPI_Comm_create_group(
        comm: MPI_Comm, group: MPI_Group, tag: c_int, newcomm: *mut MPI_Comm
    ) on comm, {
        if !(0..=p2p::TAG_UB).contains(&tag) {
            return Err(Error::new(MPI_ERR_TAG, format!("the tag {tag}; it must be 0 to MPI_TAG_UB")));
        }
        set_made(newcomm, comm::create_group(comm, group_of(group)?, tag)?)
    }

    /// A communicator of a group, without another one to start from.
    fn MPI_Comm_create_from_group, PMPI_Comm_create_from_group(
        group: MPI_Group, stringtag: *const c_char, _info: MPI_Info, errhandler: MPI_Errhandler, newcomm: *mut MPI_Comm
    ) on errhandler, {
        let handler = Errhandler::of_handle(&state::enter(), errhandler, Kind::Comm)?;
        set_made(newcomm, comm::create_from_group(group_of(group)?, text(stringtag)?, handler)?)
    }

    /// Parts of a communicator.
    fn MPI_Comm_split, PMPI_Comm_split(comm: MPI_Comm, color: c_int, key: c_int, newcomm: *mut MPI_Comm) on comm, {
        set_made(newcomm, comm::split(comm, color, key)?)
    }

    /// Parts that share something.
    fn MPI_Comm_split_type, PMPI_Comm_split_type(
        comm: MPI_Comm, split_type: c_int, key: c_int, info: MPI_Info, newcomm: *mut MPI_Comm
    ) on comm, {
        let hints = info_of(info)?.unwrap_or_default();
        let made = comm::split_by_level(comm, level(split_type, hints.get(RESOURCE)?)?, key)?;
        if split_type == MPI_COMM_TYPE_HW_UNGUIDED && made.is_some() && info != MPI_INFO_NULL {
            state::enter().infos.get_mut(info)?.set(RESOURCE, SHARED_MEMORY)?;
        }
        set_made(newcomm, made)
    }

    /// Frees a communicator.
    fn MPI_Comm_free, PMPI_Comm_free(comm: *mut MPI_Comm) on behind(comm), {
        comm::free(value(comm)?)?;
        set(comm, MPI_COMM_NULL)
    }

    /// Frees a communicator when all its processes are here.
    fn MPI_Comm_disconnect, PMPI_Comm_disconnect(comm: *mut MPI_Comm) on behind(comm), {
        comm::disconnect(value(comm)?)?;
        set(comm, MPI_COMM_NULL)
    }

    /// Connects two groups.
    fn MPI_Intercomm_create, PMPI_Intercomm_create(
        local_comm: MPI_Comm, local_leader: c_int, peer_comm: MPI_Comm, remote_leader: c_int, tag: c_int,
        newintercomm: *mut MPI_Comm,
    ) on local_comm, {
        let leader = Leader { peer: peer_comm, remote: remote_leader, tag };
        set(newintercomm, comm::create_inter(local_comm, local_leader, leader)?)
    }

    /// Connects two groups, without a communicator to start from.
    fn MPI_Intercomm_create_from_groups, PMPI_Intercomm_create_from_groups(
        local_group: MPI_Group, local_leader: c_int, remote_group: MPI_Group, remote_leader: c_int,
        stringtag: *const c_char, _info: MPI_Info, errhandler: MPI_Errhandler, newintercomm: *mut MPI_Comm,
    ) on errhandler, {
        let handler = Errhandler::of_handle(&state::enter(), errhandler, Kind::Comm)?;
        let (local, tag) = (group_of(local_group)?, text(stringtag)?);
        let remote = || {
            let remote = group_of(remote_group)?;
            // The other leader is not asked anything, but it must be there.
            remote.translate(remote_leader, &remote)?;
            Ok(remote)
        };
        set(newintercomm, comm::create_inter_from_groups(local, local_leader, remote, tag, handler)?)
    }

    /// The intra-communicator of both groups.
    fn MPI_Intercomm_merge, PMPI_Intercomm_merge(
        intercomm: MPI_Comm, high: c_int, newintracomm: *mut MPI_Comm
    ) on intercomm, {
        set(newintracomm, comm::merge(intercomm, high != 0)?)
    }

    /// Names a communicator. A name that is too long is cut.
    fn MPI_Comm_set_name, PMPI_Comm_set_name(comm: MPI_Comm, comm_name: *const c_char) on comm, {
        let name = text(comm_name)?.to_bytes();
        let name = CString::new(&name[..name.len().min(MPI_MAX_OBJECT_NAME as usize - 1)]).unwrap_or_default();
        let mut state = state::enter();
        state.comm(comm)?;
        state.comms.get_mut(comm)?.name = name;
        Ok(())
    }

    /// The name of a communicator.
    fn MPI_Comm_get_name, PMPI_Comm_get_name(
        comm: MPI_Comm, comm_name: *mut c_char, resultlen: *mut c_int
    ) on comm, {
        let name = match comm {
            MPI_COMM_NULL => c"MPI_COMM_NULL".to_owned(),
            _ => state::enter().comm(comm)?.name.clone(),
        };
        set_text_and_length(comm_name, MPI_MAX_OBJECT_NAME, &name, resultlen)
    }

    /// Sets hints.
    fn MPI_Comm_set_info, PMPI_Comm_set_info(comm: MPI_Comm, info: MPI_Info) on comm, {
        let hints = info_of(info)?.unwrap_or_default();
        let mut state = state::enter();
        state.comm(comm)?;
        let known = &mut state.comms.get_mut(comm)?.info;
        hints.iter().try_for_each(|(key, value)| known.set(key, value))
    }

    /// The hints of a communicator.
    fn MPI_Comm_get_info, PMPI_Comm_get_info(comm: MPI_Comm, info_used: *mut MPI_Info) on comm, {
        let mut state = state::enter();
        let hints = state.comm(comm)?.info.clone();
        set(info_used, state.infos.insert(hints))
    }

    /// The communicator of those who started this process: none, as nobody can.
    fn MPI_Comm_get_parent, PMPI_Comm_get_parent(parent: *mut MPI_Comm) on (), { set(parent, MPI_COMM_NULL) }
}
