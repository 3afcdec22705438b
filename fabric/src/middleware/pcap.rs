//! Captures frames in a pcapng file, for tcpdump and Wireshark.
//!
//! The link type is `LINKTYPE_USER0` (147). A captured frame is complete: hops, header, payload and CRC-32, as `docs/wire-format.md`
//! has them. One that is sent shows all its hops, one that is received has none left, and the direction is in the packet's
//! flags. A frame that the port rejected is not there: its bytes do not come this far.
//!
//! The format is the IETF draft "PCAP Now Generic"; blocks and options are padded to four bytes, and numbers are little-endian.

use crate::id::UniqueId;
use crate::protocol::{Group, Port, PortError, PortLimits, Received, Transmit};
use crate::route::Route;
use crate::time::Time;
use crate::wire::frame;
use std::io::{self, Write};

/// The number for a link type of one's own.
pub const LINKTYPE_USER0: u16 = 147;

const SECTION_HEADER: u32 = 0x0a0d_0d0a;
const BYTE_ORDER_MAGIC: u32 = 0x1a2b_3c4d;
const INTERFACE_DESCRIPTION: u32 = 1;
const ENHANCED_PACKET: u32 = 6;
const OPTION_COMMENT: u16 = 1;
const OPTION_INTERFACE_NAME: u16 = 2;
const OPTION_PACKET_FLAGS: u16 = 2;
const OPTION_TIME_RESOLUTION: u16 = 9;

/// Which way a captured frame went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// Received by the host.
    In = 1,
    /// Sent by the host.
    Out = 2,
}

/// Writes a capture of one or several hosts.
pub struct PcapWriter<W> {
    out: W,
    interfaces: u32,
}

impl<W: Write> PcapWriter<W> {
    /// Begins a capture.
    pub fn new(mut out: W) -> io::Result<PcapWriter<W>> {
        let mut body = Vec::new();
        body.extend(BYTE_ORDER_MAGIC.to_le_bytes());
        body.extend([1, 0, 0, 0]);
        body.extend(u64::MAX.to_le_bytes());
        put_block(&mut out, SECTION_HEADER, &body)?;
        Ok(PcapWriter { out, interfaces: 0 })
    }

    /// Adds a host, by which frames can then be captured; its number is returned.
    pub fn add_host(&mut self, name: &str) -> io::Result<u32> {
        let mut body = Vec::new();
        body.extend(LINKTYPE_USER0.to_le_bytes());
        body.extend([0, 0]);
        body.extend(0u32.to_le_bytes());
        put_option(&mut body, OPTION_INTERFACE_NAME, name.as_bytes());
        put_option(&mut body, OPTION_TIME_RESOLUTION, &[9]);
        put_end_of_options(&mut body);
        put_block(&mut self.out, INTERFACE_DESCRIPTION, &body)?;
        self.interfaces += 1;
        Ok(self.interfaces - 1)
    }

    /// Writes a frame that host `host` has sent or received.
    pub fn frame(
        &mut self,
        host: u32,
        at: Time,
        direction: Direction,
        bytes: &[u8],
        comment: Option<&str>,
    ) -> io::Result<()> {
        let ns = at.as_nanos();
        let mut body = Vec::with_capacity(bytes.len() + 64);
        for word in [host, (ns >> 32) as u32, ns as u32, bytes.len() as u32, bytes.len() as u32] {
            body.extend(word.to_le_bytes());
        }
        put_padded(&mut body, bytes);
        if let Some(comment) = comment {
            put_option(&mut body, OPTION_COMMENT, comment.as_bytes());
        }
        put_option(&mut body, OPTION_PACKET_FLAGS, &(direction as u32).to_le_bytes());
        put_end_of_options(&mut body);
        put_block(&mut self.out, ENHANCED_PACKET, &body)
    }

    /// Ends the capture.
    pub fn finish(mut self) -> io::Result<W> {
        self.out.flush()?;
        Ok(self.out)
    }
}

fn put_block(out: &mut impl Write, kind: u32, body: &[u8]) -> io::Result<()> {
    let len = (body.len() as u32 + 12).to_le_bytes();
    out.write_all(&[&kind.to_le_bytes(), &len, body, &len].concat())
}

fn put_padded(body: &mut Vec<u8>, bytes: &[u8]) {
    body.extend_from_slice(bytes);
    body.resize(body.len().next_multiple_of(4), 0);
}

/// Appends an option; one of more than 65,535 bytes is cut.
fn put_option(body: &mut Vec<u8>, code: u16, value: &[u8]) {
    let value = &value[..value.len().min(u16::MAX.into())];
    body.extend(code.to_le_bytes());
    body.extend((value.len() as u16).to_le_bytes());
    put_padded(body, value);
}

fn put_end_of_options(body: &mut Vec<u8>) {
    body.extend([0; 4]);
}

/// A port whose frames are captured.
///
/// A capture that cannot be written ends there, the port goes on, and [`Pcap::finish`] says what went wrong.
pub struct Pcap<P, W> {
    port: P,
    writer: PcapWriter<W>,
    host: u32,
    failed: Option<io::Error>,
}

impl<P: Port, W: Write> Pcap<P, W> {
    /// Captures what `port` sends and receives. `out` is best buffered.
    pub fn new(port: P, out: W) -> io::Result<Pcap<P, W>> {
        let mut writer = PcapWriter::new(out)?;
        let host = writer.add_host(&port.unique_id().to_string())?;
        Ok(Pcap { port, writer, host, failed: None })
    }

    /// Ends the capture; gives back the port, and what was written to or the first error.
    pub fn finish(self) -> (P, io::Result<W>) {
        let result = match self.failed {
            Some(error) => Err(error),
            None => self.writer.finish(),
        };
        (self.port, result)
    }

    fn capture(&mut self, direction: Direction, bytes: &[u8]) {
        if self.failed.is_none() {
            let at = self.port.now();
            self.failed = self.writer.frame(self.host, at, direction, bytes, None).err();
        }
    }
}

impl<P: Port, W: Write> Port for Pcap<P, W> {
    fn unique_id(&self) -> UniqueId {
        self.port.unique_id()
    }

    fn limits(&self) -> PortLimits {
        self.port.limits()
    }

    fn now(&self) -> Time {
        self.port.now()
    }

    fn can_send(&self) -> bool {
        self.port.can_send()
    }

    fn send(&mut self, transmit: Transmit) -> Result<(), PortError> {
        let limits = self.port.limits();
        if transmit.packet.payload.len() <= limits.max_payload {
            self.capture(Direction::Out, &frame::encode_to(&transmit.path, &transmit.packet));
        }
        self.port.send(transmit)
    }

    fn flush(&mut self) -> Result<(), PortError> {
        self.port.flush()
    }

    fn join(&mut self, group: Group) -> Result<(), PortError> {
        self.port.join(group)
    }

    fn recv(&mut self) -> Result<Option<Received>, PortError> {
        let received = self.port.recv()?;
        if let Some(Received::Packet(packet)) = &received {
            self.capture(Direction::In, &frame::encode(&Route::EMPTY, packet));
        }
        Ok(received)
    }

    fn wait(&mut self, deadline: Time) -> Result<(), PortError> {
        self.port.wait(deadline)
    }
}
