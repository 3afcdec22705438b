//! The graph of a fabric: crossbars, hosts, and the cables between their ports.
//!
//! [`Topology`] is the graph; [`generate`] makes well-known ones and [`transform`] changes them;
//! the `.topo` text is [`Topology::parse`] and `Display`; [`lockstep`] says what corresponds to what in two topologies.

pub mod generate;
mod graph;
pub mod lockstep;
mod text;
pub mod transform;

pub use graph::{
    Cable, Crossbar, CrossbarId, Host, HostId, MAX_RADIX, NodeId, PortId, PortName, Topology, TopologyError,
};
pub use text::{Shown, TopoFault, TopoFileError, TopoParseError, read_file};
