//! `twowire up`.

use super::lab::failure as lab_failure;
use super::print::{print_json, print_text};
use crate::job;
use crate::lab::Lab;
use crate::lab::folder::Folder;
use crate::lab::plan::LabOptions;
use crate::roll_call::{self, FirstHeard};
use crate::up::report::PhaseReport;
use crate::up::{self, Cluster, ImageSource, Progress, UpError, UpOptions};
use clap::Args;
use std::path::PathBuf;
use std::time::{Duration, Instant};
use twowire_fabric::program::Failure;
use twowire_fabric::program::interrupt::{self, interrupted};
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
        twowire up --lab 4\n  \
        twowire up --fabric xbar:/run/x --expect intended.topo --image node.img --key cluster.key.pub\n  \
        twowire up --fault crash:n17@20ms --fault restart:n17@80ms --seed 7"
)]
pub(super) struct UpArgs {
    /// The fabric: sim:pink, sim:clos:hosts=…,radix=…,levels=…, sim:torus:8x8x8, sim:FILE.topo, …; xbar:PATH or wire:DEVICE for machines
    #[arg(long, value_name = "FABRIC", default_value = "sim:pink")]
    fabric: FabricSpec,
    /// Makes a lab of so many virtual machines, brings it up, and takes it away at the end
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=127))]
    #[arg(conflicts_with_all = ["fabric", "front_end", "expect", "map", "image", "key", "secret", "kernel", "initrd", "fault"])]
    lab: Option<u16>,
    /// Leaves the lab running: `twowire lab status` shows it, `twowire lab down` takes it away
    #[arg(long, requires = "lab")]
    keep: bool,
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
    /// How long to wait for nodes that are missing once all others are up (fabric time) [default: 500ms, for machines 20s]
    #[arg(long, value_name = "TIME", value_parser = duration)]
    node_timeout: Option<Duration>,
    /// Ranks of the MPI job at the end: on the nodes of a lab, or beside a simulation processes attached to nodes' places on crossbars in
    /// real time; 0 for no job [default: 8, or as many as nodes are up; for other machines 0]
    #[arg(long, value_name = "RANKS", value_parser = clap::value_parser!(u32).range(0..=64))]
    job: Option<u32>,
    /// Prints one JSON object instead of lines and tables
    #[arg(long)]
    json: bool,
}

/// Ranks of the job at the end.
const DEFAULT_RANKS: usize = 8;

/// How long to wait for missing nodes that are simulated, and for those that are machines.
const NODE_TIMEOUT: [Duration; 2] = [Duration::from_millis(500), Duration::from_secs(20)];

/// How long the machines of a lab may take from power-on until they answer.
const PHASE_1: Duration = Duration::from_secs(300);

fn duration(text: &str) -> Result<Duration, String> {
    humantime::parse_duration(text).map_err(|e| format!("{e}; write for example 500ms or 2s"))
}

pub(super) fn run(args: UpArgs) -> Result<(), Failure> {
    let Some(nodes) = args.lab else { return bring_up(args, None) };
    interrupt::catch();
    let progress = Progress::new(args.json);
    let visit = switch_on(nodes, args.keep, &progress)?;
    let args = visit.describe(args)?;
    bring_up(args, Some(&visit))
}

/// A lab that is taken away at the end, unless it is to stay.
struct Visit {
    lab: Option<Lab>,
    heard: FirstHeard,
    keep: bool,
}

impl Visit {
    fn lab(&self) -> &Lab {
        self.lab.as_ref().expect("it is taken away at the end")
    }

    /// The bring-up of this lab.
    fn describe(&self, args: UpArgs) -> Result<UpArgs, Failure> {
        let lab = self.lab();
        let folder = lab.folder();
        Ok(UpArgs {
            fabric: lab.fabric().parse().map_err(Failure::failed)?,
            expect: Some(folder.topology()),
            image: Some(folder.image()),
            key: Some(folder.public_key()),
            secret: Some(folder.secret()),
            topo_out: args.topo_out.or_else(|| Some(folder.map())),
            routes_out: args.routes_out.or_else(|| Some(folder.routes())),
            ..args
        })
    }
}

