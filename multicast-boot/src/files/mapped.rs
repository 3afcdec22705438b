//! A payload in a file that is mapped into memory, and the lists that verify it in a file beside it.

use super::sys;
use crate::image::CHUNK;
use memmap2::MmapMut;
use rustix::fs::{FallocateFlags, fallocate};
use std::fs::File;
use std::io::{self, Read};
use std::ops::Range;
use std::path::Path;

/// The payload of one image.
pub(super) struct MappedPayload {
    map: MmapMut,
    /// The file was there, with the right length: an earlier start of the node may have left parts of the payload.
    pub(super) was_there: bool,
}

impl MappedPayload {
    /// Opens the file, or makes it. Its room is reserved, so that writing to the memory cannot fail later.
    pub(super) fn open(path: &Path, len: u64) -> io::Result<MappedPayload> {
        let mut file = File::options().read(true).write(true).create(true).truncate(false).open(path)?;
        let was_there = file.metadata()?.len() == len;
        if !was_there {
            file.set_len(0)?;
        }
        match fallocate(&file, FallocateFlags::empty(), 0, len) {
            // A file system that cannot reserve room: the file is filled instead.
            Err(rustix::io::Errno::OPNOTSUPP) if was_there => {}
            Err(rustix::io::Errno::OPNOTSUPP) => drop(io::copy(&mut io::repeat(0).take(len), &mut file)?),
            reserved => reserved?,
        }
        Ok(MappedPayload { map: sys::map(&file)?, was_there })
    }

    /// The payload, as far as it is there.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.map
    }

    /// The payload, to write.
    pub(super) fn bytes_mut(&mut self) -> &mut [u8] {
        &mut self.map
    }

    /// Where a chunk is; `None` if the payload has no such chunk.
    pub(super) fn range(&self, index: u32) -> Option<Range<usize>> {
        let start = index as usize * CHUNK;
        (start < self.map.len()).then(|| start..(start + CHUNK).min(self.map.len()))
    }
}
