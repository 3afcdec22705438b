//! Where a node keeps the chunks that it has verified.

use crate::image::reuse::OldImage;
use crate::image::tree::{Value, chunk_value};
use crate::image::{CHUNK, Manifest, Part};
use bytes::Bytes;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, OnceLock};
use twowire_fabric::prefetch::prefetch;

/// Keeps the verified chunks of one image, until the node hands over to it.
pub trait ChunkStore: Send {
    /// The value of bytes that came as this chunk, and are not verified yet. `whole` says that the payload has no other chunk. A store of
    /// many nodes in one process need not hash the very same bytes for each of them.
    fn value(&self, index: u32, bytes: &Bytes, whole: bool) -> Value {
        chunk_value(index, bytes, whole)
    }

    /// Keeps a chunk that has just been verified.
    fn put(&mut self, index: u32, bytes: Bytes);

    /// Keeps chunks that follow one another, from `first` on, and have just been verified.
    fn put_run(&mut self, first: u32, bytes: &Bytes) {
        for (index, start) in (first..).zip((0..bytes.len()).step_by(CHUNK)) {
            self.put(index, bytes.slice(start..bytes.len().min(start + CHUNK)));
        }
    }

    /// A chunk that is kept.
    fn get(&self, index: u32) -> Option<Bytes>;

    /// Prefetches what keeping a chunk will need, in a store of many nodes in one process.
    fn prefetch(&self, _index: u32) {}

    /// Keeps a list that has just been verified, if the store outlives the process: with it the next start of the node
    /// can verify what this one leaves.
    fn put_list(&mut self, _part: Part, _bytes: &Bytes) {}

    /// Lists that an earlier start has left, in the order in which they were kept. Nothing in them is verified.
    fn take_left_lists(&mut self) -> Vec<(Part, Bytes)> {
        Vec::new()
    }

    /// Bytes that an earlier start may have left in the place of a chunk. Nothing in them is verified.
    fn left_chunk(&self, _index: u32) -> Option<Bytes> {
        None
    }

    /// The image that the node has booted before, if it still has it: chunks of it may be chunks of this one. Nothing in it
    /// is verified.
    fn old_image(&self) -> Option<OldImage> {
        None
    }
}

/// Makes a node's store when it has accepted an image.
pub trait ChunkStores: Send + Sync {
    /// An empty store for an image; `None` if there is no room for it.
    fn open(&self, manifest: &Manifest) -> Option<Box<dyn ChunkStore>>;
}

/// Stores in memory, shared between the nodes of one process.
///
/// Where two nodes hold the very same bytes at the same address, which is what a simulator delivers, they are kept
/// once, and hashed once: a node's own part is one bit for each chunk. A chunk whose bytes lie elsewhere is hashed and kept by the node alone.
#[derive(Clone, Default)]
pub struct SharedStores {
    pools: Arc<Mutex<BTreeMap<[u8; blake3::OUT_LEN], Pool>>>,
    /// The payload that every node has from before.
    old: Option<Bytes>,
}

impl SharedStores {
    /// The stores of nodes that have this payload from an image that they booted before.
    pub fn with_old_image(payload: Bytes) -> SharedStores {
        SharedStores { old: Some(payload), ..SharedStores::default() }
    }
}

/// For each chunk of an image what the first node got. As long as its bytes are here no others lie at their address.
type Pool = Arc<[OnceLock<Pooled>]>;

struct Pooled {
    bytes: Bytes,
    value: Value,
}

impl Pooled {
    /// True if these are the very same bytes: at the same address.
    fn is(&self, bytes: &Bytes) -> bool {
        self.bytes.as_ptr() == bytes.as_ptr() && self.bytes.len() == bytes.len()
    }
}

impl ChunkStores for SharedStores {
    fn open(&self, manifest: &Manifest) -> Option<Box<dyn ChunkStore>> {
        let chunks = manifest.shape().chunk_count();
        let mut pools = self.pools.lock().expect("nothing panics while it holds this lock");
        let pool =
            pools.entry(*manifest.root().as_bytes()).or_insert_with(|| (0..chunks).map(|_| OnceLock::new()).collect());
        let shared = vec![0; chunks.div_ceil(u64::BITS) as usize];
        let old = self.old.clone();
        Some(Box::new(SharedStore { pool: Arc::clone(pool), shared, own: BTreeMap::new(), old }))
    }
}

