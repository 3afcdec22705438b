//! `twowire info`.

use super::print::{print_json, print_text};
use clap::Args;
use serde::Serialize;
use std::fmt::Write;
use twowire_fabric::program::Failure;
use twowire_fabric::route::MAX_HOPS;
use twowire_fabric::spec::PROVIDERS;
use twowire_fabric::topology::MAX_RADIX;
use twowire_fabric::wire;

/// See `twowire info --help`.
#[derive(Args, Debug)]
#[command(after_help = "Example:\n  twowire info --json")]
pub(super) struct InfoArgs {
    /// Prints JSON
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Info {
    version: &'static str,
    wire_version: u8,
    max_hops: usize,
    max_radix: u8,
    max_payload: usize,
    providers: Vec<ProviderInfo>,
}

#[derive(Serialize)]
struct ProviderInfo {
    name: &'static str,
    what: &'static str,
    available: bool,
    reason: Option<&'static str>,
}

pub(super) fn run(args: &InfoArgs) -> Result<(), Failure> {
    let info = info();
    if args.json { print_json(&info) } else { print_text(&text(&info)) }
}

fn info() -> Info {
    let providers = PROVIDERS.iter().map(|p| ProviderInfo {
        name: p.name,
        what: p.what,
        available: p.available,
        reason: (!p.available).then_some("not part of this version"),
    });
    Info {
        version: env!("CARGO_PKG_VERSION"),
        wire_version: wire::VERSION,
        max_hops: MAX_HOPS,
        max_radix: MAX_RADIX,
        max_payload: wire::DEFAULT_MAX_PAYLOAD,
        providers: providers.collect(),
    }
}

fn text(info: &Info) -> String {
    let mut text = format!(
        "twowire {}, wire format version {}\nroutes of up to {} hops, crossbars of up to {} ports, payloads of {} bytes\n\nproviders\n",
        info.version, info.wire_version, info.max_hops, info.max_radix, info.max_payload
    );
    for provider in &info.providers {
        let state = provider.reason.unwrap_or("available");
        let _ = writeln!(text, "  {:<6} {:<52} {state}", provider.name, provider.what);
    }
    text
}
