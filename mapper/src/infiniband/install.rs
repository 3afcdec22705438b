//! Brings a subnet up, as a subnet manager does.
//!
//! All ports and switches are read first: what a packet writes it writes whole, so the rest must be what it was. Then come the
//! switches' tables and identifiers, and then the ports: all armed, and when all are, all active.

use super::error::InfinibandError;
use super::exchange::{Batch, Exchange};
use super::forwarding::ForwardingTables;
use super::lids::Lids;
use super::managers::refuse_if_managed;
use super::smp::{Attribute, DATA, PortInfo, PortState, Smp, SwitchInfo};
use super::subnet::Subnet;
use twowire_fabric::map::RouteSet;
use twowire_fabric::topology::{CrossbarId, NodeId, PortId, Topology};

/// What the ports of a subnet say of themselves.
#[derive(Debug)]
pub struct Readings {
    /// Port 0 of each switch.
    switches: Vec<PortInfo>,
    /// The two ends of each cable, host's end first.
    ends: Vec<End>,
    /// The identifier of each host; 0 if it has none.
    host_lids: Vec<u16>,
}

/// An end of a cable.
#[derive(Clone, Copy, Debug)]
struct End {
    port: PortId,
    info: PortInfo,
}

/// What was written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Installed {
    /// Ports that have an identifier.
    pub lids: usize,
    /// Blocks of forwarding tables.
    pub blocks: u64,
    /// Ports with a cable; all are active.
    pub active: usize,
}

impl Readings {
    /// Asks all ports that have a cable, and port 0 of each switch.
    pub fn take(exchange: &mut Exchange, subnet: &Subnet) -> Result<Readings, InfinibandError> {
        let topology = subnet.topology();
        let nothing = PortInfo::from_data([0; DATA]);
        let ports: Vec<PortId> = topology.cables().iter().flat_map(|cable| [cable.a, cable.b]).collect();
        let mut ends: Vec<End> = ports.iter().map(|&port| End { port, info: nothing }).collect();
        let asks = ports.iter().enumerate().map(|(i, &port)| (i, ask(subnet, port)));
        exchange.run(&mut Batch::new(asks, |i, answer| {
            ends[i].info = PortInfo::from_data(expect(subnet, ports[i].node, Attribute::PortInfo, answer)?);
            Ok(())
        }))?;
        let mut switches = vec![nothing; topology.crossbars().len()];
        let asks = topology.crossbar_ids().map(|x| (x, Smp::get(&subnet.switch(x).route, Attribute::PortInfo, 0)));
        exchange.run(&mut Batch::new(asks, |x, answer| {
            switches[x.0 as usize] = PortInfo::from_data(expect(subnet, x.into(), Attribute::PortInfo, answer)?);
            Ok(())
        }))?;
        let mut host_lids = vec![0; topology.hosts().len()];
        for end in &ends {
            if let NodeId::Host(host) = end.port.node {
                host_lids[host.0 as usize] = end.info.lid.get();
            }
        }
        Ok(Readings { switches, ends, host_lids })
    }

    /// The nodes where a port says that it has a subnet manager.
    pub fn managed(&self) -> impl Iterator<Item = NodeId> + '_ {
        let switches = self.switches.iter().zip(0..).filter(|(info, _)| info.has_manager());
        let hosts = self.ends.iter().filter(|end| matches!(end.port.node, NodeId::Host(_)) && end.info.has_manager());
        switches.map(|(_, x)| CrossbarId(x).into()).chain(hosts.map(|end| end.port.node))
    }

    /// A node that is locked by a key.
    fn locked(&self) -> Option<NodeId> {
        let switches = self.switches.iter().zip(0..).map(|(info, x)| (info, CrossbarId(x).into()));
        let ends = self.ends.iter().map(|end| (&end.info, end.port.node));
        switches.chain(ends).find(|(info, _)| info.is_locked()).map(|(_, node)| node)
    }

    /// The identifiers that the subnet is to have.
    pub fn assign(&self, topology: &Topology) -> Result<Lids, InfinibandError> {
        let switches: Vec<u16> = self.switches.iter().map(|info| info.lid.get()).collect();
        Lids::assign(topology, &self.host_lids, &switches)
    }
}

