//! Types and values that the MPI 5.0 standard ABI fixes (chapter "Application Binary Interface").
#![allow(non_camel_case_types)]

mod constants;
mod status;

pub use constants::*;
pub use status::MPI_Status;

/// An address, or a difference of two.
pub type MPI_Aint = isize;
/// An offset in a file, in bytes.
pub type MPI_Offset = i64;
/// A count that does not end at 2^31.
pub type MPI_Count = i64;

macro_rules! handles {
    ($($name:ident: $what:literal),* $(,)?) => {$(
        #[doc = concat!("A handle of ", $what, ", as C passes it: predefined ones are below 0x1000.")]
        #[repr(transparent)]
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub usize);

        impl From<usize> for $name {
            fn from(value: usize) -> $name {
                $name(value)
            }
        }

        impl From<$name> for usize {
            fn from(handle: $name) -> usize {
                handle.0
            }
        }
    )*};
}

handles! {
    MPI_Comm: "a communicator",
    MPI_Datatype: "a datatype",
    MPI_Errhandler: "an error handler",
    MPI_File: "a file",
    MPI_Group: "a group",
    MPI_Info: "an info object",
    MPI_Message: "a message found by a matched probe",
    MPI_Op: "an operation",
    MPI_Request: "a request",
    MPI_Session: "a session",
    MPI_Win: "a window",
}
