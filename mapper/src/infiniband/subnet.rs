//! What was found, as a topology: switches are its crossbars, and each port of an adapter is a host.
//!
//! An InfiniBand port counts from 1, a crossbar's from 0. Switches and hosts are numbered breadth first by port from where
//! discovery started, in whatever order the answers came.

use super::discovery::{Found, Node};
use super::error::InfinibandError;
use super::smp::NodeKind;
use std::collections::{HashMap, VecDeque};
use twowire_fabric::id::UniqueId;
use twowire_fabric::topology::{CrossbarId, HostId, NodeId, PortId, Topology};

/// A subnet as it was found.
#[derive(Debug)]
pub struct Subnet {
    topology: Topology,
    front_end: HostId,
    nodes: Vec<Node>,
    switches: Vec<usize>,
    end_ports: Vec<(usize, u8)>,
    silent: Vec<(usize, u8)>,
}

impl Subnet {
    /// Names and numbers what was found.
    pub fn new(found: Found) -> Result<Subnet, InfinibandError> {
        let mut subnet = Subnet {
            topology: Topology::new("infiniband"),
            front_end: HostId(0),
            switches: Vec::new(),
            end_ports: Vec::new(),
            silent: found.silent,
            nodes: found.nodes,
        };
        let order = breadth_first(&subnet.nodes);
        let names = names(&subnet.nodes, &order);
        let mut ends = HashMap::new();
        for index in order {
            subnet.add(index, &names[&index], &mut ends)?;
        }
        subnet.connect(&ends)?;
        let start = subnet.end_ports.iter().position(|&end| end == (0, found.start_port));
        // Where discovery starts from a switch, any host is as good as another as the front end of a map.
        subnet.front_end = HostId(start.unwrap_or(0) as u32);
        Ok(subnet)
    }

    fn add(
        &mut self,
        index: usize,
        name: &str,
        ends: &mut HashMap<(usize, u8), PortId>,
    ) -> Result<(), InfinibandError> {
        let node = &self.nodes[index];
        if node.kind == NodeKind::Switch {
            let crossbar = self.topology.add_crossbar(name, node.ports)?;
            ends.extend((1..=node.ports).map(|port| ((index, port), PortId::new(crossbar, port - 1))));
            self.switches.push(index);
            return Ok(());
        }
        let cabled: Vec<u8> = (1..=node.ports).filter(|&port| node.peers[usize::from(port)].is_some()).collect();
        for &port in &cabled {
            let name = if cabled.len() == 1 { name.to_owned() } else { format!("{name}/{port}") };
            let host = self.topology.add_host(name, UniqueId(node.port_guids[usize::from(port)]), 1)?;
            ends.insert((index, port), PortId::new(host, 0));
            self.end_ports.push((index, port));
        }
        Ok(())
    }

    fn connect(&mut self, ends: &HashMap<(usize, u8), PortId>) -> Result<(), InfinibandError> {
        for (index, node) in self.nodes.iter().enumerate() {
            for (port, &peer) in node.peers.iter().enumerate() {
                let here = (index, port as u8);
                if let Some(peer) = peer
                    && here < peer
                {
                    self.topology.connect(ends[&here], ends[&peer])?;
                }
            }
        }
        Ok(())
    }

    /// The graph.
    pub fn topology(&self) -> &Topology {
        &self.topology
    }

    /// The host where discovery started.
    pub fn front_end(&self) -> HostId {
        self.front_end
    }

    /// The node and its port that are this host.
    pub fn end_port(&self, host: HostId) -> (&Node, u8) {
        let (node, port) = self.end_ports[host.0 as usize];
        (&self.nodes[node], port)
    }

    /// The switch that is this crossbar.
    pub fn switch(&self, crossbar: CrossbarId) -> &Node {
        &self.nodes[self.switches[crossbar.0 as usize]]
    }

    /// The node that is, or has, this crossbar or host, and the InfiniBand number of one of its ports.
    pub fn place(&self, port: PortId) -> (&Node, u8) {
        match port.node {
            NodeId::Crossbar(crossbar) => (self.switch(crossbar), port.port + 1),
            NodeId::Host(host) => self.end_port(host),
        }
    }

    /// Ports that have a link, but nobody answers behind it: node and port, as people call them.
    pub fn silent(&self) -> impl Iterator<Item = String> + '_ {
        self.silent.iter().map(|&(node, port)| format!("{}:{port}", self.nodes[node].name()))
    }
}

/// The nodes in the order in which a walk from the first one meets them.
fn breadth_first(nodes: &[Node]) -> Vec<usize> {
    let mut seen = vec![false; nodes.len()];
    let mut order = Vec::with_capacity(nodes.len());
    let mut queue = VecDeque::from([0]);
    seen[0] = true;
    while let Some(node) = queue.pop_front() {
        order.push(node);
        for &(peer, _) in nodes[node].peers.iter().flatten() {
            if !seen[peer] {
                seen[peer] = true;
                queue.push_back(peer);
            }
        }
    }
    order
}

/// A name for each node: its description, made to fit, and its GUID after it where it has no name of its own.
fn names(nodes: &[Node], order: &[usize]) -> HashMap<usize, String> {
    let fit = |node: &Node| -> String {
        let unfit = |c: char| c == ':' || c == '#' || c == '/' || c.is_whitespace() || c.is_control();
        node.description.chars().map(|c| if unfit(c) { '_' } else { c }).collect()
    };
    let mut uses: HashMap<String, usize> = HashMap::new();
    for &index in order {
        *uses.entry(fit(&nodes[index])).or_default() += 1;
    }
    let name = |node: &Node| match fit(node) {
        empty if empty.is_empty() => format!("{:016x}", node.guid),
        name if uses[&name] > 1 => format!("{name}-{:016x}", node.guid),
        name => name,
    };
    order.iter().map(|&index| (index, name(&nodes[index]))).collect()
}
