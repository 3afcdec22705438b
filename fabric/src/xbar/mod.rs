//! The provider `xbar`: crossbars in real time, in a process of their own. Hosts attach to it from other processes.
//!
//! The protocol between the processes is in `docs/xbar.md`. Inside, from the bottom up:
//!
//! | module | what it is |
//! |---|---|
//! | `sys`, `ring` | memory that two processes share, and a ring of frames in it |
//! | `message`, `socket` | the control socket: messages, and file descriptors with them |
//! | `framing` | how a frame stands in a datagram: alone, or as a network card sends it |
//! | `switches` | the crossbars: where a frame goes, and what each port has carried |
//! | `server` | the process that owns the crossbars: [`Server`] |
//! | `handshake`, `port` | a host's side: [`XbarPort`] |
//! | `plug` | the plug of a card that another process emulates: [`Plug`] |
//! | `crowd` | many hosts in one process: [`Crowd`] |
//! | `control` | a client that cuts cables and reads counters: [`Control`] |
//!
//! A frame is copied twice on its way, out of the sender's ring and into the receiver's, however many crossbars are between.
//! Its CRC-32 goes with it: the crossbars never read more of a frame than its hops.

mod control;
mod crowd;
mod framing;
mod handshake;
mod message;
mod plug;
mod port;
mod ring;
mod server;
mod socket;
mod switches;
#[allow(unsafe_code)]
mod sys;

pub use control::{Control, ControlError, HostState, PortLine};
pub use crowd::Crowd;
pub use message::{Message, MessageError};
pub use plug::Plug;
pub use port::{AttachError, AttachOptions, XbarPort};
pub use ring::RingError;
pub use server::{ServeError, Server, ServerConfig};
pub use switches::{DropCause, PortCounters};

use std::fmt;
use std::str::FromStr;

/// How a host's frames come to the server, and back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(u8)]
pub enum Attachment {
    /// By two rings in shared memory.
    #[default]
    Rings = 1,
    /// By a Unix datagram socket, one frame in a datagram.
    Datagrams = 2,
    /// By a Unix datagram socket, one frame of Ethernet in a datagram: the card of a virtual machine.
    Card = 3,
}

impl Attachment {
    const ALL: [Attachment; 3] = [Attachment::Rings, Attachment::Datagrams, Attachment::Card];

    fn from_byte(byte: u8) -> Option<Attachment> {
        Attachment::ALL.into_iter().find(|&a| a as u8 == byte)
    }
}

impl fmt::Display for Attachment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Attachment::Rings => "rings",
            Attachment::Datagrams => "datagrams",
            Attachment::Card => "card",
        })
    }
}

/// Text that names no attachment.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no attachment: expected `rings`, `datagrams` or `card`")]
pub struct NotAnAttachment(String);

impl FromStr for Attachment {
    type Err = NotAnAttachment;

    fn from_str(text: &str) -> Result<Attachment, NotAnAttachment> {
        let found = Attachment::ALL.into_iter().find(|a| a.to_string() == text);
        found.ok_or_else(|| NotAnAttachment(text.to_owned()))
    }
}

/// The largest frame that a host hands in, for payloads of up to `max_payload` bytes.
const fn max_frame(max_payload: usize) -> usize {
    use crate::wire::frame::{CRC_LEN, LANE_LEN};
    crate::route::MAX_HOPS + LANE_LEN + crate::wire::MAX_HEADER + max_payload + CRC_LEN
}

/// Lets this process open as many files as the system allows: each host that it serves, or is, takes one.
pub fn raise_file_limit() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    // If it cannot be raised, the files that are there may be enough.
    let _ = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit });
}

#[cfg(test)]
mod tests;
