//! A subnet that answers packets as real nodes do: all that it knows of who asks is the packet.

use crate::infiniband::InfinibandError;
use crate::infiniband::exchange::{Arrival, SmpPort};
use crate::infiniband::smp::{
    Attribute, DATA, ENTRIES_PER_BLOCK, LAST_LID, ManagerState, NodeInfo, NodeKind, PortInfo, PortState, Smp,
    SwitchInfo,
};
use std::cell::RefCell;
use std::collections::{HashMap, HashSet, VecDeque};
use std::rc::Rc;
use twowire_fabric::topology::{CrossbarId, HostId, NodeId, PortId, Topology};

/// Status 7 of section 13.4.7: a field of the attribute, or its modifier, is not valid.
const INVALID: u16 = 0x1c;

/// The subnet's nodes, and what was written into them.
pub(super) struct Subnet {
    pub(super) topology: Topology,
    pub(super) guids: HashMap<NodeId, u64>,
    pub(super) ports: HashMap<(NodeId, u8), PortInfo>,
    pub(super) tables: HashMap<CrossbarId, Vec<u8>>,
    pub(super) tops: HashMap<CrossbarId, u16>,
    /// Subnet managers; one of no state has gone without a word.
    pub(super) managers: HashMap<NodeId, Option<ManagerState>>,
    /// Nodes that are locked by a key.
    locked: HashSet<NodeId>,
    /// Packets that went where nobody hears them.
    pub(super) unheard: usize,
    /// Nodes that answer nothing.
    pub(super) mute: HashSet<NodeId>,
    /// What all cards and switches can: the capacity of a table.
    pub(super) capacity: u16,
}

impl Subnet {
    pub(super) fn new(topology: &Topology) -> Subnet {
        let nodes = || {
            let hosts = topology.host_ids().map(NodeId::Host);
            hosts.chain(topology.crossbar_ids().map(NodeId::Crossbar))
        };
        let guids = nodes().enumerate().map(|(i, node)| (node, 0x1000 + 0x100 * i as u64)).collect();
        let mut ports = HashMap::new();
        for node in nodes() {
            ports.insert((node, 0), port_info(PortState::Active));
            for port in 0..topology.ports_of(node) {
                let cabled = topology.peer(PortId::new(node, port)).is_some();
                ports.insert((node, port + 1), port_info(if cabled { PortState::Init } else { PortState::Down }));
            }
        }
        let tables = topology.crossbar_ids().map(|x| (x, vec![0xff; usize::from(LAST_LID) + 1])).collect();
        Subnet {
            topology: topology.clone(),
            guids,
            ports,
            tables,
            tops: HashMap::new(),
            managers: HashMap::new(),
            locked: HashSet::new(),
            unheard: 0,
            mute: HashSet::new(),
            capacity: LAST_LID + 1,
        }
    }

    /// The other end of a cable, with the ports' InfiniBand numbers.
    fn peer(&self, node: NodeId, port: u8) -> Option<(NodeId, u8)> {
        let peer = self.topology.peer(PortId::new(node, port.checked_sub(1)?))?;
        Some((peer.node, peer.port + 1))
    }

    /// Walks a directed route from a host; where it ends and by which port it came in.
    fn walk(&self, from: HostId, route: &[u8]) -> Option<(NodeId, u8)> {
        let mut at = (NodeId::Host(from), 1);
        for (hop, &port) in route.iter().enumerate() {
            if hop > 0 && matches!(at.0, NodeId::Host(_)) {
                return None;
            }
            at = self.peer(at.0, port)?;
        }
        (!self.mute.contains(&at.0)).then_some(at)
    }

    /// Starts a subnet manager, which its port says.
    pub(super) fn manage(&mut self, node: NodeId, state: Option<ManagerState>) {
        let port = if matches!(node, NodeId::Host(_)) { 1 } else { 0 };
        let mut data = self.ports[&(node, port)].to_data();
        data[23] |= 0x02; // IsSM, the second bit of the abilities
        self.ports.insert((node, port), PortInfo::from_data(data));
        self.managers.insert(node, state);
    }

    /// Locks a node by a key, which its ports show if they protect it so little; what is written without it is dropped.
    pub(super) fn lock(&mut self, node: NodeId, protection: u8) {
        for (_, info) in self.ports.iter_mut().filter(|((of, _), _)| *of == node) {
            let mut data = info.to_data();
            data[7] = u8::from(protection == 0); // the lowest byte of M_Key
            data[34] |= protection << 6;
            *info = PortInfo::from_data(data);
        }
        self.locked.insert(node);
    }

    /// What a request gets; `None` where nobody hears it.
    pub(super) fn answer(&mut self, from: HostId, smp: &Smp) -> Option<Smp> {
        let Some((node, came_in)) = self.walk(from, smp.route()) else {
            self.unheard += 1;
            return None;
        };
        if smp.writes() && self.locked.contains(&node) {
            return None;
        }
        let (status, data) = match smp.attribute()? {
            Attribute::NodeInfo => (0, self.node_info(node, came_in).to_data()),
            Attribute::NodeDescription => {
                let mut data = [0; DATA];
                let name = self.topology.node_name(node).as_bytes();
                data[..name.len()].copy_from_slice(name);
                (0, data)
            }
            Attribute::SwitchInfo => self.switch_info(node, smp)?,
            Attribute::PortInfo => self.port_info(node, came_in, smp),
            Attribute::LinearForwardingTable => self.table(node, smp)?,
            Attribute::SubnetManagerInfo => {
                let mut data = [0; DATA];
                data[20] = 0xf0 | self.managers.get(&node).copied()?? as u8; // the highest priority
                (0, data)
            }
        };
        Some(smp.answer(status, data))
    }

