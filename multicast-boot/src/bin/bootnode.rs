//! The program `bootnode`.

use std::process::ExitCode;

fn main() -> ExitCode {
    twowire_multicast_boot::cli::bootnode::main()
}
