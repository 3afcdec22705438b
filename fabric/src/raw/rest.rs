//! How long a port lets frames gather before it looks for them again.
//!
//! The kernel wakes a program that waits for a socket once for each frame. While an image comes that costs more than to take
//! the frames in, so the port sleeps for about as long as a good number of them needs, and nobody is woken meanwhile.

use crate::time::Time;
use std::time::Duration;

/// Bytes that are let gather, about.
const GATHERED: usize = 128 << 10;

/// From so many bytes in the time of the longest rest on it pays to rest. Fewer are questions and answers, which nobody
/// lets wait, or so few frames that a wake-up for each does no harm.
const BULK: usize = 16 << 10;

/// The shortest and the longest rest.
const SHORTEST: Duration = Duration::from_micros(50);
const LONGEST: Duration = Duration::from_millis(1);

/// What has come of late.
#[derive(Debug, Default)]
pub(super) struct Rest {
    bytes: usize,
    since: Time,
}

impl Rest {
    /// So many bytes have been taken.
    pub(super) fn came(&mut self, bytes: usize) {
        self.bytes += bytes;
    }

    /// All that had come has been taken. Returns how long to rest; `None` if the next frame shall be waited for.
    pub(super) fn begin(&mut self, now: Time) -> Option<Duration> {
        let (bytes, took) = (self.bytes, now - self.since);
        if bytes >= BULK || took >= LONGEST {
            (self.bytes, self.since) = (0, now);
        }
        (bytes >= BULK).then(|| took.mul_f64(GATHERED as f64 / bytes as f64).clamp(SHORTEST, LONGEST))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    /// So many bytes come in this time.
    fn after(rest: &mut Rest, now: &mut Time, took: Duration, bytes: usize) -> Option<Duration> {
        *now += took;
        rest.came(bytes);
        rest.begin(*now)
    }

    #[test]
    fn a_rest_is_as_long_as_a_good_number_of_frames_takes() {
        let (mut rest, mut now) = (Rest::default(), Time::ZERO);
        for (took, bytes, expected) in [
            (10 * MS, GATHERED * 40, Some(MS / 4)),
            (MS, GATHERED * 2, Some(MS / 2)),
            (MS, GATHERED / 4, Some(LONGEST)),
            (MS, GATHERED * 1000, Some(SHORTEST)),
            (MS, 0, None),
            (MS, BULK - 1, None),
        ] {
            assert_eq!(after(&mut rest, &mut now, took, bytes), expected, "{bytes} bytes in {took:?}");
        }
    }

    /// One that is woken for each frame begins to rest all the same, if there are many.
    #[test]
    fn frames_that_come_one_by_one_are_counted_together() {
        let (mut rest, mut now) = (Rest::default(), Time::ZERO);
        let rests: Vec<bool> = (0..20).map(|_| after(&mut rest, &mut now, MS / 50, BULK / 10).is_some()).collect();
        assert_eq!(rests.iter().filter(|rests| **rests).count(), 1, "{rests:?}");
        rest = Rest::default();
        let slow = (0..20).any(|_| after(&mut rest, &mut now, MS / 5, BULK / 10).is_some());
        assert!(!slow, "a tenth of what is many");
    }
}
