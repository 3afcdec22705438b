//! How an image is cut into blocks, and blocks into symbols. Everything follows from the image's length and the
//! symbols' length, so sender and receivers need not talk about it.

use crate::image::{CHUNK, PAGE_CHUNKS, Shape, VALUE_LEN};
use std::ops::Range;

/// Bytes of the payload under one page of the image's tree.
pub const PAGE_BYTES: usize = PAGE_CHUNKS * CHUNK;

/// The shortest symbols: with them the longest block has as many symbols as a word has bits.
pub const MIN_SYMBOL_LEN: usize = SMALLEST_BLOCK / 64;

/// The shortest full block of the payload.
const SMALLEST_BLOCK: usize = 64 << 10;

/// A full block has at least so many symbols, as long as it is no larger than a page.
const ENOUGH_SYMBOLS: usize = 24;

/// What a block is a piece of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// The payload: block number so and so of it.
    Payload(u32),
    /// The top list: this piece.
    Top(u32),
    /// This page of chunk values.
    Page(u32),
}

/// How an image is cut.
///
/// Blocks are numbered: the payload's first, then the pieces of the top list, then the pages. A page of the payload is a
/// whole number of blocks, except that the last one may end early.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Geometry {
    shape: Shape,
    symbol_len: usize,
    block_len: usize,
}

impl Geometry {
    /// The geometry of an image that is sent in symbols of so many bytes; `None` unless that is an even number from
    /// [`MIN_SYMBOL_LEN`] on that fits a frame.
    pub fn new(shape: Shape, symbol_len: usize) -> Option<Geometry> {
        let fits = (MIN_SYMBOL_LEN..=usize::from(u16::MAX)).contains(&symbol_len);
        (fits && symbol_len.is_multiple_of(2)).then(|| Geometry { shape, symbol_len, block_len: block_len(symbol_len) })
    }

    /// The geometry for a port that carries payloads of up to so many bytes; `None` if that is too few.
    pub fn for_port(shape: Shape, max_payload: usize) -> Option<Geometry> {
        let largest = max_payload.min(usize::from(u16::MAX)) / 2 * 2;
        // Equal symbols rather than a short last one.
        let symbols = block_len(largest.max(1)).div_ceil(largest.max(1));
        let equal = block_len(largest.max(1)).div_ceil(symbols).next_multiple_of(2);
        Geometry::new(shape, equal.min(largest))
    }

    /// The shape of the image's tree.
    pub fn shape(&self) -> Shape {
        self.shape
    }

    /// Bytes of a symbol; a block's last source symbol may be shorter.
    pub fn symbol_len(&self) -> usize {
        self.symbol_len
    }

    /// Blocks of the payload.
    pub fn payload_blocks(&self) -> u32 {
        self.shape.payload_len().div_ceil(self.block_len as u64) as u32
    }

    /// Blocks of all kinds.
    pub fn block_count(&self) -> u32 {
        self.payload_blocks() + self.shape.top_count() + self.shape.page_count()
    }

    /// The block that is this piece of the top list.
    pub fn top_block(&self, piece: u32) -> u32 {
        self.payload_blocks() + piece
    }

    /// The block that is this page of chunk values.
    pub fn page_block(&self, page: u32) -> u32 {
        self.payload_blocks() + self.shape.top_count() + page
    }

    /// What a block is; `None` past the end.
    pub fn part(&self, block: u32) -> Option<Part> {
        let Some(list) = block.checked_sub(self.payload_blocks()) else { return Some(Part::Payload(block)) };
        match list.checked_sub(self.shape.top_count()) {
            None => Some(Part::Top(list)),
            Some(page) => (page < self.shape.page_count()).then_some(Part::Page(page)),
        }
    }

    /// Bytes of a block; 0 past the end.
    pub fn len(&self, block: u32) -> usize {
        match self.part(block) {
            Some(Part::Payload(block)) => self.place(block).len(),
            Some(Part::Top(piece)) => self.shape.top_entries(piece).unwrap_or(0) * VALUE_LEN,
            Some(Part::Page(page)) => self.shape.page_entries(page).unwrap_or(0) * VALUE_LEN,
            None => 0,
        }
    }

    /// Source symbols of a block: 1 to 64; 0 past the end.
    pub fn symbols(&self, block: u32) -> u16 {
        self.len(block).div_ceil(self.symbol_len) as u16
    }

    /// Where in the payload one of its blocks lies.
    pub fn place(&self, block: u32) -> Range<usize> {
        let start = block as usize * self.block_len;
        start..(start + self.block_len).min(self.shape.payload_len() as usize)
    }

