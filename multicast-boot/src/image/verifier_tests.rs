use super::*;
use crate::image::{CHUNK, ClusterSecretKey, ImageParts, PackedImage};
use proptest::prelude::*;

fn image(len: usize) -> PackedImage {
    let mut rng = fastrand::Rng::with_seed(len as u64);
    let initramfs: Bytes = std::iter::repeat_with(|| rng.u8(..)).take(len).collect();
    let parts = ImageParts { name: "test".into(), initramfs, ..ImageParts::default() };
    PackedImage::pack(&parts, &ClusterSecretKey::from_seed(&[9; 32])).unwrap()
}

fn receive_lists(image: &PackedImage, verifier: &mut TreeVerifier) {
    let shape = image.tree().shape();
    (0..shape.top_count()).for_each(|n| verifier.accept_top(n, &image.tree().top(n).unwrap()).unwrap());
    (0..shape.page_count()).for_each(|n| verifier.accept_page(n, &image.tree().page(n).unwrap()).unwrap());
}

#[test]
fn a_whole_image_is_verified_chunk_by_chunk() {
    const PAGE: usize = PAGE_CHUNKS * CHUNK;
    for len in [1, 1024, 4096, 4097, 8192, PAGE, PAGE + 1, 3 * PAGE + 12_345, (64 << 20) + PAGE + 1] {
        let image = image(len);
        let mut verifier = TreeVerifier::new(image.manifest());
        receive_lists(&image, &mut verifier);
        let count = image.tree().shape().chunk_count();
        // Out of order, and some twice.
        for index in (0..count).rev().chain(0..count.min(3)) {
            assert!(len > 1 << 20 || verifier.root_of_received().is_none() || verifier.is_complete());
            verifier.verify_chunk(index, &image.chunk(index).unwrap()).unwrap();
        }
        assert_eq!((verifier.verified_count(), verifier.is_complete()), (count, true), "{len} bytes");
        assert_eq!(verifier.root_of_received(), Some(blake3::hash(image.payload())), "{len} bytes");
    }
}

#[test]
fn nothing_is_believed_before_the_list_above_it() {
    let image = image((64 << 20) + 1);
    let tree = image.tree();
    let mut verifier = TreeVerifier::new(image.manifest());
    let not_yet = |part, needs| Err(TreeError::NotYet { part, needs });
    assert_eq!(verifier.accept_top(1, &tree.top(1).unwrap()), not_yet(Part::Top(1), Part::Top(0)));
    assert_eq!(verifier.accept_page(0, &tree.page(0).unwrap()), not_yet(Part::Page(0), Part::Top(1)));
    assert_eq!(verifier.accept_page(128, &tree.page(128).unwrap()), not_yet(Part::Page(128), Part::Top(2)));
    let chunk = image.chunk(129).unwrap();
    assert_eq!(verifier.verify_chunk(129, &chunk), not_yet(Part::Chunk(129), Part::Page(1)));
    receive_lists(&image, &mut verifier);
    assert_eq!(verifier.verify_chunk(129, &chunk), Ok(()));
    assert_eq!((verifier.verified_count(), verifier.is_verified(129), verifier.is_verified(128)), (1, true, false));
    assert_eq!(verifier.root_of_received(), None);
    assert_eq!(
        TreeError::NotYet { part: Part::Chunk(5), needs: Part::Page(0) }.to_string(),
        "chunk 5 cannot be checked before page 0"
    );
}

#[test]
fn a_wrong_list_or_chunk_is_refused_and_changes_nothing() {
    let image = image(2 * PAGE_CHUNKS * CHUNK + 100);
    let tree = image.tree();
    let flip = |bytes: &Bytes, at: usize| {
        let mut bytes = bytes.to_vec();
        bytes[at] ^= 1;
        Bytes::from(bytes)
    };
    let mut verifier = TreeVerifier::new(image.manifest());
    let top = tree.top(0).unwrap();
    for at in 0..top.len() {
        assert_eq!(verifier.accept_top(0, &flip(&top, at)), Err(TreeError::Mismatch(Part::Top(0))));
    }
    verifier.accept_top(0, &top).unwrap();
    let page = tree.page(1).unwrap();
    assert_eq!(verifier.accept_page(1, &flip(&page, 77)), Err(TreeError::Mismatch(Part::Page(1))));
    assert_eq!(verifier.accept_page(0, &page), Err(TreeError::Mismatch(Part::Page(0))));
    let short = TreeError::Length { part: Part::Page(1), expected: 4096, got: 4064 };
    assert_eq!(verifier.accept_page(1, &page.slice(32..)), Err(short));
    assert!(verifier.page(1).is_none());
    verifier.accept_page(1, &page).unwrap();
    assert_eq!(verifier.page(1).unwrap().as_ptr(), page.as_ptr(), "the page is shared, not copied");
    let chunk = image.chunk(130).unwrap();
    assert_eq!(verifier.verify_chunk(130, &flip(&chunk, 4095)), Err(TreeError::Mismatch(Part::Chunk(130))));
    assert_eq!(verifier.verify_chunk(131, &chunk), Err(TreeError::Mismatch(Part::Chunk(131))));
    assert_eq!(verifier.verified_count(), 0);
}

#[test]
fn numbers_past_the_end_are_errors() {
    let image = image(5000);
    let mut verifier = TreeVerifier::new(image.manifest());
    receive_lists(&image, &mut verifier);
    for n in [2, 64, u32::MAX] {
        assert_eq!(verifier.verify_chunk(n, &[]), Err(TreeError::OutOfRange(Part::Chunk(n))));
        assert_eq!(verifier.accept_page(n, &Bytes::new()), Err(TreeError::OutOfRange(Part::Page(n))));
        assert_eq!(verifier.accept_top(n, &Bytes::new()), Err(TreeError::OutOfRange(Part::Top(n))));
        assert!(!verifier.is_verified(n));
    }
    let long = TreeError::Length { part: Part::Chunk(1), expected: 904, got: 905 };
    assert_eq!(verifier.verify_chunk(1, &[0; 905]), Err(long));
}

proptest! {
    /// Whatever is offered under whatever number: it is taken if and only if it is what was packed under that number.
    #[test]
    fn only_the_right_bytes_are_taken(
        len in 1usize..5 * CHUNK,
        offers in prop::collection::vec((0u32..6, 0u32..6, prop::option::of(any::<prop::sample::Index>())), 1..30),
    ) {
        let image = image(len);
        let mut verifier = TreeVerifier::new(image.manifest());
        receive_lists(&image, &mut verifier);
        for (number, from, flip) in offers {
            let mut bytes = image.chunk(from).unwrap_or_default().to_vec();
            if let Some(flip) = flip.filter(|_| !bytes.is_empty()) {
                let at = flip.index(bytes.len() * 8);
                bytes[at / 8] ^= 1 << (at % 8);
            }
            let right = image.chunk(number).is_some_and(|chunk| chunk == bytes);
            prop_assert_eq!(verifier.verify_chunk(number, &bytes).is_ok(), right);
        }
    }
}
