//! A whole image: packed from its parts, read from a file and written to one.

use super::key::{ClusterPublicKey, ClusterSecretKey};
use super::manifest::{ImageError, Manifest, ManifestFields, PartInfo, SignedManifest};
use super::mapped;
use super::tree::{CHUNK, HashTree, VALUE_LEN};
use bytes::Bytes;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use twowire_route_store::atomic_file;

/// Bytes of the file before the payload: the signed manifest and zeros.
pub const HEADER_LEN: usize = 4096;

/// What an image is packed from.
#[derive(Clone, Debug, Default)]
pub struct ImageParts {
    /// The image's name: 1 to 64 bytes of text.
    pub name: String,
    /// The image's version; a higher one is newer.
    pub version: u64,
    /// The kernel; empty for none.
    pub kernel: Bytes,
    /// The initramfs; empty for none.
    pub initramfs: Bytes,
    /// The kernel's command line.
    pub cmdline: String,
}

/// Why an image file could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum ImageFileError {
    /// The file cannot be read.
    #[error("cannot read {}: {source}", .path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file cannot be written.
    #[error("cannot write {}: {source}", .path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file is not an image, or not one of this cluster.
    #[error("{}: {source}", .path.display())]
    Image {
        /// The file.
        path: PathBuf,
        /// Why.
        source: ImageError,
    },
}

/// A whole image, its lists found to be what its manifest says. Clones share the bytes.
///
/// That the manifest is signed by the cluster's key is for [`PackedImage::verify`] to say, and that the payload is what
/// was signed for [`PackedImage::check`].
#[derive(Clone, Debug)]
pub struct PackedImage {
    signed: SignedManifest,
    manifest: Manifest,
    payload: Bytes,
    tree: HashTree,
}

impl PackedImage {
    /// Packs and signs an image. The same parts and key give the same bytes.
    pub fn pack(parts: &ImageParts, key: &ClusterSecretKey) -> Result<PackedImage, ImageError> {
        let payload = join(&parts.kernel, &parts.initramfs);
        let tree = HashTree::new(&payload).ok_or(match payload.len() {
            0 => ImageError::Empty,
            len => ImageError::TooLarge(len as u64),
        })?;
        let info =
            |part: &Bytes| (!part.is_empty()).then(|| PartInfo { len: part.len() as u64, blake3: blake3::hash(part) });
        let manifest = Manifest::new(ManifestFields {
            name: parts.name.clone(),
            version: parts.version,
            cmdline: parts.cmdline.clone(),
            kernel: info(&parts.kernel),
            initramfs: info(&parts.initramfs),
            root: tree.root(),
            key_id: key.public().id(),
        })?;
        Ok(PackedImage { signed: SignedManifest::sign(&manifest, key), manifest, payload, tree })
    }

    /// Maps an image's file and checks all its hashes. The file must not be cut or written to as long as the image is in
    /// use; replacing it by another one of its name, as [`PackedImage::write`] does, is safe.
    pub fn open(path: &Path) -> Result<PackedImage, ImageFileError> {
        let image = PackedImage::open_unhashed(path)?;
        image.check().map_err(|source| ImageFileError::Image { path: path.to_owned(), source })?;
        Ok(image)
    }

    /// As [`PackedImage::open`], but the payload's hashes are not checked: that takes longer the larger it is, and whoever
    /// sends the image can do it meanwhile.
    pub fn open_unhashed(path: &Path) -> Result<PackedImage, ImageFileError> {
        let read_error = |source| ImageFileError::Read { path: path.to_owned(), source };
        let image_error = |source| ImageFileError::Image { path: path.to_owned(), source };
        let file = File::open(path).map_err(read_error)?;
        let mut header = Vec::new();
        (&file).take(HEADER_LEN as u64).read_to_end(&mut header).map_err(read_error)?;
        // What is no image, a device perhaps, may not be what can be mapped.
        SignedManifest::split_from(&header.into()).map_err(image_error)?;
        PackedImage::parse(&mapped::map(&file).map_err(read_error)?).map_err(image_error)
    }