    /// Where in its block, of so many bytes, a source symbol lies.
    pub fn symbol(&self, block_len: usize, index: u16) -> Range<usize> {
        let start = usize::from(index) * self.symbol_len;
        start.min(block_len)..(start + self.symbol_len).min(block_len)
    }

    /// The source symbols, a bit each, that lie over this part of a block.
    pub(crate) fn symbols_over(&self, part: Range<usize>) -> u64 {
        let below = |end: usize| all_symbols(end.min(64) as u16);
        below(part.end.div_ceil(self.symbol_len)) & !below(part.start / self.symbol_len)
    }

    /// The block of the payload in which this byte of it lies.
    pub(crate) fn block_at(&self, byte: usize) -> u32 {
        (byte / self.block_len) as u32
    }

    /// The page that a block of the payload belongs to.
    pub fn page_of(&self, block: u32) -> u32 {
        (block as usize * self.block_len / PAGE_BYTES) as u32
    }

    /// The blocks of the payload under a page.
    pub fn blocks_of_page(&self, page: u32) -> Range<u32> {
        let each = (PAGE_BYTES / self.block_len) as u32;
        page * each..(page * each + each).min(self.payload_blocks())
    }

    /// Where in the payload the chunks of a page lie.
    pub fn place_of_page(&self, page: u32) -> Range<usize> {
        let start = page as usize * PAGE_BYTES;
        start..(start + PAGE_BYTES).min(self.shape.payload_len() as usize)
    }
}

/// A bit for each of so many source symbols.
pub(crate) fn all_symbols(symbols: u16) -> u64 {
    match symbols {
        0 => 0,
        _ => u64::MAX >> (64 - u32::from(symbols.min(64))),
    }
}

/// Bytes of a full block: as few as make enough symbols.
fn block_len(symbol_len: usize) -> usize {
    let enough = |len: &usize| len / symbol_len >= ENOUGH_SYMBOLS;
    [SMALLEST_BLOCK, 2 * SMALLEST_BLOCK, 4 * SMALLEST_BLOCK].into_iter().find(enough).unwrap_or(PAGE_BYTES)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shape(len: u64) -> Shape {
        Shape::new(len).expect("a valid length")
    }

    #[test]
    fn symbols_fit_the_port_and_blocks_fit_a_word() {
        for max_payload in MIN_SYMBOL_LEN..=70_000 {
            let geometry = Geometry::for_port(shape(3 << 20), max_payload).expect("large enough");
            assert_eq!(Geometry::new(shape(3 << 20), geometry.symbol_len()), Some(geometry));
            assert!(geometry.symbol_len() <= max_payload && geometry.symbols(0) <= 64, "{max_payload}");
            let padding = usize::from(geometry.symbols(0)) * geometry.symbol_len() - geometry.len(0);
            assert!(padding < 2 * 64 || geometry.symbols(0) == 64, "{max_payload}: {padding} bytes of padding");
        }
        assert_eq!(Geometry::for_port(shape(1), MIN_SYMBOL_LEN - 1), None);
        assert_eq!(Geometry::for_port(shape(1), 0), None);
        assert_eq!(Geometry::new(shape(1), MIN_SYMBOL_LEN + 1), None, "odd");
    }

    #[test]
    fn blocks_cover_everything_once() {
        for len in [1, 4096, 65_536, 65_537, PAGE_BYTES as u64, (64 << 20) + 12_345] {
            for symbol_len in [1024, 1426, 8930, 65_534] {
                let geometry = Geometry::new(shape(len), symbol_len).expect("valid");
                let mut end = 0;
                for block in 0..geometry.payload_blocks() {
                    let place = geometry.place(block);
                    assert_eq!(place.start, end);
                    let symbols = (0..geometry.symbols(block)).map(|i| geometry.symbol(place.len(), i));
                    assert_eq!(
                        symbols.fold(0, |at, s| if s.start == at && !s.is_empty() { s.end } else { 0 }),
                        place.len()
                    );
                    assert!(geometry.blocks_of_page(geometry.page_of(block)).contains(&block));
                    end = place.end;
                }
                assert_eq!(end as u64, len);
                assert_eq!(geometry.part(geometry.block_count()), None);
                assert_eq!(geometry.part(u32::MAX), None);
                assert_eq!(geometry.symbols(u32::MAX), 0);
            }
        }
    }

    #[test]
    fn a_word_has_a_bit_for_each_symbol() {
        assert_eq!([0, 1, 47, 64].map(all_symbols), [0, 1, (1 << 47) - 1, u64::MAX]);
    }
}
