//! The constructors of parts of arrays: `MPI_Type_create_subarray` and `MPI_Type_create_darray`.

use super::Datatype;
use super::bounds::too_large;
use super::contents::{Contents, Form};
use super::typemap::{Block, TypeMap};
use crate::abi::{
    MPI_COMBINER_DARRAY, MPI_COMBINER_SUBARRAY, MPI_DISTRIBUTE_BLOCK, MPI_DISTRIBUTE_CYCLIC, MPI_DISTRIBUTE_DFLT_DARG,
    MPI_DISTRIBUTE_NONE, MPI_ERR_ARG, MPI_ORDER_C, MPI_ORDER_FORTRAN,
};
use crate::error::{Error, Result};
use std::ffi::c_int;

fn bad(text: String) -> Error {
    Error::new(MPI_ERR_ARG, text)
}

/// A block of an array: sizes, block sizes and first indices, one for each dimension.
#[derive(Clone, Copy, Debug)]
pub struct Subarray<'a> {
    /// The array's size.
    pub sizes: &'a [i64],
    /// The block's size.
    pub subsizes: &'a [i64],
    /// The block's first element.
    pub starts: &'a [i64],
    /// `MPI_ORDER_C` or `MPI_ORDER_FORTRAN`.
    pub order: c_int,
}

/// How one dimension of an array is dealt out.
#[derive(Clone, Copy, Debug)]
pub struct Distribution {
    /// The array's size.
    pub size: i64,
    /// `MPI_DISTRIBUTE_BLOCK`, `_CYCLIC` or `_NONE`.
    pub kind: c_int,
    /// Elements in a block, or `MPI_DISTRIBUTE_DFLT_DARG`.
    pub block: c_int,
    /// Processes along this dimension.
    pub processes: c_int,
}

/// One process's share of an array that is dealt out over a grid of processes.
#[derive(Clone, Copy, Debug)]
pub struct Darray<'a> {
    /// Processes.
    pub size: c_int,
    /// Which of them; ranks run over the grid in C order.
    pub rank: c_int,
    /// The dimensions.
    pub dimensions: &'a [Distribution],
    /// `MPI_ORDER_C` or `MPI_ORDER_FORTRAN`.
    pub order: c_int,
}

/// The dimensions from the one whose index runs fastest.
fn fastest_first(dimensions: usize, order: c_int) -> Result<Vec<usize>> {
    if dimensions == 0 {
        return Err(bad("an array of 0 dimensions where 1 or more are expected".into()));
    }
    match order {
        MPI_ORDER_C => Ok((0..dimensions).rev().collect()),
        MPI_ORDER_FORTRAN => Ok((0..dimensions).collect()),
        _ => Err(bad(format!("order {order} where MPI_ORDER_C or MPI_ORDER_FORTRAN is expected"))),
    }
}

/// The bytes of `count` steps.
fn span(count: i64, stride: isize) -> Result<isize> {
    (count as isize).checked_mul(stride).ok_or_else(|| too_large("the array"))
}

impl Subarray<'_> {
    fn check(&self, dimension: usize) -> Result<()> {
        let (size, part, start) = (self.sizes[dimension], self.subsizes[dimension], self.starts[dimension]);
        if size < 1 || !(1..=size).contains(&part) || !(0..=size - part).contains(&start) {
            let text =
                format!("dimension {dimension}: {part} elements from {start} on are not within a size of {size}");
            return Err(bad(text));
        }
        Ok(())
    }
}

impl Distribution {
    /// Elements in a block, checked.
    fn block_length(&self) -> Result<i64> {
        let Self { size, kind, block, processes } = *self;
        if size < 1 || processes < 1 {
            return Err(bad(format!("{size} elements over {processes} processes: both must be 1 or more")));
        }
        let processes = i64::from(processes);
        let given = (block != MPI_DISTRIBUTE_DFLT_DARG).then_some(i64::from(block));
        let length = match kind {
            MPI_DISTRIBUTE_NONE if processes != 1 => {
                return Err(bad(format!("{processes} processes along a dimension that is not distributed")));
            }
            MPI_DISTRIBUTE_NONE => size,
            MPI_DISTRIBUTE_BLOCK => given.unwrap_or(size / processes + i64::from(size % processes != 0)),
            MPI_DISTRIBUTE_CYCLIC => given.unwrap_or(1),
            _ => return Err(bad(format!("{kind} is not a distribution: MPI_DISTRIBUTE_BLOCK, _CYCLIC or _NONE"))),
        };
        if length < 1 || (kind == MPI_DISTRIBUTE_BLOCK && length.saturating_mul(processes) < size) {
            return Err(bad(format!("blocks of {length} over {processes} processes do not cover {size} elements")));
        }
        Ok(length)
    }

