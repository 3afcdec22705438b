//! Where records are kept: media of two slots each. The page is `docs/nvram.md`.
//!
//! | module | medium |
//! |---|---|
//! | [`memory`] | memory: the NVRAM of a simulated node |
//! | [`mod@file`] | a file |
//! | [`nvram`] | a window of a PC's CMOS memory, `/dev/nvram` |
//! | [`efi`] | two EFI variables |
//! | [`mtd`] | two erase blocks of a flash chip |
//! | [`block`] | two sectors of a block device |
//! | [`mapped`] | mapped bytes: a PCI card's memory, persistent memory |
//! | [`device`] | how a medium is named on a command line |

pub mod block;
pub mod device;
pub mod efi;
pub mod file;
pub mod mapped;
pub mod memory;
pub mod mtd;
pub mod nvram;
#[allow(unsafe_code)]
mod sys;

use crate::slot::Slot;
use std::fs::File;
use std::io;
use std::path::Path;

/// Two slots that can be written, and stay when the power goes.
///
/// A write may be torn by a power cut, in any order of its bytes, but only in its own slot; what was written before a
/// [`Medium::sync`] that returned is kept.
pub trait Medium {
    /// Bytes of a slot: what [`Medium::read`] can give. Not all of a longer slot is room for a record.
    fn slot_len(&self) -> usize;

    /// Fills `buffer`, which is no longer than a slot, with the slot's first bytes.
    fn read(&mut self, slot: Slot, buffer: &mut [u8]) -> io::Result<()>;

    /// Makes the slot start with these bytes. What follows them keeps its value or becomes blank.
    fn write(&mut self, slot: Slot, bytes: &[u8]) -> io::Result<()>;

    /// Makes all of a slot blank: bytes that are all 0x00, or all 0xff.
    fn blank(&mut self, slot: Slot) -> io::Result<()> {
        self.write(slot, &vec![0; self.slot_len()])
    }

    /// Returns when everything that was written is kept.
    fn sync(&mut self) -> io::Result<()>;
}

macro_rules! forward_medium {
    ($($type:ty),*) => {$(
        impl<M: Medium + ?Sized> Medium for $type {
            fn slot_len(&self) -> usize {
                (**self).slot_len()
            }

            fn read(&mut self, slot: Slot, buffer: &mut [u8]) -> io::Result<()> {
                (**self).read(slot, buffer)
            }

            fn write(&mut self, slot: Slot, bytes: &[u8]) -> io::Result<()> {
                (**self).write(slot, bytes)
            }

            fn blank(&mut self, slot: Slot) -> io::Result<()> {
                (**self).blank(slot)
            }

            fn sync(&mut self) -> io::Result<()> {
                (**self).sync()
            }
        }
    )*};
}

forward_medium!(&mut M, Box<M>);

/// What a medium is opened for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// To look at its record.
    Read,
    /// To look at it and change it.
    Write,
}

/// Why a medium cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The operating system refuses.
    #[error("cannot be opened: {0}")]
    Io(#[from] io::Error),
    /// It is something else.
    #[error("is not {expected}: {reason}")]
    Kind {
        /// What was expected.
        expected: &'static str,
        /// How that shows.
        reason: io::Error,
    },
    /// The slots do not fit where they were to be.
    #[error("two slots of {slot} bytes from offset {offset} on do not fit: {why}")]
    Place {
        /// Bytes of a slot.
        slot: usize,
        /// Where the first one was to start.
        offset: u64,
        /// What is in the way.
        why: String,
    },
}

/// Opens and locks a file or device. While it is open for writing no other program can open it with this crate, and
/// none can open it for writing while it is open for reading: opening waits.
fn open_locked(path: &Path, access: Access, flags: rustix::fs::OFlags) -> io::Result<File> {
    use std::os::unix::fs::OpenOptionsExt;
    let mut options = File::options();
    let file = options.read(true).write(access == Access::Write).custom_flags(flags.bits() as i32).open(path)?;
    match access {
        Access::Read => file.lock_shared()?,
        Access::Write => file.lock()?,
    }
    Ok(file)
}
