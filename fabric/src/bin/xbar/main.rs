//! The program `xbar`: crossbars in real time, in a process of their own (`docs/xbar.md`).

mod counters;
mod hosts;
mod plug;
mod respond;
mod serve;
mod strike;

use clap::{Args, CommandFactory, Parser, Subcommand};
use clap_complete::Shell;
use rustix::process::Pid;
use std::path::PathBuf;
use std::process::ExitCode;
use twowire_fabric::parent::die_with;
use twowire_fabric::program::{Failure, print};

/// Crossbars in real time, to which hosts attach from other processes.
#[derive(Parser, Debug)]
#[command(name = "xbar", version, after_help = EXAMPLES)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

const EXAMPLES: &str = "Exit status: 0 if all is well; 1 if it failed; 2 for a wrong command line. Ctrl-C ends `serve` and `respond` with 0.\n\n\
    Examples:\n  \
    xbar serve --topo pink --at /run/pink\n  \
    xbar respond /run/pink --hosts n0..n1022\n  \
    mapper --topology clos --fabric xbar:/run/pink --topo-out pink.topo\n  \
    xbar cut /run/pink x1.0:8\n  \
    xbar counters /run/pink --json";

#[derive(Subcommand, Debug)]
enum Command {
    /// Owns the crossbars of a topology, until Ctrl-C
    Serve(serve::ServeArgs),
    /// Attaches as hosts that answer probes and take routes, until Ctrl-C
    Respond(respond::RespondArgs),
    /// Runs a program that emulates a network card, as a virtual machine does, and plugs the card into a host's port
    Plug(plug::PlugArgs),
    /// Cuts cables, each by the name of a port: x1.3:9, or n17 for a host's
    Cut(strike::StrikeArgs),
    /// Mends cables
    Mend(strike::StrikeArgs),
    /// Kills crossbars: they forward nothing
    Kill(strike::StrikeArgs),
    /// Lets crossbars work again
    Revive(strike::StrikeArgs),
    /// Prints what the ports have carried and dropped
    Counters(counters::CountersArgs),
    /// Prints the hosts, and who is attached
    Hosts(hosts::HostsArgs),
    /// Prints a completion script for a shell
    Completions(CompletionsArgs),
}

/// The server's path, for all that talk to it.
#[derive(Args, Debug)]
struct At {
    /// Where the server listens
    #[arg(value_name = "PATH")]
    path: PathBuf,
}

/// The process that started this one, for those that are not to outlive it.
#[derive(Args, Debug)]
struct Parent {
    /// Ends, killed, when the process that started it does: the thread of PROCESS that did so
    #[arg(long = "parent", value_name = "PROCESS", value_parser = clap::value_parser!(i32).range(1..))]
    process: Option<i32>,
}

impl Parent {
    fn die_with(&self) -> Result<(), Failure> {
        let Some(process) = self.process else { return Ok(()) };
        match Pid::from_raw(process).map(die_with).transpose().map_err(Failure::failed)? {
            Some(true) => Ok(()),
            _ => {
                Err(Failure::Failed(format!("--parent {process}: that process has not started this one, or has ended")))
            }
        }
    }
}

#[derive(Args, Debug)]
#[command(after_help = "Example:\n  xbar completions bash > /etc/bash_completion.d/xbar")]
struct CompletionsArgs {
    /// The shell
    shell: Shell,
}

fn main() -> ExitCode {
    let outcome = match Cli::parse().command {
        Command::Serve(args) => serve::run(&args),
        Command::Respond(args) => respond::run(&args),
        Command::Plug(args) => plug::run(&args),
        Command::Cut(args) => strike::run("cut", &args),
        Command::Mend(args) => strike::run("mend", &args),
        Command::Kill(args) => strike::run("kill", &args),
        Command::Revive(args) => strike::run("revive", &args),
        Command::Counters(args) => counters::run(&args),
        Command::Hosts(args) => hosts::run(&args),
        Command::Completions(args) => completions(&args),
    };
    outcome.map_or_else(|failure| failure.report("xbar"), |()| ExitCode::SUCCESS)
}

fn completions(args: &CompletionsArgs) -> Result<(), Failure> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "xbar", &mut script);
    print(|out| out.write_all(&script))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }
}
