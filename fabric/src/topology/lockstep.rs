//! Two topologies walked in lockstep, from a host in each: what corresponds to what, and what differs.
//!
//! Crossbars are anonymous, and a discovered crossbar's port numbers are right only up to an offset. So what one knows is where
//! the walk arrives: if it comes to port 3 of a crossbar in A and to port 5 of one in B, then these two correspond, and port `p` of the
//! first is port `(p + 2) mod 128` of the second. Hosts correspond by location, whatever their unique ids are.
//!
//! Cables may be missing or lead elsewhere, and then two ways to a crossbar contradict each other. So after a first guess every
//! cable has a vote on what its ends correspond to, until the votes change nothing more; of several guesses that one counts
//! in which most cables agree. Unique ids make a guess too, the last: it counts where locations alone mislead (as where the front
//! end was moved).

mod differences;
mod walk;

use super::{CrossbarId, HostId, NodeId, PortId, Topology};
use walk::Walker;

/// What one topology has and the other has not, among what can be reached from the hosts where the walk starts.
///
/// The cables of a missing or new crossbar or host are not listed of their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Difference {
    /// A crossbar of A that is not in B.
    CrossbarMissing(CrossbarId),
    /// A crossbar of B that is not in A.
    CrossbarNew(CrossbarId),
    /// A host of A; in B none is at its location.
    HostMissing(HostId),
    /// A host of B; in A none is at its location.
    HostNew(HostId),
    /// The host at a location has another unique id.
    IdChanged {
        /// The host in A.
        a: HostId,
        /// The host in B.
        b: HostId,
    },
    /// A cable of A, by its ends there; B has both its crossbars or hosts, and no such cable.
    CableOnlyInA(PortId, PortId),
    /// A cable of B, by its ends there; A has both its crossbars or hosts, and no such cable.
    CableOnlyInB(PortId, PortId),
}

impl Difference {
    /// The difference in words; what is only in B carries the names that it has there.
    pub fn describe(&self, a: &Topology, b: &Topology) -> String {
        match *self {
            Difference::CrossbarMissing(x) => format!("crossbar {} is missing", a.crossbar(x).name),
            Difference::CrossbarNew(x) => format!("crossbar {} is new", b.crossbar(x).name),
            Difference::HostMissing(h) => format!("host {} ({}) is missing", a.host(h).name, a.host(h).id),
            Difference::HostNew(h) => format!("host {} ({}) is new", b.host(h).name, b.host(h).id),
            Difference::IdChanged { a: before, b: after } => {
                format!(
                    "host {} has the unique id {}, not {}",
                    a.host(before).name,
                    b.host(after).id,
                    a.host(before).id
                )
            }
            Difference::CableOnlyInA(x, y) => format!("cable {} {} is missing", a.port_name(x), a.port_name(y)),
            Difference::CableOnlyInB(x, y) => format!("cable {} {} is new", b.port_name(x), b.port_name(y)),
        }
    }
}

/// What corresponds to what in two topologies, A and B.
#[derive(Clone, Debug)]
pub struct Lockstep {
    matching: Matching,
    differences: Vec<Difference>,
}

impl Lockstep {
    /// Walks both topologies from the first cabled port of these hosts.
    pub fn walk(a: &Topology, host_a: HostId, b: &Topology, host_b: HostId) -> Lockstep {
        let first_cabled = |topology: &Topology, host: HostId| {
            topology.peers(host.into()).iter().position(Option::is_some).unwrap_or(0) as u8
        };
        let offset = shift_between(first_cabled(a, host_a), first_cabled(b, host_b));
        let start = Pair { a: host_a.into(), b: host_b.into(), offset };
        let matching = Walker { a, b, start }.walk();
        let differences = differences::all(a, b, start, &matching);
        Lockstep { matching, differences }
    }

    /// The crossbar of B that is this one of A, and what to add to its ports' numbers, modulo 128.
    pub fn crossbar_in_b(&self, crossbar: CrossbarId) -> Option<(CrossbarId, u8)> {
        match self.matching.of_a(crossbar.into()) {
            Some((NodeId::Crossbar(twin), offset)) => Some((twin, offset)),
            _ => None,
        }
    }

    /// The crossbar of A that is this one of B, and what to add to its ports' numbers, modulo 128.
    pub fn crossbar_in_a(&self, crossbar: CrossbarId) -> Option<(CrossbarId, u8)> {
        match self.matching.of_b(crossbar.into()) {
            Some((NodeId::Crossbar(twin), offset)) => Some((twin, offset)),
            _ => None,
        }
    }

