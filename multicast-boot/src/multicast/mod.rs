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
//! | [`node`] | a node of a group: a machine for a process |
//!
//! The front end's machine is [`BootRoot::for_group`](crate::session::BootRoot::for_group).

pub mod code;
pub mod config;
mod flow;
mod gathering;
pub mod geometry;
mod needs;
pub mod node;
pub mod receiver;
pub mod sender;

#[cfg(test)]
mod hostile_tests;
#[cfg(test)]
mod lan;
#[cfg(test)]
mod session_tests;
#[cfg(test)]
mod tests;

pub use config::SenderConfig;
pub use geometry::Geometry;
pub use node::MulticastNode;
pub use receiver::{Receiver, ReceiverCounters};
pub use sender::{Sender, SenderCounters};
