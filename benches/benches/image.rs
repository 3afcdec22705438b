//! Images: packing one, and verifying its chunks as they arrive.

use bytes::Bytes;
use std::time::Instant;
use twowire_benches::{Figures, median};
use twowire_multicast_boot::image::{ClusterSecretKey, ImageParts, PackedImage, SignedManifest, TreeVerifier};

const LEN: usize = 64 << 20;
const ROUNDS: usize = 9;

fn main() {
    let mut figures = Figures::of("image");
    let key = ClusterSecretKey::from_seed(&[1; 32]);
    let initramfs: Bytes = (0..LEN as u64).map(|i| (i.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 56) as u8).collect();
    let parts = ImageParts { name: "bench".into(), initramfs, ..ImageParts::default() };
    let image = PackedImage::pack(&parts, &key).expect("it packs");

    let mut rate = |what: &str, work: &mut dyn FnMut()| {
        let seconds = median((0..ROUNDS).map(|_| seconds(work)).collect());
        figures.record(what, format!("{:.1} GB/s", LEN as f64 / seconds / 1e9));
    };
    rate("hash the payload in one call, for comparison", &mut || {
        assert_eq!(blake3::hash(image.payload()), image.manifest().root());
    });
    rate("pack 64 MiB", &mut || drop(PackedImage::pack(&parts, &key).expect("it packs")));
    rate("verify 16,384 chunks of 4 KiB", &mut || receive(&image));

    let complete = received(&image);
    let fold = median((0..ROUNDS).map(|_| seconds(&mut || assert!(complete.root_of_received().is_some()))).collect());
    figures.record("fold the values of 16,384 chunks to the root", format!("{:.2} ms", fold * 1e3));
    let signed = image.signed_manifest().as_bytes();
    let verify = || drop(SignedManifest::verify(signed, &key.public()).expect("it is signed"));
    let signature = median((0..ROUNDS).map(|_| seconds(&mut || (0..100).for_each(|_| verify()))).collect()) / 100.0;
    figures.record("verify a manifest's signature", format!("{:.0} µs", signature * 1e6));
}

/// What a node does with an image that arrives whole.
fn received(image: &PackedImage) -> TreeVerifier {
    let (tree, mut verifier) = (image.tree(), TreeVerifier::new(image.manifest()));
    (0..).map_while(|n| tree.top(n)).zip(0..).for_each(|(list, n)| verifier.accept_top(n, &list).expect("right"));
    (0..).map_while(|n| tree.page(n)).zip(0..).for_each(|(list, n)| verifier.accept_page(n, &list).expect("right"));
    (0..)
        .map_while(|n| image.chunk(n))
        .zip(0..)
        .for_each(|(chunk, n)| verifier.verify_chunk(n, &chunk).expect("right"));
    verifier
}

fn receive(image: &PackedImage) {
    assert!(received(image).is_complete());
}

#[allow(clippy::disallowed_methods)] // a bench reads the clock
fn seconds(work: &mut dyn FnMut()) -> f64 {
    let start = Instant::now();
    work();
    start.elapsed().as_secs_f64()
}
