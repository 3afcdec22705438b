//! The graph of a fabric: crossbars, hosts, and the cables between their ports.
//!
//! [`Topology`] is the graph; [`generate`] makes well-known ones; the `.topo` text is [`Topology::parse`] and `Display`.

pub mod generate;
mod graph;
mod text;

pub use graph::{
    Cable, Crossbar, CrossbarId, Host, HostId, MAX_RADIX, NodeId, PortId, PortName, Topology, TopologyError,
};
pub use text::{Shown, TopoFault, TopoFileError, TopoParseError, read_file};
