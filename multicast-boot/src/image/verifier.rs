//! A receiver's side of the verification tree.
//!
//! A node starts from a verified manifest and believes nothing else: a top list must fold to the root, a page to the
//! value that its top list holds, and a chunk must hash to the value that its page holds. Lists that thousands of
//! simulated nodes hold are shared ([`Bytes`]); a node's own state is one bit for each chunk.

use super::manifest::Manifest;
use super::tree::{PAGE_CHUNKS, Shape, VALUE_LEN, Value, chunk_value, fold, page_value};
use bytes::Bytes;
use std::fmt;
use twowire_fabric::prefetch::prefetch;

/// A part of the tree, by its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// A piece of the top list.
    Top(u32),
    /// A page of chunk values.
    Page(u32),
    /// A chunk of the payload.
    Chunk(u32),
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Part::Top(n) => write!(f, "top list {n}"),
            Part::Page(n) => write!(f, "page {n}"),
            Part::Chunk(n) => write!(f, "chunk {n}"),
        }
    }
}

/// Why a list or a chunk was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TreeError {
    /// The list that it must be checked against is not here yet: nothing is known about the bytes.
    #[error("{part} cannot be checked before {needs}")]
    NotYet {
        /// What came.
        part: Part,
        /// What must come first.
        needs: Part,
    },
    /// The image has no such part.
    #[error("the image has no {0}")]
    OutOfRange(Part),
    /// Too many or too few bytes.
    #[error("{part} has {expected} bytes, got {got}")]
    Length {
        /// What came.
        part: Part,
        /// Bytes that it must have.
        expected: usize,
        /// Bytes that came.
        got: usize,
    },
    /// The bytes are not those that were signed.
    #[error("{0} is not the one that was signed")]
    Mismatch(Part),
}

/// Checks the lists and chunks of one image as they arrive.
#[derive(Clone, Debug)]
pub struct TreeVerifier {
    shape: Shape,
    root: Value,
    tops: Vec<Option<Bytes>>,
    pages: Vec<Option<Bytes>>,
    verified: Vec<u64>,
    verified_count: u32,
}

impl TreeVerifier {
    /// A verifier for the image of a manifest whose signature has been checked.
    pub fn new(manifest: &Manifest) -> TreeVerifier {
        let shape = manifest.shape();
        TreeVerifier {
            shape,
            root: *manifest.root().as_bytes(),
            tops: vec![None; shape.top_count() as usize],
            pages: vec![None; shape.page_count() as usize],
            verified: vec![0; shape.chunk_count().div_ceil(u64::BITS) as usize],
            verified_count: 0,
        }
    }

    /// How many lists and chunks the image has.
    pub fn shape(&self) -> Shape {
        self.shape
    }

    /// Takes a piece of the top list. One that is already here changes nothing.
    pub fn accept_top(&mut self, piece: u32, list: &Bytes) -> Result<(), TreeError> {
        let part = Part::Top(piece);
        let expected = self.shape.top_entries(piece).ok_or(TreeError::OutOfRange(part))?;
        let value = match piece {
            0 => self.root,
            _ => value_in(&self.tops[0], piece as usize - 1).ok_or(TreeError::NotYet { part, needs: Part::Top(0) })?,
        };
        check_list(part, list, expected, value, piece == 0)?;
        self.tops[piece as usize].get_or_insert_with(|| list.clone());
        Ok(())
    }

    /// Takes a page. One that is already here changes nothing.
    pub fn accept_page(&mut self, page: u32, list: &Bytes) -> Result<(), TreeError> {
        let part = Part::Page(page);
        let expected = self.shape.page_entries(page).ok_or(TreeError::OutOfRange(part))?;
        let (piece, _) = self.shape.top_of_page(page);
        let value = self.page_value(page).ok_or(TreeError::NotYet { part, needs: Part::Top(piece) })?;
        check_list(part, list, expected, value, self.shape.page_count() == 1)?;
        self.pages[page as usize].get_or_insert_with(|| list.clone());
        Ok(())
    }

    /// Takes a page whose values were computed from the bytes of its chunks: if it is right then so are they, and count as come.
    pub(crate) fn accept_found_page(&mut self, page: u32, list: &Bytes) -> Result<(), TreeError> {
        self.accept_page(page, list)?;
        self.remember_chunks_of(page);
        Ok(())
    }

    fn remember_chunks_of(&mut self, page: u32) {
        let (first, entries) = (page * PAGE_CHUNKS as u32, self.shape.page_entries(page).unwrap_or(0) as u32);
        (first..first + entries).for_each(|index| self.remember(index));
    }

    /// Checks a chunk, and remembers that it came. One that came before is checked again.
    pub fn verify_chunk(&mut self, index: u32, bytes: &[u8]) -> Result<(), TreeError> {
        self.verify_chunk_by(index, bytes.len(), |whole| chunk_value(index, bytes, whole))
    }

