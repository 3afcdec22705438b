//! A file whose halves are the slots.

use super::{Access, Medium, OpenError, open_locked};
use crate::atomic_file;
use crate::slot::Slot;
use rustix::fs::OFlags;
use std::fs::File;
use std::io::{self, Seek, SeekFrom};
use std::os::unix::fs::FileExt;
use std::path::Path;

/// A file, or a device that reads and writes like one.
#[derive(Debug)]
pub struct FileMedium {
    file: File,
    slot_len: usize,
}

impl FileMedium {
    /// The size of a new file: slots of 4,096 bytes share no sector and no page.
    pub const DEFAULT_SIZE: usize = 8192;

    /// Opens a file.
    pub fn open(path: &Path, access: Access) -> Result<FileMedium, OpenError> {
        let mut file = open_locked(path, access, OFlags::empty())?;
        let size = file.seek(SeekFrom::End(0))?;
        let size = usize::try_from(size).map_err(|_| io::Error::from(io::ErrorKind::FileTooLarge))?;
        Ok(FileMedium { file, slot_len: size / 2 })
    }

    /// Creates a blank file; fails if there is one.
    pub fn create(path: &Path, size: usize) -> io::Result<()> {
        atomic_file::create_new(path, 0o644, &[&vec![0; size]])
    }

    fn start(&self, slot: Slot) -> u64 {
        (slot.index() * self.slot_len) as u64
    }
}

impl Medium for FileMedium {
    fn slot_len(&self) -> usize {
        self.slot_len
    }

    fn read(&mut self, slot: Slot, buffer: &mut [u8]) -> io::Result<()> {
        self.file.read_exact_at(buffer, self.start(slot))
    }

    fn write(&mut self, slot: Slot, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all_at(bytes, self.start(slot))
    }

    fn sync(&mut self) -> io::Result<()> {
        self.file.sync_all()
    }
}
