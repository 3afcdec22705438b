//! Round trips of one path: RFC 6298's smoothing.
//!
//! Each transmission has its own number, and an echo names one: so a sample is never ambiguous, also after a
//! retransmission, and neither Karn's rule nor timestamps are needed. The time that the peer held the echo back is in
//! the echo and taken off.

use super::EndpointConfig;
use std::time::Duration;

/// The estimate.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct RoundTrip {
    smoothed: Option<Duration>,
    variation: Duration,
    latest: Duration,
    smallest: Duration,
}

impl RoundTrip {
    pub(super) fn sample(&mut self, rtt: Duration) {
        self.latest = rtt;
        match self.smoothed {
            None => {
                self.smoothed = Some(rtt);
                self.variation = rtt / 2;
                self.smallest = rtt;
            }
            Some(smoothed) => {
                self.variation = (self.variation * 3 + smoothed.abs_diff(rtt)) / 4;
                self.smoothed = Some((smoothed * 7 + rtt) / 8);
                self.smallest = self.smallest.min(rtt);
            }
        }
    }

    /// The smoothed round trip, if one was ever measured.
    pub(super) fn smoothed(&self) -> Option<Duration> {
        self.smoothed
    }

    /// The smallest one seen; zero if none was.
    pub(super) fn smallest(&self) -> Duration {
        self.smallest
    }

    /// What a round trip takes at most, unless frames are reordered: RFC 9002, 6.1.2.
    pub(super) fn upper(&self) -> Duration {
        self.latest.max(self.smoothed.unwrap_or_default())
    }

    /// How long to wait for an echo before a ping asks for one: RFC 9002's probe timeout.
    pub(super) fn ping_timeout(&self, config: &EndpointConfig) -> Duration {
        match self.smoothed {
            None => config.initial_timeout,
            Some(smoothed) => (smoothed + self.variation * 4 + config.max_ack_delay).max(config.min_ping_timeout),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_estimate_follows_rfc_6298() {
        let us = Duration::from_micros;
        let mut rtt = RoundTrip::default();
        rtt.sample(us(80));
        assert_eq!((rtt.smoothed, rtt.variation), (Some(us(80)), us(40)));
        rtt.sample(us(160));
        assert_eq!((rtt.smoothed, rtt.variation, rtt.smallest()), (Some(us(90)), us(50), us(80)));
        assert_eq!(rtt.upper(), us(160));
        let config = EndpointConfig::default();
        assert_eq!(rtt.ping_timeout(&config), us(90 + 4 * 50 + 50));
    }
}
