//! Handles as numbers that fit into an int, for languages whose handles are ints.
use super::mpi;
use crate::abi::{
    MPI_Comm, MPI_Datatype, MPI_Errhandler, MPI_File, MPI_Group, MPI_Info, MPI_Message, MPI_Op, MPI_Request,
    MPI_Session, MPI_Win,
};
use crate::handles::Table;
use crate::state;
use std::ffi::c_int;

fn to_int(handle: impl Into<usize>) -> c_int {
    Table::<()>::to_int(handle)
}

/// The handle of a number of a kind of object of which there are only predefined ones.
fn predefined<H: From<usize>>(number: c_int) -> H {
    H::from(number as u32 as usize)
}

mpi! {
    /// The number of a communicator.
    fn MPI_Comm_toint, PMPI_Comm_toint(comm: MPI_Comm) -> c_int { to_int(comm) }
    /// The communicator of a number.
    fn MPI_Comm_fromint, PMPI_Comm_fromint(comm: c_int) -> MPI_Comm { state::enter().comms.from_int(comm) }
    /// The number of a datatype.
    fn MPI_Type_toint, PMPI_Type_toint(datatype: MPI_Datatype) -> c_int { to_int(datatype) }
    /// The datatype of a number.
    fn MPI_Type_fromint, PMPI_Type_fromint(datatype: c_int) -> MPI_Datatype { state::enter().datatypes.from_int(datatype) }
    /// The number of an error handler.
    fn MPI_Errhandler_toint, PMPI_Errhandler_toint(errhandler: MPI_Errhandler) -> c_int { to_int(errhandler) }
    /// The error handler of a number.
    fn MPI_Errhandler_fromint, PMPI_Errhandler_fromint(errhandler: c_int) -> MPI_Errhandler {
        state::enter().errhandlers.from_int(errhandler)
    }
    /// The number of a group.
    fn MPI_Group_toint, PMPI_Group_toint(group: MPI_Group) -> c_int { to_int(group) }
    /// The group of a number.
    fn MPI_Group_fromint, PMPI_Group_fromint(group: c_int) -> MPI_Group { state::enter().groups.from_int(group) }
    /// The number of an info object.
    fn MPI_Info_toint, PMPI_Info_toint(info: MPI_Info) -> c_int { to_int(info) }
    /// The info object of a number.
    fn MPI_Info_fromint, PMPI_Info_fromint(info: c_int) -> MPI_Info { state::enter().infos.from_int(info) }
    /// The number of an operation.
    fn MPI_Op_toint, PMPI_Op_toint(op: MPI_Op) -> c_int { to_int(op) }
    /// The operation of a number.
    fn MPI_Op_fromint, PMPI_Op_fromint(op: c_int) -> MPI_Op { state::enter().ops.from_int(op) }
    /// The number of a request.
    fn MPI_Request_toint, PMPI_Request_toint(request: MPI_Request) -> c_int { to_int(request) }
    /// The request of a number.
    fn MPI_Request_fromint, PMPI_Request_fromint(request: c_int) -> MPI_Request { state::enter().requests.from_int(request) }
    /// The number of a session.
    fn MPI_Session_toint, PMPI_Session_toint(session: MPI_Session) -> c_int { to_int(session) }
    /// The session of a number.
    fn MPI_Session_fromint, PMPI_Session_fromint(session: c_int) -> MPI_Session { state::enter().sessions.from_int(session) }
    /// The number of a file.
    fn MPI_File_toint, PMPI_File_toint(file: MPI_File) -> c_int { to_int(file) }
    /// The file of a number.
    fn MPI_File_fromint, PMPI_File_fromint(file: c_int) -> MPI_File { predefined(file) }
    /// The number of a window.
    fn MPI_Win_toint, PMPI_Win_toint(win: MPI_Win) -> c_int { to_int(win) }
    /// The window of a number.
    fn MPI_Win_fromint, PMPI_Win_fromint(win: c_int) -> MPI_Win { predefined(win) }
    /// The number of a message.
    fn MPI_Message_toint, PMPI_Message_toint(message: MPI_Message) -> c_int { to_int(message) }
    /// The message of a number.
    fn MPI_Message_fromint, PMPI_Message_fromint(message: c_int) -> MPI_Message {
        state::enter().taken.from_int(message)
    }
}
