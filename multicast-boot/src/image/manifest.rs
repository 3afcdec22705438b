//! What an image holds, and the signature over it. The layout is in `docs/image-format.md`.

use super::key::{ClusterPublicKey, ClusterSecretKey, KeyId, SIGNATURE_LEN};
use super::tree::{CHUNK, MAX_PAYLOAD, Shape};
use bytes::Bytes;
use std::ops::Range;
use twowire_route_store::ImageTag;
use zerocopy::byteorder::little_endian::{U16, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

/// The longest name, in bytes.
pub const MAX_NAME: usize = 64;

/// The longest command line, in bytes. An x86 kernel takes 2,046 by kexec; the rest is for what phase 1 adds (see
/// [`crate::init::settings::phase_2`]).
pub const MAX_CMDLINE: usize = 1280;

const MAGIC: [u8; 8] = *b"twimage\n";
const FORMAT: u16 = 1;

/// The fixed part of a manifest; the name and the command line follow.
///
/// ```text
/// 0         8        10           12         13     16        24          32
/// | magic   | format | cmdline len | name len | zero | version | kernel len | initramfs len |
/// 40               72               104                136      144
/// | payload BLAKE3 | kernel BLAKE3  | initramfs BLAKE3   | key id | name, command line …
/// ```
#[derive(FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
struct Layout {
    magic: [u8; 8],
    format: U16,
    cmdline_len: U16,
    name_len: u8,
    zero: [u8; 3],
    version: U64,
    kernel_len: U64,
    initramfs_len: U64,
    root: [u8; 32],
    kernel_blake3: [u8; 32],
    initramfs_blake3: [u8; 32],
    key_id: [u8; 8],
}

const FIXED: usize = size_of::<Layout>();
const _: () = assert!(FIXED == 144);
const _: () = assert!(FIXED + MAX_NAME + MAX_CMDLINE + SIGNATURE_LEN <= 4096, "a signed manifest fits one frame");

/// Why bytes are not an image, or not one of this cluster.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ImageError {
    /// The bytes end too early.
    #[error("truncated: {needed} bytes needed, got {got}")]
    Truncated {
        /// Bytes that must be there.
        needed: u64,
        /// Bytes that are.
        got: u64,
    },
    /// There are bytes after the end.
    #[error("bytes after the end of the image")]
    TrailingBytes,
    /// The first bytes are not those of an image.
    #[error("not a Twowire image (it does not start with `twimage`)")]
    Magic,
    /// A format that this program does not know.
    #[error("image format {0}, expected {FORMAT}: packed by another version of Twowire")]
    Format(u16),
    /// A field holds a value that means nothing.
    #[error("the manifest's field `{field}` is invalid: {what}")]
    Field {
        /// The field's name in the format document.
        field: &'static str,
        /// What is wrong with it.
        what: String,
    },
    /// There is neither a kernel nor an initramfs.
    #[error("an image needs a kernel or an initramfs")]
    Empty,
    /// The payload is larger than 4 GiB.
    #[error("a payload of {0} bytes is more than the 4 GiB that an image can hold")]
    TooLarge(u64),
    /// Signed, but with another key.
    #[error("signed with key {got}, but this cluster's key is {expected}")]
    WrongKey {
        /// The cluster's key.
        expected: KeyId,
        /// The key that the manifest names.
        got: KeyId,
    },
    /// Names the cluster's key, but this key did not sign these bytes.
    #[error("the signature is wrong: the manifest was changed after it was signed with key {0}")]
    Signature(KeyId),
    /// The bytes of the payload or of a part are not those that were packed.
    #[error("the {part}'s BLAKE3 is {got}, but the manifest says {expected}: the image is damaged")]
    Hash {
        /// `payload`, `kernel` or `initramfs`.
        part: &'static str,
        /// From the manifest.
        expected: blake3::Hash,
        /// From the bytes.
        got: blake3::Hash,
    },
}

/// One part of the payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PartInfo {
    /// Bytes of the part; never 0.
    pub len: u64,
    /// BLAKE3 of the part.
    pub blake3: blake3::Hash,
}

/// What an image holds. Always valid: made by [`Manifest::new`] or read by [`Manifest::parse`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Manifest {
    name: String,
    version: u64,
    cmdline: String,
    kernel: Option<PartInfo>,
    initramfs: Option<PartInfo>,
    root: blake3::Hash,
    key_id: KeyId,
    payload_len: u64,
}

/// What a manifest is made of.
#[derive(Clone, Debug)]
pub struct ManifestFields {
    /// The image's name: 1 to 64 bytes of text.
    pub name: String,
    /// The image's version; a higher one is newer.
    pub version: u64,
    /// The kernel's command line: up to [`MAX_CMDLINE`] bytes of text.
    pub cmdline: String,
    /// The kernel, if there is one.
    pub kernel: Option<PartInfo>,
    /// The initramfs, if there is one.
    pub initramfs: Option<PartInfo>,
    /// BLAKE3 of the payload.
    pub root: blake3::Hash,
    /// The key that will sign.
    pub key_id: KeyId,
}

