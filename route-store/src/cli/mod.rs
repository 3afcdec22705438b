//! The command line of `route-store`.

mod check;
mod error;
mod format;
mod ready;
mod set;
mod show;

use clap::{Args, Parser, Subcommand};
use error::CliError;
use serde::Serialize;
use std::io::{self, Write};
use std::process::ExitCode;
use twowire_route_store::{Access, Device, Medium, Store};

const DEFAULT_DEVICE: &str = "/var/lib/twowire/route-record";

const EXAMPLES: &str = "\
Examples:
  route-store format --device nvram.bin
  route-store set --device nvram.bin --node 17 --epoch 3 --route 88f887 --alternate 89f886
  route-store show --device nvram.bin
  route-store check --device nvram.bin --json
  route-store ready --device nvram.bin --image 9d4c01aa --image-version 7

Devices:
  PATH                       what it looks like: a file, /dev/nvram, /dev/mtdN, a block device, efivarfs, a PCI resource
  file:PATH                  a file; each half is a slot
  nvram:/dev/nvram@OFFSET    64 bytes of a PC's CMOS memory [OFFSET: 50]
  efi:NAME                   two EFI variables, NAME0 and NAME1; efi:DIRECTORY/NAME for efivarfs elsewhere
  mtd:/dev/mtdN@OFFSET       two erase blocks of a flash chip [OFFSET: 0]
  block:/dev/vdb@OFFSET      two sectors of a block device [OFFSET: 0]
  bar:PATH/resource2@OFFSET  up to 8192 bytes of a PCI card's memory [OFFSET: 0]
  mem:PATH@OFFSET            the same of any file or device that can be mapped [OFFSET: 0]

Exit status: 0 done, 1 it failed (for `check`: a slot is damaged, or there is no record), 2 usage.";

/// Looks at the route record in a node's NVRAM, and writes it
#[derive(Debug, Parser)]
#[command(name = "route-store", version, after_help = EXAMPLES)]
pub(crate) struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Args)]
struct Common {
    /// The file or device that holds the record, as PATH or KIND:PATH
    #[arg(long, value_name = "D", default_value = DEFAULT_DEVICE)]
    device: Device,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Print the record that counts
    Show(Common),
    /// Write a record, if it differs from the one that counts
    Set(set::SetArgs),
    /// Note that the image that the node runs has become ready
    Ready(ready::ReadyArgs),
    /// Make a blank device; as a file, it is created
    Format(format::FormatArgs),
    /// Say what each slot holds; fail if one is damaged, or there is no record
    Check(Common),
}

/// Runs a command, and says with which status to exit.
pub(crate) fn run(cli: &Cli) -> Result<ExitCode, CliError> {
    match &cli.command {
        Command::Show(common) => show::run(common),
        Command::Set(args) => set::run(args),
        Command::Ready(args) => ready::run(args),
        Command::Format(args) => format::run(args),
        Command::Check(common) => check::run(common),
    }
}

fn open(device: &Device, access: Access) -> Result<Store<Box<dyn Medium>>, CliError> {
    device.open(access).map(Store::new).map_err(|error| CliError::open(device, &error))
}

/// Prints a report: as JSON for machines, or as `text` for people.
fn print(json: bool, report: &impl Serialize, text: impl FnOnce() -> String) -> Result<(), CliError> {
    let text = match json {
        true => serde_json::to_string(report).map(|line| line + "\n").map_err(CliError::new)?,
        false => text(),
    };
    let written = io::stdout().write_all(text.as_bytes());
    written.map_err(|error| CliError::new(format!("cannot write to standard output: {error}")))
}