    /// The parts of an image's file.
    fn parse(bytes: &Bytes) -> Result<PackedImage, ImageError> {
        let header = bytes.slice(..bytes.len().min(HEADER_LEN));
        let (signed, manifest, padding) = SignedManifest::split_from(&header)?;
        let shape = manifest.shape();
        let lists = HEADER_LEN as u64 + manifest.payload_len();
        let (got, needed) = (bytes.len() as u64, lists + u64::from(shape.chunk_count()) * VALUE_LEN as u64);
        if got < needed {
            return Err(ImageError::Truncated { needed, got });
        }
        if padding.iter().any(|&byte| byte != 0) {
            let what = "bytes between the signature and the payload, expected zeros".into();
            return Err(ImageError::Field { field: "padding", what });
        }
        let tree =
            HashTree::from_chunk_values(shape, bytes.slice(lists as usize..)).ok_or(ImageError::TrailingBytes)?;
        check("list of chunk values", manifest.root(), tree.root())?;
        Ok(PackedImage { signed, manifest, payload: bytes.slice(HEADER_LEN..lists as usize), tree })
    }

    /// Hashes all of the payload and compares it with what the manifest says.
    pub fn check(&self) -> Result<(), ImageError> {
        check("payload", self.manifest.root(), blake3::hash(&self.payload))?;
        // A part that is the whole payload has been hashed already.
        let hash = |part: Bytes| match part.len() == self.payload.len() {
            true => self.tree.root(),
            false => blake3::hash(&part),
        };
        if let (Some(part), Some(bytes)) = (self.manifest.kernel(), self.kernel()) {
            check("kernel", part.blake3, hash(bytes))?;
        }
        if let (Some(part), Some(bytes)) = (self.manifest.initramfs(), self.initramfs()) {
            check("initramfs", part.blake3, hash(bytes))?;
        }
        Ok(())
    }

    /// Checks that the cluster's key signed this image.
    pub fn verify(&self, key: &ClusterPublicKey) -> Result<(), ImageError> {
        SignedManifest::verify(self.signed.as_bytes(), key).map(|_| ())
    }

    /// Writes the image's file, which appears whole or not at all. A file of that name is replaced.
    pub fn write(&self, path: &Path) -> Result<(), ImageFileError> {
        let padding = [0; HEADER_LEN];
        let signed = self.signed.as_bytes();
        atomic_file::replace(path, &[signed, &padding[signed.len()..], &self.payload, self.tree.chunk_values()])
            .map_err(|source| ImageFileError::Write { path: path.to_owned(), source })
    }

    /// The manifest and its signature, as they travel.
    pub fn signed_manifest(&self) -> &SignedManifest {
        &self.signed
    }

    /// What the image holds.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// The lists that receivers verify with.
    pub fn tree(&self) -> &HashTree {
        &self.tree
    }

    /// All bytes that the nodes receive.
    pub fn payload(&self) -> &Bytes {
        &self.payload
    }

    /// Chunk `index` of the payload; `None` past the end. Shared, not copied.
    pub fn chunk(&self, index: u32) -> Option<Bytes> {
        let start = index as usize * CHUNK;
        (start < self.payload.len()).then(|| self.payload.slice(start..self.payload.len().min(start + CHUNK)))
    }

    /// The kernel's bytes, if there is one. Shared, not copied.
    pub fn kernel(&self) -> Option<Bytes> {
        self.manifest.kernel_range().map(|range| self.payload.slice(range.start as usize..range.end as usize))
    }

    /// The initramfs's bytes, if there is one. Shared, not copied.
    pub fn initramfs(&self) -> Option<Bytes> {
        self.manifest.initramfs_range().map(|range| self.payload.slice(range.start as usize..range.end as usize))
    }
}

fn check(part: &'static str, expected: blake3::Hash, got: blake3::Hash) -> Result<(), ImageError> {
    if expected == got { Ok(()) } else { Err(ImageError::Hash { part, expected, got }) }
}

/// The payload: the kernel, zeros up to a multiple of a chunk, the initramfs.
fn join(kernel: &Bytes, initramfs: &Bytes) -> Bytes {
    if kernel.is_empty() {
        return initramfs.clone();
    }
    if initramfs.is_empty() {
        return kernel.clone();
    }
    let start = kernel.len().next_multiple_of(CHUNK);
    let mut payload = Vec::with_capacity(start + initramfs.len());
    payload.extend_from_slice(kernel);
    payload.resize(start, 0);
    payload.extend_from_slice(initramfs);
    payload.into()
}

#[cfg(test)]
#[path = "packed_tests.rs"]
mod tests;