impl Manifest {
    /// A manifest of these fields, if they are valid.
    pub fn new(fields: ManifestFields) -> Result<Manifest, ImageError> {
        let ManifestFields { name, version, cmdline, kernel, initramfs, root, key_id } = fields;
        check_text("name", &name, 1..=MAX_NAME)?;
        if cmdline.len() > MAX_CMDLINE {
            let why = "shorten it, for kernels take about 2,046, and phase 1 adds what phase 2 needs to report";
            let what = format!("{} bytes, expected 0 to {MAX_CMDLINE}: {why}", cmdline.len());
            return Err(invalid("command line", what));
        }
        check_text("command line", &cmdline, 0..=MAX_CMDLINE)?;
        let (kernel_len, initramfs_len) = (kernel.map_or(0, |p| p.len), initramfs.map_or(0, |p| p.len));
        let payload_len = payload_len(kernel_len, initramfs_len)?;
        Ok(Manifest { name, version, cmdline, kernel, initramfs, root, key_id, payload_len })
    }

    /// The image's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The image's version; a higher one is newer.
    pub fn version(&self) -> u64 {
        self.version
    }

    /// The kernel's command line.
    pub fn cmdline(&self) -> &str {
        &self.cmdline
    }

    /// The kernel, if there is one.
    pub fn kernel(&self) -> Option<PartInfo> {
        self.kernel
    }

    /// The initramfs, if there is one.
    pub fn initramfs(&self) -> Option<PartInfo> {
        self.initramfs
    }

    /// Where in the payload the kernel is.
    pub fn kernel_range(&self) -> Option<Range<u64>> {
        self.kernel.map(|part| 0..part.len)
    }

    /// Where in the payload the initramfs is.
    pub fn initramfs_range(&self) -> Option<Range<u64>> {
        self.initramfs.map(|part| self.payload_len - part.len..self.payload_len)
    }

    /// Bytes of the payload.
    pub fn payload_len(&self) -> u64 {
        self.payload_len
    }

    /// BLAKE3 of the payload, as `b3sum` prints it.
    pub fn root(&self) -> blake3::Hash {
        self.root
    }

    /// The key that signed, as the manifest says: proven only by the signature.
    pub fn key_id(&self) -> KeyId {
        self.key_id
    }

    /// How many chunks and lists the payload has.
    pub fn shape(&self) -> Shape {
        Shape::new(self.payload_len).expect("Manifest::new checks the length")
    }

    /// What a node's NVRAM calls this image: the first bytes of the BLAKE3 of what is signed.
    pub fn tag(&self) -> ImageTag {
        let hash = blake3::hash(&self.encode());
        ImageTag(*hash.as_bytes().first_chunk().expect("a hash is longer"))
    }

    /// The bytes that are signed.
    pub fn encode(&self) -> Vec<u8> {
        let hash = |part: Option<PartInfo>| part.map_or([0; 32], |part| *part.blake3.as_bytes());
        let layout = Layout {
            magic: MAGIC,
            format: FORMAT.into(),
            cmdline_len: (self.cmdline.len() as u16).into(),
            name_len: self.name.len() as u8,
            zero: [0; 3],
            version: self.version.into(),
            kernel_len: self.kernel.map_or(0, |part| part.len).into(),
            initramfs_len: self.initramfs.map_or(0, |part| part.len).into(),
            root: *self.root.as_bytes(),
            kernel_blake3: hash(self.kernel),
            initramfs_blake3: hash(self.initramfs),
            key_id: self.key_id.0,
        };
        [layout.as_bytes(), self.name.as_bytes(), self.cmdline.as_bytes()].concat()
    }

    /// Reads a manifest that is all of `bytes`. The signature is another matter: [`SignedManifest::verify`].
    pub fn parse(bytes: &[u8]) -> Result<Manifest, ImageError> {
        let (layout, text) = layout(bytes)?;
        let (name_len, cmdline_len) = (usize::from(layout.name_len), usize::from(layout.cmdline_len.get()));
        check_len(text.len(), name_len + cmdline_len, FIXED)?;
        let (name, cmdline) = text.split_at(name_len);
        if layout.zero != [0; 3] {
            return Err(invalid("zero", format!("{:?}, expected zeros", layout.zero)));
        }
        Manifest::new(ManifestFields {
            name: utf8("name", name)?,
            version: layout.version.get(),
            cmdline: utf8("command line", cmdline)?,
            kernel: part("kernel BLAKE3", layout.kernel_len.get(), layout.kernel_blake3)?,
            initramfs: part("initramfs BLAKE3", layout.initramfs_len.get(), layout.initramfs_blake3)?,
            root: blake3::Hash::from_bytes(layout.root),
            key_id: KeyId(layout.key_id),
        })
    }
}

/// A manifest and its signature, as they travel in one frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedManifest(Bytes);

impl SignedManifest {
    /// Signs a manifest, which must name `key`.
    pub fn sign(manifest: &Manifest, key: &ClusterSecretKey) -> SignedManifest {
        let mut bytes = manifest.encode();
        let signature = key.sign(&bytes);
        bytes.extend_from_slice(&signature);
        SignedManifest(bytes.into())
    }

