//! Directed-route subnet management packets and the attributes that the mapper reads and writes.
//!
//! Layouts are those of the InfiniBand Architecture Specification, volume 1, sections 14.2.1.2 and 14.2.5. Every field is
//! big-endian. Parsing never panics: a layout takes any bytes, and what has only some valid values is checked.

use super::error::InfinibandError;
use std::fmt;
use zerocopy::big_endian::{U16, U32, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// The most cables that a directed route may have.
pub const MAX_HOPS: usize = 63;

/// Bytes of an attribute.
pub const DATA: usize = 64;

/// A switch's forwarding table is read and written so many entries at a time.
pub const ENTRIES_PER_BLOCK: usize = 64;

/// The last local identifier of a single port; those above are for multicast.
pub const LAST_LID: u16 = 0xbfff;

/// The entry of a forwarding table for identifiers that no port has.
pub const NO_PORT: u8 = 0xff;

/// What a packet is about: its attribute identifier.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u16)]
pub enum Attribute {
    /// The text that people gave the node.
    NodeDescription = 0x10,
    /// What the node is.
    NodeInfo = 0x11,
    /// What a switch can do, and the end of its forwarding table.
    SwitchInfo = 0x12,
    /// One port: identifier, state, abilities. The modifier is the port's number.
    PortInfo = 0x15,
    /// 64 entries of a switch's forwarding table. The modifier is the block's number.
    LinearForwardingTable = 0x19,
    /// What a subnet manager at a port is doing.
    SubnetManagerInfo = 0x20,
}

impl fmt::Display for Attribute {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

const BASE_VERSION: u8 = 1;
const DIRECTED_ROUTE: u8 = 0x81;
const CLASS_VERSION: u8 = 1;
const GET: u8 = 0x01;
const SET: u8 = 0x02;
const GET_RESPONSE: u8 = 0x81;
/// In the status of a directed-route packet: this one is on its way back.
const DIRECTION: u16 = 0x8000;
/// Instead of an identifier: the whole way is a directed route.
const PERMISSIVE: u16 = 0xffff;

/// A directed-route subnet management packet, as it is on the wire.
///
/// ```text
/// 0       base version, class, class version, method
/// 4       status (direction in its first bit), hop pointer, hop count
/// 8       transaction
/// 16      attribute, reserved, modifier
/// 24      M_Key
/// 32      DrSLID, DrDLID, 28 reserved bytes
/// 64      the attribute
/// 128     the ports by which the packet leaves each node, from index 1
/// 192     the ports by which the answer leaves
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct Smp {
    base_version: u8,
    class: u8,
    class_version: u8,
    method: u8,
    status: U16,
    hop_pointer: u8,
    hop_count: u8,
    transaction: U64,
    attribute: U16,
    reserved: U16,
    modifier: U32,
    m_key: U64,
    dr_slid: U16,
    dr_dlid: U16,
    reserved_2: [u8; 28],
    /// The attribute.
    pub data: [u8; DATA],
    initial_path: [u8; 64],
    return_path: [u8; 64],
}

/// Bytes of a packet.
pub const SMP_SIZE: usize = size_of::<Smp>();

impl Smp {
    /// Asks the node at the end of a directed route for an attribute.
    ///
    /// # Panics
    /// If the route has more than [`MAX_HOPS`] hops.
    pub fn get(route: &[u8], attribute: Attribute, modifier: u32) -> Smp {
        Smp::request(GET, route, attribute, modifier, [0; DATA])
    }

    /// Writes an attribute of the node at the end of a directed route.
    ///
    /// # Panics
    /// If the route has more than [`MAX_HOPS`] hops.
    pub fn set(route: &[u8], attribute: Attribute, modifier: u32, data: [u8; DATA]) -> Smp {
        Smp::request(SET, route, attribute, modifier, data)
    }

    fn request(method: u8, route: &[u8], attribute: Attribute, modifier: u32, data: [u8; DATA]) -> Smp {
        assert!(route.len() <= MAX_HOPS, "a directed route has at most {MAX_HOPS} hops");
        let mut initial_path = [0; 64];
        initial_path[1..=route.len()].copy_from_slice(route);
        Smp {
            base_version: BASE_VERSION,
            class: DIRECTED_ROUTE,
            class_version: CLASS_VERSION,
            method,
            status: U16::ZERO,
            hop_pointer: 0,
            hop_count: route.len() as u8,
            transaction: U64::ZERO,
            attribute: (attribute as u16).into(),
            reserved: U16::ZERO,
            modifier: modifier.into(),
            m_key: U64::ZERO,
            dr_slid: PERMISSIVE.into(),
            dr_dlid: PERMISSIVE.into(),
            reserved_2: [0; 28],
            data,
            initial_path,
            return_path: [0; 64],
        }
    }

    /// The answer that bytes from the subnet are; `None` if they are something else, as a trap or another's request.
    pub fn parse_answer(bytes: &[u8]) -> Option<Smp> {
        let smp = Smp::read_from_bytes(bytes).ok()?;
        let ours =
            smp.base_version == BASE_VERSION && smp.class == DIRECTED_ROUTE && smp.class_version == CLASS_VERSION;
        (ours && smp.method == GET_RESPONSE).then_some(smp)
    }

    /// The number of the request in a packet of which perhaps only the header is left.
    pub fn transaction_in(bytes: &[u8]) -> Option<u32> {
        let transaction = bytes.get(12..16)?.try_into().ok()?;
        Some(u32::from_be_bytes(transaction))
    }

    /// The number of the request; carriers may change its upper half.
    pub fn transaction(&self) -> u32 {
        self.transaction.get() as u32
    }

    /// Numbers the request.
    pub fn set_transaction(&mut self, transaction: u32) {
        self.transaction = u64::from(transaction).into();
    }

    /// What the node says of the request: 0 if it was carried out.
    pub fn status(&self) -> u16 {
        self.status.get() & !DIRECTION
    }

    /// The ports by which the request leaves each node.
    pub fn route(&self) -> &[u8] {
        &self.initial_path[1..=usize::from(self.hop_count).min(MAX_HOPS)]
    }

    /// What the packet is about, if it is something that the mapper knows.
    pub fn attribute(&self) -> Option<Attribute> {
        use Attribute::*;
        let known = [NodeDescription, NodeInfo, SwitchInfo, PortInfo, LinearForwardingTable, SubnetManagerInfo];
        known.into_iter().find(|&attribute| attribute as u16 == self.attribute.get())
    }

    /// The attribute's modifier.
    pub fn modifier(&self) -> u32 {
        self.modifier.get()
    }

    /// True of a request that writes.
    pub fn writes(&self) -> bool {
        self.method == SET
    }

    /// The answer to this request.
    #[cfg(test)]
    pub(super) fn answer(mut self, status: u16, data: [u8; DATA]) -> Smp {
        self.method = GET_RESPONSE;
        self.status = (status | DIRECTION).into();
        self.data = data;
        self
    }
}

/// What a node is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NodeKind {
    /// A channel adapter: a host's card; a router too, as seen from this subnet.
    Adapter,
    /// A switch.
    Switch,
}

/// The attribute NodeInfo.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NodeInfo {
    /// What the node is.
    pub kind: NodeKind,
    /// The number of its ports; they count from 1, and a switch has a port 0 for its management as well.
    pub ports: u8,
    /// Which node it is.
    pub node_guid: u64,
    /// The port by which the request came in; of a switch its port 0.
    pub port_guid: u64,
    /// The number of the port by which the request came in.
    pub local_port: u8,
}

