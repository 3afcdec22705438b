//! Which way of writing long messages into a ring is cheaper: through the caches, or past them.
//!
//! That depends on how far the other core is, which nobody says and which may change: between cores that share a cache a line comes over in some
//! twenty nanoseconds, and writing past the caches only costs; from farther away it takes ten times as long, and it is cheaper not to
//! fetch the line at all. So both are timed now and then, and the one that took less for each byte is taken.

use std::sync::atomic::{Ordering, fence};
use std::time::{Duration, Instant};

/// One message of so many is timed.
const TIMED: u32 = 32;
/// One of so many is written the other way, and timed: a multiple of `TIMED`.
const TRIED: u32 = 128;
/// A measurement counts as so many times the last figure at most: who measures may lose its core.
const OUTLIER: u32 = 2;

/// What was measured, for one receiver.
#[derive(Clone, Copy, Debug, Default)]
pub struct Pace {
    /// Messages so far.
    count: u32,
    /// Picoseconds for a byte, through the caches and past them; 0 before the first measurement.
    costs: [u32; 2],
}

impl Pace {
    /// Runs `write`, which is told whether to write past the caches, for so many bytes.
    #[inline]
    #[allow(clippy::disallowed_methods)] // How long it takes is what is asked.
    pub fn write(&mut self, bytes: usize, write: impl FnOnce(bool)) {
        let past = self.past_caches();
        if self.count.is_multiple_of(TIMED) {
            let begin = Instant::now();
            write(past);
            // Until the other core has let go of all the lines: else the messages behind this one would wait for them.
            fence(Ordering::SeqCst);
            self.note(past, bytes, begin.elapsed());
        } else {
            write(past);
        }
        self.count = self.count.wrapping_add(1);
    }

    /// Whether the next message is written past the caches.
    #[inline]
    fn past_caches(&self) -> bool {
        let [through, past] = self.costs;
        // The way that was not tried yet costs nothing.
        (past < through) != self.count.is_multiple_of(TRIED)
    }

    /// Counts half, like all that was measured before together.
    fn note(&mut self, past: bool, bytes: usize, took: Duration) {
        let cost = (took.as_nanos() as u64 * 1000 / bytes.max(1) as u64).clamp(1, u32::MAX.into()) as u32;
        let last = &mut self.costs[usize::from(past)];
        *last = match *last {
            0 => cost,
            last => last / 2 + cost.min(last.saturating_mul(OUTLIER)) / 2,
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Writes messages of 4 KiB where a byte costs so many picoseconds each way; how many of them went past the caches.
    fn past(pace: &mut Pace, messages: u32, costs: [u64; 2]) -> u32 {
        let one = |pace: &mut Pace| {
            let past = pace.past_caches();
            if pace.count.is_multiple_of(TIMED) {
                pace.note(past, 4096, Duration::from_nanos(costs[usize::from(past)] * 4096 / 1000));
            }
            pace.count += 1;
            u32::from(past)
        };
        (0..messages).map(|_| one(pace)).sum()
    }

    #[test]
    fn the_cheaper_way_is_found_and_found_again() {
        let mut pace = Pace::default();
        past(&mut pace, TRIED, [50, 100]);
        assert!(past(&mut pace, 64 * TRIED, [50, 100]) <= 64, "near: past the caches only to try it");
        past(&mut pace, 8 * TRIED, [300, 100]);
        assert!(past(&mut pace, 64 * TRIED, [300, 100]) >= 64 * (TRIED - 1), "far: through them only to try it");
        past(&mut pace, 8 * TRIED, [50, 100]);
        assert!(past(&mut pace, 64 * TRIED, [50, 100]) <= 64, "near again");
    }

    #[test]
    fn a_lost_core_is_soon_forgotten() {
        let mut pace = Pace::default();
        past(&mut pace, 4 * TRIED, [50, 100]);
        pace.note(false, 4096, Duration::from_millis(10));
        assert!(past(&mut pace, 64 * TRIED, [50, 100]) <= 64 + 2 * TIMED);
    }

    #[test]
    fn what_is_written_is_timed_without_being_written_twice() {
        let (mut pace, mut written) = (Pace::default(), 0);
        (0..3 * TRIED).for_each(|_| pace.write(1, |_| written += 1));
        assert_eq!((written, pace.count), (3 * TRIED, 3 * TRIED));
        assert!(pace.costs.iter().all(|&cost| cost > 0));
    }
}
