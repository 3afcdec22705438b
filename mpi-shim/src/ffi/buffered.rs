//! Buffered sends, and the buffers that are attached for them.
use super::integer::{count, forms};
use super::message::{Arguments, handle};
use super::{mpi, set};
use crate::abi::{MPI_BUFFER_AUTOMATIC, MPI_BYTE, MPI_Comm, MPI_Datatype, MPI_ERR_BUFFER, MPI_Request, MPI_Session};
use crate::error::{Error, Result};
use crate::p2p::{self, Activity, Attached, Awaited, COMPLETE, Mode, Owner};
use crate::state;
use std::ffi::{c_int, c_void};

forms! {
    /// Sends from the attached buffer: returns at once.
    fn MPI_Bsend, PMPI_Bsend / MPI_Bsend_c, PMPI_Bsend_c(
        buf: *const c_void, count: Count, datatype: MPI_Datatype, dest: c_int, tag: c_int, comm: MPI_Comm
    ) on comm, { send(&Arguments::new(buf, count, datatype, dest, tag, comm)).map(|_| ()) }

    /// The same with a request, which is complete.
    fn MPI_Ibsend, PMPI_Ibsend / MPI_Ibsend_c, PMPI_Ibsend_c(
        buf: *const c_void, count: Count, datatype: MPI_Datatype, dest: c_int, tag: c_int, comm: MPI_Comm,
        request: *mut MPI_Request
    ) on comm, { set(request, send(&Arguments::new(buf, count, datatype, dest, tag, comm))?) }

    /// Attaches the process's buffer.
    fn MPI_Buffer_attach, PMPI_Buffer_attach / MPI_Buffer_attach_c, PMPI_Buffer_attach_c(
        buffer: *mut c_void, size: Count
    ) on (), { attach(Owner::Process, buffer, size.into()) }

    /// Detaches the process's buffer, when its messages are sent.
    fn MPI_Buffer_detach, PMPI_Buffer_detach / MPI_Buffer_detach_c, PMPI_Buffer_detach_c(
        buffer_addr: *mut *mut c_void, size: *mut Count
    ) on (), {
        let (address, len) = detach(Owner::Process)?;
        set(buffer_addr, address)?;
        set(size, len as Count)
    }

    /// Attaches a communicator's buffer.
    fn MPI_Comm_attach_buffer, PMPI_Comm_attach_buffer / MPI_Comm_attach_buffer_c, PMPI_Comm_attach_buffer_c(
        comm: MPI_Comm, buffer: *mut c_void, size: Count
    ) on comm, {
        state::enter().comm(comm)?;
        attach(Owner::Comm(comm), buffer, size.into())
    }

    /// Detaches a communicator's buffer.
    fn MPI_Comm_detach_buffer, PMPI_Comm_detach_buffer / MPI_Comm_detach_buffer_c, PMPI_Comm_detach_buffer_c(
        comm: MPI_Comm, buffer_addr: *mut *mut c_void, size: *mut Count
    ) on comm, {
        let (address, len) = detach(Owner::Comm(comm))?;
        set(buffer_addr, address)?;
        set(size, len as Count)
    }

    /// Attaches a session's buffer.
    fn MPI_Session_attach_buffer, PMPI_Session_attach_buffer / MPI_Session_attach_buffer_c, PMPI_Session_attach_buffer_c(
        session: MPI_Session, buffer: *mut c_void, size: Count
    ) on session, { attach(Owner::Session(session), buffer, size.into()) }

    /// Detaches a session's buffer.
    fn MPI_Session_detach_buffer, PMPI_Session_detach_buffer / MPI_Session_detach_buffer_c, PMPI_Session_detach_buffer_c(
        session: MPI_Session, buffer_addr: *mut *mut c_void, size: *mut Count
    ) on session, {
        let (address, len) = detach(Owner::Session(session))?;
        set(buffer_addr, address)?;
        set(size, len as Count)
    }
}

mpi! {
    /// Waits until the messages in the process's buffer are sent.
    fn MPI_Buffer_flush, PMPI_Buffer_flush() on (), { flush(Owner::Process) }

    /// Begins to wait for that.
    fn MPI_Buffer_iflush, PMPI_Buffer_iflush(request: *mut MPI_Request) on (), { set(request, iflush(Owner::Process)?) }

    /// Waits until the messages in a communicator's buffer are sent.
    fn MPI_Comm_flush_buffer, PMPI_Comm_flush_buffer(comm: MPI_Comm) on comm, { flush(Owner::Comm(comm)) }

    /// Begins to wait for that.
    fn MPI_Comm_iflush_buffer, PMPI_Comm_iflush_buffer(comm: MPI_Comm, request: *mut MPI_Request) on comm, {
        set(request, iflush(Owner::Comm(comm))?)
    }

    /// Waits until the messages in a session's buffer are sent.
    fn MPI_Session_flush_buffer, PMPI_Session_flush_buffer(session: MPI_Session) on session, {
        flush(Owner::Session(session))
    }

    /// Begins to wait for that.
    fn MPI_Session_iflush_buffer, PMPI_Session_iflush_buffer(session: MPI_Session, request: *mut MPI_Request) on session, {
        set(request, iflush(Owner::Session(session))?)
    }
}

/// Sends a copy of a message; complete at once.
pub(super) fn send(arguments: &Arguments) -> Result<MPI_Request> {
    let bytes = {
        let mut state = state::enter();
        let buffer = arguments.checked_send(&state)?;
        arguments.check_rank(&state, false)?;
        state.attached.check(Owner::Comm(arguments.comm), buffer.len())?;
        buffer.to_bytes()
    };
    let copy =
        Arguments { address: bytes.as_ptr().cast(), count: bytes.len() as i64, datatype: MPI_BYTE, ..*arguments };
    let request = handle(copy.send(Mode::Standard)?);
    if request != COMPLETE {
        state::enter().attached.hold(Owner::Comm(arguments.comm), request, bytes);
    }
    Ok(COMPLETE)
}

fn attach(owner: Owner, buffer: *mut c_void, size: i64) -> Result<()> {
    let size = count(size)?;
    let size = if buffer as usize == MPI_BUFFER_AUTOMATIC { None } else { Some(size) };
    state::enter().attached.attach(owner, buffer as usize, size)
}

fn detach(owner: Owner) -> Result<(*mut c_void, usize)> {
    flush(owner)?;
    let Some(Attached { address, size, .. }) = state::enter().attached.detach(owner) else {
        return Err(Error::new(MPI_ERR_BUFFER, "there is no attached buffer to detach"));
    };
    Ok((address as *mut c_void, size.unwrap_or(0)))
}

fn flush(owner: Owner) -> Result<()> {
    p2p::wait_until(Awaited::Departure, |state| Ok(p2p::release_sent(state, owner).then_some(())))
}

fn iflush(owner: Owner) -> Result<MPI_Request> {
    p2p::start_activity(Box::new(Flush(owner)))
}

/// Waits for the messages in a buffer.
struct Flush(Owner);

impl Activity for Flush {
    fn advance(&mut self) -> Result<bool> {
        Ok(p2p::release_sent(&mut state::enter(), self.0))
    }

    fn name(&self) -> &'static str {
        "MPI_Buffer_iflush"
    }
}
