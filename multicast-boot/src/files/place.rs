//! The parts of a verified payload, each in its file.

use super::{FolderError, ImageFolder};
use crate::image::Manifest;
use std::fs;
use std::io::{self, Read, Seek, SeekFrom};
use std::ops::Range;
use std::path::{Path, PathBuf};
use twowire_route_store::atomic_file;

/// The files of an image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Placed {
    /// The kernel, if the image has one.
    pub kernel: Option<PathBuf>,
    /// The initramfs, if the image has one.
    pub initramfs: Option<PathBuf>,
    /// The kernel's command line.
    pub cmdline: PathBuf,
}

impl ImageFolder {
    /// Places the parts of an image whose payload has been received and verified. Parts of an older image are replaced,
    /// or removed where the new one has none.
    pub fn place(&self, manifest: &Manifest) -> Result<Placed, FolderError> {
        let payload = self.payload_path(manifest);
        let kernel = self.place_part("kernel", manifest.kernel_range(), &payload)?;
        // The last part takes the payload's file where that holds nothing else: most of an image is its initramfs.
        let initramfs = match manifest.initramfs_range() {
            Some(all) if all.start == 0 => Some(self.rename("initramfs", &payload)?),
            part => self.place_part("initramfs", part, &payload)?,
        };
        let cmdline = self.dir.join("cmdline");
        let text = format!("{}\n", manifest.cmdline());
        atomic_file::replace(&cmdline, &[text.as_bytes()]).map_err(|source| write_error(&cmdline, source))?;
        self.remove_all_but(None);
        Ok(Placed { kernel, initramfs, cmdline })
    }

    fn place_part(
        &self,
        name: &str,
        range: Option<Range<u64>>,
        payload: &Path,
    ) -> Result<Option<PathBuf>, FolderError> {
        let path = self.dir.join(name);
        let Some(range) = range else {
            return match fs::remove_file(&path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => Err(write_error(&path, error)),
                _ => Ok(None),
            };
        };
        let copy = |to: &mut fs::File| {
            let mut from = fs::File::open(payload)?;
            from.seek(SeekFrom::Start(range.start))?;
            io::copy(&mut from.take(range.end - range.start), to).map(drop)
        };
        atomic_file::replace_with(&path, copy).map_err(|source| write_error(&path, source))?;
        Ok(Some(path))
    }

    fn rename(&self, name: &str, payload: &Path) -> Result<PathBuf, FolderError> {
        let path = self.dir.join(name);
        let synced = if path.exists() { fs::File::open(payload).and_then(|file| file.sync_all()) } else { Ok(()) };
        // What it replaces was whole, also after a power cut.
        synced.and_then(|()| fs::rename(payload, &path)).map_err(|source| write_error(&path, source))?;
        Ok(path)
    }
}

fn write_error(path: &Path, source: io::Error) -> FolderError {
    FolderError::Write { path: path.to_owned(), source }
}