    /// What of a dimension belongs to the process at `coordinate`, made of rows `stride` bytes apart.
    fn share(&self, row: &TypeMap, coordinate: i64, stride: isize) -> Result<TypeMap> {
        let length = self.block_length()?;
        let first = length.saturating_mul(coordinate);
        let cycle = length.saturating_mul(i64::from(self.processes));
        let left = (self.size - first).max(0);
        // A block is complete if it begins early enough; the one after the last complete one may be cut.
        let complete = if left >= length { (left - length) / cycle + 1 } else { 0 };
        let after = complete.saturating_mul(cycle);
        let cut = left.saturating_sub(after).clamp(0, length);
        if complete == 0 && cut == 0 {
            return Ok(TypeMap::EMPTY);
        }
        let cut_at = if cut > 0 { span(first + after, stride)? } else { 0 };
        let cut_map = row.repeated(cut as usize, stride)?.shifted(cut_at)?;
        if complete == 0 {
            return Ok(cut_map);
        }
        let cycle_bytes = if complete > 1 { span(cycle, stride)? } else { 0 };
        let blocks = row.repeated(length as usize, stride)?.repeated(complete as usize, cycle_bytes)?;
        let blocks = blocks.shifted(span(first, stride)?)?;
        if cut == 0 {
            return Ok(blocks);
        }
        TypeMap::sequence([&blocks, &cut_map].map(|map| Block { displacement: 0, count: 1, map }))
    }
}

impl Darray<'_> {
    /// Where this process is in the grid.
    fn coordinates(&self) -> Result<Vec<i64>> {
        let grid: i64 = self.dimensions.iter().map(|each| i64::from(each.processes)).product();
        if grid != i64::from(self.size) {
            return Err(bad(format!("a grid of {grid} processes for {}", self.size)));
        }
        if !(0..self.size).contains(&self.rank) {
            return Err(bad(format!("rank {} of {} processes", self.rank, self.size)));
        }
        let mut rest = i64::from(self.rank);
        let mut coordinates = vec![0; self.dimensions.len()];
        for (coordinate, dimension) in coordinates.iter_mut().zip(self.dimensions).rev() {
            *coordinate = rest % i64::from(dimension.processes);
            rest /= i64::from(dimension.processes);
        }
        Ok(coordinates)
    }

    fn contents(&self, form: Form) -> Contents {
        let column = |field: fn(&Distribution) -> c_int| -> Vec<c_int> { self.dimensions.iter().map(field).collect() };
        let sizes: Vec<i64> = self.dimensions.iter().map(|each| each.size).collect();
        Contents::new(MPI_COMBINER_DARRAY)
            .integers(&[self.size, self.rank, self.dimensions.len() as c_int])
            .counts(form, &sizes)
            .integers(&column(|each| each.kind))
            .integers(&column(|each| each.block))
            .integers(&column(|each| each.processes))
            .integers(&[self.order])
    }
}

impl Datatype {
    /// A block of an array of these elements, with the extent of the whole array.
    pub fn subarray(&self, form: Form, array: Subarray) -> Result<Self> {
        let mut map = self.core.map.clone();
        let mut stride = self.extent();
        let mut origin = 0_isize;
        for dimension in fastest_first(array.sizes.len(), array.order)? {
            array.check(dimension)?;
            map = map.repeated(array.subsizes[dimension] as usize, stride)?;
            let start = span(array.starts[dimension], stride)?;
            origin = origin.checked_add(start).ok_or_else(|| too_large("the array"))?;
            stride = span(array.sizes[dimension], stride)?;
        }
        let map = map.shifted(origin)?.resized(0, stride)?;
        let contents = Contents::new(MPI_COMBINER_SUBARRAY)
            .integers(&[array.sizes.len() as c_int])
            .counts(form, array.sizes)
            .counts(form, array.subsizes)
            .counts(form, array.starts)
            .integers(&[array.order]);
        Self::derived(map, contents.types([self]))
    }

    /// One process's share of a distributed array of these elements, with the extent of the whole array.
    pub fn darray(&self, form: Form, array: Darray) -> Result<Self> {
        let coordinates = array.coordinates()?;
        let mut map = self.core.map.clone();
        let mut stride = self.extent();
        for dimension in fastest_first(array.dimensions.len(), array.order)? {
            let distribution = &array.dimensions[dimension];
            map = distribution.share(&map, coordinates[dimension], stride)?;
            stride = span(distribution.size, stride)?;
        }
        Self::derived(map.resized(0, stride)?, array.contents(form).types([self]))
    }
}
