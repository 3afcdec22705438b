//! Probes, and receives of what a matched probe found.
use super::integer::forms;
use super::message::{Arguments, check_tag, set_status};
use super::{mpi, set};
use crate::abi::{
    MPI_Comm, MPI_Datatype, MPI_MESSAGE_NO_PROC, MPI_MESSAGE_NULL, MPI_Message, MPI_PROC_NULL, MPI_Request, MPI_Status,
};
use crate::error::Result;
use crate::p2p::{self, Awaited, Plane, Taken};
use crate::state::{self, State};
use std::ffi::{c_int, c_void};

mpi! {
    /// Waits for a message.
    fn MPI_Probe, PMPI_Probe(source: c_int, tag: c_int, comm: MPI_Comm, status: *mut MPI_Status) on comm, {
        let found = p2p::wait_until(Awaited::Message { source, tag, comm }, |state| look(state, source, tag, comm))?;
        set_status(status, &found);
        Ok(())
    }

    /// Looks for a message.
    fn MPI_Iprobe, PMPI_Iprobe(source: c_int, tag: c_int, comm: MPI_Comm, flag: *mut c_int, status: *mut MPI_Status) on comm, {
        p2p::advance()?;
        let found = look(&mut state::enter(), source, tag, comm)?;
        if let Some(found) = &found {
            set_status(status, found);
        }
        set(flag, found.is_some().into())
    }

    /// Waits for a message, and takes it.
    fn MPI_Mprobe, PMPI_Mprobe(
        source: c_int, tag: c_int, comm: MPI_Comm, message: *mut MPI_Message, status: *mut MPI_Status
    ) on comm, {
        let (handle, found) = p2p::wait_until(Awaited::Message { source, tag, comm }, |state| take(state, source, tag, comm))?;
        set_status(status, &found);
        set(message, handle)
    }

    /// Looks for a message, and takes it.
    fn MPI_Improbe, PMPI_Improbe(
        source: c_int, tag: c_int, comm: MPI_Comm, flag: *mut c_int, message: *mut MPI_Message, status: *mut MPI_Status
    ) on comm, {
        p2p::advance()?;
        let found = take(&mut state::enter(), source, tag, comm)?;
        if let Some((handle, found)) = &found {
            set_status(status, found);
            set(message, *handle)?;
        }
        set(flag, found.is_some().into())
    }
}

forms! {
    /// Receives a message that was taken.
    fn MPI_Mrecv, PMPI_Mrecv / MPI_Mrecv_c, PMPI_Mrecv_c(
        buf: *mut c_void, count: Count, datatype: MPI_Datatype, message: *mut MPI_Message, status: *mut MPI_Status
    ) on (), {
        let (got, outcome) = p2p::wait_with_status(receive(buf, count.into(), datatype, message)?);
        set_status(status, &got);
        outcome
    }

    /// Begins to receive a message that was taken.
    fn MPI_Imrecv, PMPI_Imrecv / MPI_Imrecv_c, PMPI_Imrecv_c(
        buf: *mut c_void, count: Count, datatype: MPI_Datatype, message: *mut MPI_Message, request: *mut MPI_Request
    ) on (), { set(request, receive(buf, count.into(), datatype, message)?) }
}

fn look(state: &mut State, source: c_int, tag: c_int, comm: MPI_Comm) -> Result<Option<MPI_Status>> {
    check_tag(tag)?;
    let comm = state.comm(comm)?.comm.clone();
    if source == MPI_PROC_NULL {
        return Ok(Some(MPI_Status::NOBODY));
    }
    p2p::probe(state, &comm, Plane::User, source, tag)
}

fn take(state: &mut State, source: c_int, tag: c_int, comm: MPI_Comm) -> Result<Option<(MPI_Message, MPI_Status)>> {
    check_tag(tag)?;
    let comm = state.comm(comm)?.comm.clone();
    if source == MPI_PROC_NULL {
        return Ok(Some((MPI_MESSAGE_NO_PROC, MPI_Status::NOBODY)));
    }
    let Some(taken) = p2p::take(state, &comm, source, tag)? else { return Ok(None) };
    let status = taken.status;
    Ok(Some((state.taken.insert::<MPI_Message>(taken), status)))
}

/// Begins to receive the message behind a handle, which becomes `MPI_MESSAGE_NULL`.
fn receive(buf: *mut c_void, count: i64, datatype: MPI_Datatype, message: *mut MPI_Message) -> Result<MPI_Request> {
    let mut state = state::enter();
    let arguments = Arguments::new(buf, count, datatype, 0, 0, crate::abi::MPI_COMM_SELF);
    let buffer = arguments.buffer(&state)?;
    // SAFETY: the standard requires that the message's handle can be read.
    let handle = unsafe { message.as_ref() }.copied().unwrap_or(MPI_MESSAGE_NULL);
    let request = if handle == MPI_MESSAGE_NO_PROC {
        p2p::FROM_NOBODY
    } else {
        let taken: Taken = state.taken.remove(handle)?;
        p2p::receive_taken(&mut state, taken, buffer)?
    };
    set(message, MPI_MESSAGE_NULL)?;
    Ok(request)
}
