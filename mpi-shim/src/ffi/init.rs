//! Beginning and end of the world model, and what a process knows of itself.
use super::{mpi, set};
use crate::abi::{MPI_THREAD_MULTIPLE, MPI_THREAD_SINGLE};
use crate::state::{self, Phase};
use crate::world;
use std::ffi::{c_char, c_int};

mpi! {
    /// Begins.
    fn MPI_Init, PMPI_Init(_argc: *mut c_int, _argv: *mut *mut *mut c_char) on (), {
        world::init(MPI_THREAD_SINGLE).map(|_| ())
    }

    /// Begins with a level of thread support.
    fn MPI_Init_thread, PMPI_Init_thread(_argc: *mut c_int, _argv: *mut *mut *mut c_char, required: c_int, provided: *mut c_int) on (), {
        set(provided, world::init(required.clamp(MPI_THREAD_SINGLE, MPI_THREAD_MULTIPLE))?)
    }

    /// Ends.
    fn MPI_Finalize, PMPI_Finalize() on (), { world::finalize() }

    /// Whether `MPI_Init` was called.
    fn MPI_Initialized, PMPI_Initialized(flag: *mut c_int) on (), {
        set(flag, (state::enter().phase != Phase::Before).into())
    }

    /// Whether `MPI_Finalize` was called.
    fn MPI_Finalized, PMPI_Finalized(flag: *mut c_int) on (), {
        set(flag, (state::enter().phase == Phase::Finalized).into())
    }

    /// The level of thread support.
    fn MPI_Query_thread, PMPI_Query_thread(provided: *mut c_int) on (), { set(provided, state::enter().thread_level) }
}
