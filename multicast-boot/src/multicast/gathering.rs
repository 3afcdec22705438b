//! One block as its symbols come.

use super::code::{Decoder, PARITY};
use super::geometry::{Geometry, all_symbols};
use bytes::Bytes;
use twowire_fabric::wire::boot::Lack;

/// What became of a symbol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Taken {
    /// It brought nothing new.
    Duplicate,
    /// The block has no such symbol, or not of this length.
    Wrong,
    /// It is kept.
    Kept,
    /// With it the block has all its bytes, right or wrong.
    Full,
}

/// Which symbols of a block have come.
#[derive(Clone, Debug)]
pub(crate) struct Gathering {
    /// A bit for each source symbol that is missing.
    missing: u64,
    /// Parity symbols that wait until there are enough of them.
    parity: Vec<(u16, Bytes)>,
}

impl Gathering {
    /// A block of which nothing has come.
    pub(crate) fn new(symbols: u16) -> Gathering {
        Gathering { missing: all_symbols(symbols), parity: Vec::new() }
    }

    pub(crate) fn is_full(&self) -> bool {
        self.missing == 0
    }

    /// These source symbols are here.
    pub(crate) fn holds(&self, symbols: u64) -> bool {
        self.missing & symbols == 0
    }

    /// Nothing of it has come.
    pub(crate) fn is_blank(&self, symbols: u16) -> bool {
        self.missing == all_symbols(symbols) && self.parity.is_empty()
    }

    /// All of it is here.
    pub(crate) fn fill(&mut self, room: &mut usize) {
        self.missing = 0;
        self.drop_parity(room);
    }

    /// These source symbols are here. Returns true if all are now.
    pub(crate) fn inherit(&mut self, symbols: u64, room: &mut usize) -> bool {
        self.missing &= !symbols;
        let left = self.missing.count_ones() as usize;
        // With more parity the block could be restored already: then it comes a symbol later.
        while self.parity.len() >= left.max(1) {
            *room += self.parity.pop().map_or(0, |(_, bytes)| bytes.len());
        }
        left == 0
    }

    /// Forgets these source symbols, and all parity, because some of it was wrong.
    pub(crate) fn forget(&mut self, symbols: u64, room: &mut usize) {
        self.missing |= symbols;
        self.drop_parity(room);
    }

    /// What is lacking, for the sender.
    pub(crate) fn lack(&self, block: u32) -> Lack {
        let count = self.missing.count_ones() as usize - self.parity.len();
        Lack { block, blocks: 1, count: count as u16, missing: self.missing }
    }

    /// Takes a symbol; `place` is the block's memory, `room` the bytes that parity symbols may still take up.
    pub(crate) fn take(
        &mut self,
        geometry: &Geometry,
        place: &mut [u8],
        index: u16,
        bytes: &Bytes,
        room: &mut usize,
        decoder: &mut Decoder,
    ) -> Taken {
        let range = geometry.symbol(place.len(), index);
        if !range.is_empty() {
            let bit = 1 << index;
            if self.missing & bit == 0 {
                return Taken::Duplicate;
            }
            if bytes.len() != range.len() {
                return Taken::Wrong;
            }
            place[range].copy_from_slice(bytes);
            self.missing &= !bit;
        } else if let Some(index) = self.parity_index(geometry, place.len(), index, bytes) {
            if self.missing == 0 || self.parity.iter().any(|&(known, _)| known == index) {
                return Taken::Duplicate;
            }
            let Some(left) = room.checked_sub(bytes.len()) else { return Taken::Duplicate };
            *room = left;
            // A copy, so that the port gets its buffer back.
            self.parity.push((index, Bytes::copy_from_slice(bytes)));
        } else {
            return Taken::Wrong;
        }
        self.restore(geometry, place, room, decoder)
    }

    fn parity_index(&self, geometry: &Geometry, block_len: usize, index: u16, bytes: &[u8]) -> Option<u16> {
        let symbols = block_len.div_ceil(geometry.symbol_len()) as u16;
        index.checked_sub(symbols).filter(|&i| i < PARITY && bytes.len() == geometry.symbol_len())
    }

    /// Restores what is missing once there is enough parity for it.
    fn restore(&mut self, geometry: &Geometry, place: &mut [u8], room: &mut usize, decoder: &mut Decoder) -> Taken {
        if self.missing.count_ones() as usize > self.parity.len() {
            return Taken::Kept;
        }
        if self.missing != 0 {
            decoder.restore(place, self.missing, &self.parity, geometry.symbol_len());
        }
        self.fill(room);
        Taken::Full
    }

    fn drop_parity(&mut self, room: &mut usize) {
        *room += self.parity.iter().map(|(_, bytes)| bytes.len()).sum::<usize>();
        self.parity = Vec::new();
    }
}
