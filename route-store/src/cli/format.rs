//! `route-store format`.

use super::error::CliError;
use super::{Common, open, print};
use clap::Args;
use serde::Serialize;
use std::io;
use std::process::ExitCode;
use twowire_route_store::medium::device::Kind;
use twowire_route_store::{Access, FileMedium, LoadError, SlotError, SlotState};

#[derive(Debug, Args)]
pub(super) struct FormatArgs {
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

#[derive(Serialize)]
struct FormatReport {
    device: String,
    bytes: usize,
    slot_bytes: usize,
}

pub(super) fn run(args: &FormatArgs) -> Result<ExitCode, CliError> {
    let device = &args.common.device;
    let slot_bytes = match create(args)? {
        Some(size) => size / 2,
        None => wipe(args)?,
    };
    let report = FormatReport { device: device.to_string(), bytes: 2 * slot_bytes, slot_bytes };
    print(args.common.json, &report, || format!("{device}: blank, two slots of {slot_bytes} bytes\n"))?;
    Ok(ExitCode::SUCCESS)
}

/// Creates a file, and returns its size; `None` if the device is there already, or cannot be created.
fn create(args: &FormatArgs) -> Result<Option<usize>, CliError> {
    let device = &args.common.device;
    if device.kind() != Kind::File {
        return match args.size {
            Some(_) => Err(CliError::of(device, "has a size already; leave `--size` out")),
            None => Ok(None),
        };
    }
    let size = args.size.unwrap_or(FileMedium::DEFAULT_SIZE);
    match FileMedium::create(device.path(), size) {
        Ok(()) => Ok(Some(size)),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(None),
        Err(error) => Err(CliError::of(device, format!("cannot be created: {error}"))),
    }
}

/// Makes a device blank, in place. Returns the bytes of a slot.
fn wipe(args: &FormatArgs) -> Result<usize, CliError> {
    let device = &args.common.device;
    let mut store = open(device, Access::Write)?;
    let size = 2 * store.slot_len();
    if args.size.is_some_and(|wanted| wanted != size) {
        return Err(CliError::of(device, format!("has {size} bytes already; remove it to give it another size")));
    }
    match store.slots() {
        Ok([SlotState::Blank, SlotState::Blank]) => return Ok(size / 2),
        Err(error @ LoadError::TooSmall { .. }) => return Err(CliError::load(device, &error)),
        Err(error @ LoadError::Io(_)) if !args.force => return Err(CliError::load(device, &error)),
        Ok(slots) if !args.force => return Err(CliError::of(device, refusal(&slots))),
        _ => {}
    }
    store.wipe().map_err(|error| CliError::write(device, &error))?;
    Ok(size / 2)
}

fn refusal(slots: &[SlotState; 2]) -> &'static str {
    let foreign = |state: &SlotState| matches!(state, SlotState::Invalid(SlotError::Foreign | SlotError::Magic(_)));
    if slots.iter().any(foreign) {
        return "holds something that is no record; look at it with `route-store check`, and destroy it with `--force`";
    }
    "is not blank; look at it with `route-store check`, and wipe it with `--force`"
}
