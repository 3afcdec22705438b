//! Images, and how they reach every node.

pub mod cpio;
pub mod front_end;
pub mod image;
pub mod initramfs;
pub mod phase1;
pub mod session;
