//! The payload of one image in a file.

use crate::image::CHUNK;
use rustix::fs::{FallocateFlags, fallocate, fstatfs};
use rustix::io::Errno;
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::FileExt;
use std::path::Path;

/// `TMPFS_MAGIC` of `linux/magic.h`: files in memory.
const TMPFS: u64 = 0x0102_1994;

/// A file of the payload's length.
pub(super) struct Payload {
    file: File,
    len: u64,
    /// The file was there, with the right length: an earlier start of the node may have left parts of the payload.
    pub(super) was_there: bool,
}

impl Payload {
    /// Opens the file, or makes it. Its room is reserved, or at least looked for, so that a full disk shows now and not in
    /// the middle.
    pub(super) fn open(path: &Path, len: u64) -> io::Result<Payload> {
        let file = File::options().read(true).write(true).create(true).truncate(false).open(path)?;
        let was_there = file.metadata()?.len() == len;
        if !was_there {
            file.set_len(0)?;
            reserve(&file, len)?;
        }
        Ok(Payload { file, len, was_there })
    }

    /// Puts chunks that follow one another in their place.
    pub(super) fn write(&self, first: u32, bytes: &[u8]) -> io::Result<()> {
        let start = u64::from(first) * CHUNK as u64;
        if start + bytes.len() as u64 > self.len {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        self.file.write_all_at(bytes, start)
    }

    /// What is in a chunk's place.
    pub(super) fn read(&self, index: u32) -> io::Result<Vec<u8>> {
        let start = u64::from(index) * CHUNK as u64;
        let len = self.len.saturating_sub(start).min(CHUNK as u64);
        let mut bytes = vec![0; len as usize];
        self.file.read_exact_at(&mut bytes, start)?;
        Ok(bytes)
    }
}

/// Reserves room for a file that holds nothing yet.
fn reserve(file: &File, len: u64) -> io::Result<()> {
    let system = fstatfs(file)?;
    if system.f_type as u64 == TMPFS {
        // There a reservation writes zeros to all pages, which takes as long as to write the payload.
        let free = system.f_bavail.saturating_mul(system.f_bsize as u64);
        return if len <= free { file.set_len(len) } else { Err(io::ErrorKind::StorageFull.into()) };
    }
    match fallocate(file, FallocateFlags::empty(), 0, len) {
        // A file system that cannot reserve room: the file is filled instead.
        Err(Errno::OPNOTSUPP) => io::copy(&mut io::repeat(0).take(len), &mut &*file).map(drop),
        reserved => Ok(reserved?),
    }
}
