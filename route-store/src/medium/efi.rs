//! Two EFI variables, by efivarfs.
//!
//! The firmware replaces a variable as a whole, so a power cut leaves the old one or the new one. It keeps the old bytes
//! until it reclaims them at a later boot: a store that is written often fills up.

use super::{Access, Medium, OpenError, open_locked};
use crate::codec::MAX_RECORD;
use crate::slot::Slot;
use rustix::fs::{IFlags, OFlags, ioctl_getflags, ioctl_setflags};
use rustix::io::Errno;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// Where the kernel shows the variables.
pub const DIRECTORY: &str = "/sys/firmware/efi/efivars";

/// The name of the variables if nobody says otherwise; 0 and 1 follow.
pub const DEFAULT_NAME: &str = "TwowireRoute";

/// The GUID of Twowire's variables.
pub const VENDOR: &str = "7b2f5d0a-94c1-4e7e-a6f3-2c1d8e5b9f40";

/// Kept without power, seen by boot services and by the operating system.
const ATTRIBUTES: [u8; 4] = 7u32.to_le_bytes();

/// The variables of a firmware that hold the slots.
pub trait Variables {
    /// The data of the slot's variable; `None` if there is none.
    fn get(&mut self, slot: Slot) -> io::Result<Option<Vec<u8>>>;

    /// Replaces the slot's variable as a whole.
    fn set(&mut self, slot: Slot, data: &[u8]) -> io::Result<()>;

    /// Removes the slot's variable, if there is one.
    fn remove(&mut self, slot: Slot) -> io::Result<()>;
}

/// Two EFI variables, one for each slot.
#[derive(Clone, Debug)]
pub struct EfiMedium<V = EfivarFs> {
    variables: V,
}

impl<V: Variables> EfiMedium<V> {
    /// A medium on these variables.
    pub fn new(variables: V) -> EfiMedium<V> {
        EfiMedium { variables }
    }

    /// The variables.
    pub fn variables(&self) -> &V {
        &self.variables
    }

    /// The variables, to be changed behind the medium's back.
    pub fn variables_mut(&mut self) -> &mut V {
        &mut self.variables
    }
}

impl<V: Variables> Medium for EfiMedium<V> {
    fn slot_len(&self) -> usize {
        MAX_RECORD
    }

    fn read(&mut self, slot: Slot, buffer: &mut [u8]) -> io::Result<()> {
        let data = self.variables.get(slot)?.unwrap_or_default();
        let len = data.len().min(buffer.len());
        buffer[..len].copy_from_slice(&data[..len]);
        buffer[len..].fill(0);
        Ok(())
    }

    fn write(&mut self, slot: Slot, bytes: &[u8]) -> io::Result<()> {
        self.variables.set(slot, bytes).map_err(explain)
    }

    fn blank(&mut self, slot: Slot) -> io::Result<()> {
        self.variables.remove(slot)
    }

    /// A variable is kept when the firmware has returned.
    fn sync(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Says what to do when the firmware's store is full.
fn explain(error: io::Error) -> io::Error {
    if error.kind() != io::ErrorKind::StorageFull {
        return error;
    }
    io::Error::new(
        error.kind(),
        "the firmware's store of variables is full; most firmware reclaims what was overwritten when the machine boots: \
         reboot it, or remove variables that are not needed",
    )
}

/// The variables as files of efivarfs.
#[derive(Debug)]
pub struct EfivarFs {
    files: [PathBuf; 2],
    /// Kept for its lock.
    _directory: File,
}

impl EfivarFs {
    /// The variables `name`0 and `name`1 in `directory`.
    pub fn open(directory: &Path, name: &str, access: Access) -> Result<EfivarFs, OpenError> {
        let lock = open_locked(directory, Access::Read, OFlags::DIRECTORY)?;
        if access == Access::Write {
            lock.lock()?;
        }
        let files = Slot::BOTH.map(|slot| directory.join(format!("{name}{}-{VENDOR}", slot.index())));
        Ok(EfivarFs { files, _directory: lock })
    }

    fn file(&self, slot: Slot) -> &Path {
        &self.files[slot.index()]
    }
}

impl Variables for EfivarFs {
    fn get(&mut self, slot: Slot) -> io::Result<Option<Vec<u8>>> {
        match fs::read(self.file(slot)) {
            // A file without attributes is a variable that was never written.
            Ok(bytes) => Ok(bytes.get(ATTRIBUTES.len()..).map(<[u8]>::to_vec)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn set(&mut self, slot: Slot, data: &[u8]) -> io::Result<()> {
        let path = self.file(slot);
        let protected = clear_immutable(path)?;
        let is_new = protected.is_none();
        let mut file = File::options().write(true).create(true).truncate(false).open(path)?;
        // One system call is one call of the firmware.
        let bytes = [&ATTRIBUTES, data].concat();
        let written = match file.write(&bytes) {
            Ok(len) if len == bytes.len() => Ok(()),
            Ok(len) => Err(io::Error::other(format!("{len} of {} bytes were taken", bytes.len()))),
            Err(error) => Err(error),
        };
        match (&written, protected) {
            (Err(_), _) if is_new => drop(fs::remove_file(path)),
            (_, Some(flags)) if flags.contains(IFlags::IMMUTABLE) => ioctl_setflags(&file, flags)?,
            _ => {}
        }
        written
    }

    fn remove(&mut self, slot: Slot) -> io::Result<()> {
        let path = self.file(slot);
        match clear_immutable(path)? {
            Some(_) => fs::remove_file(path),
            None => Ok(()),
        }
    }
}

/// Lets a variable be changed: the kernel protects those that it does not know. Returns the flags that it had; `None`
/// if there is no such variable.
fn clear_immutable(path: &Path) -> io::Result<Option<IFlags>> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    match ioctl_getflags(&file) {
        Ok(flags) if flags.contains(IFlags::IMMUTABLE) => {
            ioctl_setflags(&file, flags - IFlags::IMMUTABLE)?;
            Ok(Some(flags))
        }
        Ok(flags) => Ok(Some(flags)),
        Err(Errno::NOTTY | Errno::OPNOTSUPP) => Ok(Some(IFlags::empty())),
        Err(error) => Err(error.into()),
    }
}
