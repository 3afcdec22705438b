//! How patient a bring-up is: a simulated fabric answers at once, one in real time when it is its turn on a processor.

use std::time::Duration;
use twowire_fabric::map::distribute::DistributorConfig;
use twowire_mapper::discovery::DiscoveryConfig;
use twowire_multicast_boot::session::Timing;

/// How long to wait for an answer to a probe at least, in real time. The round trips that are measured may make it longer.
const PROBE: Duration = Duration::from_millis(2);

/// How long a kernel may take from the hand-over until it reports that it is ready: an emulated one starts slowly.
const KERNEL: Duration = Duration::from_secs(180);

/// The times of a bring-up.
#[derive(Clone, Debug)]
pub struct Pace {
    /// How the fabric is mapped.
    pub discovery: DiscoveryConfig,
    /// How routes are loaded; a node that is silent for longer is found again later.
    pub loading: DistributorConfig,
    /// How the image is sent.
    pub timing: Timing,
    /// Nodes in phase 2 answer a roll call. A kernel that has just been started does not: it has said that it is ready.
    pub roll_call: bool,
}

impl Pace {
    /// For nodes that are simulated, hand over at once and go on answering.
    pub fn simulated(node_timeout: Duration) -> Pace {
        let join_timeout = Duration::from_millis(5);
        Pace {
            discovery: DiscoveryConfig::default(),
            loading: DistributorConfig { patience: Duration::from_millis(25), ..DistributorConfig::default() },
            timing: Timing { join_timeout, rejoin_wait: node_timeout, ..Timing::default() },
            roll_call: true,
        }
    }

    /// For machines; the largest crossbar has so many ports, if that is known.
    pub fn real(node_timeout: Duration, radix: Option<u8>) -> Pace {
        Pace {
            discovery: DiscoveryConfig { timeout_floor: PROBE, radix, ..DiscoveryConfig::default() },
            loading: DistributorConfig { patience: Duration::from_secs(3), ..DistributorConfig::default() },
            timing: Timing { rejoin_wait: node_timeout, hand_over_timeout: KERNEL, ..Timing::real() },
            roll_call: false,
        }
    }
}