/// Writes identifiers and tables, and makes all ports active that have a cable; unless another subnet manager is at work,
/// or has locked a node.
pub fn install(
    exchange: &mut Exchange,
    subnet: &Subnet,
    readings: Readings,
    lids: &Lids,
    routes: &RouteSet,
) -> Result<Installed, InfinibandError> {
    refuse_if_managed(exchange, subnet, &readings)?;
    if let Some(node) = readings.locked() {
        return Err(InfinibandError::Locked(subnet.topology().node_name(node).to_owned()));
    }
    let manager = lids.host(subnet.front_end());
    let mut installation = Installation { exchange, subnet, lids, manager };
    let tables = ForwardingTables::new(subnet, lids, routes);
    installation.write_tables(&tables)?;
    installation.name_switches(&readings.switches)?;
    let mut ends = readings.ends;
    installation.prepare(&mut ends);
    installation.bring_to(&mut ends, PortState::Armed)?;
    installation.bring_to(&mut ends, PortState::Active)?;
    not_active(subnet, &ends)?;
    let topology = subnet.topology();
    Ok(Installed {
        lids: topology.hosts().len() + topology.crossbars().len(),
        blocks: u64::from(tables.blocks()) * topology.crossbars().len() as u64,
        active: ends.len(),
    })
}

struct Installation<'a> {
    exchange: &'a mut Exchange,
    subnet: &'a Subnet,
    lids: &'a Lids,
    /// The identifier of the port where we sit.
    manager: u16,
}