#[derive(FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
struct NodeInfoBytes {
    base_version: u8,
    class_version: u8,
    kind: u8,
    ports: u8,
    system_guid: U64,
    node_guid: U64,
    port_guid: U64,
    partition_cap: U16,
    device: U16,
    revision: U32,
    local_port: u8,
    vendor: [u8; 3],
    reserved: [u8; 24],
}

impl NodeInfo {
    /// Checks an attribute.
    pub fn parse(data: &[u8; DATA]) -> Result<NodeInfo, InfinibandError> {
        let raw: NodeInfoBytes = zerocopy::transmute!(*data);
        let kind = match raw.kind {
            1 | 3 => NodeKind::Adapter,
            2 => NodeKind::Switch,
            other => return Err(InfinibandError::NodeType(raw.node_guid.get(), other)),
        };
        let (ports, local_port) = (raw.ports, raw.local_port);
        if ports == 0 || ports == u8::MAX || local_port > ports || (local_port == 0 && kind == NodeKind::Adapter) {
            return Err(InfinibandError::NodePorts { guid: raw.node_guid.get(), ports, local_port });
        }
        Ok(NodeInfo { kind, ports, node_guid: raw.node_guid.get(), port_guid: raw.port_guid.get(), local_port })
    }

    #[cfg(test)]
    pub(super) fn to_data(self) -> [u8; DATA] {
        zerocopy::transmute!(NodeInfoBytes {
            base_version: 1,
            class_version: 1,
            kind: if self.kind == NodeKind::Switch { 2 } else { 1 },
            ports: self.ports,
            system_guid: self.node_guid.into(),
            node_guid: self.node_guid.into(),
            port_guid: self.port_guid.into(),
            partition_cap: 1.into(),
            device: U16::ZERO,
            revision: U32::ZERO,
            local_port: self.local_port,
            vendor: [0; 3],
            reserved: [0; 24],
        })
    }
}

/// The text of the attribute NodeDescription.
pub fn node_description(data: &[u8; DATA]) -> String {
    let text = data.split(|&byte| byte == 0).next().unwrap_or_default();
    String::from_utf8_lossy(text).trim().to_owned()
}

