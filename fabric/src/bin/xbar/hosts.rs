//! `xbar hosts`.

use super::At;
use clap::Args;
use serde::Serialize;
use twowire_fabric::program::{Failure, print, print_json};
use twowire_fabric::xbar::{Control, HostState};

/// See `xbar hosts --help`.
#[derive(Args, Debug)]
#[command(after_help = "Example:\n  xbar hosts /run/pink --json")]
pub(super) struct HostsArgs {
    #[command(flatten)]
    at: At,
    /// Prints JSON
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Hosts {
    hosts: Vec<Host>,
}

#[derive(Serialize)]
struct Host {
    name: String,
    id: String,
    attached: Option<Attached>,
}

#[derive(Serialize)]
struct Attached {
    by: String,
    process: i32,
}

pub(super) fn run(args: &HostsArgs) -> Result<(), Failure> {
    let hosts = Control::connect(&args.at.path).and_then(|mut control| control.hosts()).map_err(Failure::failed)?;
    if args.json { print_json(&Hosts { hosts: hosts.into_iter().map(host).collect() }) } else { print_table(&hosts) }
}

fn host(state: HostState) -> Host {
    let attached = state.attached.map(|(by, process)| Attached { by: by.to_string(), process });
    Host { name: state.name, id: state.id.to_string(), attached }
}

fn print_table(hosts: &[HostState]) -> Result<(), Failure> {
    print(|out| {
        for host in hosts {
            let attached = host.attached.map_or("-".to_owned(), |(by, process)| format!("{by}, process {process}"));
            writeln!(out, "{:<12} {}  {attached}", host.name, host.id)?;
        }
        Ok(())
    })
}
