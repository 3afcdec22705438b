//! `bootnode` as process 1 of a node: see [`crate::init`].

use crate::init::link::{Link, LinkState};
use crate::init::machine;
use crate::init::patience::{Next, Patience};
use crate::init::settings::{Settings, restart_after};
use crate::init::{AGENT, SECRET_FILE};
use std::fs;
use std::io::{self, Write};
use std::path::Path;
use std::process::{Child, Command, ExitStatus};
use std::time::{Duration, Instant};
use twowire_fabric::program::interrupt::{catch, interrupted};
use twowire_fabric::spec::FabricSpec;

/// How long to wait for a device to appear, and for its carrier.
const LINK_PATIENCE: Duration = Duration::from_secs(20);

/// How often is looked whether something has changed.
const SLICE: Duration = Duration::from_millis(20);

/// True in the process that the kernel starts first.
pub(super) fn is_process_1() -> bool {
    let called = std::env::args_os().next().unwrap_or_default();
    std::process::id() == 1 && Path::new(&called).file_name().is_some_and(|name| name == "init")
}

/// Process 1 goes on without a console too, where `eprintln!` would panic.
fn say(text: impl std::fmt::Display) {
    let _ = writeln!(io::stderr(), "bootnode: {text}");
}

#[expect(clippy::disallowed_methods, reason = "process 1 waits by the clock on the wall")]
fn now() -> Instant {
    Instant::now()
}

#[expect(clippy::disallowed_methods, reason = "nobody says when a device appears or a child ends")]
fn pause() {
    std::thread::sleep(SLICE);
}

/// Runs until another kernel does.
pub(super) fn run() -> ! {
    catch();
    machine::catch_ctrl_alt_del();
    if let Err(error) = machine::mount_all() {
        say(error);
    }
    machine::load_modules().iter().for_each(say);
    let cmdline = fs::read_to_string("/proc/cmdline").unwrap_or_default();
    let settings = Settings::parse(&cmdline);
    let mut patience = Patience::new(restart_after(&cmdline));
    loop {
        let began = now();
        match settings.as_ref().map_err(ToString::to_string).and_then(attempt) {
            Ok(()) => stay(),
            Err(error) => say(error),
        }
        match patience.after_failure(began.elapsed()) {
            Next::After(time) => {
                say(format!("tries again in {time:?}"));
                let until = now() + time;
                while now() < until && !interrupted() {
                    pause();
                }
            }
            Next::Restart => restart("it has failed for too long"),
        }
        if interrupted() {
            restart("interrupted");
        }
    }
}

/// One attempt, from the network device on. In phase 1 it does not return if it succeeds.
fn attempt(settings: &Settings) -> Result<(), String> {
    let fabric = settings.option("fabric").ok_or("twowire.fabric=FABRIC is missing on the kernel's command line")?;
    if let Ok(FabricSpec::Raw(device) | FabricSpec::Wire(device)) = fabric.parse() {
        bring_up(&Link::new(&device), settings.mtu)?;
    }
    let is_phase2 = settings.ticket.is_some();
    let child = if is_phase2 && Path::new(AGENT).exists() {
        // It also says that the node is ready, as long as it runs.
        Command::new(AGENT).arg("node").spawn()
    } else {
        let arguments = settings.arguments(Path::new(SECRET_FILE).exists());
        Command::new("/proc/self/exe").args(arguments).spawn()
    };
    let status = wait_for(child.map_err(|error| format!("cannot start a process: {error}"))?)?;
    if status.success() { Ok(()) } else { Err(format!("failed with {status}")) }
}

/// Waits until the device is there, switches it on, and waits for its carrier.
fn bring_up(link: &Link, mtu: Option<u32>) -> Result<(), String> {
    wait_until(link, |state| state != LinkState::Missing)?;
    link.switch_on(mtu).map_err(|error| error.to_string())?;
    wait_until(link, |state| state == LinkState::Carrier)
}

fn wait_until(link: &Link, done: impl Fn(LinkState) -> bool) -> Result<(), String> {
    let until = now() + LINK_PATIENCE;
    while !done(link.state()) {
        if now() >= until || interrupted() {
            return link.problem(link.state()).map_or(Ok(()), |problem| Err(problem.to_string()));
        }
        pause();
    }
    Ok(())
}

fn wait_for(mut child: Child) -> Result<ExitStatus, String> {
    loop {
        if let Some(status) = child.try_wait().map_err(|error| error.to_string())? {
            return Ok(status);
        }
        if interrupted() {
            // It has heard the same keys only if it reads the console.
            let _ = child.kill();
        }
        pause();
    }
}

/// There is nothing left to do: in phase 2, or with `--root`, the machine goes on running.
fn stay() -> ! {
    while !interrupted() {
        pause();
    }
    restart("interrupted")
}

fn restart(reason: &str) -> ! {
    say(format!("restarts the machine: {reason}"));
    loop {
        say(machine::restart());
        let again = now() + LINK_PATIENCE;
        while now() < again {
            pause();
        }
    }
}
