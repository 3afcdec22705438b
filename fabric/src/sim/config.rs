//! The parameters of the model.

use std::time::Duration;

/// The parameters of the model; the default is Myrinet-2000. A cable's own rate and length take precedence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SimConfig {
    /// Rate of a link, in bits a second.
    pub rate_bits_per_s: u64,
    /// Time that a bit takes along a cable whose length is not given.
    pub cable_delay: Duration,
    /// Time from the head of a frame reaching a crossbar until it is ready to leave.
    pub crossbar_delay: Duration,
    /// Bytes of the input buffer at each end of a cable. One that could not hold the largest frame is made to.
    pub buffer_bytes: u32,
    /// Time that a host's card works on each frame that it sends; sending and receiving go on side by side.
    pub send_cost: Duration,
    /// Time that a host's card works on each frame that it receives.
    pub receive_cost: Duration,
    /// The largest payload, in bytes.
    pub max_payload: usize,
    /// Count frames and bytes for each channel ([`super::Sim::channel_load`]).
    pub count_channels: bool,
}

impl Default for SimConfig {
    fn default() -> SimConfig {
        SimConfig {
            rate_bits_per_s: 2_000_000_000,
            cable_delay: Duration::from_nanos(25),
            crossbar_delay: Duration::from_nanos(300),
            buffer_bytes: 8_704,
            send_cost: Duration::from_micros(1),
            receive_cost: Duration::from_micros(1),
            max_payload: crate::wire::DEFAULT_MAX_PAYLOAD,
            count_channels: false,
        }
    }
}

/// How fast light is in glass, and a signal in copper.
pub(super) const NS_PER_METRE: f64 = 5.0;
