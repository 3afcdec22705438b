//! What happens when a call fails: the error handler of the object it was about.
use crate::abi::{MPI_Comm, MPI_Session};
use crate::error::Error;
use std::ffi::c_int;

/// The object whose error handler is asked.
#[derive(Clone, Copy, Debug)]
pub enum Target {
    /// None: that of `MPI_COMM_SELF`, as the standard says.
    None,
    /// A communicator's.
    Comm(MPI_Comm),
    /// A session's.
    Session(MPI_Session),
}

impl From<MPI_Comm> for Target {
    fn from(comm: MPI_Comm) -> Target {
        Target::Comm(comm)
    }
}

impl From<MPI_Session> for Target {
    fn from(session: MPI_Session) -> Target {
        Target::Session(session)
    }
}

impl From<()> for Target {
    fn from((): ()) -> Target {
        Target::None
    }
}

/// Hands an error to the handler of `target`; the code that the call returns if the handler lets it.
#[cold]
pub fn raise(_target: Target, call: &'static str, error: &Error) -> c_int {
    let rank = crate::state::enter().job.as_ref().map_or(0, |job| job.rank);
    eprintln!("{call} on rank {rank}: {} (error class {})", error.text, error.code);
    std::process::exit(1)
}
