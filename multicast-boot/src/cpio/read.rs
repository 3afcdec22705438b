//! Reading the entries of an archive in the `newc` format.

use super::{DIRECTORY, TRAILER};
use std::ops::Range;

/// Bytes of a header.
pub(crate) const HEADER: usize = 110;

/// What archives start with: without and with checksums.
pub(crate) const MAGICS: [&[u8]; 2] = [b"070701", b"070702"];

/// The bits of a mode that say what an entry is.
const KIND: usize = 0o170_000;

/// An entry of an archive.
pub(crate) struct Entry<'a> {
    pub(crate) header: &'a [u8],
    /// With its closing zeros.
    pub(crate) name: &'a [u8],
    pub(crate) data: &'a [u8],
    /// Where the next one starts.
    pub(crate) next: usize,
}

/// The fields of a header that matter here.
pub(crate) mod field {
    pub(crate) const INODE: usize = 0;
    pub(crate) const MODE: usize = 1;
    pub(crate) const LINKS: usize = 4;
    pub(crate) const SIZE: usize = 6;
    pub(crate) const NAME_SIZE: usize = 11;
}

fn place(field: usize) -> Range<usize> {
    6 + 8 * field..14 + 8 * field
}

/// A number of a header; `None` if it is none.
pub(crate) fn number(header: &[u8], field: usize) -> Option<usize> {
    let digits = std::str::from_utf8(&header[place(field)]).ok()?;
    digits.bytes().all(|byte| byte.is_ascii_hexdigit()).then(|| usize::from_str_radix(digits, 16).ok()).flatten()
}

pub(crate) fn entry(archive: &[u8], at: usize) -> Option<Entry<'_>> {
    let header = archive.get(at..at + HEADER).filter(|header| MAGICS.contains(&&header[..6]))?;
    let (name_len, len) = (number(header, field::NAME_SIZE)?, number(header, field::SIZE)?);
    let name = archive.get(at + HEADER..)?.get(..name_len).filter(|name| name.last() == Some(&0))?;
    let start = (at + HEADER + name_len).next_multiple_of(4);
    let data = archive.get(start..)?.get(..len)?;
    Some(Entry { header, name, data, next: (start + len).next_multiple_of(4) })
}

impl Entry<'_> {
    /// A number of its header.
    pub(crate) fn number(&self, field: usize) -> Option<usize> {
        number(self.header, field)
    }

    /// The name without its zeros.
    pub(crate) fn plain_name(&self) -> &[u8] {
        self.name.split(|&byte| byte == 0).next().unwrap_or_default()
    }

    /// True for the end of an archive.
    pub(crate) fn is_trailer(&self) -> bool {
        self.plain_name() == TRAILER.as_bytes()
    }

    /// True for one of the names of a file that has several: their inode number ties them together. A directory's links are
    /// those from its own directories.
    pub(crate) fn is_hard_link(&self) -> bool {
        let is_directory = self.number(field::MODE).is_some_and(|mode| mode & KIND == DIRECTORY as usize);
        !is_directory && self.number(field::LINKS).is_some_and(|links| links > 1)
    }
}

/// Changes a number of a header.
pub(crate) fn set(header: &mut [u8], field: usize, value: usize) {
    header[place(field)].copy_from_slice(format!("{value:08X}").as_bytes());
}
