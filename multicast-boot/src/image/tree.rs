//! BLAKE3's tree over a payload, cut into lists of at most 128 values that each fit one frame.
//!
//! The *value* of a subtree is its chaining value or, of the subtree that is the whole payload, the root. With this
//! word the smallest payload (one chunk, one page, one top list, all of the same value) needs no case of its own.

use blake3::hazmat::{HasherExt, Mode, merge_subtrees_non_root, merge_subtrees_root};
use bytes::Bytes;

/// Bytes of a chunk: four of BLAKE3's leaves. Only a payload's last chunk is shorter.
pub const CHUNK: usize = 4096;

/// Chunks whose values make a page, pages whose values make a piece of the top list.
pub const PAGE_CHUNKS: usize = 128;

/// The largest payload, in bytes: 4 GiB.
pub const MAX_PAYLOAD: u64 = 1 << 32;

/// Bytes of a value.
pub const VALUE_LEN: usize = 32;

/// A subtree's chaining value, or the root.
pub type Value = [u8; VALUE_LEN];

/// How many chunks, pages and top lists a payload has. Everything follows from its length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    payload_len: u64,
}

impl Shape {
    /// The shape of a payload of so many bytes; `None` unless that is 1 to [`MAX_PAYLOAD`].
    pub fn new(payload_len: u64) -> Option<Shape> {
        (1..=MAX_PAYLOAD).contains(&payload_len).then_some(Shape { payload_len })
    }

    /// Bytes of the payload.
    pub fn payload_len(self) -> u64 {
        self.payload_len
    }

    /// Chunks of the payload: 1 to 1,048,576.
    pub fn chunk_count(self) -> u32 {
        self.payload_len.div_ceil(CHUNK as u64) as u32
    }

    /// Pages of chunk values: 1 to 8,192.
    pub fn page_count(self) -> u32 {
        self.chunk_count().div_ceil(PAGE_CHUNKS as u32)
    }

    /// Sections of 128 pages (64 MiB): 1 to 64.
    pub fn section_count(self) -> u32 {
        self.page_count().div_ceil(PAGE_CHUNKS as u32)
    }

    /// Pieces of the top list: 1 up to 64 MiB of payload, above it one more than there are sections.
    pub fn top_count(self) -> u32 {
        match self.section_count() {
            1 => 1,
            sections => 1 + sections,
        }
    }

    /// Bytes of chunk `index`; `None` past the end.
    pub fn chunk_len(self, index: u32) -> Option<usize> {
        let start = u64::from(index) * CHUNK as u64;
        (start < self.payload_len).then(|| (self.payload_len - start).min(CHUNK as u64) as usize)
    }

    /// Values in page `page`; `None` past the end.
    pub fn page_entries(self, page: u32) -> Option<usize> {
        entries(page, self.chunk_count())
    }

    /// Values in piece `piece` of the top list; `None` past the end.
    pub fn top_entries(self, piece: u32) -> Option<usize> {
        match (self.section_count(), piece) {
            (1, _) => entries(piece, self.page_count()),
            (sections, 0) => Some(sections as usize),
            (_, _) => entries(piece - 1, self.page_count()),
        }
    }

    /// Which piece of the top list holds the value of page `page`, and where in it.
    pub fn top_of_page(self, page: u32) -> (u32, usize) {
        let section = page / PAGE_CHUNKS as u32;
        let piece = if self.section_count() == 1 { 0 } else { 1 + section };
        (piece, page as usize % PAGE_CHUNKS)
    }
}

/// Values in list `list` out of lists of 128 that together hold `total`.
fn entries(list: u32, total: u32) -> Option<usize> {
    let before = u64::from(list) * PAGE_CHUNKS as u64;
    (before < u64::from(total)).then(|| (u64::from(total) - before).min(PAGE_CHUNKS as u64) as usize)
}

/// The value of chunk `index`. `whole` says that the payload has no other chunk.
pub fn chunk_value(index: u32, bytes: &[u8], whole: bool) -> Value {
    subtree_value(u64::from(index) * CHUNK as u64, bytes, whole)
}

