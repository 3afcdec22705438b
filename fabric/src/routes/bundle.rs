//! All routes to one destination, written as which edge they take at each crossbar, and how one bundle differs from another.
//!
//! A bundle's bytes are, for each route, its number of hops and then one edge for each hop. Position `i` of a bundle is
//! the column of the `i`-th edges of those routes that have so many.

use super::column::{COLUMN_TAGS, Reader, TableError, put_column, put_signed};
use crate::route::MAX_HOPS;

/// The most edges that a crossbar has: one for each port.
pub(super) const MAX_EDGES: u32 = 128;
/// An edit that adds a number to each value of a column; the other tags are those of columns.
const ADD: u8 = COLUMN_TAGS;

/// The routes of a bundle, each as its edges.
pub(super) fn rows(bundle: &[u8]) -> impl Iterator<Item = &[u8]> + Clone {
    let mut rest = bundle;
    std::iter::from_fn(move || {
        let (&len, tail) = rest.split_first()?;
        let (row, tail) = tail.split_at(len.into());
        rest = tail;
        Some(row)
    })
}

fn position(bundle: &[u8], index: usize) -> impl Iterator<Item = u8> + Clone {
    rows(bundle).filter_map(move |row| row.get(index).copied())
}

fn longest(bundle: &[u8]) -> usize {
    rows(bundle).map(<[u8]>::len).max().unwrap_or(0)
}

/// Appends a bundle that refers to no other.
pub(super) fn put_fresh(out: &mut Vec<u8>, bundle: &[u8]) {
    let lens: Vec<u32> = rows(bundle).map(|row| row.len() as u32).collect();
    put_column(out, &lens);
    for index in 0..longest(bundle) {
        put_column(out, &position(bundle, index).map(u32::from).collect::<Vec<_>>());
    }
}

/// Appends what turns `reference` into `bundle`; false if they have different shapes.
pub(super) fn put_edits(out: &mut Vec<u8>, reference: &[u8], bundle: &[u8]) -> bool {
    if !rows(reference).map(<[u8]>::len).eq(rows(bundle).map(<[u8]>::len)) {
        return false;
    }
    let count_at = out.len();
    out.push(0);
    for index in 0..longest(bundle) {
        let mut differences =
            position(reference, index).zip(position(bundle, index)).map(|(was, is)| i32::from(is) - i32::from(was));
        let first = differences.next().unwrap_or(0);
        let uniform = differences.all(|d| d == first);
        if uniform && first == 0 {
            continue;
        }
        out[count_at] += 1;
        out.push(index as u8);
        if uniform {
            out.push(ADD);
            put_signed(out, first);
        } else {
            put_column(out, &position(bundle, index).map(u32::from).collect::<Vec<_>>());
        }
    }
    true
}

/// Reads what [`put_fresh`] wrote, for `routes` routes, and appends the bundle to `out`.
pub(super) fn read_fresh(reader: &mut Reader<'_>, routes: usize, out: &mut Vec<u8>) -> Result<(), TableError> {
    let mut values = Vec::new();
    let tag = reader.byte()?;
    reader.column(tag, routes, "number of hops", MAX_HOPS as u32, &mut values)?;
    let start = out.len();
    for &len in &values {
        out.push(len as u8);
        out.resize(out.len() + len as usize, 0);
    }
    for index in 0..longest(&out[start..]) {
        let n = position(&out[start..], index).count();
        let tag = reader.byte()?;
        reader.column(tag, n, "edge", MAX_EDGES - 1, &mut values)?;
        set_position(&mut out[start..], index, &values);
    }
    Ok(())
}

/// What turns one bundle into another, as it was read.
pub(super) struct Edits(Vec<(usize, Edit)>);

enum Edit {
    Add(i32),
    Column(Vec<u32>),
}

impl Edits {
    /// Reads what [`put_edits`] wrote, for a bundle of the shape of `reference`.
    pub(super) fn read(reader: &mut Reader<'_>, reference: &[u8]) -> Result<Edits, TableError> {
        let longest = longest(reference);
        let count = reader.number("number of edits", longest as u32)?;
        let mut edits = Vec::new();
        for _ in 0..count {
            let index = reader.byte()? as usize;
            if index >= longest {
                return Err(reader.invalid("position", index as u64, longest.saturating_sub(1) as u64));
            }
            let edit = match reader.byte()? {
                ADD => Edit::Add(reader.signed("difference")?),
                tag => {
                    let mut values = Vec::new();
                    let n = position(reference, index).count();
                    reader.column(tag, n, "edge", MAX_EDGES - 1, &mut values)?;
                    Edit::Column(values)
                }
            };
            edits.push((index, edit));
        }
        Ok(Edits(edits))
    }

    /// Edits a copy of the reference. `None` if the shapes differ or a value leaves its bounds.
    pub(super) fn apply(&self, bundle: &mut [u8]) -> Option<()> {
        for (index, edit) in &self.0 {
            match edit {
                Edit::Add(difference) => add_to_position(bundle, *index, *difference)?,
                Edit::Column(values) => {
                    if position(bundle, *index).count() != values.len() {
                        return None;
                    }
                    set_position(bundle, *index, values);
                }
            }
        }
        Some(())
    }
}

/// Calls `each` with the `index`-th edge of every route that has one.
fn for_each_at(bundle: &mut [u8], index: usize, mut each: impl FnMut(&mut u8)) {
    let mut rest = bundle;
    while let Some((&mut len, tail)) = rest.split_first_mut() {
        let (row, tail) = tail.split_at_mut(len.into());
        row.get_mut(index).into_iter().for_each(&mut each);
        rest = tail;
    }
}

fn set_position(bundle: &mut [u8], index: usize, values: &[u32]) {
    let mut values = values.iter();
    for_each_at(bundle, index, |edge| *edge = values.next().map_or(0, |&v| v as u8));
}

fn add_to_position(bundle: &mut [u8], index: usize, difference: i32) -> Option<()> {
    let mut in_bounds = true;
    for_each_at(bundle, index, |edge| {
        let sum = i64::from(*edge) + i64::from(difference);
        in_bounds &= (0..i64::from(MAX_EDGES)).contains(&sum);
        *edge = sum as u8;
    });
    in_bounds.then_some(())
}
