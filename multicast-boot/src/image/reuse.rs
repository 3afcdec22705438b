//! Which chunks of a new image a node holds already, in the image that it booted before.
//!
//! The node fetches the lists of the new image's tree first, and then only the chunks that it lacks. A chunk's value
//! depends on its place, so bytes that stayed where they were are found by their old value, and bytes that moved by a whole
//! number of chunks by hashing the old chunk as if it were at the new place. Images are packed so that files move by whole chunks
//! (see [`super::align`]).

use super::tree::{CHUNK, Shape, Value, chunk_value, fold};
use bytes::Bytes;
use std::collections::BTreeMap;
use std::ops::Range;

/// New chunks in a row that were not found: from so many on it pays to look for them at other places.
const WORTH_A_LOOK: u32 = 4;

/// Chunks that are looked for in all of the old image, at most. Each costs one pass over it.
const LOOKS: u32 = 64;

/// The payload of an older image, as far as a node holds it.
pub struct HeldImage<'a> {
    chunks: u32,
    chunk: Box<dyn Fn(u32) -> Option<Bytes> + 'a>,
}

impl<'a> HeldImage<'a> {
    /// A payload of so many chunks, of which `chunk` gives those that are held.
    pub fn new(chunks: u32, chunk: impl Fn(u32) -> Option<Bytes> + 'a) -> HeldImage<'a> {
        HeldImage { chunks, chunk: Box::new(chunk) }
    }

    /// All of a payload.
    pub fn of_payload(payload: &Bytes) -> HeldImage<'static> {
        let payload = payload.clone();
        HeldImage::new(payload.len().div_ceil(CHUNK) as u32, move |index| {
            let start = index as usize * CHUNK;
            (start < payload.len()).then(|| payload.slice(start..payload.len().min(start + CHUNK)))
        })
    }

    fn get(&self, index: i64) -> Option<Bytes> {
        u32::try_from(index).ok().filter(|&index| index < self.chunks).and_then(|index| (self.chunk)(index))
    }

    /// True if all chunks of page `page` have stayed as they were: its list need not be fetched.
    pub fn has_page(&self, shape: Shape, page: u32, value: &Value) -> bool {
        let Some(entries) = shape.page_entries(page) else { return false };
        let first = page * super::PAGE_CHUNKS as u32;
        let whole = shape.chunk_count() == 1;
        let values: Option<Vec<Value>> =
            (first..first + entries as u32).map(|i| Some(chunk_value(i, &self.get(i.into())?, whole))).collect();
        values.is_some_and(|values| fold(&values, shape.page_count() == 1) == *value)
    }
}

/// For each chunk of a new image the chunk of the old one that has its bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reuse {
    from: BTreeMap<u32, u32>,
}

impl Reuse {
    /// The new chunks that are held, each with the old chunk that has its bytes.
    pub fn chunks(&self) -> impl Iterator<Item = (u32, u32)> + '_ {
        self.from.iter().map(|(&new, &old)| (new, old))
    }

    /// The old chunk that has the bytes of a new one.
    pub fn source(&self, new: u32) -> Option<u32> {
        self.from.get(&new).copied()
    }

    /// How many chunks are held.
    pub fn len(&self) -> usize {
        self.from.len()
    }

    /// True if none is.
    pub fn is_empty(&self) -> bool {
        self.from.is_empty()
    }
}

/// Finds which chunks of a new image are held in an old one. `values` are the new image's chunk values: its verified
/// pages, one after the other.
pub fn reuse(old: &HeldImage<'_>, new: Shape, values: &[Value]) -> Reuse {
    let mut search = Search { old, whole: new.chunk_count() == 1, values, found: Reuse::default(), looks: LOOKS };
    let all = 0..values.len() as u32;
    search.follow(all.clone(), 0);
    search.look(all);
    search.found
}

struct Search<'a> {
    old: &'a HeldImage<'a>,
    whole: bool,
    values: &'a [Value],
    found: Reuse,
    looks: u32,
}

impl Search<'_> {
    /// True if the old chunk `old` has the bytes of the new chunk `new`.
    fn same(&self, new: u32, old: i64) -> bool {
        self.old.get(old).is_some_and(|bytes| chunk_value(new, &bytes, self.whole) == self.values[new as usize])
    }

    /// Takes all new chunks of a range whose bytes have moved by `shift` chunks.
    fn follow(&mut self, range: Range<u32>, shift: i64) {
        for new in range {
            let old = i64::from(new) - shift;
            if self.found.source(new).is_none() && self.same(new, old) {
                self.found.from.insert(new, old as u32);
            }
        }
    }

    /// Looks in all of the old image for the chunks of a range that were not found.
    fn look(&mut self, range: Range<u32>) {
        let mut runs = self.missing(range);
        while let Some(run) = runs.pop() {
            if run.len() < WORTH_A_LOOK as usize || self.looks == 0 {
                continue;
            }
            self.looks -= 1;
            let middle = run.start + (run.end - run.start) / 2;
            let old = (0..self.old.chunks).find(|&old| self.same(middle, old.into()));
            match old {
                Some(old) => {
                    self.follow(run.clone(), i64::from(middle) - i64::from(old));
                    runs.extend(self.missing(run));
                }
                // This chunk is new: what is on its two sides may not be.
                None => runs.extend([run.start..middle, middle + 1..run.end]),
            }
            // The longest run is worth the most.
            runs.sort_by_key(ExactSizeIterator::len);
        }
    }

    /// The runs of chunks that were not found.
    fn missing(&self, range: Range<u32>) -> Vec<Range<u32>> {
        let mut runs: Vec<Range<u32>> = Vec::new();
        for new in range.filter(|&new| self.found.source(new).is_none()) {
            match runs.last_mut() {
                Some(run) if run.end == new => run.end += 1,
                _ => runs.push(new..new + 1),
            }
        }
        runs.sort_by_key(ExactSizeIterator::len);
        runs
    }
}

#[cfg(test)]
#[path = "reuse_tests.rs"]
mod tests;
