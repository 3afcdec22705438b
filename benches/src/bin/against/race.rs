//! One run of one tool.

use super::child::{Children, Ended, now};
use super::files::Files;
use super::tool::Tool;
use rustix::process::Signal;
use std::fmt;
use std::time::{Duration, Instant};
use twowire_fabric::program::Failure;
use twowire_hwtests::netns::{Network, Plan};

/// What every receiver gets before the sender starts.
const HEAD_START: Duration = Duration::from_millis(500);

/// How long receivers have to end when they are asked to.
const FAREWELL: Duration = Duration::from_secs(3);

/// What is run on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Course {
    pub receivers: usize,
    pub mtu: u32,
    pub loss_percent: u32,
}

impl fmt::Display for Course {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Course { receivers, mtu, loss_percent } = self;
        write!(f, "MTU {mtu}, {loss_percent} % lost, {receivers} receivers")
    }
}

/// How a run went.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Run {
    /// From the start of the sender to the end of the last one.
    pub seconds: f64,
    /// Copies that are right.
    pub right: usize,
    /// Copies that should be there.
    pub receivers: usize,
    /// The sender's status was 0.
    pub claims_success: bool,
    pub sender_cpu: f64,
    pub receivers_cpu: f64,
}

impl Run {
    /// Every copy is right.
    pub(super) fn is_right(&self) -> bool {
        self.right == self.receivers
    }
}

impl fmt::Display for Run {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Run { seconds, right, receivers, sender_cpu, receivers_cpu, .. } = self;
        write!(f, "{seconds:.2} s, {right} of {receivers} right, CPU {sender_cpu:.2} + {receivers_cpu:.2} s")?;
        if !self.is_right() && self.claims_success { f.write_str(", and it claims success") } else { Ok(()) }
    }
}

/// Runs a tool once, on a network of its own.
pub(super) fn race(tool: Tool, course: Course, files: &Files, limit: Duration) -> Result<Run, Failure> {
    let Course { receivers, mtu, loss_percent } = course;
    let network = Network::new(Plan { hosts: receivers + 1, mtu, loss_percent, addresses: tool != Tool::Twowire });
    let network = network.map_err(Failure::failed)?;
    files.make_folders(receivers).map_err(Failure::failed)?;
    let mut children = Children::new();
    for index in 0..receivers {
        let output = files.folder(index).with_extension("out");
        children.start(index, tool.receiver(&network, index, files), &output)?;
    }
    if let Some(early) = children.next(now() + HEAD_START)? {
        return Err(said(tool, files, early.name, "ended before the sender had started"));
    }
    let start = now();
    children.start(receivers, tool.sender(&network, course, files), &files.folder(receivers).with_extension("out"))?;
    let ended = wait(tool, &mut children, receivers, start + limit)?;
    let run = judge(tool, course, files, start, &ended);
    files.remove_folders(receivers);
    Ok(run)
}

/// Waits until all have ended; those that do not are made to.
fn wait(tool: Tool, children: &mut Children, sender: usize, limit: Instant) -> Result<Vec<Ended>, Failure> {
    let (mut ended, mut until, mut asked) = (Vec::new(), limit, false);
    while children.running() > 0 {
        match children.next(until)? {
            Some(one) => {
                ended.push(one);
                // The others are daemons, which end when they are told to.
                if one.name == sender && !tool.receivers_end() {
                    children.signal(Signal::TERM);
                    (until, asked) = (now() + FAREWELL, true);
                }
            }
            None if asked => {
                children.signal(Signal::KILL);
                until = now() + FAREWELL;
            }
            None => {
                children.signal(Signal::TERM);
                (until, asked) = (now() + FAREWELL, true);
            }
        }
    }
    Ok(ended)
}

fn judge(tool: Tool, course: Course, files: &Files, start: Instant, ended: &[Ended]) -> Run {
    let (sender, receivers): (Vec<&Ended>, Vec<&Ended>) = ended.iter().partition(|one| one.name == course.receivers);
    let last = if tool.receivers_end() { receivers.iter() } else { sender.iter() }.map(|one| one.at).max();
    Run {
        seconds: last.map_or(f64::INFINITY, |last| last.duration_since(start).as_secs_f64()),
        right: (0..course.receivers).filter(|&index| files.is_right(&tool.copy(index, files))).count(),
        receivers: course.receivers,
        claims_success: sender.iter().all(|one| one.success),
        sender_cpu: sender.iter().map(|one| one.cpu).sum(),
        receivers_cpu: receivers.iter().map(|one| one.cpu).sum(),
    }
}

/// What a process has printed, with what went wrong.
fn said(tool: Tool, files: &Files, index: usize, wrong: &str) -> Failure {
    let output = std::fs::read_to_string(files.folder(index).with_extension("out")).unwrap_or_default();
    Failure::Failed(format!("{tool}: receiver {index} {wrong}: {}", output.trim()))
}
