//! How many frames may be under way on one path.
//!
//! On a fabric with back-pressure a full buffer stops the sender and drops nothing: a lost frame is a damaged frame, and
//! says nothing about load. So losses leave the window alone, and queueing delay governs it, as in Swift (Kumar et al.,
//! SIGCOMM 2020): additive increase while the round trip stays within a target, one multiplicative decrease a round trip
//! beyond it. Silence alone brings it down to its floor. A provider that drops frames when its buffers are full shows
//! delay before, and is governed by that.

use super::EndpointConfig;
use crate::time::Time;
use std::time::Duration;

/// Parts of a frame that the window is counted in.
const ONE: u64 = 1 << 16;
/// Two frames: with one, each would wait for a held-back acknowledgement.
const FLOOR: u64 = 2 * ONE;

/// The congestion window of one path.
#[derive(Clone, Copy, Debug)]
pub(super) struct Congestion {
    window: u64,
    largest: u64,
    target: Duration,
    slow_start: bool,
    last_cut: Time,
}

impl Congestion {
    pub(super) fn new(config: &EndpointConfig) -> Congestion {
        Congestion {
            window: (u64::from(config.initial_window) * ONE).max(FLOOR),
            largest: (u64::from(config.max_path_window) * ONE).max(FLOOR),
            target: config.queueing_target,
            slow_start: true,
            last_cut: Time::ZERO,
        }
    }

    /// True if one more frame may join `in_flight` others.
    pub(super) fn has_room(&self, in_flight: u32) -> bool {
        (u64::from(in_flight) + 1) * ONE <= self.window
    }

    /// A round trip was measured on a path whose smallest one is `smallest`, `acked` frames having arrived since the last
    /// time; `filled` says whether the window was full enough to have been the limit.
    pub(super) fn on_round_trip(&mut self, now: Time, rtt: Duration, smallest: Duration, acked: u32, filled: bool) {
        let target = smallest + self.target;
        if rtt > target {
            self.slow_start = false;
            if now - self.last_cut > rtt {
                self.last_cut = now;
                self.cut(rtt, target);
            }
        } else if filled {
            let acked = u64::from(acked) * ONE;
            let more = if self.slow_start { acked } else { acked * ONE / self.window };
            self.window = (self.window + more).min(self.largest);
        }
    }

    /// Shrinks by four fifths of the share that the round trip is too long, and at most by half.
    fn cut(&mut self, rtt: Duration, target: Duration) {
        let excess = (rtt - target).as_nanos() as u64;
        let less = (u128::from(self.window) * u128::from(excess) * 4 / (5 * rtt.as_nanos())) as u64;
        self.window = (self.window - less.min(self.window / 2)).max(FLOOR);
    }

    /// The path has been silent for long: start again from the floor.
    pub(super) fn on_silence(&mut self) {
        self.window = FLOOR;
        self.slow_start = true;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn us(n: u64) -> Duration {
        Duration::from_micros(n)
    }

    #[test]
    fn a_full_window_grows_until_queues_do() {
        let mut c = Congestion::new(&EndpointConfig::default());
        assert!(c.has_room(31) && !c.has_room(32));
        c.on_round_trip(Time::ZERO + us(100), us(50), us(40), 32, false);
        assert!(!c.has_room(32), "a window that is not the limit does not grow");
        c.on_round_trip(Time::ZERO + us(150), us(50), us(40), 32, true);
        assert!(c.has_room(63) && !c.has_room(64));
        c.on_round_trip(Time::ZERO + us(2000), us(680), us(40), 8, true);
        assert!(c.has_room(37) && !c.has_room(40), "cut by four fifths of a half: {c:?}");
        let before = c.window;
        c.on_round_trip(Time::ZERO + us(2100), us(680), us(40), 8, true);
        assert_eq!(c.window, before, "once a round trip");
        for i in 0..100 {
            c.on_round_trip(Time::ZERO + us(100_000 * (i + 1)), us(50_000), us(40), 1, true);
        }
        assert!(c.has_room(1) && !c.has_room(2), "never below two frames");
    }
}