/// The attribute SwitchInfo. Fields that the mapper does not know stay as they were read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct SwitchInfo {
    /// How many entries the forwarding table may have.
    pub linear_capacity: U16,
    random_and_multicast_capacity: [u8; 4],
    /// The last entry that is looked at.
    pub linear_top: U16,
    default_ports: [u8; 3],
    life_time_and_change: u8,
    rest: [u8; 52],
}

impl SwitchInfo {
    /// Any bytes are one.
    pub fn from_data(data: [u8; DATA]) -> SwitchInfo {
        zerocopy::transmute!(data)
    }

    /// As it is sent.
    pub fn to_data(self) -> [u8; DATA] {
        zerocopy::transmute!(self)
    }

    /// The bit by which a switch says that a port has changed: writing it as 1 clears it.
    pub fn acknowledge_change(&mut self) {
        self.life_time_and_change |= 0x04;
    }
}

/// The state of a port's link.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum PortState {
    /// Nothing at the other end, or it is switched off.
    Down = 1,
    /// The link is there; only management packets go.
    Init = 2,
    /// Set up, and waiting for the other end.
    Armed = 3,
    /// In use.
    Active = 4,
}

/// In a port's abilities: a subnet manager runs there.
const HAS_MANAGER: u32 = 1 << 1;

/// The attribute PortInfo. Fields that the mapper does not know stay as they were read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct PortInfo {
    m_key: U64,
    gid_prefix: U64,
    /// The port's local identifier; 0 if it has none.
    pub lid: U16,
    /// The identifier of the subnet manager's port.
    pub manager_lid: U16,
    capabilities: U32,
    diagnostics: U16,
    m_key_lease: U16,
    local_port: u8,
    widths: [u8; 3],
    speed_and_state: u8,
    physical_state: u8,
    protection_and_lmc: u8,
    speeds: u8,
    mtu_and_manager_level: u8,
    lanes: u8,
    lane_limits: [u8; 3],
    largest_mtu: u8,
    stall: u8,
    lanes_in_use: u8,
    rest: [u8; 20],
}

impl PortInfo {
    /// Any bytes are one.
    pub fn from_data(data: [u8; DATA]) -> PortInfo {
        zerocopy::transmute!(data)
    }

    /// As it is sent.
    pub fn to_data(self) -> [u8; DATA] {
        zerocopy::transmute!(self)
    }

    /// The state of the link; `None` for a value that is none.
    pub fn state(&self) -> Option<PortState> {
        use PortState::*;
        [Down, Init, Armed, Active].into_iter().find(|&state| state as u8 == self.speed_and_state & 0x0f)
    }

    /// True if a subnet manager has this port.
    pub fn has_manager(&self) -> bool {
        self.capabilities.get() & HAS_MANAGER != 0
    }

    /// True if only who knows the port's key, the M_Key, may write what its node has. A node shows its key, or only how well it is
    /// protected, in the upper two bits beside the LMC (section 14.2.4).
    pub fn is_locked(&self) -> bool {
        self.m_key.get() != 0 || self.protection_and_lmc >> 6 != 0
    }

    /// Asks for a state; `None` leaves it as it is. The physical state is left as it is in any case.
    pub fn request_state(&mut self, state: Option<PortState>) {
        self.speed_and_state = self.speed_and_state & 0xf0 | state.map_or(0, |state| state as u8);
        self.physical_state = 0;
    }

    /// Makes a port answer to one identifier only.
    pub fn set_single_lid(&mut self, lid: u16) {
        self.lid = lid.into();
        self.protection_and_lmc &= !0x07;
    }

    /// Uses the longest packets and the most virtual lanes that both this port and the other end can.
    pub fn agree_with(&mut self, other: &PortInfo) {
        let mtu = (self.largest_mtu & 0x0f).min(other.largest_mtu & 0x0f);
        let lanes = (self.lanes >> 4).min(other.lanes >> 4);
        self.mtu_and_manager_level = mtu << 4 | self.mtu_and_manager_level & 0x0f;
        self.lanes_in_use = lanes << 4 | self.lanes_in_use & 0x0f;
    }
}

/// What a subnet manager is doing, by the attribute SubnetManagerInfo.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum ManagerState {
    /// Nothing, by somebody's wish.
    Resting = 0,
    /// Finding the subnet.
    Discovering = 1,
    /// Waiting for the master to fail.
    Standby = 2,
    /// Ruling the subnet.
    Master = 3,
}

impl fmt::Display for ManagerState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            ManagerState::Resting => "not active",
            ManagerState::Discovering => "discovering",
            ManagerState::Standby => "standby",
            ManagerState::Master => "master",
        })
    }
}

impl ManagerState {
    /// Where the attribute has the state: in the lower half of this byte, below the priority.
    const OFFSET: usize = 20;

    /// The state in an attribute; `None` for a value that is none.
    pub fn from_data(data: &[u8; DATA]) -> Option<ManagerState> {
        use ManagerState::*;
        let state = data[ManagerState::OFFSET] & 0x0f;
        [Resting, Discovering, Standby, Master].into_iter().find(|&known| known as u8 == state)
    }
}
