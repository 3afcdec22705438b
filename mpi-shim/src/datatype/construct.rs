//! The constructors of derived types, except of arrays.
//!
//! Counts and displacements come as 64 bits; which form of the constructor was called matters for the contents only.

use super::contents::{Contents, Form};
use super::typemap::{Block, TypeMap};
use super::{Core, Datatype, bounds::too_large};
use crate::abi::{
    MPI_COMBINER_CONTIGUOUS, MPI_COMBINER_DUP, MPI_COMBINER_HINDEXED, MPI_COMBINER_HINDEXED_BLOCK,
    MPI_COMBINER_HVECTOR, MPI_COMBINER_INDEXED, MPI_COMBINER_INDEXED_BLOCK, MPI_COMBINER_RESIZED, MPI_COMBINER_STRUCT,
    MPI_COMBINER_VECTOR, MPI_ERR_ARG, MPI_ERR_COUNT,
};
use crate::error::{Error, Result};
use std::sync::Arc;

/// A count of elements or blocks.
pub(super) fn checked_count(count: i64) -> Result<usize> {
    let bad = || Error::new(MPI_ERR_COUNT, format!("a count of {count} where 0 or more is expected"));
    usize::try_from(count).map_err(|_| bad())
}

fn checked_block_length(length: i64) -> Result<usize> {
    let bad = || Error::new(MPI_ERR_ARG, format!("a block length of {length} where 0 or more is expected"));
    usize::try_from(length).map_err(|_| bad())
}

/// The unit of displacements and strides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Unit {
    Elements,
    Bytes,
}

impl Unit {
    fn to_bytes(self, value: i64, extent: isize) -> Result<isize> {
        match self {
            Self::Bytes => Ok(value as isize),
            Self::Elements => (value as isize).checked_mul(extent).ok_or_else(|| too_large("a displacement")),
        }
    }
}

impl Datatype {
    /// The same type again (`MPI_Type_dup`), as far as attributes are left aside.
    pub fn duplicate(&self) -> Result<Self> {
        let contents = Contents::new(MPI_COMBINER_DUP).types([self]);
        let copy = Self::of_core(Core::new(self.core.map.clone(), contents, self.core.role)?);
        if self.is_committed() {
            copy.commit();
        }
        Ok(copy)
    }

    /// `count` elements side by side.
    pub fn contiguous(&self, form: Form, count: i64) -> Result<Self> {
        let map = self.core.map.contiguous(checked_count(count)?)?;
        Self::derived(map, Contents::new(MPI_COMBINER_CONTIGUOUS).counts(form, &[count]).types([self]))
    }

    /// `count` blocks whose beginnings are `stride` extents apart.
    pub fn vector(&self, form: Form, count: i64, block_length: i64, stride: i64) -> Result<Self> {
        let map = self.vector_map(Unit::Elements, count, block_length, stride)?;
        let contents = Contents::new(MPI_COMBINER_VECTOR).counts(form, &[count, block_length, stride]);
        Self::derived(map, contents.types([self]))
    }

    /// `count` blocks whose beginnings are `stride` bytes apart.
    pub fn hvector(&self, form: Form, count: i64, block_length: i64, stride: i64) -> Result<Self> {
        let map = self.vector_map(Unit::Bytes, count, block_length, stride)?;
        let contents = Contents::new(MPI_COMBINER_HVECTOR).counts(form, &[count, block_length]);
        Self::derived(map, contents.bytes(form, &[stride]).types([self]))
    }

    fn vector_map(&self, unit: Unit, count: i64, block_length: i64, stride: i64) -> Result<TypeMap> {
        let (count, block_length) = (checked_count(count)?, checked_block_length(block_length)?);
        let block = self.core.map.contiguous(block_length)?;
        block.repeated(count, unit.to_bytes(stride, self.extent())?)
    }

    /// Blocks of these lengths at these displacements, in extents.
    pub fn indexed(&self, form: Form, lengths: &[i64], displacements: &[i64]) -> Result<Self> {
        let map = self.blocks_map(Unit::Elements, lengths, displacements)?;
        let contents = Contents::new(MPI_COMBINER_INDEXED).counts(form, &[lengths.len() as i64]);
        let contents = contents.counts(form, lengths).counts(form, displacements);
        Self::derived(map, contents.types([self]))
    }

    /// Blocks of these lengths at these displacements, in bytes.
    pub fn hindexed(&self, form: Form, lengths: &[i64], displacements: &[i64]) -> Result<Self> {
        let map = self.blocks_map(Unit::Bytes, lengths, displacements)?;
        let contents = Contents::new(MPI_COMBINER_HINDEXED).counts(form, &[lengths.len() as i64]);
        let contents = contents.counts(form, lengths).bytes(form, displacements);
        Self::derived(map, contents.types([self]))
    }

    /// Blocks of one length at these displacements, in extents.
    pub fn indexed_block(&self, form: Form, length: i64, displacements: &[i64]) -> Result<Self> {
        let map = self.blocks_map(Unit::Elements, &[length], displacements)?;
        let contents = Contents::new(MPI_COMBINER_INDEXED_BLOCK).counts(form, &[displacements.len() as i64, length]);
        Self::derived(map, contents.counts(form, displacements).types([self]))
    }

    /// Blocks of one length at these displacements, in bytes.
    pub fn hindexed_block(&self, form: Form, length: i64, displacements: &[i64]) -> Result<Self> {
        let map = self.blocks_map(Unit::Bytes, &[length], displacements)?;
        let contents = Contents::new(MPI_COMBINER_HINDEXED_BLOCK).counts(form, &[displacements.len() as i64, length]);
        Self::derived(map, contents.bytes(form, displacements).types([self]))
    }

    /// `lengths` has one entry for each displacement, or a single one for all of them.
    fn blocks_map(&self, unit: Unit, lengths: &[i64], displacements: &[i64]) -> Result<TypeMap> {
        let every = lengths.iter().copied().cycle();
        let mut blocks = Vec::with_capacity(displacements.len());
        for (length, &displacement) in every.zip(displacements) {
            let displacement = unit.to_bytes(displacement, self.extent())?;
            blocks.push(Block { displacement, count: checked_block_length(length)?, map: &self.core.map });
        }
        TypeMap::sequence(blocks.iter().copied())
    }

    /// Blocks of these lengths, at these displacements in bytes, each of its own type.
    pub fn structure(form: Form, lengths: &[i64], displacements: &[i64], types: &[Arc<Self>]) -> Result<Self> {
        let mut blocks = Vec::with_capacity(types.len());
        for ((&length, &displacement), datatype) in lengths.iter().zip(displacements).zip(types) {
            let count = checked_block_length(length)?;
            blocks.push(Block { displacement: displacement as isize, count, map: &datatype.core.map });
        }
        let map = TypeMap::sequence(blocks.iter().copied())?;
        let contents = Contents::new(MPI_COMBINER_STRUCT).counts(form, &[lengths.len() as i64]);
        let contents = contents.counts(form, lengths).bytes(form, displacements);
        Self::derived(map, contents.types(types.iter().map(Arc::as_ref)))
    }

    /// The same data with new bounds.
    pub fn resized(&self, form: Form, lower: i64, extent: i64) -> Result<Self> {
        let map = self.core.map.resized(lower as isize, extent as isize)?;
        Self::derived(map, Contents::new(MPI_COMBINER_RESIZED).bytes(form, &[lower, extent]).types([self]))
    }
}
