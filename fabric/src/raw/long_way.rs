//! The socket of long frames.

use super::ethernet::{Address, Mac};
use super::filter;
use super::inlet::Inlet;
use super::long;
use super::outbox::Outbox;
use super::ring::{Layout, Ring};
use super::sys::Socket;
use crate::wire::Packet;
use std::io;

/// Slots of the ring.
const SLOTS: usize = 512;
/// The longest frame that lies in a slot: 8 KiB of data, and what programs put before them. Of a longer one the kernel copies so much in vain.
const SLOT_BYTES: usize = 9 << 10;

/// Where long frames come in and go out.
pub(super) struct LongWay {
    inlet: Inlet,
    outbox: Outbox,
}

impl LongWay {
    /// Opens the way of long frames to a lane by the device of this index. What leaves takes up to `send_bytes`; `receive_bytes` may wait here.
    pub(super) fn open(index: i32, lane: u16, send_bytes: i32, receive_bytes: i32) -> io::Result<LongWay> {
        let socket = Socket::new()?;
        socket.prepare(send_bytes, receive_bytes)?;
        socket.describe_offload()?;
        let ring = Ring::new(&socket, Layout::new(SLOTS, SLOT_BYTES, long::OFFLOAD))?;
        socket.filter(&filter::long(lane))?;
        socket.bind(index, long::CLOTHES)?;
        Ok(LongWay { inlet: Inlet::new(socket, Some(ring), long::LONGEST), outbox: Outbox::default() })
    }

    /// Where frames come in.
    pub(super) fn inlet(&mut self) -> &mut Inlet {
        &mut self.inlet
    }

    pub(super) fn socket(&self) -> &Socket {
        self.inlet.socket()
    }

    /// True if nothing waits to leave.
    pub(super) fn can_send(&self) -> bool {
        self.outbox.is_empty()
    }

    /// Sends a packet, on a device of this MTU.
    pub(super) fn send(&mut self, to: Address, source: Mac, mtu: usize, packet: Packet) -> io::Result<()> {
        self.outbox.push_long(to, source, mtu, packet);
        self.flush()
    }

    /// Hands over what waits, and drops what the device does not take: it may not take long frames.
    pub(super) fn flush(&mut self) -> io::Result<()> {
        self.outbox.flush_or_drop(self.inlet.socket())
    }
}
