//! Routes as forwarding tables, read out by walking them.

use super::RouteRef;
use crate::route::MAX_HOPS;
use crate::topology::{HostId, NodeId, PortId, Topology};

/// The entry of a table where no route leads to the destination.
pub const NO_PORT: u8 = u8::MAX;

/// Where a host's cable leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Attachment {
    /// No cable.
    None,
    /// To a port of a crossbar.
    Crossbar {
        /// The host's port.
        rail: u8,
        /// The crossbar's index.
        crossbar: u32,
        /// The crossbar's port.
        port: u8,
    },
    /// Straight to another host.
    Host {
        /// The host's port.
        rail: u8,
        /// The other host.
        peer: HostId,
    },
}

impl Attachment {
    /// Where a host is attached: by its lowest port that has a cable to a crossbar, else by its lowest that has any.
    pub fn of(topology: &Topology, host: HostId) -> Attachment {
        let mut found = Attachment::None;
        for (rail, peer) in topology.peers(host.into()).iter().enumerate() {
            match *peer {
                Some(PortId { node: NodeId::Crossbar(x), port }) => {
                    return Attachment::Crossbar { rail: rail as u8, crossbar: x.0, port };
                }
                Some(PortId { node: NodeId::Host(peer), .. }) if found == Attachment::None && peer != host => {
                    found = Attachment::Host { rail: rail as u8, peer };
                }
                _ => {}
            }
        }
        found
    }
}

/// The tables of one alternate: the port by which a frame leaves crossbar `x` for host `d` is at `d * crossbars + x`, so
/// that all that a pair's routes look up lies close together.
#[derive(Clone, Debug)]
pub struct Layer {
    /// For frames that may still go up, or for all frames where [`Layer::down`] is empty.
    pub up: Vec<u8>,
    /// For frames that have gone down already. Empty where one table is right for both.
    pub down: Vec<u8>,
}

impl Layer {
    /// Tables without entries, for so many crossbars and hosts.
    pub fn empty(crossbars: usize, hosts: usize, two_phases: bool) -> Layer {
        let size = crossbars * hosts;
        Layer { up: vec![NO_PORT; size], down: vec![NO_PORT; if two_phases { size } else { 0 }] }
    }
}

/// Where a crossbar's port leads.
#[derive(Clone, Copy, Debug)]
struct Link {
    /// The crossbar at the other end, or [`Link::EDGE`].
    crossbar: u32,
    port: u8,
    /// True if a frame that leaves here goes down.
    down: bool,
}

impl Link {
    /// Instead of a crossbar: a host, or no cable.
    const EDGE: u32 = u32::MAX;
}

/// Forwarding tables of all alternates, and the cables along which to walk them.
#[derive(Clone, Debug)]
pub struct Tables {
    hosts: usize,
    crossbars: usize,
    stride: usize,
    links: Vec<Link>,
    attachments: Vec<Attachment>,
    layers: Vec<Layer>,
}

/// The hop bytes of a route.
#[derive(Clone, Copy)]
struct Hops {
    len: usize,
    bytes: [u8; MAX_HOPS],
    /// The first eight hop bytes. None is zero, so two short routes are the same if these are.
    head: u64,
}

impl Hops {
    const EMPTY: Hops = Hops { len: 0, bytes: [0; MAX_HOPS], head: 0 };

    fn as_slice(&self) -> &[u8] {
        &self.bytes[..self.len]
    }

    fn same(&self, other: &Hops) -> bool {
        self.head == other.head && (self.len <= 8 || self.as_slice() == other.as_slice())
    }
}

