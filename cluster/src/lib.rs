//! Puts the crates together: brings a cluster up over its fabric.
//!
//! [`up`] is the main job, in phases: map the fabric, compute and prove routes, load them into the nodes, boot the image on
//! all nodes at once, and call the roll. It talks to the fabric through [`twowire_fabric::protocol::Port`] alone.
//! [`lab`] makes a cluster of virtual machines for it.
//! The other side, what runs on each node, is [`twowire_multicast_boot::phase1`].

pub mod cli;
pub mod job;
pub mod lab;
pub mod noded;
pub mod roll_call;
pub mod up;
