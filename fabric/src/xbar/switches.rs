//! The crossbars themselves: where a frame goes, and what each port has carried. No clock and no socket.
//!
//! Nothing waits inside: a frame that is handed in comes out at the end of its route at once, or is dropped. What waits
//! for a host waits in the queue of that host.

use crate::route::{Hop, MAX_HOPS};
use crate::topology::{CrossbarId, HostId, NodeId, PortId, Topology};
use std::fmt;

/// Why a frame did not come out at a host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum DropCause {
    /// At a crossbar, and the next byte is no hop. Counted at the port by which it came in.
    NoHop,
    /// The hop leads to a port that the crossbar does not have. Counted at the port by which it came in.
    NoPort,
    /// The port has no cable.
    NoCable,
    /// The cable is cut, or leads to a crossbar that is dead.
    DeadLink,
    /// Nobody is attached as the host that the port leads to.
    NoHost,
    /// The host that the port leads to does not take its frames.
    QueueFull,
    /// A host handed in bytes that cannot be a frame: none, or too many. Counted at the host's port.
    Malformed,
    /// A card handed in a frame of another ethertype. Counted at the host's port.
    Foreign,
}

impl DropCause {
    /// Every cause.
    pub const ALL: [DropCause; 8] = [
        DropCause::NoHop,
        DropCause::NoPort,
        DropCause::NoCable,
        DropCause::DeadLink,
        DropCause::NoHost,
        DropCause::QueueFull,
        DropCause::Malformed,
        DropCause::Foreign,
    ];

    /// The cause as one word.
    pub const fn word(self) -> &'static str {
        match self {
            DropCause::NoHop => "no-hop",
            DropCause::NoPort => "no-port",
            DropCause::NoCable => "no-cable",
            DropCause::DeadLink => "dead-link",
            DropCause::NoHost => "no-host",
            DropCause::QueueFull => "queue-full",
            DropCause::Malformed => "malformed",
            DropCause::Foreign => "foreign",
        }
    }
}

impl fmt::Display for DropCause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// What has left a port, and what was dropped at it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PortCounters {
    /// Frames that went out by it.
    pub frames: u64,
    /// Their bytes, with the hops that were left.
    pub bytes: u64,
    /// Frames dropped, by [`DropCause`].
    pub drops: [u64; DropCause::ALL.len()],
}

/// What is at the other end of a port's cable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Far {
    Nothing,
    Host(u32),
    /// The crossbar's number, its first port's channel, how many ports it has, and which of them it is.
    Crossbar {
        crossbar: u32,
        first: u32,
        ports: u8,
        port: u8,
    },
}

/// One direction of a cable, from the port that sends into it.
#[derive(Clone, Copy, Debug)]
struct Channel {
    far: Far,
    cut: bool,
    frames: u64,
    bytes: u64,
}

/// Where a frame came out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Arrival {
    /// At which host.
    pub(super) host: HostId,
    /// How many hops were taken off.
    pub(super) hops: usize,
    /// The port that it came out of.
    pub(super) by: PortId,
}

/// The crossbars and cables of a topology. Of a host with several ports only port 0 is here.
#[derive(Debug)]
pub(super) struct Switches {
    channels: Vec<Channel>,
    drops: Vec<[u64; DropCause::ALL.len()]>,
    /// Each crossbar's first channel. The hosts' channels follow the crossbars'.
    first: Vec<u32>,
    first_host: u32,
    dead: Vec<bool>,
    /// Whose port each channel is.
    ports: Vec<PortId>,
}

