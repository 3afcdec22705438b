//! `mapper` without a command: map, route, prove, write.

use super::cabling::CablingReport;
use super::files::{check_writable, read_map};
use super::infiniband::{self, Place};
use super::load;
use super::outputs::{Maps, OutputArgs};
use super::progress::Progress;
use super::report::{MapReport, Phase, write_map};
use super::source::{self, Found};
use crate::engine::{self, Request, TopologyKind};
use crate::verify::verify;
use clap::{ArgGroup, Args};
use std::num::NonZeroU8;
use std::path::PathBuf;
use std::time::Instant;
use twowire_fabric::program::interrupt;
use twowire_fabric::program::{Failure, print, print_json};
use twowire_fabric::sim::FaultSpec;
use twowire_fabric::spec::FabricSpec;

/// See `mapper --help`.
#[derive(Args, Debug)]
#[command(group = ArgGroup::new("input").required(true).args(["fabric", "from_topo"]))]
pub(super) struct MapArgs {
    /// The fabric to map: sim:pink, sim:clos:hosts=N,radix=N,levels=N, sim:torus:8x8x8, sim:FILE.topo, xbar:PATH, umad:mlx5_0/1, …
    #[arg(long, value_name = "FABRIC")]
    pub fabric: Option<FabricSpec>,
    /// Takes the map from a file instead of a fabric, with the names that it has there
    #[arg(long, value_name = "FILE")]
    pub from_topo: Option<PathBuf>,
    /// What the fabric is meant to be
    #[arg(long, value_name = "KIND", default_value = "any")]
    pub topology: TopologyKind,
    /// Routes for each pair of hosts: one, and alternates for spreading and failover
    #[arg(long, value_name = "K", default_value = "1")]
    pub routes_per_pair: NonZeroU8,
    /// The intended cabling: what is to be done to have it is printed, and makes the exit status 1
    #[arg(long, value_name = "FILE")]
    pub expect: Option<PathBuf>,
    #[command(flatten)]
    pub outputs: OutputArgs,
    /// Loads the proven routes into the nodes, and lets all use them
    #[arg(long, conflicts_with = "from_topo")]
    pub load: bool,
    /// Brings an InfiniBand subnet up by the proven routes, as a subnet manager does
    #[arg(long, conflicts_with = "from_topo")]
    pub install: bool,
    /// Writes an InfiniBand subnet's forwarding tables, as OpenSM's engine `file` reads them
    #[arg(long, value_name = "FILE", conflicts_with = "from_topo")]
    pub lfts_out: Option<PathBuf>,
    /// Prints one JSON object instead of a table
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    pub probing: FabricArgs,
}

/// What matters only where a fabric is probed.
#[derive(Args, Debug)]
pub(super) struct FabricArgs {
    /// The host that maps, by its name in a simulated or served topology [default: the one named `master`, else the first]
    #[arg(long, value_name = "HOST", conflicts_with = "from_topo")]
    pub front_end: Option<String>,
    /// The map of an earlier run: hosts found where one was before keep their numbers
    #[arg(long, value_name = "FILE", conflicts_with = "from_topo")]
    pub map: Option<PathBuf>,
    /// A fault to inject into a simulated fabric, by its names; may be repeated (swap:n17, cut:x1.3:9@5ms, loss:0.01, …)
    #[arg(long, value_name = "FAULT", conflicts_with = "from_topo")]
    pub fault: Vec<FaultSpec>,
    /// Probes that may be on their way at once
    #[arg(long, value_name = "N", default_value_t = 64, value_parser = clap::value_parser!(u16).range(1..=4096))]
    pub window: u16,
    /// Replays a run on a simulated fabric: same seed and flags, same map
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,
}