impl Installation<'_> {
    /// Writes the tables, and then how far they are to be looked at.
    fn write_tables(&mut self, tables: &ForwardingTables) -> Result<(), InfinibandError> {
        let (subnet, top) = (self.subnet, self.lids.top());
        let switches = || subnet.topology().crossbar_ids();
        let mut infos = vec![SwitchInfo::from_data([0; DATA]); switches().len()];
        let asks = switches().map(|x| (x, Smp::get(&subnet.switch(x).route, Attribute::SwitchInfo, 0)));
        self.exchange.run(&mut Batch::new(asks, |x: CrossbarId, answer| {
            let info = SwitchInfo::from_data(expect(subnet, x.into(), Attribute::SwitchInfo, answer)?);
            let (capacity, needed) = (info.linear_capacity.get(), top + 1);
            if capacity < needed {
                return Err(InfinibandError::TableTooSmall { place: subnet.switch(x).name(), capacity, needed });
            }
            infos[x.0 as usize] = info;
            Ok(())
        }))?;
        let blocks = switches().flat_map(|x| (0..tables.blocks()).map(move |block| (x, block))).map(|(x, block)| {
            let attribute = Attribute::LinearForwardingTable;
            (x, Smp::set(&subnet.switch(x).route, attribute, block, tables.block(x, block)))
        });
        self.exchange.run(&mut Batch::new(blocks, |x: CrossbarId, answer| {
            expect(subnet, x.into(), Attribute::LinearForwardingTable, answer).map(|_| ())
        }))?;
        let tops = switches().map(|x| {
            let mut info = infos[x.0 as usize];
            info.linear_top = top.into();
            info.acknowledge_change();
            (x, Smp::set(&subnet.switch(x).route, Attribute::SwitchInfo, 0, info.to_data()))
        });
        self.exchange.run(&mut Batch::new(tops, |x: CrossbarId, answer| {
            expect(subnet, x.into(), Attribute::SwitchInfo, answer).map(|_| ())
        }))
    }

    /// Gives the switches their identifiers.
    fn name_switches(&mut self, found: &[PortInfo]) -> Result<(), InfinibandError> {
        let subnet = self.subnet;
        let asks = subnet.topology().crossbar_ids().map(|x| {
            let mut info = found[x.0 as usize];
            info.set_single_lid(self.lids.switch(x));
            info.manager_lid = self.manager.into();
            info.request_state(None);
            (x, Smp::set(&subnet.switch(x).route, Attribute::PortInfo, 0, info.to_data()))
        });
        self.exchange.run(&mut Batch::new(asks, |x: CrossbarId, answer| {
            expect(subnet, x.into(), Attribute::PortInfo, answer).map(|_| ())
        }))
    }

    /// What the ends of cables are to be told, except for their state.
    fn prepare(&self, ends: &mut [End]) {
        for pair in ends.chunks_exact_mut(2) {
            let (a, b) = (pair[0].info, pair[1].info);
            for (end, other) in pair.iter_mut().zip([b, a]) {
                if let NodeId::Host(host) = end.port.node {
                    end.info.set_single_lid(self.lids.host(host));
                    end.info.manager_lid = self.manager.into();
                }
                // Links in use keep what they agreed on.
                if end.info.state() == Some(PortState::Init) {
                    end.info.agree_with(&other);
                }
            }
        }
    }

    /// Writes all ends of cables; those that are one state short of `state` are to come to it.
    fn bring_to(&mut self, ends: &mut [End], state: PortState) -> Result<(), InfinibandError> {
        let subnet = self.subnet;
        let before = if state == PortState::Active { PortState::Armed } else { PortState::Init };
        let writes: Vec<(usize, PortId, Smp)> = ends
            .iter()
            .enumerate()
            // What is active has been told all in the first pass.
            .filter(|(_, end)| state == PortState::Armed || end.info.state() != Some(PortState::Active))
            .map(|(i, end)| {
                let mut info = end.info;
                info.request_state((info.state() == Some(before)).then_some(state));
                let (node, port) = subnet.place(end.port);
                (i, end.port, Smp::set(&node.route, Attribute::PortInfo, port.into(), info.to_data()))
            })
            .collect();
        let mut refused = Vec::new();
        let asks = writes.into_iter().map(|(i, port, smp)| ((i, port), smp));
        self.exchange.run(&mut Batch::new(asks, |(i, port): (usize, PortId), answer| {
            if let Err(Some(status)) = answer {
                refused.push((i, port, status));
                return Ok(());
            }
            ends[i].info = PortInfo::from_data(expect(subnet, port.node, Attribute::PortInfo, answer)?);
            Ok(())
        }))?;
        self.look_again(ends, state, &refused)
    }

    /// Reads ports that refused a state. One that has it already was asked twice, since its first answer was lost.
    fn look_again(
        &mut self,
        ends: &mut [End],
        state: PortState,
        refused: &[(usize, PortId, u16)],
    ) -> Result<(), InfinibandError> {
        let subnet = self.subnet;
        let asks = refused.iter().map(|&(i, port, status)| ((i, port, status), ask(subnet, port)));
        self.exchange.run(&mut Batch::new(asks, |(i, port, status): (usize, PortId, u16), answer| {
            let info = PortInfo::from_data(expect(subnet, port.node, Attribute::PortInfo, answer)?);
            ends[i].info = info;
            let has_it = info.state().is_some_and(|now| now >= state);
            if has_it { Ok(()) } else { expect(subnet, port.node, Attribute::PortInfo, Err(Some(status))).map(|_| ()) }
        }))
    }
}

/// Asks a port about itself.
fn ask(subnet: &Subnet, port: PortId) -> Smp {
    let (node, number) = subnet.place(port);
    Smp::get(&node.route, Attribute::PortInfo, number.into())
}

/// The attribute that a node answers, or who would not and why.
fn expect(
    subnet: &Subnet,
    node: NodeId,
    attribute: Attribute,
    answer: Result<[u8; DATA], Option<u16>>,
) -> Result<[u8; DATA], InfinibandError> {
    answer.map_err(|status| {
        let place = subnet.topology().node_name(node).to_owned();
        match status {
            Some(status) => InfinibandError::Refused { attribute, place, status },
            None => InfinibandError::Silent { attribute, place },
        }
    })
}

/// An error that names a port which is not active.
fn not_active(subnet: &Subnet, ends: &[End]) -> Result<(), InfinibandError> {
    let mut others = ends.iter().filter(|end| end.info.state() != Some(PortState::Active));
    let Some(first) = others.next() else { return Ok(()) };
    let first_name = subnet.topology().port_name(first.port).to_string();
    Err(InfinibandError::NotActive { count: others.count() + 1, first: first_name })
}
