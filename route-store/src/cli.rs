//! The command line of `route-store`.

use clap::{Args, Parser, Subcommand};
use serde::Serialize;
use std::fmt;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use twowire_route_store::{
    Current, FileMedium, Hops, LoadError, Medium, Record, SlotState, Store, WriteError, Written,
};

const DEFAULT_DEVICE: &str = "/var/lib/twowire/route-record";

const EXAMPLES: &str = "\
Examples:
  route-store format --device nvram.bin
  route-store set --device nvram.bin --node 17 --epoch 3 --route 88f887 --alternate 89f886
  route-store show --device nvram.bin
  route-store check --device nvram.bin --json

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
    /// The file or device that holds the record
    #[arg(long, value_name = "D", default_value = DEFAULT_DEVICE)]
    device: PathBuf,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Print the record that counts
    Show(Common),
    /// Write a record, if it differs from the one that counts
    Set(SetArgs),
    /// Make a blank device; as a file, it is created
    Format(FormatArgs),
    /// Say what each slot holds; fail if one is damaged, or there is no record
    Check(Common),
}

#[derive(Debug, Args)]
struct SetArgs {
    #[command(flatten)]
    common: Common,
    /// The node's own number
    #[arg(long, value_name = "N")]
    node: u32,
    /// The epoch of the routes
    #[arg(long, value_name = "E")]
    epoch: u32,
    /// The master route: hop bytes in hexadecimal, `-` for none
    #[arg(long, value_name = "HOPS", allow_hyphen_values = true)]
    route: Hops,
    /// Another route to the front end, to try when the master route is dead (repeatable, in this order)
    #[arg(long, value_name = "HOPS", allow_hyphen_values = true)]
    alternate: Vec<Hops>,
}

#[derive(Debug, Args)]
struct FormatArgs {
    #[command(flatten)]
    common: Common,
    /// Bytes of a new file; each half is a slot [default: 8192]
    #[arg(long, value_name = "BYTES", value_parser = parse_size)]
    size: Option<usize>,
    /// Wipe the device even if it is not blank
    #[arg(long)]
    force: bool,
}

fn parse_size(text: &str) -> Result<usize, String> {
    let size: usize = text.parse().map_err(|error| format!("{error}"))?;
    let sizes = 64..=1 << 20;
    if sizes.contains(&size) { Ok(size) } else { Err(format!("expected {} to {}", sizes.start(), sizes.end())) }
}

/// A failure, with the device's name and what to do about it.
#[derive(Debug)]
pub(crate) struct CliError(String);

impl fmt::Display for CliError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Runs a command, and says with which status to exit.
pub(crate) fn run(cli: &Cli) -> Result<ExitCode, CliError> {
    match &cli.command {
        Command::Show(common) => show(common),
        Command::Set(args) => set(args),
        Command::Format(args) => format(args),
        Command::Check(common) => check(common),
    }
}

#[derive(Serialize)]
struct ShowReport<'a> {
    device: &'a Path,
    slot: usize,
    sequence: u16,
    epoch: u32,
    node: u32,
    route: String,
    alternates: Vec<String>,
}

fn show(common: &Common) -> Result<ExitCode, CliError> {
    let mut store = open_read_only(&common.device)?;
    let Current { record, slot, sequence } = store.load().map_err(|error| load_error(&common.device, &error))?;
    let report = ShowReport {
        device: &common.device,
        slot: slot.index(),
        sequence,
        epoch: record.epoch(),
        node: record.node(),
        route: record.primary().to_string(),
        alternates: record.alternates().iter().map(Hops::to_string).collect(),
    };
    print(common.json, &report, || {
        let mut text =
            format!("node       n{}\nepoch      {}\nroute      {}\n", report.node, report.epoch, report.route);
        report.alternates.iter().for_each(|route| text += &format!("alternate  {route}\n"));
        text + &format!("from       {slot}, sequence {sequence}\n")
    })?;
    Ok(ExitCode::SUCCESS)
}

#[derive(Serialize)]
struct SetReport<'a> {
    device: &'a Path,
    written: bool,
    slot: usize,
    sequence: u16,
}

fn set(args: &SetArgs) -> Result<ExitCode, CliError> {
    let device = &args.common.device;
    let record = Record::new(args.epoch, args.node, args.route, args.alternate.clone())
        .map_err(|error| CliError(error.to_string()))?;
    let medium = FileMedium::open(device).map_err(|error| open_error(device, &error))?;
    let mut store = Store::new(medium);
    let written = store.write(&record).map_err(|error| write_error(device, &error))?;
    let Current { slot, sequence, .. } = store.load().map_err(|error| load_error(device, &error))?;
    let report = SetReport { device, written: written != Written::Unchanged, slot: slot.index(), sequence };
    print(args.common.json, &report, || match report.written {
        true => format!("{}: written to {slot}, sequence {sequence}\n", device.display()),
        false => format!("{}: the record is there already; nothing was written\n", device.display()),
    })?;
    Ok(ExitCode::SUCCESS)
}

#[derive(Serialize)]
struct FormatReport<'a> {
    device: &'a Path,
    bytes: usize,
    slot_bytes: usize,
}

