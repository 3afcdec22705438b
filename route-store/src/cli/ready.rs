//! `route-store ready`.

use super::error::CliError;
use super::{Common, open, print};
use clap::Args;
use serde::Serialize;
use std::process::ExitCode;
use twowire_route_store::{Access, ImageTag, Written};

#[derive(Debug, Args)]
pub(super) struct ReadyArgs {
    #[command(flatten)]
    common: Common,
    /// The image that runs: `twowire.image` of the kernel's command line
    #[arg(long, value_name = "TAG")]
    image: ImageTag,
    /// Its version, `twowire.version` of the kernel's command line: from now on older images are not booted
    #[arg(long, value_name = "VERSION")]
    image_version: Option<u64>,
}

#[derive(Serialize)]
struct ReadyReport {
    device: String,
    /// The record names this image: it is proven now. A fallback is never named.
    proven: bool,
    written: bool,
}

pub(super) fn run(args: &ReadyArgs) -> Result<ExitCode, CliError> {
    let device = &args.common.device;
    let mut store = open(device, Access::Write)?;
    let record = store.load().map_err(|error| CliError::load(device, &error))?.record;
    let next = record.after_ready(args.image, args.image_version);
    let report = |written| ReadyReport { device: device.to_string(), proven: next.is_some(), written };
    let Some(next) = &next else {
        let what = "the record does not name this image (it is the fallback, or is not counted); nothing was written";
        print(args.common.json, &report(false), || format!("{device}: {what}\n"))?;
        return Ok(ExitCode::SUCCESS);
    };
    let written = store.write(next).map_err(|error| CliError::write(device, &error))? != Written::Unchanged;
    print(args.common.json, &report(written), || match written {
        true => format!("{device}: {} is proven\n", args.image),
        false => format!("{device}: {} is proven already; nothing was written\n", args.image),
    })?;
    Ok(ExitCode::SUCCESS)
}
