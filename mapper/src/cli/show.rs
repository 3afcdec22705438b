//! `mapper show`.

use super::files::read_topology;
use super::routed::{RoutedArgs, find_host};
use crate::explain::{conflicts::conflicts, longest::lengths, pair::explain, wiring::wiring};
use crate::verify::loads;
use clap::{ArgGroup, Args};
use serde::Serialize;
use std::fmt::Display;
use twowire_fabric::program::{Failure, print, print_json};

/// See `mapper show --help`.
#[derive(Args, Debug)]
#[command(group = ArgGroup::new("question").required(true).args(["from", "longest", "conflicts", "wiring"]))]
#[command(after_help = "The load of a cable is how many preferred routes of all pairs use it in one direction.\n\n\
        Examples:\n  \
        mapper show --topo pink.topo --routes pink.routes --from n3 --to n900\n  \
        mapper show --topo pink.topo --routes-per-pair 8 --from n3 --to n900 --json\n  \
        mapper show --topo pink.topo --longest\n  \
        mapper show --topo pink.topo --conflicts --top 3\n  \
        mapper show --topo pink.topo --wiring > wiring.txt")]
pub(super) struct ShowArgs {
    #[command(flatten)]
    routed: RoutedArgs,
    /// Explains the routes that start at this host, hop by hop
    #[arg(long, value_name = "HOST", requires = "to")]
    from: Option<String>,
    /// The host where they end
    #[arg(long, value_name = "HOST", requires = "from")]
    to: Option<String>,
    /// How long the routes are, and which are the longest
    #[arg(long)]
    longest: bool,
    /// The busiest cables, and whose routes share them
    #[arg(long)]
    conflicts: bool,
    /// How many cables `--conflicts` lists
    #[arg(long, value_name = "N", default_value_t = 10, requires = "conflicts")]
    top: usize,
    /// What is plugged in where: each port of each crossbar
    #[arg(long, conflicts_with_all = ["routes", "topology", "routes_per_pair"])]
    wiring: bool,
    /// Prints JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &ShowArgs) -> Result<(), Failure> {
    if args.wiring {
        return args.print(&wiring(&read_topology(&args.routed.topo)?));
    }
    let (topology, routes) = args.routed.read()?;
    if args.longest {
        return args.print(&lengths(&topology, &routes));
    }
    if args.conflicts {
        return args.print(&conflicts(&topology, &routes, &loads(&topology, &routes), args.top));
    }
    let (Some(from), Some(to)) = (&args.from, &args.to) else {
        return Err(Failure::Usage(
            "say what to show: --from HOST --to HOST, --longest, --conflicts or --wiring".into(),
        ));
    };
    let (from, to) = (find_host(&topology, "--from", from)?, find_host(&topology, "--to", to)?);
    if from == to {
        return Err(Failure::Usage(format!(
            "--to {}: that is where the route starts; name another host",
            topology.host(to).name
        )));
    }
    args.print(&explain(&topology, &routes, &loads(&topology, &routes), from, to))
}

impl ShowArgs {
    fn print(&self, answer: &(impl Serialize + Display)) -> Result<(), Failure> {
        if self.json { print_json(answer) } else { print(|out| write!(out, "{answer}")) }
    }
}
