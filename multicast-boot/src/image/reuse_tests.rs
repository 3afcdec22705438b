use super::super::align::align;
use super::super::{HashTree, ImageParts, PackedImage};
use super::*;
use crate::cpio::Archive;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

fn random(seed: u64, len: usize) -> Vec<u8> {
    let mut bytes = vec![0; len];
    fastrand::Rng::with_seed(seed).fill(&mut bytes);
    bytes
}

/// A node that holds an old image, and fetches what it lacks of a new one; it works in slices of this budget.
struct Node {
    verifier: TreeVerifier,
    reuse: Reuse,
    found: BTreeMap<u32, Bytes>,
    fetched: usize,
}

impl Node {
    fn new(old: OldImage, new: &Bytes) -> Node {
        let parts = ImageParts { initramfs: new.clone(), ..crate::session::testing::parts() };
        let image = PackedImage::pack(&parts, &crate::session::testing::key()).unwrap();
        let shape = image.tree().shape();
        let verifier = TreeVerifier::new(image.manifest());
        Node { verifier, reuse: Reuse::new(old, shape), found: BTreeMap::new(), fetched: 0 }
    }

    fn work(&mut self, budget: u32) {
        while self.reuse.is_busy() {
            for found in self.reuse.work(&self.verifier, budget) {
                match found {
                    Found::Page { page, list, bytes } => {
                        self.verifier.accept_page(page, &list).unwrap();
                        let first = page * PAGE_CHUNKS as u32;
                        let chunks = bytes.chunks(CHUNK).map(Bytes::copy_from_slice);
                        self.found.extend((first..).zip(chunks));
                    }
                    Found::Chunk { index, bytes } => _ = self.found.insert(index, bytes),
                }
            }
        }
    }

    /// Fetches what is wanted now, as it is in the new image.
    fn fetch(&mut self, new: &Bytes) {
        let tree = HashTree::new(new).unwrap();
        let shape = tree.shape();
        for piece in 0..shape.top_count() {
            self.fetched += tree.top(piece).unwrap().len();
            self.verifier.accept_top(piece, &tree.top(piece).unwrap()).unwrap();
        }
        self.reuse.is_busy = true;
        self.work(300);
        for page in (0..shape.page_count()).filter(|_| self.reuse.is_wanted(Part::Page(0))) {
            if self.verifier.page(page).is_none() {
                self.fetched += tree.page(page).unwrap().len();
                self.verifier.accept_page(page, &tree.page(page).unwrap()).unwrap();
            }
        }
        self.reuse.is_busy = true;
        self.work(300);
        assert!(self.reuse.is_done());
        let lacking = (0..shape.chunk_count()).filter(|index| !self.found.contains_key(index));
        self.fetched += lacking.map(|index| shape.chunk_len(index).unwrap()).sum::<usize>();
    }
}

/// The share of the new payload that a node must fetch which holds the old one: chunks that it lacks, and lists.
/// Every chunk that is reused is checked against the new payload.
fn moved(old: Vec<u8>, new: Vec<u8>) -> f64 {
    let (old, new) = (Bytes::from(old), Bytes::from(new));
    let mut node = Node::new(OldImage::of_payload(&old), &new);
    node.fetch(&new);
    for (index, bytes) in &node.found {
        let start = *index as usize * CHUNK;
        assert_eq!(bytes, &new.slice(start..new.len().min(start + CHUNK)), "chunk {index}");
    }
    node.fetched as f64 / new.len() as f64
}

const MIB: usize = 1 << 20;

#[test]
fn one_percent_changed_in_place_moves_less_than_three() {
    let old = random(1, 16 * MIB + 123);
    assert_eq!(moved(old.clone(), old.clone()), 32.0 * 33.0 / old.len() as f64, "the top list alone");
    for extent in [old.len() / 100, 64 << 10, 16 << 10] {
        let mut new = old.clone();
        let mut rng = fastrand::Rng::with_seed(extent as u64);
        for _ in 0..old.len() / 100 / extent {
            let at = rng.usize(..old.len() - extent);
            new[at..at + extent].iter_mut().for_each(|byte| *byte ^= 0x55);
        }
        let share = moved(old.clone(), new);
        println!("in place, extents of {extent}: {:.2} %", 100.0 * share);
        assert!(share <= 0.03, "extents of {extent}: {share}");
    }
}

