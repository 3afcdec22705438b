//! A whole image as a node holds it.

use super::store::ChunkStore;
use crate::image::{CHUNK, Manifest};
use std::ops::Range;

/// The image that a node has received and verified.
pub struct HeldImage<'a> {
    manifest: &'a Manifest,
    store: &'a dyn ChunkStore,
}

impl<'a> HeldImage<'a> {
    /// The image in this store, all chunks of which have been verified.
    pub(crate) fn new(manifest: &'a Manifest, store: &'a dyn ChunkStore) -> HeldImage<'a> {
        HeldImage { manifest, store }
    }

    /// The signed manifest's content.
    pub fn manifest(&self) -> &'a Manifest {
        self.manifest
    }

    /// The kernel's bytes; `None` if there is none.
    pub fn kernel(&self) -> Option<Vec<u8>> {
        Some(self.bytes(self.manifest().kernel_range()?))
    }

    /// The initramfs' bytes; `None` if there is none.
    pub fn initramfs(&self) -> Option<Vec<u8>> {
        Some(self.bytes(self.manifest().initramfs_range()?))
    }

    /// BLAKE3 of the payload, computed afresh from the bytes in the store.
    pub fn hash(&self) -> blake3::Hash {
        let mut hasher = blake3::Hasher::new();
        let chunks = self.manifest().shape().chunk_count();
        (0..chunks).filter_map(|index| self.store.get(index)).for_each(|chunk| _ = hasher.update(&chunk));
        hasher.finalize()
    }

    /// A range of the payload.
    fn bytes(&self, range: Range<u64>) -> Vec<u8> {
        let mut bytes = Vec::with_capacity((range.end - range.start) as usize);
        let mut at = range.start;
        while at < range.end {
            let start = at - at % CHUNK as u64;
            let chunk = self.store.get((start / CHUNK as u64) as u32).expect("a verified image is complete");
            let end = (range.end - start).min(chunk.len() as u64) as usize;
            bytes.extend_from_slice(&chunk[(at - start) as usize..end]);
            at = start + end as u64;
        }
        bytes
    }
}
