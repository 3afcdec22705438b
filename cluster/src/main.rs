//! The program `twowire`.

use std::process::ExitCode;

fn main() -> ExitCode {
    twowire_cluster::cli::main()
}
