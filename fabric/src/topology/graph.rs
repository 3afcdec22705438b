//! The graph itself.

use crate::id::UniqueId;
use std::collections::HashMap;
use std::fmt;

/// The most ports that a crossbar may have: a hop byte moves on by 0 to 127 ports.
pub const MAX_RADIX: u8 = 128;

/// Index of a crossbar in its [`Topology`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CrossbarId(pub u32);

/// Index of a host in its [`Topology`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HostId(pub u32);

/// A crossbar or a host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum NodeId {
    /// A crossbar.
    Crossbar(CrossbarId),
    /// A host.
    Host(HostId),
}

impl From<CrossbarId> for NodeId {
    fn from(id: CrossbarId) -> NodeId {
        NodeId::Crossbar(id)
    }
}
impl From<HostId> for NodeId {
    fn from(id: HostId) -> NodeId {
        NodeId::Host(id)
    }
}

/// A port of a crossbar or host: one end of a cable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PortId {
    /// Whose port.
    pub node: NodeId,
    /// Which, from 0.
    pub port: u8,
}

impl PortId {
    /// Port `port` of `node`.
    pub fn new(node: impl Into<NodeId>, port: u8) -> PortId {
        PortId { node: node.into(), port }
    }
}

/// A switch that knows nothing: it reads one hop byte and forwards.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Crossbar {
    /// Unique among crossbars and hosts.
    pub name: String,
    /// Number of ports, 1 to [`MAX_RADIX`].
    pub ports: u8,
}

/// What sits at the edge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Host {
    /// Unique among crossbars and hosts.
    pub name: String,
    /// The card's unique id.
    pub id: UniqueId,
    /// Number of ports (rails), 1 for most.
    pub ports: u8,
}

/// A cable between two ports.
#[derive(Clone, Debug, PartialEq)]
pub struct Cable {
    /// One end: the host's, if there is a host.
    pub a: PortId,
    /// The other end.
    pub b: PortId,
    /// Link rate in bits a second, if the file gives one.
    pub rate_bits_per_s: Option<u64>,
    /// Length in metres, if the file gives one.
    pub length_m: Option<f64>,
}

/// Why a crossbar, host or cable cannot be added.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TopologyError {
    /// A name that the text formats cannot hold.
    #[error("`{}` cannot be a name: one word is expected, without `:` and `#`", .0.escape_debug())]
    Name(String),
    /// Two crossbars or hosts of one name.
    #[error("`{0}` is named twice")]
    NamedTwice(String),
    /// A number of ports outside 1 to [`MAX_RADIX`].
    #[error("`{name}` has {ports} ports: 1 to {MAX_RADIX} are possible")]
    Ports {
        /// Whose.
        name: String,
        /// What was asked for.
        ports: u32,
    },
    /// A port number that is not there.
    #[error("no port {port} on `{name}`, which has ports 0 to {last}", last = ports - 1)]
    NoPort {
        /// Whose.
        name: String,
        /// The port asked for.
        port: u8,
        /// How many there are.
        ports: u8,
    },
    /// A port that has a cable already.
    #[error("port {port} of `{name}` has two cables")]
    PortTaken {
        /// Whose.
        name: String,
        /// Which.
        port: u8,
    },
}

/// Crossbars, hosts and the cables between them. Indices are stable: nothing but cables is ever removed.
#[derive(Clone, Debug, Default)]
pub struct Topology {
    /// The name in the file; may be empty.
    pub name: String,
    crossbars: Vec<Crossbar>,
    hosts: Vec<Host>,
    crossbar_peers: Vec<Box<[Option<PortId>]>>,
    host_peers: Vec<Box<[Option<PortId>]>>,
    cables: Vec<Cable>,
    by_name: HashMap<String, NodeId>,
}

impl Topology {
    /// An empty graph.
    pub fn new(name: impl Into<String>) -> Topology {
        Topology { name: name.into(), ..Topology::default() }
    }

    /// Adds a crossbar without cables.
    pub fn add_crossbar(&mut self, name: impl Into<String>, ports: u8) -> Result<CrossbarId, TopologyError> {
        let name = name.into();
        let id = CrossbarId(self.crossbars.len() as u32);
        self.claim(&name, ports, id.into())?;
        self.crossbars.push(Crossbar { name, ports });
        self.crossbar_peers.push(vec![None; ports.into()].into());
        Ok(id)
    }

    /// Adds a host without cables.
    pub fn add_host(&mut self, name: impl Into<String>, id: UniqueId, ports: u8) -> Result<HostId, TopologyError> {
        let name = name.into();
        let host = HostId(self.hosts.len() as u32);
        self.claim(&name, ports, host.into())?;
        self.hosts.push(Host { name, id, ports });
        self.host_peers.push(vec![None; ports.into()].into());
        Ok(host)
    }

    fn claim(&mut self, name: &str, ports: u8, node: NodeId) -> Result<(), TopologyError> {
        let unfit = |c: char| c == ':' || c == '#' || c.is_whitespace() || c.is_control();
        if name.is_empty() || name.contains(unfit) {
            return Err(TopologyError::Name(name.to_owned()));
        }
        if ports == 0 || ports > MAX_RADIX {
            return Err(TopologyError::Ports { name: name.to_owned(), ports: ports.into() });
        }
        if self.by_name.contains_key(name) {
            return Err(TopologyError::NamedTwice(name.to_owned()));
        }
        self.by_name.insert(name.to_owned(), node);
        Ok(())
    }

