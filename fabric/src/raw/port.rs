//! The port.

use super::error::{RawError, while_open};
use super::ethernet::{Address, BROADCAST, ETHERNET_HEADER, ETHERTYPE, LANES, LEAST_MTU, Mac, max_payload, open};
use super::filter;
use super::inbox::Inbox;
use super::outbox::Outbox;
use super::rest::Rest;
use super::sys::Socket;
use crate::id::UniqueId;
use crate::protocol::{Addressing, Group, Path, Port, PortError, PortLimits, Received, Transmit};
use crate::route::{MAX_HOPS, Route};
use crate::time::Time;
use crate::wire::{Packet, frame};
use bytes::Bytes;
use std::io;
use std::os::fd::OwnedFd;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::{Duration, Instant};

/// How many bytes the driver may hold.
const SEND_BYTES: i32 = 4 << 20;

/// How long to wait for room in the device's queue, for which the kernel has no event.
const PATIENCE: Duration = Duration::from_micros(100);

/// A longer payload is handed out as a part of the memory that it came in, with which other frames came; a shorter one is
/// copied, so that who keeps it does not keep them all.
const LONG_PAYLOAD: usize = 512;

/// How a port is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RawOptions {
    /// Bytes that received frames may fill until they are taken; what the kernel needs to keep them is not counted. Without
    /// `CAP_NET_ADMIN` it is no more than the sysctl `net.core.rmem_max`.
    pub buffer_bytes: usize,
    /// While much comes, frames are let gather for up to a millisecond: it saves work where nobody waits for any single one, as while an
    /// image comes. Without it each frame wakes whoever waits.
    pub gather: bool,
    /// Which of several ports on the device this is: 0 for the one that all programs but those of a job have. A lane is one process's
    /// at a time, and hears no groups.
    pub lane: u16,
    /// What is at the other end of the device's cable: a network that looks at addresses, or crossbars that look at hops. Behind a
    /// crossbar there are neither groups nor lanes.
    pub addressing: Addressing,
}

impl Default for RawOptions {
    fn default() -> RawOptions {
        RawOptions { buffer_bytes: 8 << 20, gather: true, lane: 0, addressing: Addressing::Cards }
    }
}

/// What has happened to frames that came in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RawCounters {
    /// Frames that are none of ours, or were damaged.
    pub rejected: u64,
    /// Frames for which there was no room: the program took frames out too slowly.
    pub overrun: u64,
}

/// Whole frames on an Ethernet device, without IP.
pub struct RawPort {
    device: String,
    index: i32,
    address: Address,
    /// Held as long as the lane is ours.
    _claim: Option<OwnedFd>,
    limits: PortLimits,
    socket: Socket,
    inbox: Inbox,
    /// How long frames are let gather; never, where each is waited for.
    rest: Option<Rest>,
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
        let mtu = socket.mtu(device).map_err(os("read its MTU"))?;
        let limits = limits(device, mtu, options.addressing, &socket)?;
        let receive_bytes = i32::try_from(options.buffer_bytes).unwrap_or(i32::MAX);
        socket.prepare(SEND_BYTES, receive_bytes).map_err(os("set up the socket"))?;
        let lane = options.lane;
        if lane != 0 && options.addressing == Addressing::Hops {
            return Err(RawError::NoLanes(device.to_owned()));
        }
        let claim = if lane == 0 { None } else { Some(claim(device, lane)?) };
        let (program, ethertype) = match (lane, options.addressing) {
            (0, Addressing::Cards) => (filter::program(&[]), ETHERTYPE),
            (0, Addressing::Hops) => (filter::cable(), ETHERTYPE),
            _ => (filter::lane(lane), LANES),
        };
        socket.filter(&program).map_err(os("attach the filter"))?;
        socket.bind(index, ethertype).map_err(os("bind to the device"))?;
        Ok(RawPort {
            device: device.to_owned(),
            index,
            address: Address { mac, lane },
            _claim: claim,
            limits,
            socket,
            inbox: Inbox::new(ETHERNET_HEADER + mtu),
            rest: options.gather.then(Rest::default),
            outbox: Outbox::default(),
            groups: Vec::new(),
            counters: RawCounters::default(),
            zero: now(),
        })
    }

    /// The device's address.
    pub fn mac(&self) -> Mac {
        self.address.mac
    }

    /// What has happened to frames that came in.
    pub fn counters(&mut self) -> Result<RawCounters, PortError> {
        self.counters.overrun += u64::from(self.socket.drops()?);
        Ok(self.counters)
    }

    fn down(&self, error: io::Error) -> PortError {
        while_open(&self.device, error)
    }

    /// Takes frames in, if none are here. True if there are any.
    fn fill(&mut self) -> Result<bool, PortError> {
        let came = self.inbox.fill(|places, lens| self.socket.receive(places, lens));
        came.map(|bytes| bytes > 0).map_err(|error| self.down(error))
    }

    fn take(&mut self) -> Result<Option<Bytes>, PortError> {
        let mut frame = self.inbox.pop();
        if frame.is_none() && !self.inbox.end_of_all() && self.fill()? {
            frame = self.inbox.pop();
        }
        if let Some(rest) = &mut self.rest {
            rest.came(frame.as_ref().map_or(0, Bytes::len));
        }
        Ok(frame)
    }

    /// The card that a frame is for, and the hops in front of it.
    fn destination(&self, path: Path) -> Result<(Address, Route), PortError> {
        let none = Route::EMPTY;
        match (path, self.limits.addressing) {
            (Path::Card(id), Addressing::Cards) => Ok((Address::of_card(id).ok_or(PortError::Path(path))?, none)),
            (Path::Group(group), Addressing::Cards) => Ok((Address { mac: Mac::of_group(group), lane: 0 }, none)),
            // A crossbar has no address, and nobody else is on its cable.
            (Path::Hops(route), Addressing::Hops) => Ok((Address { mac: BROADCAST, lane: 0 }, route)),
            _ => Err(PortError::Path(path)),
        }
    }
}

