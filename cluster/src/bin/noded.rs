//! The program `noded`.

use std::process::ExitCode;

fn main() -> ExitCode {
    twowire_cluster::noded::cli::main()
}
