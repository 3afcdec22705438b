//! Native multicast: the image to all nodes at once, where the fabric replicates frames.
//!
//! The document is `docs/boot-protocol.md`, section "Native multicast". Everything here is sans-IO.
//!
//! | module | what it is |
//! |---|---|
//! | [`geometry`] | how an image is cut into blocks and symbols |
//! | [`code`] | parity symbols |
//! | [`config`], `flow` | how much may be on its way, and how losses are seen |
//! | `needs`, [`sender`] | what is lacking, and who sends it |
//! | `gathering`, [`receiver`] | the image as it comes |
//! | `node` | a node's mover: the side towards the session |
//!
//! The machines for a process are [`BootRoot::for_group`](crate::session::BootRoot::for_group) and
//! [`BootNode::for_group`](crate::session::BootNode::for_group).

pub mod code;
pub mod config;
mod flow;
mod gathering;
pub mod geometry;
mod needs;
mod node;
pub mod receiver;
pub mod sender;

#[cfg(test)]
mod hostile_tests;
#[cfg(test)]
pub(crate) mod lan;
#[cfg(test)]
mod membership_tests;
#[cfg(test)]
mod session_tests;
#[cfg(test)]
mod tests;

pub use config::SenderConfig;
pub use geometry::Geometry;
pub(crate) use node::GroupNode;
pub use receiver::{Receiver, ReceiverCounters};
pub use sender::{Sender, SenderCounters};