/// An initramfs of many files, some of them changed: (index, new length).
fn initramfs(files: usize, changed: &[(usize, usize)], without: &[usize], extra: usize) -> Vec<u8> {
    let mut archive = Archive::new();
    let mut rng = fastrand::Rng::with_seed(3);
    for index in 0..files {
        let len = if rng.bool() { rng.usize(20_000..200_000) } else { rng.usize(10..3000) };
        let (seed, len) = match changed.iter().find(|(i, _)| *i == index) {
            Some(&(_, grown)) => (1000 + index as u64, len + grown),
            None => (index as u64, len),
        };
        if !without.contains(&index) {
            archive.file(&format!("usr/lib/{}/{index:04}", index / 20), 0o755, &random(seed, len)).unwrap();
        }
        if index == files / 3 && extra > 0 {
            archive.file("usr/lib/new", 0o755, &random(99, extra)).unwrap();
        }
    }
    archive.finish()
}

#[test]
fn one_percent_inserted_moves_less_than_three_if_files_are_aligned() {
    let old = initramfs(300, &[], &[], 0);
    let new = initramfs(300, &[(7, 5000), (150, 3)], &[33], old.len() / 200);
    let share = moved(align(&old).unwrap(), align(&new).unwrap());
    println!("a file inserted, one removed, two changed, {} MiB: {:.2} %", old.len() / MIB, 100.0 * share);
    assert!(share <= 0.03, "{share}");
    let loose = moved(old, new);
    assert!(loose > 0.5, "without alignment little is found: {loose}");
}

#[test]
fn what_moved_by_whole_chunks_is_found() {
    let old = random(4, 4 * MIB);
    let new = [random(5, 3 * CHUNK), old[..MIB].to_vec(), random(6, CHUNK), old[MIB + 2 * CHUNK..].to_vec()].concat();
    assert!(moved(old, new) < 0.02);
}

#[test]
fn what_is_not_held_is_not_promised() {
    let old = Bytes::from(random(7, MIB));
    let payload = old.clone();
    let half = OldImage::new(256, move |index| {
        (index % 2 == 0).then(|| payload.slice(index as usize * CHUNK..).slice(..CHUNK))
    });
    let mut node = Node::new(half, &old);
    node.fetch(&old);
    assert_eq!((node.found.len(), node.found.contains_key(&0), node.found.contains_key(&1)), (128, true, false));
    assert_eq!(node.reuse.found_chunk(2), Some(old.slice(2 * CHUNK..3 * CHUNK)));
    let mut node = Node::new(OldImage::new(0, |_| None), &old);
    node.fetch(&old);
    assert!(node.found.is_empty());
}

/// Where nothing is found each part of the search costs its passes: whole pages, chunks in their places, what has moved.
#[test]
fn an_old_image_that_has_nothing_of_the_new_one_is_hashed_a_few_times() {
    let (old, new) = (Bytes::from(random(10, 8 * MIB)), Bytes::from(random(11, 8 * MIB + 5)));
    let (chunks, asked) = ((8 * MIB / CHUNK) as u32, Arc::new(AtomicU64::new(0)));
    let (payload, counted) = (OldImage::of_payload(&old), Arc::clone(&asked));
    let old = OldImage::new(chunks, move |index| {
        counted.fetch_add(1, Ordering::Relaxed);
        payload.chunk(index)
    });
    let mut node = Node::new(old, &new);
    node.fetch(&new);
    assert!(node.found.is_empty());
    let passes = asked.load(Ordering::Relaxed) as f64 / f64::from(chunks);
    assert!((2.0 + PASSES as f64 - 0.1..=2.0 + PASSES as f64 + 0.1).contains(&passes), "{passes} passes");
}

#[test]
fn nothing_is_wanted_that_may_yet_be_found() {
    let new = Bytes::from(random(8, MIB));
    let mut node = Node::new(OldImage::of_payload(&new), &new);
    node.work(10);
    let wanted = |node: &Node| [Part::Top(0), Part::Page(0), Part::Chunk(0)].map(|part| node.reuse.is_wanted(part));
    assert_eq!((wanted(&node), node.reuse.wants()), ([true, false, false], 0));
    node.fetch(&new);
    assert_eq!((wanted(&node), node.reuse.wants()), ([true, true, true], 2));
}

#[test]
fn a_payload_of_one_chunk() {
    let bytes = Bytes::from_static(b"small");
    let mut node = Node::new(OldImage::of_payload(&bytes), &bytes);
    node.fetch(&bytes);
    assert_eq!((node.found.len(), node.fetched), (1, 32), "the top list alone");
}
