//! Virtual machines that boot over the fabric against the same machines that boot by PXE: the same kernel, the same initramfs, the same
//! processor. `cargo xtask bench lab` builds what it needs and runs it.

mod fabric;
mod pxe;
mod run;
mod table;

use clap::{Parser, ValueEnum};
use fabric::OverFabric;
use pxe::ByPxe;
use run::{Way, measure};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;
use table::Table;
use twowire_cluster::lab::plan::{LabOptions, check_memory};
use twowire_fabric::program::{Failure, interrupt};

/// Switches virtual machines on, and says when the last of them has come how far.
///
/// The machines of the fabric have records in their NVRAM, and their front end runs; those of PXE have a server for DHCP, TFTP and HTTP.
/// Both are emulated alike.
#[derive(Parser, Debug)]
#[command(
    name = "lab-against",
    after_help = "Examples:\n  lab-against --nodes 8 --rounds 3\n  lab-against --ways fabric --nodes 1"
)]
struct Args {
    /// Who boots, in turns
    #[arg(long, value_name = "WAYS", value_delimiter = ',', default_value = "fabric,pxe")]
    ways: Vec<WayName>,
    /// Numbers of machines
    #[arg(long, value_name = "N,…", value_delimiter = ',', default_value = "1,4,8,16")]
    nodes: Vec<usize>,
    /// How often each way boots; the table has medians
    #[arg(long, value_name = "N", default_value_t = 3)]
    rounds: usize,
    /// When a boot is given up
    #[arg(long, value_name = "SECONDS", default_value_t = 300)]
    limit: u64,
    /// The folder of the programs xbar, mapper and bootd
    #[arg(long, value_name = "DIR", default_value = "target/release")]
    programs: PathBuf,
    /// The static bootnode, with noded and mpirun beside it
    #[arg(long, value_name = "FILE")]
    bootnode: PathBuf,
}

/// How machines boot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum WayName {
    /// By Twowire, over software crossbars.
    Fabric,
    /// By iPXE, dnsmasq and lighttpd, over a bridge.
    Pxe,
}

fn main() -> ExitCode {
    run(&Args::parse()).map_or_else(|failure| failure.report("lab-against"), |()| ExitCode::SUCCESS)
}

fn run(args: &Args) -> Result<(), Failure> {
    interrupt::catch();
    let work = tempfile::tempdir().map_err(Failure::failed)?;
    // Before the first ones boot: the largest number comes last, much later.
    let most = args.nodes.iter().copied().max().unwrap_or(0);
    check_memory(most, LabOptions::new(work.path().into(), most).memory_mib).map_err(Failure::failed)?;
    let mut table = Table::default();
    // What was measured before something failed is worth showing.
    let measured = boot_all(args, work.path(), &mut table);
    table.print().and(measured)
}

fn boot_all(args: &Args, work: &Path, table: &mut Table) -> Result<(), Failure> {
    let limit = Duration::from_secs(args.limit);
    for &nodes in &args.nodes {
        let folder = work.join(nodes.to_string());
        std::fs::create_dir(&folder).map_err(Failure::failed)?;
        let lab = OverFabric::prepare(&folder, nodes, &args.programs, &args.bootnode)?;
        let pxe =
            if args.ways.contains(&WayName::Pxe) { Some(ByPxe::prepare(&folder, nodes, lab.lab())?) } else { None };
        for _ in 0..args.rounds {
            for &name in &args.ways {
                let way: &dyn Way = match (name, &pxe) {
                    (WayName::Pxe, Some(pxe)) => pxe,
                    _ => &lab,
                };
                let times = measure(way, nodes, limit)?;
                eprintln!("{nodes} machines, {}: {times}", way.name());
                table.add(nodes, way.name(), times);
            }
        }
    }
    Ok(())
}
