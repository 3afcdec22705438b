use super::super::align::align;
use super::super::{HashTree, PAGE_CHUNKS};
use super::*;
use crate::cpio::Archive;

fn random(seed: u64, len: usize) -> Vec<u8> {
    let mut bytes = vec![0; len];
    fastrand::Rng::with_seed(seed).fill(&mut bytes);
    bytes
}

/// The chunk values of a payload, as a node gets them page by page.
fn values(tree: &HashTree) -> Vec<Value> {
    let pages = (0..tree.shape().page_count()).map(|page| tree.page(page).unwrap());
    pages.flat_map(|page| page.chunks(32).map(|value| value.try_into().unwrap()).collect::<Vec<Value>>()).collect()
}

/// The share of the new payload that a node must fetch which holds the old one: chunks that it lacks, and lists.
/// Every chunk that is reused is checked against the new payload.
fn moved(old: Vec<u8>, new: Vec<u8>) -> f64 {
    let (old, new) = (Bytes::from(old), Bytes::from(new));
    let tree = HashTree::new(&new).unwrap();
    let shape = tree.shape();
    let held = HeldImage::of_payload(&old);
    let found = reuse(&held, shape, &values(&tree));
    let chunk = |payload: &Bytes, index: u32| {
        let start = index as usize * CHUNK;
        payload.slice(start..payload.len().min(start + CHUNK))
    };
    for (to, from) in found.chunks() {
        assert_eq!(chunk(&new, to), chunk(&old, from), "chunk {to} from {from}");
    }
    let chunks: usize =
        (0..shape.chunk_count()).filter(|&i| found.source(i).is_none()).map(|i| shape.chunk_len(i).unwrap()).sum();
    let tops: usize = (0..shape.top_count()).map(|piece| tree.top(piece).unwrap().len()).sum();
    let page_value = |page: u32| {
        let (piece, index) = shape.top_of_page(page);
        tree.top(piece).unwrap()[32 * index..][..32].try_into().unwrap()
    };
    let pages: usize = (0..shape.page_count())
        .filter(|&page| !held.has_page(shape, page, &page_value(page)))
        .map(|page| tree.page(page).unwrap().len())
        .sum();
    (chunks + tops + pages) as f64 / new.len() as f64
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
            archive.file(&format!("usr/lib/{index:04}"), 0o755, &random(seed, len)).unwrap();
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
    let tree = HashTree::new(&old).unwrap();
    let half =
        HeldImage::new(256, |index| (index % 2 == 0).then(|| old.slice(index as usize * CHUNK..).slice(..CHUNK)));
    let found = reuse(&half, tree.shape(), &values(&tree));
    assert_eq!((found.len(), found.source(0), found.source(1)), (128, Some(0), None));
    let nothing = HeldImage::new(0, |_| None);
    assert!(reuse(&nothing, tree.shape(), &values(&tree)).is_empty());
    assert!(!half.has_page(tree.shape(), 0, &[0; 32]));
    assert_eq!(tree.shape().page_entries(0), Some(PAGE_CHUNKS));
}

#[test]
fn a_payload_of_one_chunk() {
    let bytes = Bytes::from_static(b"small");
    let tree = HashTree::new(&bytes).unwrap();
    let held = HeldImage::of_payload(&bytes);
    assert_eq!(reuse(&held, tree.shape(), &values(&tree)).source(0), Some(0));
    assert!(held.has_page(tree.shape(), 0, tree.root().as_bytes()));
}
