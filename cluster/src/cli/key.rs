//! `twowire key`.

use super::print::print_json;
use clap::{Args, Subcommand};
use std::path::PathBuf;
use twowire_fabric::program::Failure;
use twowire_multicast_boot::image::command::new_key;

/// Makes cluster keys.
#[derive(Subcommand, Debug)]
pub(super) enum KeyCommand {
    /// Makes a key pair: FILE (secret, mode 600) and FILE.pub
    New(NewArgs),
}

/// See `twowire key new --help`.
#[derive(Args, Debug)]
#[command(
    after_help = "The secret key signs images and stays on the front end. Nodes hold the public key, and boot only what it verifies.\n\n\
                  Example:\n  twowire key new --out cluster.key"
)]
pub(super) struct NewArgs {
    /// The secret key's file; the public key goes to FILE.pub. Neither is overwritten
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// Prints JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn run(command: KeyCommand) -> Result<(), Failure> {
    let KeyCommand::New(args) = command;
    let report = new_key(&args.out).map_err(Failure::failed)?;
    if args.json {
        return print_json(&report);
    }
    println!("secret key  {} (mode 600: keep it on the front end)", report.secret.display());
    println!("public key  {} (what nodes check images with)", report.public.display());
    println!("key id      {}", report.key_id);
    Ok(())
}
