//! Routes as forwarding tables, read out by walking them.

mod edit;

pub use edit::Entry;

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
    /// The entries for one destination, of each phase: both the same where one table is right for both.
    pub fn rows(&self, crossbars: usize, to: HostId) -> [&[u8]; 2] {
        let rows = to.0 as usize * crossbars..(to.0 as usize + 1) * crossbars;
        let up = &self.up[rows.clone()];
        [up, if self.down.is_empty() { up } else { &self.down[rows] }]
    }

    /// Tables without entries, for so many crossbars and hosts.
    pub fn empty(crossbars: usize, hosts: usize, two_phases: bool) -> Layer {
        let size = crossbars * hosts;
        Layer { up: vec![NO_PORT; size], down: vec![NO_PORT; if two_phases { size } else { 0 }] }
    }
}

/// Where a crossbar's port leads, as the tables are walked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Link {
    /// The crossbar at the other end, or [`Link::EDGE`].
    pub crossbar: u32,
    /// The port of that crossbar.
    pub port: u8,
    /// True if a frame that leaves here goes down.
    pub down: bool,
}

impl Link {
    /// Instead of a crossbar: a host, or no cable.
    pub const EDGE: u32 = u32::MAX;

    const NONE: Link = Link { crossbar: Link::EDGE, port: 0, down: false };
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
        let mut links = vec![Link::NONE; stride * topology.crossbars().len()];
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

    /// Tables of the preferred routes alone, that tell by the destination where a frame leaves. A crossbar from which going
    /// down leads to the destination does that; all others do what they do with frames that may still go up. So routes
    /// that go up first and then down still do, and there are no others.
    pub(super) fn by_destination(&self) -> Tables {
        let mut up = self.layers[0].up.clone();
        for (up, &down) in up.iter_mut().zip(&self.layers[0].down) {
            if down != NO_PORT {
                *up = down;
            }
        }
        let layers = vec![Layer { up, down: Vec::new() }];
        Tables { layers, links: self.links.clone(), attachments: self.attachments.clone(), ..*self }
    }

    /// The number of hosts.
    pub(super) fn hosts(&self) -> usize {
        self.hosts
    }

    /// The number of crossbars.
    pub fn crossbars(&self) -> usize {
        self.crossbars
    }

    /// The tables of each alternate, the preferred one's first.
    pub fn layers(&self) -> &[Layer] {
        &self.layers
    }

    /// Where a host was attached when the tables were made.
    pub fn attachment(&self, host: HostId) -> Attachment {
        self.attachments[host.0 as usize]
    }

    /// Where a port of a crossbar led when the tables were made.
    #[inline]
    pub fn link(&self, crossbar: usize, port: u8) -> Link {
        if usize::from(port) < self.stride {
            self.links[crossbar * self.stride + usize::from(port)]
        } else {
            Link::NONE
        }
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
        (0..self.hosts as u32).for_each(|to| self.visit_to(HostId(to), visit));
    }

    /// Calls `visit` for every route to `to`, with its source.
    pub(super) fn visit_to(&self, to: HostId, visit: &mut impl FnMut(HostId, RouteRef<'_>)) {
        let mut found = vec![Hops::EMPTY; self.layers.len()];
        for from in (0..self.hosts as u32).map(HostId) {
            self.visit_into(from, to, &mut found, &mut |route| visit(from, route));
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
                    if self.walk(layer, crossbar as usize, port, to, hops) && !earlier.iter().any(|e| e.same(hops)) {
                        visit(RouteRef { to, rail, alternate, hops: hops.as_slice() });
                        alternate += 1;
                    }
                }
            }
            _ => {}
        }
    }

    /// Follows one layer's tables from a crossbar's port to a host; false if they do not lead there.
    fn walk(&self, layer: &Layer, mut crossbar: usize, mut port_in: u8, to: HostId, hops: &mut Hops) -> bool {
        let [mut row, after_down] = layer.rows(self.crossbars, to);
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
            let link = self.link(crossbar, out);
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
