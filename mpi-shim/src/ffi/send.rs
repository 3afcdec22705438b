//! Sends, blocking and non-blocking, in the modes that need no buffer of the user's.
use super::integer::forms;
use super::message::{Arguments, finish, handle};
use super::set;
use crate::abi::{MPI_Comm, MPI_Datatype, MPI_Request};
use crate::p2p::Mode;
use std::ffi::{c_int, c_void};

forms! {
    /// Sends; the buffer can be used again when it returns.
    fn MPI_Send, PMPI_Send / MPI_Send_c, PMPI_Send_c(
        buf: *const c_void, count: Count, datatype: MPI_Datatype, dest: c_int, tag: c_int, comm: MPI_Comm
    ) on comm, { finish(Arguments::new(buf, count, datatype, dest, tag, comm).send(Mode::Standard)?) }

    /// Sends; a receive has taken the message when it returns.
    fn MPI_Ssend, PMPI_Ssend / MPI_Ssend_c, PMPI_Ssend_c(
        buf: *const c_void, count: Count, datatype: MPI_Datatype, dest: c_int, tag: c_int, comm: MPI_Comm
    ) on comm, { finish(Arguments::new(buf, count, datatype, dest, tag, comm).send(Mode::Synchronous)?) }

    /// Sends to a receive that is posted: as a standard send.
    fn MPI_Rsend, PMPI_Rsend / MPI_Rsend_c, PMPI_Rsend_c(
        buf: *const c_void, count: Count, datatype: MPI_Datatype, dest: c_int, tag: c_int, comm: MPI_Comm
    ) on comm, { finish(Arguments::new(buf, count, datatype, dest, tag, comm).send(Mode::Standard)?) }

    /// Begins a standard send.
    fn MPI_Isend, PMPI_Isend / MPI_Isend_c, PMPI_Isend_c(
        buf: *const c_void, count: Count, datatype: MPI_Datatype, dest: c_int, tag: c_int, comm: MPI_Comm,
        request: *mut MPI_Request
    ) on comm, { set(request, handle(Arguments::new(buf, count, datatype, dest, tag, comm).send(Mode::Standard)?)) }

    /// Begins a synchronous send.
    fn MPI_Issend, PMPI_Issend / MPI_Issend_c, PMPI_Issend_c(
        buf: *const c_void, count: Count, datatype: MPI_Datatype, dest: c_int, tag: c_int, comm: MPI_Comm,
        request: *mut MPI_Request
    ) on comm, { set(request, handle(Arguments::new(buf, count, datatype, dest, tag, comm).send(Mode::Synchronous)?)) }

    /// Begins a send to a receive that is posted.
    fn MPI_Irsend, PMPI_Irsend / MPI_Irsend_c, PMPI_Irsend_c(
        buf: *const c_void, count: Count, datatype: MPI_Datatype, dest: c_int, tag: c_int, comm: MPI_Comm,
        request: *mut MPI_Request
    ) on comm, { set(request, handle(Arguments::new(buf, count, datatype, dest, tag, comm).send(Mode::Standard)?)) }
}
