//! Puts the files of an initramfs at multiples of a chunk, so that a file that did not change has the same chunks in
//! the next image, wherever it has moved.
//!
//! The archive says the same to the kernel: a header's name may be followed by any number of zeros, which count as part of the name,
//! up to the longest path. Inode numbers, which only tie hard links together, are set to 0 elsewhere; otherwise one new file would
//! change the headers of all that follow.

use super::CHUNK;
use crate::cpio::read::{Entry, HEADER, MAGICS, entry, field, set};

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
        if entry.is_trailer() {
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
    if !entry.is_hard_link() {
        set(&mut out[start..], field::INODE, 0);
    }
    out.extend_from_slice(entry.plain_name());
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

#[cfg(test)]
#[path = "align_tests.rs"]
mod tests;