impl Tables {
    /// Tables over the cables of a topology. `goes_down` says of a crossbar's port whether a frame that leaves by it goes
    /// down; it matters only where layers have two phases.
    pub fn new(topology: &Topology, layers: Vec<Layer>, goes_down: impl Fn(usize, u8) -> bool) -> Tables {
        let stride = topology.crossbars().iter().map(|x| usize::from(x.ports)).max().unwrap_or(0);
        let mut links = vec![Link { crossbar: Link::EDGE, port: 0, down: false }; stride * topology.crossbars().len()];
        for x in topology.crossbar_ids() {
            for (port, peer) in topology.peers(x.into()).iter().enumerate() {
                if let Some(PortId { node: NodeId::Crossbar(y), port: peer_port }) = *peer {
                    let down = goes_down(x.0 as usize, port as u8);
                    links[x.0 as usize * stride + port] = Link { crossbar: y.0, port: peer_port, down };
                }
            }
        }
        let attachments = topology.host_ids().map(|h| Attachment::of(topology, h)).collect();
        Tables {
            hosts: topology.hosts().len(),
            crossbars: topology.crossbars().len(),
            stride,
            links,
            attachments,
            layers,
        }
    }

    /// The number of hosts.
    pub(super) fn hosts(&self) -> usize {
        self.hosts
    }

    /// The number of alternates.
    pub(super) fn layers(&self) -> usize {
        self.layers.len()
    }

    /// Calls `visit` for every route that leaves `from`.
    pub(super) fn visit_from(&self, from: HostId, visit: &mut impl FnMut(RouteRef<'_>)) {
        let mut found = vec![Hops::EMPTY; self.layers.len()];
        for to in 0..self.hosts as u32 {
            self.visit_into(from, HostId(to), &mut found, visit);
        }
    }

    /// Calls `visit` for every route, destination by destination: so all that is looked up for one stays in the cache.
    pub(super) fn visit_all(&self, visit: &mut impl FnMut(HostId, RouteRef<'_>)) {
        let mut found = vec![Hops::EMPTY; self.layers.len()];
        for to in 0..self.hosts as u32 {
            for from in 0..self.hosts as u32 {
                self.visit_into(HostId(from), HostId(to), &mut found, &mut |route| visit(HostId(from), route));
            }
        }
    }

    /// Calls `visit` for every route of a pair.
    pub(super) fn visit_pair(&self, from: HostId, to: HostId, visit: &mut impl FnMut(RouteRef<'_>)) {
        self.visit_into(from, to, &mut vec![Hops::EMPTY; self.layers.len()], visit);
    }

    fn visit_into(&self, from: HostId, to: HostId, found: &mut [Hops], visit: &mut impl FnMut(RouteRef<'_>)) {
        if from == to {
            return;
        }
        match self.attachments[from.0 as usize] {
            Attachment::Host { rail, peer } if peer == to => visit(RouteRef { to, rail, alternate: 0, hops: &[] }),
            Attachment::Crossbar { rail, crossbar, port } => {
                let mut alternate = 0;
                for layer in &self.layers {
                    let (earlier, rest) = found.split_at_mut(alternate);
                    let hops = &mut rest[0];
                    if self.walk(layer, crossbar as usize, port, to.0 as usize, hops)
                        && !earlier.iter().any(|e| e.same(hops))
                    {
                        visit(RouteRef { to, rail, alternate, hops: hops.as_slice() });
                        alternate += 1;
                    }
                }
            }
            _ => {}
        }
    }

    /// Follows one layer's tables from a crossbar's port to a host; false if they do not lead there.
    fn walk(&self, layer: &Layer, mut crossbar: usize, mut port_in: u8, to: usize, hops: &mut Hops) -> bool {
        let rows = to * self.crossbars..(to + 1) * self.crossbars;
        let mut row = &layer.up[rows.clone()];
        let after_down = if layer.down.is_empty() { row } else { &layer.down[rows] };
        (hops.len, hops.head) = (0, 0);
        while hops.len < MAX_HOPS {
            let out = row[crossbar];
            if out == NO_PORT {
                return false;
            }
            let byte = 0x80 | (out.wrapping_sub(port_in) & 0x7f);
            hops.bytes[hops.len] = byte;
            if hops.len < 8 {
                hops.head |= u64::from(byte) << (8 * hops.len);
            }
            hops.len += 1;
            let link = self.links[crossbar * self.stride + usize::from(out)];
            if link.crossbar == Link::EDGE {
                return true;
            }
            if link.down {
                row = after_down;
            }
            (crossbar, port_in) = (link.crossbar as usize, link.port);
        }
        false
    }
}
