//! The life of a job: its ends, its signals, its output.

#![allow(clippy::disallowed_methods)] // Limits of time are the job of this file.

use crate::output::Stream;
use crate::stuck::{self, Ranks, Watch};
use mpi_abi::launch::board::{Board, Progress};
use mpi_abi::launch::signals;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, Signal, WaitOptions};
use std::collections::BTreeMap;
use std::ops::Range;
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

/// Signals that are passed on to the ranks and have no other effect.
const PASSED_ON: [i32; 3] = [libc::SIGUSR2, libc::SIGCONT, libc::SIGWINCH];
/// Signals that end the job.
const ENDING: [i32; 4] = [libc::SIGINT, libc::SIGTERM, libc::SIGHUP, libc::SIGQUIT];

/// What is left for a rank that was told to end; then it is killed.
const PATIENCE_MS: u64 = 500;
/// The same after a signal from outside, to which a program may answer by saving its work.
const PATIENCE_AFTER_SIGNAL_MS: u64 = 5000;
/// How long output is awaited from processes that hold a pipe of a rank that has ended.
const LAST_WORDS_MS: u64 = 200;

/// The exit code after `--timeout`.
const TIMED_OUT: i32 = 124;

/// The signals that we hear.
pub(crate) fn heard() -> Vec<i32> {
    [&PASSED_ON[..], &ENDING[..], &[libc::SIGCHLD, libc::SIGTSTP, libc::SIGUSR1]].concat()
}

/// When a limit that begins now is over.
pub(crate) fn after(limit: Option<Duration>) -> Option<Instant> {
    limit.map(|limit| Instant::now() + limit)
}

/// A job that runs.
pub(crate) struct Job<'a> {
    pub(crate) board: &'a Board,
    pub(crate) size: u32,
    /// The ranks that are started here.
    pub(crate) here: Range<u32>,
    /// Ranks by their processes, which lead their groups.
    pub(crate) running: BTreeMap<i32, u32>,
    pub(crate) streams: Vec<Stream>,
    pub(crate) signals: OwnedFd,
    /// When `--timeout` is over.
    pub(crate) deadline: Option<Instant>,
    /// Looks whether the job stands still.
    pub(crate) stuck: Watch,
    /// The exit code, of the first that failed.
    pub(crate) code: i32,
    /// When those that are left are killed; the job is being ended.
    pub(crate) kill_at: Option<Instant>,
}

