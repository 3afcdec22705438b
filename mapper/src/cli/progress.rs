//! What people see while they wait.

use indicatif::{ProgressBar, ProgressStyle};
use std::time::Duration;

/// A line on standard error that says what is being done. It is drawn on a terminal only, and wiped in the end.
pub(super) struct Progress(ProgressBar);

impl Progress {
    /// Says what is being done.
    pub(super) fn start(what: &'static str) -> Progress {
        let style = ProgressStyle::with_template("{spinner} {elapsed:>4} {prefix} {msg}").expect("a valid template");
        let bar = ProgressBar::new_spinner().with_style(style).with_prefix(what);
        bar.enable_steady_tick(Duration::from_millis(100));
        Progress(bar)
    }

    /// Says how far it has come.
    pub(super) fn advance(&self, so_far: impl FnOnce() -> String) {
        if !self.0.is_hidden() {
            self.0.set_message(so_far());
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}
