//! Two sectors of a block device: a small disk, or persistent memory that looks like one.
//!
//! Reads and writes pass the page cache by, so that a slot is read from the device, and is on it when a write returns.

use super::{Access, Medium, OpenError, open_locked};
use crate::slot::Slot;
use rustix::fs::{OFlags, ioctl_blkpbszget, ioctl_blksszget};
use std::fs::File;
use std::io::{self, Seek, SeekFrom};
use std::os::unix::fs::FileExt;
use std::path::Path;

/// The least that lies between the starts of the slots: no device writes more at once, and says that it writes less.
const MIN_SLOT: usize = 4096;

/// Two slots on a block device, each a physical sector, or 4,096 bytes if that is more.
#[derive(Debug)]
pub struct BlockMedium {
    file: File,
    offset: u64,
    slot_len: usize,
}

impl BlockMedium {
    /// Opens the device, with the slots from `offset` on. For writing nobody else may use it, as a mounted file system.
    pub fn open(path: &Path, offset: u64, access: Access) -> Result<BlockMedium, OpenError> {
        let exclusive = if access == Access::Write { OFlags::EXCL } else { OFlags::empty() };
        let mut file = open_locked(path, access, OFlags::DIRECT | OFlags::DSYNC | exclusive)?;
        let not_a_disk =
            |error: rustix::io::Errno| OpenError::Kind { expected: "a block device", reason: error.into() };
        let sector = ioctl_blksszget(&file).map_err(not_a_disk)?.max(ioctl_blkpbszget(&file).map_err(not_a_disk)?);
        let slot_len = MIN_SLOT.max(sector as usize);
        let size = file.seek(SeekFrom::End(0))?;
        let place = |why| Err(OpenError::Place { slot: slot_len, offset, why });
        if !offset.is_multiple_of(slot_len as u64) {
            return place(format!("the offset must be a multiple of {slot_len}"));
        }
        if offset.checked_add(2 * slot_len as u64).is_none_or(|end| end > size) {
            return place(format!("the device has {size} bytes"));
        }
        Ok(BlockMedium { file, offset, slot_len })
    }

    fn start(&self, slot: Slot) -> u64 {
        self.offset + (slot.index() * self.slot_len) as u64
    }
}

/// A buffer of one slot, aligned as direct transfers want it.
struct Sector {
    bytes: Vec<u8>,
    start: usize,
    len: usize,
}

impl Sector {
    fn new(len: usize) -> Sector {
        let bytes = vec![0; 2 * len];
        let start = bytes.as_ptr().align_offset(len);
        Sector { bytes, start, len }
    }

    fn bytes(&mut self) -> &mut [u8] {
        &mut self.bytes[self.start..self.start + self.len]
    }
}

impl Medium for BlockMedium {
    fn slot_len(&self) -> usize {
        self.slot_len
    }

    fn read(&mut self, slot: Slot, buffer: &mut [u8]) -> io::Result<()> {
        let mut sector = Sector::new(self.slot_len);
        self.file.read_exact_at(sector.bytes(), self.start(slot))?;
        buffer.copy_from_slice(&sector.bytes()[..buffer.len()]);
        Ok(())
    }

    fn write(&mut self, slot: Slot, bytes: &[u8]) -> io::Result<()> {
        let mut sector = Sector::new(self.slot_len);
        sector.bytes()[..bytes.len()].copy_from_slice(bytes);
        self.file.write_all_at(sector.bytes(), self.start(slot))
    }

    fn sync(&mut self) -> io::Result<()> {
        self.file.sync_data()
    }
}
