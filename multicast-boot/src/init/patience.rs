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

/// Counts failures.
#[derive(Clone, Debug)]
pub struct Patience {
    restart_after: Option<Duration>,
    pause: Duration,
}

impl Patience {
    /// For a machine that is restarted after failing for so long; `None` for never.
    pub fn new(restart_after: Option<Duration>) -> Patience {
        Patience { restart_after, pause: FIRST }
    }

    /// It has failed, so long after the start.
    pub fn after_failure(&mut self, elapsed: Duration) -> Next {
        if self.restart_after.is_some_and(|limit| elapsed >= limit) {
            return Next::Restart;
        }
        let pause = self.pause;
        self.pause = (2 * pause).min(LONGEST);
        Next::After(pause)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_until_the_machine_is_restarted() {
        let mut patience = Patience::new(Some(Duration::from_secs(600)));
        let pauses: Vec<Next> = (0..7).map(|i| patience.after_failure(Duration::from_secs(i))).collect();
        assert_eq!(pauses, [1, 2, 4, 8, 16, 30, 30].map(|s| Next::After(Duration::from_secs(s))));
        assert_eq!(patience.after_failure(Duration::from_secs(600)), Next::Restart);
    }

    #[test]
    fn some_machines_are_never_restarted() {
        let mut patience = Patience::new(None);
        assert_eq!(patience.after_failure(Duration::MAX), Next::After(FIRST));
    }
}
