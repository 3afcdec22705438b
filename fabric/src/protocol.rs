//! The two sides of every protocol here: a sans-IO state machine ([`Protocol`]), and the [`Port`] that moves its frames.
//!
//! A state machine reads no clock, no socket and no random generator of the thread's: `now`, packets and a seed come in
//! as arguments; packets, timers and events come out. The simulator calls it directly; a process calls [`drive`].

use crate::id::UniqueId;
use crate::route::Route;
use crate::time::Time;
use crate::wire::{Packet, WireError};
use std::fmt;

/// Where a packet goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Path {
    /// Along the hops of a source-routed fabric.
    Hops(Route),
    /// Along hops, and there to one of several ports that processes have on the host's only card.
    Lane(LanePath),
    /// To the card of this unique id, on a fabric that finds cards by itself: on Ethernet it is the MAC address.
    Card(UniqueId),
    /// To every card that listens to this group, on a fabric that replicates frames.
    Group(Group),
}

/// A path between lanes of source-routed hosts. A lane is a number that a process has on its host's card; 0 is the port without one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LanePath {
    /// The way to the host.
    pub route: Route,
    /// The receiver's lane.
    pub to: u16,
    /// The sender's, for the way back.
    pub from: u16,
}

impl LanePath {
    /// The way back.
    pub fn reversed(self) -> LanePath {
        LanePath { route: self.route.reversed(), to: self.from, from: self.to }
    }
}

/// A multicast group of a fabric that replicates frames.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Group(pub u16);

impl fmt::Display for Path {
    /// The hops in hex (`-` for none), with `lane N` behind them, `card ID`, or `group N`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Path::Hops(route) => write!(f, "{route}"),
            Path::Lane(LanePath { route, to, .. }) => write!(f, "{route} lane {to}"),
            Path::Card(id) => write!(f, "card {id}"),
            Path::Group(Group(number)) => write!(f, "group {number}"),
        }
    }
}

/// How the paths of a fabric are made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Addressing {
    /// By the hops of a route: [`Path::Hops`], and [`Path::Lane`] where hosts have lanes.
    Hops,
    /// By the card's unique id, and to groups: [`Path::Card`] and [`Path::Group`].
    Cards,
}

impl From<Route> for Path {
    fn from(route: Route) -> Path {
        Path::Hops(route)
    }
}

/// A packet on its way out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transmit {
    /// Where to.
    pub path: Path,
    /// What.
    pub packet: Packet,
}

impl Transmit {
    /// A packet along a path.
    pub fn new(path: impl Into<Path>, packet: Packet) -> Transmit {
        Transmit { path: path.into(), packet }
    }
}

/// A sans-IO state machine.
///
/// The driver hands in each packet and each timeout that is due, then asks [`Protocol::poll_transmit`] whenever the port
/// has room, until it answers `None`, and [`Protocol::poll_timeout`] for the next instant to be called at.
pub trait Protocol {
    /// A packet came in. One that this machine does not want is ignored.
    fn handle_packet(&mut self, now: Time, packet: &Packet);

    /// The instant of [`Protocol::poll_timeout`] has come. Called at `now` at the earliest; more than once does no harm.
    fn handle_timeout(&mut self, now: Time);

    /// The next packet to send, if there is one. Called when the port can take it, so a machine keeps its own queue and
    /// decides as late as possible.
    fn poll_transmit(&mut self, now: Time) -> Option<Transmit>;

    /// When [`Protocol::handle_timeout`] wants to be called next; `None` for never.
    fn poll_timeout(&self) -> Option<Time>;
}

/// What a port can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PortLimits {
    /// Which paths it can send to.
    pub addressing: Addressing,
    /// The largest payload, in bytes.
    pub max_payload: usize,
    /// The largest payload that gets through where the way to the receiver carries longer frames than it has to. Whether it does has to be
    /// found out for each; the same as `max_payload` where it never does. What damages the payload of such a frame is for its receiver to see:
    /// only kinds with a check of their own may be that long.
    pub long_payload: usize,
    /// The link's rate, in bits a second, where it is known.
    pub rate_bits_per_s: Option<u64>,
}

