//! Images, and how they reach every node.

pub mod board;
pub mod cli;
pub mod cpio;
pub mod files;
pub mod front_end;
pub mod image;
pub mod init;
pub mod initramfs;
pub mod kexec;
pub mod membership;
pub mod multicast;
pub mod node_ranges;
pub mod phase1;
pub mod phase2;
pub mod search;
pub mod session;
