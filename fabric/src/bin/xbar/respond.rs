//! `xbar respond`.

use super::At;
use clap::Args;
use serde::Serialize;
use std::collections::HashSet;
use twowire_fabric::program::interrupt::{catch, interrupted};
use twowire_fabric::program::{Failure, print, print_json};
use twowire_fabric::protocol::Port;
use twowire_fabric::routed_host::RoutedHost;
use twowire_fabric::xbar::{AttachOptions, Control, Crowd, HostState, XbarPort, raise_file_limit};

/// Bytes of each ring of a host that answers: a window of probes and a route table are small.
const RING_BYTES: u32 = 64 << 10;

/// See `xbar respond --help`.
#[derive(Args, Debug)]
#[command(
    after_help = "Examples:\n  xbar respond /run/pink\n  xbar respond /run/pink --hosts n0..n99,n200\n  xbar respond /run/pink --hosts all --json"
)]
pub(super) struct RespondArgs {
    #[command(flatten)]
    at: At,
    /// The hosts to be: `nodes` are all but the front end, `all` are all; or names and ranges of names, as n0..n99,n200
    #[arg(long, value_name = "HOSTS", default_value = "nodes")]
    hosts: String,
    /// Prints the number of hosts as a JSON object
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Responding {
    hosts: usize,
}

pub(super) fn run(args: &RespondArgs) -> Result<(), Failure> {
    let hosts = Control::connect(&args.at.path).and_then(|mut control| control.hosts()).map_err(Failure::failed)?;
    let chosen = choose(&args.hosts, &hosts)?;
    catch();
    raise_file_limit();
    let mut members = Vec::new();
    for name in chosen {
        let options = AttachOptions { host: Some(name), ring_bytes: RING_BYTES, ..AttachOptions::default() };
        let port = XbarPort::attach(&args.at.path, &options).map_err(Failure::failed)?;
        let host = RoutedHost::new(port.unique_id(), fastrand::u64(..));
        members.push((port, host));
        if interrupted() {
            return Ok(());
        }
    }
    let responding = Responding { hosts: members.len() };
    let mut crowd = Crowd::new(members).map_err(Failure::failed)?;
    if args.json {
        print_json(&responding)?;
    } else {
        print(|out| writeln!(out, "{} hosts answer", responding.hosts))?;
    }
    crowd.run(interrupted).map_err(Failure::failed)
}

/// The names of the hosts that are meant.
fn choose(text: &str, hosts: &[HostState]) -> Result<Vec<String>, Failure> {
    let names = |hosts: &[HostState]| hosts.iter().map(|host| host.name.clone()).collect::<Vec<_>>();
    if text == "all" {
        return Ok(names(hosts));
    }
    let position = |name: &str| {
        let found = hosts.iter().position(|host| host.name == name);
        found.ok_or_else(|| Failure::Usage(format!("--hosts {text}: no host is called `{name}`; see `xbar hosts`")))
    };
    if text == "nodes" {
        let front_end = position("master").unwrap_or(0);
        return Ok(names(hosts).into_iter().enumerate().filter(|&(i, _)| i != front_end).map(|(_, n)| n).collect());
    }
    let mut chosen = Vec::new();
    for word in text.split(',') {
        match word.split_once("..") {
            None => chosen.push(hosts[position(word)?].name.clone()),
            Some((first, last)) => {
                let (first, last) = (position(first)?, position(last)?);
                if first > last {
                    return Err(Failure::Usage(format!("--hosts {text}: `{word}` ends before it begins")));
                }
                chosen.extend(names(&hosts[first..=last]));
            }
        }
    }
    let mut seen = HashSet::new();
    chosen.retain(|name| seen.insert(name.clone()));
    Ok(chosen)
}
