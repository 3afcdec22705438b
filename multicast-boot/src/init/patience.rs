//! How often a node tries again.

use std::time::Duration;

/// The first pause, and the longest.
const FIRST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_secs(30);

/// What to do after a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// Try again after a pause.
    After(Duration),
    /// Start the machine anew: perhaps that helps.
    Restart,
}

/// An attempt that lasted longer had a link, and went on with it: finding that there is none takes up to 40 s.
const LONG_LIVED: Duration = Duration::from_secs(120);

/// Counts failures.
#[derive(Clone, Debug)]
pub struct Patience {
    restart_after: Option<Duration>,
    pause: Duration,
    /// How long it has failed without a break, since the first failure; `None` before that.
    failing: Option<Duration>,
}

impl Patience {
    /// For a machine that is restarted after failing for so long; `None` for never.
    pub fn new(restart_after: Option<Duration>) -> Patience {
        Patience { restart_after, pause: FIRST, failing: None }
    }

    /// An attempt has failed that lasted so long. One that lasted longer than the machine may fail, and than two minutes,
    /// went well before it failed: what was before it no longer counts.
    pub fn after_failure(&mut self, lasted: Duration) -> Next {
        if lasted > LONG_LIVED.max(self.restart_after.unwrap_or_default()) {
            (self.pause, self.failing) = (FIRST, None);
        }
        let failing = self.failing.map_or(Duration::ZERO, |failing| failing + lasted);
        if self.restart_after.is_some_and(|limit| failing >= limit) {
            return Next::Restart;
        }
        let pause = self.pause;
        self.pause = (2 * pause).min(LONGEST);
        self.failing = Some(failing + pause);
        Next::After(pause)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    #[test]
    fn pauses_grow_until_the_machine_is_restarted() {
        let mut patience = Patience::new(Some(10 * MINUTE));
        let mut pauses = Vec::new();
        while let Next::After(pause) = patience.after_failure(MINUTE) {
            pauses.push(pause.as_secs());
        }
        assert_eq!(pauses, [1, 2, 4, 8, 16, 30, 30, 30], "eight more minutes and these pauses are ten minutes");
    }

    #[test]
    fn an_attempt_that_lasted_long_is_no_failing_without_a_break() {
        let mut patience = Patience::new(Some(10 * MINUTE));
        assert_eq!(patience.after_failure(600 * MINUTE), Next::After(FIRST), "not at the first failure");
        assert_eq!(patience.after_failure(9 * MINUTE), Next::After(2 * FIRST));
        assert_eq!(patience.after_failure(600 * MINUTE), Next::After(FIRST), "and the pauses are short again");
        assert_eq!(patience.after_failure(10 * MINUTE), Next::Restart);
    }

    #[test]
    fn a_machine_that_may_fail_for_a_moment_only_is_restarted_for_all_that() {
        let mut patience = Patience::new(Some(Duration::from_secs(2)));
        assert_eq!(patience.after_failure(MINUTE), Next::After(FIRST));
        assert_eq!(patience.after_failure(MINUTE), Next::Restart);
    }

    #[test]
    fn some_machines_are_never_restarted() {
        let mut patience = Patience::new(None);
        assert_eq!(patience.after_failure(Duration::MAX), Next::After(FIRST));
        (0..9).for_each(|_| assert!(matches!(patience.after_failure(MINUTE), Next::After(_))));
    }
}
