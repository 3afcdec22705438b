//! `mapper merge`.

use super::files::{check_writable, read_routes, read_topology, write_routes};
use super::report::write_proof;
use crate::merge::merge;
use crate::verify::verify;
use clap::Args;
use std::path::PathBuf;
use twowire_fabric::program::{Failure, print, print_json};

/// See `mapper merge --help`.
#[derive(Args, Debug)]
#[command(
    after_help = "Each pair gets the routes of the first file, then those of the others that differ. The epoch is the one after the \
        latest.\n\nExit status: 0 if the routes hold together, 1 if they do not; then nothing is written.\n\n\
        Examples:\n  \
        mapper merge --topo pink.topo a.routes b.routes --out both.routes\n  \
        mapper merge --topo pink.topo east.routes west.routes --json"
)]
pub(super) struct MergeArgs {
    /// The map that all of them are for
    #[arg(long, value_name = "FILE")]
    topo: PathBuf,
    /// The sets of routes
    #[arg(value_name = "ROUTES", num_args = 2.., required = true)]
    sets: Vec<PathBuf>,
    /// Writes all routes as one set
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Prints one JSON object: what the verifier says
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &MergeArgs) -> Result<(), Failure> {
    args.out.iter().try_for_each(|path| check_writable(path))?;
    let topology = read_topology(&args.topo)?;
    let sets = args.sets.iter().map(|path| read_routes(path, &topology)).collect::<Result<Vec<_>, _>>()?;
    let proved = verify(&topology, merge(&sets), None);
    let report = match &proved {
        Ok(routes) => routes.report(),
        Err(refused) => &refused.0,
    };
    if args.json {
        print_json(report)?;
    } else {
        print(|out| write_proof(out, report))?;
    }
    match (&args.out, proved) {
        (_, Err(_)) => Err(Failure::Reported),
        (None, Ok(_)) => Ok(()),
        (Some(path), Ok(routes)) => write_routes(path, &topology, &routes),
    }
}
