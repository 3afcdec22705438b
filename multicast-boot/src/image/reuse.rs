//! What of a new image a node holds already, in the image that it booted before.
//!
//! The node fetches the top lists of the new image's tree first. A page whose old bytes, at the same place, have the value
//! that a top list says is held with all its chunks, and so is its list. Then the node fetches the lists of the other pages,
//! and takes every chunk that is still where it was. What has moved by a whole number of chunks is looked for by hashing
//! old chunks as if they were at the new place, since a chunk's value depends on its place. Images are packed so that files
//! move by whole chunks (see [`super::align`]).
//!
//! Hashing takes time, so it is done in slices, between which the node goes on talking.

use super::tree::{CHUNK, PAGE_CHUNKS, Shape, Value, chunk_value, fold};
use super::verifier::{Part, TreeVerifier};
use bytes::{Bytes, BytesMut};
use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;

/// New chunks in a row that were not found: from so many on it pays to look for them at other places.
const WORTH_A_LOOK: u32 = 4;

/// In a large image a look costs more: it pays from this share of the old image's chunks on.
const LOOK_SHARE: u32 = 256;

/// Looking for what has moved hashes each chunk of the old image so often, at most: what is far from its place, or nowhere,
/// costs a pass over all of it.
const PASSES: u64 = 3;

/// Chunks that are hashed at once, about: it takes some milliseconds.
pub const SLICE: u32 = 4096;

/// Gives a chunk of an old image, if it is held.
type ChunkOf = dyn Fn(u32) -> Option<Bytes> + Send;

/// The payload of an older image, as far as a node holds it. Nothing of it is believed.
pub struct OldImage {
    chunks: u32,
    chunk: Box<ChunkOf>,
}

impl OldImage {
    /// A payload of so many chunks, of which `chunk` gives those that are held.
    pub fn new(chunks: u32, chunk: impl Fn(u32) -> Option<Bytes> + Send + 'static) -> OldImage {
        OldImage { chunks, chunk: Box::new(chunk) }
    }

    /// All of a payload.
    pub fn of_payload(payload: &Bytes) -> OldImage {
        let payload = payload.clone();
        OldImage::new(payload.len().div_ceil(CHUNK) as u32, move |index| {
            let start = index as usize * CHUNK;
            (start < payload.len()).then(|| payload.slice(start..payload.len().min(start + CHUNK)))
        })
    }

    /// A chunk, if it is held.
    pub fn chunk(&self, index: u32) -> Option<Bytes> {
        if index < self.chunks { (self.chunk)(index) } else { None }
    }
}

impl fmt::Debug for OldImage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OldImage").field("chunks", &self.chunks).finish_non_exhaustive()
    }
}

/// A part of the new image that was found in the old one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// All of a page: its list, and its chunks one after the other.
    Page {
        /// Which.
        page: u32,
        /// The values of its chunks, computed from them.
        list: Bytes,
        /// Its chunks.
        bytes: Bytes,
    },
    /// A chunk.
    Chunk {
        /// Which.
        index: u32,
        /// Its bytes.
        bytes: Bytes,
    },
}

/// The search through an old image for what a new one has of it.
#[derive(Debug)]
pub struct Reuse {
    old: OldImage,
    shape: Shape,
    step: Step,
    /// Pages that are not as they were.
    changed: Vec<u32>,
    /// The new chunks of these pages that were found, with the old chunks that have their bytes.
    sources: BTreeMap<u32, u32>,
    is_busy: bool,
}

#[derive(Debug)]
enum Step {
    /// The top lists have to come.
    Tops,
    /// The pages from this one on are to be compared.
    Pages(u32),
    /// The lists of these pages have to come.
    Lists(Vec<u32>),
    /// What has moved is looked for.
    Moved(Moved),
    Done,
}

/// Runs of new chunks that were not found where they were, and what is being done about one of them.
#[derive(Debug)]
struct Moved {
    /// The longest last: it is worth the most.
    runs: Vec<Range<u32>>,
    /// Old chunks that may still be hashed to look for something.
    hashes: u64,
    task: Option<Task>,
}

#[derive(Debug)]
enum Task {
    /// The chunk in the middle of a run is looked for, at this distance from its place in both directions.
    Look { run: Range<u32>, middle: u32, distance: u32 },
    /// The run's chunks from `next` on are compared with old chunks that are so many places before them.
    Follow { run: Range<u32>, next: u32, shift: i64 },
}

impl Reuse {
    /// A search through an old image for what a new image of this shape has of it.
    pub fn new(old: OldImage, shape: Shape) -> Reuse {
        let (changed, sources) = (Vec::new(), BTreeMap::new());
        Reuse { old, shape, step: Step::Tops, changed, sources, is_busy: true }
    }