/// The value of all chunks of page `page` together. `whole` says that the payload has no other page.
pub fn page_value(page: u32, bytes: &[u8], whole: bool) -> Value {
    subtree_value(u64::from(page) * (PAGE_CHUNKS * CHUNK) as u64, bytes, whole)
}

/// The value of the subtree that begins at byte `start` of the payload: a multiple of a power of two that is not less than
/// its length. `whole` says that it is all of the payload.
pub(crate) fn subtree_value(start: u64, bytes: &[u8], whole: bool) -> Value {
    if whole {
        return *blake3::hash(bytes).as_bytes();
    }
    blake3::Hasher::new().set_input_offset(start).update(bytes).finalize_non_root()
}

/// Folds the values of neighbouring subtrees, at least one, into the value of all of them. `whole` says that together
/// they are the payload.
pub fn fold(values: &[Value], whole: bool) -> Value {
    if let [value] = values {
        return *value;
    }
    let left_len = values.len().next_power_of_two() / 2;
    let (left, right) = values.split_at(left_len);
    let (left, right) = (fold(left, false), fold(right, false));
    if whole {
        *merge_subtrees_root(&left, &right, Mode::Hash).as_bytes()
    } else {
        merge_subtrees_non_root(&left, &right, Mode::Hash)
    }
}

/// The lists over one payload, as its sender has them.
#[derive(Clone, Debug)]
pub struct HashTree {
    shape: Shape,
    root: blake3::Hash,
    tops: Vec<Bytes>,
    pages: Bytes,
}

/// Bytes that are worth a thread of their own.
const THREAD_BYTES: usize = 4 << 20;

/// The values of all chunks of a payload, by as many threads as the machine has cores.
fn chunk_values(payload: &[u8]) -> Vec<Value> {
    let whole = payload.len() <= CHUNK;
    let values = |first: usize, part: &[u8]| -> Vec<Value> {
        part.chunks(CHUNK).zip(first as u32..).map(|(chunk, index)| chunk_value(index, chunk, whole)).collect()
    };
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let threads = cores.min(payload.len() / THREAD_BYTES).max(1);
    if threads == 1 {
        return values(0, payload);
    }
    let chunks = payload.len().div_ceil(CHUNK).div_ceil(threads);
    std::thread::scope(|scope| {
        let parts = payload.chunks(chunks * CHUNK).enumerate();
        let threads: Vec<_> = parts.map(|(i, part)| scope.spawn(move || values(i * chunks, part))).collect();
        threads.into_iter().flat_map(|thread| thread.join().expect("hashing does not panic")).collect()
    })
}

impl HashTree {
    /// Hashes a payload; `None` unless it has 1 to [`MAX_PAYLOAD`] bytes.
    pub fn new(payload: &[u8]) -> Option<HashTree> {
        let shape = Shape::new(payload.len() as u64)?;
        Some(HashTree::fold(shape, chunk_values(payload).into_flattened().into()))
    }

    /// The tree over these chunk values: what it is worth shows the root. `None` unless there is one for each chunk.
    pub fn from_chunk_values(shape: Shape, values: Bytes) -> Option<HashTree> {
        (values.len() == shape.chunk_count() as usize * VALUE_LEN).then(|| HashTree::fold(shape, values))
    }

    fn fold(shape: Shape, pages: Bytes) -> HashTree {
        let (chunks, _) = pages.as_chunks();
        let page_values = fold_groups(chunks);
        let sections = fold_groups(&page_values);
        let root = fold(&sections, true);
        let mut tops = Vec::with_capacity(shape.top_count() as usize);
        if shape.section_count() > 1 {
            tops.push(Bytes::copy_from_slice(sections.as_flattened()));
        }
        let page_values = Bytes::copy_from_slice(page_values.as_flattened());
        tops.extend((0..shape.section_count()).map(|section| list(&page_values, section)));
        HashTree { shape, root: blake3::Hash::from_bytes(root), tops, pages }
    }

