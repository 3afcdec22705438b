use super::*;
use std::fs;

fn key() -> ClusterSecretKey {
    ClusterSecretKey::from_seed(&[7; 32])
}

fn random(len: usize, seed: u64) -> Bytes {
    let mut rng = fastrand::Rng::with_seed(seed);
    std::iter::repeat_with(|| rng.u8(..)).take(len).collect()
}

fn parts(kernel: usize, initramfs: usize) -> ImageParts {
    ImageParts {
        name: "compute".into(),
        version: 3,
        kernel: random(kernel, 1),
        initramfs: random(initramfs, 2),
        cmdline: "quiet".into(),
    }
}

/// Reads an image from the bytes of its file and checks its hashes.
fn from_bytes(bytes: &Bytes) -> Result<PackedImage, ImageError> {
    let image = PackedImage::parse(bytes)?;
    image.check().map(|()| image)
}

/// The whole file of an image.
fn file_of(image: &PackedImage) -> Vec<u8> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("img");
    image.write(&path).unwrap();
    fs::read(&path).unwrap()
}

#[test]
fn an_image_survives_its_file() {
    for (kernel, initramfs) in [(0, 1), (1, 0), (5000, 70_000), (4096, 4096), (0, 600_000)] {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("img");
        let parts = parts(kernel, initramfs);
        PackedImage::pack(&parts, &key()).unwrap().write(&path).unwrap();
        let image = PackedImage::open(&path).unwrap();
        image.verify(&key().public()).unwrap();
        assert_eq!(image.kernel().unwrap_or_default(), parts.kernel);
        assert_eq!(image.initramfs().unwrap_or_default(), parts.initramfs);
        let chunks: Vec<u8> = (0..).map_while(|index| image.chunk(index)).flatten().collect();
        assert_eq!(&chunks, image.payload());
        assert_eq!(image.manifest().root(), blake3::hash(&fs::read(&path).unwrap()[HEADER_LEN..][..chunks.len()]));
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }
}

#[test]
fn the_same_parts_give_the_same_bytes() {
    let pack = || file_of(&PackedImage::pack(&parts(5000, 9000), &key()).unwrap());
    assert_eq!(pack(), pack());
    let newer = ImageParts { version: 4, ..parts(5000, 9000) };
    assert_ne!(file_of(&PackedImage::pack(&newer, &key()).unwrap()), pack());
}

/// The example of `docs/image-format.md`, byte for byte.
#[test]
fn the_example_in_the_document_is_true() {
    let document = include_str!("../../../docs/image-format.md");
    let example = document.split("<!-- example -->").nth(1).expect("the document has an example");
    let expected: Vec<u8> = example
        .lines()
        .filter(|line| line.get(4..6) == Some("  "))
        .flat_map(|line| {
            line[6..]
                .split("   ")
                .next()
                .unwrap_or("")
                .split(' ')
                .filter(|hex| !hex.is_empty())
                .map(|hex| u8::from_str_radix(hex, 16).unwrap())
        })
        .collect();
    let parts = ImageParts {
        name: "example".into(),
        version: 1,
        kernel: Bytes::new(),
        initramfs: Bytes::from_static(b"hello\n"),
        cmdline: "quiet".into(),
    };
    let image = PackedImage::pack(&parts, &ClusterSecretKey::from_seed(&[0; 32])).unwrap();
    let dump: String = image
        .signed_manifest()
        .as_bytes()
        .chunks(16)
        .zip(0..)
        .map(|(line, n)| format!("{:04x}  {}\n", n * 16, line.iter().map(|b| format!("{b:02x} ")).collect::<String>()))
        .collect();
    assert_eq!(&expected, image.signed_manifest().as_bytes(), "the document should show\n{dump}");
}

#[test]
fn each_kind_of_damage_is_named() {
    let image = PackedImage::pack(&parts(5000, 70_000), &key()).unwrap();
    let file = file_of(&image);
    let open = |bytes: &[u8]| from_bytes(&Bytes::copy_from_slice(bytes)).map(|_| ()).unwrap_err();
    let needed = file.len() as u64;
    assert_eq!(open(&file[..file.len() - 1]), ImageError::Truncated { needed, got: needed - 1 });
    assert_eq!(open(&file[..10]), ImageError::Truncated { needed: 144, got: 10 });
    assert_eq!(open(&[]), ImageError::Truncated { needed: 144, got: 0 });
    assert_eq!(open(&[&file[..], &[0, 0]].concat()), ImageError::TrailingBytes);
    assert_eq!(open(b"MZ\x90\x00"), ImageError::Magic);
    let flipped = |at: usize| {
        let mut bytes = file.clone();
        bytes[at] ^= 0x10;
        bytes
    };
    assert!(matches!(open(&flipped(HEADER_LEN)), ImageError::Hash { part: "payload", .. }));
    assert!(matches!(open(&flipped(HEADER_LEN - 1)), ImageError::Field { field: "padding", .. }));
    assert!(matches!(open(&flipped(file.len() - 1)), ImageError::Hash { part: "list of chunk values", .. }));
    assert!(matches!(open(&flipped(72)), ImageError::Hash { part: "kernel", .. }));
    assert!(matches!(open(&flipped(104)), ImageError::Hash { part: "initramfs", .. }));
    let resigned = from_bytes(&flipped(16).into()).unwrap();
    assert_eq!(resigned.verify(&key().public()), Err(ImageError::Signature(key().public().id())));
}

/// Who sends an image begins with its lists; the check of the rest is another step.
#[test]
fn a_damaged_payload_shows_in_the_check() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("img");
    let mut file = file_of(&PackedImage::pack(&parts(5000, 70_000), &key()).unwrap());
    file[HEADER_LEN + 50_000] ^= 1;
    fs::write(&path, &file).unwrap();
    let image = PackedImage::open_unhashed(&path).unwrap();
    assert!(matches!(image.check(), Err(ImageError::Hash { part: "payload", .. })));
    assert!(PackedImage::open(&path).is_err());
}

#[test]
fn nothing_is_not_an_image() {
    assert_eq!(PackedImage::pack(&parts(0, 0), &key()).unwrap_err(), ImageError::Empty);
}

#[test]
fn no_more_is_read_than_the_manifest_says() {
    let error = PackedImage::open(Path::new("/dev/zero")).unwrap_err().to_string();
    assert_eq!(error, "/dev/zero: not a Twowire image (it does not start with `twimage`)");
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("img");
    PackedImage::pack(&parts(0, 9000), &key()).unwrap().write(&path).unwrap();
    let mut bytes = fs::read(&path).unwrap();
    bytes.extend_from_slice(b"more than one");
    fs::write(&path, &bytes).unwrap();
    let error = PackedImage::open(&path).unwrap_err().to_string();
    assert!(error.ends_with("img: bytes after the end of the image"), "{error}");
    fs::write(&path, &bytes[..5000]).unwrap();
    let error = PackedImage::open(&path).unwrap_err().to_string();
    assert!(error.ends_with("img: truncated: 13192 bytes needed, got 5000"), "{error}");
}
