use super::*;
use proptest::prelude::*;

fn fields() -> ManifestFields {
    let info = |len, byte| Some(PartInfo { len, blake3: blake3::Hash::from_bytes([byte; 32]) });
    ManifestFields {
        name: "compute".into(),
        version: 7,
        cmdline: "console=ttyS0 quiet".into(),
        kernel: info(5000, 1),
        initramfs: info(3, 2),
        root: blake3::Hash::from_bytes([3; 32]),
        key_id: key().public().id(),
    }
}

fn key() -> ClusterSecretKey {
    ClusterSecretKey::from_seed(&[42; 32])
}

#[test]
fn a_manifest_says_where_its_parts_are() {
    let manifest = Manifest::new(fields()).unwrap();
    assert_eq!(manifest.kernel_range(), Some(0..5000));
    assert_eq!(manifest.initramfs_range(), Some(8192..8195));
    assert_eq!(manifest.payload_len(), 8195);
    let alone = Manifest::new(ManifestFields { kernel: None, ..fields() }).unwrap();
    assert_eq!((alone.kernel_range(), alone.initramfs_range()), (None, Some(0..3)));
}

#[test]
fn only_the_clusters_signature_is_accepted() {
    let manifest = Manifest::new(fields()).unwrap();
    let signed = SignedManifest::sign(&manifest, &key());
    assert_eq!(SignedManifest::verify(signed.as_bytes(), &key().public()), Ok(manifest));
    let other = ClusterSecretKey::from_seed(&[1; 32]).public();
    let wrong = ImageError::WrongKey { expected: other.id(), got: key().public().id() };
    assert_eq!(SignedManifest::verify(signed.as_bytes(), &other), Err(wrong));
    let mut changed = signed.as_bytes().to_vec();
    changed[16] ^= 1;
    assert_eq!(SignedManifest::verify(&changed, &key().public()), Err(ImageError::Signature(key().public().id())));
}

#[test]
fn every_flipped_bit_is_noticed() {
    let signed = SignedManifest::sign(&Manifest::new(fields()).unwrap(), &key());
    let public = key().public();
    for bit in 0..signed.as_bytes().len() * 8 {
        let mut bytes = signed.as_bytes().to_vec();
        bytes[bit / 8] ^= 1 << (bit % 8);
        assert!(SignedManifest::verify(&bytes, &public).is_err(), "bit {bit}");
    }
}

#[test]
fn the_longest_manifest_fits_a_frame() {
    let longest = ManifestFields { name: "n".repeat(MAX_NAME), cmdline: "c".repeat(MAX_CMDLINE), ..fields() };
    let signed = SignedManifest::sign(&Manifest::new(longest.clone()).unwrap(), &key());
    assert_eq!(signed.as_bytes().len(), 1552);
    for (name, cmdline, field) in [(MAX_NAME + 1, 0, "name"), (0, 0, "name"), (1, MAX_CMDLINE + 1, "command line")] {
        let bad = ManifestFields { name: "n".repeat(name), cmdline: "c".repeat(cmdline), ..longest.clone() };
        let error = Manifest::new(bad).unwrap_err();
        assert!(matches!(error, ImageError::Field { field: f, .. } if f == field), "{error}");
    }
}

#[test]
fn what_cannot_be_an_image_is_refused() {
    let none = ManifestFields { kernel: None, initramfs: None, ..fields() };
    assert_eq!(Manifest::new(none), Err(ImageError::Empty));
    let huge = PartInfo { len: u64::MAX, blake3: blake3::hash(b"") };
    let huge = ManifestFields { kernel: Some(huge), ..fields() };
    assert_eq!(Manifest::new(huge), Err(ImageError::TooLarge(u64::MAX)));
    let bad = ManifestFields { cmdline: "a\nb".into(), ..fields() };
    let error = Manifest::new(bad).unwrap_err().to_string();
    assert_eq!(error, "the manifest's field `command line` is invalid: the control character '\\n' at byte 1");
    let bytes = Manifest::new(fields()).unwrap().encode();
    assert_eq!(Manifest::parse(b"PK\x03\x04 and so on"), Err(ImageError::Magic));
    assert_eq!(Manifest::parse(&bytes[..5]), Err(ImageError::Truncated { needed: 144, got: 5 }));
    assert_eq!(Manifest::parse(&bytes[..150]), Err(ImageError::Truncated { needed: 170, got: 150 }));
    assert_eq!(Manifest::parse(&[&bytes[..], &[0]].concat()), Err(ImageError::TrailingBytes));
    let mut newer = bytes.clone();
    newer[8] = 2;
    assert_eq!(Manifest::parse(&newer), Err(ImageError::Format(2)));
}

fn part_strategy() -> impl Strategy<Value = Option<PartInfo>> {
    prop::option::of((1u64..1 << 31, any::<[u8; 32]>()))
        .prop_map(|part| part.map(|(len, hash)| PartInfo { len, blake3: blake3::Hash::from_bytes(hash) }))
}

proptest! {
    #[test]
    fn a_manifest_survives_the_round_trip(
        name in "[^\\p{Cc}]{1,16}",
        cmdline in "[^\\p{Cc}]{0,200}",
        version: u64,
        kernel in part_strategy(),
        initramfs in part_strategy(),
        root: [u8; 32],
        key_id: [u8; 8],
    ) {
        prop_assume!(kernel.is_some() || initramfs.is_some());
        let root = blake3::Hash::from_bytes(root);
        let key_id = KeyId(key_id);
        let fields = ManifestFields { name, version, cmdline, kernel, initramfs, root, key_id };
        let manifest = Manifest::new(fields).unwrap();
        prop_assert_eq!(Manifest::parse(&manifest.encode()), Ok(manifest));
    }

    /// A manifest that parses is the manifest that was encoded: the format has one spelling for each.
    #[test]
    fn damaged_bytes_never_panic(edits in prop::collection::vec((0usize..170, any::<u8>()), 0..6), cut in 0usize..=170) {
        let mut bytes = Manifest::new(fields()).unwrap().encode();
        for (at, byte) in edits {
            bytes[at] = byte;
        }
        bytes.truncate(cut);
        if let Ok(manifest) = Manifest::parse(&bytes) {
            prop_assert_eq!(manifest.encode(), bytes);
        }
    }

    #[test]
    fn random_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        let _ = Manifest::parse(&bytes);
        let _ = SignedManifest::verify(&bytes, &key().public());
        let _ = SignedManifest::split_from(&bytes.into());
    }
}
