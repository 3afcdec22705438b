//! Datatypes: how the elements of a message lie in memory.
mod memory;

use std::sync::Arc;

/// A datatype.
#[derive(Debug)]
pub struct Datatype {
    size: usize,
    extent: isize,
}

impl Datatype {
    /// Bytes of data in one element.
    #[inline]
    pub fn size(&self) -> usize {
        self.size
    }

    /// Bytes from one element's beginning to the next one's.
    #[inline]
    pub fn extent(&self) -> isize {
        self.extent
    }

    /// Where `count` elements are one run of bytes: its offset from the buffer's address, and its length.
    #[inline]
    pub fn contiguous_run(&self, count: usize) -> Option<(isize, usize)> {
        Some((0, self.size * count))
    }
}

/// The predefined datatypes, from `MPI_DATATYPE_NULL` on.
pub fn predefined() -> Vec<Option<Arc<Datatype>>> {
    let mut all = vec![None; 0x100];
    for (value, size) in [(0x209, 4), (0x20a, 8), (0x210, 4), (0x214, 8), (0x243, 1), (0x247, 1)] {
        all[value - 0x200] = Some(Arc::new(Datatype { size, extent: size as isize }));
    }
    all
}
