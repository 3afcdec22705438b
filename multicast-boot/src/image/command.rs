//! The bodies of `twowire image pack|inspect|verify|list` and `twowire key new|secret`: each returns a report to print.

use super::align::{AlignError, align};
use super::catalogue::{Catalogue, CatalogueError, Purpose};
use super::key::{ClusterPublicKey, ClusterSecretKey};
use super::key_file::{self, KeyError};
use super::manifest::{ImageError, Manifest, PartInfo};
use super::packed::{HEADER_LEN, ImageFileError, ImageParts, PackedImage};
use crate::membership::ClusterSecret;
use bytes::Bytes;
use serde::Serialize;
use std::fs;
use std::path::{Path, PathBuf};

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
pub enum CommandError {
    /// A key.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// An image file.
    #[error(transparent)]
    File(#[from] ImageFileError),
    /// What was asked for cannot be packed.
    #[error("cannot pack the image: {0}")]
    Pack(#[from] ImageError),
    /// The initramfs cannot be aligned.
    #[error("cannot align {}: {source}", .path.display())]
    Align {
        /// The initramfs's file.
        path: PathBuf,
        /// Why not.
        source: AlignError,
    },
    /// The list of images.
    #[error(transparent)]
    Catalogue(#[from] CatalogueError),
}

/// What `twowire image pack` is asked for.
#[derive(Clone, Debug)]
pub struct PackRequest<'a> {
    /// The kernel's file, if any.
    pub kernel: Option<&'a Path>,
    /// The initramfs's file, if any.
    pub initrd: Option<&'a Path>,
    /// Puts the initramfs's larger files at multiples of a chunk: see [`super::align`].
    pub align: bool,
    /// The kernel's command line.
    pub cmdline: &'a str,
    /// The image's name.
    pub name: &'a str,
    /// The image's version.
    pub version: u64,
    /// The secret key's file.
    pub key: &'a Path,
    /// Where the image goes.
    pub output: &'a Path,
}

/// One part of an image, for people and machines.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PartReport {
    /// Where it starts in the payload.
    pub offset: u64,
    /// Its bytes.
    pub bytes: u64,
    /// Its BLAKE3, in hexadecimal.
    pub blake3: String,
}

/// What an image holds, for people and machines.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ImageReport {
    /// The image's file.
    pub file: PathBuf,
    /// Bytes of the file.
    pub file_bytes: u64,
    /// The image's name.
    pub name: String,
    /// The image's version.
    pub version: u64,
    /// The kernel's command line.
    pub cmdline: String,
    /// The kernel, if there is one.
    pub kernel: Option<PartReport>,
    /// The initramfs, if there is one.
    pub initramfs: Option<PartReport>,
    /// Bytes of the payload.
    pub payload_bytes: u64,
    /// BLAKE3 of the payload, in hexadecimal.
    pub payload_blake3: String,
    /// Chunks of the payload.
    pub chunks: u32,
    /// The id of the key that signed, in hexadecimal.
    pub key_id: String,
    /// True if the signature was checked (and is right); false if it was not.
    pub signature_checked: bool,
}

/// What `twowire key new` wrote.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct KeyReport {
    /// The secret key's file.
    pub secret: PathBuf,
    /// The public key's file.
    pub public: PathBuf,
    /// The key's id, in hexadecimal.
    pub key_id: String,
}

/// `twowire image pack`: reads the parts, signs, and writes the image.
pub fn pack(request: &PackRequest<'_>) -> Result<ImageReport, CommandError> {
    let key = ClusterSecretKey::load(request.key)?;
    let parts = ImageParts {
        name: request.name.to_owned(),
        version: request.version,
        kernel: request.kernel.map_or(Ok(Bytes::new()), read_part)?,
        initramfs: request.initrd.map_or(Ok(Bytes::new()), |path| read_initramfs(path, request.align))?,
        cmdline: request.cmdline.to_owned(),
    };
    let image = PackedImage::pack(&parts, &key)?;
    image.write(request.output)?;
    Ok(report(&image, request.output, true))
}

/// `twowire image inspect`: what an image holds. Its hashes are checked, its signature is not.
pub fn inspect(path: &Path) -> Result<ImageReport, CommandError> {
    Ok(report(&PackedImage::open(path)?, path, false))
}

