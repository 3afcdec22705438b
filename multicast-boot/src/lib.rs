//! Images, and how they reach every node.

pub mod cpio;
pub mod image;
pub mod initramfs;
pub mod session;