    /// Goes on with the search, with the lists that the verifier has; hashes about so many chunks. Returns what was found.
    pub fn work(&mut self, verifier: &TreeVerifier, budget: u32) -> Vec<Found> {
        let mut found = Vec::new();
        let mut left = budget;
        self.is_busy = loop {
            let goes_on = match std::mem::replace(&mut self.step, Step::Done) {
                Step::Tops => self.await_tops(verifier),
                Step::Pages(next) => self.compare_pages(verifier, next, &mut left, &mut found),
                Step::Lists(missing) => self.compare_chunks(verifier, missing, &mut left, &mut found),
                Step::Moved(moved) => self.look(verifier, moved, &mut left, &mut found),
                Step::Done => false,
            };
            if !goes_on || left == 0 {
                break goes_on;
            }
        };
        found
    }

    /// True if [`Reuse::work`] has something to do before anything else comes.
    pub fn is_busy(&self) -> bool {
        self.is_busy
    }

    /// True if nothing more will be found.
    pub fn is_done(&self) -> bool {
        matches!(self.step, Step::Done)
    }

    /// True if the node should fetch this now, should it lack it: not what may yet be found.
    pub fn is_wanted(&self, part: Part) -> bool {
        match self.step {
            Step::Tops | Step::Pages(_) => matches!(part, Part::Top(_)),
            Step::Lists(_) | Step::Moved(_) => !matches!(part, Part::Chunk(_)),
            Step::Done => true,
        }
    }

    /// Another number whenever more is wanted than before.
    pub fn wants(&self) -> u8 {
        match self.step {
            Step::Tops | Step::Pages(_) => 0,
            Step::Lists(_) | Step::Moved(_) => 1,
            Step::Done => 2,
        }
    }

    /// The pages whose lists are wanted.
    pub fn missing_lists(&self) -> &[u32] {
        if let Step::Lists(missing) = &self.step { missing } else { &[] }
    }

    /// Pages that are not as they were in the old image.
    pub fn changed_pages(&self) -> &[u32] {
        &self.changed
    }

    /// True if the bytes of a chunk of a changed page were found.
    pub fn has(&self, index: u32) -> bool {
        self.sources.contains_key(&index)
    }

    /// The bytes of a chunk that was found outside of whole pages, fetched anew from the old image.
    pub fn found_chunk(&self, index: u32) -> Option<Bytes> {
        self.old.chunk(*self.sources.get(&index)?)
    }

    fn await_tops(&mut self, verifier: &TreeVerifier) -> bool {
        let all_here = (0..self.shape.top_count()).all(|piece| verifier.top(piece).is_some());
        self.step = if all_here { Step::Pages(0) } else { Step::Tops };
        all_here
    }

    fn compare_pages(
        &mut self,
        verifier: &TreeVerifier,
        mut page: u32,
        left: &mut u32,
        found: &mut Vec<Found>,
    ) -> bool {
        while page < self.shape.page_count() && *left > 0 {
            if !self.chunks_of(page).all(|index| verifier.is_verified(index)) {
                *left = left.saturating_sub(PAGE_CHUNKS as u32);
                match self.old_page(verifier, page) {
                    Some(whole) => found.push(whole),
                    None => self.changed.push(page),
                }
            }
            page += 1;
        }
        let all = page == self.shape.page_count();
        self.step = if all { Step::Lists(self.changed.clone()) } else { Step::Pages(page) };
        true
    }

    /// A page of the new image, if the old one has all of its bytes in the same place.
    fn old_page(&self, verifier: &TreeVerifier, page: u32) -> Option<Found> {
        let wanted = verifier.page_value(page)?;
        let (mut list, mut bytes) = (Vec::with_capacity(PAGE_CHUNKS), BytesMut::new());
        for index in self.chunks_of(page) {
            let chunk = self.old.chunk(index).filter(|chunk| Some(chunk.len()) == self.shape.chunk_len(index))?;
            list.push(chunk_value(index, &chunk, self.shape.chunk_count() == 1));
            bytes.extend_from_slice(&chunk);
        }
        let value: Value = fold(&list, self.shape.page_count() == 1);
        let list = Bytes::from(list.into_flattened());
        (value == wanted).then(|| Found::Page { page, list, bytes: bytes.freeze() })
    }

    fn chunks_of(&self, page: u32) -> Range<u32> {
        let first = page * PAGE_CHUNKS as u32;
        first..first + self.shape.page_entries(page).unwrap_or(0) as u32
    }

