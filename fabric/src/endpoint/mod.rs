//! Messages between hosts: reliable, and in order for each peer.
//!
//! [`ReliableEndpoint`] does it over the single frames of any [`Port`](crate::protocol::Port); `docs/endpoint.md` says
//! how, from outside. Inside, from the bottom up:
//!
//! | module | what it is |
//! |---|---|
//! | `sender`, `receiver` | the two halves of a connection: messages into data frames and back, what has arrived |
//! | `outbound` | one path to a peer: loss, round trip (`rtt`), how much may be under way (`congestion`), up or down |
//! | `inbound` | the paths that the peer uses: what arrived on each, and the way back |
//! | `peer` | one peer: the handshake, the connection's frames in and out, its timers |
//! | `reliable` | all peers: fair turns, the timers, the API |
//!
//! [`Endpoint`] is the trait of everything that moves messages so, [`PortEndpoint`] a reliable endpoint with its port
//! behind it, and `conformance` (feature `conformance`) what every provider must pass.

mod address;
mod config;
#[cfg(any(test, feature = "conformance"))]
pub mod conformance;
mod congestion;
mod event;
mod inbound;
mod outbound;
mod peer;
mod port;
mod provider;
mod receiver;
mod reliable;
mod rtt;
mod sender;
mod sequence;
mod shared;
mod sounding;
mod timers;

pub use config::{EndpointConfig, MAX_WINDOW, MIN_PAYLOAD};
pub use event::{Event, MessageId, SendError, UnreachableReason, Violation};
pub use peer::PeerStats;
pub use port::PortEndpoint;
pub use provider::{Capabilities, Endpoint};
pub use reliable::ReliableEndpoint;

#[cfg(test)]
mod tests;
