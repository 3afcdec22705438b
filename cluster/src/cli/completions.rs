//! `twowire completions`.

use super::{Cli, Failure};
use clap::{Args, CommandFactory};
use clap_complete::Shell;
use std::io::{Write, stdout};

/// See `twowire completions --help`.
#[derive(Args, Debug)]
#[command(after_help = "Example:\n  twowire completions bash > /etc/bash_completion.d/twowire")]
pub(super) struct CompletionsArgs {
    /// The shell
    shell: Shell,
}

pub(super) fn run(args: &CompletionsArgs) -> Result<(), Failure> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "twowire", &mut script);
    stdout().write_all(&script).map_err(Failure::failed)
}
