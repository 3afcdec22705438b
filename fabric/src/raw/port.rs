//! The port.

use super::error::{Device, RawError, while_open};
use super::ethernet::{
    Address, BROADCAST, CABLE_OVERHEAD, ETHERNET_HEADER, ETHERTYPE, LANES, LEAST_MTU, Mac, max_payload, open,
};
use super::filter;
use super::inlet::Inlet;
use super::lane::claim;
use super::long;
use super::long_way::LongWay;
use super::outbox::{Destination, Outbox};
use super::rest::Rest;
use super::ring::{Layout, Ring};
use super::sys::Socket;
use crate::id::UniqueId;
use crate::protocol::{Addressing, Group, Path, Port, PortError, PortLimits, Received, Transmit};
use crate::time::Time;
use crate::wire::{Packet, WireError, frame};
use arrayvec::ArrayVec;
use bytes::Bytes;
use std::io;
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

/// How many bytes the driver may hold.
const SEND_BYTES: i32 = 4 << 20;

/// How long to wait for room in the device's queue, for which the kernel has no event.
const PATIENCE: Duration = Duration::from_micros(100);

/// A longer payload is handed out as a part of the memory that it came in, with which other frames came; a shorter one is
/// copied, so that who keeps it does not keep them all.
const LONG_PAYLOAD: usize = 512;

/// Slots of the ring of a port whose frames are each waited for.
const SLOTS: usize = 1024;
/// The same where the MTU is larger than this.
const LARGE_MTU: usize = 3000;
const LARGE_SLOTS: usize = 512;
/// The longest frame that gets a slot as long: of the largest usual MTU.
const SLOT_BYTES: usize = 9 << 10;

/// How a port is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RawOptions {
    /// Bytes that received frames may fill until they are taken; what the kernel needs to keep them is not counted. Without
    /// `CAP_NET_ADMIN` it is no more than the sysctl `net.core.rmem_max`.
    pub buffer_bytes: usize,
    /// While much comes, frames are let gather for up to a millisecond: it saves work where nobody waits for any single one, as while an
    /// image comes. Without it each frame wakes whoever waits.
    pub gather: bool,
    /// Frames longer than the MTU may be sent, where they are found to get through: [`PortLimits::long_payload`].
    pub long: bool,
    /// Which of several ports on the device this is: 0 for the one that all programs but those of a job have. A lane is one process's
    /// at a time, and hears no groups.
    pub lane: u16,
    /// What is at the other end of the device's cable: a network that looks at addresses, or crossbars that look at hops. Behind a
    /// crossbar there are no groups.
    pub addressing: Addressing,
}

