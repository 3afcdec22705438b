//! Developer commands: `cargo xtask --help`.

mod bench;
mod packages;
mod step;
mod test;

use clap::{Parser, Subcommand};
use std::process::ExitCode;

/// Developer commands of Twowire.
#[derive(Parser)]
#[command(
    name = "cargo xtask",
    after_help = "Examples:\n  cargo xtask test\n  cargo xtask test --only clippy\n  cargo xtask bench --update-readme"
)]
struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Runs everything that CI runs; installs the Debian packages that the tests need when it is root.
    Test {
        /// Runs only the steps of these names (see the list that a full run prints).
        #[arg(long, value_name = "STEP")]
        only: Vec<String>,
    },
    /// Runs the benches and prints the performance table.
    Bench {
        /// Writes the table into README.md, between its markers.
        #[arg(long)]
        update_readme: bool,
        /// Takes the figures of the last run instead of running the benches again.
        #[arg(long)]
        no_run: bool,
    },
}

fn main() -> ExitCode {
    let result = match Args::parse().command {
        Command::Test { only } => test::run(&only),
        Command::Bench { update_readme, no_run } => bench::run(update_readme, no_run),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask: {error}");
            ExitCode::FAILURE
        }
    }
}