    /// Compares the chunks of changed pages whose lists have come with what is in their place.
    fn compare_chunks(
        &mut self,
        verifier: &TreeVerifier,
        missing: Vec<u32>,
        left: &mut u32,
        found: &mut Vec<Found>,
    ) -> bool {
        let mut still_missing = Vec::new();
        let mut postponed = false;
        for page in missing {
            let is_here = verifier.page(page).is_some();
            if !is_here || *left == 0 {
                postponed |= is_here;
                still_missing.push(page);
                continue;
            }
            *left = left.saturating_sub(PAGE_CHUNKS as u32);
            self.take_same(verifier, self.chunks_of(page), 0, found);
        }
        if !still_missing.is_empty() {
            self.step = Step::Lists(still_missing);
            return postponed;
        }
        let runs = self.changed.iter().flat_map(|&page| self.missing(verifier, self.chunks_of(page))).collect();
        let hashes = PASSES * u64::from(self.old.chunks);
        self.step = Step::Moved(Moved { runs: sorted(joined(runs)), hashes, task: None });
        true
    }

    /// Takes all chunks of a range whose bytes have moved by `shift` chunks.
    fn take_same(&mut self, verifier: &TreeVerifier, range: Range<u32>, shift: i64, found: &mut Vec<Found>) {
        for index in range {
            if verifier.is_verified(index) || self.sources.contains_key(&index) {
                continue;
            }
            if let Some((old, bytes)) = self.same(verifier, index, i64::from(index) - shift) {
                self.sources.insert(index, old);
                found.push(Found::Chunk { index, bytes });
            }
        }
    }

    /// The old chunk, if it has the bytes of the new one.
    fn same(&self, verifier: &TreeVerifier, index: u32, old: i64) -> Option<(u32, Bytes)> {
        let old = u32::try_from(old).ok()?;
        let bytes = self.old.chunk(old)?;
        (verifier.is_right(index, &bytes) == Some(true)).then_some((old, bytes))
    }

    /// The runs of chunks that are neither here nor found.
    fn missing(&self, verifier: &TreeVerifier, range: Range<u32>) -> Vec<Range<u32>> {
        let is_missing = |index: &u32| !verifier.is_verified(*index) && !self.sources.contains_key(index);
        joined(range.filter(is_missing).map(|index| index..index + 1).collect())
    }

    /// Looks for what has moved.
    fn look(&mut self, verifier: &TreeVerifier, mut moved: Moved, left: &mut u32, found: &mut Vec<Found>) -> bool {
        match moved.task.take() {
            None => {
                let worth = WORTH_A_LOOK.max(self.old.chunks / LOOK_SHARE) as usize;
                let Some(run) = moved.runs.pop().filter(|run| run.len() >= worth && moved.hashes > 0) else {
                    return false;
                };
                let middle = run.start + (run.end - run.start) / 2;
                moved.task = Some(Task::Look { run, middle, distance: 1 });
            }
            Some(Task::Look { run, middle, distance }) => {
                self.look_around(verifier, &mut moved, run, middle, distance, left)
            }
            Some(Task::Follow { run, next, shift }) => {
                let end = run.end.min(next.saturating_add(*left));
                *left = left.saturating_sub(end - next);
                self.take_same(verifier, next..end, shift, found);
                if end < run.end {
                    moved.task = Some(Task::Follow { run, next: end, shift });
                } else {
                    moved.runs.extend(self.missing(verifier, run));
                    moved.runs = sorted(moved.runs);
                }
            }
        }
        self.step = Step::Moved(moved);
        true
    }

    /// Looks for a chunk at greater and greater distances from its place.
    fn look_around(
        &self,
        verifier: &TreeVerifier,
        moved: &mut Moved,
        run: Range<u32>,
        middle: u32,
        mut distance: u32,
        left: &mut u32,
    ) {
        while distance <= middle.max(self.old.chunks) && moved.hashes > 0 {
            if *left == 0 {
                moved.task = Some(Task::Look { run, middle, distance });
                return;
            }
            for shift in [i64::from(distance), -i64::from(distance)] {
                let old = i64::from(middle) - shift;
                if !(0..i64::from(self.old.chunks)).contains(&old) {
                    continue;
                }
                (*left, moved.hashes) = (left.saturating_sub(1), moved.hashes.saturating_sub(1));
                if self.same(verifier, middle, old).is_some() {
                    moved.task = Some(Task::Follow { next: run.start, run, shift });
                    return;
                }
            }
            distance += 1;
        }
        // This chunk is new: what is on its two sides may not be.
        moved.runs.extend([run.start..middle, middle + 1..run.end]);
        moved.runs = sorted(std::mem::take(&mut moved.runs));
    }
}

/// Ranges in ascending order, those that touch put together.
fn joined(ranges: Vec<Range<u32>>) -> Vec<Range<u32>> {
    let mut joined: Vec<Range<u32>> = Vec::new();
    for range in ranges {
        match joined.last_mut() {
            Some(last) if last.end == range.start => last.end = range.end,
            _ => joined.push(range),
        }
    }
    joined
}

/// The same runs, the longest last.
fn sorted(mut runs: Vec<Range<u32>>) -> Vec<Range<u32>> {
    runs.sort_by_key(ExactSizeIterator::len);
    runs
}

#[cfg(test)]
#[path = "reuse_tests.rs"]
mod tests;
