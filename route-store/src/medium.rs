//! Where a record's bytes are kept.

use crate::atomic_file;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::Path;

/// Bytes that can be written in place and stay when the power goes.
///
/// A write may be torn by a power cut, in any order of its bytes; what was written before a [`Medium::sync`] that
/// returned is kept. Reads and writes stay inside the size.
pub trait Medium {
    /// Bytes of the medium. Each half is a slot.
    fn size(&self) -> usize;

    /// Fills `buffer` with the bytes from `offset` on.
    fn read(&mut self, offset: usize, buffer: &mut [u8]) -> io::Result<()>;

    /// Replaces the bytes from `offset` on.
    fn write(&mut self, offset: usize, bytes: &[u8]) -> io::Result<()>;

    /// Returns when everything that was written is kept.
    fn sync(&mut self) -> io::Result<()>;
}

impl<M: Medium + ?Sized> Medium for &mut M {
    fn size(&self) -> usize {
        (**self).size()
    }

    fn read(&mut self, offset: usize, buffer: &mut [u8]) -> io::Result<()> {
        (**self).read(offset, buffer)
    }

    fn write(&mut self, offset: usize, bytes: &[u8]) -> io::Result<()> {
        (**self).write(offset, bytes)
    }

    fn sync(&mut self) -> io::Result<()> {
        (**self).sync()
    }
}

/// A medium in memory: the NVRAM of a simulated node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemoryMedium {
    bytes: Vec<u8>,
    writes: u64,
}

impl MemoryMedium {
    /// A blank medium of `size` bytes.
    pub fn new(size: usize) -> MemoryMedium {
        MemoryMedium::from_bytes(vec![0; size])
    }

    /// A medium that holds these bytes.
    pub fn from_bytes(bytes: Vec<u8>) -> MemoryMedium {
        MemoryMedium { bytes, writes: 0 }
    }

    /// What it holds.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// How many times it was written to.
    pub fn writes(&self) -> u64 {
        self.writes
    }
}

impl Medium for MemoryMedium {
    fn size(&self) -> usize {
        self.bytes.len()
    }

    fn read(&mut self, offset: usize, buffer: &mut [u8]) -> io::Result<()> {
        buffer.copy_from_slice(&self.bytes[offset..offset + buffer.len()]);
        Ok(())
    }

    fn write(&mut self, offset: usize, bytes: &[u8]) -> io::Result<()> {
        self.writes += 1;
        self.bytes[offset..offset + bytes.len()].copy_from_slice(bytes);
        Ok(())
    }

    fn sync(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A file, or a device that reads and writes like one.
///
/// While it is open for writing no other program can open it with this type, and none can open it for writing while it
/// is open for reading: opening waits.
#[derive(Debug)]
pub struct FileMedium {
    file: File,
    size: usize,
}

impl FileMedium {
    /// The size of a new file: slots of 4,096 bytes share no sector and no page.
    pub const DEFAULT_SIZE: usize = 8192;

    /// Opens a file to read its record.
    pub fn open_read_only(path: &Path) -> io::Result<FileMedium> {
        let file = File::open(path)?;
        file.lock_shared()?;
        FileMedium::new(file)
    }

    /// Opens a file to read and write its record.
    pub fn open(path: &Path) -> io::Result<FileMedium> {
        let file = File::options().read(true).write(true).open(path)?;
        file.lock()?;
        FileMedium::new(file)
    }

    /// Creates a blank file; fails if there is one.
    pub fn create(path: &Path, size: usize) -> io::Result<()> {
        atomic_file::create_new(path, 0o644, &[&vec![0; size]])
    }

    fn new(mut file: File) -> io::Result<FileMedium> {
        // The end, and not the metadata: a block device has no length there.
        let size = file.seek(SeekFrom::End(0))?;
        let size = usize::try_from(size).map_err(|_| io::ErrorKind::FileTooLarge)?;
        Ok(FileMedium { file, size })
    }
}

impl Medium for FileMedium {
    fn size(&self) -> usize {
        self.size
    }

    fn read(&mut self, offset: usize, buffer: &mut [u8]) -> io::Result<()> {
        self.file.seek(SeekFrom::Start(offset as u64))?;
        self.file.read_exact(buffer)
    }

    fn write(&mut self, offset: usize, bytes: &[u8]) -> io::Result<()> {
        self.file.seek(SeekFrom::Start(offset as u64))?;
        self.file.write_all(bytes)
    }

    fn sync(&mut self) -> io::Result<()> {
        self.file.sync_all()
    }
}
