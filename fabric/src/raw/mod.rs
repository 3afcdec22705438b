//! Whole frames on an Ethernet device (`raw:DEVICE`, `wire:DEVICE`): packet(7) sockets, an ethertype of our own, no IP address.
//!
//! A card's unique id is its MAC address, a group is an Ethernet multicast address, and the network finds both by itself.
//! The bytes are in `docs/wire-format.md`. Several processes of a host may each have a port on a device, a *lane*: the kernel sorts the
//! frames by its number, and the lane's unique id has it above the card's address.
//!
//! Where the device's cable leads to crossbars (`wire:DEVICE`, [`RawOptions::addressing`]) the hops come before the header, and the
//! crossbars take them off: what comes in looks as on any Ethernet. There a lane's number stands behind the hops.
//!
//! What measured best for images, between namespaces on a bridge: frames leave in batches by `sendmmsg` and come in batches by
//! `recvmmsg`, into memory that the cache still holds. The kernel keeps a frame once for all receivers of one machine until
//! the last has taken it, where a ring of packet(7) needs a copy for each, in memory of which little is in the cache when
//! its turn comes: with 8 receivers at MTU 9000 a boot took 1.39 s by rings and 1.24 s without. A wake-up for each frame would cost
//! more than the frame, so while an image comes the port sleeps for up to a millisecond at a time and lets frames gather
//! (`rest`). A frame that comes alone wakes the program at once.
//!
//! A port for messages is another matter: there each frame is waited for, and short. It has a ring, which it looks into without asking the kernel; what is
//! longer than a slot waits in the socket, and the ring says so (`ring`). It also sends frames longer than the MTU, where they arrive (`long`).
//!
//! Without the capability `CAP_NET_ADMIN` the kernel keeps no more frames than `net.core.rmem_max` says, which is little: a
//! transfer then loses more, and has a smaller window.
//!
//! | what it cannot do | why |
//! |---|---|
//! | send along hops, as `raw:` | a switch of Ethernet reads addresses, not hops |
//! | send to a card or a group, as `wire:` | a crossbar reads hops, not addresses |
//! | keep frames in order or single | the network may double and reorder them, although a bridge does not |
//! | follow a change of MTU | frames are cut to the MTU that the device had when the port was opened |

mod error;
mod ethernet;
mod filter;
mod inbox;
mod inlet;
mod lane;
mod long;
mod long_way;
mod outbox;
mod port;
mod rest;
mod ring;
mod sys;

pub use error::{Device, RawError};
pub use ethernet::{
    BROADCAST, CROSSBARS, ENVELOPE, ETHERTYPE, LANES, MAX_ENVELOPE, Mac, contents, envelope_of_cable, ethertype,
    max_payload, mtu_of_cable, open, seal,
};
pub use lane::lane_is_free;
pub use port::{RawCounters, RawOptions, RawPort};
