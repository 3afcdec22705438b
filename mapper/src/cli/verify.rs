//! `mapper verify`.

use super::files::{read_routes, read_topology};
use super::report::write_proof;
use crate::verify::check;
use clap::Args;
use std::path::PathBuf;
use twowire_fabric::program::{Failure, print, print_json};

/// See `mapper verify --help`.
#[derive(Args, Debug)]
#[command(after_help = "Exit status: 0 if the routes hold, 1 if they do not.\n\n\
        Examples:\n  \
        mapper verify --topo pink.topo --routes pink.routes\n  \
        mapper verify --topo pink.topo --routes new.routes --in-use old.routes --json")]
pub(super) struct VerifyArgs {
    /// The topology
    #[arg(long, value_name = "FILE")]
    topo: PathBuf,
    /// The routes
    #[arg(long, value_name = "FILE")]
    routes: PathBuf,
    /// Routes of an earlier epoch that are still in use: both together must not deadlock either
    #[arg(long, value_name = "FILE")]
    in_use: Option<PathBuf>,
    /// Prints one JSON object
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &VerifyArgs) -> Result<(), Failure> {
    let topology = read_topology(&args.topo)?;
    let routes = read_routes(&args.routes, &topology)?;
    let in_use = args.in_use.as_ref().map(|path| read_routes(path, &topology)).transpose()?;
    let report = check(&topology, &routes, in_use.as_ref());
    if args.json {
        print_json(&report)?;
    } else {
        print(|out| write_proof(out, &report))?;
    }
    if report.holds() { Ok(()) } else { Err(Failure::Reported) }
}
