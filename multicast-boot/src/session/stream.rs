//! The order in which an image's lists and chunks travel, cut in two halves: one for each tree.
//!
//! Pages are split in pairs: tree 0 carries the even ones with their chunks, tree 1 the odd ones. The last page or
//! two, so that an even number comes before, are split chunk by chunk, and their pages are in both halves: so the
//! halves differ by at most one frame. A page travels 128 chunks before the first chunk that it verifies, the top
//! lists before all.

use crate::image::{PAGE_CHUNKS, Part, Shape};

/// Chunks of a full page.
const GROUP: u32 = PAGE_CHUNKS as u32;

/// Both halves of the stream of an image of one shape.
///
/// A *position* is a place in one tree's half, from 0 on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stream {
    shape: Shape,
    /// Pieces of the top list.
    tops: u32,
    /// Full pages of each half that travel with all of their chunks.
    own_pages: u32,
    /// Pages that are split between the halves: 1 or 2.
    split_pages: u32,
    /// Chunks of those pages.
    split_chunks: u32,
}

impl Stream {
    /// The stream of an image of this shape.
    pub fn new(shape: Shape) -> Stream {
        let own_pages = (shape.page_count() - 1) / 2;
        Stream {
            shape,
            tops: shape.top_count(),
            own_pages,
            split_pages: shape.page_count() - 2 * own_pages,
            split_chunks: shape.chunk_count() - 2 * own_pages * GROUP,
        }
    }

    /// The shape of the image.
    pub fn shape(&self) -> Shape {
        self.shape
    }

    /// Number of positions in a tree's half.
    pub fn len(&self, tree: usize) -> u32 {
        let own_chunks = self.own_pages * GROUP;
        self.tops + self.own_pages + own_chunks + self.split_pages + self.split_share(tree)
    }

    /// Chunks of the split pages that a tree carries.
    fn split_share(&self, tree: usize) -> u32 {
        (self.split_chunks + 1 - tree as u32) / 2
    }

    /// What travels at a position; `None` past the end.
    pub fn part(&self, tree: usize, position: u32) -> Option<Part> {
        if position >= self.len(tree) {
            return None;
        }
        if position < self.tops {
            return Some(Part::Top(position));
        }
        let after_tops = position - self.tops;
        if self.own_pages == 0 {
            return Some(self.split_part(tree, after_tops));
        }
        // The first page, then for each page but the last: the next page and this one's chunks.
        let Some(after_first) = after_tops.checked_sub(1) else { return Some(self.own_page(tree, 0)) };
        let (page, place) = (after_first / (1 + GROUP), after_first % (1 + GROUP));
        if page < self.own_pages - 1 {
            return Some(match place {
                0 => self.own_page(tree, page + 1),
                _ => self.own_chunk(tree, page, place - 1),
            });
        }
        // The split pages, the last own page's chunks, the split chunks.
        let rest = after_first - (self.own_pages - 1) * (1 + GROUP);
        match rest.checked_sub(self.split_pages) {
            None => Some(self.split_page(rest)),
            Some(place) if place < GROUP => Some(self.own_chunk(tree, self.own_pages - 1, place)),
            Some(place) => Some(self.split_part(tree, place - GROUP + self.split_pages)),
        }
    }

    /// Where in a tree's half a part travels; `None` if it does not.
    pub fn position(&self, tree: usize, part: Part) -> Option<u32> {
        let (own, split) = (2 * self.own_pages, self.tops + self.split_start());
        let is_own = |page: u32| page < own && page as usize % 2 == tree;
        let position = match part {
            Part::Top(piece) => piece,
            Part::Page(page) if page >= own => split + page - own,
            Part::Page(page) if is_own(page) => {
                self.tops + (page / 2).saturating_sub(1) * (1 + GROUP) + (page / 2).min(1)
            }
            Part::Chunk(index) if index >= own * GROUP => {
                let place = index - own * GROUP;
                let before = if own == 0 { 0 } else { GROUP };
                (place as usize % 2 == tree).then_some(split + self.split_pages + before + place / 2)?
            }
            Part::Chunk(index) if is_own(index / GROUP) => {
                let (page, place) = (index / GROUP / 2, index % GROUP);
                let lists = if page + 1 < self.own_pages { 1 } else { self.split_pages };
                self.tops + 1 + page * (1 + GROUP) + lists + place
            }
            Part::Page(_) | Part::Chunk(_) => return None,
        };
        (self.part(tree, position) == Some(part)).then_some(position)
    }

    /// Where the split pages begin, after the top lists.
    fn split_start(&self) -> u32 {
        if self.own_pages == 0 { 0 } else { 1 + (self.own_pages - 1) * (1 + GROUP) }
    }

    fn own_page(&self, tree: usize, page: u32) -> Part {
        Part::Page(2 * page + tree as u32)
    }

    fn own_chunk(&self, tree: usize, page: u32, place: u32) -> Part {
        Part::Chunk((2 * page + tree as u32) * GROUP + place)
    }

    fn split_page(&self, place: u32) -> Part {
        Part::Page(2 * self.own_pages + place)
    }

    /// Place `place` of the split pages followed by the split chunks.
    fn split_part(&self, tree: usize, place: u32) -> Part {
        match place.checked_sub(self.split_pages) {
            None => self.split_page(place),
            Some(chunk) => Part::Chunk(2 * self.own_pages * GROUP + 2 * chunk + tree as u32),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::CHUNK;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    /// Every chunk travels once, every list in time, and the halves are equally long.
    fn check(chunks: u32) {
        let shape = Shape::new(u64::from(chunks) * CHUNK as u64).unwrap();
        let stream = Stream::new(shape);
        let mut times = BTreeMap::new();
        for tree in 0..2 {
            let mut lists = Vec::new();
            for position in 0..stream.len(tree) {
                let part = stream.part(tree, position).unwrap_or_else(|| panic!("{chunks} chunks: hole at {position}"));
                assert_eq!(stream.position(tree, part), Some(position), "{chunks} chunks: {part} in tree {tree}");
                match part {
                    Part::Top(_) => lists.push(part),
                    Part::Page(page) => {
                        assert!(lists.contains(&Part::Top(shape.top_of_page(page).0)));
                        lists.push(part);
                    }
                    Part::Chunk(index) => {
                        assert!(lists.contains(&Part::Page(index / GROUP)), "{chunks} chunks: {part} before its page");
                        *times.entry(index).or_insert(0) += 1;
                    }
                }
            }
            assert_eq!(stream.part(tree, stream.len(tree)), None);
            assert_eq!(stream.part(tree, u32::MAX), None);
            for part in [Part::Chunk(chunks), Part::Page(shape.page_count()), Part::Top(shape.top_count())] {
                assert_eq!(stream.position(tree, part), None, "{chunks} chunks have no {part}");
            }
        }
        assert!(times.values().all(|&n| n == 1));
        assert_eq!(times.len() as u32, chunks);
        assert!(stream.len(0) - stream.len(1) <= 1, "{chunks} chunks: {} and {}", stream.len(0), stream.len(1));
    }

    #[test]
    fn small_streams_are_complete_and_even() {
        (1..=700).for_each(check);
    }

    #[test]
    fn lists_cost_less_than_a_hundredth() {
        let stream = Stream::new(Shape::new(64 << 20).unwrap());
        assert_eq!((stream.len(0), stream.len(1)), (1 + 63 + 2 + 8192, 1 + 63 + 2 + 8192));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(8))]
        #[test]
        fn larger_streams_are_complete_and_even(chunks in 1u32..20_000) {
            check(chunks);
        }
    }
}
