//! The image that a folder holds from before, as the payload that its parts once were.

use crate::image::CHUNK;
use crate::image::reuse::OldImage;
use bytes::Bytes;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;

/// A part, open: it can be read also when another file has taken its name.
struct PlacedPart {
    file: File,
    len: u64,
}

impl PlacedPart {
    fn open(path: &Path) -> Option<PlacedPart> {
        let file = File::open(path).ok()?;
        let len = file.metadata().ok().filter(std::fs::Metadata::is_file)?.len();
        (len > 0).then_some(PlacedPart { file, len })
    }

    fn chunks(&self) -> u32 {
        u32::try_from(self.len.div_ceil(CHUNK as u64)).unwrap_or(u32::MAX)
    }

    /// Chunk `index` of the part; the last one may be shorter.
    fn chunk(&self, index: u32) -> Option<Vec<u8>> {
        let start = u64::from(index) * CHUNK as u64;
        let len = self.len.checked_sub(start)?.min(CHUNK as u64);
        let mut bytes = vec![0; len as usize];
        self.file.read_exact_at(&mut bytes, start).ok()?;
        Some(bytes)
    }
}

/// The parts of an image that were placed in a folder.
pub(super) struct PlacedImage {
    kernel: Option<PlacedPart>,
    initramfs: Option<PlacedPart>,
}

impl PlacedImage {
    /// The parts in this folder; `None` if there are none.
    pub(super) fn open(dir: &Path) -> Option<PlacedImage> {
        let (kernel, initramfs) = (PlacedPart::open(&dir.join("kernel")), PlacedPart::open(&dir.join("initramfs")));
        (kernel.is_some() || initramfs.is_some()).then_some(PlacedImage { kernel, initramfs })
    }

    /// The payload that these parts make up.
    pub(super) fn into_old_image(self) -> OldImage {
        let chunks = |part: &Option<PlacedPart>| part.as_ref().map_or(0, PlacedPart::chunks);
        OldImage::new(chunks(&self.kernel).saturating_add(chunks(&self.initramfs)), move |index| self.chunk(index))
    }

    /// A chunk of the payload: the kernel, zeros up to a multiple of a chunk, the initramfs.
    fn chunk(&self, index: u32) -> Option<Bytes> {
        let kernel_chunks = self.kernel.as_ref().map_or(0, PlacedPart::chunks);
        let Some(of_initramfs) = index.checked_sub(kernel_chunks) else {
            let mut bytes = self.kernel.as_ref()?.chunk(index)?;
            if self.initramfs.is_some() {
                bytes.resize(CHUNK, 0);
            }
            return Some(bytes.into());
        };
        self.initramfs.as_ref()?.chunk(of_initramfs).map(Bytes::from)
    }
}
