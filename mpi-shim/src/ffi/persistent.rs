//! Requests that are started again and again, and those whose work is the user's.
use super::integer::forms;
use super::message::{Arguments, handle};
use super::{mpi, set};
use crate::abi::{
    MPI_Comm, MPI_Datatype, MPI_ERR_ARG, MPI_ERR_COUNT, MPI_ERR_REQUEST, MPI_Request, MPI_SUCCESS, MPI_Status,
};
use crate::error::{Error, Result};
use crate::p2p::{self, Generalized, Kind, Mode, Recipe, Request};
use crate::state;
use std::ffi::{c_int, c_void};
use std::sync::Arc;

forms! {
    /// Makes a request of a standard send.
    fn MPI_Send_init, PMPI_Send_init / MPI_Send_init_c, PMPI_Send_init_c(
        buf: *const c_void, count: Count, datatype: MPI_Datatype, dest: c_int, tag: c_int, comm: MPI_Comm,
        request: *mut MPI_Request
    ) on comm, { set(request, keep(Arguments::new(buf, count, datatype, dest, tag, comm), How::Send(Mode::Standard))?) }

    /// Makes a request of a synchronous send.
    fn MPI_Ssend_init, PMPI_Ssend_init / MPI_Ssend_init_c, PMPI_Ssend_init_c(
        buf: *const c_void, count: Count, datatype: MPI_Datatype, dest: c_int, tag: c_int, comm: MPI_Comm,
        request: *mut MPI_Request
    ) on comm, { set(request, keep(Arguments::new(buf, count, datatype, dest, tag, comm), How::Send(Mode::Synchronous))?) }

    /// Makes a request of a ready send.
    fn MPI_Rsend_init, PMPI_Rsend_init / MPI_Rsend_init_c, PMPI_Rsend_init_c(
        buf: *const c_void, count: Count, datatype: MPI_Datatype, dest: c_int, tag: c_int, comm: MPI_Comm,
        request: *mut MPI_Request
    ) on comm, { set(request, keep(Arguments::new(buf, count, datatype, dest, tag, comm), How::Send(Mode::Standard))?) }

    /// Makes a request of a buffered send.
    fn MPI_Bsend_init, PMPI_Bsend_init / MPI_Bsend_init_c, PMPI_Bsend_init_c(
        buf: *const c_void, count: Count, datatype: MPI_Datatype, dest: c_int, tag: c_int, comm: MPI_Comm,
        request: *mut MPI_Request
    ) on comm, { set(request, keep(Arguments::new(buf, count, datatype, dest, tag, comm), How::Buffered)?) }

    /// Makes a request of a receive.
    fn MPI_Recv_init, PMPI_Recv_init / MPI_Recv_init_c, PMPI_Recv_init_c(
        buf: *mut c_void, count: Count, datatype: MPI_Datatype, source: c_int, tag: c_int, comm: MPI_Comm,
        request: *mut MPI_Request
    ) on comm, { set(request, keep(Arguments::new(buf, count, datatype, source, tag, comm), How::Receive)?) }
}

/// The user's function that fills a generalized request's status.
type Query = unsafe extern "C" fn(*mut c_void, *mut MPI_Status) -> c_int;
/// The user's function that is called when a generalized request goes.
type Free = unsafe extern "C" fn(*mut c_void) -> c_int;
/// The user's function that is called when a generalized request is cancelled.
type Cancel = unsafe extern "C" fn(*mut c_void, c_int) -> c_int;

