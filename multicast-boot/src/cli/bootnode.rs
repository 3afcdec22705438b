//! `bootnode`: a node's program in phase 1.

mod fetch;
mod init;
mod news;
mod phase2;
mod report;

use super::{public_key, secret};
use crate::files::ImageFolder;
use crate::session::Ticket;
use clap::{CommandFactory, Parser};
use clap_complete::Shell;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;
use twowire_fabric::program::{Failure, interrupt, print};
use twowire_fabric::spec::FabricSpec;
use twowire_route_store::Device;

/// Fetches the cluster's image over the fabric, checks it, and starts it.
///
/// It boots nothing that the cluster's key has not signed. On a node it is what the phase-1 initramfs runs (`--kexec`); as
/// an ordinary process it writes the image's parts into a folder (`--root`), and goes on where it was if it was stopped.
/// The system that `--kexec` has started calls it once more (`--report-ready`), so that the front end counts it as ready.
#[derive(Parser, Debug)]
#[command(name = "bootnode", version, after_help = EXAMPLES)]
struct Args {
    /// The fabric: xbar:PATH,host=NAME or raw:DEVICE
    #[arg(long, value_name = "FABRIC", required_unless_present_any = ["completions", "report_ready"])]
    fabric: Option<FabricSpec>,
    /// The cluster's public key
    #[arg(long, value_name = "FILE", required_unless_present_any = ["completions", "report_ready"])]
    key: Option<PathBuf>,
    /// The cluster's secret, where the front end lets none take part without: `twowire key secret` makes it
    #[arg(long, value_name = "FILE")]
    secret: Option<PathBuf>,
    /// Writes the image's parts into this folder: `kernel`, `initramfs`, `cmdline`
    #[arg(long, value_name = "DIR", required_unless_present_any = ["completions", "kexec", "report_ready"])]
    #[arg(conflicts_with = "kexec")]
    root: Option<PathBuf>,
    /// Starts the image's kernel in place of the running one
    #[arg(long)]
    kexec: bool,
    /// Tells the front end that phase 2 runs [default ticket and fabric: what phase 1 left on the kernel's command line]
    #[arg(long, value_name = "TICKET", num_args = 0..=1, conflicts_with_all = ["kexec", "root"])]
    report_ready: Option<Option<Ticket>>,
    /// Where the node keeps its master route: as `route-store --device` has it [default: nowhere]
    #[arg(long, value_name = "DEVICE")]
    nvram: Option<Device>,
    /// With --root: phase 2 is what this command starts, with the folder as its only argument. It is ready when the command ends with status 0
    #[arg(long, value_name = "COMMAND", requires = "root")]
    start: Option<PathBuf>,
    /// With --start: phase 2 has failed when it is not ready by then
    #[arg(long, value_name = "TIME", default_value = "5m", value_parser = super::duration)]
    ready_timeout: Duration,
    /// Boots images that are older than the record in the NVRAM says; the record stays as it is
    #[arg(long)]
    allow_older: bool,
    /// The oldest version of an image that is booted
    #[arg(long, value_name = "VERSION", default_value_t = 0)]
    oldest_version: u64,
    /// Gives up after this time [default: never; with --report-ready a minute]
    #[arg(long, value_name = "TIME", value_parser = super::duration)]
    timeout: Option<Duration>,
    /// Prints lines of JSON
    #[arg(long)]
    json: bool,
    /// Prints a completion script for a shell, and ends
    #[arg(long, value_name = "SHELL", exclusive = true)]
    completions: Option<Shell>,
}

const EXAMPLES: &str = "A line is printed for each state: route read, link up, joined, receiving, verified, handing over, phase 2 up, ready.\n\
    Exit status: 0 the image is there, and the front end knows; 1 it failed; 2 for a wrong command line; 130 after Ctrl-C.\n\n\
    Examples:\n  \
    bootnode --fabric raw:eth1 --key cluster.key.pub --root /srv/image\n  \
    bootnode --fabric xbar:/run/pink,host=n17 --key cluster.key.pub --root /tmp/n17 --nvram file:/tmp/n17.nv\n  \
    bootnode --fabric raw:eth0 --key /etc/cluster.pub --kexec --nvram /dev/nvram\n  \
    bootnode --report-ready";

/// Runs the program on the command line of this process.
pub fn main() -> ExitCode {
    if init::is_process_1() {
        init::run();
    }
    let args = Args::parse();
    run(&args).map_or_else(|failure| failure.report("bootnode"), |()| ExitCode::SUCCESS)
}

fn run(args: &Args) -> Result<(), Failure> {
    if let Some(shell) = args.completions {
        let mut script = Vec::new();
        clap_complete::generate(shell, &mut Args::command(), "bootnode", &mut script);
        return print(|out| out.write_all(&script));
    }
    interrupt::catch();
    if let Some(ticket) = &args.report_ready {
        return report::report(args, ticket.as_ref());
    }
    let (Some(fabric), Some(key)) = (&args.fabric, &args.key) else {
        return Err(Failure::usage("--fabric and --key are needed"));
    };
    let (key, secret) = (public_key(key)?, secret(args.secret.as_deref())?);
    let folder = args.root.as_deref().map(ImageFolder::open).transpose().map_err(Failure::failed)?;
    fetch::fetch(args, fabric, key, secret, folder)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Args::command().debug_assert();
    }
}
