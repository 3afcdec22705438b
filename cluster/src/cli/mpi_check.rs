//! `twowire mpi-check`: what each rank of the job at the end of `up` runs.

use crate::job::check;
use twowire_fabric::program::Failure;

pub(super) fn run() -> Result<(), Failure> {
    check::main()
}
