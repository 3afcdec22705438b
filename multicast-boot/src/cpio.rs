//! Cpio archives in the `newc` format, which the Linux kernel unpacks as its initramfs: a writer, and in `read` a reader of
//! entries.
//!
//! The same calls give the same bytes: times and owners are 0, inode numbers count up. The format is described in the
//! kernel's `Documentation/driver-api/early-userspace/buffer-format.rst`.

pub(crate) mod read;

use std::collections::BTreeSet;

const DIRECTORY: u32 = 0o040_000;
const FILE: u32 = 0o100_000;
const SYMLINK: u32 = 0o120_000;
const CHARACTER_DEVICE: u32 = 0o020_000;
const BLOCK_DEVICE: u32 = 0o060_000;

const TRAILER: &str = "TRAILER!!!";

/// The longest path that the kernel takes, with its closing zero.
const MAX_PATH: usize = 4096;

/// Why an entry cannot be put into an archive.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CpioError {
    /// A path that is empty, too long, or not made of plain names.
    #[error("`{0}` cannot be a path in an initramfs")]
    Path(String),
    /// A path that is there already, as something else than a directory.
    #[error("`{0}` is in the initramfs already")]
    Twice(String),
    /// The format has 32 bits for a file's length.
    #[error("`{path}` has {len} bytes, and a file in an initramfs less than 4 GiB")]
    TooLarge {
        /// The file's path in the archive.
        path: String,
        /// Its bytes.
        len: usize,
    },
}

/// Which table of drivers a device node's major number is from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeviceKind {
    /// A character device.
    Character,
    /// A block device.
    Block,
}

/// An archive in the making. Directories that a path needs are added by themselves, before it.
#[derive(Clone, Debug, Default)]
pub struct Archive {
    bytes: Vec<u8>,
    entries: u32,
    directories: BTreeSet<String>,
    others: BTreeSet<String>,
}

/// The fields of an entry's header that differ between entries.
#[derive(Clone, Copy, Default)]
struct Entry {
    mode: u32,
    links: u32,
    device: (u32, u32),
}

impl Archive {
    /// An empty archive.
    pub fn new() -> Archive {
        Archive::default()
    }

    /// True if there is a file, symbolic link or device of that path.
    pub fn contains(&self, path: &str) -> bool {
        self.others.contains(path.trim_matches('/'))
    }

    /// Adds a directory and those above it; one that is there already stays as it is.
    pub fn directory(&mut self, path: &str, mode: u32) -> Result<(), CpioError> {
        let path = self.prepare(path)?;
        if self.directories.insert(path.clone()) {
            self.put(&path, Entry { mode: DIRECTORY | mode & 0o7777, links: 2, ..Entry::default() }, &[]);
        }
        Ok(())
    }

    /// Adds a regular file.
    pub fn file(&mut self, path: &str, mode: u32, bytes: &[u8]) -> Result<(), CpioError> {
        if u32::try_from(bytes.len()).is_err() {
            return Err(CpioError::TooLarge { path: path.to_owned(), len: bytes.len() });
        }
        self.put_other(path, Entry { mode: FILE | mode & 0o7777, links: 1, ..Entry::default() }, bytes)
    }

    /// Adds a symbolic link to `target`.
    pub fn symlink(&mut self, path: &str, target: &str) -> Result<(), CpioError> {
        if target.is_empty() || target.len() >= MAX_PATH || target.contains('\0') {
            return Err(CpioError::Path(target.to_owned()));
        }
        self.put_other(path, Entry { mode: SYMLINK | 0o777, links: 1, ..Entry::default() }, target.as_bytes())
    }

    /// Adds a device node.
    pub fn device(&mut self, path: &str, mode: u32, kind: DeviceKind, major: u32, minor: u32) -> Result<(), CpioError> {
        let kind = match kind {
            DeviceKind::Character => CHARACTER_DEVICE,
            DeviceKind::Block => BLOCK_DEVICE,
        };
        self.put_other(path, Entry { mode: kind | mode & 0o7777, links: 1, device: (major, minor) }, &[])
    }

    /// The archive's bytes.
    pub fn finish(mut self) -> Vec<u8> {
        // The trailer is no file: its inode number is 0.
        self.entries = 0;
        self.put_numbered(0, TRAILER, Entry { links: 1, ..Entry::default() }, &[]);
        self.bytes
    }

    fn put_other(&mut self, path: &str, entry: Entry, bytes: &[u8]) -> Result<(), CpioError> {
        let path = self.prepare(path)?;
        if self.directories.contains(&path) || !self.others.insert(path.clone()) {
            return Err(CpioError::Twice(path));
        }
        self.put(&path, entry, bytes);
        Ok(())
    }

    /// Checks a path, adds the directories above it, and returns it as the archive names it: without a leading slash.
    fn prepare(&mut self, path: &str) -> Result<String, CpioError> {
        let bad = || CpioError::Path(path.to_owned());
        let name = path.trim_matches('/');
        let plain = |part: &str| !matches!(part, "" | "." | "..");
        if name.len() >= MAX_PATH || name == TRAILER || name.contains('\0') || !name.split('/').all(plain) {
            return Err(bad());
        }
        if let Some((parent, _)) = name.rsplit_once('/') {
            if self.others.contains(parent) {
                return Err(CpioError::Twice(parent.to_owned()));
            }
            self.directory(parent, 0o755)?;
        }
        Ok(name.to_owned())
    }

    fn put(&mut self, path: &str, entry: Entry, bytes: &[u8]) {
        self.entries += 1;
        self.put_numbered(self.entries, path, entry, bytes);
    }

    fn put_numbered(&mut self, inode: u32, path: &str, entry: Entry, bytes: &[u8]) {
        let (owner, group, time, check) = (0, 0, 0, 0);
        let fields = [
            inode,
            entry.mode,
            owner,
            group,
            entry.links,
            time,
            bytes.len() as u32,
            0,
            0,
            entry.device.0,
            entry.device.1,
            path.len() as u32 + 1,
            check,
        ];
        self.bytes.extend_from_slice(b"070701");
        for field in fields {
            self.bytes.extend_from_slice(format!("{field:08X}").as_bytes());
        }
        self.bytes.extend_from_slice(path.as_bytes());
        self.bytes.push(0);
        self.pad();
        self.bytes.extend_from_slice(bytes);
        self.pad();
    }

    /// Names and contents end at a multiple of 4 bytes.
    fn pad(&mut self) {
        self.bytes.resize(self.bytes.len().next_multiple_of(4), 0);
    }
}

#[cfg(test)]
#[path = "cpio_tests.rs"]
mod tests;
