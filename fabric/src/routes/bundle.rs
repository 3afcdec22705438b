//! All routes to one destination, as which edge they take at each crossbar, and how one bundle differs from another.
//!
//! ```text
//! routes, n | hops of each, n bytes | edges at hop 0 | edges at hop 1 | ...
//! ```
//!
//! Each hop's edges are a column: a byte for each route that has so many hops. So what the routes of two destinations have
//! in common are equal stretches of bytes.

use super::column::{COLUMN_TAGS, Reader, TableError, put_column, put_signed};
use crate::route::MAX_HOPS;
use arrayvec::ArrayVec;

/// The most edges that a crossbar has: one for each port.
pub(super) const MAX_EDGES: u32 = 128;
/// An edit that adds a number to each value of a column; the other tags are those of columns.
const ADD: u8 = COLUMN_TAGS;

/// The number of routes, and of hops of each.
pub(super) fn shape(bundle: &[u8]) -> &[u8] {
    match bundle.first() {
        Some(&routes) => &bundle[..=routes as usize],
        None => &[],
    }
}

/// Number of routes that take so many hops and one more: the sizes of the columns.
fn column_sizes(shape: &[u8]) -> ArrayVec<u8, MAX_HOPS> {
    let mut sizes = ArrayVec::new();
    let Some((&routes, hops)) = shape.split_first() else { return sizes };
    let most = hops.iter().copied().max().unwrap_or(0);
    if hops.iter().all(|&hops| hops == most) {
        sizes.extend(std::iter::repeat_n(routes, most.into()));
        return sizes;
    }
    sizes.extend((0..most).map(|hop| hops.iter().filter(|&&hops| hops > hop).count() as u8));
    sizes
}

/// Where the columns before two hops end, which are chosen by the number of hops.
pub(super) fn columns_end(bundle: &[u8], hops: impl Fn(usize) -> [usize; 2]) -> [usize; 2] {
    let shape = shape(bundle);
    let sizes = column_sizes(shape);
    let end = |hop: usize| shape.len() + sizes[..hop].iter().map(|&size| usize::from(size)).sum::<usize>();
    hops(sizes.len()).map(end)
}

/// Appends a bundle of routes, given as the number of hops of each, and the edges of all, one route after the other.
pub(super) fn push(out: &mut Vec<u8>, hops: &[u8], edges: &[u8]) {
    out.push(hops.len() as u8);
    out.extend_from_slice(hops);
    for hop in 0..hops.iter().copied().max().unwrap_or(0) {
        let mut route = 0;
        for &len in hops {
            if hop < len {
                out.push(edges[route + usize::from(hop)]);
            }
            route += usize::from(len);
        }
    }
}

/// Calls `visit` with each route's edges.
pub(super) fn for_each_route<E>(bundle: &[u8], mut visit: impl FnMut(&[u8]) -> Result<(), E>) -> Result<(), E> {
    let shape = shape(bundle);
    let mut cursors: ArrayVec<usize, MAX_HOPS> = ArrayVec::new();
    let mut at = shape.len();
    for size in column_sizes(shape) {
        cursors.push(at);
        at += usize::from(size);
    }
    for &hops in shape.iter().skip(1) {
        let mut route: ArrayVec<u8, MAX_HOPS> = ArrayVec::new();
        for cursor in &mut cursors[..usize::from(hops)] {
            route.push(bundle[*cursor]);
            *cursor += 1;
        }
        visit(&route)?;
    }
    Ok(())
}

/// The columns, each with its hop.
fn columns(bundle: &[u8]) -> impl Iterator<Item = (u8, &[u8])> {
    let shape = shape(bundle);
    let mut rest = &bundle[shape.len()..];
    (0..).zip(column_sizes(shape)).map(move |(hop, size)| {
        let (column, others) = rest.split_at(size.into());
        rest = others;
        (hop, column)
    })
}

fn put_bytes_column(out: &mut Vec<u8>, column: &[u8]) {
    let values: ArrayVec<u32, { u8::MAX as usize }> = column.iter().map(|&value| value.into()).collect();
    put_column(out, &values);
}