    /// As [`TreeVerifier::verify_chunk`], of a chunk of `len` bytes whose value somebody else computes; told whether the payload has no
    /// other chunk.
    pub(crate) fn verify_chunk_by(
        &mut self,
        index: u32,
        len: usize,
        value_of: impl FnOnce(bool) -> Value,
    ) -> Result<(), TreeError> {
        let part = Part::Chunk(index);
        let expected = self.shape.chunk_len(index).ok_or(TreeError::OutOfRange(part))?;
        if len != expected {
            return Err(TreeError::Length { part, expected, got: len });
        }
        let page = index / PAGE_CHUNKS as u32;
        let value = value_in(&self.pages[page as usize], index as usize % PAGE_CHUNKS)
            .ok_or(TreeError::NotYet { part, needs: Part::Page(page) })?;
        if value_of(self.shape.chunk_count() == 1) != value {
            return Err(TreeError::Mismatch(part));
        }
        self.remember(index);
        Ok(())
    }

    /// Checks all chunks of a page at once, for which the top list is enough, and remembers that they came. Says whether
    /// they are right; `None` if the top list is not here yet, or there is no such page.
    pub fn verify_chunks_of_page(&mut self, page: u32, bytes: &[u8]) -> Option<bool> {
        if !self.has_top_of(page) {
            return None;
        }
        self.verify_value_of_page(page, page_value(page, bytes, self.shape.page_count() == 1))
    }

    /// As [`TreeVerifier::verify_chunks_of_page`], with the value that was computed from all chunks of the page.
    pub(crate) fn verify_value_of_page(&mut self, page: u32, computed: Value) -> Option<bool> {
        self.shape.page_entries(page)?;
        let right = self.page_value(page)? == computed;
        if right {
            self.remember_chunks_of(page);
        }
        Some(right)
    }

    /// True if the top list is here that holds the value of this page.
    pub fn has_top_of(&self, page: u32) -> bool {
        page < self.shape.page_count() && self.page_value(page).is_some()
    }

    /// True if these are the bytes of chunk `index`; `None` if its page is not here, or there is no such chunk.
    pub fn is_right(&self, index: u32, bytes: &[u8]) -> Option<bool> {
        let page = self.pages.get(index as usize / PAGE_CHUNKS)?;
        let value = value_in(page, index as usize % PAGE_CHUNKS)?;
        Some(chunk_value(index, bytes, self.shape.chunk_count() == 1) == value)
    }

    /// The value of all chunks of a page, if its top list is here.
    pub(crate) fn page_value(&self, page: u32) -> Option<Value> {
        let (piece, place) = self.shape.top_of_page(page);
        value_in(&self.tops[piece as usize], place)
    }

    /// Remembers a chunk whose value was computed from its bytes and found equal to the one in its page.
    pub(crate) fn remember(&mut self, index: u32) {
        if !self.is_verified(index) {
            self.verified[index as usize / 64] |= 1 << (index % 64);
            self.verified_count += 1;
        }
    }

    /// A verified piece of the top list, to pass on.
    pub fn top(&self, piece: u32) -> Option<&Bytes> {
        self.tops.get(piece as usize)?.as_ref()
    }

    /// A verified page, to pass on.
    pub fn page(&self, page: u32) -> Option<&Bytes> {
        self.pages.get(page as usize)?.as_ref()
    }

    /// True if chunk `index` came and was right.
    pub fn is_verified(&self, index: u32) -> bool {
        self.verified.get(index as usize / 64).is_some_and(|word| word >> (index % 64) & 1 == 1)
    }

    /// Prefetches what the check of a chunk needs of this node's own.
    pub(crate) fn prefetch(&self, index: u32) {
        self.pages.get(index as usize / PAGE_CHUNKS).into_iter().for_each(prefetch);
        self.verified.get(index as usize / 64).into_iter().for_each(prefetch);
    }

    /// How many chunks came and were right.
    pub fn verified_count(&self) -> u32 {
        self.verified_count
    }

    /// True if all chunks came and were right.
    pub fn is_complete(&self) -> bool {
        self.verified_count == self.shape.chunk_count()
    }

    /// Folds the values computed from the received chunks up to the BLAKE3 root, for the comparison with the manifest
    /// before the handover; `None` while a chunk is missing.
    ///
    /// A chunk's computed value is not kept beside the page's, nor a page's beside the top list's: it was found equal
    /// when it was verified, so the top list is where it is kept.
    pub fn root_of_received(&self) -> Option<blake3::Hash> {
        if !self.is_complete() {
            return None;
        }
        let pages = (0..self.shape.page_count()).map(|page| self.page_value(page)).collect::<Option<Vec<Value>>>()?;
        let sections: Vec<Value> =
            pages.chunks(PAGE_CHUNKS).map(|group| fold(group, self.shape.section_count() == 1)).collect();
        Some(blake3::Hash::from_bytes(fold(&sections, true)))
    }
}

/// The values of a list.
fn values(list: &[u8]) -> &[Value] {
    list.as_chunks().0
}

/// Value `place` of a list that may have come.
fn value_in(list: &Option<Bytes>, place: usize) -> Option<Value> {
    list.as_ref().and_then(|list| values(list).get(place).copied())
}

/// Checks that a list has so many values and that they fold to `value`.
fn check_list(part: Part, list: &[u8], entries: usize, value: Value, whole: bool) -> Result<(), TreeError> {
    let expected = entries * VALUE_LEN;
    if list.len() != expected {
        return Err(TreeError::Length { part, expected, got: list.len() });
    }
    if fold(values(list), whole) != value {
        return Err(TreeError::Mismatch(part));
    }
    Ok(())
}

#[cfg(test)]
#[path = "verifier_tests.rs"]
mod tests;
