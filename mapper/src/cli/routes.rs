//! `mapper routes`.

use super::files::read_topology;
use super::routed::find_host;
use crate::engine::{self, Request, TopologyKind};
use crate::verify::verify;
use clap::Args;
use serde::Serialize;
use std::num::NonZeroU8;
use std::path::PathBuf;
use twowire_fabric::program::{Failure, print, print_json};
use twowire_fabric::topology::HostId;

/// See `mapper routes --help`.
#[derive(Args, Debug)]
#[command(after_help = "Examples:\n  \
        mapper routes --from-topo pink.topo --from n0 --to n9 --routes-per-pair 8\n  \
        mapper routes --from-topo pink.topo --from n0 > n0.routes")]
pub(super) struct RoutesArgs {
    /// The topology
    #[arg(long, value_name = "FILE")]
    from_topo: PathBuf,
    /// The host where the routes start
    #[arg(long, value_name = "HOST")]
    from: String,
    /// The host where they end [default: every other host]
    #[arg(long, value_name = "HOST")]
    to: Option<String>,
    /// What the fabric is meant to be
    #[arg(long, value_name = "KIND", default_value = "any")]
    topology: TopologyKind,
    /// Routes for each pair of hosts: one, and alternates
    #[arg(long, value_name = "K", default_value = "1")]
    routes_per_pair: NonZeroU8,
    /// Prints a JSON list
    #[arg(long)]
    json: bool,
}

/// One route as JSON has it.
#[derive(Serialize)]
struct Line {
    from: String,
    to: String,
    rail: u8,
    hops: String,
}

pub(super) fn run(args: &RoutesArgs) -> Result<(), Failure> {
    let topology = read_topology(&args.from_topo)?;
    let from = find_host(&topology, "--from", &args.from)?;
    let to = args.to.as_ref().map(|name| find_host(&topology, "--to", name)).transpose()?;
    let request = Request { routes_per_pair: args.routes_per_pair, epoch: 1 };
    let routes = engine::compute(&topology, args.topology, request).map_err(Failure::failed)?;
    let routes = verify(&topology, routes, None).map_err(Failure::failed)?;
    let destinations = topology.host_ids().filter(|&host| to.is_none_or(|to| to == host));
    let name = |host: HostId| topology.host(host).name.clone();
    let lines: Vec<Line> = destinations
        .flat_map(|to| routes.routes_and_rails(from, to).map(move |(rail, route)| (to, rail, route)))
        .map(|(to, rail, route)| Line { from: name(from), to: name(to), rail, hops: route.to_string() })
        .collect();
    if args.json {
        return print_json(&lines);
    }
    print(|out| {
        writeln!(out, "routes 1 epoch={} hosts={} engine={}", routes.epoch(), routes.hosts(), routes.engine())?;
        lines.iter().try_for_each(|Line { from, to, rail, hops }| match rail {
            0 => writeln!(out, "{from} {to} {hops}"),
            _ => writeln!(out, "{from} {to} {hops} rail={rail}"),
        })
    })
}
