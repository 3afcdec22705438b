//! `mapper diff`.

use super::files::read_map;
use crate::diff::diff;
use clap::Args;
use std::path::PathBuf;
use twowire_fabric::program::{Failure, print, print_json};

/// See `mapper diff --help`.
#[derive(Args, Debug)]
#[command(after_help = "A replaced network card is no difference: nodes are known by their places.\n\n\
        Exit status: 0 if nothing differs, 1 if something does.\n\n\
        Examples:\n  mapper diff before.topo after.topo\n  mapper diff intended.topo found.topo --json")]
pub(super) struct DiffArgs {
    /// The map of before, or the intended cabling
    old: PathBuf,
    /// The map of now
    new: PathBuf,
    /// Prints a JSON list
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &DiffArgs) -> Result<(), Failure> {
    let (old, old_front_end) = read_map(&args.old)?;
    let (new, new_front_end) = read_map(&args.new)?;
    let changes = diff(&old, old_front_end, &new, new_front_end);
    if args.json {
        print_json(&changes)?;
    } else {
        print(|out| changes.iter().try_for_each(|change| writeln!(out, "{change}")))?;
    }
    if changes.is_empty() { Ok(()) } else { Err(Failure::Reported) }
}
