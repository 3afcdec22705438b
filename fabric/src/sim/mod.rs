//! The simulator: a deterministic, event-driven model of a source-routed fabric, frame by frame.
//!
//! # The model
//!
//! - **Links** have a rate and a delay. A frame of `n` bytes (hops, header, payload, CRC-32) occupies one for `n` bytes' time.
//! - **Crossbars** cut through: a frame's head is ready to leave [`SimConfig::crossbar_delay`] after it came in, and
//!   leaves as soon as the output is free *and* the input buffer behind it has room for the whole frame. Each crossbar
//!   removes one hop byte. Outputs serve whoever came first.
//! - **Buffers** sit at every input, are first in, first out, and hold [`SimConfig::buffer_bytes`] in at most four frames. A sender
//!   learns of room a cable's flight later. Congestion never drops a frame: it stops the sender, and the sender's senders.
//!   A frame that cannot go on holds up those behind it, whatever their way; a cycle of full buffers stays so for ever.
//! - **Hosts** have a card that works on each frame for a fixed time, sending and receiving side by side, and keeps two
//!   frames to send; a state machine is asked for the next one when one of the two has left, so it decides late. A
//!   host of several ports is attached by its port 0; its others are as without a cable.
//! - **Frames** hold real bytes. Headers are encoded at the sender and parsed at the receiver. Payloads are shared.
//!
//! # The fault model
//!
//! | fault | what happens |
//! |---|---|
//! | cable cut | frames of which a byte is on it, or that have been given their turn on it, are lost; a frame that wants it is dropped at once (Myrinet drops it after a timeout) |
//! | crossbar dead | as if all its cables were cut; the frames in its buffers are lost |
//! | loss | drawn for each frame as it sets out, not for each cable: it vanishes on a random channel of its way |
//! | corruption | drawn likewise. Seven in eight are on a random channel: one or three bits anywhere in the frame are flipped, hops included (the CRC-32 does not cover those, so a frame may arrive whole at the wrong host). One in eight is in the receiver's memory: a bit of the payload is flipped *behind* the CRC check, and the frame is accepted |
//! | duplication | the receiving card hands the frame over again within 50 µs |
//! | reordering | the receiving card holds the frame up for up to 100 µs, while others pass |
//! | crash | the host falls silent at once: frames in its card, and the one that it is sending, are lost. What arrives is taken off the cable and dropped |
//! | restart | [`Host::power_on`] is called: volatile state is gone, what the implementor calls NVRAM stays |
//! | swap | a restart with another unique id, at the same place |
//!
//! No fault makes buffer space leak. All of it is a function of topology, configuration, faults, hosts and seed:
//! [`Sim::digest`] hashes every event, so two runs can be compared.

mod ahead;
mod channel;
mod config;
mod damage;
mod fault;
mod frames;
mod mishaps;
mod network;
mod nic;
mod port;
mod run;
mod stats;
#[cfg(test)]
pub(crate) mod tests;
mod wheel;
mod wiring;

pub use config::SimConfig;
pub use fault::{Fault, FaultError, FaultSpec};
pub use port::SimPort;
pub use run::{Host, Sim};
pub use stats::{ChannelLoad, DropCause, Stats};
