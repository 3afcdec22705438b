//! Images, and how they reach every node.

pub mod image;
