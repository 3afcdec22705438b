//! The switches' linear forwarding tables.
//!
//! Towards hosts they are the proven routes. A switch looks only at where a packet goes, so the routes must be of that kind:
//! [`RouteSet::by_destination`]. Towards the management port of a switch that has hosts the way is that of its first host, and
//! so adds nothing that could deadlock. Towards a switch without hosts it is a shortest one: only answers to management
//! packets go there.

use super::lids::Lids;
use super::smp::{ENTRIES_PER_BLOCK, NO_PORT};
use super::subnet::Subnet;
use std::collections::VecDeque;
use twowire_fabric::map::{self, RouteSet};
use twowire_fabric::topology::{CrossbarId, HostId, NodeId, PortId, Topology};

/// The forwarding tables of all switches of a subnet.
pub struct ForwardingTables<'a> {
    routes: &'a RouteSet,
    owners: Vec<Option<NodeId>>,
    crossbars: usize,
    /// The port by which switch `x` reaches switch `s`, at `s * crossbars + x`.
    to_switch: Vec<u8>,
}

impl<'a> ForwardingTables<'a> {
    /// Tables for proven routes.
    ///
    /// # Panics
    /// If the routes are not of the kind that [`RouteSet::by_destination`] makes.
    pub fn new(subnet: &Subnet, lids: &Lids, routes: &'a RouteSet) -> ForwardingTables<'a> {
        let topology = subnet.topology();
        let crossbars = topology.crossbars().len();
        let mut tables = ForwardingTables {
            routes,
            owners: lids.owners(),
            crossbars,
            to_switch: vec![NO_PORT; crossbars * crossbars],
        };
        let mut resident = vec![None; crossbars];
        for host in topology.host_ids() {
            if let Some(PortId { node: NodeId::Crossbar(x), .. }) = topology.peer(PortId::new(host, 0)) {
                resident[x.0 as usize].get_or_insert(host);
            }
        }
        for switch in topology.crossbar_ids() {
            match resident[switch.0 as usize] {
                Some(host) => tables.follow(switch, host),
                None => tables.shortest(topology, switch),
            }
        }
        tables
    }

    /// Leads to a switch as to a host that it has.
    fn follow(&mut self, switch: CrossbarId, host: HostId) {
        for x in 0..self.crossbars as u32 {
            let port = if x == switch.0 { 0 } else { self.to_host(CrossbarId(x), host) };
            self.to_switch[switch.0 as usize * self.crossbars + x as usize] = port;
        }
    }

    /// Leads to a switch by the fewest cables.
    fn shortest(&mut self, topology: &Topology, switch: CrossbarId) {
        let row = &mut self.to_switch[switch.0 as usize * self.crossbars..][..self.crossbars];
        row[switch.0 as usize] = 0;
        let mut queue = VecDeque::from([switch]);
        while let Some(x) = queue.pop_front() {
            for peer in topology.peers(x.into()).iter().flatten() {
                if let NodeId::Crossbar(y) = peer.node
                    && row[y.0 as usize] == NO_PORT
                {
                    row[y.0 as usize] = peer.port + 1;
                    queue.push_back(y);
                }
            }
        }
    }

    fn to_host(&self, switch: CrossbarId, host: HostId) -> u8 {
        let tables = self.routes.tables().expect("routes by destination have tables");
        let [row, _] = tables.layers()[0].rows(tables.crossbars(), host);
        let port = row[switch.0 as usize];
        if port == map::NO_PORT { NO_PORT } else { port + 1 }
    }

    /// The port by which a switch sends on what is for an identifier; [`NO_PORT`] if it drops it.
    pub fn port(&self, switch: CrossbarId, lid: usize) -> u8 {
        match self.owners.get(lid).copied().flatten() {
            None => NO_PORT,
            Some(NodeId::Host(host)) => self.to_host(switch, host),
            Some(NodeId::Crossbar(to)) => self.to_switch[to.0 as usize * self.crossbars + switch.0 as usize],
        }
    }

    /// Who has an identifier.
    pub fn owner(&self, lid: usize) -> Option<NodeId> {
        self.owners.get(lid).copied().flatten()
    }

    /// How many blocks of 64 entries each table has.
    pub fn blocks(&self) -> u32 {
        self.owners.len().div_ceil(ENTRIES_PER_BLOCK) as u32
    }

    /// A block of a switch's table.
    pub fn block(&self, switch: CrossbarId, block: u32) -> [u8; ENTRIES_PER_BLOCK] {
        std::array::from_fn(|i| self.port(switch, block as usize * ENTRIES_PER_BLOCK + i))
    }
}