impl Default for RawOptions {
    fn default() -> RawOptions {
        let addressing = Addressing::Cards;
        RawOptions { buffer_bytes: 8 << 20, gather: true, long: false, lane: 0, addressing }
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
    device: Device,
    index: i32,
    address: Address,
    /// Held as long as the lane is ours.
    _claim: Option<OwnedFd>,
    limits: PortLimits,
    mtu: usize,
    inlet: Inlet,
    /// Frames longer than the MTU.
    long: Option<LongWay>,
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
        let (name, addressing) = (device, options.addressing);
        let device = Device { name: name.to_owned(), addressing };
        let os = |operation| RawError::os(&device, operation);
        // Crossbars know nothing of frames that could be cut up.
        let options = RawOptions { long: options.long && options.addressing == Addressing::Cards, ..options };
        let socket = Socket::new().map_err(os("open a packet socket"))?;
        let index = socket.index(name).map_err(os("find the device"))?;
        let mac = socket.mac(name).map_err(os("read its address"))?;
        let mac = mac.ok_or_else(|| RawError::NotEthernet(device.clone()))?;
        if !socket.is_up(name).map_err(os("read its flags"))? {
            return Err(RawError::Off(device.clone()));
        }
        let mtu = socket.mtu(name).map_err(os("read its MTU"))?;
        let limits = limits(&device, mtu, &options, &socket)?;
        let receive_bytes = i32::try_from(options.buffer_bytes).unwrap_or(i32::MAX);
        socket.prepare(SEND_BYTES, receive_bytes).map_err(os("set up the socket"))?;
        let ring = (!options.gather).then(|| Ring::new(&socket, ring_layout(mtu))).transpose();
        let ring = ring.map_err(os("make the socket's ring"))?;
        let lane = options.lane;
        let claim = if lane == 0 { None } else { Some(claim(&device, lane)?) };
        let (program, ethertype) = match (lane, options.addressing) {
            (0, Addressing::Cards) => (filter::program(&[]), ETHERTYPE),
            (_, Addressing::Hops) => (filter::cable(lane), ETHERTYPE),
            (_, Addressing::Cards) => (filter::lane(lane), LANES),
        };
        socket.filter(&program).map_err(os("attach the filter"))?;
        socket.bind(index, ethertype).map_err(os("bind to the device"))?;
        let long = options.long.then(|| LongWay::open(index, lane, SEND_BYTES, receive_bytes)).transpose();
        let long = long.map_err(os("open a socket for long frames"))?;
        Ok(RawPort {
            device,
            index,
            address: Address { mac, lane },
            _claim: claim,
            limits,
            mtu,
            inlet: Inlet::new(socket, ring, ETHERNET_HEADER + mtu),
            long,
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
        self.counters.overrun = self.inlet.lost()?;
        if let Some(long) = &mut self.long {
            self.counters.overrun += long.inlet().lost()?;
        }
        Ok(self.counters)
    }

    fn down(&self, error: io::Error) -> PortError {
        while_open(&self.device, error)
    }

    /// True if a frame is here.
    fn is_ready(&mut self) -> Result<bool, PortError> {
        let long = match &mut self.long {
            Some(long) => long.inlet().is_ready(),
            None => Ok(false),
        };
        long.and_then(|long| Ok(long || self.inlet.is_ready()?)).map_err(|error| self.down(error))
    }

    fn take(&mut self) -> Result<Option<Result<Packet, WireError>>, PortError> {
        let frame = self.inlet.take().map_err(|error| self.down(error))?;
        if let Some(rest) = &mut self.rest {
            rest.came(frame.as_ref().map_or(0, Bytes::len));
        }
        if let Some(bytes) = frame {
            let lane = if self.limits.addressing == Addressing::Hops { self.address.lane } else { 0 };
            let opened = open(&bytes).and_then(|frame| frame::of_lane(&frame, lane));
            return Ok(Some(opened.and_then(|frame| frame::parse(&frame))));
        }
        let Some(long) = &mut self.long else { return Ok(None) };
        let frame = long.inlet().take().map_err(|error| while_open(&self.device, error))?;
        Ok(frame.map(|bytes| long::open(&bytes)))
    }

    fn send_long(&mut self, destination: Address, packet: Packet) -> Result<(), PortError> {
        let Some(long) = &mut self.long else { return Ok(()) };
        let sent = long.send(destination, self.address.mac, self.mtu, packet);
        sent.map_err(|error| while_open(&self.device, error))
    }

    /// Sleeps until a frame comes, at most for `limit`.
    fn sleep(&self, limit: Duration) -> io::Result<()> {
        self.inlet.socket().wait(self.long.as_ref().map(LongWay::socket), limit)
    }

    /// The card that a frame is for, and the hops in front of it.
    fn destination(&self, path: Path) -> Result<Destination, PortError> {
        let wrong = PortError::Path(path);
        let mut way = ArrayVec::new();
        let address = match (path, self.limits.addressing) {
            (Path::Card(id), Addressing::Cards) => Address::of_card(id).ok_or(wrong)?,
            (Path::Group(group), Addressing::Cards) => Address { mac: Mac::of_group(group), lane: 0 },
            (_, Addressing::Hops) => {
                let (route, lane) = frame::route_and_lane(&path).ok_or(wrong)?;
                way.extend(route.as_bytes().iter().copied());
                way.extend(lane);
                // A crossbar has no address, and nobody else is on its cable.
                Address { mac: BROADCAST, lane: 0 }
            }
            _ => return Err(wrong),
        };
        Ok(Destination { address, way })
    }
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

/// The ring for frames of a device of this MTU.
fn ring_layout(mtu: usize) -> Layout {
    let frame = (ETHERNET_HEADER + mtu).min(SLOT_BYTES);
    Layout::new(if mtu > LARGE_MTU { LARGE_SLOTS } else { SLOTS }, frame, 0)
}

fn limits(device: &Device, mtu: usize, options: &RawOptions, socket: &Socket) -> Result<PortLimits, RawError> {
    let addressing = options.addressing;
    let hops = if addressing == Addressing::Hops { CABLE_OVERHEAD } else { 0 };
    let max_payload = max_payload(mtu).saturating_sub(hops);
    if max_payload == 0 {
        return Err(RawError::Mtu { device: device.clone(), mtu, least: LEAST_MTU + hops });
    }
    let rate_bits_per_s = socket.megabits_per_s(&device.name).map(|rate| u64::from(rate) * 1_000_000);
    let long_payload = if options.long { max_payload.max(long::LONG_PAYLOAD) } else { max_payload };
    Ok(PortLimits { addressing, max_payload, long_payload, rate_bits_per_s })
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
        !self.outbox.is_full() && self.long.as_ref().is_none_or(LongWay::can_send)
    }

    fn send(&mut self, transmit: Transmit) -> Result<(), PortError> {
        let destination = self.destination(transmit.path)?;
        let (len, max) = (transmit.packet.payload.len(), self.limits.long_payload);
        if len > max {
            return Err(PortError::TooLarge { len, max });
        }
        if len > self.limits.max_payload {
            return self.send_long(destination.address, transmit.packet);
        }
        self.outbox.push(destination, self.address.mac, transmit.packet);
        if self.outbox.is_full() { self.flush() } else { Ok(()) }
    }

    fn flush(&mut self) -> Result<(), PortError> {
        if let Some(long) = &mut self.long {
            long.flush().map_err(|error| while_open(&self.device, error))?;
        }
        self.outbox.flush(self.inlet.socket()).map_err(|error| self.down(error))
    }

    fn join(&mut self, group: Group) -> Result<(), PortError> {
        if self.address.lane != 0 || self.limits.addressing == Addressing::Hops {
            return Err(PortError::Path(Path::Group(group)));
        }
        if !self.groups.contains(&group) {
            self.inlet.socket().join(self.index, Mac::of_group(group)).map_err(|error| self.down(error))?;
            self.groups.push(group);
            self.inlet.socket().filter(&filter::program(&self.groups))?;
        }
        Ok(())
    }

    fn recv(&mut self) -> Result<Option<Received>, PortError> {
        let Some(frame) = self.take()? else {
            self.flush()?;
            return Ok(None);
        };
        Ok(Some(match frame {
            Ok(packet) => Received::Packet(keepable(packet)),
            Err(error) => {
                self.counters.rejected += 1;
                Received::Rejected(error)
            }
        }))
    }

    fn wait(&mut self, deadline: Time) -> Result<(), PortError> {
        let was_full = !self.can_send();
        loop {
            self.flush()?;
            let has_room = was_full && self.can_send();
            if self.is_ready()? || has_room || self.now() >= deadline {
                return Ok(());
            }
            let left = deadline - self.now();
            let is_idle = self.outbox.is_empty() && self.can_send();
            let limit = if is_idle { left } else { left.min(PATIENCE) };
            let now = self.now();
            match self.rest.as_mut().and_then(|rest| rest.begin(now)) {
                Some(rest) => sleep(limit.min(rest)),
                None => self.sleep(limit).map_err(|error| self.down(error))?,
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