mpi! {
    /// Starts a persistent request.
    fn MPI_Start, PMPI_Start(request: *mut MPI_Request) on (), {
        // SAFETY: the standard requires that the handle can be read.
        let request = unsafe { request.as_ref() };
        start(*request.ok_or_else(|| Error::new(MPI_ERR_ARG, "a null pointer where a request is expected"))?)
    }

    /// Starts persistent requests.
    fn MPI_Startall, PMPI_Startall(count: c_int, requests: *mut MPI_Request) on (), {
        let count = usize::try_from(count).map_err(|_| Error::new(MPI_ERR_COUNT, format!("{count} requests")))?;
        for index in 0..count {
            // SAFETY: the standard requires that so many handles can be read.
            start(unsafe { *requests.add(index) })?;
        }
        Ok(())
    }

    /// Makes a request whose work is the user's.
    fn MPI_Grequest_start, PMPI_Grequest_start(
        query_fn: Option<Query>, free_fn: Option<Free>, cancel_fn: Option<Cancel>, extra_state: *mut c_void,
        request: *mut MPI_Request
    ) on (), {
        let user = User { query: query_fn, free: free_fn, cancel: cancel_fn, extra: extra_state };
        set(request, state::enter().requests.insert(Request::new(Kind::Generalized(Arc::new(user)))))
    }

    /// Says that the user's work is done.
    fn MPI_Grequest_complete, PMPI_Grequest_complete(request: MPI_Request) on (), {
        let freed = p2p::complete_generalized(&mut state::enter(), request)?;
        freed.map_or(Ok(()), |user| user.free())
    }
}

/// How a kept message is sent or received.
#[derive(Clone, Copy)]
enum How {
    Send(Mode),
    Buffered,
    Receive,
}

/// A point-to-point operation that can be started.
struct Kept {
    arguments: Arguments,
    how: How,
}

// SAFETY: the address in it is the user's, who may call MPI from any thread.
unsafe impl Send for Kept {}
// SAFETY: as above; nothing in it changes.
unsafe impl Sync for Kept {}

/// Makes the request; its arguments are checked now, as far as they cannot change.
fn keep(arguments: Arguments, how: How) -> Result<MPI_Request> {
    let mut state = state::enter();
    match how {
        How::Receive => arguments.checked_receive(&state)?,
        _ => arguments.checked_send(&state)?,
    };
    arguments.check_rank(&state, matches!(how, How::Receive))?;
    let recipe = Arc::new(Kept { arguments, how });
    Ok(state.requests.insert(Request::new(Kind::Persistent { recipe, active: None })))
}

impl Recipe for Kept {
    fn start(&self) -> Result<MPI_Request> {
        match self.how {
            How::Send(mode) => Ok(handle(self.arguments.send(mode)?)),
            How::Buffered => super::buffered::send(&self.arguments),
            How::Receive => self.arguments.receive(),
        }
    }
}

fn start(request: MPI_Request) -> Result<()> {
    let recipe = match &state::enter().requests.get(request)?.kind {
        Kind::Persistent { recipe, active: None } => recipe.clone(),
        Kind::Persistent { .. } => return Err(Error::new(MPI_ERR_REQUEST, "the request is active: wait for it first")),
        _ => return Err(Error::new(MPI_ERR_REQUEST, "only persistent requests can be started")),
    };
    let begun = recipe.start()?;
    if let Kind::Persistent { active, .. } = &mut state::enter().requests.get_mut(request)?.kind {
        *active = Some(begun);
    }
    Ok(())
}

/// The user's functions.
struct User {
    query: Option<Query>,
    free: Option<Free>,
    cancel: Option<Cancel>,
    extra: *mut c_void,
}

// SAFETY: the pointer in it is the user's, given back to the user's functions from whichever thread calls MPI.
unsafe impl Send for User {}
// SAFETY: as above; nothing in it changes.
unsafe impl Sync for User {}

fn outcome(code: c_int) -> Result<()> {
    if code == MPI_SUCCESS { Ok(()) } else { Err(Error::new(code, "a function of a generalized request failed")) }
}

impl Generalized for User {
    fn query(&self, status: &mut MPI_Status) -> Result<()> {
        // SAFETY: the user's function gets the arguments that the standard promises.
        self.query.map_or(Ok(()), |query| outcome(unsafe { query(self.extra, status) }))
    }

    fn free(&self) -> Result<()> {
        // SAFETY: as above.
        self.free.map_or(Ok(()), |free| outcome(unsafe { free(self.extra) }))
    }

    fn cancel(&self, complete: bool) -> Result<()> {
        // SAFETY: as above.
        self.cancel.map_or(Ok(()), |cancel| outcome(unsafe { cancel(self.extra, complete.into()) }))
    }
}
