//! The program `noded`.

use super::AGENT_LANE;
use super::agent::{Agent, nonce};
use super::channel::Secret;
use super::front::{FrontEnd, Job};
use super::hosts::deal;
use clap::{Args, Parser, Subcommand};
use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;
use twowire_fabric::program::Failure;
use twowire_fabric::program::interrupt;
use twowire_fabric::protocol::Port;
use twowire_fabric::provider;
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
        mpirun --hosts a,b:4 --via raw:eth1 --secret /etc/twowire/cluster.secret ./solver"
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
    /// Starts a job: what `mpirun --hosts` becomes.
    #[command(hide = true)]
    Run {
        #[arg(long)]
        via: FabricSpec,
        #[arg(long)]
        hosts: Option<String>,
        #[arg(long)]
        map: Option<PathBuf>,
        #[command(flatten)]
        trust: Trust,
        #[arg(long)]
        ranks: Option<u32>,
        #[arg(long)]
        timeout: Option<u64>,
        #[arg(last = true)]
        arguments: Vec<OsString>,
    },
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
        let secret = ClusterSecret::load(path).map_err(Failure::failed)?;
        Ok(Secret(secret.key_for(CONTEXT)))
    }
}

/// Runs the program.
pub fn main() -> ExitCode {
    let result = match Arguments::parse().command {
        Command::Serve { fabric, trust } => serve(&fabric, &trust).map(|()| ExitCode::SUCCESS),
        Command::Run { via, hosts, map, trust, ranks, timeout, arguments } => {
            let listed = super::hosts::hosts(hosts.as_deref(), map.as_deref());
            return run(&via, listed, &trust, ranks, timeout, &arguments)
                .unwrap_or_else(|failure| failure.report("mpirun"));
        }
    };
    result.unwrap_or_else(|failure| failure.report("noded"))
}

/// The device of a fabric; so far lanes are something that network devices have.
fn device(fabric: &FabricSpec) -> Result<&str, Failure> {
    match fabric {
        FabricSpec::Raw(device) => Ok(device),
        other => Err(Failure::usage(format!("{other}: expected a network device, as in raw:eth1"))),
    }
}

fn open(fabric: &FabricSpec, lane: u16) -> Result<Box<dyn Port>, Failure> {
    provider::open_for_messages(fabric, None, lane).map_err(Failure::failed)
}

fn serve(fabric: &FabricSpec, trust: &Trust) -> Result<(), Failure> {
    let device = device(fabric)?;
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
    let mut agent = Agent::new(port, device, secret);
    agent.run(interrupt::interrupted, &mut |text| eprintln!("noded: {text}")).map_err(Failure::failed)
}

fn run(
    via: &FabricSpec,
    listed: Result<Vec<super::hosts::Host>, String>,
    trust: &Trust,
    ranks: Option<u32>,
    timeout: Option<u64>,
    arguments: &[OsString],
) -> Result<ExitCode, Failure> {
    let hosts = listed.map_err(Failure::Usage)?;
    let dealt = deal(&hosts, ranks).map_err(Failure::Usage)?;
    let directory = std::env::current_dir().map_err(Failure::failed)?;
    let variable = |(name, value): (OsString, OsString)| [name.as_bytes(), b"=", value.as_bytes()].concat();
    let job = Job {
        hosts: hosts.into_iter().zip(dealt).collect(),
        device: device(via)?.to_owned(),
        arguments: arguments.iter().map(|argument| argument.as_bytes().to_vec()).collect(),
        directory: directory.as_os_str().as_bytes().to_vec(),
        environment: std::env::vars_os().map(variable).collect(),
        timeout: timeout.map(Duration::from_secs),
    };
    let front = FrontEnd::new(front_port(via)?, job, trust.secret()?).map_err(Failure::failed)?;
    let code = front.run().map_err(Failure::failed)?;
    Ok(ExitCode::from(u8::try_from(code).unwrap_or(1)))
}

/// A port on a lane that no other front end of this host has.
fn front_port(via: &FabricSpec) -> Result<Box<dyn Port>, Failure> {
    let lane = || {
        let [low, high, ..] = nonce();
        FRONT_LANES + u16::from_le_bytes([low, high]) % (u16::MAX - FRONT_LANES)
    };
    let mut opened = open(via, lane());
    for _ in 0..TRIES {
        if opened.is_ok() {
            break;
        }
        opened = open(via, lane());
    }
    opened
}
