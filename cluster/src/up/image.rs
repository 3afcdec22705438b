//! The image that a bring-up boots, and the key that its nodes trust.

use super::UpError;
use bytes::Bytes;
use std::fs;
use std::path::{Path, PathBuf};
use twowire_multicast_boot::image::{ClusterPublicKey, ClusterSecretKey, ImageParts, PackedImage};
use twowire_multicast_boot::initramfs::Initramfs;
use twowire_multicast_boot::initramfs::kernel::find_kernel;

/// Where the image comes from.
#[derive(Clone, Debug)]
pub enum ImageSource {
    /// A packed image, and the file of the key that the nodes check it with.
    Packed {
        /// The image.
        file: PathBuf,
        /// The public key's file, or the secret one's.
        key: PathBuf,
    },
    /// A kernel and an initramfs, packed now.
    Parts {
        /// The kernel, if there is one.
        kernel: Option<PathBuf>,
        /// The initramfs.
        initrd: PathBuf,
        /// The kernel's command line.
        cmdline: String,
        /// The secret key that signs; a new one if none is given.
        key: Option<PathBuf>,
    },
    /// This machine's kernel, where it can be read, and an initramfs of Twowire's own programs.
    ThisMachine {
        /// The secret key that signs; a new one if none is given.
        key: Option<PathBuf>,
    },
}

/// An image and the public key in the nodes' flash.
pub struct Bootable {
    /// The image.
    pub image: PackedImage,
    /// The key.
    pub key: ClusterPublicKey,
}

impl ImageSource {
    /// Opens or packs the image. A key that is made for this run comes from its seed.
    pub fn open(&self, seed: u64) -> Result<Bootable, UpError> {
        match self {
            ImageSource::Packed { file, key } => {
                let image = PackedImage::open(file).map_err(UpError::failed)?;
                Ok(Bootable { image, key: public_key(key)? })
            }
            ImageSource::Parts { kernel, initrd, cmdline, key } => {
                let kernel = kernel.as_deref().map_or(Ok(Bytes::new()), read)?;
                pack("image", kernel, read(initrd)?, cmdline, &signing_key(key.as_deref(), seed)?)
            }
            ImageSource::ThisMachine { key } => {
                let kernel = find_kernel().map_or(Ok(Bytes::new()), |path| read(&path))?;
                let initramfs = own_programs()?;
                pack("twowire", kernel, initramfs, "console=ttyS0", &signing_key(key.as_deref(), seed)?)
            }
        }
    }
}

fn pack(
    name: &str,
    kernel: Bytes,
    initramfs: Bytes,
    cmdline: &str,
    key: &ClusterSecretKey,
) -> Result<Bootable, UpError> {
    let parts = ImageParts { name: name.to_owned(), version: 1, kernel, initramfs, cmdline: cmdline.to_owned() };
    let image = PackedImage::pack(&parts, key).map_err(UpError::failed)?;
    Ok(Bootable { image, key: key.public() })
}

/// An initramfs of the programs that lie beside this one, with the libraries that they need.
fn own_programs() -> Result<Bytes, UpError> {
    let own = std::env::current_exe().map_err(|e| UpError::failed(format!("this program's own file: {e}")))?;
    let mut initramfs = Initramfs::new(&own).map_err(UpError::failed)?;
    for program in ["mapper", "route-store"].map(|name| own.with_file_name(name)) {
        if program.is_file() {
            initramfs.program(&program).map_err(UpError::failed)?;
        }
    }
    Ok(initramfs.finish().into())
}

fn signing_key(file: Option<&Path>, seed: u64) -> Result<ClusterSecretKey, UpError> {
    match file {
        Some(file) => ClusterSecretKey::load(file).map_err(UpError::failed),
        None => Ok(ClusterSecretKey::from_seed(blake3::hash(&seed.to_le_bytes()).as_bytes())),
    }
}

/// The public key in a file, or of the secret key in it.
fn public_key(file: &Path) -> Result<ClusterPublicKey, UpError> {
    ClusterPublicKey::load(file)
        .or_else(|error| ClusterSecretKey::load(file).map(|key| key.public()).map_err(|_| error))
        .map_err(UpError::failed)
}

fn read(path: &Path) -> Result<Bytes, UpError> {
    fs::read(path).map(Bytes::from).map_err(|e| UpError::failed(format!("cannot read {}: {e}", path.display())))
}
