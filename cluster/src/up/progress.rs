//! Shows the phases of a bring-up as they run: bars on a terminal, plain lines in a pipe, nothing for `--json`.

use super::report::{PhaseReport, milliseconds};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::cell::Cell;
use std::io::{IsTerminal, stdout};

/// A bar is moved each time that it has been polled so often: polling is done for every packet.
const POLLS_PER_UPDATE: u32 = 64;

/// Where the phases are shown.
pub struct Progress {
    lines: bool,
    bar: ProgressBar,
    polls: Cell<u32>,
}

impl Progress {
    /// Lines on standard output, and bars on standard error where that is a terminal; nothing at all if `quiet`.
    pub fn new(quiet: bool) -> Progress {
        let bar = if quiet {
            ProgressBar::hidden()
        } else {
            ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr())
        };
        Progress { lines: !quiet, bar, polls: Cell::new(0) }
    }

    /// A phase begins; `total` is what [`Progress::poll`] counts to, if that is known.
    pub fn start(&self, name: &'static str, total: Option<u64>) {
        self.bar.reset();
        let template =
            if total.is_some() { "{prefix:>9} {wide_bar} {percent:>3} % {msg}" } else { "{prefix:>9} {spinner} {msg}" };
        self.bar.set_style(ProgressStyle::with_template(template).expect("a valid template"));
        self.bar.set_length(total.unwrap_or(0));
        self.bar.set_prefix(name);
        self.bar.set_message("");
    }

    /// Shows how far the phase is, as `so_far` says; it is asked only where somebody looks, and now and then.
    pub fn poll(&self, so_far: impl FnOnce() -> (u64, String)) {
        let calls = self.polls.get().wrapping_add(1);
        self.polls.set(calls);
        if !self.bar.is_hidden() && calls.is_multiple_of(POLLS_PER_UPDATE) {
            let (done, message) = so_far();
            self.bar.set_position(done);
            self.bar.set_message(message);
        }
    }

    /// The phase is over.
    pub fn finish(&self, phase: &PhaseReport, what: &str) {
        self.bar.finish_and_clear();
        if self.lines {
            let (fabric, wall) = (milliseconds(phase.fabric_ms), milliseconds(phase.wall_ms));
            let line = format!("{:>9}  {what}  [fabric {fabric}, wall {wall}]", phase.name);
            if stdout().is_terminal() { self.bar.suspend(|| println!("{line}")) } else { println!("{line}") }
        }
    }
}
