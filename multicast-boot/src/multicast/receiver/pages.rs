//! Pages and lists that are full are verified; what is right is stored, what is wrong is asked for again.

use super::super::gathering::Gathering;
use super::super::geometry::{Part, all_symbols};
use super::memory::PageMemory;
use super::{GatheredList, Receiver};
use crate::image::{CHUNK, PAGE_CHUNKS, TreeError};
use bytes::Bytes;
use std::collections::BTreeMap;

/// The chunks of a page as their symbols come.
pub(super) struct Page {
    /// How many of its blocks are not full.
    pub(super) open: u8,
    /// The store may have its chunks from an earlier start; they have not been looked at.
    pub(super) is_found: bool,
    /// From its first symbol until it is verified.
    pub(super) memory: Option<PageMemory>,
}

impl Receiver {
    /// Takes the lists that are full, those of the top first, and then looks at the pages that waited.
    pub(super) fn try_lists(&mut self) {
        let full: Vec<u32> = self.lists.iter().filter(|(_, list)| list.gathering.is_full()).map(|(&b, _)| b).collect();
        let mut taken = false;
        for block in full {
            taken |= self.try_list(block);
        }
        if taken {
            self.look_for_parts();
            let waiting = std::mem::take(&mut self.waiting);
            self.waiting = waiting.into_iter().filter(|&page| !self.verify(page)).collect();
        }
    }

    /// Verifies a list that is full. Returns true if it was right.
    fn try_list(&mut self, block: u32) -> bool {
        let Some(list) = self.lists.get_mut(&block) else { return false };
        let bytes = Bytes::copy_from_slice(&list.bytes);
        let verified = match self.geometry.part(block) {
            Some(Part::Top(piece)) => {
                let verified = self.verifier.accept_top(piece, &bytes);
                self.may_have_left |= verified.is_ok();
                verified
            }
            Some(Part::Page(page)) => self.verifier.accept_page(page, &bytes),
            _ => return false,
        };
        match verified {
            Ok(()) => {
                self.lists.remove(&block);
                true
            }
            Err(TreeError::NotYet { .. }) => false,
            Err(_) => {
                self.counters.rejected += u64::from(self.geometry.symbols(block));
                list.gathering = Gathering::new(self.geometry.symbols(block));
                false
            }
        }
    }

    /// Verifies a page all of whose blocks are full, and stores it. Returns false if a list is missing for it; a page
    /// that turns out to be wrong is no longer full.
    pub(super) fn verify(&mut self, page: u32) -> bool {
        let Some(memory) = &mut self.pages[page as usize].memory else { return true };
        if !self.verifier.has_top_of(page) {
            return false;
        }
        match self.verifier.verify_value_of_page(page, memory.value()) {
            None => return false,
            Some(true) => self.keep(page),
            Some(false) if self.verifier.page(page).is_none() => {
                self.want_page(page);
                return false;
            }
            Some(false) => self.drop_wrong_chunks(page),
        }
        true
    }

    /// Stores the chunks of a page that has been verified.
    fn keep(&mut self, page: u32) {
        let Some(memory) = self.pages[page as usize].memory.take() else { return };
        let bytes = memory.into_bytes();
        self.store.put_run(page * PAGE_CHUNKS as u32, &bytes);
        self.pool.give(bytes);
    }

    pub(super) fn want_page(&mut self, page: u32) {
        let (block, geometry) = (self.geometry.page_block(page), self.geometry);
        self.lists.entry(block).or_insert_with(|| GatheredList::new(&geometry, block));
    }

    /// Forgets the symbols that lie in wrong chunks of a page whose list is here.
    fn drop_wrong_chunks(&mut self, page: u32) {
        let Some(memory) = &mut self.pages[page as usize].memory else { return };
        memory.forget_values();
        let mut wrong: BTreeMap<u32, u64> = BTreeMap::new();
        for (index, bytes) in (page * PAGE_CHUNKS as u32..).zip(memory.bytes().chunks(CHUNK)) {
            if self.verifier.is_right(index, bytes) == Some(false) {
                let start = index as usize * CHUNK;
                let block = self.geometry.block_at(start);
                let offset = start - self.geometry.place(block).start;
                *wrong.entry(block).or_default() |= self.geometry.symbols_over(offset..offset + bytes.len());
            }
        }
        for (block, symbols) in wrong {
            let dropped = symbols & all_symbols(self.geometry.symbols(block));
            self.blocks[block as usize].forget(dropped, &mut self.parity_room);
            self.pages[page as usize].open += 1;
            self.full_below = self.full_below.min(block);
            self.counters.rejected += u64::from(dropped.count_ones());
        }
    }
}
