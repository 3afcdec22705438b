//! Puts the files of an initramfs at multiples of a chunk, so that a file that did not change has the same chunks in
//! the next image, wherever it has moved.
//!
//! The archive says the same to the kernel: a header's name may be followed by any number of zeros, which count as part of the name,
//! up to the longest path. Inode numbers, which only tie hard links together, are set to 0 elsewhere; otherwise one new file would
//! change the headers of all that follow.

use super::CHUNK;
use std::ops::Range;

const HEADER: usize = 110;
const MAGICS: [&[u8]; 2] = [b"070701", b"070702"];
const TRAILER: &[u8] = b"TRAILER!!!\0";

/// The longest name that the kernel takes, with its zeros.
const MAX_NAME: usize = 4096;

/// Smaller files stay where they fall: aligning them would cost more than it saves.
const MIN_FILE: usize = 4 * CHUNK;

/// Why an initramfs cannot be aligned. It can still be packed as it is.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AlignError {
    /// It is compressed, or another format.
    #[error("it is no uncompressed `newc` archive (it starts with {0:02x?}): unpack it, or pack it without alignment")]
    Format(Vec<u8>),
    /// An entry is damaged or cut short.
    #[error("the entry at byte {0} is damaged or cut short")]
    Entry(usize),
}

/// An entry of an archive.
struct Entry<'a> {
    header: &'a [u8],
    name: &'a [u8],
    data: &'a [u8],
    /// Where the next one starts.
    next: usize,
}

/// The fields of a header that matter here.
mod field {
    pub(super) const INODE: usize = 0;
    pub(super) const LINKS: usize = 4;
    pub(super) const SIZE: usize = 6;
    pub(super) const NAME_SIZE: usize = 11;
}

fn place(field: usize) -> Range<usize> {
    6 + 8 * field..14 + 8 * field
}

/// A number of a header; `None` if it is none.
fn number(header: &[u8], field: usize) -> Option<usize> {
    let digits = std::str::from_utf8(&header[place(field)]).ok()?;
    digits.bytes().all(|byte| byte.is_ascii_hexdigit()).then(|| usize::from_str_radix(digits, 16).ok()).flatten()
}

fn entry(archive: &[u8], at: usize) -> Option<Entry<'_>> {
    let header = archive.get(at..at + HEADER).filter(|header| MAGICS.contains(&&header[..6]))?;
    let (name_len, len) = (number(header, field::NAME_SIZE)?, number(header, field::SIZE)?);
    let name = archive.get(at + HEADER..)?.get(..name_len).filter(|name| name.last() == Some(&0))?;
    let start = (at + HEADER + name_len).next_multiple_of(4);
    let data = archive.get(start..)?.get(..len)?;
    Some(Entry { header, name, data, next: (start + len).next_multiple_of(4) })
}

/// The same archive with its larger files at multiples of a chunk. What follows its end (a further archive, compressed or
/// not) is kept as it is.
pub fn align(archive: &[u8]) -> Result<Vec<u8>, AlignError> {
    if !MAGICS.iter().any(|magic| archive.starts_with(magic)) {
        return Err(AlignError::Format(archive[..archive.len().min(6)].to_vec()));
    }
    let mut out = Vec::with_capacity(archive.len() + archive.len() / 8);
    let mut at = 0;
    loop {
        let entry = entry(archive, at).ok_or(AlignError::Entry(at))?;
        put(&mut out, &entry);
        at = entry.next;
        if entry.name == TRAILER {
            break;
        }
    }
    let rest = archive.get(at..).unwrap_or_default();
    let zeros = rest.iter().take_while(|&&byte| byte == 0).count();
    if zeros < rest.len() {
        // Zeros between archives mean nothing.
        out.resize(out.len().next_multiple_of(CHUNK), 0);
        out.extend_from_slice(&rest[zeros..]);
    }
    Ok(out)
}

fn put(out: &mut Vec<u8>, entry: &Entry<'_>) {
    let start = out.len();
    out.extend_from_slice(entry.header);
    if number(entry.header, field::LINKS).is_some_and(|links| links < 2) {
        set(&mut out[start..], field::INODE, 0);
    }
    let name_end = entry.name.iter().rposition(|&byte| byte != 0).map_or(0, |last| last + 1);
    out.extend_from_slice(&entry.name[..name_end]);
    out.push(0);
    let aligned = out.len().next_multiple_of(CHUNK);
    let name_len = aligned - start - HEADER;
    if entry.data.len() >= MIN_FILE && name_len <= MAX_NAME {
        out.resize(aligned, 0);
    }
    let name_len = out.len() - start - HEADER;
    set(&mut out[start..], field::NAME_SIZE, name_len);
    out.resize(out.len().next_multiple_of(4), 0);
    out.extend_from_slice(entry.data);
    out.resize(out.len().next_multiple_of(4), 0);
}

fn set(header: &mut [u8], field: usize, value: usize) {
    header[place(field)].copy_from_slice(format!("{value:08X}").as_bytes());
}

#[cfg(test)]
#[path = "align_tests.rs"]
mod tests;
