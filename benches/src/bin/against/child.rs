//! Processes, and what they took.

use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process, waitid};
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};
use twowire_fabric::program::{Failure, interrupt};

/// Ticks of `/proc/PID/stat` in a second: Linux shows programs a hundred on every machine.
const TICKS_PER_S: f64 = 100.0;

/// How often Ctrl-C is looked for.
const STEP: Duration = Duration::from_millis(200);

/// A process that has ended.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ended {
    /// The name that it was given.
    pub name: usize,
    /// When.
    pub at: Instant,
    /// What it used, in seconds.
    pub cpu: f64,
    /// Whether it ended with status 0.
    pub success: bool,
}

/// Processes that run. They are killed when this is dropped.
pub(super) struct Children {
    running: BTreeMap<usize, Pid>,
    sender: Sender<Ended>,
    ended: Receiver<Ended>,
}

#[expect(clippy::disallowed_methods, reason = "a bench measures time")]
pub(super) fn now() -> Instant {
    Instant::now()
}

impl Children {
    pub(super) fn new() -> Children {
        let (sender, ended) = channel();
        Children { running: BTreeMap::new(), sender, ended }
    }

    /// Starts a process, whose output goes to a file.
    pub(super) fn start(&mut self, name: usize, mut command: Command, output: &Path) -> Result<(), Failure> {
        let file = File::create(output).map_err(|error| Failure::write(output, &error))?;
        let copy = file.try_clone().map_err(Failure::failed)?;
        let command = command.stdin(Stdio::null()).stdout(file).stderr(copy);
        let mut child = command.spawn().map_err(|error| Failure::Failed(format!("{command:?}: {error}")))?;
        let pid = Pid::from_child(&child);
        let sender = self.sender.clone();
        std::thread::spawn(move || {
            // Until it is waited for by the second call, what it used can still be read.
            let _ = waitid(WaitId::Pid(pid), WaitIdOptions::EXITED | WaitIdOptions::NOWAIT);
            let (at, cpu) = (now(), cpu_seconds(pid));
            let success = child.wait().is_ok_and(|status| status.success());
            let _ = sender.send(Ended { name, at, cpu, success });
        });
        self.running.insert(name, pid);
        Ok(())
    }

    /// How many run.
    pub(super) fn running(&self) -> usize {
        self.running.len()
    }

    /// The next process that ends; `None` if none has by then.
    pub(super) fn next(&mut self, until: Instant) -> Result<Option<Ended>, Failure> {
        loop {
            if interrupt::interrupted() {
                return Err(Failure::Interrupted);
            }
            let left = until.saturating_duration_since(now());
            if let Ok(ended) = self.ended.recv_timeout(left.min(STEP)) {
                self.running.remove(&ended.name);
                return Ok(Some(ended));
            }
            if left.is_zero() {
                return Ok(None);
            }
        }
    }

    /// Asks all that run to end.
    pub(super) fn signal(&self, signal: Signal) {
        for pid in self.running.values() {
            // One that has just ended needs no signal.
            let _ = kill_process(*pid, signal);
        }
    }
}

impl Drop for Children {
    fn drop(&mut self) {
        self.signal(Signal::KILL);
        while !self.running.is_empty() {
            let Ok(ended) = self.ended.recv_timeout(Duration::from_secs(5)) else { break };
            self.running.remove(&ended.name);
        }
    }
}

/// User and system time of a process and of those that it has waited for.
fn cpu_seconds(pid: Pid) -> f64 {
    let stat = fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_nonzero())).unwrap_or_default();
    // The name is in parentheses, and may hold any character. The times are the fields 14 to 17.
    let fields = stat.rsplit_once(')').map_or("", |(_, rest)| rest).split_whitespace().skip(11).take(4);
    fields.filter_map(|field| field.parse::<f64>().ok()).sum::<f64>() / TICKS_PER_S
}