/// Takes a lane for this process: a socket of that name, which this network namespace can have once, and which goes with the process.
fn claim(device: &str, lane: u16) -> Result<OwnedFd, RawError> {
    let refused = |error: io::Error| match error.kind() {
        io::ErrorKind::AddrInUse => RawError::Lane { device: device.to_owned(), lane },
        _ => RawError::os(device, "claim the lane")(error),
    };
    let name = format!("twowire/{device}/{lane}");
    let address = SocketAddr::from_abstract_name(name).map_err(refused)?;
    UnixDatagram::bind_addr(&address).map(OwnedFd::from).map_err(refused)
}

/// True if no process of this network namespace has the lane of a device.
pub fn lane_is_free(device: &str, lane: u16) -> bool {
    claim(device, lane).is_ok()
}

/// A packet that may be kept.
fn keepable(packet: Packet) -> Packet {
    match packet.payload.len() {
        ..=LONG_PAYLOAD => Packet { payload: Bytes::copy_from_slice(&packet.payload), ..packet },
        _ => packet,
    }
}

#[expect(clippy::disallowed_methods, reason = "an event for each frame would cost as much as the frame")]
fn sleep(time: Duration) {
    std::thread::sleep(time);
}

/// The driver of a device is the one place that reads the clock.
#[expect(clippy::disallowed_methods, reason = "a port has a clock")]
fn now() -> Instant {
    Instant::now()
}

fn limits(device: &str, mtu: usize, addressing: Addressing, socket: &Socket) -> Result<PortLimits, RawError> {
    let hops = if addressing == Addressing::Hops { MAX_HOPS } else { 0 };
    let max_payload = max_payload(mtu).saturating_sub(hops);
    if max_payload == 0 {
        return Err(RawError::Mtu { device: device.to_owned(), mtu, least: LEAST_MTU + hops });
    }
    let rate_bits_per_s = socket.megabits_per_s(device).map(|rate| u64::from(rate) * 1_000_000);
    Ok(PortLimits { addressing, max_payload, rate_bits_per_s })
}

impl Port for RawPort {
    fn unique_id(&self) -> UniqueId {
        self.address.unique_id()
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
        let (destination, route) = self.destination(transmit.path)?;
        let (len, max) = (transmit.packet.payload.len(), self.limits.max_payload);
        if len > max {
            return Err(PortError::TooLarge { len, max });
        }
        self.outbox.push(destination, self.address.mac, route, transmit.packet);
        if self.outbox.is_full() { self.flush() } else { Ok(()) }
    }

    fn flush(&mut self) -> Result<(), PortError> {
        self.outbox.flush(&self.socket).map_err(|error| self.down(error))
    }

    fn join(&mut self, group: Group) -> Result<(), PortError> {
        if self.address.lane != 0 || self.limits.addressing == Addressing::Hops {
            return Err(PortError::Path(Path::Group(group)));
        }
        if !self.groups.contains(&group) {
            self.socket.join(self.index, Mac::of_group(group)).map_err(|error| self.down(error))?;
            self.groups.push(group);
            self.socket.filter(&filter::program(&self.groups))?;
        }
        Ok(())
    }

    fn recv(&mut self) -> Result<Option<Received>, PortError> {
        let Some(bytes) = self.take()? else {
            self.flush()?;
            return Ok(None);
        };
        Ok(Some(match open(&bytes).and_then(|frame| frame::parse(&frame)) {
            Ok(packet) => Received::Packet(keepable(packet)),
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
            if self.fill()? || has_room || self.now() >= deadline {
                return Ok(());
            }
            let left = deadline - self.now();
            let limit = if self.outbox.is_empty() { left } else { left.min(PATIENCE) };
            let now = self.now();
            match self.rest.as_mut().and_then(|rest| rest.begin(now)) {
                Some(rest) => sleep(limit.min(rest)),
                None => self.socket.wait(limit).map_err(|error| self.down(error))?,
            }
        }
    }
}

impl Drop for RawPort {
    /// What was sent leaves, as far as the device takes it.
    fn drop(&mut self) {
        let _ = self.flush();
    }
}
