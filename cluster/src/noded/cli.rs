//! The program `noded`.

use super::AGENT_LANE;
use super::agent::{Agent, nonce};
use super::channel::Secret;
use super::front::{FrontEnd, Job};
use super::hosts::deal;
use super::site::Site;
use clap::{Args, Parser, Subcommand};
use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path as FilePath, PathBuf};
use std::process::ExitCode;
use std::time::Duration;
use twowire_fabric::program::Failure;
use twowire_fabric::program::interrupt;
use twowire_fabric::protocol::{Addressing, Port};
use twowire_fabric::provider;
use twowire_fabric::raw::Device;
use twowire_fabric::spec::FabricSpec;
use twowire_multicast_boot::membership::ClusterSecret;

/// Keeps this use of the cluster's secret apart from its others.
const CONTEXT: &str = "Twowire 2026 noded 1";
/// The first lane of front ends, and how often one is looked for.
const FRONT_LANES: u16 = 0x8000;
const TRIES: u32 = 100;

/// Runs the ranks of MPI jobs on this host, for front ends on the same fabric that know the cluster's secret.
#[derive(Parser, Debug)]
#[command(
    name = "noded",
    version,
    after_help = "Examples:\n  noded serve raw:eth1 --secret /etc/twowire/cluster.secret\n  \
        mpirun --hosts a,b:4 --via raw:eth1 --secret /etc/twowire/cluster.secret ./solver\n  \
        mpirun --via xbar:/run/pink --map pink.topo --routes pink.routes --secret cluster.secret ./solver\n  \
        mpirun --via xbar:/run/pink --map pink.topo --routes pink.routes --secret cluster.secret --hosts n3 /bin/noded hold"
)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand, Debug)]
enum Command {
    /// Waits for front ends, until it is ended; then what it started ends too.
    Serve {
        /// The network device, as in `raw:eth1`.
        fabric: FabricSpec,
        #[command(flatten)]
        trust: Trust,
    },
    /// What a node runs once it has booted: all else is on the kernel's command line.
    Node,
    /// Run on a node that has booted: it is not restarted, however long it hears of no front end.
    Hold {
        /// It is restarted again after the usual time.
        #[arg(long)]
        off: bool,
    },
    /// What each rank of the job at the end of `twowire up` runs.
    #[command(hide = true)]
    MpiCheck,
    /// Starts a job: what `mpirun --hosts` becomes.
    #[command(hide = true)]
    Run(Run),
}

/// A job as `mpirun` hands it over.
#[derive(Args, Debug)]
struct Run {
    #[arg(long)]
    via: FabricSpec,
    #[arg(long)]
    hosts: Option<String>,
    #[arg(long)]
    map: Option<PathBuf>,
    #[arg(long)]
    routes: Option<PathBuf>,
    #[arg(long)]
    program: Vec<PathBuf>,
    #[command(flatten)]
    trust: Trust,
    #[arg(long)]
    ranks: Option<u32>,
    #[arg(long)]
    timeout: Option<u64>,
    #[arg(last = true)]
    arguments: Vec<OsString>,
}

/// Whose commands are obeyed.
#[derive(Args, Debug)]
#[group(required = true, multiple = false)]
struct Trust {
    /// The cluster's secret, which both sides must know (`twowire key secret --out FILE` makes one).
    #[arg(long, value_name = "FILE")]
    secret: Option<PathBuf>,
    /// Does without: anybody who can send a frame to this host can run any program on it.
    #[arg(long)]
    insecure: bool,
}

impl Trust {
    fn secret(&self) -> Result<Secret, Failure> {
        let Some(path) = &self.secret else { return Ok(Secret(blake3::derive_key(CONTEXT, b"insecure"))) };
        secret_of(path)
    }
}

/// What the cluster's secret in a file is for agents and front ends.
pub(super) fn secret_of(path: &FilePath) -> Result<Secret, Failure> {
    let secret = ClusterSecret::load(path).map_err(Failure::failed)?;
    Ok(Secret(secret.key_for(CONTEXT)))
}

