//! Operations of reductions.
use std::sync::Arc;

/// An operation.
#[derive(Debug)]
pub struct Op {
    /// Whether the order of its arguments is free.
    pub commutative: bool,
}

/// The predefined operations, from `MPI_OP_NULL` on.
pub fn predefined() -> Vec<Option<Arc<Op>>> {
    vec![]
}
