//! How long others may wait for a host whose queue is full.

use std::time::{Duration, Instant};

/// Frames for which a host has had room until others may wait for it for the whole patience again: about as many of the largest as the queue of
/// a host has room for.
const FRAMES: u32 = 128;

/// The time that others may still wait for a host. Waiting uses it up, for all together; each frame for which the host has room gives a
/// part of it back. So a host that has only not had its turn on the processor is waited for, and one that takes few frames is not.
#[derive(Debug)]
pub(super) struct Credit {
    most: Duration,
    left: Duration,
    /// Until when waiting was counted.
    counted: Option<Instant>,
}

impl Credit {
    /// All of this patience.
    pub(super) fn new(patience: Duration) -> Credit {
        Credit { most: patience, left: patience, counted: None }
    }

    /// The host had room for a frame.
    pub(super) fn earn(&mut self) {
        if self.left < self.most {
            self.left = (self.left + self.most / FRAMES).min(self.most);
        }
    }

    /// Somebody has waited since then. What several have waited at the same time counts once.
    pub(super) fn spend(&mut self, since: Instant, now: Instant) {
        let waited = now.saturating_duration_since(self.uncounted(since));
        self.left = self.left.saturating_sub(waited);
        self.counted = Some(now);
    }

    /// Nobody is to wait any more.
    pub(super) fn is_spent(&self) -> bool {
        self.left.is_zero()
    }

    /// When nothing will be left for one who waits since then.
    pub(super) fn end(&self, since: Instant) -> Instant {
        self.uncounted(since) + self.left
    }

    fn uncounted(&self, since: Instant) -> Instant {
        self.counted.map_or(since, |counted| counted.max(since))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATIENCE: Duration = Duration::from_micros(2560);
    const MOMENT: Duration = Duration::from_micros(20);

    #[expect(clippy::disallowed_methods, reason = "any instant will do")]
    fn start() -> Instant {
        Instant::now()
    }

    #[test]
    fn those_who_wait_together_use_the_time_up_once() {
        let (start, mut credit) = (start(), Credit::new(PATIENCE));
        assert_eq!(credit.end(start), start + PATIENCE);
        for tenth in 1..=9 {
            let now = start + PATIENCE * tenth / 10;
            (0..5).for_each(|_| credit.spend(start, now));
            assert!(!credit.is_spent());
            assert_eq!(credit.end(start), start + PATIENCE);
        }
        credit.spend(start + PATIENCE, start + PATIENCE);
        assert!(!credit.is_spent(), "between the last two nobody waited");
        credit.spend(start, start + PATIENCE + PATIENCE / 10);
        assert!(credit.is_spent());
    }

    #[test]
    fn a_queue_of_frames_earns_all_of_it_and_never_more() {
        let (start, mut credit) = (start(), Credit::new(PATIENCE));
        credit.spend(start, start + PATIENCE);
        assert!(credit.is_spent());
        credit.earn();
        assert_eq!(credit.end(start), start + PATIENCE + MOMENT);
        (0..10 * FRAMES).for_each(|_| credit.earn());
        assert_eq!(credit.end(start), start + PATIENCE * 2);
    }

    #[test]
    fn without_patience_nobody_waits() {
        let mut credit = Credit::new(Duration::ZERO);
        credit.earn();
        assert!(credit.is_spent());
    }
}
