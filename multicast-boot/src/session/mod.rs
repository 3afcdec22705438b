//! The transfer of a signed image from the front end to all nodes, along two trees laid over the mapped fabric.
//!
//! The document is `docs/boot-protocol.md`. Everything here is sans-IO.
//!
//! | module | what it is |
//! |---|---|
//! | [`timing`] | how long things may take |
//! | [`stream`] | the order in which lists and chunks travel, in two halves |
//! | [`store`], `assembly`, `held` | the image as a node has it: growing, and whole |
//! | [`root`] | the front end: who takes part, and how far they are |
//! | [`node`], [`node_state`] | a node |
//! | `mover` | what moves the bytes between them: the side towards the session |
//! | [`group`] | a mover: to all nodes at once, where the fabric replicates frames |
//! | [`trees`] | a mover: two trees laid over a source-routed fabric |
//! | [`service`] | several images over one port, each in a session of its own |
//! | [`progress`], [`strangers`] | what the front end knows of the nodes, and of those that are none |
//! | [`ready`] | what phase 2 says, and what it must know for it |

mod assembly;
mod client;
pub mod group;
mod held;
pub(crate) mod mover;
pub mod node;
pub mod node_state;
mod positions;
pub mod progress;
pub mod ready;
pub mod root;
pub mod service;
pub mod store;
pub mod strangers;
pub mod stream;
pub mod timing;
pub mod trees;

#[cfg(test)]
mod fallback_tests;
#[cfg(test)]
mod flood_tests;
#[cfg(test)]
mod membership_tests;
#[cfg(test)]
mod orphan_tests;
#[cfg(test)]
mod reuse_tests;
#[cfg(test)]
mod staggered_tests;
#[cfg(test)]
mod storms;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;

pub use client::BootClient;
pub use group::{FRONT_ENDS, GroupConfig, GroupError, NODES};
pub use held::HeldImage;
pub use node::{BootNode, Credentials, ImageRecord};
pub use node_state::{NodeConfig, NodeCounters, NodeState};
pub use progress::{BootEvent, FailureReason, NodeFailure, Outcome, Progress, Reached, StageTimes};
pub use ready::{ReadyReport, Ticket, TicketError};
pub use root::{BootRoot, Gate, RootConfig};
pub use service::{BootService, Boots, NodeView, ServedImage};
pub use store::{ChunkStore, ChunkStores, SharedStores};
pub use timing::Timing;
pub use trees::{PairRoutes, Plan};
