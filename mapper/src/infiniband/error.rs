//! Why a subnet is not found or not brought up.

use super::smp::{Attribute, LAST_LID, MAX_HOPS, ManagerState};
use super::umad::UmadError;
use std::io;
use twowire_fabric::topology::TopologyError;

/// Why a subnet is not found or not brought up.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum InfinibandError {
    /// No simulator.
    #[error(
        "no ibsim listens at the abstract socket `{name}`: start it, as in `ibsim -s -n NET`; if it has a socket of another \
         name, set IBSIM_SOCKNAME as for ibsim itself ({source})"
    )]
    NoIbsim {
        /// Where it was expected.
        name: String,
        /// What the system says.
        source: io::Error,
    },
    /// The simulator does not let us in.
    #[error("ibsim has no node `{0}`, or no place for one more client: give a node of its network file")]
    NoNode(String),
    /// A port of this machine.
    #[error(transparent)]
    Umad(#[from] UmadError),
    /// Sending or receiving.
    #[error("the connection to the subnet broke: {0}")]
    Io(#[from] io::Error),
    /// The node at the start of all routes says nothing.
    #[error("the node to start from does not answer")]
    NoStart,
    /// The start has no link.
    #[error("port {port} of `{node}` has no link: plug in its cable, or start from another node")]
    NoLink {
        /// Where discovery started.
        node: String,
        /// Its port.
        port: u8,
    },
    /// A node that answered before does so no more.
    #[error("`{place}` does not answer any more when it is asked for its {attribute}: run the mapper again")]
    Silent {
        /// What was asked.
        attribute: Attribute,
        /// Who.
        place: String,
    },
    /// A node refuses something.
    #[error("`{place}` refuses its {attribute} with status {status:#06x}")]
    Refused {
        /// What was asked.
        attribute: Attribute,
        /// Who.
        place: String,
        /// Its answer.
        status: u16,
    },
    /// A node of a type that does not exist.
    #[error("node {0:#018x} says that it is of type {1}: expected 1 (adapter), 2 (switch) or 3 (router)")]
    NodeType(u64, u8),
    /// A node with ports that cannot be.
    #[error("node {guid:#018x} says that it has {ports} ports, and that a packet came in by port {local_port}")]
    NodePorts {
        /// The node.
        guid: u64,
        /// How many it says that it has.
        ports: u8,
        /// Where it says that it was asked.
        local_port: u8,
    },
    /// Two nodes of one GUID.
    #[error(
        "node GUID {guid:#018x} answers in two places, at the ends of the directed routes {} and {}: give one of the two \
         a GUID of its own; if a cable was moved just now, run the mapper again", places[0], places[1]
    )]
    DuplicateGuid {
        /// The GUID.
        guid: u64,
        /// A directed route to each of the two.
        places: Box<[String; 2]>,
    },
    /// A chain of switches that no directed route spans.
    #[error(
        "a node is more than {MAX_HOPS} cables away, which no directed route spans: start from a node nearer the middle"
    )]
    TooFar,
    /// A switch that the topology cannot hold.
    #[error("the subnet does not make a topology: {0}")]
    Topology(#[from] TopologyError),
    /// More ports than identifiers.
    #[error("the subnet has {0} ports that need a local identifier: InfiniBand has {LAST_LID}")]
    TooManyLids(usize),
    /// A table that is too small.
    #[error("the forwarding table of `{place}` has {capacity} entries: {needed} are needed")]
    TableTooSmall {
        /// The switch.
        place: String,
        /// What it has.
        capacity: u16,
        /// What the subnet needs.
        needed: u16,
    },
    /// Somebody else's subnet.
    #[error(
        "the subnet manager of `{place}` is at work ({state}): nothing was written; stop it first, as by `systemctl stop opensm` there"
    )]
    Managed {
        /// The node where it runs.
        place: String,
        /// What it is doing.
        state: ManagerState,
    },
    /// A node that somebody has locked.
    #[error(
        "`{0}` is locked by the key (M_Key) of a subnet manager: nothing was written; let that one set the key to zero, as OpenSM \
         does with `m_key 0x0000000000000000` in its options, or switch the node off and on"
    )]
    Locked(String),
    /// A port that does not come up.
    #[error("{} ports did not become active; the first is {first}", .count)]
    NotActive {
        /// How many.
        count: usize,
        /// One of them.
        first: String,
    },
}
