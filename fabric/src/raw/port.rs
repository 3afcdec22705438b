//! The port.

use super::error::{RawError, while_open};
use super::ethernet::{ETHERTYPE, LEAST_MTU, Mac, max_payload, open};
use super::filter;
use super::inbox::Inbox;
use super::outbox::Outbox;
use super::sys::{Ring, Socket};
use crate::id::UniqueId;
use crate::protocol::{Addressing, Group, Path, Port, PortError, PortLimits, Received, Transmit};
use crate::time::Time;
use crate::wire::{Header, Packet, frame};
use bytes::Bytes;
use std::io;
use std::time::{Duration, Instant};

/// Bytes of a block of the ring: the unit in which the kernel hands received frames over. It holds the largest frame, and
/// is small, because a program that is not scheduled loses a block for each `RETIRE_MS` in which anything comes.
pub const BLOCK_BYTES: usize = 128 << 10;

/// After how long the kernel hands over a block that is not full, in milliseconds: its smallest step.
const RETIRE_MS: u32 = 1;

/// How many bytes the driver may hold.
const SEND_BYTES: i32 = 4 << 20;

/// How long to wait for room in the device's queue, for which the kernel has no event.
const PATIENCE: Duration = Duration::from_micros(100);

/// How a port is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RawOptions {
    /// Bytes that received frames may fill until they are taken: a multiple of [`BLOCK_BYTES`].
    pub ring_bytes: usize,
    /// The symbols of an image come as parts of the ring, not as copies: a symbol that is kept stops the port once the ring
    /// has gone round, and until it is let go `wait` may return at once. All other frames are copied.
    pub lends: bool,
}

impl Default for RawOptions {
    fn default() -> RawOptions {
        RawOptions { ring_bytes: 8 << 20, lends: false }
    }
}

/// What has happened to frames that came in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RawCounters {
    /// Frames that are none of ours, or were damaged.
    pub rejected: u64,
    /// Frames for which the ring had no room: the program took frames out too slowly.
    pub overrun: u64,
}

/// Whole frames on an Ethernet device, without IP.
pub struct RawPort {
    device: String,
    index: i32,
    mac: Mac,
    limits: PortLimits,
    socket: Socket,
    inbox: Inbox,
    lends: bool,
    outbox: Outbox,
    groups: Vec<Group>,
    counters: RawCounters,
    zero: Instant,
}

impl RawPort {
    /// Opens a port on the network device of this name, which must be switched on. The MTU is the one that it has now.
    pub fn open(device: &str, options: RawOptions) -> Result<RawPort, RawError> {
        let os = |operation| RawError::os(device, operation);
        let socket = Socket::new().map_err(os("open a packet socket"))?;
        let index = socket.index(device).map_err(os("find the device"))?;
        let mac = socket.mac(device).map_err(os("read its address"))?;
        let mac = mac.ok_or_else(|| RawError::NotEthernet(device.to_owned()))?;
        if !socket.is_up(device).map_err(os("read its flags"))? {
            return Err(RawError::Off(device.to_owned()));
        }
        let limits = limits(device, &socket)?;
        let blocks = options.ring_bytes / BLOCK_BYTES;
        if blocks < 2 || !options.ring_bytes.is_multiple_of(BLOCK_BYTES) {
            let (device, ring_bytes) = (device.to_owned(), options.ring_bytes);
            return Err(RawError::Ring { device, ring_bytes, block_bytes: BLOCK_BYTES });
        }
        socket.prepare(SEND_BYTES).map_err(os("set up the socket"))?;
        socket.filter(&filter::program(&[])).map_err(os("attach the filter"))?;
        let ring =
            Ring::new(&socket, BLOCK_BYTES, blocks, RETIRE_MS).map_err(os("make the ring of received frames"))?;
        socket.bind(index, ETHERTYPE).map_err(os("bind to the device"))?;
        Ok(RawPort {
            device: device.to_owned(),
            index,
            mac,
            limits,
            socket,
            inbox: Inbox::new(ring, options.lends),
            lends: options.lends,
            outbox: Outbox::default(),
            groups: Vec::new(),
            counters: RawCounters::default(),
            zero: now(),
        })
    }

