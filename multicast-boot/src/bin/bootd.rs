//! The program `bootd`.

use std::process::ExitCode;

fn main() -> ExitCode {
    twowire_multicast_boot::cli::bootd::main()
}