    /// The bytes: at most 2,320. Shared, not copied.
    pub fn as_bytes(&self) -> &Bytes {
        &self.0
    }

    /// Checks the signature, and only then reads the manifest. This is what a node does with what it was offered.
    pub fn verify(bytes: &[u8], key: &ClusterPublicKey) -> Result<Manifest, ImageError> {
        let (message, signature) = bytes
            .split_last_chunk::<SIGNATURE_LEN>()
            .ok_or(ImageError::Truncated { needed: (FIXED + SIGNATURE_LEN) as u64, got: bytes.len() as u64 })?;
        if !key.verifies(message, signature) {
            return Err(why_not_signed(message, key));
        }
        let manifest = Manifest::parse(message)?;
        if manifest.key_id() != key.id() {
            return Err(ImageError::WrongKey { expected: key.id(), got: manifest.key_id() });
        }
        Ok(manifest)
    }

    /// Reads a signed manifest at the start of `bytes` without checking its signature; what follows it is returned.
    pub(super) fn split_from(bytes: &Bytes) -> Result<(SignedManifest, Manifest, Bytes), ImageError> {
        let (layout, _) = layout(bytes)?;
        let manifest_len = FIXED + usize::from(layout.name_len) + usize::from(layout.cmdline_len.get());
        let len = manifest_len + SIGNATURE_LEN;
        if bytes.len() < len {
            return Err(ImageError::Truncated { needed: len as u64, got: bytes.len() as u64 });
        }
        let manifest = Manifest::parse(&bytes[..manifest_len])?;
        Ok((SignedManifest(bytes.slice(..len)), manifest, bytes.slice(len..)))
    }
}

/// The most useful reason why bytes that `key` did not sign are refused. Nothing in them is believed.
fn why_not_signed(message: &[u8], key: &ClusterPublicKey) -> ImageError {
    match Manifest::parse(message) {
        Ok(manifest) if manifest.key_id() != key.id() => {
            ImageError::WrongKey { expected: key.id(), got: manifest.key_id() }
        }
        Ok(_) => ImageError::Signature(key.id()),
        Err(error) => error,
    }
}

/// The payload's length: the initramfs starts at a multiple of a chunk.
fn payload_len(kernel_len: u64, initramfs_len: u64) -> Result<u64, ImageError> {
    let total = match (kernel_len, initramfs_len) {
        (0, 0) => return Err(ImageError::Empty),
        (kernel, 0) => kernel,
        (kernel, initramfs) => {
            let start = kernel.checked_next_multiple_of(CHUNK as u64).unwrap_or(u64::MAX);
            start.saturating_add(initramfs)
        }
    };
    if total > MAX_PAYLOAD { Err(ImageError::TooLarge(total)) } else { Ok(total) }
}

/// The fixed part at the start of `bytes`, if it is that of a manifest in our format.
fn layout(bytes: &[u8]) -> Result<(&Layout, &[u8]), ImageError> {
    let start = &bytes[..bytes.len().min(MAGIC.len())];
    if !MAGIC.starts_with(start) {
        return Err(ImageError::Magic);
    }
    let (layout, text) = Layout::ref_from_prefix(bytes)
        .map_err(|_| ImageError::Truncated { needed: FIXED as u64, got: bytes.len() as u64 })?;
    if layout.format.get() != FORMAT {
        return Err(ImageError::Format(layout.format.get()));
    }
    Ok((layout, text))
}

fn check_len(got: usize, expected: usize, before: usize) -> Result<(), ImageError> {
    match got {
        got if got < expected => {
            Err(ImageError::Truncated { needed: (before + expected) as u64, got: (before + got) as u64 })
        }
        got if got > expected => Err(ImageError::TrailingBytes),
        _ => Ok(()),
    }
}

fn part(field: &'static str, len: u64, hash: [u8; 32]) -> Result<Option<PartInfo>, ImageError> {
    match len {
        0 if hash != [0; 32] => Err(invalid(field, "a hash, but the part is absent".into())),
        0 => Ok(None),
        len => Ok(Some(PartInfo { len, blake3: blake3::Hash::from_bytes(hash) })),
    }
}

fn utf8(field: &'static str, bytes: &[u8]) -> Result<String, ImageError> {
    String::from_utf8(bytes.to_vec()).map_err(|error| invalid(field, error.to_string()))
}

fn check_text(field: &'static str, text: &str, len: std::ops::RangeInclusive<usize>) -> Result<(), ImageError> {
    if !len.contains(&text.len()) {
        return Err(invalid(field, format!("{} bytes, expected {} to {}", text.len(), len.start(), len.end())));
    }
    match text.char_indices().find(|(_, c)| c.is_control()) {
        Some((at, c)) => Err(invalid(field, format!("the control character {c:?} at byte {at}"))),
        None => Ok(()),
    }
}

fn invalid(field: &'static str, what: String) -> ImageError {
    ImageError::Field { field, what }
}

#[cfg(test)]
#[path = "manifest_tests.rs"]
mod tests;
