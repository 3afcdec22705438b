//! The program `mapper`.

use std::process::ExitCode;

fn main() -> ExitCode {
    twowire_mapper::cli::main()
}