/// `twowire image verify`: checks an image's hashes and signature.
pub fn verify(path: &Path, key: &Path) -> Result<ImageReport, CommandError> {
    let key = ClusterPublicKey::load(key)?;
    let image = PackedImage::open(path)?;
    image.verify(&key).map_err(|source| ImageFileError::Image { path: path.to_owned(), source })?;
    Ok(report(&image, path, true))
}

/// `twowire key new`: makes a key pair and writes `path` (mode 600) and `path.pub`, overwriting neither.
pub fn new_key(path: &Path) -> Result<KeyReport, CommandError> {
    let key = ClusterSecretKey::generate()?;
    let mut public_path = path.as_os_str().to_owned();
    public_path.push(".pub");
    let public_path = PathBuf::from(public_path);
    key_file::create(path, 0o600, &key.secret_text())?;
    if let Err(error) = key_file::create(&public_path, 0o644, &key.public().to_string()) {
        // A secret key without its public half is of no use, and nobody has seen it yet.
        let _ = fs::remove_file(path);
        return Err(error.into());
    }
    Ok(KeyReport { secret: path.to_owned(), public: public_path, key_id: key.public().id().to_string() })
}

/// What `twowire key secret` wrote.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SecretReport {
    /// The secret's file.
    pub secret: PathBuf,
    /// The secret's id, in hexadecimal.
    pub id: String,
}

/// `twowire key secret`: makes a cluster secret and writes `path` (mode 600), which it does not overwrite.
pub fn new_secret(path: &Path) -> Result<SecretReport, CommandError> {
    let secret = ClusterSecret::create(path)?;
    Ok(SecretReport { secret: path.to_owned(), id: secret.id().to_string() })
}

fn read_initramfs(path: &Path, aligned: bool) -> Result<Bytes, CommandError> {
    let bytes = read_part(path)?;
    if !aligned {
        return Ok(bytes);
    }
    align(&bytes).map(Bytes::from).map_err(|source| CommandError::Align { path: path.to_owned(), source })
}

/// One line of a list of images, for people and machines.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ListedImage {
    /// For which nodes.
    pub nodes: String,
    /// True if it is the fallback.
    pub fallback: bool,
    /// What the image holds.
    #[serde(flatten)]
    pub image: ImageReport,
}

/// `twowire image list`: which image each node boots. Every image is read and its hashes are checked; with a key, its
/// signature as well.
pub fn list(path: &Path, key: Option<&Path>) -> Result<Vec<ListedImage>, CommandError> {
    let catalogue = Catalogue::open(path)?;
    let listed = catalogue.entries().iter().map(|entry| {
        let image = match key {
            Some(key) => verify(&entry.file, key)?,
            None => inspect(&entry.file)?,
        };
        Ok(ListedImage { nodes: entry.nodes.to_string(), fallback: entry.purpose == Purpose::Fallback, image })
    });
    listed.collect()
}

fn read_part(path: &Path) -> Result<Bytes, ImageFileError> {
    fs::read(path).map(Bytes::from).map_err(|source| ImageFileError::Read { path: path.to_owned(), source })
}

/// Describes an image that was read from or written to `path`.
pub fn report(image: &PackedImage, path: &Path, signature_checked: bool) -> ImageReport {
    let manifest: &Manifest = image.manifest();
    let part = |info: Option<PartInfo>, range: Option<std::ops::Range<u64>>| {
        info.zip(range).map(|(info, range)| PartReport {
            offset: range.start,
            bytes: info.len,
            blake3: info.blake3.to_hex().to_string(),
        })
    };
    ImageReport {
        file: path.to_owned(),
        file_bytes: HEADER_LEN as u64 + manifest.payload_len(),
        name: manifest.name().to_owned(),
        version: manifest.version(),
        cmdline: manifest.cmdline().to_owned(),
        kernel: part(manifest.kernel(), manifest.kernel_range()),
        initramfs: part(manifest.initramfs(), manifest.initramfs_range()),
        payload_bytes: manifest.payload_len(),
        payload_blake3: manifest.root().to_hex().to_string(),
        chunks: manifest.shape().chunk_count(),
        key_id: manifest.key_id().to_string(),
        signature_checked,
    }
}

#[cfg(test)]
#[path = "command_tests.rs"]
mod tests;
