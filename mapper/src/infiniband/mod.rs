//! InfiniBand subnets: found, routed and brought up as a subnet manager does, by directed-route packets alone.
//!
//! Read the modules in this order; each knows only those above it.
//!
//! | module | what it is |
//! |---|---|
//! | [`smp`] | subnet management packets and their attributes (InfiniBand Architecture Specification, volume 1, chapter 14) |
//! | [`exchange`] | requests and answers through a window, with repeats; the trait of what carries them |
//! | [`ibsim`] | carries them to the simulator ibsim |
//! | [`umad`] | carries them by an InfiniBand port of this machine |
//! | [`discovery`] | finds all nodes and cables |
//! | [`subnet`] | what was found, as a topology |
//! | [`lids`] | who gets which local identifier |
//! | [`forwarding`] | the switches' linear forwarding tables, from proven routes |
//! | [`managers`] | other subnet managers, that are at work |
//! | [`install`] | writes identifiers and tables, and makes the ports active |
//! | [`text`] | OpenSM's file of forwarding tables, and ibsim's file of a network |

pub mod discovery;
mod error;
pub mod exchange;
pub mod forwarding;
pub mod ibsim;
pub mod install;
pub mod lids;
pub mod managers;
pub mod smp;
pub mod subnet;
pub mod text;
pub mod umad;

#[cfg(test)]
mod tests;

pub use error::InfinibandError;
