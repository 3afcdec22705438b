//! What lies in a node's flash beside its kernel: an initramfs whose `/init` is `bootnode`.

use super::modules::{KernelModules, ModulesError};
use super::{Initramfs, InitramfsError};
use crate::image::{ClusterPublicKey, KeyError};
use crate::init::{KEY_FILE, MODULES_FILE, SECRET_FILE};
use crate::membership::ClusterSecret;
use flate2::Compression;
use flate2::write::GzEncoder;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use twowire_route_store::atomic_file;

/// What is asked for.
#[derive(Clone, Debug)]
pub struct Phase1Request<'a> {
    /// The program `bootnode`, best a static one.
    pub bootnode: &'a Path,
    /// The cluster's public key.
    pub key: &'a Path,
    /// The cluster's secret, if nodes have to prove that they know it. Then only its owner may read the initramfs.
    pub secret: Option<&'a Path>,
    /// The modules of the flash's kernel (`/lib/modules/VERSION`) and the names of those that are needed.
    pub modules: Option<(&'a Path, &'a [String])>,
    /// A shell to look around with, if there is to be one.
    pub debug_shell: Option<&'a Path>,
    /// The flash's kernel, to say whether both fit.
    pub kernel: Option<&'a Path>,
    /// Bytes of the flash.
    pub flash_bytes: u64,
    /// Where the initramfs goes.
    pub output: &'a Path,
}

/// How much room it all takes.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Phase1Report {
    /// The initramfs's file.
    pub file: PathBuf,
    /// The modules in it, in the order in which they are loaded.
    pub modules: Vec<String>,
    /// Bytes of the initramfs once the kernel has unpacked it.
    pub unpacked_bytes: u64,
    /// Bytes of the initramfs.
    pub initramfs_bytes: u64,
    /// Bytes of the kernel, if one was given.
    pub kernel_bytes: Option<u64>,
    /// Bytes of the flash.
    pub flash_bytes: u64,
}

impl Phase1Report {
    /// Bytes of the kernel, if one was given, and the initramfs.
    pub fn total_bytes(&self) -> u64 {
        self.initramfs_bytes + self.kernel_bytes.unwrap_or(0)
    }

    /// True if they fit the flash.
    pub fn fits(&self) -> bool {
        self.total_bytes() <= self.flash_bytes
    }
}

/// Why there is no initramfs of Twowire's own programs.
#[derive(Debug, thiserror::Error)]
pub enum Phase1Error {
    /// The archive, or a file that cannot be read.
    #[error(transparent)]
    Initramfs(#[from] InitramfsError),
    /// The key.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The modules.
    #[error(transparent)]
    Modules(#[from] ModulesError),
    /// The result cannot be written.
    #[error("cannot write {}: {source}", .path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
}

/// Builds a phase-1 initramfs: the same bytes for the same files.
pub fn pack(request: &Phase1Request<'_>) -> Result<Phase1Report, Phase1Error> {
    let mut initramfs = Initramfs::new(request.bootnode)?;
    let key = ClusterPublicKey::load(request.key)?;
    initramfs.file(KEY_FILE, 0o644, key.to_string().as_bytes())?;
    if let Some(secret) = request.secret {
        initramfs.file(SECRET_FILE, 0o600, ClusterSecret::read_text(secret)?.as_bytes())?;
    }
    if let Some(shell) = request.debug_shell {
        initramfs.shell(shell)?;
    }
    let modules = match request.modules {
        Some((dir, names)) => add_modules(&mut initramfs, &KernelModules::open(dir)?, names)?,
        None => Vec::new(),
    };
    let unpacked = initramfs.finish();
    let packed = compress(&unpacked);
    let kernel_bytes = request.kernel.map(file_len).transpose()?;
    let write = if request.secret.is_some() { atomic_file::replace_private } else { atomic_file::replace };
    write(request.output, &[&packed]).map_err(write_error(request.output))?;
    Ok(Phase1Report {
        file: request.output.to_owned(),
        modules,
        unpacked_bytes: unpacked.len() as u64,
        initramfs_bytes: packed.len() as u64,
        kernel_bytes,
        flash_bytes: request.flash_bytes,
    })
}

/// The initramfs could not be written there.
pub(super) fn write_error(path: &Path) -> impl FnOnce(io::Error) -> Phase1Error {
    move |source| Phase1Error::Write { path: path.to_owned(), source }
}

/// Adds modules, with what they need, and the list of them.
pub(super) fn add_modules(
    initramfs: &mut Initramfs,
    modules: &KernelModules,
    names: &[String],
) -> Result<Vec<String>, Phase1Error> {
    let mut list = Vec::new();
    for file in modules.load_order(names)? {
        let path = modules.path(&file);
        let bytes = fs::read(&path).map_err(|source| InitramfsError::Read { path, source })?;
        let name = format!("/lib/modules/{}", file.rsplit('/').next().unwrap_or(&file));
        initramfs.file(&name, 0o644, &bytes)?;
        list.push(name);
    }
    initramfs.file(MODULES_FILE, 0o644, (list.join("\n") + "\n").as_bytes())?;
    Ok(list)
}

/// With gzip, which every kernel unpacks; without a time, so that the bytes do not depend on it.
pub(super) fn compress(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes).and_then(|()| encoder.finish()).expect("memory takes all bytes")
}

fn file_len(path: &Path) -> Result<u64, InitramfsError> {
    let metadata = fs::metadata(path).map_err(|source| InitramfsError::Read { path: path.to_owned(), source })?;
    Ok(metadata.len())
}

#[cfg(test)]
#[path = "phase1_tests.rs"]
mod tests;
