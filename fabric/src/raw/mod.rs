//! Whole frames on an Ethernet device (`raw:DEVICE`): packet(7) sockets, an ethertype of our own, no IP address.
//!
//! A card's unique id is its MAC address, a group is an Ethernet multicast address, and the network finds both by itself.
//! The bytes are in `docs/wire-format.md`.
//!
//! What measured best, between namespaces on a bridge: frames come in by a ring of TPACKET_V3 blocks, which wakes the
//! program once for many frames (one wake-up a frame, as with TPACKET_V2 or `recvmmsg`, costs half of the throughput
//! and more); they leave in batches by `sendmmsg`, as fast as by a ring for sending, and without a copy of ours. The price
//! of blocks is that a frame which comes alone is handed over after a millisecond.
//!
//! | what it cannot do | why |
//! |---|---|
//! | send along hops | a switch of Ethernet reads addresses, not hops |
//! | keep frames in order or single | the network may double and reorder them, although a bridge does not |
//! | follow a change of MTU | frames are cut to the MTU that the device had when the port was opened |

mod error;
mod ethernet;
mod filter;
mod inbox;
mod outbox;
mod port;
mod sys;

pub use error::RawError;
pub use ethernet::{ENVELOPE, ETHERTYPE, Mac, max_payload, open, seal};
pub use port::{BLOCK_BYTES, RawCounters, RawOptions, RawPort};
