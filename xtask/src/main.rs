//! Developer commands: `cargo xtask --help`.

mod bench;
mod mpi4py;
mod mpi_abi;
mod mpi_install;
mod mpi_programs;
mod packages;
mod phase1;
mod sanitize;
mod step;
mod test;

use clap::{Parser, Subcommand};
use std::path::PathBuf;
use std::process::ExitCode;

/// Developer commands of Twowire.
#[derive(Parser)]
#[command(
    name = "cargo xtask",
    after_help = "Examples:\n  cargo xtask test\n  cargo xtask test --only clippy\n  cargo xtask bench --update-readme\n  \
        cargo xtask bench boot --against udpcast,uftp\n  \
        cargo xtask bench boot --against uftp -- --receivers 4 --mtu 9000 --loss 0 --rounds 1\n  \
        cargo xtask bench mapper --against opensm -- --networks pink,11664\n  \
        cargo xtask bench mpi -- --libraries ours,mpich --what latency --rounds 11\n  \
        cargo xtask bench lab -- --nodes 1,8 --rounds 3\n  \
        cargo xtask sanitize address -- coll\n  \
        cargo xtask phase1 -- --key cluster.key.pub --kernel /boot/vmlinuz --modules-from /lib/modules/6.1.0 \\\n      \
        --module virtio_pci,virtio_net -o phase1.img"
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
        /// Runs only this bench; `mpi` compares MPI libraries, `mpi-hosts` does so between two hosts, `lab` compares boots of virtual
        /// machines with PXE. The table is for --update-readme.
        #[arg(value_name = "BENCH")]
        only: Option<String>,
        /// Runs bench `boot` against these programs, between network namespaces: udpcast, uftp, or twowire for ours alone; or bench `mapper` against opensm.
        #[arg(long, value_name = "PROGRAMS", requires = "only", value_delimiter = ',')]
        against: Vec<String>,
        /// Writes the rows of the benches that were run into the table in README.md.
        #[arg(long, conflicts_with = "against")]
        update_readme: bool,
        /// Takes the figures of the last run instead of running the benches again.
        #[arg(long, conflicts_with = "only")]
        no_run: bool,
        /// What the bench itself understands, after `--`.
        #[arg(last = true, requires = "only")]
        rest: Vec<String>,
    },
    /// Builds a static `bootnode` for a node's flash and, with arguments, the initramfs around it.
    Phase1 {
        /// What `twowire phase1` understands, after `--`; nothing builds the program alone.
        #[arg(last = true)]
        rest: Vec<String>,
    },
    /// Writes mpi.h, the constants, the refused functions and the coverage table from the lists in mpi-shim/abi.
    MpiAbi {
        /// Writes nothing; fails if something would change.
        #[arg(long)]
        check: bool,
    },
    /// Builds mpi4py from its source distribution with the MPI library, and runs its tests, a module at a time.
    Mpi4py(mpi4py::Suite),
    /// Builds programs that use MPI from Debian's sources with the MPI library, runs them, and checks what they say of their
    /// results.
    MpiPrograms {
        /// Only these: hpcc, netpipe, hypre.
        #[arg(long, value_name = "NAME")]
        only: Vec<String>,
        /// Where archives of sources are (NAME_VERSION.orig.tar.gz); else apt-get gets them.
        #[arg(long, value_name = "DIR")]
        source: Option<PathBuf>,
    },
    /// Runs the tests of the MPI library, in Rust and in C, with the address and the thread sanitizer.
    Sanitize {
        /// Only these.
        #[arg(value_enum)]
        sanitizers: Vec<sanitize::Sanitizer>,
        /// Names of tests, after `--`: only those that contain one of them.
        #[arg(last = true)]
        tests: Vec<String>,
    },
    /// Builds the MPI library, and lays it out with its header, compilers and launcher.
    MpiInstall {
        /// The folder; `bin`, `include`, `lib` and `share` appear in it.
        #[arg(long, value_name = "DIR")]
        prefix: PathBuf,
        /// Builds with optimisations.
        #[arg(long)]
        release: bool,
    },
}

fn main() -> ExitCode {
    let result = match Args::parse().command {
        Command::Test { only } => test::run(&only),
        Command::Bench { only: Some(only), against, update_readme, rest, .. } => {
            bench::run_one(&only, &against, update_readme, &rest)
        }
        Command::Bench { update_readme, no_run, .. } => bench::run(update_readme, no_run),
        Command::Phase1 { rest } => phase1::build(&rest),
        Command::MpiAbi { check } => mpi_abi::run(check),
        Command::Mpi4py(suite) => mpi4py::test(&suite),
        Command::MpiPrograms { only, source } => mpi_programs::test(&only, source.as_deref()),
        Command::Sanitize { sanitizers, tests } => sanitize::test(&sanitizers, &tests),
        Command::MpiInstall { prefix, release } => mpi_install::install(&prefix, release),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask: {error}");
            ExitCode::FAILURE
        }
    }
}
