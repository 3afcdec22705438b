//! `twowire mpi-check`: what each rank of the job at the end of `up` runs.

use super::print::print_json;
use crate::job::check;
use twowire_fabric::program::Failure;

pub(super) fn run() -> Result<(), Failure> {
    match check::run().map_err(Failure::failed)? {
        Some(figures) => print_json(&figures),
        None => Ok(()),
    }
}
