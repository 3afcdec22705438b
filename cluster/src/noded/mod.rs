//! Starting the ranks of an MPI job on other hosts, over the fabric, without IP.
//!
//! On each host runs the *agent*, `noded serve` ([`agent`]). The *front end* ([`front`]), which `mpirun --hosts` becomes, asks the agents
//! for lanes on their devices, works out who sits where, and lets each of them start its *part* of the job ([`part`]): an
//! `mpirun` that starts and watches over the host's ranks as it does over those of a job of its own. What the parts say comes back, and
//! the first that fails ends the others. [`wire`] has the messages, [`channel`] how both sides know one another; both travel over the
//! reliable endpoint, which also says when the other side is gone.

pub mod agent;
pub mod channel;
pub mod cli;
pub mod front;
pub mod hosts;
mod link;
mod node;
pub mod part;
mod programs;
mod sessions;
pub mod site;
pub mod store;
pub mod wire;

use std::time::Duration;
use twowire_fabric::endpoint::EndpointConfig;
use twowire_fabric::id::UniqueId;

/// The lane of agents. Those of ranks are below, those of front ends above.
pub const AGENT_LANE: u16 = 0x7fff;
/// Bits of a unique id that are a card's address; the lane stands above.
const CARD_BITS: u32 = 48;

/// The unique id of a lane of a card.
fn lane_of(card: UniqueId, lane: u16) -> UniqueId {
    UniqueId((card.0 & ((1 << CARD_BITS) - 1)) | u64::from(lane) << CARD_BITS)
}

/// Connections that notice within seconds that the other side is gone, also when nothing is to be said.
fn config() -> EndpointConfig {
    EndpointConfig { keepalive: Some(Duration::from_millis(500)), ..EndpointConfig::default() }
}
