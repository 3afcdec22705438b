//! Finds the nodes and cables of a subnet.
//!
//! Breadth first, with a packet for each end of a cable: NodeInfo through a port says which node is behind it, and by which
//! of its ports it came in. A cable by which a node was found is not asked from its other end, since the answer came back
//! by it. All others are asked from both ends, so that two nodes of one GUID contradict each other. A port that nothing
//! answers through is asked whether its link is down; where a packet into the void costs a wait, every port is asked that first.

use super::error::InfinibandError;
use super::exchange::{ATTEMPTS, Answer, Conversation, Request};
use super::smp::{Attribute, DATA, MAX_HOPS, NodeInfo, NodeKind, PortInfo, PortState, Smp, node_description};
use std::collections::{HashMap, VecDeque};

/// A node that was found.
#[derive(Clone, Debug)]
pub struct Node {
    /// Which node it is.
    pub guid: u64,
    /// What it is.
    pub kind: NodeKind,
    /// How many ports it has; they count from 1.
    pub ports: u8,
    /// What people call it; may be empty.
    pub description: String,
    /// The ports by which packets leave each node on the way to it.
    pub route: Vec<u8>,
    /// For each port from 0, its own GUID, or 0 where nobody came in by it.
    pub port_guids: Vec<u64>,
    /// For each port from 0, the node at the other end of its cable, and the port there.
    pub peers: Vec<Option<(usize, u8)>>,
}

impl Node {
    fn new(info: &NodeInfo, route: Vec<u8>) -> Node {
        let ports = usize::from(info.ports) + 1;
        Node {
            guid: info.node_guid,
            kind: info.kind,
            ports: info.ports,
            description: String::new(),
            route,
            port_guids: vec![0; ports],
            peers: vec![None; ports],
        }
    }

    /// As messages call it: its description, or its GUID.
    pub fn name(&self) -> String {
        if self.description.is_empty() { format!("{:#018x}", self.guid) } else { self.description.clone() }
    }
}

/// What a request was for.
#[derive(Clone, Copy, Debug)]
pub enum Ask {
    /// Who are we?
    Start,
    /// Who is behind this port of this node?
    Through(usize, u8),
    /// The same, of a port that has a link.
    Again(usize, u8),
    /// Has this port of this node a link?
    Link(usize, u8),
    /// What do people call this node?
    Description(usize),
}

/// A discovery: see [`Conversation`].
#[derive(Debug)]
pub struct Discovery {
    look_first: bool,
    nodes: Vec<Node>,
    by_guid: HashMap<u64, usize>,
    start_port: u8,
    queue: VecDeque<Ask>,
    silent: Vec<(usize, u8)>,
}

/// What was found.
#[derive(Clone, Debug)]
pub struct Found {
    /// The nodes; the first is where discovery started.
    pub nodes: Vec<Node>,
    /// The port of the first node by which all routes start; 0 if it is a switch.
    pub start_port: u8,
    /// Ports that have a link, but nobody answers behind it.
    pub silent: Vec<(usize, u8)>,
}

impl Discovery {
    /// Begins. With `look_first` nothing is sent through a port before it has said that it has a link.
    pub fn new(look_first: bool) -> Discovery {
        let queue = VecDeque::from([Ask::Start]);
        Discovery { look_first, nodes: Vec::new(), by_guid: HashMap::new(), start_port: 0, queue, silent: Vec::new() }
    }

    /// How many nodes were found so far.
    pub fn nodes(&self) -> usize {
        self.nodes.len()
    }

    /// What was found, when the conversation is over.
    pub fn finish(self) -> Result<Found, InfinibandError> {
        let start = self.nodes.first().ok_or(InfinibandError::NoStart)?;
        if start.kind == NodeKind::Adapter && start.peers[usize::from(self.start_port)].is_none() {
            return Err(InfinibandError::NoLink { node: start.name(), port: self.start_port });
        }
        Ok(Found { nodes: self.nodes, start_port: self.start_port, silent: self.silent })
    }

    fn start(&mut self, info: &NodeInfo) {
        self.start_port = info.local_port;
        let node = self.add(info, Vec::new());
        match info.kind {
            NodeKind::Switch => self.ask_ports(node, 1..=info.ports),
            // A packet leaves an adapter by the port at which the mapper sits, and by no other.
            NodeKind::Adapter => self.ask_ports(node, [info.local_port]),
        }
    }

    /// Asks who is behind ports of a node.
    fn ask_ports(&mut self, node: usize, ports: impl IntoIterator<Item = u8>) {
        let first = if self.look_first { Ask::Link } else { Ask::Through };
        self.queue.extend(ports.into_iter().map(|port| first(node, port)));
    }

    fn add(&mut self, info: &NodeInfo, route: Vec<u8>) -> usize {
        let index = self.nodes.len();
        self.nodes.push(Node::new(info, route));
        self.nodes[index].port_guids[usize::from(info.local_port)] = info.port_guid;
        self.by_guid.insert(info.node_guid, index);
        self.queue.push_back(Ask::Description(index));
        index
    }

