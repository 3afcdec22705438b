//! The graph of a fabric: crossbars, hosts, and the cables between their ports.

mod graph;

pub use graph::{
    Cable, Crossbar, CrossbarId, Host, HostId, MAX_RADIX, NodeId, PortId, PortName, Topology, TopologyError,
};
