//! How long things may take. The reasons are in `docs/boot-protocol.md`.

use std::time::Duration;

/// The protocol's timers. Those of root and nodes may differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timing {
    /// From the discovery of a loss until the parent is told: several losses are named in one receipt. A receipt that
    /// waits for its parent's link holds up what its sender forwards, so they are few while much is still to come.
    pub loss_delay: Duration,
    /// The same when little is missing, and how long a parent that has sent everything waits with its first pulse.
    pub loss_delay_at_end: Duration,
    /// The least time after which a receipt that was not echoed is repeated. Shorter than the fabric's queues, it
    /// multiplies the load just when the fabric is full.
    pub repeat_min: Duration,
    /// The first pulse of a parent that has nothing to send; later ones come at twice the interval.
    pub pulse_first: Duration,
    /// The longest interval between pulses.
    pub pulse_max: Duration,
    /// A parent of which nothing is heard for so long is tried along other routes.
    pub parent_silence: Duration,
    /// Between two attempts to attach.
    pub attach_retry: Duration,
    /// Attempts to attach without an answer before the root is told; they go on.
    pub attach_attempts: u32,
    /// A child to which a living parent has sent nothing for so long attaches again, and says anew what it has.
    pub starvation: Duration,
    /// A receipt is sent at least so often while something comes.
    pub receipt_interval: Duration,
    /// A child of which nothing is heard for so long is no longer fed.
    pub child_silence: Duration,
    /// How long a node that passes frames on collects answers before it sends them to the root.
    pub relay_delay: Duration,
    /// Between two rounds of offers or assignments to those that have not confirmed.
    pub offer_retry: Duration,
    /// How much more time the first round has for each node of a group whose frames one of them passes on.
    pub relay_spacing: Duration,
    /// Between two rounds of offers to those that are silent after the transfer has started.
    pub late_offer_retry: Duration,
    /// The transfer starts without those that have not joined for so long after the last one that has, and four times as long after the
    /// first one at most.
    pub join_timeout: Duration,
    /// How often a node that has routes asks for an offer: first, and at most.
    pub ask_first: Duration,
    /// See [`Timing::ask_first`].
    pub ask_max: Duration,
    /// How often a root calls where nodes are not known: first, and at most.
    pub call_first: Duration,
    /// See [`Timing::call_first`].
    pub call_max: Duration,
    /// Before an important report is repeated.
    pub report_retry: Duration,
    /// How often a node reports its progress, at least.
    pub report_interval: Duration,
    /// How much time the root has for each report: with many nodes they report less often.
    pub report_spacing: Duration,
    /// Refusals after which a node is believed: one may be the work of a damaged frame.
    pub refusals: u32,
    /// Between two questions to a node that is suspected to be dead.
    pub query_interval: Duration,
    /// Questions without an answer after which a node has failed.
    pub queries: u32,
    /// A node that has made no progress for so long has failed.
    pub no_progress: Duration,
    /// A node that hands over may take so long.
    pub hand_over_timeout: Duration,
    /// How long a failed node is waited for before the transfer is over.
    pub rejoin_wait: Duration,
    /// A verified node hands over by itself when the root has been silent for so long.
    pub root_silence: Duration,
    /// While another root offers an image, one that has not answered for so long is taken for dead.
    pub contested: Duration,
}

impl Default for Timing {
    fn default() -> Timing {
        Timing {
            loss_delay: Duration::from_micros(1000),
            loss_delay_at_end: Duration::from_micros(100),
            repeat_min: Duration::from_millis(1),
            pulse_first: Duration::from_micros(300),
            pulse_max: Duration::from_micros(600),
            parent_silence: Duration::from_millis(4),
            attach_retry: Duration::from_micros(300),
            attach_attempts: 6,
            starvation: Duration::from_millis(25),
            receipt_interval: Duration::from_millis(15),
            child_silence: Duration::from_millis(50),
            relay_delay: Duration::from_micros(100),
            offer_retry: Duration::from_micros(200),
            relay_spacing: Duration::from_micros(6),
            late_offer_retry: Duration::from_millis(10),
            join_timeout: Duration::from_millis(20),
            ask_first: Duration::from_millis(2),
            ask_max: Duration::from_millis(50),
            call_first: Duration::from_millis(1),
            call_max: Duration::from_millis(20),
            report_retry: Duration::from_millis(3),
            report_interval: Duration::from_millis(20),
            report_spacing: Duration::from_micros(20),
            refusals: 3,
            query_interval: Duration::from_micros(750),
            queries: 8,
            no_progress: Duration::from_secs(2),
            hand_over_timeout: Duration::from_secs(5),
            rejoin_wait: Duration::from_millis(100),
            root_silence: Duration::from_millis(500),
            contested: Duration::from_millis(40),
        }
    }
}

impl Timing {
    /// How long to wait for the answer to a frame that has been tried so often, where so many nodes take part. The first
    /// one and its answer may be passed on by another node, together with those of about the root of all nodes.
    pub fn retry_after(&self, tries: usize, nodes: usize) -> Duration {
        let group = u32::try_from(nodes.isqrt()).unwrap_or(u32::MAX);
        self.offer_retry + if tries == 0 { self.relay_spacing * group } else { Duration::ZERO }
    }

    /// For processes on real machines, where a node may not get the processor for some tens of milliseconds; an emulated one among others now
    /// and then for a second or two.
    pub fn real() -> Timing {
        Timing {
            loss_delay: Duration::from_millis(5),
            loss_delay_at_end: Duration::from_millis(2),
            repeat_min: Duration::from_millis(20),
            pulse_first: Duration::from_millis(5),
            pulse_max: Duration::from_millis(30),
            parent_silence: Duration::from_millis(1500),
            attach_retry: Duration::from_millis(300),
            attach_attempts: 6,
            starvation: Duration::from_secs(3),
            receipt_interval: Duration::from_millis(100),
            child_silence: Duration::from_secs(5),
            relay_delay: Duration::from_millis(2),
            offer_retry: Duration::from_millis(20),
            relay_spacing: Duration::from_millis(5),
            late_offer_retry: Duration::from_millis(500),
            join_timeout: Duration::from_secs(3),
            ask_first: Duration::from_millis(20),
            ask_max: Duration::from_secs(1),
            call_first: Duration::from_millis(20),
            call_max: Duration::from_secs(1),
            report_retry: Duration::from_millis(20),
            report_interval: Duration::from_millis(250),
            query_interval: Duration::from_millis(100),
            queries: 40,
            no_progress: Duration::from_secs(20),
            hand_over_timeout: Duration::from_secs(60),
            rejoin_wait: Duration::from_secs(2),
            root_silence: Duration::from_secs(2),
            contested: Duration::from_millis(300),
            ..Timing::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Where one frame of ten is lost, five in a row are lost once in a hundred thousand times.
    #[test]
    fn a_living_parent_is_not_silent_because_some_pulses_are_lost() {
        for timing in [Timing::default(), Timing::real()] {
            let (mut at, mut interval, mut pulses) = (timing.pulse_first, timing.pulse_first, 0);
            while at < timing.parent_silence {
                pulses += 1;
                interval = (2 * interval).min(timing.pulse_max);
                at += interval;
            }
            assert!(pulses > 5, "{pulses} pulses in {:?}", timing.parent_silence);
        }
    }
}
