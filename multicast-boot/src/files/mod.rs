//! A received image as files of a folder.
//!
//! While it comes, the payload is one file, `payload.HASH`, whose room is reserved before the first byte. `lists.HASH` beside it has the lists that verify it. What a killed process leaves there is verified and used by
//! the next one. Once all is verified the parts are placed: `kernel`, `initramfs` and `cmdline`, each whole or not at all.
//! They stay until the parts of the next image take their place, and what that has in common with them is copied from there.

mod lists;
mod old;
mod payload;
mod place;
mod store;

#[cfg(test)]
mod tests;

pub use place::Placed;

use crate::image::Manifest;
use payload::Payload;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use twowire_route_store::atomic_file;

/// Why a folder cannot take an image.
#[derive(Debug, thiserror::Error)]
pub enum FolderError {
    /// The folder itself.
    #[error("cannot use the folder {dir}: {source}; give one that exists or can be made, and can be written", dir = .dir.display())]
    Folder {
        /// The folder.
        dir: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// The payload cannot be kept.
    #[error("cannot keep the {bytes} bytes of the image in {dir}: {source}; make room, or give another folder", dir = .dir.display())]
    Payload {
        /// The folder.
        dir: PathBuf,
        /// Bytes of the payload.
        bytes: u64,
        /// Why not.
        source: io::Error,
    },
    /// A part cannot be written.
    #[error("cannot write {path}: {source}", path = .path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
}

/// A folder that takes images.
#[derive(Clone, Debug)]
pub struct ImageFolder {
    dir: PathBuf,
    problem: Arc<Mutex<Option<FolderError>>>,
}

impl ImageFolder {
    /// Makes the folder, if need be, and finds out whether it can be written.
    pub fn open(dir: &Path) -> Result<ImageFolder, FolderError> {
        let failed = |source| FolderError::Folder { dir: dir.to_owned(), source };
        fs::create_dir_all(dir).map_err(failed)?;
        atomic_file::check_writable(&dir.join("cmdline")).map_err(failed)?;
        Ok(ImageFolder { dir: dir.to_owned(), problem: Arc::default() })
    }

    /// Why the folder did not take the image that was offered last, or a part of it.
    pub fn take_problem(&self) -> Option<FolderError> {
        self.problem.lock().expect("nothing panics while it holds this lock").take()
    }

    fn note(&self, manifest: &Manifest, source: io::Error) {
        let problem = FolderError::Payload { dir: self.dir.clone(), bytes: manifest.payload_len(), source };
        *self.problem.lock().expect("nothing panics while it holds this lock") = Some(problem);
    }

    /// The payload's file, its room reserved. What does not belong to this image goes.
    fn payload(&self, manifest: &Manifest) -> Option<Payload> {
        self.remove_all_but(Some(manifest));
        let made = Payload::open(&self.payload_path(manifest), manifest.payload_len());
        made.map_err(|source| self.note(manifest, source)).ok()
    }

    fn payload_path(&self, manifest: &Manifest) -> PathBuf {
        self.dir.join(format!("payload.{}", short_hash(manifest)))
    }

    fn lists_path(&self, manifest: &Manifest) -> PathBuf {
        self.dir.join(format!("lists.{}", short_hash(manifest)))
    }

    /// Removes what was received of other images. A file that cannot be removed stays: it only takes up room.
    fn remove_all_but(&self, keep: Option<&Manifest>) {
        let kept = keep.map(short_hash);
        let Ok(entries) = fs::read_dir(&self.dir) else { return };
        for entry in entries.flatten() {
            let name = entry.file_name();
            let hash = name.to_str().and_then(|n| n.strip_prefix("payload.").or(n.strip_prefix("lists.")));
            if hash.is_some_and(|hash| hash.len() == SHORT_HASH && kept.as_deref() != Some(hash)) {
                let _ = fs::remove_file(entry.path());
            }
        }
    }
}

/// Hexadecimal digits in the names of files.
const SHORT_HASH: usize = 16;

/// How an image's files are told from those of another one. Nothing depends on it: all that is read is verified.
fn short_hash(manifest: &Manifest) -> String {
    manifest.root().to_hex()[..SHORT_HASH].to_owned()
}
