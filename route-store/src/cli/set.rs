//! `route-store set`.

use super::error::CliError;
use super::{Common, open, print};
use clap::Args;
use serde::Serialize;
use std::process::ExitCode;
use twowire_route_store::{Access, Current, Hops, Record, Written};

#[derive(Debug, Args)]
pub(super) struct SetArgs {
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
    /// The oldest version of an image that may be booted [default: as it was]
    #[arg(long, value_name = "VERSION")]
    oldest_version: Option<u64>,
    /// Forget how the image that was tried last has done: it has all its attempts again
    #[arg(long)]
    forget_image: bool,
}

#[derive(Serialize)]
struct SetReport {
    device: String,
    written: bool,
    slot: usize,
    sequence: u16,
    left_out: u8,
}

pub(super) fn run(args: &SetArgs) -> Result<ExitCode, CliError> {
    let device = &args.common.device;
    let record = Record::new(args.epoch, args.node, args.route, args.alternate.clone()).map_err(CliError::new)?;
    let mut store = open(device, Access::Write)?;
    let before = store.load().ok().map(|current| current.record);
    let attempts = before.as_ref().and_then(Record::attempts).filter(|_| !args.forget_image);
    let floor = args.oldest_version.unwrap_or(before.as_ref().map_or(0, Record::floor));
    let record = record.with_attempts(attempts).with_floor(floor);
    let written = store.write(&record).map_err(|error| CliError::write(device, &error))?;
    let Current { slot, sequence, record } = store.load().map_err(|error| CliError::load(device, &error))?;
    let report = SetReport {
        device: device.to_string(),
        written: written != Written::Unchanged,
        slot: slot.index(),
        sequence,
        left_out: record.left_out(),
    };
    print(args.common.json, &report, || {
        let left_out = match report.left_out {
            0 => String::new(),
            1 => "; 1 alternate was left out for want of room".into(),
            n => format!("; {n} alternates were left out for want of room"),
        };
        match report.written {
            true => format!("{device}: written to {slot}, sequence {sequence}{left_out}\n"),
            false => format!("{device}: the record is there already; nothing was written\n"),
        }
    })?;
    Ok(ExitCode::SUCCESS)
}
