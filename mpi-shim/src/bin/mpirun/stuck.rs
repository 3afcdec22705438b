//! What the ranks of a job wait for: when `SIGUSR1` asks for it, when the limit of time is over, and when the job stands still.

#![allow(clippy::disallowed_methods)] // Limits of time are the job of this file.

use crate::deadlock::{self, Standing};
use mpi_abi::launch::board::{Board, Progress};
use mpi_abi::launch::ranks::in_words;
use mpi_abi::launch::waits::{Form, Wait, now_ms};
use std::collections::BTreeMap;
use std::fmt::Write;
use std::ops::Range;
use std::time::{Duration, Instant};

/// A job that stands still for so long is stuck, if nothing else was asked for.
const STUCK_AFTER: Duration = Duration::from_secs(10);
/// What a rank waits for is believed to last if nothing came for so long.
const SETTLED_MS: u64 = 1000;
/// At most so many lines are printed.
const MOST_LINES: usize = 64;

/// The processes of a job and their board.
pub(crate) struct Ranks<'a> {
    pub(crate) board: &'a Board,
    /// Those that were started here; of the others nothing is known.
    pub(crate) here: Range<u32>,
    /// Each rank's process; none once it has ended.
    pub(crate) processes: Vec<Option<i32>>,
}

/// A rank, looked at.
struct Seen {
    standing: Standing,
    line: String,
}

impl Ranks<'_> {
    fn look(&self, rank: u32, settled_ms: u64, now_ms: u64) -> Seen {
        if !self.here.contains(&rank) {
            return Seen { standing: Standing::Active, line: "on another host".to_owned() };
        }
        let process = self.processes[rank as usize];
        let (id, progress) = self.board.get(rank);
        let Some(process) = process else {
            return Seen { standing: Standing::Ended, line: "ended".to_owned() };
        };
        let state = || state_of(if id == 0 { process } else { id.cast_signed() });
        match (progress, self.board.waits_for(rank)) {
            (Progress::Finalized, _) => Seen { standing: Standing::Ended, line: "after MPI_Finalize".to_owned() },
            (Progress::Absent, _) => {
                Seen { standing: Standing::Active, line: format!("before MPI_Init ({})", state()) }
            }
            (Progress::Running, None) => {
                Seen { standing: Standing::Active, line: format!("outside MPI, or polling ({})", state()) }
            }
            (Progress::Running, Some(wait)) => {
                let line = format!("{}, for {}", wait.text, seconds(now_ms.saturating_sub(wait.since_ms)));
                let settled = now_ms.saturating_sub(wait.quiet_since_ms) >= settled_ms;
                Seen { standing: if settled { Standing::Waits(wait) } else { Standing::Active }, line }
            }
        }
    }

    /// What each rank waits for, in lines, and the deadlock, if there is one.
    pub(crate) fn describe(&self) -> String {
        let now = now_ms();
        let seen: Vec<Seen> = (0..self.processes.len() as u32).map(|rank| self.look(rank, SETTLED_MS, now)).collect();
        let mut groups: BTreeMap<&str, Vec<u32>> = BTreeMap::new();
        for (rank, seen) in (0..).zip(&seen) {
            groups.entry(&seen.line).or_default().push(rank);
        }
        let mut lines: Vec<(Vec<u32>, &str)> = groups.into_iter().map(|(line, ranks)| (ranks, line)).collect();
        lines.sort_unstable();
        let mut text = String::new();
        for (ranks, line) in lines.iter().take(MOST_LINES) {
            let _ = writeln!(text, "mpirun:   {}: {line}", in_words(ranks));
        }
        if let Some(more) = lines.len().checked_sub(MOST_LINES).filter(|&more| more > 0) {
            let _ = writeln!(text, "mpirun:   and {more} more lines");
        }
        let standings: Vec<Standing> = seen.into_iter().map(|seen| seen.standing).collect();
        if let Some(found) = deadlock::find(&standings) {
            let _ = writeln!(text, "mpirun: deadlock: {found}");
        }
        text
    }

    fn standings(&self, settled: Duration) -> Vec<Standing> {
        let (now, settled) = (now_ms(), settled.as_millis() as u64);
        (0..self.processes.len() as u32).map(|rank| self.look(rank, settled, now).standing).collect()
    }
}

/// Looks now and then whether a job stands still.
pub(crate) struct Watch {
    /// After how long it does.
    after: Duration,
    /// Whether one rank that waits for so long is enough.
    each: bool,
    /// When to look; never if none.
    pub(crate) due: Option<Instant>,
    /// What was said last, and of which wait: a rank and its beginning.
    shown: Option<(&'static str, (u32, u64))>,
}

impl Watch {
    /// `after`: as the user asked; never if it is zero.
    pub(crate) fn new(after: Option<Duration>) -> Watch {
        let mut watch = Watch { after: after.unwrap_or(STUCK_AFTER), each: after.is_some(), due: None, shown: None };
        watch.plan();
        watch
    }

    fn plan(&mut self) {
        let often = (self.after / 8).clamp(Duration::from_millis(50), Duration::from_secs(1));
        self.due = (!self.after.is_zero()).then(|| Instant::now() + often);
    }

