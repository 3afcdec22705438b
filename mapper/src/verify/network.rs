//! The cables, as a frame goes over them.

use std::ops::Range;
use twowire_fabric::topology::{CrossbarId, HostId, NodeId, PortId, Topology};

/// What stands at the other end of a cable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// The port has no cable.
    Nothing,
    /// A host.
    Host(u32),
    /// A crossbar: the number of its port 0, and the port where the cable arrives.
    Crossbar { first: u32, port: u8 },
}

/// Every port of every crossbar has a number; so has the channel that leaves by it.
pub(super) struct Network {
    /// For each crossbar, the number of its port 0; behind the last, the number of all ports.
    first: Vec<u32>,
    /// For each port, what the channel that leaves by it leads to.
    ends: Vec<End>,
    /// For each port, its crossbar.
    crossbars: Vec<u32>,
    /// For each port, the crossbar and the port at the other end of its cable, if that is what is there.
    across: Vec<Option<(u32, u8)>>,
    /// For each host, what each of its ports leads to.
    hosts: Vec<Vec<End>>,
}

/// Why a route does not arrive. Hops count from 1, as people do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lost {
    /// The source has no such port, or no cable there.
    AtSource { rail: u8 },
    /// A byte is no hop byte: a crossbar drops the frame.
    NotAHop { hop: usize },
    /// A hop leads from one port of a crossbar to another that has no cable, or is not there.
    NoCable { hop: usize, arrival: u32, out: u8 },
    /// A host is reached before the last hop.
    TooLong { hop: usize, host: u32 },
    /// No host is reached.
    TooShort,
    /// Another host is reached.
    OtherHost { host: u32 },
}

/// The crossbar and the port that an end is, if it is one; `crossbars` are those of all ports.
fn across(end: End, crossbars: &[u32]) -> Option<(u32, u8)> {
    match end {
        End::Crossbar { first, port } => Some((crossbars[first as usize], port)),
        End::Nothing | End::Host(_) => None,
    }
}

impl Network {
    pub(super) fn of(topology: &Topology) -> Network {
        let mut first = vec![0];
        for x in topology.crossbars() {
            first.push(first[first.len() - 1] + u32::from(x.ports));
        }
        let end = |peer: &Option<PortId>| match *peer {
            None => End::Nothing,
            Some(PortId { node: NodeId::Host(host), .. }) => End::Host(host.0),
            Some(PortId { node: NodeId::Crossbar(x), port }) => End::Crossbar { first: first[x.0 as usize], port },
        };
        let ends: Vec<End> = topology.crossbar_ids().flat_map(|x| topology.peers(x.into()).iter().map(end)).collect();
        let crossbars: Vec<u32> =
            topology.crossbar_ids().flat_map(|x| vec![x.0; topology.crossbar(x).ports.into()]).collect();
        let hosts = topology.host_ids().map(|h| topology.peers(h.into()).iter().map(end).collect()).collect();
        let across = ends.iter().map(|&end| across(end, &crossbars)).collect();
        Network { first, ends, crossbars, across, hosts }
    }

    /// Takes over where a port leads now; hosts may be new.
    pub(super) fn reconnect(&mut self, topology: &Topology, port: PortId) {
        let end = match topology.peer(port) {
            None => End::Nothing,
            Some(PortId { node: NodeId::Host(host), .. }) => End::Host(host.0),
            Some(PortId { node: NodeId::Crossbar(x), port }) => End::Crossbar { first: self.first(x.0), port },
        };
        match port.node {
            NodeId::Crossbar(x) => {
                let channel = self.first(x.0) + u32::from(port.port);
                self.ends[channel as usize] = end;
                self.across[channel as usize] = across(end, &self.crossbars);
            }
            NodeId::Host(host) => {
                for new in self.hosts()..=host.0 {
                    self.hosts.push(vec![End::Nothing; topology.host(HostId(new)).ports.into()]);
                }
                self.hosts[host.0 as usize][usize::from(port.port)] = end;
            }
        }
    }