/// Why a port could not do what it was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PortError {
    /// The port is closed, or its device is gone.
    #[error("the port is down: {0}")]
    Down(String),
    /// The payload is larger than [`PortLimits::max_payload`].
    #[error("a payload of {len} bytes is more than the {max} that this port carries")]
    TooLarge {
        /// Bytes of the payload.
        len: usize,
        /// Bytes that fit.
        max: usize,
    },
    /// This provider does not know this kind of path.
    #[error("this port cannot send to such a path: {0:?}")]
    Path(Path),
    /// The operating system refused.
    #[error(transparent)]
    Io(#[from] std::io::Error),
}

/// What [`Port::recv`] found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Received {
    /// A packet.
    Packet(Packet),
    /// A frame that is not one of ours, or was damaged on the way. The port has counted it.
    Rejected(WireError),
}

/// Moves single packets, unreliably, from one host.
///
/// `send` and `recv` never block; `wait` does. Packets may be lost, and a provider says whether they may also be
/// duplicated or reordered; one that arrives is whole (its CRC-32 has been checked). What must hold for every provider is
/// in `conformance`.
pub trait Port {
    /// The unique id of this host's card.
    fn unique_id(&self) -> UniqueId;

    /// What this port can do.
    fn limits(&self) -> PortLimits;

    /// The port's clock.
    fn now(&self) -> Time;

    /// True if [`Port::send`] would take a packet now.
    fn can_send(&self) -> bool;

    /// Sends a packet. Call it only while [`Port::can_send`]; a packet for which there is no room is lost. A port may gather
    /// packets and hand them over together: at the latest in [`Port::flush`], [`Port::recv`] or [`Port::wait`].
    fn send(&mut self, transmit: Transmit) -> Result<(), PortError>;

    /// Hands over what [`Port::send`] has gathered. Call it when nothing more is to be sent for now.
    fn flush(&mut self) -> Result<(), PortError> {
        Ok(())
    }

    /// Takes in the frames that are sent to a group, from now on.
    fn join(&mut self, group: Group) -> Result<(), PortError> {
        Err(PortError::Path(Path::Group(group)))
    }

    /// The next frame that has come in, if any.
    fn recv(&mut self) -> Result<Option<Received>, PortError>;

    /// Waits until a frame has come in, or room to send has come back after there was none, or `deadline` has passed.
    fn wait(&mut self, deadline: Time) -> Result<(), PortError>;
}

impl<P: Port + ?Sized> Port for Box<P> {
    fn unique_id(&self) -> UniqueId {
        (**self).unique_id()
    }

    fn limits(&self) -> PortLimits {
        (**self).limits()
    }

    fn now(&self) -> Time {
        (**self).now()
    }

    fn can_send(&self) -> bool {
        (**self).can_send()
    }

    fn send(&mut self, transmit: Transmit) -> Result<(), PortError> {
        (**self).send(transmit)
    }

    fn flush(&mut self) -> Result<(), PortError> {
        (**self).flush()
    }

    fn join(&mut self, group: Group) -> Result<(), PortError> {
        (**self).join(group)
    }

    fn recv(&mut self) -> Result<Option<Received>, PortError> {
        (**self).recv()
    }

    fn wait(&mut self, deadline: Time) -> Result<(), PortError> {
        (**self).wait(deadline)
    }
}

/// Runs a state machine over a port until `stop` says so or `deadline` has passed; says whether `stop` did.
pub fn drive<P: Protocol + ?Sized>(
    port: &mut (impl Port + ?Sized),
    protocol: &mut P,
    deadline: Time,
    mut stop: impl FnMut(&mut P) -> bool,
) -> Result<bool, PortError> {
    loop {
        while let Some(received) = port.recv()? {
            if let Received::Packet(packet) = received {
                protocol.handle_packet(port.now(), &packet);
            }
        }
        if protocol.poll_timeout().is_some_and(|t| t <= port.now()) {
            protocol.handle_timeout(port.now());
        }
        while port.can_send() {
            let Some(transmit) = protocol.poll_transmit(port.now()) else { break };
            port.send(transmit)?;
        }
        port.flush()?;
        if stop(protocol) {
            return Ok(true);
        }
        if port.now() >= deadline {
            return Ok(false);
        }
        port.wait(protocol.poll_timeout().map_or(deadline, |t| t.min(deadline)))?;
    }
}