    /// Puts a cable between two free ports. A cable may lead back to the same crossbar.
    pub fn connect(&mut self, a: PortId, b: PortId) -> Result<&mut Cable, TopologyError> {
        self.check_free(a)?;
        self.check_free(b)?;
        if a == b {
            return Err(TopologyError::PortTaken { name: self.node_name(a.node).to_owned(), port: a.port });
        }
        *self.slot(a) = Some(b);
        *self.slot(b) = Some(a);
        let (a, b) = if matches!(b.node, NodeId::Host(_)) { (b, a) } else { (a, b) };
        self.cables.push(Cable { a, b, rate_bits_per_s: None, length_m: None });
        Ok(self.cables.last_mut().expect("just pushed"))
    }

    /// Takes away the cable at a port; `None` if there is none.
    pub fn disconnect(&mut self, port: PortId) -> Option<Cable> {
        let index = self.cables.iter().position(|c| c.a == port || c.b == port)?;
        let cable = self.cables.remove(index);
        *self.slot(cable.a) = None;
        *self.slot(cable.b) = None;
        Some(cable)
    }

    fn check_free(&self, end: PortId) -> Result<(), TopologyError> {
        let (name, ports) = (self.node_name(end.node), self.ports_of(end.node));
        if end.port >= ports {
            return Err(TopologyError::NoPort { name: name.to_owned(), port: end.port, ports });
        }
        if self.peer(end).is_some() {
            return Err(TopologyError::PortTaken { name: name.to_owned(), port: end.port });
        }
        Ok(())
    }

    fn slot(&mut self, end: PortId) -> &mut Option<PortId> {
        match end.node {
            NodeId::Crossbar(x) => &mut self.crossbar_peers[x.0 as usize][end.port as usize],
            NodeId::Host(h) => &mut self.host_peers[h.0 as usize][end.port as usize],
        }
    }

    /// The other end of the cable at a port; `None` if there is no such port or no cable.
    pub fn peer(&self, end: PortId) -> Option<PortId> {
        self.peers(end.node).get(end.port as usize).copied().flatten()
    }

    /// The other end of the cable at each port of a node, port 0 first.
    pub fn peers(&self, node: NodeId) -> &[Option<PortId>] {
        match node {
            NodeId::Crossbar(x) => &self.crossbar_peers[x.0 as usize],
            NodeId::Host(h) => &self.host_peers[h.0 as usize],
        }
    }

    /// All crossbars, in the order of their ids.
    pub fn crossbars(&self) -> &[Crossbar] {
        &self.crossbars
    }

    /// All hosts, in the order of their ids.
    pub fn hosts(&self) -> &[Host] {
        &self.hosts
    }

    /// All cables.
    pub fn cables(&self) -> &[Cable] {
        &self.cables
    }

    /// A crossbar.
    pub fn crossbar(&self, id: CrossbarId) -> &Crossbar {
        &self.crossbars[id.0 as usize]
    }

    /// A host.
    pub fn host(&self, id: HostId) -> &Host {
        &self.hosts[id.0 as usize]
    }

    /// A host, to change its unique id.
    pub fn set_unique_id(&mut self, host: HostId, id: UniqueId) {
        self.hosts[host.0 as usize].id = id;
    }

    /// The ids of all crossbars.
    pub fn crossbar_ids(&self) -> impl ExactSizeIterator<Item = CrossbarId> + use<> {
        (0..self.crossbars.len() as u32).map(CrossbarId)
    }

    /// The ids of all hosts.
    pub fn host_ids(&self) -> impl ExactSizeIterator<Item = HostId> + use<> {
        (0..self.hosts.len() as u32).map(HostId)
    }

    /// The crossbar or host of this name.
    pub fn find(&self, name: &str) -> Option<NodeId> {
        self.by_name.get(name).copied()
    }

    /// The name of a crossbar or host.
    pub fn node_name(&self, node: NodeId) -> &str {
        match node {
            NodeId::Crossbar(x) => &self.crossbar(x).name,
            NodeId::Host(h) => &self.host(h).name,
        }
    }

    /// How many ports a crossbar or host has.
    pub fn ports_of(&self, node: NodeId) -> u8 {
        match node {
            NodeId::Crossbar(x) => self.crossbar(x).ports,
            NodeId::Host(h) => self.host(h).ports,
        }
    }

    /// A port as people write it: `x1.3:9`, or just `n17` for a host of one port.
    pub fn port_name(&self, end: PortId) -> PortName<'_> {
        PortName {
            name: self.node_name(end.node),
            port: end.port,
            bare: self.ports_of(end.node) == 1 && matches!(end.node, NodeId::Host(_)),
        }
    }
}

/// Displays a port: see [`Topology::port_name`].
pub struct PortName<'a> {
    name: &'a str,
    port: u8,
    bare: bool,
}

impl fmt::Display for PortName<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.bare { f.write_str(self.name) } else { write!(f, "{}:{}", self.name, self.port) }
    }
}
