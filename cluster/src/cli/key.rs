//! `twowire key`.

use super::print::{print_json, print_text};
use clap::{Args, Subcommand};
use std::path::PathBuf;
use twowire_fabric::program::Failure;
use twowire_multicast_boot::image::command::{new_key, new_secret};

/// Makes cluster keys.
#[derive(Subcommand, Debug)]
pub(super) enum KeyCommand {
    /// Makes a key pair: FILE (secret, mode 600) and FILE.pub
    New(NewArgs),
    /// Makes a cluster secret (mode 600), by which nodes prove that they belong to the cluster
    Secret(SecretArgs),
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

/// See `twowire key secret --help`.
#[derive(Args, Debug)]
#[command(
    after_help = "Front end and nodes hold the same secret: `bootd --secret FILE`, `bootnode --secret FILE`. A front end that has one lets only \
                  nodes take part that know it.\n\n\
                  Example:\n  twowire key secret --out cluster.secret"
)]
pub(super) struct SecretArgs {
    /// The secret's file. It is not overwritten
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// Prints JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn run(command: KeyCommand) -> Result<(), Failure> {
    match command {
        KeyCommand::New(args) => new(&args),
        KeyCommand::Secret(args) => secret(&args),
    }
}

fn secret(args: &SecretArgs) -> Result<(), Failure> {
    let report = new_secret(&args.out).map_err(Failure::failed)?;
    if args.json {
        return print_json(&report);
    }
    print_text(&format!(
        "secret     {} (mode 600: copy it to every node, and show it to nobody else)\nsecret id  {}\n",
        report.secret.display(),
        report.id
    ))
}

fn new(args: &NewArgs) -> Result<(), Failure> {
    let report = new_key(&args.out).map_err(Failure::failed)?;
    if args.json {
        return print_json(&report);
    }
    print_text(&format!(
        "secret key  {} (mode 600: keep it on the front end)\npublic key  {} (what nodes check images with)\nkey id      {}\n",
        report.secret.display(),
        report.public.display(),
        report.key_id
    ))
}
