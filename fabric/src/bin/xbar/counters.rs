//! `xbar counters`.

use super::At;
use clap::Args;
use serde::Serialize;
use std::collections::BTreeMap;
use twowire_fabric::program::{Failure, print, print_json};
use twowire_fabric::xbar::{Control, DropCause, PortLine};

/// See `xbar counters --help`.
#[derive(Args, Debug)]
#[command(
    after_help = "Examples:\n  xbar counters /run/pink\n  xbar counters /run/pink --json | jq '.ports[] | select(.drops | length > 0)'"
)]
pub(super) struct CountersArgs {
    #[command(flatten)]
    at: At,
    /// Prints JSON
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Counters {
    frames: u64,
    bytes: u64,
    drops: BTreeMap<&'static str, u64>,
    ports: Vec<Port>,
}

#[derive(Serialize)]
struct Port {
    port: String,
    frames: u64,
    bytes: u64,
    drops: BTreeMap<&'static str, u64>,
}

pub(super) fn run(args: &CountersArgs) -> Result<(), Failure> {
    let lines = Control::connect(&args.at.path).and_then(|mut control| control.counters()).map_err(Failure::failed)?;
    let ports: Vec<Port> = lines.into_iter().map(port).filter(|p| p.frames > 0 || !p.drops.is_empty()).collect();
    let mut all = Counters { frames: 0, bytes: 0, drops: BTreeMap::new(), ports: Vec::new() };
    for port in &ports {
        all.frames += port.frames;
        all.bytes += port.bytes;
        port.drops.iter().for_each(|(cause, drops)| *all.drops.entry(cause).or_default() += drops);
    }
    all.ports = ports;
    if args.json { print_json(&all) } else { print_table(&all) }
}

fn port(line: PortLine) -> Port {
    let counted = DropCause::ALL.map(|cause| (cause.word(), line.counters.drops[cause as usize]));
    let drops = counted.into_iter().filter(|&(_, drops)| drops > 0).collect();
    Port { port: line.port, frames: line.counters.frames, bytes: line.counters.bytes, drops }
}

fn print_table(all: &Counters) -> Result<(), Failure> {
    print(|out| {
        writeln!(out, "{:<16} {:>14} {:>18}  dropped", "port", "frames", "bytes")?;
        for port in &all.ports {
            writeln!(out, "{:<16} {:>14} {:>18}  {}", port.port, port.frames, port.bytes, words(&port.drops))?;
        }
        writeln!(out, "{:<16} {:>14} {:>18}  {}", "all crossings", all.frames, all.bytes, words(&all.drops))
    })
}

fn words(drops: &BTreeMap<&'static str, u64>) -> String {
    drops.iter().map(|(cause, drops)| format!("{cause} {drops}")).collect::<Vec<_>>().join(", ")
}
