//! `xbar serve`.

use super::Parent;
use clap::Args;
use serde::Serialize;
use std::path::PathBuf;
use std::time::Duration;
use twowire_fabric::program::interrupt::{catch, interrupted};
use twowire_fabric::program::{Failure, print, print_json};
use twowire_fabric::spec::SimSpec;
use twowire_fabric::wire::DEFAULT_MAX_PAYLOAD;
use twowire_fabric::xbar::{Server, ServerConfig, raise_file_limit};

/// See `xbar serve --help`.
#[derive(Args, Debug)]
#[command(after_help = "Examples:\n  xbar serve --topo pink --at /run/pink\n  \
    xbar serve --topo clos:hosts=16,radix=8,levels=2 --at ./x\n  xbar serve --topo lab.topo --at ./x --json")]
pub(super) struct ServeArgs {
    /// The topology: pink, clos:hosts=N,radix=N,levels=N, torus:8x8x8, hypercube:7, random:…, or a .topo file
    #[arg(long, value_name = "TOPOLOGY", value_parser = topology)]
    topo: SimSpec,
    /// Where to listen: the path of a socket
    #[arg(long, value_name = "PATH")]
    at: PathBuf,
    /// The largest payload of a frame, in bytes
    #[arg(long, value_name = "BYTES", default_value_t = DEFAULT_MAX_PAYLOAD as u16, value_parser = clap::value_parser!(u16).range(1024..))]
    max_payload: u16,
    /// How long frames wait at most, all together, for a host whose queue is full, until it has had room for 128 again
    #[arg(long, value_name = "TIME", default_value = "5ms", value_parser = patience)]
    patience: Duration,
    #[command(flatten)]
    parent: Parent,
    /// Prints what is served as a JSON object
    #[arg(long)]
    json: bool,
}

/// A topology, as it stands after `sim:` in the name of a fabric.
fn topology(text: &str) -> Result<SimSpec, String> {
    text.strip_prefix("sim:").unwrap_or(text).parse().map_err(|error| format!("{error}"))
}

fn patience(text: &str) -> Result<Duration, String> {
    let time = humantime::parse_duration(text).map_err(|error| error.to_string())?;
    if time <= Duration::from_secs(1) { Ok(time) } else { Err("at most 1s: meanwhile the sender waits".to_owned()) }
}

#[derive(Serialize)]
struct Served<'a> {
    at: &'a std::path::Path,
    topology: String,
    hosts: usize,
    crossbars: usize,
    cables: usize,
}

pub(super) fn run(args: &ServeArgs) -> Result<(), Failure> {
    args.parent.die_with()?;
    let topology = args.topo.topology().map_err(Failure::failed)?;
    catch();
    raise_file_limit();
    let config = ServerConfig { max_payload: args.max_payload.into(), patience: args.patience };
    let mut server = Server::bind(&args.at, topology, config).map_err(Failure::failed)?;
    let served = Served {
        at: &args.at,
        topology: args.topo.to_string(),
        hosts: server.topology().hosts().len(),
        crossbars: server.topology().crossbars().len(),
        cables: server.topology().cables().len(),
    };
    if args.json {
        print_json(&served)?;
    } else {
        let Served { at, topology, hosts, crossbars, cables } = &served;
        let at = at.display();
        print(|out| {
            writeln!(out, "{topology}: {hosts} hosts, {crossbars} crossbars, {cables} cables; the fabric is xbar:{at}")
        })?;
    }
    server.run(interrupted).map_err(Failure::failed)
}
