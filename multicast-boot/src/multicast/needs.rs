//! What receivers lack, put together over all of them.

use super::geometry::all_symbols;
use std::collections::BTreeMap;
use twowire_fabric::wire::boot::Lack;

/// What is lacking of one block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Need {
    /// A bit for each source symbol that somebody misses.
    pub(crate) missing: u64,
    /// The most symbols that one receiver lacks.
    pub(crate) most: u16,
}

/// What is lacking, by block.
#[derive(Default)]
pub(crate) struct Needs {
    blocks: BTreeMap<u32, Need>,
}

impl Needs {
    pub(crate) fn is_empty(&self) -> bool {
        self.blocks.is_empty()
    }

    /// Adds what a receiver says of a block of so many source symbols.
    pub(crate) fn add(&mut self, block: u32, symbols: u16, lack: &Lack) {
        let all = all_symbols(symbols);
        let missing = if lack.blocks > 1 { all } else { lack.missing & all };
        if missing == 0 {
            return;
        }
        let most = if lack.blocks > 1 { symbols } else { lack.count.clamp(1, missing.count_ones() as u16) };
        let need = self.blocks.entry(block).or_insert(Need { missing: 0, most: 0 });
        need.missing |= missing;
        need.most = need.most.max(most);
    }

    /// Takes out the first block that `is_ready`.
    pub(crate) fn take(&mut self, is_ready: impl Fn(u32) -> bool) -> Option<(u32, Need)> {
        let block = self.blocks.keys().copied().find(|&block| is_ready(block))?;
        self.blocks.remove(&block).map(|need| (block, need))
    }
}
