//! Two erase blocks of a flash chip, by the kernel's MTD device.
//!
//! Flash is erased by the block, to 0xff, and a write only clears bits. A slot is one erase block, erased before each
//! write, so that a power cut during either leaves the other slot as it was.

use super::{Access, Medium, OpenError, open_locked, sys};
use crate::slot::Slot;
use rustix::fs::OFlags;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

/// What a chip looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Geometry {
    /// Bytes of the device.
    pub size: u64,
    /// Bytes that are erased at once.
    pub erase_block: usize,
    /// Bytes that are written at once.
    pub write_unit: usize,
}

/// A flash chip.
pub trait Flash {
    /// What it looks like.
    fn geometry(&self) -> Geometry;

    /// Fills `buffer` from `offset` on.
    fn read(&mut self, offset: u64, buffer: &mut [u8]) -> io::Result<()>;

    /// Sets the erase block at `offset` to 0xff.
    fn erase(&mut self, offset: u64) -> io::Result<()>;

    /// Clears the bits that are clear in `bytes`; offset and length are multiples of the write unit.
    fn program(&mut self, offset: u64, bytes: &[u8]) -> io::Result<()>;
}

/// Two erase blocks, one for each slot.
#[derive(Clone, Debug)]
pub struct MtdMedium<F = MtdDevice> {
    flash: F,
    offset: u64,
}

impl<F: Flash> MtdMedium<F> {
    /// A medium in the two erase blocks from `offset` on.
    pub fn new(flash: F, offset: u64) -> Result<MtdMedium<F>, OpenError> {
        let Geometry { size, erase_block, .. } = flash.geometry();
        let place = |why| Err(OpenError::Place { slot: erase_block, offset, why });
        if erase_block == 0 || !offset.is_multiple_of(erase_block as u64) {
            return place(format!("the offset must be a multiple of the erase block's {erase_block} bytes"));
        }
        if offset.checked_add(2 * erase_block as u64).is_none_or(|end| end > size) {
            return place(format!("the device has {size} bytes"));
        }
        Ok(MtdMedium { flash, offset })
    }

    /// The chip.
    pub fn flash(&self) -> &F {
        &self.flash
    }

    /// The chip, to be changed behind the medium's back.
    pub fn flash_mut(&mut self) -> &mut F {
        &mut self.flash
    }

    fn start(&self, slot: Slot) -> u64 {
        self.offset + (slot.index() * self.flash.geometry().erase_block) as u64
    }
}

impl<F: Flash> Medium for MtdMedium<F> {
    fn slot_len(&self) -> usize {
        self.flash.geometry().erase_block
    }

    fn read(&mut self, slot: Slot, buffer: &mut [u8]) -> io::Result<()> {
        self.flash.read(self.start(slot), buffer)
    }

    fn write(&mut self, slot: Slot, bytes: &[u8]) -> io::Result<()> {
        let mut bytes = bytes.to_vec();
        bytes.resize(bytes.len().next_multiple_of(self.flash.geometry().write_unit.max(1)), 0xff);
        self.flash.erase(self.start(slot))?;
        self.flash.program(self.start(slot), &bytes)
    }

    fn blank(&mut self, slot: Slot) -> io::Result<()> {
        self.flash.erase(self.start(slot))
    }

    /// The driver returns when the chip is done.
    fn sync(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A chip behind `/dev/mtdN`.
#[derive(Debug)]
pub struct MtdDevice {
    file: File,
    geometry: Geometry,
}

impl MtdDevice {
    /// Opens the device.
    pub fn open(path: &Path, access: Access) -> Result<MtdDevice, OpenError> {
        let file = open_locked(path, access, OFlags::empty())?;
        let info = sys::mtd_info(&file).map_err(|reason| OpenError::Kind { expected: "an MTD device", reason })?;
        let geometry = Geometry {
            size: info.size.into(),
            erase_block: info.erase_size as usize,
            write_unit: info.write_size as usize,
        };
        Ok(MtdDevice { file, geometry })
    }
}

impl Flash for MtdDevice {
    fn geometry(&self) -> Geometry {
        self.geometry
    }

    fn read(&mut self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        self.file.read_exact_at(buffer, offset)
    }

    fn erase(&mut self, offset: u64) -> io::Result<()> {
        if sys::mtd_is_bad(&self.file, offset)? {
            return Err(io::Error::other(format!(
                "the erase block at {offset} is bad; name other ones, as `mtd:DEVICE@OFFSET`"
            )));
        }
        sys::mtd_erase(&self.file, offset, self.geometry.erase_block)
    }

    fn program(&mut self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all_at(bytes, offset)
    }
}