struct SharedStore {
    pool: Pool,
    /// Chunks whose bytes are the pool's.
    shared: Vec<u64>,
    own: BTreeMap<u32, Bytes>,
    old: Option<Bytes>,
}

impl ChunkStore for SharedStore {
    fn value(&self, index: u32, bytes: &Bytes, whole: bool) -> Value {
        let known = self.pool.get(index as usize).and_then(OnceLock::get).filter(|pooled| pooled.is(bytes));
        known.map_or_else(|| chunk_value(index, bytes, whole), |pooled| pooled.value)
    }

    fn put(&mut self, index: u32, bytes: Bytes) {
        let Some(slot) = self.pool.get(index as usize) else { return };
        let value = || chunk_value(index, &bytes, self.pool.len() == 1);
        if slot.get_or_init(|| Pooled { bytes: bytes.clone(), value: value() }).is(&bytes) {
            self.shared[index as usize / 64] |= 1 << (index % 64);
        } else {
            self.own.insert(index, bytes);
        }
    }

    fn get(&self, index: u32) -> Option<Bytes> {
        let shared = self.shared.get(index as usize / 64).is_some_and(|word| word >> (index % 64) & 1 == 1);
        if shared {
            self.pool[index as usize].get().map(|pooled| pooled.bytes.clone())
        } else {
            self.own.get(&index).cloned()
        }
    }

    fn prefetch(&self, index: u32) {
        self.shared.get(index as usize / 64).into_iter().for_each(prefetch);
    }

    fn old_image(&self) -> Option<OldImage> {
        self.old.as_ref().map(OldImage::of_payload)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::{ClusterSecretKey, ImageParts, PackedImage};

    #[test]
    fn only_the_very_same_bytes_are_not_hashed_again() {
        let parts = ImageParts { initramfs: vec![7; 3 * CHUNK].into(), ..crate::session::testing::parts() };
        let image = PackedImage::pack(&parts, &ClusterSecretKey::from_seed(&[1; 32])).unwrap();
        let stores = SharedStores::default();
        let (mut a, b) = (stores.open(image.manifest()).unwrap(), stores.open(image.manifest()).unwrap());
        let chunk = image.chunk(1).unwrap();
        a.put(1, chunk.clone());
        let (copy, wrong) = (Bytes::copy_from_slice(&chunk), Bytes::from(vec![9; CHUNK]));
        for bytes in [&chunk, &copy, &wrong, &chunk.slice(..CHUNK - 1), &chunk.slice(1..)] {
            assert_eq!(b.value(1, bytes, false), chunk_value(1, bytes, false));
        }
        assert_eq!(b.value(2, &chunk, false), chunk_value(2, &chunk, false), "in another place");
        assert_eq!(b.value(99, &chunk, false), chunk_value(99, &chunk, false));
    }

    #[test]
    fn a_node_holds_what_it_was_given_and_nothing_else() {
        let parts = ImageParts { initramfs: vec![7; 3 * CHUNK].into(), ..crate::session::testing::parts() };
        let image = PackedImage::pack(&parts, &ClusterSecretKey::from_seed(&[1; 32])).unwrap();
        let stores = SharedStores::default();
        let (mut a, mut b) = (stores.open(image.manifest()).unwrap(), stores.open(image.manifest()).unwrap());
        a.put(0, image.chunk(0).unwrap());
        a.put(1, image.chunk(1).unwrap());
        assert!(b.get(0).is_none(), "what one node has, another has not");
        b.put(0, image.chunk(0).unwrap());
        b.put(1, Bytes::from(vec![9; CHUNK]));
        assert_eq!(b.get(0), image.chunk(0));
        assert_eq!((a.get(1), b.get(1)), (image.chunk(1), Some(Bytes::from(vec![9; CHUNK]))));
        assert!(a.get(2).is_none() && a.get(99).is_none());
        a.put(99, Bytes::new());
    }
}
