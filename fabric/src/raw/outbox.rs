//! Packets that wait to be handed over together.

use super::ethernet::{self, Address, ENVELOPE, Mac};
use super::long;
use super::sys::{BATCH, Pieces, Socket};
use crate::route::MAX_HOPS;
use crate::wire::frame::LANE_LEN;
use crate::wire::{MAX_HEADER, Packet, frame};
use arrayvec::ArrayVec;
use bytes::Bytes;
use std::io::{self, IoSlice};

/// What may come before a header.
const LONGEST_PRELUDE: usize = {
    let of_cable = ENVELOPE + MAX_HOPS + LANE_LEN;
    if of_cable > long::PRELUDE { of_cable } else { long::PRELUDE }
};

/// Where a frame goes.
pub(super) struct Destination {
    /// Whose card.
    pub(super) address: Address,
    /// Through crossbars: the hops, and the lane behind them.
    pub(super) way: ArrayVec<u8, { MAX_HOPS + LANE_LEN }>,
}

/// A frame in pieces: what comes before the payload, the payload, which is not copied, and the CRC-32.
struct Outgoing {
    head: ArrayVec<u8, { LONGEST_PRELUDE + MAX_HEADER }>,
    payload: Bytes,
    crc: [u8; frame::CRC_LEN],
}

impl Outgoing {
    fn new(to: Destination, source: Mac, packet: Packet) -> Outgoing {
        let payload_len = u16::try_from(packet.payload.len()).expect("the port has looked at the payload's length");
        let header = packet.header.encode(payload_len);
        let crc = frame::crc(&header, &packet.payload).to_le_bytes();
        let length = to.way.len() + header.len() + packet.payload.len() + crc.len();
        let length = u16::try_from(length).expect("no MTU is larger");
        let mut head = ArrayVec::new();
        head.extend(ethernet::envelope(to.address, source, length));
        head.extend(to.way);
        head.extend(header);
        Outgoing { head, payload: packet.payload, crc }
    }

    /// A long frame, whose CRC-32 is that of the header: the kinds that travel in long frames have a check of their payload.
    fn long(destination: Address, source: Mac, mtu: usize, packet: Packet) -> Outgoing {
        let payload_len = u16::try_from(packet.payload.len()).expect("the port has looked at the payload's length");
        let header = packet.header.encode(payload_len);
        let crc = frame::crc(&header, &[]).to_le_bytes();
        let len =
            u16::try_from(header.len() + packet.payload.len() + crc.len()).expect("a long frame is not that long");
        let mut head = ArrayVec::new();
        head.extend(long::prelude(destination, source, mtu, len));
        head.extend(header);
        Outgoing { head, payload: packet.payload, crc }
    }

    fn pieces(&self) -> Pieces<'_> {
        [IoSlice::new(&self.head), IoSlice::new(&self.payload), IoSlice::new(&self.crc)]
    }
}

/// Packets that [`Outbox::flush`] hands over.
#[derive(Default)]
pub(super) struct Outbox {
    waiting: ArrayVec<Outgoing, BATCH>,
    /// The device took no more at the last attempt.
    refused: bool,
}

impl Outbox {
    /// True if not one more fits.
    pub(super) fn is_full(&self) -> bool {
        self.waiting.is_full()
    }

    /// True if nothing waits.
    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Adds a packet; a full outbox loses it.
    pub(super) fn push(&mut self, to: Destination, source: Mac, packet: Packet) {
        let _ = self.waiting.try_push(Outgoing::new(to, source, packet));
    }

    /// Adds a long one.
    pub(super) fn push_long(&mut self, destination: Address, source: Mac, mtu: usize, packet: Packet) {
        let _ = self.waiting.try_push(Outgoing::long(destination, source, mtu, packet));
    }

    /// Hands over what waits, and drops what the device does not take: it may not take long frames.
    pub(super) fn flush_or_drop(&mut self, socket: &Socket) -> io::Result<()> {
        loop {
            match self.flush(socket) {
                Ok(()) if self.refused => (self.refused, _) = (false, self.waiting.pop_at(0)),
                Err(error) if !is_gone(&error) => drop(self.waiting.pop_at(0)),
                result => return result,
            }
        }
    }

    /// Hands over what waits, as far as the device takes it. What it does not take keeps waiting.
    pub(super) fn flush(&mut self, socket: &Socket) -> io::Result<()> {
        self.refused = false;
        if self.waiting.is_empty() {
            return Ok(());
        }
        let pieces: ArrayVec<Pieces<'_>, BATCH> = self.waiting.iter().map(Outgoing::pieces).collect();
        let mut sent = 0;
        let result = loop {
            if sent == pieces.len() {
                break Ok(());
            }
            match socket.send(&pieces[sent..]) {
                Ok(count) => sent += count,
                Err(error) if is_full(&error) => {
                    self.refused = error.raw_os_error() == Some(libc::ENOBUFS);
                    break Ok(());
                }
                Err(error) => break Err(error),
            }
        };
        drop(pieces);
        self.waiting.drain(..sent);
        result
    }
}

/// The device's queue is full, or the socket's share of memory is used up: neither is an error.
fn is_full(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::WouldBlock || error.raw_os_error() == Some(libc::ENOBUFS)
}

/// The device is switched off, or no longer there.
fn is_gone(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::ENETDOWN | libc::ENXIO | libc::ENODEV))
}
