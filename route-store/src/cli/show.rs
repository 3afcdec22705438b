//! `route-store show`.

use super::error::CliError;
use super::{Common, open, print};
use serde::Serialize;
use std::process::ExitCode;
use twowire_route_store::record::MAX_LEFT_OUT;
use twowire_route_store::{Access, Attempts, Current, Hops, Record};

#[derive(Serialize)]
struct ShowReport {
    device: String,
    slot: usize,
    sequence: u16,
    epoch: u32,
    node: u32,
    route: String,
    alternates: Vec<String>,
    left_out: u8,
    image: Option<ImageReport>,
    oldest_version: u64,
}

#[derive(Serialize)]
struct ImageReport {
    tag: String,
    begun: u8,
    proven: bool,
    exhausted: bool,
}

impl ImageReport {
    fn new(attempts: Attempts) -> ImageReport {
        ImageReport {
            tag: attempts.image.to_string(),
            begun: attempts.begun,
            proven: attempts.proven,
            exhausted: attempts.is_exhausted(),
        }
    }
}

pub(super) fn run(common: &Common) -> Result<ExitCode, CliError> {
    let mut store = open(&common.device, Access::Read)?;
    let current = store.load().map_err(|error| CliError::load(&common.device, &error))?;
    let Current { record, slot, sequence } = &current;
    let report = ShowReport {
        device: common.device.to_string(),
        slot: slot.index(),
        sequence: *sequence,
        epoch: record.epoch(),
        node: record.node(),
        route: record.primary().to_string(),
        alternates: record.alternates().iter().map(Hops::to_string).collect(),
        left_out: record.left_out(),
        image: record.attempts().map(ImageReport::new),
        oldest_version: record.floor(),
    };
    print(common.json, &report, || format!("{}from       {slot}, sequence {sequence}\n", text(record)))?;
    Ok(ExitCode::SUCCESS)
}

fn text(record: &Record) -> String {
    let (node, epoch, route) = (record.node(), record.epoch(), record.primary());
    let mut text = format!("node       n{node}\nepoch      {epoch}\nroute      {route}\n");
    record.alternates().iter().for_each(|route| text += &format!("alternate  {route}\n"));
    match record.left_out() {
        0 => {}
        MAX_LEFT_OUT => text += &format!("left out   {MAX_LEFT_OUT} or more alternates, for want of room\n"),
        1 => text += "left out   1 alternate, for want of room\n",
        n => text += &format!("left out   {n} alternates, for want of room\n"),
    }
    if let Some(attempts) = record.attempts() {
        text += &format!("image      {attempts}\n");
    }
    if record.floor() != 0 {
        text += &format!("oldest     version {} of an image may be booted\n", record.floor());
    }
    text
}
