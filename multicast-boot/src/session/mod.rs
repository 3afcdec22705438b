//! The transfer of a signed image from the front end to all nodes, along two trees laid over the mapped fabric.
//!
//! The document is `docs/boot-protocol.md`. Everything here is sans-IO.
//!
//! | module | what it is |
//! |---|---|
//! | [`timing`] | how long things may take |
//! | [`stream`] | the order in which lists and chunks travel, in two halves |
//! | [`pair_trees`] | the arithmetic of the two trees |
//! | [`cabling`], `layout` | the fabric under the trees, and how they are laid on it |
//! | [`store`], `assembly`, `held` | the image as a node has it: growing, and whole |
//! | `forwarder`, `feed` | an attachment, seen from the parent and from the child |
//! | [`node`], [`node_state`] | a node |
//! | `member`, `adoption`, [`root`] | the front end |
//! | [`progress`] | what the front end knows of the nodes |

mod adoption;
mod assembly;
pub mod cabling;
mod feed;
mod forwarder;
mod held;
mod layout;
mod member;
pub mod node;
pub mod node_state;
pub mod pair_trees;
mod positions;
pub mod progress;
pub mod root;
pub mod store;
pub mod stream;
pub mod timing;

#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;

pub use cabling::{PairRoutes, Plan};
pub use held::HeldImage;
pub use node::BootNode;
pub use node_state::{NodeConfig, NodeCounters, NodeState};
pub use progress::{BootEvent, FailureReason, NodeFailure, Outcome, Progress, Reached};
pub use root::{BootRoot, RootConfig};
pub use store::{ChunkStore, ChunkStores, SharedStores};
pub use timing::Timing;
