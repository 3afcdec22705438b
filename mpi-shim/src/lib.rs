//! The MPI library of Twowire. Its status is in `mpi-shim/README.md`: only the ABI's types exist so far.

/// The text of `mpi.h`, as it is installed for C programs.
pub const MPI_H: &str = include_str!("../include/mpi.h");
