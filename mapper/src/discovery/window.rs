//! The probes of a session: which are on their way, how long to wait for each, and what each one asked.

use std::collections::VecDeque;
use std::time::Duration;
use twowire_fabric::route::Route;
use twowire_fabric::time::Time;

/// How long to wait for an answer before the first one has come: as for the slowest medium.
const FIRST_TIMEOUT: Duration = Duration::from_millis(2);

/// How long to wait for an answer, from the round trips measured so far (RFC 6298's estimator).
#[derive(Clone, Debug)]
pub(crate) struct RoundTrips {
    floor: Duration,
    /// Smoothed round trip and its mean deviation, in nanoseconds; `None` before the first answer.
    estimate: Option<(f64, f64)>,
}

impl RoundTrips {
    pub(crate) fn new(floor: Duration) -> RoundTrips {
        RoundTrips { floor, estimate: None }
    }

    fn measured(&mut self, round_trip: Duration) {
        let sample = round_trip.as_nanos() as f64;
        self.estimate = Some(match self.estimate {
            None => (sample, sample / 2.0),
            Some((mean, deviation)) => {
                (mean + (sample - mean) / 8.0, deviation + ((sample - mean).abs() - deviation) / 4.0)
            }
        });
    }

    fn timeout(&self) -> Duration {
        match self.estimate {
            None => self.floor.max(FIRST_TIMEOUT),
            Some((mean, deviation)) => self.floor.max(Duration::from_nanos((2.0 * mean + 4.0 * deviation) as u64)),
        }
    }
}

#[derive(Clone, Debug)]
struct Outstanding<Q> {
    sent: Time,
    /// `None` once it is answered.
    question: Option<Q>,
}

/// Probes on their way, and the hops of all that were ever sent. `Q` is what a probe asks.
#[derive(Clone, Debug)]
pub(crate) struct Window<Q> {
    size: usize,
    round_trips: RoundTrips,
    /// The probes not yet given up, in the order of sending; the first one's nonce is `first`.
    waiting: VecDeque<Outstanding<Q>>,
    first: u32,
    unanswered: usize,
    /// Every probe's hops, end to end, and where each one's end.
    hops: Vec<u8>,
    ends: Vec<u32>,
    sent_at: Vec<Time>,
}

impl<Q> Window<Q> {
    pub(crate) fn new(size: usize, round_trips: RoundTrips) -> Window<Q> {
        Window {
            size: size.max(1),
            round_trips,
            waiting: VecDeque::new(),
            first: 0,
            unanswered: 0,
            hops: Vec::new(),
            ends: Vec::new(),
            sent_at: Vec::new(),
        }
    }

    /// What was measured, for the next probes.
    pub(crate) fn into_round_trips(self) -> RoundTrips {
        self.round_trips
    }

    pub(crate) fn has_room(&self) -> bool {
        self.unanswered < self.size
    }

    /// How many probes are neither answered nor given up.
    pub(crate) fn unanswered(&self) -> usize {
        self.unanswered
    }

    /// Notes a probe that is being sent, and gives its nonce.
    pub(crate) fn sent(&mut self, now: Time, route: &Route, question: Q) -> u32 {
        let nonce = self.ends.len() as u32;
        self.hops.extend_from_slice(route.as_bytes());
        self.ends.push(self.hops.len() as u32);
        self.sent_at.push(now);
        self.waiting.push_back(Outstanding { sent: now, question: Some(question) });
        self.unanswered += 1;
        nonce
    }

    /// The hops of a probe that was sent; `None` if there was no such probe.
    pub(crate) fn route(&self, nonce: u32) -> Option<Route> {
        let end = *self.ends.get(nonce as usize)? as usize;
        let start = (nonce as usize).checked_sub(1).map_or(0, |before| self.ends[before] as usize);
        Route::from_bytes(&self.hops[start..end]).ok()
    }

    /// Notes an answer; returns what was asked, unless it was answered or given up before.
    pub(crate) fn answered(&mut self, now: Time, nonce: u32) -> Option<Q> {
        let sent = *self.sent_at.get(nonce as usize)?;
        self.round_trips.measured(now - sent);
        let index = nonce.checked_sub(self.first)?;
        let question = self.waiting.get_mut(index as usize)?.question.take()?;
        self.unanswered -= 1;
        Some(question)
    }

    /// The next probe whose time is over, if there is one: it is given up.
    pub(crate) fn expired(&mut self, now: Time) -> Option<(u32, Q)> {
        loop {
            let oldest = self.waiting.front()?;
            if oldest.question.is_some() && oldest.sent + self.round_trips.timeout() > now {
                return None;
            }
            let nonce = self.first;
            let oldest = self.waiting.pop_front()?;
            self.first += 1;
            if let Some(question) = oldest.question {
                self.unanswered -= 1;
                return Some((nonce, question));
            }
        }
    }

    /// When the next unanswered probe's time is over.
    pub(crate) fn deadline(&self) -> Option<Time> {
        let oldest = self.waiting.iter().find(|probe| probe.question.is_some())?;
        Some(oldest.sent + self.round_trips.timeout())
    }
}
