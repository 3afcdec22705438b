//! Tables of shortest routes to test with, chosen in several manners.

use std::collections::VecDeque;
use twowire_fabric::id::NodeNumber;
use twowire_fabric::route::{Hop, Route};
use twowire_fabric::routes::RouteTable;
use twowire_fabric::topology::{CrossbarId, HostId, NodeId, PortId, Topology};

/// How to choose among the ways on from a crossbar.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Choice {
    /// By the destination and the route's rank: destination-modulo routing, spread over the ways.
    Modulo,
    /// By chance: nothing that a destination has in common with another helps the encoding.
    Random(u64),
}

/// Shortest routes on a topology.
pub(crate) struct Tables<'a> {
    pub(crate) topology: &'a Topology,
    pub(crate) hosts: Vec<HostId>,
    choice: Choice,
    /// For each host and crossbar, the ports that lead nearer: where they begin in `ports`, and where the last ones end.
    starts: Vec<u32>,
    ports: Vec<u8>,
}

impl<'a> Tables<'a> {
    pub(crate) fn new(topology: &'a Topology, choice: Choice) -> Tables<'a> {
        let hosts: Vec<HostId> = topology.host_ids().collect();
        let mut tables = Tables { topology, hosts, choice, starts: vec![0], ports: Vec::new() };
        for to in tables.hosts.clone() {
            let distances = distances_to(topology, to);
            for here in topology.crossbar_ids() {
                tables.note_ways(here, to, &distances);
            }
        }
        tables
    }

    fn note_ways(&mut self, here: CrossbarId, to: HostId, distances: &[u32]) {
        let nearer = |end: PortId| match end.node {
            NodeId::Host(host) => host == to,
            NodeId::Crossbar(next) => distances[next.0 as usize] + 1 == distances[here.0 as usize],
        };
        let peers = self.topology.peers(here.into()).iter().enumerate();
        self.ports.extend(peers.filter(|(_, end)| end.is_some_and(nearer)).map(|(port, _)| port as u8));
        self.starts.push(self.ports.len() as u32);
    }

    /// The nodes, in the order of the hosts.
    pub(crate) fn nodes(&self) -> impl Iterator<Item = (NodeNumber, HostId)> + '_ {
        (0..).map(NodeNumber::from_index).zip(self.hosts.iter().copied())
    }

    /// The table of a node, with up to `k` different routes to each other one.
    pub(crate) fn table(&self, own: NodeNumber, k: usize) -> RouteTable {
        let mut table = RouteTable::new(1, own);
        for to in 0..self.hosts.len() {
            let mut routes: Vec<Route> = Vec::new();
            for rank in 0..k * usize::from(to != own.index()) {
                let route = self.route(own.index(), to, rank);
                if !routes.contains(&route) {
                    routes.push(route);
                }
            }
            table.push(routes);
        }
        table
    }

    fn route(&self, from: usize, to: usize, rank: usize) -> Route {
        let mut route = Route::EMPTY;
        let mut at = self.topology.peer(PortId::new(self.hosts[from], 0)).expect("a cable");
        let mut divisor = 1;
        while let NodeId::Crossbar(here) = at.node {
            let ways = self.ways(here, to);
            let chosen = match self.choice {
                Choice::Modulo => to / divisor + rank,
                Choice::Random(seed) => {
                    let mix = [from, to, rank, route.len()]
                        .iter()
                        .fold(seed, |a, &b| (a ^ b as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15));
                    (mix >> 33) as usize
                }
            } % ways.len();
            divisor *= ways.len();
            route.push(Hop::between(at.port, ways[chosen])).expect("a short route");
            at = self.topology.peer(PortId::new(here, ways[chosen])).expect("a way on");
        }
        assert_eq!(at.node, NodeId::Host(self.hosts[to]));
        route
    }

    /// The ports that lead nearer to a host.
    fn ways(&self, here: CrossbarId, to: usize) -> &[u8] {
        let index = to * self.topology.crossbars().len() + here.0 as usize;
        &self.ports[self.starts[index] as usize..self.starts[index + 1] as usize]
    }
}

fn distances_to(topology: &Topology, host: HostId) -> Vec<u32> {
    let mut distances = vec![u32::MAX - 1; topology.crossbars().len()];
    let mut queue = VecDeque::new();
    if let Some(PortId { node: NodeId::Crossbar(first), .. }) = topology.peer(PortId::new(host, 0)) {
        distances[first.0 as usize] = 0;
        queue.push_back(first);
    }
    while let Some(here) = queue.pop_front() {
        for end in topology.peers(here.into()).iter().flatten() {
            if let NodeId::Crossbar(next) = end.node
                && distances[next.0 as usize] == u32::MAX - 1
            {
                distances[next.0 as usize] = distances[here.0 as usize] + 1;
                queue.push_back(next);
            }
        }
    }
    distances
}
