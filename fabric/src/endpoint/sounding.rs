//! Whether a path carries frames longer than those that every way to the peer carries.
//!
//! It is asked by a frame of that length, and only its answer counts. Where the peer answers other frames and not this one, the path does not
//! carry it. A way that did carry long frames may change under a connection: when several are lost in a row it is asked again.

use super::config::EndpointConfig;
use crate::time::Time;
use std::time::Duration;

/// Times that a path is asked while other frames get through.
const TRIES: u32 = 4;
/// Long frames lost in a row, after which a path is asked again.
const LOST: u32 = 4;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Never asked on this connection.
    Unknown,
    /// Asked, and not answered yet.
    Asked,
    /// It carries them.
    Carries,
    /// It did, and has lost several since.
    Doubtful,
    /// It does not.
    Refuses,
}

/// What is known about long frames on a path.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sounding {
    state: State,
    tries: u32,
    asked_at: Time,
    due: bool,
    lost: u32,
}

/// What an unanswered sounding says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Nothing yet.
    Open,
    /// Long frames that are under way will never arrive.
    Stuck,
}

impl Sounding {
    pub(super) fn new() -> Sounding {
        Sounding { state: State::Unknown, tries: 0, asked_at: Time::ZERO, due: false, lost: 0 }
    }

    /// A new connection begins. What a path did not carry it is not asked again.
    pub(super) fn start(&mut self) {
        if self.state != State::Refuses {
            *self = Sounding::new();
        }
    }

    /// True if long frames may be sent.
    pub(super) fn carries(&self) -> bool {
        matches!(self.state, State::Carries | State::Doubtful)
    }

    /// True if the path should be asked now.
    pub(super) fn is_due(&self) -> bool {
        self.due || self.state == State::Unknown
    }

    /// The path is asked now.
    pub(super) fn asked(&mut self, now: Time) {
        (self.due, self.asked_at) = (false, now);
        self.tries += 1;
        if self.state == State::Unknown {
            self.state = State::Asked;
        }
    }

    /// A long frame has arrived for certain.
    pub(super) fn arrived(&mut self) {
        (self.state, self.tries, self.due, self.lost) = (State::Carries, 0, false, 0);
    }

    /// A long frame is lost.
    pub(super) fn lost(&mut self) {
        self.lost += 1;
        if self.state == State::Carries && self.lost >= LOST {
            (self.state, self.tries, self.due) = (State::Doubtful, 0, true);
        }
    }

    /// When a question has waited for long enough.
    pub(super) fn deadline(&self, config: &EndpointConfig) -> Option<Time> {
        let waits = !self.due && matches!(self.state, State::Asked | State::Doubtful);
        waits.then(|| self.asked_at + self.patience(config))
    }

    fn patience(&self, config: &EndpointConfig) -> Duration {
        config.initial_timeout * (1 << self.tries.min(TRIES))
    }

    /// It has waited for long enough: asks once more, or concludes. A peer that has said nothing since was perhaps busy.
    pub(super) fn on_timeout(&mut self, now: Time, last_heard: Time) -> Verdict {
        if last_heard <= self.asked_at {
            self.asked_at = now;
        } else if self.tries < TRIES {
            self.due = true;
        } else {
            let stuck = self.state == State::Doubtful;
            self.state = State::Refuses;
            return if stuck { Verdict::Stuck } else { Verdict::Open };
        }
        Verdict::Open
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    /// Asks until it is concluded; how often.
    fn ask(sounding: &mut Sounding, now: &mut Time, answers_others: bool) -> (u32, Verdict) {
        let config = EndpointConfig::default();
        let mut asked = 0;
        while *now < Time::ZERO + 1000 * MS {
            if sounding.is_due() {
                sounding.asked(*now);
                asked += 1;
            }
            let Some(at) = sounding.deadline(&config) else { break };
            *now = at;
            let heard = if answers_others { at } else { Time::ZERO };
            let verdict = sounding.on_timeout(*now, heard);
            if verdict == Verdict::Stuck {
                return (asked, verdict);
            }
        }
        (asked, Verdict::Open)
    }

    #[test]
    fn only_a_peer_that_answers_other_frames_shows_that_long_ones_are_lost() {
        let (mut sounding, mut now) = (Sounding::new(), Time::ZERO);
        assert_eq!(ask(&mut sounding, &mut now, false), (1, Verdict::Open));
        assert!(now >= Time::ZERO + 1000 * MS, "it still waits");
        now = Time::ZERO + MS;
        sounding = Sounding::new();
        assert_eq!(ask(&mut sounding, &mut now, true), (TRIES, Verdict::Open));
        assert!(!sounding.carries() && now < Time::ZERO + 100 * MS);
        sounding.start();
        assert!(!sounding.is_due(), "it is not asked again");
        sounding.arrived();
        assert!(sounding.carries(), "an answer that is late counts");
    }

    #[test]
    fn a_path_that_no_longer_carries_long_frames_is_found_out() {
        let (mut sounding, mut now) = (Sounding::new(), Time::ZERO + MS);
        sounding.asked(now);
        sounding.arrived();
        for _ in 0..LOST - 1 {
            sounding.lost();
        }
        assert!(!sounding.is_due());
        sounding.arrived();
        for _ in 0..LOST {
            assert!(!sounding.is_due(), "what arrives clears it");
            sounding.lost();
        }
        assert!(sounding.is_due() && sounding.carries());
        assert_eq!(ask(&mut sounding, &mut now, true), (TRIES, Verdict::Stuck));
        assert!(!sounding.carries());
    }
}
