//! `mapper completions`.

use clap::{Args, Command};
use clap_complete::Shell;
use twowire_fabric::program::{Failure, print};

/// See `mapper completions --help`.
#[derive(Args, Debug)]
#[command(after_help = "Example:\n  mapper completions bash > /etc/bash_completion.d/mapper")]
pub(super) struct CompletionsArgs {
    /// The shell
    shell: Shell,
}

pub(super) fn run(args: &CompletionsArgs, command: &mut Command) -> Result<(), Failure> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, command, "mapper", &mut script);
    print(|out| out.write_all(&script))
}
