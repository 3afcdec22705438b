//! The command line of `mapper`.

mod cabling;
mod completions;
mod diff;
mod files;
mod infiniband;
mod load;
mod map;
mod merge;
mod outputs;
mod progress;
mod report;
mod routed;
mod routes;
mod serve;
mod show;
mod source;
mod verify;
mod what_if;

use clap::{CommandFactory, Parser, Subcommand};
use std::process::ExitCode;

/// Finds, names, routes and proves a source-routed fabric.
///
/// Without a command it maps a fabric by probes from the front end alone (or takes a map from a file), computes the
/// routes of all pairs of hosts, proves that they all arrive and cannot deadlock, and writes what was asked for.
#[derive(Parser, Debug)]
#[command(
    name = "mapper",
    version,
    args_conflicts_with_subcommands = true,
    subcommand_negates_reqs = true,
    after_help = EXAMPLES
)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    map: map::MapArgs,
}

const EXAMPLES: &str = "Exit status: 0 if all is well; 1 if it failed, or found differences; 2 for a wrong command line.\n\n\
    Examples:\n  \
    mapper --fabric sim:pink --topo-out pink.topo --routes-out pink.routes --routes-per-pair 8\n  \
    mapper --topology clos --fabric sim:intended.topo --expect intended.topo --fault cut:x1.3:9\n  \
    mapper --topology clos --fabric xbar:/run/pink --load --topo-out pink.topo --routes-out pink.routes\n  \
    mapper --fabric umad:mlx5_0/1 --topo-out subnet.topo --svg subnet.svg\n  \
    mapper --fabric ibsim:n0 --install --lfts-out pink.lfts\n  \
    mapper --from-topo pink.topo --svg pink.svg --slurm topology.conf --hostfile hosts\n  \
    mapper verify --topo pink.topo --routes pink.routes\n  \
    mapper routes --from-topo pink.topo --from n0 --to n9\n  \
    mapper show --topo pink.topo --from n0 --to n9\n  \
    mapper what-if --topo pink.topo --kill x2.5\n  \
    mapper merge --topo pink.topo east.routes west.routes --out all.routes\n  \
    mapper diff before.topo after.topo";

#[derive(Subcommand, Debug)]
enum Command {
    /// Proves the routes of a file: they all arrive, no pair is missing, and they cannot deadlock
    Verify(verify::VerifyArgs),
    /// Watches a fabric, and keeps the routes of its nodes right
    Serve(serve::ServeArgs),
    /// Prints the routes that leave a host
    Routes(routes::RoutesArgs),
    /// Explains routes hop by hop, the busiest cables, the longest routes, and what is plugged in where
    Show(show::ShowArgs),
    /// Says what would be lost if something broke
    WhatIf(what_if::WhatIfArgs),
    /// Puts several sets of routes together, and proves the result
    Merge(merge::MergeArgs),
    /// Says which cables and hosts differ between two maps, and what to move where
    Diff(diff::DiffArgs),
    /// Prints a completion script for a shell
    Completions(completions::CompletionsArgs),
}

/// Runs the program on the command line of this process.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    let outcome = match cli.command {
        None => map::run(&cli.map),
        Some(Command::Verify(args)) => verify::run(&args),
        Some(Command::Serve(args)) => serve::run(&args),
        Some(Command::Routes(args)) => routes::run(&args),
        Some(Command::Show(args)) => show::run(&args),
        Some(Command::WhatIf(args)) => what_if::run(&args),
        Some(Command::Merge(args)) => merge::run(&args),
        Some(Command::Diff(args)) => diff::run(&args),
        Some(Command::Completions(args)) => completions::run(&args, &mut Cli::command()),
    };
    outcome.map_or_else(|failure| failure.report("mapper"), |()| ExitCode::SUCCESS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }
}
