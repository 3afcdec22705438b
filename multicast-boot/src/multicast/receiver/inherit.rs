//! What a receiver takes over of what its node has: from an earlier start, and from an older image.

use super::super::geometry::{Geometry, Part, all_symbols};
use super::Receiver;
use super::memory::{PageMemory, Pool};
use crate::image::reuse::{Found, OldImage, Reuse, SLICE};
use crate::image::{CHUNK, PAGE_CHUNKS};
use bytes::Bytes;
use std::ops::Range;

/// Pages that an earlier start has left and that are hashed at once.
const PAGES_AT_ONCE: usize = SLICE as usize / PAGE_CHUNKS;

/// Memory for a page, with the chunks of it that an older image has.
pub(super) fn memory(pool: &mut Pool, reuse: Option<&Reuse>, geometry: &Geometry, page: u32) -> PageMemory {
    let mut memory = pool.take(geometry, page);
    if let Some(reuse) = reuse {
        fill(memory.change(), reuse, page);
    }
    memory
}

/// Copies the chunks of a page that an older image has to their places. One that cannot be read any more is missed when the page
/// is verified.
fn fill(memory: &mut [u8], reuse: &Reuse, page: u32) {
    for (index, place) in (page * PAGE_CHUNKS as u32..).zip(memory.chunks_mut(CHUNK)) {
        if let Some(chunk) = reuse.found_chunk(index).filter(|chunk| chunk.len() == place.len()) {
            place.copy_from_slice(&chunk);
        }
    }
}

impl Receiver {
    /// What is here of the image, for another one.
    pub(crate) fn into_old_image(self) -> OldImage {
        let store = self.store;
        OldImage::new(self.geometry.shape().chunk_count(), move |index| store.get(index))
    }

    /// True if [`Receiver::look_for_parts`] has something to do.
    pub fn is_busy(&self) -> bool {
        self.may_have_left || self.reuse.as_ref().is_some_and(|reuse| reuse.is_busy())
    }

    /// Goes on looking for parts of the image that the node has: those that an earlier start has left, then those in an older
    /// image.
    pub fn look_for_parts(&mut self) {
        self.may_have_left = self.may_have_left && self.look_at_left_pages();
        if !self.may_have_left {
            self.look_at_old_image();
        }
    }

    /// Verifies some of the pages of which an earlier start has left something in the store, as far as the top lists are here.
    /// Returns true if there may be more of them.
    fn look_at_left_pages(&mut self) -> bool {
        let is_due = |page: &u32| self.pages[*page as usize].is_found && self.verifier.has_top_of(*page);
        let due: Vec<u32> = (0..self.pages.len() as u32).filter(is_due).take(PAGES_AT_ONCE).collect();
        due.iter().for_each(|&page| self.take_left_page(page));
        due.len() == PAGES_AT_ONCE
    }

    fn take_left_page(&mut self, page: u32) {
        self.pages[page as usize].is_found = false;
        let mut bytes = Vec::with_capacity(self.geometry.place_of_page(page).len());
        let first = page * PAGE_CHUNKS as u32;
        (first..first + PAGE_CHUNKS as u32)
            .map_while(|index| self.store.left_chunk(index))
            .for_each(|chunk| bytes.extend_from_slice(&chunk));
        let whole = bytes.len() == self.geometry.place_of_page(page).len();
        if whole && self.verifier.verify_chunks_of_page(page, &bytes) == Some(true) {
            self.found_parts = true;
            self.hold(page);
        }
    }

    /// All of a page is verified and in the store.
    fn hold(&mut self, page: u32) {
        for block in self.geometry.blocks_of_page(page) {
            self.blocks[block as usize].fill(&mut self.parity_room);
        }
        (self.pages[page as usize].open, self.pages[page as usize].memory) = (0, None);
    }

    fn look_at_old_image(&mut self) {
        let Some(mut reuse) = self.reuse.take_if(|reuse| !reuse.is_done()) else { return };
        for found in reuse.work(&self.verifier, SLICE) {
            // Chunks outside of whole pages are copied when the rest of their pages comes.
            if let Found::Page { page, list, bytes } = found {
                self.take_page(page, &list, &bytes);
            }
        }
        reuse.missing_lists().iter().for_each(|&page| self.want_page(page));
        let changed = if reuse.is_done() { reuse.changed_pages().to_vec() } else { Vec::new() };
        self.reuse = Some(reuse);
        changed.into_iter().for_each(|page| self.take_chunks(page));
    }

    /// Others were done sooner with looking through the same old image: the lists that they have asked for are those that this
    /// receiver will lack.
    pub(super) fn want_what_others_asked_for(&mut self, block: u32) {
        let is_looking = self.reuse.as_ref().is_some_and(|reuse| !reuse.is_done());
        if let Some(Part::Page(page)) = self.geometry.part(block)
            && is_looking
            && self.verifier.page(page).is_none()
        {
            self.want_page(page);
        }
    }

    /// All of a page was found; this list was computed from its bytes.
    fn take_page(&mut self, page: u32, list: &Bytes, bytes: &Bytes) {
        if self.verifier.accept_found_page(page, list).is_ok() {
            self.store.put_run(page * PAGE_CHUNKS as u32, bytes);
            self.hold(page);
        }
    }

    /// Takes the chunks of a page that were found: symbols that lie within them need not come.
    fn take_chunks(&mut self, page: u32) {
        let (Some(reuse), state) = (self.reuse.as_deref(), &mut self.pages[page as usize]) else { return };
        if state.open == 0 {
            return;
        }
        if let Some(memory) = &mut state.memory {
            fill(memory.change(), reuse, page);
        }
        let blocks = self.geometry.blocks_of_page(page);
        let held: Vec<(u32, u64)> = blocks.map(|block| (block, self.symbols_held(reuse, block))).collect();
        for (block, symbols) in held {
            let gathering = &mut self.blocks[block as usize];
            if !gathering.is_full() && gathering.inherit(symbols, &mut self.parity_room) {
                self.pages[page as usize].open -= 1;
            }
        }
        if self.pages[page as usize].open == 0 {
            let (pool, reuse, geometry) = (&mut self.pool, self.reuse.as_deref(), &self.geometry);
            self.pages[page as usize].memory.get_or_insert_with(|| memory(pool, reuse, geometry, page));
            self.verify(page);
        }
    }

    /// The source symbols of a block, a bit each, that lie within chunks that were found.
    fn symbols_held(&self, reuse: &Reuse, block: u32) -> u64 {
        let (place, symbols) = (self.geometry.place(block), self.geometry.symbols(block));
        let is_held = |index: &u16| {
            let symbol = self.geometry.symbol(place.len(), *index);
            let symbol: Range<usize> = place.start + symbol.start..place.start + symbol.end;
            (symbol.start / CHUNK..symbol.end.div_ceil(CHUNK)).all(|chunk| reuse.has(chunk as u32))
        };
        (0..symbols).filter(is_held).map(|index| 1 << index).fold(0, |all, bit: u64| all | bit) & all_symbols(symbols)
    }
}
