//! The image along two trees laid over a mapped, source-routed fabric.
//!
//! | module | what it is |
//! |---|---|
//! | [`pair_trees`] | the arithmetic of the two trees |
//! | [`cabling`], `layout` | the fabric under the trees, and how they are laid on it |
//! | `forwarder`, `child`, `feed` | an attachment, seen from the parent and from the child |
//! | `holdups` | when a sender pauses, so that its frames do not queue in the fabric |
//! | `root`, `adoption` | the front end: feeds the tops, and finds new parents |
//! | `node` | a node: is fed, and feeds |

mod adoption;
pub mod cabling;
mod child;
mod feed;
mod forwarder;
mod holdups;
mod layout;
mod node;
pub mod pair_trees;
mod root;

#[cfg(test)]
mod attachment_tests;

pub use cabling::{PairRoutes, Plan};
pub(crate) use node::TreeNode;
pub(crate) use root::TreeRoot;
