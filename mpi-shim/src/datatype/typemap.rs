//! A type map: bounds, layout and signature, which every constructor builds together.

use super::basic::Basic;
use super::bounds::{Bounds, too_large};
use super::layout::Layout;
use super::predefined::Shape;
use super::signature::Signature;
use crate::error::Result;

/// What the standard calls a type map.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct TypeMap {
    pub(super) bounds: Bounds,
    pub(super) layout: Layout,
    pub(super) signature: Signature,
}

/// `count` elements of `map` at `displacement`, in bytes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Block<'a> {
    pub(super) displacement: isize,
    pub(super) count: usize,
    pub(super) map: &'a TypeMap,
}

impl TypeMap {
    /// No elements.
    pub(super) const EMPTY: Self = Self { bounds: Bounds::EMPTY, layout: Layout::Empty, signature: Signature::Empty };

    /// That of a predefined type.
    pub(super) fn of_shape(shape: Shape) -> Result<Self> {
        match shape {
            Shape::One(basic) => Ok(Self::of_basic(basic)),
            Shape::Pair(value, index) => {
                let displacement = value.size().next_multiple_of(index.alignment()) as isize;
                let (value, index) = (Self::of_basic(value), Self::of_basic(index));
                Self::sequence([
                    Block { displacement: 0, count: 1, map: &value },
                    Block { displacement, count: 1, map: &index },
                ])
            }
        }
    }

    fn of_basic(basic: Basic) -> Self {
        Self {
            bounds: Bounds::block(basic.size(), basic.alignment()),
            layout: Layout::run(basic.size()),
            signature: Signature::One(basic),
        }
    }

    /// Bytes of data.
    pub(super) fn size(&self) -> usize {
        self.layout.size()
    }

    /// `count` copies, each `stride` bytes after the one before.
    pub(super) fn repeated(&self, count: usize, stride: isize) -> Result<Self> {
        if count == 0 {
            return Ok(Self::EMPTY);
        }
        Ok(Self {
            bounds: self.bounds.as_part()?.repeated(count, stride)?,
            signature: self.signature.repeated(count)?,
            layout: self.layout.clone().repeated(count, stride),
        })
    }

    /// `count` copies side by side.
    pub(super) fn contiguous(&self, count: usize) -> Result<Self> {
        self.repeated(count, self.bounds.extent()?)
    }

    /// Moved by so many bytes.
    pub(super) fn shifted(self, by: isize) -> Result<Self> {
        Ok(Self { bounds: self.bounds.shifted(by)?, layout: self.layout.shifted(by), signature: self.signature })
    }

    /// With new bounds.
    pub(super) fn resized(&self, lower: isize, extent: isize) -> Result<Self> {
        Ok(Self { bounds: self.bounds.resized(lower, extent)?, ..self.clone() })
    }

    /// Blocks one after the other.
    pub(super) fn sequence<'a>(blocks: impl IntoIterator<Item = Block<'a>, IntoIter: Clone>) -> Result<Self> {
        let blocks = blocks.into_iter();
        let signature = Signature::sequence(blocks.clone().map(|block| (&block.map.signature, block.count)))?;
        let mut bounds = Bounds::EMPTY;
        let mut layouts = Vec::with_capacity(blocks.size_hint().0);
        for Block { displacement, count, map } in blocks.filter(|block| block.count > 0) {
            let extent = map.bounds.extent()?;
            bounds = bounds.union(map.bounds.as_part()?.repeated(count, extent)?.shifted(displacement)?);
            layouts.push(map.layout.clone().repeated(count, extent).shifted(displacement));
        }
        Ok(Self { bounds, layout: Layout::sequence(layouts), signature })
    }

    /// The extent, where neither bound overflows.
    pub(super) fn checked_extent(&self) -> Result<isize> {
        let data = self.bounds.data();
        data.high.checked_sub(data.low).ok_or_else(|| too_large("the true extent"))?;
        self.bounds.extent()
    }
}
