//! The lists of a payload's tree in a file: appended as they come, read by the next start.
//!
//! ```text
//! 0      1             5        7
//! | kind | number, LE  | length | the list's bytes …   and so on
//! ```
//!
//! Kind 0 is a piece of the top list, kind 1 a page. What follows a record that is cut off is not read. Nothing here is
//! believed: every list is verified like one that came by the fabric.

use crate::image::Part;
use bytes::{Buf, Bytes};
use std::fs::File;
use std::io::{self, Read, Seek, Write};
use std::path::Path;

/// No list is longer.
const LONGEST: usize = 1 << 13;

/// The file, and what it held when it was opened.
pub(super) struct ListFile {
    file: File,
}

impl ListFile {
    /// Opens the file, or makes it; and the lists that are in it.
    pub(super) fn open(path: &Path) -> io::Result<(ListFile, Vec<(Part, Bytes)>)> {
        let mut file = File::options().read(true).write(true).create(true).truncate(false).open(path)?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        let all = Bytes::from(bytes);
        let (lists, whole) = parse(&all);
        // What was cut off is overwritten.
        file.set_len(whole)?;
        file.seek(io::SeekFrom::Start(whole))?;
        Ok((ListFile { file }, lists))
    }

    /// Appends a list.
    pub(super) fn append(&mut self, part: Part, bytes: &[u8]) -> io::Result<()> {
        let (kind, number) = match part {
            Part::Top(piece) => (0, piece),
            Part::Page(page) => (1, page),
            Part::Chunk(_) => return Ok(()),
        };
        let mut record = vec![kind];
        record.extend(number.to_le_bytes());
        record.extend((bytes.len() as u16).to_le_bytes());
        record.extend(bytes);
        self.file.write_all(&record)
    }
}

/// The whole lists at the start, and how many bytes they take up.
fn parse(all: &Bytes) -> (Vec<(Part, Bytes)>, u64) {
    let (mut rest, mut lists) = (all.clone(), Vec::new());
    while rest.len() >= 7 {
        let mut head = rest.clone();
        let (kind, number, len) = (head.get_u8(), head.get_u32_le(), usize::from(head.get_u16_le()));
        let part = match kind {
            0 => Part::Top(number),
            1 => Part::Page(number),
            _ => break,
        };
        if len > LONGEST || head.len() < len {
            break;
        }
        lists.push((part, head.split_to(len)));
        rest = head;
    }
    (lists, (all.len() - rest.len()) as u64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn lists_are_read_back_and_a_cut_record_is_overwritten() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("lists");
        let lists = [(Part::Top(0), vec![1; 64]), (Part::Page(7), vec![2; 4096]), (Part::Page(8), vec![3; 32])];
        let (mut file, found) = ListFile::open(&path).unwrap();
        assert!(found.is_empty());
        lists.iter().for_each(|(part, bytes)| file.append(*part, bytes).unwrap());
        let len = std::fs::metadata(&path).unwrap().len();
        File::options().write(true).open(&path).unwrap().set_len(len - 1).unwrap();
        let (mut file, found) = ListFile::open(&path).unwrap();
        let expected = |n: usize| lists[..n].iter().map(|(p, b)| (*p, Bytes::from(b.clone()))).collect::<Vec<_>>();
        assert_eq!(found, expected(2));
        file.append(Part::Page(8), &[3; 32]).unwrap();
        assert_eq!(ListFile::open(&path).unwrap().1, expected(3));
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let all = Bytes::from(bytes);
            let (_, whole) = parse(&all);
            prop_assert!(whole <= all.len() as u64);
        }
    }
}
