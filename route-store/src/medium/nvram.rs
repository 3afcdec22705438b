//! A window of a PC's CMOS memory, by the kernel's `/dev/nvram`.
//!
//! The device shows 114 bytes: the CMOS memory behind the clock's 14. The firmware keeps its settings in bytes 2 to 31
//! of them and their checksum in 32 and 33; the window of both slots must keep clear of these, and writes nothing else.
//! The driver refuses every read and write with EIO while that checksum is wrong, as after an empty battery.

use super::{Access, Medium, OpenError, open_locked};
use crate::slot::Slot;
use rustix::fs::OFlags;
use rustix::io::Errno;
use std::fs::File;
use std::io::{self, Seek, SeekFrom};
use std::os::unix::fs::FileExt;
use std::path::Path;

/// Bytes of a slot.
pub const SLOT_LEN: usize = 32;

/// Where the window starts if nobody says otherwise: at the end of the 114 bytes.
pub const DEFAULT_OFFSET: u64 = 50;

/// Bytes from the start that are the firmware's settings and their checksum.
const FIRMWARE: u64 = 34;

/// Two slots of 32 bytes in CMOS memory.
#[derive(Debug)]
pub struct NvramMedium {
    file: File,
    offset: u64,
}

impl NvramMedium {
    /// Opens the device, with the window of both slots at `offset`.
    pub fn open(path: &Path, offset: u64, access: Access) -> Result<NvramMedium, OpenError> {
        let place = |why| Err(OpenError::Place { slot: SLOT_LEN, offset, why });
        if offset < FIRMWARE {
            return place(format!("bytes 0 to {} belong to the firmware", FIRMWARE - 1));
        }
        let mut file = open_locked(path, access, OFlags::empty())?;
        let size = file.seek(SeekFrom::End(0))?;
        if offset.checked_add(2 * SLOT_LEN as u64).is_none_or(|end| end > size) {
            return place(format!("the device has {size} bytes"));
        }
        Ok(NvramMedium { file, offset })
    }

    fn start(&self, slot: Slot) -> u64 {
        self.offset + (slot.index() * SLOT_LEN) as u64
    }
}

/// Says what the driver's EIO means.
fn explain(error: io::Error) -> io::Error {
    if error.raw_os_error() != Some(Errno::IO.raw_os_error()) {
        return error;
    }
    io::Error::new(
        error.kind(),
        "input/output error: the checksum of the firmware's settings in CMOS memory is wrong, and until it is right the \
         driver neither reads nor writes; save the settings once in the firmware's setup (if that does not last, \
         replace the battery)",
    )
}

impl Medium for NvramMedium {
    fn slot_len(&self) -> usize {
        SLOT_LEN
    }

    fn read(&mut self, slot: Slot, buffer: &mut [u8]) -> io::Result<()> {
        self.file.read_exact_at(buffer, self.start(slot)).map_err(explain)
    }

    fn write(&mut self, slot: Slot, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all_at(bytes, self.start(slot)).map_err(explain)
    }

    /// The driver writes through: there is nothing to wait for.
    fn sync(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn area() -> tempfile::NamedTempFile {
        let file = tempfile::NamedTempFile::new().unwrap();
        let bytes: Vec<u8> = (1..=114).collect();
        file.as_file().write_all_at(&bytes, 0).unwrap();
        file
    }

    #[test]
    fn nothing_outside_the_window_is_touched() {
        let file = area();
        let mut medium = NvramMedium::open(file.path(), 40, Access::Write).unwrap();
        medium.write(Slot::Zero, &[0xaa; 32]).unwrap();
        medium.write(Slot::One, &[0xbb; 32]).unwrap();
        let expected: Vec<u8> = (1..=40).chain([0xaa; 32]).chain([0xbb; 32]).chain(105..=114).collect();
        assert_eq!(std::fs::read(file.path()).unwrap(), expected);
    }

    #[test]
    fn the_window_keeps_clear_of_the_firmware_and_of_the_end() {
        let file = area();
        for (offset, fits) in [(0, false), (33, false), (34, true), (50, true), (51, false), (u64::MAX, false)] {
            let opened = NvramMedium::open(file.path(), offset, Access::Read);
            assert_eq!(opened.is_ok(), fits, "{offset}: {opened:?}");
        }
        let error = NvramMedium::open(file.path(), 14, Access::Read).unwrap_err().to_string();
        assert!(error.ends_with("do not fit: bytes 0 to 33 belong to the firmware"), "{error}");
    }

    #[test]
    fn a_wrong_checksum_is_explained() {
        let error = explain(io::Error::from_raw_os_error(Errno::IO.raw_os_error()));
        assert!(error.to_string().contains("save the settings once in the firmware's setup"), "{error}");
        let other = explain(io::Error::from_raw_os_error(Errno::PERM.raw_os_error()));
        assert_eq!(other.kind(), io::ErrorKind::PermissionDenied);
    }
}
