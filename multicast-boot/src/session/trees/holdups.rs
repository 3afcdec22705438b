//! Whether the frames of a sender queue in the fabric, where they hold one another up.

use std::time::Duration;
use twowire_fabric::time::Time;

/// A sender that is held up for more than one part in so many of its time pauses.
const TOLERATED: u32 = 8;

/// How much more than that it is held up before it does, in turns.
const TURNS: u32 = 2;

/// How much a sender was held up lately: how much later than they were due its frames could be sent.
///
/// Two senders with two receivers in common take turns at both. Once so many frames of one of them wait for one receiver
/// that they fill all buffers on the way, the next frame to the other receiver waits behind them, and misses its turn there.
/// As the other sender takes half of either link, such a queue never gets shorter, and the sender goes on at two thirds of
/// its rate. A short pause empties the queue.
pub(super) struct Holdups {
    level: Duration,
    noted: Time,
    rng: fastrand::Rng,
}

impl Holdups {
    pub(super) fn new(seed: u64) -> Holdups {
        Holdups { level: Duration::ZERO, noted: Time::ZERO, rng: fastrand::Rng::with_seed(seed) }
    }

    /// A frame is sent so much later than it was due; `turn` is the time from one frame to a child to the next. Says how
    /// long the sender is to pause, if it is.
    pub(super) fn note(&mut self, now: Time, held_up: Duration, turn: Duration) -> Option<Duration> {
        let forgotten = now.saturating_since(self.noted) / TOLERATED;
        (self.level, self.noted) = (self.level.saturating_sub(forgotten) + held_up, now);
        if turn.is_zero() || self.level <= turn * TURNS {
            return None;
        }
        self.level = Duration::ZERO;
        // Not always the same: the queue's length is not known, nor whether the other sender pauses as well.
        Some(turn * self.rng.u32(1..=3))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TURN: Duration = Duration::from_micros(33);

    /// How often a sender pauses in a thousand turns when it is held up for so long in each.
    fn pauses(held_up: Duration) -> usize {
        let (mut holdups, mut now) = (Holdups::new(1), Time::ZERO);
        let mut turn = || {
            now += TURN;
            holdups.note(now, held_up, TURN)
        };
        (0..1000).filter(|_| turn().is_some()).count()
    }

    #[test]
    fn a_sender_that_is_held_up_again_and_again_pauses() {
        assert_eq!(pauses(Duration::ZERO), 0);
        assert_eq!(pauses(TURN / 10), 0, "now and then is nothing to mend");
        assert!((100..300).contains(&pauses(TURN / 2)), "{}", pauses(TURN / 2));
    }

    #[test]
    fn one_that_sends_as_fast_as_it_can_never_pauses() {
        let mut holdups = Holdups::new(1);
        assert!((1..1000).all(|us| holdups.note(Time::from_nanos(us * 1000), TURN, Duration::ZERO).is_none()));
    }
}