    /// The host of B at the location of this one of A.
    pub fn host_in_b(&self, host: HostId) -> Option<HostId> {
        match self.matching.of_a(host.into()) {
            Some((NodeId::Host(twin), _)) => Some(twin),
            _ => None,
        }
    }

    /// The host of A at the location of this one of B.
    pub fn host_in_a(&self, host: HostId) -> Option<HostId> {
        match self.matching.of_b(host.into()) {
            Some((NodeId::Host(twin), _)) => Some(twin),
            _ => None,
        }
    }

    /// The port of B that is this one of A; whether it exists and has a cable is another question.
    pub fn port_in_b(&self, end: PortId) -> Option<PortId> {
        self.matching.port_of_a(end)
    }

    /// The port of A that is this one of B; whether it exists and has a cable is another question.
    pub fn port_in_a(&self, end: PortId) -> Option<PortId> {
        self.matching.port_of_b(end)
    }

    /// All that differs: crossbars, hosts, unique ids, cables; what A has before what B has.
    pub fn differences(&self) -> &[Difference] {
        &self.differences
    }
}

/// Whether B is A but for names, order and the offset of each crossbar's ports; else the first difference.
///
/// Only what can be reached from the two hosts counts. Unique ids must be the same.
pub fn same_up_to_renaming(a: &Topology, host_a: HostId, b: &Topology, host_b: HostId) -> Result<(), Difference> {
    Lockstep::walk(a, host_a, b, host_b).differences.first().map_or(Ok(()), |difference| Err(*difference))
}

fn shifted(port: u8, offset: u8) -> u8 {
    port.wrapping_add(offset) & 0x7f
}

fn shift_between(from: u8, to: u8) -> u8 {
    to.wrapping_sub(from) & 0x7f
}

/// A guess: this node of A is that one of B, where port `p` is port `(p + offset) mod 128`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Pair {
    a: NodeId,
    b: NodeId,
    offset: u8,
}

type Twin = Option<(NodeId, u8)>;

/// Pairs in which no node occurs twice.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Matching {
    crossbars_of_a: Vec<Twin>,
    hosts_of_a: Vec<Twin>,
    crossbars_of_b: Vec<Twin>,
    hosts_of_b: Vec<Twin>,
}

impl Matching {
    fn new(a: &Topology, b: &Topology) -> Matching {
        Matching {
            crossbars_of_a: vec![None; a.crossbars().len()],
            hosts_of_a: vec![None; a.hosts().len()],
            crossbars_of_b: vec![None; b.crossbars().len()],
            hosts_of_b: vec![None; b.hosts().len()],
        }
    }

    fn of_a(&self, node: NodeId) -> Twin {
        match node {
            NodeId::Crossbar(x) => self.crossbars_of_a[x.0 as usize],
            NodeId::Host(h) => self.hosts_of_a[h.0 as usize],
        }
    }

    fn of_b(&self, node: NodeId) -> Twin {
        match node {
            NodeId::Crossbar(x) => self.crossbars_of_b[x.0 as usize],
            NodeId::Host(h) => self.hosts_of_b[h.0 as usize],
        }
    }

    fn port_of_a(&self, end: PortId) -> Option<PortId> {
        self.of_a(end.node).map(|(node, offset)| PortId { node, port: shifted(end.port, offset) })
    }

    fn port_of_b(&self, end: PortId) -> Option<PortId> {
        self.of_b(end.node).map(|(node, offset)| PortId { node, port: shifted(end.port, offset) })
    }

    /// Adds a pair if both its nodes are free.
    fn add(&mut self, pair: Pair) -> bool {
        let free = self.of_a(pair.a).is_none() && self.of_b(pair.b).is_none();
        if free {
            let back = shifted(0, pair.offset.wrapping_neg());
            match pair.a {
                NodeId::Crossbar(x) => self.crossbars_of_a[x.0 as usize] = Some((pair.b, pair.offset)),
                NodeId::Host(h) => self.hosts_of_a[h.0 as usize] = Some((pair.b, pair.offset)),
            }
            match pair.b {
                NodeId::Crossbar(x) => self.crossbars_of_b[x.0 as usize] = Some((pair.a, back)),
                NodeId::Host(h) => self.hosts_of_b[h.0 as usize] = Some((pair.a, back)),
            }
        }
        free
    }
}

#[cfg(test)]
mod tests;
