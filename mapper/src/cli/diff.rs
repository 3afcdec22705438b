//! `mapper diff`.

use super::files::read_map;
use crate::cabling::instructions;
use crate::diff::diff;
use clap::Args;
use serde::Serialize;
use std::fmt::Display;
use std::path::PathBuf;
use twowire_fabric::program::{Failure, print, print_json};

/// See `mapper diff --help`.
#[derive(Args, Debug)]
#[command(after_help = "A replaced network card is no difference: nodes are known by their places.\n\n\
        Exit status: 0 if nothing differs, 1 if something does.\n\n\
        Examples:\n  mapper diff before.topo after.topo\n  mapper diff intended.topo found.topo --json\n  \
        mapper diff intended.topo found.topo --instructions")]
pub(super) struct DiffArgs {
    /// The map of before, or the intended cabling
    old: PathBuf,
    /// The map of now
    new: PathBuf,
    /// Prints what is to be done, in this order, to have the old map's cabling
    #[arg(long)]
    instructions: bool,
    /// Prints a JSON list
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &DiffArgs) -> Result<(), Failure> {
    let (old, old_front_end) = read_map(&args.old)?;
    let (new, new_front_end) = read_map(&args.new)?;
    if args.instructions {
        return args.print(&instructions(&old, old_front_end, &new, new_front_end));
    }
    args.print(&diff(&old, old_front_end, &new, new_front_end))
}

impl DiffArgs {
    /// Prints a list, and fails if there is anything on it.
    fn print(&self, list: &[impl Serialize + Display]) -> Result<(), Failure> {
        if self.json {
            print_json(&list)?;
        } else {
            print(|out| list.iter().try_for_each(|line| writeln!(out, "{line}")))?;
        }
        if list.is_empty() { Ok(()) } else { Err(Failure::Reported) }
    }
}