impl Drop for Visit {
    fn drop(&mut self) {
        if let Some(lab) = self.lab.take().filter(|_| !self.keep)
            && let Err(error) = lab.down()
        {
            eprintln!("twowire: {error}; `twowire lab down` tries again");
        }
    }
}

/// Makes a lab, and waits until its nodes answer.
#[expect(clippy::disallowed_methods, reason = "the report shows how long it took on the clock on the wall")]
fn switch_on(nodes: u16, keep: bool, progress: &Progress) -> Result<Visit, Failure> {
    progress.start("power-on", None);
    let began = Instant::now();
    let lab = Lab::up(&LabOptions { stays: keep, ..LabOptions::new(Folder::default_path(), nodes.into()) })
        .map_err(lab_failure)?;
    let mut heard = FirstHeard::new();
    let mut visit = Visit { lab: Some(lab), heard: FirstHeard::new(), keep };
    let came = |node: &str| {
        heard.insert(node.to_owned(), Instant::now());
    };
    let answers = visit.lab().wait_for_phase1(PHASE_1, interrupted, came).map_err(lab_failure)?;
    if !answers {
        return Err(Failure::Interrupted);
    }
    let took = began.elapsed().as_secs_f64() * 1e3;
    let report = PhaseReport { name: "power-on", fabric_ms: took, wall_ms: took, frames: 0 };
    progress.finish(&report, &format!("{nodes} machines run phase 1"));
    visit.heard = heard;
    Ok(visit)
}

fn bring_up(args: UpArgs, visit: Option<&Visit>) -> Result<(), Failure> {
    let (json, job) = (args.json, args.job);
    let has_job = visit.is_some() || matches!(args.fabric, FabricSpec::Sim(_));
    if let (Some(ranks @ 1..), false) = (job, has_job) {
        let what = "the job at the end is for simulated fabrics and labs; machines run jobs by `mpirun --via`";
        return Err(Failure::Usage(format!("--job {ranks}: {what}")));
    }
    let options = options(args)?;
    let mut cluster = up::up(&options, &Progress::new(json)).map_err(|error| match error {
        UpError::Usage(message) => Failure::Usage(message),
        UpError::Interrupted => Failure::Interrupted,
        other => Failure::failed(other),
    })?;
    let ranks =
        job.map_or(if has_job { DEFAULT_RANKS.min(cluster.report.nodes_up) } else { 0 }, |ranks| ranks as usize);
    let job = if ranks > 0 { run_job(&mut cluster, ranks, visit) } else { Ok(()) };
    if let Some(visit) = visit {
        cluster.report.roll_call = Some(roll_call::call(&cluster, visit.lab(), &visit.heard).map_err(lab_failure)?);
    }
    let report = cluster.report;
    if json {
        print_json(&report)?
    } else {
        print_text(&format!("\n{}", report.to_text()))?
    }
    job?;
    if report.nodes_failed.is_empty() { Ok(()) } else { Err(Failure::Reported) }
}

/// Runs the MPI job at the end: on a lab's machines as any program is started there; beside a simulation its ranks are this program again.
fn run_job(cluster: &mut Cluster, ranks: usize, visit: Option<&Visit>) -> Result<(), Failure> {
    let done = match visit {
        Some(visit) => job::machines::run(cluster, ranks, visit.lab()),
        None => {
            let program = std::env::current_exe().map_err(Failure::failed)?;
            job::run(cluster, ranks, &program, &["mpi-check"])
        }
    };
    cluster.report.job = Some(done.map_err(Failure::failed)?);
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
    let [simulated, machines] = NODE_TIMEOUT;
    let usual = if matches!(args.fabric, FabricSpec::Sim(_)) { simulated } else { machines };
    let node_timeout = args.node_timeout.unwrap_or(usual);
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
        node_timeout,
    })
}
