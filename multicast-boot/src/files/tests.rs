use super::*;
use crate::image::{CHUNK, PackedImage, Part};
use crate::session::testing::{image, key, parts};
use crate::session::{ChunkStore, ChunkStores};
use bytes::Bytes;

fn with_kernel() -> PackedImage {
    let bytes = |byte: u8, len: usize| Bytes::from(vec![byte; len]);
    let parts = crate::image::ImageParts { kernel: bytes(1, 5000), initramfs: bytes(2, 9000), ..parts() };
    PackedImage::pack(&parts, &key()).unwrap()
}

fn fill(store: &mut dyn ChunkStore, image: &PackedImage) {
    let chunks = image.manifest().shape().chunk_count();
    (0..chunks).for_each(|index| store.put(index, image.chunk(index).unwrap()));
}

fn files(dir: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn the_parts_of_an_image_are_placed_and_nothing_else_stays() {
    let dir = tempfile::tempdir().unwrap();
    let folder = ImageFolder::open(&dir.path().join("root")).unwrap();
    let image = with_kernel();
    let mut store = ChunkStores::open(&folder, image.manifest()).unwrap();
    fill(store.as_mut(), &image);
    assert_eq!(store.get(1), image.chunk(1));
    drop(store);
    let placed = folder.place(image.manifest()).unwrap();
    assert_eq!(fs::read(placed.kernel.unwrap()).unwrap(), image.kernel().unwrap());
    assert_eq!(fs::read(placed.initramfs.unwrap()).unwrap(), image.initramfs().unwrap());
    assert_eq!(fs::read_to_string(placed.cmdline).unwrap(), "quiet\n");
    assert_eq!(files(&folder.dir), ["cmdline", "initramfs", "kernel"]);

    // An image without a kernel takes the old one away.
    let next = crate::session::testing::image(3 * CHUNK + 7);
    fill(ChunkStores::open(&folder, next.manifest()).unwrap().as_mut(), &next);
    let placed = folder.place(next.manifest()).unwrap();
    assert_eq!(placed.kernel, None);
    assert_eq!(fs::read(placed.initramfs.unwrap()).unwrap(), next.initramfs().unwrap());
    assert_eq!(files(&folder.dir), ["cmdline", "initramfs"]);
}

#[test]
fn what_a_killed_process_leaves_is_there_for_the_next_one_and_for_no_other_image() {
    let dir = tempfile::tempdir().unwrap();
    let folder = ImageFolder::open(dir.path()).unwrap();
    let image = image(10 * CHUNK);
    let mut store = ChunkStores::open(&folder, image.manifest()).unwrap();
    assert_eq!(store.left_chunk(0), None, "a new file holds nothing");
    store.put(3, image.chunk(3).unwrap());
    store.put_list(Part::Page(0), &image.tree().page(0).unwrap());
    drop(store);
    let mut store = ChunkStores::open(&folder, image.manifest()).unwrap();
    assert_eq!(store.left_chunk(3), image.chunk(3));
    assert_eq!(store.take_left_lists(), [(Part::Page(0), image.tree().page(0).unwrap())]);
    drop(store);
    let other = with_kernel();
    let store = ChunkStores::open(&folder, other.manifest()).unwrap();
    assert_eq!(store.left_chunk(0), None);
    assert_eq!(files(dir.path()).len(), 2, "the other image's files are gone");
}

#[test]
fn the_placed_image_is_there_for_the_next_one() {
    let dir = tempfile::tempdir().unwrap();
    let folder = ImageFolder::open(dir.path()).unwrap();
    for image in [with_kernel(), image(3 * CHUNK + 7)] {
        let mut store = ChunkStores::open(&folder, image.manifest()).unwrap();
        fill(store.as_mut(), &image);
        drop(store);
        folder.place(image.manifest()).unwrap();
        let next = crate::session::testing::image(5 * CHUNK);
        let old = ChunkStores::open(&folder, next.manifest()).unwrap().old_image().unwrap();
        let chunks = image.manifest().shape().chunk_count();
        assert!((0..=chunks).all(|index| old.chunk(index) == image.chunk(index)));
        // What is open stays readable when the next image takes the place of this one.
        fs::remove_file(dir.path().join("initramfs")).unwrap();
        assert_eq!(old.chunk(chunks - 1), image.chunk(chunks - 1));
        fs::remove_file(folder.payload_path(next.manifest())).unwrap();
    }
    let kernel_alone = ImageFolder::open(&dir.path().join("other")).unwrap();
    assert!(ChunkStores::open(&kernel_alone, with_kernel().manifest()).unwrap().old_image().is_none());
    fs::write(dir.path().join("other/kernel"), [1; 5000]).unwrap();
    let old = ChunkStores::open(&kernel_alone, with_kernel().manifest()).unwrap().old_image().unwrap();
    assert_eq!(
        [0, 1, 2].map(|index| old.chunk(index).map(|chunk| chunk.len())),
        [Some(CHUNK), Some(5000 - CHUNK), None]
    );
}

#[test]
fn a_folder_that_cannot_be_used_is_named_with_the_remedy() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("file");
    fs::write(&file, "").unwrap();
    let error = ImageFolder::open(&file).unwrap_err().to_string();
    assert!(error.contains("cannot use the folder") && error.contains("can be written"), "{error}");
    let folder = ImageFolder::open(&dir.path().join("root")).unwrap();
    fs::create_dir(folder.payload_path(with_kernel().manifest())).unwrap();
    assert!(ChunkStores::open(&folder, with_kernel().manifest()).is_none());
    let problem = folder.take_problem().unwrap().to_string();
    assert!(problem.contains("cannot keep the"), "{problem}");
    assert!(folder.take_problem().is_none());
}
