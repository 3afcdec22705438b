//! The command line of `twowire`. Each command has its file.

mod completions;
mod image;
mod info;
mod key;
mod lab;
mod mpi_check;
mod phase1;
mod phase2;
mod print;
mod up;

use clap::{Parser, Subcommand};
use std::process::ExitCode;
use twowire_fabric::program::Failure;

/// Brings a cluster up over its interconnect alone.
#[derive(Parser, Debug)]
#[command(
    name = "twowire",
    version,
    after_help = "Examples:\n  \
        twowire up                                    Pink's 1,024 hosts on a simulated fabric\n  \
        twowire up --fabric sim:torus:8x8x8 --json    another fabric; one JSON object\n  \
        twowire up --fault loss:0.01 --fault crash:n17@20ms\n  \
        twowire up --lab 4                            four virtual machines boot over software crossbars\n  \
        twowire key new --out cluster.key\n  \
        twowire image pack --kernel vmlinuz --initrd initrd.img --key cluster.key -o node.img\n\n\
        Exit status: 0 all is well, 1 it failed, 2 wrong usage, 130 interrupted."
)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand, Debug)]
enum Command {
    /// Maps the fabric, proves the routes, loads them, and boots all nodes
    Up(up::UpArgs),
    /// Packs, inspects and verifies images
    #[command(subcommand)]
    Image(image::ImageCommand),
    /// Makes cluster keys
    #[command(subcommand)]
    Key(key::KeyCommand),
    /// Packs what lies in a node's flash beside its kernel
    Phase1(phase1::Phase1Args),
    /// Packs what nodes run that take programs from the front end
    Phase2(phase2::Phase2Args),
    /// Makes a cluster of virtual machines on this machine, whose only network is software crossbars
    #[command(subcommand)]
    Lab(lab::LabCommand),
    /// Shows which fabric providers this build has, and why the others are not available
    Info(info::InfoArgs),
    /// What each rank of the job at the end of `up` runs
    #[command(hide = true)]
    MpiCheck,
    /// Prints a completion script for a shell
    Completions(completions::CompletionsArgs),
}

/// Runs the program.
pub fn main() -> ExitCode {
    let result = match Cli::parse().command {
        Command::Up(args) => up::run(args),
        Command::Image(command) => image::run(command),
        Command::Key(command) => key::run(command),
        Command::Phase1(args) => phase1::run(&args),
        Command::Phase2(args) => phase2::run(&args),
        Command::Lab(command) => lab::run(command),
        Command::Info(args) => info::run(&args),
        Command::MpiCheck => mpi_check::run(),
        Command::Completions(args) => completions::run(&args),
    };
    result.map_or_else(|failure| failure.report("twowire"), |()| ExitCode::SUCCESS)
}
