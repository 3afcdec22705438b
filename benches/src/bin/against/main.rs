//! The boot of nodes against other programs that send one file to many machines: the same file, over the same network of
//! namespaces, in the same run. `cargo xtask bench boot --against udpcast,uftp` builds what it needs and runs it.

mod child;
mod files;
mod race;
mod table;
mod tool;

use clap::Parser;
use files::Files;
use race::{Course, race};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;
use table::Table;
use tool::Tool;
use twowire_fabric::program::{Failure, interrupt};

/// Sends a file from one namespace to many others over a bridge with each tool, and compares.
///
/// The time of a run is from the start of the sender to the end of the last receiver. All receivers are started before,
/// and every copy is hashed afterwards. The memory for the copies is written once before each run.
#[derive(Parser, Debug)]
#[command(
    name = "against",
    after_help = "Examples:\n  against --programs target/release\n  against --tools uftp,udpcast --receivers 1,4 --rounds 1 --mib 64"
)]
struct Args {
    /// Who runs, in turns
    #[arg(long, value_name = "TOOLS", value_delimiter = ',', default_value = "twowire,udpcast,uftp")]
    tools: Vec<Tool>,
    /// The folder of the programs bootd and bootnode
    #[arg(long, value_name = "DIR", default_value = "target/release")]
    programs: PathBuf,
    /// Numbers of receivers
    #[arg(long, value_name = "N,…", value_delimiter = ',', default_value = "1,4,8,16")]
    receivers: Vec<usize>,
    /// MTUs of the network
    #[arg(long, value_name = "BYTES,…", value_delimiter = ',', default_value = "1500,9000")]
    mtu: Vec<u32>,
    /// Frames of a hundred that the bridge drops on their way to each receiver
    #[arg(long, value_name = "PERCENT,…", value_delimiter = ',', default_value = "0,1")]
    loss: Vec<u32>,
    /// Size of the file
    #[arg(long, value_name = "MIB", default_value_t = 256)]
    mib: usize,
    /// How often each tool runs each course; the table has medians
    #[arg(long, value_name = "N", default_value_t = 3)]
    rounds: usize,
    /// When a run is given up
    #[arg(long, value_name = "SECONDS", default_value_t = 90)]
    limit: u64,
    /// Where the copies are written: best in memory
    #[arg(long, value_name = "DIR", default_value = "/dev/shm")]
    work: PathBuf,
}

fn main() -> ExitCode {
    run(&Args::parse()).map_or_else(|failure| failure.report("against"), |()| ExitCode::SUCCESS)
}

fn courses(args: &Args) -> Vec<Course> {
    let mut courses = Vec::new();
    for &mtu in &args.mtu {
        for &loss_percent in &args.loss {
            courses.extend(args.receivers.iter().map(|&receivers| Course { receivers, mtu, loss_percent }));
        }
    }
    courses
}

fn run(args: &Args) -> Result<(), Failure> {
    interrupt::catch();
    let files = Files::new(args.mib << 20, &args.work, &args.programs)?;
    let limit = Duration::from_secs(args.limit);
    let mut table = Table::new(args.mib << 20);
    for course in courses(args) {
        for round in 0..args.rounds {
            // Nobody is always the first one, who finds the memory as the last one left it.
            for turn in 0..args.tools.len() {
                let tool = args.tools[(turn + round) % args.tools.len()];
                let result = race(tool, course, &files, limit)?;
                eprintln!("{course} {tool}: {result}");
                table.add(course, tool, result);
            }
        }
        table.print(course);
    }
    table.keep()
}
