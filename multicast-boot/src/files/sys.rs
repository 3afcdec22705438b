//! Memory that is a file.

use memmap2::MmapMut;
use std::fs::File;
use std::io;

/// Maps a whole file.
pub(super) fn map(file: &File) -> io::Result<MmapMut> {
    // SAFETY: the mapping is only used as plain bytes, for which any value is valid, and everything in it is verified
    // before it is believed. The file's name is this process's own; nobody else truncates it.
    unsafe { MmapMut::map_mut(file) }
}
