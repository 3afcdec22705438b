//! The folder as the place where a node keeps the chunks of the image that it receives.

use super::ImageFolder;
use super::lists::ListFile;
use super::old::PlacedImage;
use super::payload::Payload;
use crate::image::reuse::OldImage;
use crate::image::{Manifest, Part};
use crate::session::{ChunkStore, ChunkStores};
use bytes::Bytes;

/// The payload as chunks.
struct Chunks {
    folder: ImageFolder,
    manifest: Manifest,
    payload: Payload,
    lists: ListFile,
    left_lists: Vec<(Part, Bytes)>,
}

impl ChunkStores for ImageFolder {
    fn open(&self, manifest: &Manifest) -> Option<Box<dyn ChunkStore>> {
        let payload = self.payload(manifest)?;
        let opened = ListFile::open(&self.lists_path(manifest));
        let (lists, left_lists) = opened.map_err(|source| self.note(manifest, source)).ok()?;
        Some(Box::new(Chunks { folder: self.clone(), manifest: manifest.clone(), payload, lists, left_lists }))
    }
}

impl ChunkStore for Chunks {
    fn put(&mut self, index: u32, bytes: Bytes) {
        self.put_run(index, &bytes);
    }

    fn put_run(&mut self, first: u32, bytes: &Bytes) {
        if let Err(error) = self.payload.write(first, bytes) {
            self.folder.note(&self.manifest, error);
        }
    }

    fn get(&self, index: u32) -> Option<Bytes> {
        self.payload.read(index).map(Bytes::from).map_err(|error| self.folder.note(&self.manifest, error)).ok()
    }

    fn put_list(&mut self, part: Part, bytes: &Bytes) {
        // Without it the next start fetches the list again.
        if let Err(error) = self.lists.append(part, bytes) {
            tracing::warn!(%part, %error, "a list could not be kept");
        }
    }

    fn take_left_lists(&mut self) -> Vec<(Part, Bytes)> {
        std::mem::take(&mut self.left_lists)
    }

    fn left_chunk(&self, index: u32) -> Option<Bytes> {
        self.payload.was_there.then(|| self.get(index)).flatten()
    }

    fn old_image(&self) -> Option<OldImage> {
        PlacedImage::open(&self.folder.dir).map(PlacedImage::into_old_image)
    }
}
