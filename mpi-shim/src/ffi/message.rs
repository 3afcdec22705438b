//! The arguments of messages, checked, and what is common to the calls that send and receive.
use super::integer::count;
use crate::abi::{
    MPI_ANY_SOURCE, MPI_ANY_TAG, MPI_Comm, MPI_Datatype, MPI_ERR_BUFFER, MPI_ERR_TAG, MPI_ERR_TYPE, MPI_PROC_NULL,
    MPI_Request, MPI_Status,
};
use crate::error::{Error, Result};
use crate::p2p::{self, Buffer, COMPLETE, Engine, Mode, Naming, Plane};
use crate::state::{self, State};
use std::ffi::{c_int, c_void};

/// A message's arguments as C gives them: what is sent, or where to and what is received.
#[derive(Clone, Copy)]
pub(super) struct Arguments {
    pub(super) address: *const c_void,
    pub(super) count: i64,
    pub(super) datatype: MPI_Datatype,
    /// The other side's rank.
    pub(super) rank: c_int,
    pub(super) tag: c_int,
    pub(super) comm: MPI_Comm,
}

impl Arguments {
    #[inline]
    pub(super) fn new(
        address: *const c_void,
        count: impl Into<i64>,
        datatype: MPI_Datatype,
        rank: c_int,
        tag: c_int,
        comm: MPI_Comm,
    ) -> Arguments {
        Arguments { address, count: count.into(), datatype, rank, tag, comm }
    }

    /// The buffer: `count` elements of a committed type.
    #[inline(always)]
    pub(super) fn buffer(&self, state: &State) -> Result<Buffer> {
        let count = count(self.count)?;
        let datatype = state.datatype(self.datatype)?;
        if !datatype.is_committed() {
            return Err(Error::new(MPI_ERR_TYPE, "the datatype is not committed: call MPI_Type_commit first"));
        }
        // A derived type may hold absolute addresses, for MPI_BOTTOM; in a plain run of elements null is none.
        if self.address.is_null() && matches!(datatype.contiguous_run(count), Some((0, len)) if len > 0) {
            return Err(Error::new(MPI_ERR_BUFFER, format!("a null buffer for {count} elements")));
        }
        // SAFETY: the standard makes it the caller's duty that the buffer is valid until the operation is complete.
        Ok(unsafe { Buffer::new(self.address.cast_mut().cast(), count, datatype) })
    }

    /// The same arguments, checked as a send's.
    #[inline(always)]
    pub(super) fn checked_send(&self, state: &State) -> Result<Buffer> {
        self.check_send_tag()?;
        state.comm(self.comm)?;
        self.buffer(state)
    }

    #[inline(always)]
    fn check_send_tag(&self) -> Result<()> {
        if (0..=p2p::TAG_UB).contains(&self.tag) {
            return Ok(());
        }
        let text = format!("tag {}, where 0 to {} (MPI_TAG_UB) is expected", self.tag, p2p::TAG_UB);
        Err(Error::new(MPI_ERR_TAG, text))
    }

    /// The same arguments, checked as a receive's.
    #[inline(always)]
    pub(super) fn checked_receive(&self, state: &State) -> Result<Buffer> {
        check_tag(self.tag)?;
        state.comm(self.comm)?;
        self.buffer(state)
    }

    /// An error if the other side is no rank of the communicator's peers, nor `MPI_PROC_NULL`.
    pub(super) fn check_rank(&self, state: &State, any: bool) -> Result<()> {
        if self.rank == MPI_PROC_NULL || (any && self.rank == MPI_ANY_SOURCE) {
            return Ok(());
        }
        state.comm(self.comm)?.comm.process(self.rank).map(|_| ())
    }

    /// Begins to send; none if that is done.
    #[inline]
    pub(super) fn send(&self, mode: Mode) -> Result<Option<MPI_Request>> {
        let mut state = state::enter();
        self.check_send_tag()?;
        let comm = &state.comm(self.comm)?.comm;
        let buffer = self.buffer(&state)?;
        if self.rank == MPI_PROC_NULL {
            return Ok(None);
        }
        let to = comm.process(self.rank)?;
        let Some(me) = state.engine.as_ref().map(|engine| engine.me()) else { return Err(state::not_running()) };
        let key = Engine::key(comm, Plane::User, me as i32, self.tag);
        let (engine, requests) = state.messages()?;
        engine.send(requests, to, &key, &buffer, mode)
    }

    /// Receives, if the message is the next one from its sender and is here; what came.
    #[inline]
    pub(super) fn receive_now(&self) -> Result<Option<MPI_Status>> {
        let mut state = state::enter();
        check_tag(self.tag)?;
        let comm = &state.comm(self.comm)?.comm;
        let buffer = self.buffer(&state)?;
        if self.rank < 0 {
            return Ok(None);
        }
        let asked = p2p::asked(comm, self.rank, self.tag)?;
        let got = state.messages()?.0.receive_now(&asked, &buffer);
        Ok(got.map(|(key, len)| MPI_Status::message(self.rank, key.tag, len as u64)))
    }

    /// Begins to receive.
    #[inline]
    pub(super) fn receive(&self) -> Result<MPI_Request> {
        let mut state = state::enter();
        check_tag(self.tag)?;
        let comm = &state.comm(self.comm)?.comm;
        let buffer = self.buffer(&state)?;
        if self.rank >= 0 {
            let asked = p2p::asked(comm, self.rank, self.tag)?;
            let (engine, requests) = state.messages()?;
            return engine.receive(requests, asked, buffer, Naming::Rank(self.rank));
        }
        if self.rank == MPI_PROC_NULL {
            return Ok(p2p::FROM_NOBODY);
        }
        let (asked, naming) = p2p::asking(comm, Plane::User, self.rank, self.tag)?;
        let (engine, requests) = state.messages()?;
        engine.receive(requests, asked, buffer, naming)
    }
}

/// A tag of a receive or a probe.
#[inline]
pub(super) fn check_tag(tag: c_int) -> Result<()> {
    if tag < 0 && tag != MPI_ANY_TAG {
        return Err(Error::new(MPI_ERR_TAG, format!("no message has tag {tag}")));
    }
    Ok(())
}

/// Waits for a send.
#[inline]
pub(super) fn finish(request: Option<MPI_Request>) -> Result<()> {
    match request {
        Some(request) => p2p::wait(request).map(|_| ()),
        None => Ok(()),
    }
}

/// A request's handle, for the caller.
#[inline]
pub(super) fn handle(request: Option<MPI_Request>) -> MPI_Request {
    request.unwrap_or(COMPLETE)
}

/// Writes a status, where the caller wants it: all but its error field, which only the empty status has.
#[inline]
pub(super) fn set_status(place: *mut MPI_Status, status: &MPI_Status) {
    if !place.is_null() {
        // SAFETY: the standard requires that a status which is not MPI_STATUS_IGNORE can be written.
        unsafe {
            let empty = status.MPI_SOURCE == MPI_ANY_SOURCE;
            let error = if empty { status.MPI_ERROR } else { (*place).MPI_ERROR };
            place.write(status.with_error(error));
        }
    }
}