impl Job<'_> {
    /// Waits for the end; the exit code.
    pub(crate) fn watch(mut self) -> i32 {
        while !self.running.is_empty() {
            self.wait(None);
            while let Some(signal) = signals::next(&self.signals) {
                self.signal(signal);
            }
            self.reap();
            self.check_time();
            self.check_stuck();
        }
        self.last_words();
        self.code
    }

    /// Sleeps until something happens, at most until `limit`.
    fn wait(&mut self, limit: Option<Instant>) {
        let due = [self.kill_at, self.deadline, self.stuck.due, limit].into_iter().flatten().min();
        let timeout = due.map(|due| {
            let left = due.saturating_duration_since(Instant::now());
            Timespec { tv_sec: left.as_secs() as i64, tv_nsec: left.subsec_nanos().into() }
        });
        let mut waited = vec![PollFd::new(&self.signals, PollFlags::IN)];
        waited.extend(self.streams.iter().map(Stream::poll));
        if poll(&mut waited, timeout.as_ref()).is_err() {
            return;
        }
        let ready: Vec<bool> = waited[1..].iter().map(|waited| !waited.revents().is_empty()).collect();
        let mut ready = ready.into_iter();
        self.streams.retain_mut(|stream| !ready.next().unwrap_or(false) || stream.pump());
    }

    fn signal(&mut self, signal: i32) {
        if PASSED_ON.contains(&signal) {
            self.tell_all(signal);
        } else if signal == libc::SIGUSR1 {
            eprint!("mpirun: what the ranks wait for:\n{}", self.waits());
            self.tell_catchers(signal);
        } else if ENDING.contains(&signal) {
            // Who asks twice does not want to wait.
            let patience = if self.kill_at.is_some() { 0 } else { PATIENCE_AFTER_SIGNAL_MS };
            self.tell_all(signal);
            self.end(128 + signal, Duration::from_millis(patience));
        } else if signal == libc::SIGTSTP {
            self.tell_all(signal);
            let _ = rustix::process::kill_process(rustix::process::getpid(), Signal::STOP);
        }
    }

    fn check_time(&mut self) {
        let now = Instant::now();
        if self.deadline.is_some_and(|deadline| deadline <= now) && !self.running.is_empty() {
            self.deadline = None;
            eprint!("mpirun: the time limit is over; the job is ended; what the ranks wait for:\n{}", self.waits());
            self.end(TIMED_OUT, Duration::from_millis(PATIENCE_MS));
            self.tell_all(libc::SIGTERM);
        }
        if self.kill_at.is_some_and(|due| due <= now) {
            self.kill_at = Some(now + Duration::from_millis(PATIENCE_MS));
            self.tell_all(libc::SIGKILL);
        }
    }

    /// Says what the ranks wait for if the job stands still.
    fn check_stuck(&mut self) {
        if self.kill_at.is_some() || !self.stuck.is_due() {
            return;
        }
        let ranks = ranks(self.board, &self.here, self.size, &self.running);
        if let Some(text) = self.stuck.look(&ranks) {
            eprint!("{text}");
        }
    }

    fn waits(&self) -> String {
        ranks(self.board, &self.here, self.size, &self.running).describe()
    }

    /// Passes a signal on to the processes that have a handler for it, and would not be ended by it.
    fn tell_catchers(&self, signal: i32) {
        for (&leader, &rank) in &self.running {
            let own = self.board.get(rank).0.cast_signed();
            let mut processes = vec![leader, own];
            processes.dedup();
            for process in processes {
                if let (Some(pid), Some(signal), true) =
                    (Pid::from_raw(process), Signal::from_named_raw(signal), stuck::catches(process, signal))
                {
                    let _ = rustix::process::kill_process(pid, signal);
                }
            }
        }
    }

    fn tell_all(&self, signal: i32) {
        for &process in self.running.keys() {
            tell_group(process, signal);
        }
    }

    /// Notes that the job ends, with this code if it is the first failure.
    fn end(&mut self, code: i32, patience: Duration) {
        if self.code == 0 {
            self.code = code;
        }
        let due = Instant::now() + patience;
        self.kill_at = Some(self.kill_at.map_or(due, |earlier| earlier.min(due)));
    }

    /// Takes note of the ranks that have ended.
    fn reap(&mut self) {
        while let Ok(Some((process, status))) = rustix::process::wait(WaitOptions::NOHANG) {
            let process = process.as_raw_pid();
            // What a rank leaves behind ends with it. The number of a group that has no process left is not given to
            // another before all other numbers were.
            tell_group(process, libc::SIGKILL);
            if let Some(rank) = self.running.remove(&process) {
                self.ended(rank, process, status.exit_status(), status.terminating_signal());
            }
        }
    }

    fn ended(&mut self, rank: u32, process: i32, code: Option<i32>, signal: Option<i32>) {
        let (_, progress) = self.board.get(rank);
        let who = format!("rank {rank} (pid {process})");
        let (failure, code) = match (code, signal) {
            (Some(0), _) if progress == Progress::Running => (format!("{who} ended without MPI_Finalize"), 1),
            (Some(0), _) if progress == Progress::Absent && self.somebody_waits() => {
                (format!("{who} ended without MPI_Init, which others called"), 1)
            }
            (Some(0), _) => return,
            (Some(code), _) => (format!("{who} ended with exit code {code}"), code),
            (None, signal) => {
                let signal = signal.unwrap_or(libc::SIGKILL);
                (format!("{who} was killed by signal {signal} ({})", signal_name(signal)), 128 + signal)
            }
        };
        if self.kill_at.is_some() {
            return;
        }
        // A failure after MPI_Finalize leaves nobody waiting.
        if progress == Progress::Finalized && signal.is_none() && self.board.aborted().is_none() {
            eprintln!("mpirun: {failure}");
            self.code = if self.code == 0 { code } else { self.code };
            return;
        }
        // A rank that aborts has said why.
        if self.board.aborted().is_none() {
            eprintln!("mpirun: {failure}; the job is ended");
        }
        self.end(code, Duration::from_millis(PATIENCE_MS));
        self.tell_all(libc::SIGTERM);
    }

    /// True if a rank uses MPI, so that it may wait for the others.
    fn somebody_waits(&self) -> bool {
        (0..self.size).any(|rank| self.board.get(rank).1 == Progress::Running)
    }

    /// Passes on what is left in the pipes.
    fn last_words(&mut self) {
        let limit = Instant::now() + Duration::from_millis(LAST_WORDS_MS);
        self.kill_at = None;
        self.deadline = None;
        self.stuck.due = None;
        while !self.streams.is_empty() && Instant::now() < limit {
            self.wait(Some(limit));
        }
        for stream in &mut self.streams {
            stream.flush();
        }
    }
}

/// The ranks, to be looked at.
fn ranks<'a>(board: &'a Board, here: &Range<u32>, size: u32, running: &BTreeMap<i32, u32>) -> Ranks<'a> {
    let mut processes = vec![None; size as usize];
    for (&process, &rank) in running {
        processes[rank as usize] = Some(process);
    }
    Ranks { board, here: here.clone(), processes }
}

fn tell_group(process: i32, signal: i32) {
    if let Some(group) = Pid::from_raw(process)
        && let Some(signal) = Signal::from_named_raw(signal)
    {
        // A group without processes needs no signal.
        let _ = rustix::process::kill_process_group(group, signal);
    }
}

fn signal_name(signal: i32) -> &'static str {
    match signal {
        libc::SIGHUP => "hangup",
        libc::SIGINT => "interrupt",
        libc::SIGQUIT => "quit",
        libc::SIGILL => "illegal instruction",
        libc::SIGTRAP => "trap",
        libc::SIGABRT => "abort",
        libc::SIGBUS => "bus error",
        libc::SIGFPE => "arithmetic exception",
        libc::SIGKILL => "kill",
        libc::SIGSEGV => "segmentation fault",
        libc::SIGPIPE => "broken pipe",
        libc::SIGALRM => "alarm",
        libc::SIGTERM => "termination",
        libc::SIGXCPU => "processor time limit",
        _ => "signal",
    }
}