    /// How many lists of each kind there are.
    pub fn shape(&self) -> Shape {
        self.shape
    }

    /// BLAKE3 of the payload.
    pub fn root(&self) -> blake3::Hash {
        self.root
    }

    /// The values of all chunks, one after the other.
    pub fn chunk_values(&self) -> &Bytes {
        &self.pages
    }

    /// A piece of the top list, at most 4,096 bytes; `None` past the end. Shared, not copied.
    pub fn top(&self, piece: u32) -> Option<Bytes> {
        self.tops.get(piece as usize).cloned()
    }

    /// A page, at most 4,096 bytes; `None` past the end. Shared, not copied.
    pub fn page(&self, page: u32) -> Option<Bytes> {
        (page < self.shape.page_count()).then(|| list(&self.pages, page))
    }
}

/// The values of each group of 128 neighbours. If there is only one group it is the whole payload.
fn fold_groups(values: &[Value]) -> Vec<Value> {
    let whole = values.len() <= PAGE_CHUNKS;
    values.chunks(PAGE_CHUNKS).map(|group| fold(group, whole)).collect()
}

/// List `index` of the values in `all`.
fn list(all: &Bytes, index: u32) -> Bytes {
    let start = index as usize * PAGE_CHUNKS * VALUE_LEN;
    all.slice(start..all.len().min(start + PAGE_CHUNKS * VALUE_LEN))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Bytes in which no two chunks are alike.
    fn payload(len: usize) -> Vec<u8> {
        let mut rng = fastrand::Rng::with_seed(len as u64);
        std::iter::repeat_with(|| rng.u8(..)).take(len).collect()
    }

    #[test]
    fn the_root_is_plain_blake3() {
        const PAGE: usize = PAGE_CHUNKS * CHUNK;
        for len in [1, 1023, 1024, 1025, 4095, 4096, 4097, 8192, 3 * CHUNK + 1, PAGE - 1, PAGE, PAGE + 1, 5 * PAGE + 7]
        {
            let bytes = payload(len);
            assert_eq!(HashTree::new(&bytes).unwrap().root(), blake3::hash(&bytes), "{len} bytes");
        }
    }

    #[test]
    fn above_64_mib_the_top_list_has_pieces() {
        let bytes = payload((64 << 20) + 3 * CHUNK + 5);
        let tree = HashTree::new(&bytes).unwrap();
        let shape = tree.shape();
        assert_eq!(tree.root(), blake3::hash(&bytes));
        assert_eq!((shape.section_count(), shape.top_count(), shape.page_count()), (2, 3, 129));
        let lens: Vec<usize> = (0..3).map(|piece| tree.top(piece).unwrap().len()).collect();
        assert_eq!(lens, [64, 4096, 32]);
        assert_eq!(shape.top_of_page(127), (1, 127));
        assert_eq!(shape.top_of_page(128), (2, 0));
        assert!(tree.top(3).is_none() && tree.page(129).is_none());
    }

    #[test]
    fn a_shape_counts_up_to_4_gib() {
        let largest = Shape::new(MAX_PAYLOAD).unwrap();
        assert_eq!((largest.chunk_count(), largest.page_count(), largest.section_count()), (1 << 20, 8192, 64));
        assert_eq!(
            (largest.top_entries(0), largest.top_entries(64), largest.top_entries(65)),
            (Some(64), Some(128), None)
        );
        assert!(Shape::new(0).is_none() && Shape::new(MAX_PAYLOAD + 1).is_none());
        let mib64 = Shape::new(64 << 20).unwrap();
        assert_eq!((mib64.top_count(), mib64.top_entries(0), mib64.top_entries(1)), (1, Some(128), None));
        assert_eq!((mib64.chunk_len(16383), mib64.chunk_len(16384)), (Some(CHUNK), None));
        assert_eq!(Shape::new(CHUNK as u64 + 1).unwrap().chunk_len(1), Some(1));
        assert_eq!(mib64.page_entries(u32::MAX), None);
    }
}
