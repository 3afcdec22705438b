//! `mapper what-if`.

use super::files::{check_writable, write_text};
use super::routed::RoutedArgs;
use crate::explain::what_if::{Part, Traffic, losses, without};
use crate::output::svg::Picture;
use crate::verify::{check, loads, verify};
use clap::Args;
use std::num::NonZeroU8;
use std::path::PathBuf;
use twowire_fabric::program::{Failure, print, print_json};

/// See `mapper what-if --help`.
#[derive(Args, Debug)]
#[command(
    after_help = "The bandwidth is what is left once new routes are loaded. The bisection is the share of a cable's rate that a pair \
        gets when a random half of the hosts exchanges data with the other, in the mean of 20.\n\n\
        Examples:\n  \
        mapper what-if --topo pink.topo --kill x2.5\n  \
        mapper what-if --topo pink.topo --routes pink.routes --kill x1.3:9 --kill x3.7\n  \
        mapper what-if --topo pink.topo --kill x3.7 --svg without.svg\n  \
        mapper what-if --topo pink.topo --routes-per-pair 8 --kill n17 --json"
)]
pub(super) struct WhatIfArgs {
    #[command(flatten)]
    routed: RoutedArgs,
    /// What breaks: a crossbar, a host, or a cable by one of its ends; may be repeated (x2.5, n17, x1.3:9)
    #[arg(long, value_name = "PART", required = true)]
    kill: Vec<String>,
    /// Draws the map with what breaks in red, and the load that new routes would put on the other cables
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,
    /// Prints one JSON object
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &WhatIfArgs) -> Result<(), Failure> {
    args.svg.iter().try_for_each(|path| check_writable(path))?;
    let (topology, routes) = args.routed.read()?;
    let parts = args.kill.iter().map(|name| Part::find(&topology, name)).collect::<Result<Vec<Part>, _>>();
    let damaged = without(&topology, &parts.map_err(|error| Failure::Usage(format!("--kill {error}")))?);
    let routes_per_pair =
        u8::try_from(routes.routes_per_pair()).ok().and_then(NonZeroU8::new).unwrap_or(NonZeroU8::MIN);
    let rerouted = args.routed.compute(&damaged, routes_per_pair)?;
    let rerouted = verify(&damaged, rerouted, None).map_err(Failure::failed)?;
    let before = Traffic::of(&topology, &routes, &check(&topology, &routes, None));
    let after = Traffic::of(&damaged, &rerouted, rerouted.report());
    let losses = losses(&topology, &routes, &damaged, before, after);
    if let Some(path) = &args.svg {
        let loads = loads(&damaged, &rerouted);
        let load = |end| damaged.peer(end).map(|_| loads.of_cable(&damaged, end));
        write_text(path, &Picture::beside(&topology, &loads, load).draw())?;
    }
    if args.json { print_json(&losses) } else { print(|out| write!(out, "{losses}")) }
}