impl Switches {
    pub(super) fn new(topology: &Topology) -> Switches {
        let mut ports = Vec::new();
        let mut first = Vec::new();
        for (index, crossbar) in topology.crossbars().iter().enumerate() {
            first.push(ports.len() as u32);
            ports.extend((0..crossbar.ports).map(|port| PortId::new(CrossbarId(index as u32), port)));
        }
        let first_host = ports.len() as u32;
        ports.extend(topology.host_ids().map(|host| PortId::new(host, 0)));
        let far = |port: &PortId| match topology.peer(*port) {
            Some(PortId { node: NodeId::Host(host), port: 0 }) => Far::Host(host.0),
            Some(PortId { node: NodeId::Crossbar(x), port }) => {
                Far::Crossbar { crossbar: x.0, first: first[x.0 as usize], ports: topology.crossbar(x).ports, port }
            }
            Some(_) | None => Far::Nothing,
        };
        let channels = ports.iter().map(|port| Channel { far: far(port), cut: false, frames: 0, bytes: 0 }).collect();
        let drops = vec![[0; DropCause::ALL.len()]; ports.len()];
        Switches { channels, drops, dead: vec![false; first.len()], first, first_host, ports }
    }

    fn channel(&self, port: PortId) -> Option<usize> {
        match port.node {
            NodeId::Crossbar(x) => Some(self.first[x.0 as usize] as usize + usize::from(port.port)),
            NodeId::Host(host) => (port.port == 0).then(|| (self.first_host + host.0) as usize),
        }
    }

    /// Takes a frame in from a host, and says where it comes out; `None` if it is dropped, which is counted.
    pub(super) fn forward(&mut self, from: HostId, frame: &[u8]) -> Option<Arrival> {
        let mut out = (self.first_host + from.0) as usize;
        let mut left = frame;
        loop {
            let channel = &mut self.channels[out];
            if channel.cut {
                return self.drop_at(out, DropCause::DeadLink);
            }
            match channel.far {
                Far::Nothing => return self.drop_at(out, DropCause::NoCable),
                Far::Host(host) => {
                    channel.frames += 1;
                    channel.bytes += left.len() as u64;
                    let hops = frame.len() - left.len();
                    return Some(Arrival { host: HostId(host), hops, by: self.ports[out] });
                }
                Far::Crossbar { crossbar, first, ports, port } => {
                    if self.dead[crossbar as usize] {
                        return self.drop_at(out, DropCause::DeadLink);
                    }
                    channel.frames += 1;
                    channel.bytes += left.len() as u64;
                    let came_in = (first + u32::from(port)) as usize;
                    let hop = left.first().and_then(|&byte| Hop::from_byte(byte));
                    let too_far = frame.len() - left.len() >= MAX_HOPS;
                    let Some(hop) = hop.filter(|_| !too_far) else {
                        return self.drop_at(came_in, DropCause::NoHop);
                    };
                    let to = hop.out_of(port);
                    if to >= ports {
                        return self.drop_at(came_in, DropCause::NoPort);
                    }
                    left = &left[1..];
                    out = (first + u32::from(to)) as usize;
                }
            }
        }
    }

    fn drop_at(&mut self, channel: usize, cause: DropCause) -> Option<Arrival> {
        self.drops[channel][cause as usize] += 1;
        None
    }

    /// Counts a frame that was dropped outside, at a port.
    pub(super) fn count_drop(&mut self, port: PortId, cause: DropCause) {
        if let Some(channel) = self.channel(port) {
            self.drops[channel][cause as usize] += 1;
        }
    }

    /// Cuts the cable at a port (true), or mends it (false). `topology` is the one that this was made from.
    pub(super) fn set_cut(&mut self, topology: &Topology, port: PortId, cut: bool) {
        for end in [Some(port), topology.peer(port)].into_iter().flatten() {
            if let Some(channel) = self.channel(end) {
                self.channels[channel].cut = cut;
            }
        }
    }

    /// Kills a crossbar (true), or revives it (false).
    pub(super) fn set_dead(&mut self, crossbar: CrossbarId, dead: bool) {
        self.dead[crossbar.0 as usize] = dead;
    }

    /// Every port with its counters: those of the crossbars, then port 0 of each host.
    pub(super) fn counters(&self) -> impl Iterator<Item = (PortId, PortCounters)> + '_ {
        self.ports.iter().zip(self.channels.iter().zip(&self.drops)).map(|(&port, (channel, &drops))| {
            (port, PortCounters { frames: channel.frames, bytes: channel.bytes, drops })
        })
    }
}

#[cfg(test)]
mod tests;