/// Appends the encoding of a bundle that refers to no other.
pub(super) fn put_fresh(out: &mut Vec<u8>, bundle: &[u8]) {
    put_bytes_column(out, &shape(bundle)[1..]);
    columns(bundle).for_each(|(_, column)| put_bytes_column(out, column));
}

/// Appends what turns `reference` into `bundle`; false if they have different shapes.
pub(super) fn put_edits(out: &mut Vec<u8>, reference: &[u8], bundle: &[u8]) -> bool {
    if shape(reference) != shape(bundle) {
        return false;
    }
    let count_at = out.len();
    out.push(0);
    if reference == bundle {
        return true;
    }
    for ((hop, column), (_, before)) in columns(bundle).zip(columns(reference)) {
        if column == before {
            continue;
        }
        let first = column[0].wrapping_sub(before[0]);
        out[count_at] += 1;
        out.push(hop);
        if column.iter().zip(before).all(|(is, was)| is.wrapping_sub(*was) == first) {
            out.push(ADD);
            put_signed(out, (first as i8).into());
        } else {
            put_bytes_column(out, column);
        }
    }
    true
}

/// Reads what [`put_fresh`] wrote, for `routes` routes, and appends the bundle to `out`.
pub(super) fn read_fresh(reader: &mut Reader<'_>, routes: u8, out: &mut Vec<u8>) -> Result<(), TableError> {
    let mut values = Vec::new();
    let start = out.len();
    out.push(routes);
    let tag = reader.byte()?;
    reader.column(tag, routes.into(), "number of hops", MAX_HOPS as u32, &mut values)?;
    out.extend(values.iter().map(|&hops| hops as u8));
    for size in column_sizes(&out[start..]) {
        let tag = reader.byte()?;
        reader.column(tag, size.into(), "edge", MAX_EDGES - 1, &mut values)?;
        out.extend(values.iter().map(|&edge| edge as u8));
    }
    Ok(())
}

/// What turns bundles of one shape into others, as it was read.
pub(super) struct Edits {
    shape: Vec<u8>,
    edits: Vec<Edit>,
}

/// The change of one column.
struct Edit {
    /// Where in the bundle the column begins.
    at: usize,
    size: usize,
    change: Change,
}

enum Change {
    Add(i32),
    Column(Vec<u32>),
}

impl Edits {
    /// Reads what [`put_edits`] wrote, for bundles of the shape of `reference`.
    pub(super) fn read(reader: &mut Reader<'_>, reference: &[u8]) -> Result<Edits, TableError> {
        let shape = shape(reference);
        let sizes = column_sizes(shape);
        let count = reader.number("number of edits", sizes.len() as u32)?;
        let mut edits = Vec::new();
        for _ in 0..count {
            let hop = usize::from(reader.byte()?);
            let Some(&size) = sizes.get(hop) else {
                return Err(reader.invalid("hop", hop as u64, sizes.len().saturating_sub(1) as u64));
            };
            let at = shape.len() + sizes[..hop].iter().map(|&size| usize::from(size)).sum::<usize>();
            let change = match reader.byte()? {
                ADD => Change::Add(reader.signed("difference")?),
                tag => {
                    let mut values = Vec::new();
                    reader.column(tag, size.into(), "edge", MAX_EDGES - 1, &mut values)?;
                    Change::Column(values)
                }
            };
            edits.push(Edit { at, size: size.into(), change });
        }
        Ok(Edits { shape: shape.to_vec(), edits })
    }

    /// Edits a copy of the reference. `None` if its shape is another one or a value leaves its bounds.
    pub(super) fn apply(&self, bundle: &mut [u8]) -> Option<()> {
        if shape(bundle) != self.shape {
            return None;
        }
        for edit in &self.edits {
            let column = &mut bundle[edit.at..edit.at + edit.size];
            match &edit.change {
                Change::Add(difference) => {
                    for edge in column {
                        let sum = i64::from(*edge) + i64::from(*difference);
                        *edge = u8::try_from(sum).ok().filter(|&sum| u32::from(sum) < MAX_EDGES)?;
                    }
                }
                Change::Column(values) => column.iter_mut().zip(values).for_each(|(edge, &value)| *edge = value as u8),
            }
        }
        Some(())
    }
}
