//! Bytes that are mapped into memory: the memory of a PCI card (as a virtual machine's ivshmem), or persistent memory.
//!
//! Every byte is written by itself, so a power cut leaves any mixture of old and new bytes in the slot that was written.

use super::{Access, Medium, OpenError, open_locked, sys};
use crate::slot::Slot;
use rustix::fs::OFlags;
use std::fs;
use std::io;
use std::os::unix::fs::FileTypeExt;
use std::path::Path;

/// The most bytes that both slots take.
pub const MAX_WINDOW: usize = 8192;

/// Two slots in mapped memory.
#[derive(Debug)]
pub struct MappedMedium {
    mapping: sys::Mapping,
}

impl MappedMedium {
    /// Maps a file or device, with the slots from `offset` on.
    pub fn open(path: &Path, offset: u64, access: Access) -> Result<MappedMedium, OpenError> {
        let file = open_locked(path, access, OFlags::SYNC)?;
        let metadata = file.metadata()?;
        let endless = metadata.file_type().is_char_device();
        let rest = metadata.len().saturating_sub(offset);
        let len = if endless { MAX_WINDOW } else { usize::try_from(rest).unwrap_or(MAX_WINDOW).min(MAX_WINDOW) };
        if len == 0 {
            let why = format!("it has {} bytes", metadata.len());
            return Err(OpenError::Place { slot: MAX_WINDOW / 2, offset, why });
        }
        let mapping = sys::Mapping::new(&file, offset, len, access == Access::Write)
            .map_err(|reason| OpenError::Kind { expected: "a file or device that can be mapped", reason })?;
        Ok(MappedMedium { mapping })
    }

    /// The same for the memory of a PCI card, which may have to be switched on: `path` is a `resourceN` below its
    /// directory in sysfs.
    pub fn open_bar(path: &Path, offset: u64, access: Access) -> Result<MappedMedium, OpenError> {
        let enable = path.with_file_name("enable");
        if fs::read_to_string(&enable).is_ok_and(|state| state.trim() == "0") {
            fs::write(&enable, "1")?;
        }
        MappedMedium::open(path, offset, access)
    }

    fn start(&self, slot: Slot) -> usize {
        slot.index() * self.slot_len()
    }
}

impl Medium for MappedMedium {
    fn slot_len(&self) -> usize {
        self.mapping.len() / 2
    }

    fn read(&mut self, slot: Slot, buffer: &mut [u8]) -> io::Result<()> {
        self.mapping.read(self.start(slot), buffer);
        Ok(())
    }

    fn write(&mut self, slot: Slot, bytes: &[u8]) -> io::Result<()> {
        self.mapping.write(self.start(slot), bytes);
        Ok(())
    }

    fn sync(&mut self) -> io::Result<()> {
        self.mapping.sync()
    }
}
