//! `xbar plug`.

use super::{At, Parent};
use clap::Args;
use std::ffi::OsString;
use std::os::unix::process::CommandExt;
use std::process::Command;
use twowire_fabric::program::Failure;
use twowire_fabric::raw::{Mac, mtu_of_cable};
use twowire_fabric::xbar::Plug;

/// See `xbar plug --help`.
#[derive(Args, Debug)]
#[command(
    after_help = "In the command's words {fd} becomes the descriptor of the card's frames, {mtu} the MTU that the card is to have, and {mac} the \
    host's unique id as a card's address. The port is free again when the command has ended.\n\n\
    Example:\n  \
    xbar plug /run/pink n17 -- qemu-system-x86_64 -kernel vmlinuz -initrd phase1.img -append \"twowire.fabric=wire:eth0\" \\\n      \
    -netdev dgram,id=n,local.type=fd,local.str={fd} -device virtio-net-pci,netdev=n,mac={mac},host_mtu={mtu}"
)]
pub(super) struct PlugArgs {
    #[command(flatten)]
    at: At,
    #[command(flatten)]
    parent: Parent,
    /// The host to be
    #[arg(value_name = "HOST")]
    host: String,
    /// The command that emulates the card, and its words
    #[arg(value_name = "COMMAND", required = true, last = true)]
    command: Vec<OsString>,
}

pub(super) fn run(args: &PlugArgs) -> Result<(), Failure> {
    args.parent.die_with()?;
    let plug = Plug::new(&args.at.path, Some(&args.host)).map_err(Failure::failed)?;
    let fd = plug.bequeath().map_err(Failure::failed)?;
    let mac = Mac::of_card(plug.unique_id()).map_or_else(String::new, |mac| mac.to_string());
    let known = [("{fd}", fd.to_string()), ("{mtu}", mtu_of_cable(plug.max_payload()).to_string()), ("{mac}", mac)];
    let mut words = args.command.iter().map(|word| filled_in(word, &known));
    let program = words.next().unwrap_or_default();
    // This process becomes the command, so that the server knows which process has the port.
    let error = Command::new(&program).args(words).exec();
    Err(Failure::Failed(format!("{} cannot be started: {error}; is it installed?", program.display())))
}

/// A word with what is known in place of its names; one that is not UTF-8 stays as it is.
fn filled_in(word: &OsString, known: &[(&str, String)]) -> OsString {
    let Some(text) = word.to_str() else { return word.clone() };
    known.iter().fold(text.to_owned(), |text, (name, value)| text.replace(name, value)).into()
}
