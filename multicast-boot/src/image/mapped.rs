//! A file's bytes, without a copy of them.
#![allow(unsafe_code)]

use bytes::Bytes;
use memmap2::Mmap;
use std::fs::File;
use std::io;

/// Maps a whole file. Pages are read as they are used; one that cannot be read ends the program.
pub(super) fn map(file: &File) -> io::Result<Bytes> {
    // SAFETY: images are replaced as a whole and never written in place (`atomic_file`), so the bytes stay what they are.
    let map = unsafe { Mmap::map(file)? };
    Ok(Bytes::from_owner(map))
}
