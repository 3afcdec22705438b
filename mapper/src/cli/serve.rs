//! `mapper serve`.

use super::files::{check_writable, write_text};
use super::load::REAL_TIME_PATIENCE;
use super::map::FabricArgs;
use super::progress::Progress;
use super::source::{self, Fabric, Found};
use crate::engine::{Request, TopologyKind};
use crate::repair::Routing;
use crate::serve::{ServeConfig, Server, What};
use clap::Args;
use std::num::NonZeroU8;
use std::path::PathBuf;
use std::time::Duration;
use twowire_fabric::program::interrupt::{self, interrupted};
use twowire_fabric::program::{Failure, print, print_json};
use twowire_fabric::protocol::drive;
use twowire_fabric::sim::FaultSpec;
use twowire_fabric::spec::FabricSpec;

/// See `mapper serve --help`.
#[derive(Args, Debug)]
#[command(after_help = "It ends by Ctrl-C. A simulated fabric's time passes as fast as it can be computed.\n\n\
        Exit status: 0; 1 if it failed, or, with --once, if the fabric has no routes that hold; 130 after Ctrl-C.\n\n\
        Examples:\n  \
        mapper serve --fabric xbar:/run/pink --topology clos --topo-out pink.topo\n  \
        mapper serve --fabric sim:pink --fault cut:x2.3:9@500ms --once\n  \
        mapper serve --fabric sim:pink --fault kill:x3.1@500ms --once --json")]
pub(super) struct ServeArgs {
    /// The fabric to watch: sim:pink, sim:clos:hosts=N,radix=N,levels=N, sim:FILE.topo, xbar:PATH, …
    #[arg(long, value_name = "FABRIC")]
    fabric: FabricSpec,
    /// What the fabric is meant to be
    #[arg(long, value_name = "KIND", default_value = "any")]
    topology: TopologyKind,
    /// Routes for each pair of hosts: one, and alternates for spreading and failover
    #[arg(long, value_name = "K", default_value = "1")]
    routes_per_pair: NonZeroU8,
    /// From the end of a look at the fabric to the next
    #[arg(long, value_name = "TIME", default_value = "1s", value_parser = humantime::parse_duration)]
    interval: Duration,
    /// Looks once after the routes have been loaded, repairs what is to be repaired, and ends
    #[arg(long)]
    once: bool,
    /// Writes the map, and again whenever it changes
    #[arg(long, value_name = "FILE")]
    topo_out: Option<PathBuf>,
    /// Prints a JSON object for each event, one a line
    #[arg(long)]
    json: bool,
    /// The host that maps, by its name in a simulated or served topology [default: the one named `master`, else the first]
    #[arg(long, value_name = "HOST")]
    front_end: Option<String>,
    /// The map of an earlier run: hosts found where one was before keep their numbers
    #[arg(long, value_name = "FILE")]
    map: Option<PathBuf>,
    /// A fault to inject into a simulated fabric, by its names; may be repeated (cut:x1.3:9@500ms, kill:x3.1@1s, …)
    #[arg(long, value_name = "FAULT")]
    fault: Vec<FaultSpec>,
    /// Probes that may be on their way at once
    #[arg(long, value_name = "N", default_value_t = 64, value_parser = clap::value_parser!(u16).range(1..=4096))]
    window: u16,
    /// Replays a run on a simulated fabric
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
}

/// In real time, how long to wait for an answer at least: a host that waits for its turn on a processor is not gone.
const REAL_TIME_FLOOR: Duration = Duration::from_millis(25);

/// How long to run before looking whether Ctrl-C was pressed (fabric time).
const SLICE: Duration = Duration::from_millis(100);

pub(super) fn run(args: &ServeArgs) -> Result<(), Failure> {
    args.topo_out.iter().try_for_each(|path| check_writable(path))?;
    interrupt::catch();
    let probing = FabricArgs {
        front_end: args.front_end.clone(),
        map: args.map.clone(),
        fault: args.fault.clone(),
        window: args.window,
        seed: args.seed,
    };
    let mut fabric = source::open(&args.fabric, &probing, true)?;
    let found = source::probe(&mut fabric, &probing, &Progress::start("discovery"))?;
    let mut server = server(args, &fabric, found)?;
    write_map(args, &server)?;
    let mut outcome = Ok(());
    while outcome.is_ok() && !interrupted() && !(args.once && server.sweeps() > 0 && server.is_settled()) {
        let deadline = fabric.port.now() + SLICE;
        drive(&mut *fabric.port, &mut server, deadline, |server| {
            outcome = report(args, server);
            outcome.is_err() || interrupted() || args.once && server.sweeps() > 0 && server.is_settled()
        })
        .map_err(Failure::failed)?;
    }
    outcome?;
    match interrupted() {
        true => Err(Failure::Interrupted),
        false if server.is_open() => Err(Failure::Reported),
        false => Ok(()),
    }
}

/// Computes the first routes, and gets ready to give them to the nodes.
fn server(args: &ServeArgs, fabric: &Fabric, found: Found) -> Result<Server, Failure> {
    let Found { topology, front_end, epoch, .. } = found;
    // Nodes take routes of a later epoch than those that they hold.
    let request = Request { routes_per_pair: args.routes_per_pair, epoch: epoch + 1 };
    let routing = Routing::new(topology, args.topology, request).map_err(Failure::failed)?;
    let defaults = ServeConfig::default();
    let config = ServeConfig {
        interval: args.interval,
        window: args.window.into(),
        timeout_floor: if fabric.real_time { REAL_TIME_FLOOR } else { fabric.timeout_floor },
        patience: if fabric.real_time { REAL_TIME_PATIENCE } else { defaults.patience },
        ..defaults
    };
    let (port, seed) = (&fabric.port, fabric.seed);
    Ok(Server::new(config, port.now(), routing, front_end, port.unique_id(), seed))
}

/// Prints what has happened.
fn report(args: &ServeArgs, server: &mut Server) -> Result<(), Failure> {
    while let Some(event) = server.poll_event() {
        if args.json {
            print_json(&event)?;
        } else {
            print(|out| writeln!(out, "{event}"))?;
        }
        if matches!(event.what, What::InUse { .. }) {
            write_map(args, server)?;
        }
    }
    Ok(())
}

fn write_map(args: &ServeArgs, server: &Server) -> Result<(), Failure> {
    let text = || server.routing().standing().topology().to_string();
    args.topo_out.iter().try_for_each(|path| write_text(path, &text()))
}