    /// No cable is at a crossbar's port any more.
    pub(super) fn disconnect(&mut self, port: PortId) {
        if let NodeId::Crossbar(x) = port.node {
            let channel = self.first(x.0) + u32::from(port.port);
            self.ends[channel as usize] = End::Nothing;
            self.across[channel as usize] = None;
        }
    }

    /// The number of ports, and so of channels, of all crossbars.
    pub(super) fn ports(&self) -> usize {
        self.ends.len()
    }

    /// What the channel that leaves by a port leads to.
    pub(super) fn end(&self, channel: u32) -> End {
        self.ends[channel as usize]
    }

    /// The crossbar that a port belongs to, and which of its ports it is.
    pub(super) fn port(&self, number: u32) -> PortId {
        let x = self.crossbar_of(number);
        PortId::new(CrossbarId(x), (number - self.first(x)) as u8)
    }

    /// The crossbar and the port at the other end of the cable at a port, if that is what is there.
    #[inline]
    pub(super) fn across(&self, port: u32) -> Option<(u32, u8)> {
        self.across[port as usize]
    }

    /// The number of crossbars.
    pub(super) fn crossbars(&self) -> usize {
        self.first.len() - 1
    }

    /// The crossbar that a port belongs to.
    #[inline]
    pub(super) fn crossbar_of(&self, number: u32) -> u32 {
        self.crossbars[number as usize]
    }

    /// The number of a crossbar's port 0.
    #[inline]
    pub(super) fn first(&self, crossbar: u32) -> u32 {
        self.first[crossbar as usize]
    }

    /// The ports of a crossbar, and the channels that leave by them.
    #[inline]
    pub(super) fn ports_of(&self, crossbar: u32) -> Range<u32> {
        self.first[crossbar as usize]..self.first[crossbar as usize + 1]
    }

    /// What a channel that leaves a crossbar leads to.
    pub(super) fn end_of(&self, crossbar: u32, port: u8) -> End {
        let channel = self.first(crossbar) + u32::from(port);
        if self.ports_of(crossbar).contains(&channel) { self.end(channel) } else { End::Nothing }
    }

    /// The number of hosts.
    pub(super) fn hosts(&self) -> u32 {
        self.hosts.len() as u32
    }

    /// What each port of a host leads to.
    pub(super) fn rails(&self, host: u32) -> &[End] {
        &self.hosts[host as usize]
    }

    /// Walks a route as a frame would go, and calls `turn` at each crossbar with the number of the port where the frame
    /// came in, the port by which it leaves, and the number of the latter.
    #[inline]
    pub(super) fn walk(
        &self,
        from: HostId,
        rail: u8,
        hops: &[u8],
        to: HostId,
        mut turn: impl FnMut(u32, u8, u32),
    ) -> Result<(), Lost> {
        let mut at = *self.hosts[from.0 as usize].get(usize::from(rail)).unwrap_or(&End::Nothing);
        if at == End::Nothing {
            return Err(Lost::AtSource { rail });
        }
        for (i, &hop) in hops.iter().enumerate() {
            let (first, port) = match at {
                End::Crossbar { first, port } => (first, port),
                End::Host(host) => return Err(Lost::TooLong { hop: i + 1, host }),
                End::Nothing => unreachable!("a channel that leads nowhere is not taken"),
            };
            if hop & 0x80 == 0 {
                return Err(Lost::NotAHop { hop: i + 1 });
            }
            let out = (port + (hop & 0x7f)) & 0x7f;
            let (arrival, leaving) = (first + u32::from(port), first + u32::from(out));
            let end = self.end_of(self.crossbar_of(first), out);
            if end == End::Nothing {
                return Err(Lost::NoCable { hop: i + 1, arrival, out });
            }
            turn(arrival, out, leaving);
            at = end;
        }
        match at {
            End::Host(host) if host == to.0 => Ok(()),
            End::Host(host) => Err(Lost::OtherHost { host }),
            _ => Err(Lost::TooShort),
        }
    }
}