/// Runs the program.
pub fn main() -> ExitCode {
    let result = match Arguments::parse().command {
        Command::Serve { fabric, trust } => serve(&fabric, &trust).map(|()| ExitCode::SUCCESS),
        Command::Node => {
            interrupt::catch();
            super::node::run().map(|()| ExitCode::SUCCESS)
        }
        Command::Hold { off } => super::node::hold(off).map(|()| ExitCode::SUCCESS),
        Command::MpiCheck => crate::job::check::main().map(|()| ExitCode::SUCCESS),
        Command::Run(request) => return run(&request).unwrap_or_else(|failure| failure.report("mpirun")),
    };
    result.unwrap_or_else(|failure| failure.report("noded"))
}

/// The device of a fabric: lanes are something that network devices have.
pub(super) fn device(fabric: &FabricSpec) -> Result<Device, Failure> {
    let (name, addressing) = match fabric {
        FabricSpec::Raw(name) => (name, Addressing::Cards),
        FabricSpec::Wire(name) => (name, Addressing::Hops),
        other => return Err(Failure::usage(format!("{other}: expected a network device, as in raw:eth1"))),
    };
    Ok(Device { name: name.clone(), addressing })
}

fn open(fabric: &FabricSpec, lane: u16) -> Result<Box<dyn Port>, Failure> {
    provider::open_for_messages(fabric, None, lane).map_err(Failure::failed)
}

fn serve(fabric: &FabricSpec, trust: &Trust) -> Result<(), Failure> {
    let site = Site { device: device(fabric)?, store: None, routes: None };
    let secret = trust.secret()?;
    interrupt::catch();
    let port = open(fabric, AGENT_LANE).map_err(|failure| match failure {
        Failure::Failed(text) => Failure::Failed(format!("{text} (is an agent running already?)")),
        other => other,
    })?;
    if trust.insecure {
        eprintln!("noded: --insecure: whoever can send a frame to {fabric} can run any program here");
    }
    eprintln!("noded: {fabric}, {}", port.unique_id());
    let mut agent = Agent::new(port, site, secret);
    agent.run(|_| interrupt::interrupted(), &mut |text| eprintln!("noded: {text}")).map_err(Failure::failed)
}

fn run(request: &Run) -> Result<ExitCode, Failure> {
    let mut hosts = super::hosts::hosts(request.hosts.as_deref(), request.map.as_deref()).map_err(Failure::Usage)?;
    let dealt = deal(&hosts, request.ranks).map_err(Failure::Usage)?;
    let (port, lane) = front_port(&request.via)?;
    let by_hops = port.limits().addressing == Addressing::Hops;
    if by_hops {
        let (Some(map), Some(routes)) = (&request.map, &request.routes) else {
            let remedy = "--map FILE --routes FILE, which `twowire up` and `mapper` write, are needed";
            return Err(Failure::Usage(format!("{}: hosts are found by routes: {remedy}", request.via)));
        };
        super::hosts::find_ways(&mut hosts, map, routes, lane).map_err(Failure::Failed)?;
    }
    let directory = std::env::current_dir().map_err(Failure::failed)?;
    let variable = |(name, value): (OsString, OsString)| [name.as_bytes(), b"=", value.as_bytes()].concat();
    let job = Job {
        hosts: hosts.into_iter().zip(dealt).collect(),
        here: if by_hops { None } else { Some(device(&request.via)?) },
        programs: request.program.clone(),
        arguments: request.arguments.iter().map(|argument| argument.as_bytes().to_vec()).collect(),
        directory: directory.as_os_str().as_bytes().to_vec(),
        environment: std::env::vars_os().map(variable).collect(),
        timeout: request.timeout.map(Duration::from_secs),
    };
    let front = FrontEnd::new(port, job, request.trust.secret()?).map_err(Failure::failed)?;
    let code = front.run().map_err(Failure::failed)?;
    Ok(ExitCode::from(u8::try_from(code).unwrap_or(1)))
}

/// A port on a lane that no other front end of this host has, and the lane: at crossbars of another process there is one port, and no lane.
fn front_port(via: &FabricSpec) -> Result<(Box<dyn Port>, u16), Failure> {
    let lane = || {
        let [low, high, ..] = nonce();
        FRONT_LANES + u16::from_le_bytes([low, high]) % (u16::MAX - FRONT_LANES)
    };
    if matches!(via, FabricSpec::Xbar(_)) {
        return open(via, 0).map(|port| (port, 0));
    }
    let mut last = lane();
    let mut opened = open(via, last);
    for _ in 0..TRIES {
        if opened.is_ok() {
            break;
        }
        last = lane();
        opened = open(via, last);
    }
    opened.map(|port| (port, last))
}