fn format(args: &FormatArgs) -> Result<ExitCode, CliError> {
    let device = &args.common.device;
    let size = args.size.unwrap_or(FileMedium::DEFAULT_SIZE);
    let bytes = match FileMedium::create(device, size) {
        Ok(()) => size,
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => wipe(device, args)?,
        Err(error) => return Err(CliError(format!("{}: cannot be created: {error}", device.display()))),
    };
    let report = FormatReport { device, bytes, slot_bytes: bytes / 2 };
    print(args.common.json, &report, || {
        format!("{}: blank, two slots of {} bytes\n", device.display(), report.slot_bytes)
    })?;
    Ok(ExitCode::SUCCESS)
}

/// Makes an existing device blank, in place. Returns its size.
fn wipe(device: &Path, args: &FormatArgs) -> Result<usize, CliError> {
    let fail = |what: String| Err(CliError(format!("{}: {what}", device.display())));
    let medium = FileMedium::open(device).map_err(|error| open_error(device, &error))?;
    let size = medium.size();
    if args.size.is_some_and(|wanted| wanted != size) {
        return fail(format!("has {size} bytes already; remove it to give it another size"));
    }
    let mut store = Store::new(medium);
    match store.load() {
        Err(LoadError::Blank) => return Ok(size),
        Err(error @ (LoadError::TooSmall { .. } | LoadError::Io(_))) => return Err(load_error(device, &error)),
        _ if !args.force => {
            return fail("is not blank; look at it with `route-store check`, and wipe it with `--force`".into());
        }
        _ => {}
    }
    store.wipe().map_err(|error| write_error(device, &error))?;
    Ok(size)
}

#[derive(Serialize)]
struct SlotReport {
    slot: usize,
    state: &'static str,
    sequence: Option<u16>,
    epoch: Option<u32>,
    reason: Option<String>,
}

#[derive(Serialize)]
struct CheckReport<'a> {
    device: &'a Path,
    ok: bool,
    current: Option<usize>,
    error: Option<String>,
    slots: [SlotReport; 2],
}

fn check(common: &Common) -> Result<ExitCode, CliError> {
    let device = &common.device;
    let mut store = open_read_only(device)?;
    let slots = store.slots().map_err(|error| load_error(device, &error))?;
    let damaged = slots.iter().any(|state| matches!(state, SlotState::Invalid(_)));
    let current = store.load();
    let mut index = 0..;
    let report = CheckReport {
        device,
        ok: current.is_ok() && !damaged,
        current: current.as_ref().ok().map(|current| current.slot.index()),
        error: current.as_ref().err().map(|error| load_error(device, error).to_string()),
        slots: slots.each_ref().map(|state| slot_report(index.next().unwrap_or(0), state)),
    };
    print(common.json, &report, || {
        let line = |(index, state): (usize, &SlotState)| {
            let counts = if report.current == Some(index) { "  <- counts" } else { "" };
            format!("slot {index}  {state}{counts}\n")
        };
        slots.iter().enumerate().map(line).collect()
    })?;
    match (&report.error, damaged) {
        (Some(error), _) => Err(CliError(error.clone())),
        (None, true) => {
            Err(CliError(format!("{}: a slot is damaged; the next change of the record mends it", device.display())))
        }
        (None, false) => Ok(ExitCode::SUCCESS),
    }
}

fn slot_report(slot: usize, state: &SlotState) -> SlotReport {
    let empty = SlotReport { slot, state: "blank", sequence: None, epoch: None, reason: None };
    match state {
        SlotState::Valid { record, sequence } => {
            SlotReport { state: "valid", sequence: Some(*sequence), epoch: Some(record.epoch()), ..empty }
        }
        SlotState::Blank => empty,
        SlotState::Invalid(error) => SlotReport { state: "invalid", reason: Some(error.to_string()), ..empty },
    }
}

fn open_read_only(device: &Path) -> Result<Store<FileMedium>, CliError> {
    FileMedium::open_read_only(device).map(Store::new).map_err(|error| open_error(device, &error))
}

fn open_error(device: &Path, error: &io::Error) -> CliError {
    let remedy = match error.kind() {
        io::ErrorKind::NotFound => "; make it with `route-store format`, or name another one with `--device`",
        io::ErrorKind::PermissionDenied => "; run as a user who may use it",
        _ => "",
    };
    CliError(format!("{}: cannot be opened: {error}{remedy}", device.display()))
}

fn load_error(device: &Path, error: &LoadError) -> CliError {
    let remedy = match error {
        LoadError::Blank => "; write one with `route-store set`",
        LoadError::Corrupt { .. } | LoadError::Forked { .. } => "; write the right one with `route-store set`",
        LoadError::Version(_) => "; use the program that wrote it, or wipe it with `route-store format --force`",
        LoadError::TooSmall { .. } => "; remove it, and make it anew with `route-store format`",
        LoadError::Io(_) => "",
    };
    CliError(format!("{}: {error}{remedy}", device.display()))
}

fn write_error(device: &Path, error: &WriteError) -> CliError {
    match error {
        WriteError::Load(error) => load_error(device, error),
        WriteError::Version(_) => CliError(format!("{}: {error} (`route-store format --force`)", device.display())),
        _ => CliError(format!("{}: {error}", device.display())),
    }
}

/// Prints a report: as JSON for machines, or as `text` for people.
fn print(json: bool, report: &impl Serialize, text: impl FnOnce() -> String) -> Result<(), CliError> {
    let text = match json {
        true => serde_json::to_string(report).map(|line| line + "\n").map_err(|error| CliError(error.to_string()))?,
        false => text(),
    };
    io::stdout()
        .write_all(text.as_bytes())
        .map_err(|error| CliError(format!("cannot write to standard output: {error}")))
}
