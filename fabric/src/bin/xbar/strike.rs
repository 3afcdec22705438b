//! `xbar cut`, `mend`, `kill` and `revive`.

use super::At;
use clap::Args;
use twowire_fabric::program::Failure;
use twowire_fabric::xbar::Control;

/// See `xbar cut --help`.
#[derive(Args, Debug)]
#[command(
    after_help = "Examples:\n  xbar cut /run/pink x1.0:8\n  xbar mend /run/pink n17\n  xbar kill /run/pink x2.5\n  xbar revive /run/pink x2.5"
)]
pub(super) struct StrikeArgs {
    #[command(flatten)]
    at: At,
    /// The ports whose cables are meant, or the crossbars
    #[arg(value_name = "NAME", required = true)]
    names: Vec<String>,
}

pub(super) fn run(what: &str, args: &StrikeArgs) -> Result<(), Failure> {
    let mut control = Control::connect(&args.at.path).map_err(Failure::failed)?;
    args.names.iter().try_for_each(|name| control.strike(&format!("{what}:{name}"))).map_err(Failure::failed)
}