    /// A node answered through a port.
    fn behind(&mut self, from: usize, port: u8, info: &NodeInfo) -> Result<(), InfinibandError> {
        if info.local_port == 0 {
            // No cable leads to the port of a switch's management.
            let NodeInfo { node_guid: guid, ports, local_port, .. } = *info;
            return Err(InfinibandError::NodePorts { guid, ports, local_port });
        }
        let route = self.beyond(from, port);
        let (node, found) = match self.by_guid.get(&info.node_guid) {
            Some(&node) => (node, false),
            // Of what is behind a switch at the far end of the longest route nothing could be known.
            None if route.len() == MAX_HOPS && info.kind == NodeKind::Switch => return Err(InfinibandError::TooFar),
            None => (self.add(info, route.clone()), true),
        };
        let known = &mut self.nodes[node];
        if (known.kind, known.ports) != (info.kind, info.ports) {
            return Err(duplicate(info.node_guid, &known.route, &route));
        }
        known.port_guids[usize::from(info.local_port)] = info.port_guid;
        self.join((from, port), (node, info.local_port))?;
        self.join((node, info.local_port), (from, port))?;
        if found && info.kind == NodeKind::Switch {
            self.ask_ports(node, (1..=info.ports).filter(|&other| other != info.local_port));
        }
        Ok(())
    }

    /// Notes what is at the other end of a port. If something else was there, there are two nodes that say they are this one.
    fn join(&mut self, at: (usize, u8), peer: (usize, u8)) -> Result<(), InfinibandError> {
        let slot = &mut self.nodes[at.0].peers[usize::from(at.1)];
        match *slot {
            Some(other) if other != peer => {
                let (first, second) = (self.beyond(other.0, other.1), self.beyond(peer.0, peer.1));
                Err(duplicate(self.nodes[at.0].guid, &first, &second))
            }
            _ => {
                *slot = Some(peer);
                Ok(())
            }
        }
    }

    /// The directed route to what is behind a port.
    fn beyond(&self, node: usize, port: u8) -> Vec<u8> {
        let mut route = self.nodes[node].route.clone();
        route.push(port);
        route
    }

    fn no_answer(&mut self, ask: Ask) -> Result<(), InfinibandError> {
        match ask {
            Ask::Start => Err(InfinibandError::NoStart),
            Ask::Through(node, port) => {
                self.queue.push_back(Ask::Link(node, port));
                Ok(())
            }
            Ask::Again(node, port) => {
                self.silent.push((node, port));
                Ok(())
            }
            Ask::Link(node, _) => self.gone(node, Attribute::PortInfo),
            Ask::Description(node) => self.gone(node, Attribute::NodeDescription),
        }
    }

    fn gone(&self, node: usize, attribute: Attribute) -> Result<(), InfinibandError> {
        Err(InfinibandError::Silent { attribute, place: self.nodes[node].name() })
    }

    fn data(&mut self, ask: Ask, data: &[u8; DATA]) -> Result<(), InfinibandError> {
        match ask {
            Ask::Start => self.start(&NodeInfo::parse(data)?),
            Ask::Through(node, port) | Ask::Again(node, port) => self.behind(node, port, &NodeInfo::parse(data)?)?,
            Ask::Link(node, port) => {
                let down = PortInfo::from_data(*data).state() == Some(PortState::Down);
                if !down {
                    self.queue.push_back(Ask::Again(node, port));
                }
            }
            Ask::Description(node) => self.nodes[node].description = node_description(data),
        }
        Ok(())
    }

    fn request(&self, ask: Ask) -> Request {
        let (attribute, modifier, attempts) = match ask {
            Ask::Through(..) => (Attribute::NodeInfo, 0, 1),
            Ask::Start | Ask::Again(..) => (Attribute::NodeInfo, 0, ATTEMPTS),
            Ask::Link(_, port) => (Attribute::PortInfo, port.into(), ATTEMPTS),
            Ask::Description(_) => (Attribute::NodeDescription, 0, ATTEMPTS),
        };
        let smp = match ask {
            Ask::Start => Smp::get(&[], attribute, modifier),
            Ask::Through(node, port) | Ask::Again(node, port) => {
                Smp::get(&self.beyond(node, port), attribute, modifier)
            }
            Ask::Link(node, _) | Ask::Description(node) => Smp::get(&self.nodes[node].route, attribute, modifier),
        };
        Request { smp, attempts }
    }
}

/// Two directed routes lead to two nodes of one GUID.
fn duplicate(guid: u64, first: &[u8], second: &[u8]) -> InfinibandError {
    InfinibandError::DuplicateGuid { guid, places: Box::new([show(first), show(second)]) }
}

/// A directed route as people write it: `1,4,17`; `0` for the start.
pub fn show(route: &[u8]) -> String {
    let ports: Vec<String> = route.iter().map(u8::to_string).collect();
    if ports.is_empty() { "0".to_owned() } else { ports.join(",") }
}

impl Conversation for Discovery {
    type Key = Ask;

    fn next(&mut self) -> Option<(Ask, Request)> {
        let ask = self.queue.pop_front()?;
        Some((ask, self.request(ask)))
    }

    fn answered(&mut self, ask: Ask, answer: Answer) -> Result<(), InfinibandError> {
        match answer {
            Answer::Data(data) => self.data(ask, &data),
            Answer::Silent => self.no_answer(ask),
            Answer::Refused(status) => {
                let request = self.request(ask);
                let attribute = request.smp.attribute().unwrap_or(Attribute::NodeInfo);
                Err(InfinibandError::Refused { attribute, place: show(request.smp.route()), status })
            }
        }
    }
}
