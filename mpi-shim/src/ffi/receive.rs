//! Receives, and sends and receives at once.
use super::integer::forms;
use super::message::{Arguments, finish, handle, set_status};
use super::set;
use crate::abi::{MPI_Comm, MPI_Datatype, MPI_Request, MPI_Status};
use crate::error::Result;
use crate::p2p::{self, Activity, Mode};
use crate::state;
use std::ffi::{c_int, c_void};

forms! {
    /// Receives.
    fn MPI_Recv, PMPI_Recv / MPI_Recv_c, PMPI_Recv_c(
        buf: *mut c_void, count: Count, datatype: MPI_Datatype, source: c_int, tag: c_int, comm: MPI_Comm,
        status: *mut MPI_Status
    ) on comm, {
        let arguments = Arguments::new(buf, count, datatype, source, tag, comm);
        if let Some(got) = arguments.receive_now()? {
            set_status(status, &got);
            return Ok(());
        }
        receive_into(arguments.receive()?, status)
    }

    /// Begins to receive.
    fn MPI_Irecv, PMPI_Irecv / MPI_Irecv_c, PMPI_Irecv_c(
        buf: *mut c_void, count: Count, datatype: MPI_Datatype, source: c_int, tag: c_int, comm: MPI_Comm,
        request: *mut MPI_Request
    ) on comm, { set(request, Arguments::new(buf, count, datatype, source, tag, comm).receive()?) }

    /// Sends and receives.
    fn MPI_Sendrecv, PMPI_Sendrecv / MPI_Sendrecv_c, PMPI_Sendrecv_c(
        sendbuf: *const c_void, sendcount: Count, sendtype: MPI_Datatype, dest: c_int, sendtag: c_int,
        recvbuf: *mut c_void, recvcount: Count, recvtype: MPI_Datatype, source: c_int, recvtag: c_int,
        comm: MPI_Comm, status: *mut MPI_Status
    ) on comm, {
        let outgoing = Arguments::new(sendbuf, sendcount, sendtype, dest, sendtag, comm);
        let incoming = Arguments::new(recvbuf, recvcount, recvtype, source, recvtag, comm);
        outgoing.checked_send(&state::enter())?;
        let received = incoming.receive()?;
        finish(outgoing.send(Mode::Standard)?)?;
        receive_into(received, status)
    }

    /// Sends from a buffer, and receives into it.
    fn MPI_Sendrecv_replace, PMPI_Sendrecv_replace / MPI_Sendrecv_replace_c, PMPI_Sendrecv_replace_c(
        buf: *mut c_void, count: Count, datatype: MPI_Datatype, dest: c_int, sendtag: c_int, source: c_int,
        recvtag: c_int, comm: MPI_Comm, status: *mut MPI_Status
    ) on comm, {
        let outgoing = Arguments::new(buf, count, datatype, dest, sendtag, comm);
        let sent = Copied::send(outgoing)?;
        let received = Arguments { rank: source, tag: recvtag, ..outgoing }.receive()?;
        finish(sent.request)?;
        receive_into(received, status)
    }

    /// Begins to send and to receive.
    fn MPI_Isendrecv, PMPI_Isendrecv / MPI_Isendrecv_c, PMPI_Isendrecv_c(
        sendbuf: *const c_void, sendcount: Count, sendtype: MPI_Datatype, dest: c_int, sendtag: c_int,
        recvbuf: *mut c_void, recvcount: Count, recvtype: MPI_Datatype, source: c_int, recvtag: c_int,
        comm: MPI_Comm, request: *mut MPI_Request
    ) on comm, {
        let outgoing = Arguments::new(sendbuf, sendcount, sendtype, dest, sendtag, comm);
        let incoming = Arguments::new(recvbuf, recvcount, recvtype, source, recvtag, comm);
        outgoing.checked_send(&state::enter())?;
        let received = incoming.receive()?;
        let sent = handle(outgoing.send(Mode::Standard)?);
        set(request, p2p::start_activity(Pair::new(sent, received, None))?)
    }

    /// Begins to send from a buffer and to receive into it.
    fn MPI_Isendrecv_replace, PMPI_Isendrecv_replace / MPI_Isendrecv_replace_c, PMPI_Isendrecv_replace_c(
        buf: *mut c_void, count: Count, datatype: MPI_Datatype, dest: c_int, sendtag: c_int, source: c_int,
        recvtag: c_int, comm: MPI_Comm, request: *mut MPI_Request
    ) on comm, {
        let outgoing = Arguments::new(buf, count, datatype, dest, sendtag, comm);
        let copied = Copied::send(outgoing)?;
        let received = Arguments { rank: source, tag: recvtag, ..outgoing }.receive()?;
        set(request, p2p::start_activity(Pair::new(handle(copied.request), received, Some(copied.bytes)))?)
    }
}

/// Waits for a receive; its status is set also when the message was too long.
#[inline]
fn receive_into(request: MPI_Request, status: *mut MPI_Status) -> Result<()> {
    let (got, outcome) = p2p::wait_with_status(request);
    set_status(status, &got);
    outcome
}

/// A message that is sent from a copy.
struct Copied {
    bytes: Box<[u8]>,
    request: Option<MPI_Request>,
}

impl Copied {
    fn send(arguments: Arguments) -> Result<Copied> {
        let bytes = arguments.checked_send(&state::enter())?.to_bytes();
        let packed = Arguments {
            address: bytes.as_ptr().cast(),
            count: bytes.len() as i64,
            datatype: crate::abi::MPI_BYTE,
            ..arguments
        };
        Ok(Copied { request: packed.send(Mode::Standard)?, bytes })
    }
}

/// A send and a receive that are waited for together.
struct Pair {
    /// The send, and the receive.
    requests: [MPI_Request; 2],
    status: MPI_Status,
    /// What is sent, where it is a copy.
    _copied: Option<Box<[u8]>>,
}

impl Pair {
    fn new(sent: MPI_Request, received: MPI_Request, copied: Option<Box<[u8]>>) -> Box<Pair> {
        Box::new(Pair { requests: [sent, received], status: MPI_Status::EMPTY, _copied: copied })
    }
}

impl Activity for Pair {
    fn advance(&mut self) -> Result<bool> {
        let mut state = state::enter();
        let [sent, received] = self.requests;
        if !p2p::is_complete(&state, sent)? || !p2p::is_complete(&state, received)? {
            return Ok(false);
        }
        p2p::test(&mut state, sent)?;
        self.status = p2p::test(&mut state, received)?.unwrap_or(MPI_Status::EMPTY);
        Ok(true)
    }

    fn awaits(&self) -> &[MPI_Request] {
        &self.requests
    }

    fn name(&self) -> &'static str {
        "MPI_Isendrecv"
    }

    fn status(&self) -> MPI_Status {
        self.status
    }
}