pub(super) fn run(args: &MapArgs) -> Result<(), Failure> {
    args.outputs.check_writable()?;
    args.lfts_out.iter().try_for_each(|path| check_writable(path))?;
    let expected = args.expect.as_deref().map(read_map).transpose()?;
    interrupt::catch();
    if let Some(place) = args.fabric.as_ref().and_then(Place::of) {
        return infiniband::run(args, &place, expected);
    }
    infiniband::refuse_elsewhere(args)?;
    let mut fabric = args.fabric.as_ref().map(|spec| source::open(spec, &args.probing, args.load)).transpose()?;
    let mut clock = Clock::start();
    let found = clock.phase("discovery", |progress| match (&mut fabric, &args.from_topo) {
        (Some(fabric), _) => source::probe(fabric, &args.probing, progress),
        (None, Some(path)) => source::read(path),
        (None, None) => Err(Failure::Usage("say what to map: --fabric FABRIC or --from-topo FILE".to_owned())),
    })?;
    let Found { topology, front_end, discovery, epoch } = found;
    // Nodes take routes of a later epoch than those that they hold.
    let epoch = if args.load { epoch + 1 } else { 1 };
    let request = Request { routes_per_pair: args.routes_per_pair, epoch };
    let routes =
        clock.phase("routes", |_| engine::compute(&topology, args.topology, request).map_err(Failure::failed))?;
    let proven = clock.phase("proof", |_| verify(&topology, routes, None).map_err(Failure::failed))?;
    let maps = Maps { found: &topology, front_end, intended: expected.as_ref() };
    clock.phase("output", |_| args.outputs.write(&maps, &proven))?;
    let loaded = match fabric.as_mut().filter(|_| args.load) {
        None => None,
        Some(fabric) => Some(clock.phase("loading", |progress| load::load(fabric, &topology, &proven, progress))?),
    };
    let report = MapReport {
        source: args.fabric.as_ref().map_or_else(String::new, FabricSpec::to_string)
            + &args.from_topo.as_ref().map_or_else(String::new, |path| path.display().to_string()),
        seed: args.probing.seed,
        discovery,
        proof: proven.report().clone(),
        loaded,
        subnet: None,
        cabling: expected.map(|expected| CablingReport::compare(&expected, &topology, front_end)),
        wall_ms: clock.wall_ms(),
        phases: clock.phases,
    };
    finish(args, &report)
}

/// Prints a report; an error if it says that something is not as it should be.
pub(super) fn finish(args: &MapArgs, report: &MapReport) -> Result<(), Failure> {
    if args.json {
        print_json(report)?
    } else {
        print(|out| write_map(out, report))?
    }
    let differs = report.cabling.as_ref().is_some_and(|cabling| !cabling.is_as_intended());
    let lacks = report.loaded.as_ref().is_some_and(|loaded| !loaded.not_loaded.is_empty());
    if differs || lacks { Err(Failure::Reported) } else { Ok(()) }
}

/// Measures the steps of a run.
pub(super) struct Clock {
    start: Instant,
    pub phases: Vec<Phase>,
}

#[expect(clippy::disallowed_methods, reason = "people want to know how long they waited")]
fn now() -> Instant {
    Instant::now()
}

fn ms_since(start: Instant) -> f64 {
    // Microseconds are precise enough, and are fewer digits to read.
    (start.elapsed().as_secs_f64() * 1e6).round() / 1e3
}

impl Clock {
    pub(super) fn start() -> Clock {
        Clock { start: now(), phases: Vec::new() }
    }

    /// Does one step, unless Ctrl-C was pressed before it or meanwhile.
    pub(super) fn phase<T>(
        &mut self,
        name: &'static str,
        step: impl FnOnce(&Progress) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        let start = now();
        let result = step(&Progress::start(name));
        if interrupt::interrupted() {
            return Err(Failure::Interrupted);
        }
        self.phases.push(Phase { name, wall_ms: ms_since(start) });
        result
    }

    pub(super) fn wall_ms(&self) -> f64 {
        ms_since(self.start)
    }
}