    /// The device's address.
    pub fn mac(&self) -> Mac {
        self.mac
    }

    /// What has happened to frames that came in.
    pub fn counters(&mut self) -> Result<RawCounters, PortError> {
        self.counters.overrun += u64::from(self.socket.drops()?);
        Ok(self.counters)
    }

    fn down(&self, error: io::Error) -> PortError {
        while_open(&self.device, error)
    }

    fn destination(&self, path: Path) -> Result<Mac, PortError> {
        match path {
            Path::Card(id) => Mac::of_card(id).ok_or(PortError::Path(path)),
            Path::Group(group) => Ok(Mac::of_group(group)),
            Path::Hops(_) => Err(PortError::Path(path)),
        }
    }
}

/// A packet that may stay in the ring as long as it is looked at, or a copy of one that may be kept.
fn lend(packet: Packet) -> Packet {
    match packet.header {
        Header::Symbol(_) => packet,
        _ => Packet { payload: Bytes::copy_from_slice(&packet.payload), ..packet },
    }
}

/// The driver of a device is the one place that reads the clock.
#[expect(clippy::disallowed_methods, reason = "a port has a clock")]
fn now() -> Instant {
    Instant::now()
}

fn limits(device: &str, socket: &Socket) -> Result<PortLimits, RawError> {
    let mtu = socket.mtu(device).map_err(RawError::os(device, "read its MTU"))?;
    let max_payload = max_payload(mtu);
    if max_payload == 0 {
        return Err(RawError::Mtu { device: device.to_owned(), mtu, least: LEAST_MTU });
    }
    let rate_bits_per_s = socket.megabits_per_s(device).map(|rate| u64::from(rate) * 1_000_000);
    Ok(PortLimits { addressing: Addressing::Cards, max_payload, rate_bits_per_s })
}

impl Port for RawPort {
    fn unique_id(&self) -> UniqueId {
        self.mac.unique_id()
    }

    fn limits(&self) -> PortLimits {
        self.limits
    }

    fn now(&self) -> Time {
        Time::ZERO + now().duration_since(self.zero)
    }

    fn can_send(&self) -> bool {
        !self.outbox.is_full()
    }

    fn send(&mut self, transmit: Transmit) -> Result<(), PortError> {
        let destination = self.destination(transmit.path)?;
        let (len, max) = (transmit.packet.payload.len(), self.limits.max_payload);
        if len > max {
            return Err(PortError::TooLarge { len, max });
        }
        self.outbox.push(destination, self.mac, transmit.packet);
        if self.outbox.is_full() { self.flush() } else { Ok(()) }
    }

    fn flush(&mut self) -> Result<(), PortError> {
        self.outbox.flush(&self.socket).map_err(|error| self.down(error))
    }

    fn join(&mut self, group: Group) -> Result<(), PortError> {
        if !self.groups.contains(&group) {
            self.socket.join(self.index, Mac::of_group(group)).map_err(|error| self.down(error))?;
            self.groups.push(group);
            self.socket.filter(&filter::program(&self.groups))?;
        }
        Ok(())
    }

    fn recv(&mut self) -> Result<Option<Received>, PortError> {
        let Some(bytes) = self.inbox.pop() else {
            self.flush()?;
            return Ok(None);
        };
        Ok(Some(match open(&bytes).and_then(|frame| frame::parse(&frame)) {
            Ok(packet) if self.lends => Received::Packet(lend(packet)),
            Ok(packet) => Received::Packet(packet),
            Err(error) => {
                self.counters.rejected += 1;
                Received::Rejected(error)
            }
        }))
    }

    fn wait(&mut self, deadline: Time) -> Result<(), PortError> {
        let was_full = self.outbox.is_full();
        loop {
            self.flush()?;
            let has_room = was_full && !self.outbox.is_full();
            if self.inbox.is_ready() || has_room || self.now() >= deadline {
                return Ok(());
            }
            let left = deadline - self.now();
            let limit = if self.outbox.is_empty() { left } else { left.min(PATIENCE) };
            self.socket.wait(limit).map_err(|error| self.down(error))?;
        }
    }
}

impl Drop for RawPort {
    /// What was sent leaves, as far as the device takes it.
    fn drop(&mut self) {
        let _ = self.flush();
    }
}
