//! The program `route-store`: looks at a node's route record, and writes it. Its page is `docs/route-store.md`.

mod cli;

use clap::Parser;
use std::process::ExitCode;

fn main() -> ExitCode {
    match cli::run(&cli::Cli::parse()) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("route-store: {error}");
            ExitCode::FAILURE
        }
    }
}