    /// True if it is time to look.
    pub(crate) fn is_due(&self) -> bool {
        self.due.is_some_and(|due| due <= Instant::now())
    }

    /// What to say, if the job stands still and that was not said yet.
    pub(crate) fn look(&mut self, ranks: &Ranks<'_>) -> Option<String> {
        self.plan();
        let standings = ranks.standings(self.after);
        let judgement = self.judge(&standings)?;
        if self.shown == Some(judgement) {
            return None;
        }
        self.shown = Some(judgement);
        let (judgement, _) = judgement;
        Some(format!("mpirun: {judgement}; what the ranks wait for:\n{}", ranks.describe()))
    }

    /// How the job stands, if it stands still, and the first rank that does.
    fn judge(&self, standings: &[Standing]) -> Option<(&'static str, (u32, u64))> {
        let waiting = || {
            (0..).zip(standings).filter_map(|(rank, standing)| match standing {
                Standing::Waits(wait) => Some((rank, wait)),
                _ => None,
            })
        };
        let first = waiting().map(|(rank, wait)| (rank, wait.since_ms)).next()?;
        let unsure = waiting().any(|(_, Wait { form, .. })| *form == Form::Unknown);
        let judgement = match deadlock::find(standings) {
            Some(_) => "the job is stuck",
            None if standings.contains(&Standing::Active) && self.each => "a rank has waited for long",
            None if standings.contains(&Standing::Active) => return None,
            None if unsure => {
                "the job seems to be stuck, unless a thread, the fabric or something outside of MPI goes on"
            }
            None => "the job is stuck: all ranks wait, and nothing moves",
        };
        Some((judgement, first))
    }
}

fn seconds(ms: u64) -> String {
    match ms {
        0..10_000 => format!("{}.{} s", ms / 1000, ms % 1000 / 100),
        _ => format!("{} s", ms / 1000),
    }
}

/// What the kernel says that a process does.
fn state_of(process: i32) -> &'static str {
    let text = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    // Behind the name, which stands in parentheses and may hold others.
    match text.rsplit_once(") ").and_then(|(_, rest)| rest.chars().next()) {
        Some('R') => "running",
        Some('S') => "asleep",
        Some('D') => "waiting for input or output",
        Some('T' | 't') => "stopped",
        Some('Z' | 'X') => "dead",
        _ => "in an unknown state",
    }
}

/// Whether a process has a handler of its own for a signal.
pub(crate) fn catches(process: i32, signal: i32) -> bool {
    let text = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let mask = text.lines().find_map(|line| line.strip_prefix("SigCgt:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0);
    mask >> (signal - 1) & 1 == 1
}

#[cfg(test)]
mod tests {
    use super::*;

    fn waits(form: Form, peer: u32) -> Standing {
        Standing::Waits(Wait { form, peers: vec![peer], since_ms: 5, ..Wait::default() })
    }

    #[test]
    fn a_job_stands_still_when_nobody_can_move() {
        let default = Watch::new(None);
        let judge = |watch: &Watch, standings: &[Standing]| watch.judge(standings).map(|(text, _)| text);
        assert_eq!(judge(&default, &[waits(Form::All, 1), waits(Form::All, 0)]), Some("the job is stuck"));
        let computing = [Standing::Active, waits(Form::All, 0)];
        assert_eq!(judge(&default, &computing), None);
        let asked = Watch::new(Some(Duration::from_secs(3)));
        assert_eq!(judge(&asked, &computing), Some("a rank has waited for long"));
        let threads = judge(&default, &[waits(Form::Unknown, 1), waits(Form::Unknown, 0)]);
        assert!(threads.is_some_and(|text| text.contains("seems")));
        assert_eq!(judge(&default, &[Standing::Active, Standing::Ended]), None);
        assert!(Watch::new(Some(Duration::ZERO)).due.is_none());
    }

    #[test]
    fn of_ranks_on_other_hosts_nothing_is_known() {
        let (board, _file) = Board::create(2).expect("a board");
        let own = std::process::id();
        board.claim(0, own).expect("it is free");
        board.note_wait(0, Some(&Wait { peers: vec![1], text: "MPI_Recv waits".to_owned(), ..Wait::default() }));
        let said = |here| Ranks { board: &board, here, processes: vec![Some(own.cast_signed()), None] }.describe();
        let all = said(0..2);
        assert!(all.contains("deadlock: rank 0 waits for a message from rank 1, which has"), "{all}");
        let some = said(0..1);
        assert!(!some.contains("deadlock") && some.contains("rank 1: on another host"), "{some}");
    }

    #[test]
    fn this_process_catches_what_it_catches() {
        let own = std::process::id().cast_signed();
        assert!(["running", "asleep"].contains(&state_of(own)));
        assert_eq!((state_of(-1), catches(-1, 10)), ("in an unknown state", false));
        // Rust's runtime has a handler for the overflow of stacks, and none for the user's signals.
        assert_eq!((catches(own, libc::SIGSEGV), catches(own, libc::SIGUSR1)), (true, false));
    }

    #[test]
    fn times_are_short() {
        assert_eq!((seconds(40), seconds(9_999), seconds(61_000)), ("0.0 s".into(), "9.9 s".into(), "61 s".into()));
    }
}