    fn node_info(&self, node: NodeId, came_in: u8) -> NodeInfo {
        let guid = self.guids[&node];
        let (kind, port_guid) = match node {
            NodeId::Crossbar(_) => (NodeKind::Switch, guid),
            NodeId::Host(_) => (NodeKind::Adapter, guid + u64::from(came_in)),
        };
        NodeInfo { kind, ports: self.topology.ports_of(node), node_guid: guid, port_guid, local_port: came_in }
    }

    fn switch_info(&mut self, node: NodeId, smp: &Smp) -> Option<(u16, [u8; DATA])> {
        let NodeId::Crossbar(x) = node else { return None };
        if smp.writes() {
            self.tops.insert(x, SwitchInfo::from_data(smp.data).linear_top.get());
        }
        let mut info = SwitchInfo::from_data([0; DATA]);
        info.linear_capacity = self.capacity.into();
        info.linear_top = self.tops.get(&x).copied().unwrap_or(0).into();
        Some((0, info.to_data()))
    }

    fn table(&mut self, node: NodeId, smp: &Smp) -> Option<(u16, [u8; DATA])> {
        let NodeId::Crossbar(x) = node else { return None };
        let start = smp.modifier() as usize * ENTRIES_PER_BLOCK;
        let Some(block) = self.tables.get_mut(&x)?.get_mut(start..start + ENTRIES_PER_BLOCK) else {
            return Some((INVALID, [0; DATA]));
        };
        if smp.writes() {
            block.copy_from_slice(&smp.data);
        }
        Some((0, smp.data))
    }

    fn port_info(&mut self, node: NodeId, came_in: u8, smp: &Smp) -> (u16, [u8; DATA]) {
        let asked = smp.modifier() as u8;
        let port = if asked == 0 && matches!(node, NodeId::Host(_)) { came_in } else { asked };
        let Some(&now) = self.ports.get(&(node, port)) else { return (INVALID, [0; DATA]) };
        if !smp.writes() {
            return (0, now.to_data());
        }
        let mut next = PortInfo::from_data(smp.data);
        let state = match (now.state(), next.state()) {
            (state, None) => state,
            (Some(PortState::Init), Some(PortState::Armed)) => Some(PortState::Armed),
            // A link comes into use only when both its ends are armed.
            (Some(PortState::Armed), Some(PortState::Active)) if self.other_is_armed(node, port) => {
                Some(PortState::Active)
            }
            _ => return (INVALID, now.to_data()),
        };
        next.request_state(state);
        self.ports.insert((node, port), next);
        (0, next.to_data())
    }

    fn other_is_armed(&self, node: NodeId, port: u8) -> bool {
        let peer = self.peer(node, port).map(|peer| self.ports[&peer]);
        peer.is_some_and(|info| info.state() >= Some(PortState::Armed))
    }

    /// Where a packet for an identifier ends that a host sends, as the switches forward it; `None` if it is dropped.
    pub(super) fn send(&self, from: HostId, lid: u16) -> Option<NodeId> {
        let mut at = self.peer(from.into(), 1)?;
        for _ in 0..=self.topology.crossbars().len() {
            let NodeId::Crossbar(x) = at.0 else { break };
            let out = if lid <= self.tops[&x] { self.tables[&x][usize::from(lid)] } else { 0xff };
            if out == 0 {
                return (self.ports[&(at.0, 0)].lid.get() == lid).then_some(at.0);
            }
            let active = |end| self.ports.get(&end).is_some_and(|i: &PortInfo| i.state() == Some(PortState::Active));
            if !active((at.0, out)) {
                return None;
            }
            at = self.peer(at.0, out)?;
        }
        (self.ports[&at].lid.get() == lid).then_some(at.0)
    }
}

/// What a port says after its machine was switched on.
fn port_info(state: PortState) -> PortInfo {
    let mut data = [0; DATA];
    data[37] = 0x40; // four virtual lanes' worth
    data[41] = 0x04; // packets of 2,048 bytes
    let mut info = PortInfo::from_data(data);
    info.request_state(Some(state));
    info
}

/// A way into a subnet, at a host: answers come late and in order, and some are lost.
pub(super) struct Wire {
    pub(super) subnet: Rc<RefCell<Subnet>>,
    pub(super) at: HostId,
    answers: VecDeque<Smp>,
    random: fastrand::Rng,
    loss: f64,
}

impl Wire {
    pub(super) fn new(subnet: &Rc<RefCell<Subnet>>, at: HostId, loss: f64, seed: u64) -> Wire {
        let random = fastrand::Rng::with_seed(seed);
        Wire { subnet: Rc::clone(subnet), at, answers: VecDeque::new(), random, loss }
    }
}

impl SmpPort for Wire {
    fn window(&self) -> usize {
        8
    }

    fn tells_of_loss(&self) -> bool {
        true
    }

    fn send(&mut self, smp: &Smp) -> Result<(), InfinibandError> {
        // Half of what is lost is lost on its way there, the other half on its way back.
        if self.random.f64() < self.loss / 2.0 {
            return Ok(());
        }
        let answer = self.subnet.borrow_mut().answer(self.at, smp);
        if self.random.f64() >= self.loss / 2.0 {
            self.answers.extend(answer);
        }
        assert!(self.answers.len() <= self.window(), "more is on its way than the window allows");
        Ok(())
    }

    fn receive(&mut self) -> Result<Option<Arrival>, InfinibandError> {
        Ok(self.answers.pop_front().map(|smp| Arrival::Answer(Box::new(smp))))
    }
}
