//! The file that is sent, and the copies.

use std::fs;
use std::io::{BufWriter, Read, Write};
use std::path::{Path, PathBuf};
use tempfile::TempDir;
use twowire_fabric::program::Failure;
use twowire_multicast_boot::image::command::{PackRequest, new_key, pack};

/// What is sent: bytes that nothing compresses. Everything goes when it is dropped.
pub(super) struct Files {
    dir: TempDir,
    programs: PathBuf,
    hash: blake3::Hash,
}

impl Files {
    /// Makes the payload, and an image that holds it.
    pub(super) fn new(bytes: usize, work: &Path, programs: &Path) -> Result<Files, Failure> {
        let dir = tempfile::Builder::new().prefix("twowire-against-").tempdir_in(work);
        let dir = dir.map_err(|error| Failure::write(work, &error))?;
        let payload = dir.path().join("payload");
        write_payload(&payload, bytes).map_err(|error| Failure::write(&payload, &error))?;
        let hash = hash(&payload).map_err(|error| Failure::read(&payload, &error))?;
        let files = Files { dir, programs: std::path::absolute(programs).map_err(Failure::failed)?, hash };
        new_key(&files.dir.path().join("key")).map_err(Failure::failed)?;
        pack(&PackRequest {
            kernel: None,
            initrd: Some(&payload),
            align: false,
            cmdline: "",
            name: "against",
            version: 1,
            key: &files.dir.path().join("key"),
            output: &files.image(),
        })
        .map_err(Failure::failed)?;
        Ok(files)
    }

    pub(super) fn payload(&self) -> PathBuf {
        self.dir.path().join("payload")
    }

    pub(super) fn image(&self) -> PathBuf {
        self.dir.path().join("image")
    }

    pub(super) fn key(&self) -> PathBuf {
        self.dir.path().join("key.pub")
    }

    pub(super) fn program(&self, name: &str) -> PathBuf {
        self.programs.join(name)
    }

    /// Where a receiver writes.
    pub(super) fn folder(&self, index: usize) -> PathBuf {
        self.dir.path().join(format!("receiver-{index}"))
    }

    /// Empty folders for so many receivers. The memory that their copies will take has been written before: on a virtual machine
    /// memory that was not used for a while has to come from the host first, and whoever writes it waits for that.
    pub(super) fn make_folders(&self, count: usize) -> std::io::Result<()> {
        self.remove_folders(count);
        (0..count).try_for_each(|index| fs::create_dir(self.folder(index)))?;
        let warm: Vec<PathBuf> = (0..count).map(|index| self.folder(index).join("warm")).collect();
        warm.iter().try_for_each(|path| fs::copy(self.payload(), path).map(drop))?;
        warm.iter().try_for_each(fs::remove_file)
    }

    /// Removes the folders of so many receivers.
    pub(super) fn remove_folders(&self, count: usize) {
        // What is not there need not be removed.
        (0..count).for_each(|index| drop(fs::remove_dir_all(self.folder(index))));
    }

    /// True if a copy is there and right.
    pub(super) fn is_right(&self, copy: &Path) -> bool {
        hash(copy).is_ok_and(|hash| hash == self.hash)
    }
}

fn write_payload(path: &Path, bytes: usize) -> std::io::Result<()> {
    let mut file = BufWriter::new(fs::File::create(path)?);
    let random = blake3::Hasher::new().update(b"against").finalize_xof();
    std::io::copy(&mut random.take(bytes as u64), &mut file)?;
    file.flush()
}

fn hash(path: &Path) -> std::io::Result<blake3::Hash> {
    let mut hasher = blake3::Hasher::new();
    let mut file = fs::File::open(path)?;
    let mut buffer = vec![0; 1 << 20];
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(hasher.finalize()),
            count => hasher.update(&buffer[..count]),
        };
    }
}
