//! `twowire up`.

use super::print::{print_json, print_text};
use crate::job;
use crate::up::{self, Cluster, ImageSource, Progress, UpError, UpOptions};
use clap::Args;
use std::path::PathBuf;
use std::time::Duration;
use twowire_fabric::program::Failure;
use twowire_fabric::sim::FaultSpec;
use twowire_fabric::spec::FabricSpec;
use twowire_mapper::engine::TopologyKind;

/// See `twowire up --help`.
#[derive(Args, Debug)]
#[command(
    after_help = "Times in faults are fabric time since power-on. Faults name hosts and crossbars as the simulated topology does:\n  \
        crash:n17@20ms  restart:n17@80ms  swap:n17@5ms (its network card is replaced)\n  \
        cut:x1.3:9@0ms  mend:x1.3:9@5ms   flap:x1.3:9@10ms  kill:x2.5@30ms  revive:x2.5@40ms\n  \
        loss:0.01  corrupt:0.001  duplicate:0.01  reorder:0.01\n\n\
        Examples:\n  \
        twowire up\n  \
        twowire up --fabric sim:clos:hosts=512,radix=16,levels=3 --json\n  \
        twowire up --image node.img --key cluster.key.pub --fault loss:0.01\n  \
        twowire up --fault crash:n17@20ms --fault restart:n17@80ms --seed 7"
)]
pub(super) struct UpArgs {
    /// The fabric: sim:pink, sim:clos:hosts=…,radix=…,levels=…, sim:torus:8x8x8, sim:FILE.topo, …
    #[arg(long, value_name = "FABRIC", default_value = "sim:pink")]
    fabric: FabricSpec,
    /// The host that is the front end [default: the one named `master`, else the first]
    #[arg(long, value_name = "HOST")]
    front_end: Option<String>,
    /// What the fabric is meant to be, for its routes
    #[arg(long, value_name = "KIND", default_value = "any")]
    topology: TopologyKind,
    /// Routes for each pair of hosts: one, and alternates for spreading and failover
    #[arg(long, value_name = "K", default_value_t = 8, value_parser = clap::value_parser!(u8).range(1..=64))]
    routes_per_pair: u8,
    /// The intended cabling, which names absent nodes [default: the simulated topology as it was asked for]
    #[arg(long, value_name = "FILE", conflicts_with = "map")]
    expect: Option<PathBuf>,
    /// The map saved by an earlier run: hosts found where one was before keep their numbers
    #[arg(long, value_name = "FILE")]
    map: Option<PathBuf>,
    /// Saves the fabric map
    #[arg(long, value_name = "FILE")]
    topo_out: Option<PathBuf>,
    /// Saves the routes
    #[arg(long, value_name = "FILE")]
    routes_out: Option<PathBuf>,
    /// The image to boot [default: packed from this machine's kernel, where it can be read, and Twowire's own programs]
    #[arg(long, value_name = "FILE", conflicts_with_all = ["kernel", "initrd", "cmdline"])]
    image: Option<PathBuf>,
    /// The key that nodes check --image with (public), or that signs --kernel and --initrd (secret) [default: a new one]
    #[arg(long, value_name = "FILE")]
    key: Option<PathBuf>,
    /// The cluster's secret: `twowire key secret` makes it. The nodes get it too, and prove that they know it [default: all take part]
    #[arg(long, value_name = "FILE")]
    secret: Option<PathBuf>,
    /// The phase-2 kernel
    #[arg(long, value_name = "FILE", requires = "initrd")]
    kernel: Option<PathBuf>,
    /// The phase-2 initramfs
    #[arg(long, value_name = "FILE")]
    initrd: Option<PathBuf>,
    /// The phase-2 kernel's command line
    #[arg(long, value_name = "TEXT", requires = "initrd")]
    cmdline: Option<String>,
    /// A fault to inject into a simulated fabric; may be repeated
    #[arg(long, value_name = "FAULT")]
    fault: Vec<FaultSpec>,
    /// Replays a run: same seed and flags, same report
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// How long to wait for nodes that are missing once all others are up (fabric time)
    #[arg(long, value_name = "TIME", default_value = "500ms", value_parser = duration)]
    node_timeout: Duration,
    /// Ranks of the MPI job at the end: processes attached to nodes' places on crossbars in real time; 0 for no job
    /// [default: 8, or as many as nodes are up]
    #[arg(long, value_name = "RANKS", value_parser = clap::value_parser!(u32).range(0..=64))]
    job: Option<u32>,
    /// Prints one JSON object instead of lines and tables
    #[arg(long)]
    json: bool,
}

/// Ranks of the job at the end.
const DEFAULT_RANKS: usize = 8;

fn duration(text: &str) -> Result<Duration, String> {
    humantime::parse_duration(text).map_err(|e| format!("{e}; write for example 500ms or 2s"))
}

pub(super) fn run(args: UpArgs) -> Result<(), Failure> {
    let (json, job) = (args.json, args.job);
    let options = options(args)?;
    let mut cluster = up::up(&options, &Progress::new(json)).map_err(|error| match error {
        UpError::Usage(message) => Failure::Usage(message),
        UpError::Interrupted => Failure::Interrupted,
        other => Failure::failed(other),
    })?;
    let ranks = job.map_or(DEFAULT_RANKS.min(cluster.report.nodes_up), |ranks| ranks as usize);
    let job = if ranks > 0 { run_job(&mut cluster, ranks) } else { Ok(()) };
    let report = cluster.report;
    if json {
        print_json(&report)?
    } else {
        print_text(&format!("\n{}", report.to_text()))?
    }
    job?;
    if report.nodes_failed.is_empty() { Ok(()) } else { Err(Failure::Reported) }
}

/// Runs the MPI job at the end: its ranks are this program again.
fn run_job(cluster: &mut Cluster, ranks: usize) -> Result<(), Failure> {
    let program = std::env::current_exe().map_err(Failure::failed)?;
    let done = job::run(cluster, ranks, &program, &["mpi-check"]).map_err(Failure::failed)?;
    cluster.report.job = Some(done);
    Ok(())
}

fn options(args: UpArgs) -> Result<UpOptions, Failure> {
    let image = match (args.image, args.initrd) {
        (Some(file), _) => {
            let key = args.key.ok_or_else(|| {
                Failure::Usage("--image needs --key FILE: the cluster's public key, which nodes check it with".into())
            })?;
            ImageSource::Packed { file, key }
        }
        (None, Some(initrd)) => {
            ImageSource::Parts { kernel: args.kernel, initrd, cmdline: args.cmdline.unwrap_or_default(), key: args.key }
        }
        (None, None) => ImageSource::ThisMachine { key: args.key },
    };
    Ok(UpOptions {
        fabric: args.fabric,
        front_end: args.front_end,
        topology: args.topology,
        routes_per_pair: args.routes_per_pair,
        expect: args.expect,
        map: args.map,
        topo_out: args.topo_out,
        routes_out: args.routes_out,
        image,
        secret: args.secret,
        faults: args.fault,
        seed: args.seed,
        node_timeout: args.node_timeout,
    })
}
