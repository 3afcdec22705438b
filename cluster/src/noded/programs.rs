//! The programs of a job, for hosts that have no files of their own: what they are made of, and the bytes on their way.

use super::wire::{Blob, Placed};
use std::collections::VecDeque;
use std::ffi::OsStr;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use twowire_multicast_boot::initramfs;

/// Bytes of a message on the way.
const PIECE: usize = 32 << 10;

/// Where the loader is told to look for libraries.
const LIBRARY_PATH: &str = "LD_LIBRARY_PATH";

/// All files that a job's programs need.
#[derive(Debug, Default)]
pub(super) struct Programs {
    files: Vec<(Placed, Arc<Vec<u8>>)>,
}

impl Programs {
    /// Reads the programs, the interpreter and the libraries that they need.
    pub(super) fn read(programs: &[PathBuf]) -> io::Result<Programs> {
        let more = std::env::var_os(LIBRARY_PATH).unwrap_or_default();
        let more: Vec<PathBuf> = std::env::split_paths(&more).filter(|path| path.is_absolute()).collect();
        let mut files: Vec<(Placed, Arc<Vec<u8>>)> = Vec::new();
        for program in programs {
            for path in initramfs::needs(&find(program)?, &more).map_err(io::Error::other)? {
                let placed = path.as_os_str().as_bytes().to_vec();
                if files.iter().all(|(other, _)| other.path != placed) {
                    let bytes = std::fs::read(&path)?;
                    let blob = Blob { hash: *blake3::hash(&bytes).as_bytes(), len: bytes.len() as u64 };
                    files.push((Placed { path: placed, blob }, Arc::new(bytes)));
                }
            }
        }
        Ok(Programs { files })
    }

    /// What the files hold.
    pub(super) fn blobs(&self) -> Vec<Blob> {
        self.files.iter().map(|(placed, _)| placed.blob).collect()
    }

    /// Where they go.
    pub(super) fn placed(&self) -> Vec<Placed> {
        self.files.iter().map(|(placed, _)| placed.clone()).collect()
    }

    /// The bytes of these files, in this order. Others than ours have none.
    pub(super) fn upload(&self, wanted: &[Blob]) -> Upload {
        let bytes = |blob: &Blob| {
            let file = self.files.iter().find(|(placed, _)| placed.blob == *blob);
            file.map(|(_, bytes)| Arc::clone(bytes))
        };
        Upload { files: wanted.iter().filter_map(bytes).filter(|bytes| !bytes.is_empty()).collect(), at: 0 }
    }
}

/// The absolute path of a program: one without a slash is looked for where the shell would.
fn find(program: &Path) -> io::Result<PathBuf> {
    if program.as_os_str().as_bytes().contains(&b'/') {
        return std::path::absolute(program);
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path).map(|folder| folder.join(program)).find(|path| path.is_file());
    let missing =
        || io::Error::new(io::ErrorKind::NotFound, format!("{}: no such program", OsStr::display(program.as_os_str())));
    found.ok_or_else(missing)
}

/// Bytes that one host lacks.
#[derive(Debug, Default)]
pub(super) struct Upload {
    files: VecDeque<Arc<Vec<u8>>>,
    at: usize,
}

impl Upload {
    /// The next piece; `None` when all has been sent.
    pub(super) fn next(&mut self) -> Option<Vec<u8>> {
        let file = self.files.front()?;
        let end = (self.at + PIECE).min(file.len());
        let piece = file[self.at..end].to_vec();
        self.at = end;
        if end == file.len() {
            self.files.pop_front();
            self.at = 0;
        }
        Some(piece)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_comes_with_its_libraries_and_their_bytes_in_the_order_that_is_asked_for() {
        let own = std::env::current_exe().unwrap();
        let programs = Programs::read(&[own.clone(), own.clone()]).unwrap();
        let paths: Vec<_> = programs.placed().iter().map(|placed| placed.path.clone()).collect();
        assert_eq!(paths[0], own.as_os_str().as_bytes());
        assert!(paths.iter().any(|path| path.ends_with(b"/libc.so.6")), "{paths:?}");
        assert!(paths.iter().any(|path| String::from_utf8_lossy(path).contains("/ld-linux")), "{paths:?}");
        let wanted: Vec<Blob> = programs.blobs().into_iter().rev().take(2).collect();
        let mut upload = programs.upload(&wanted);
        let sent: Vec<u8> = std::iter::from_fn(|| upload.next()).flatten().collect();
        assert_eq!(sent.len() as u64, wanted.iter().map(|blob| blob.len).sum::<u64>());
        let (first, second) = sent.split_at(wanted[0].len as usize);
        assert_eq!(
            [blake3::hash(first), blake3::hash(second)].map(|hash| *hash.as_bytes()),
            [wanted[0].hash, wanted[1].hash]
        );
    }

    #[test]
    fn a_program_without_a_slash_is_looked_for() {
        assert!(find(Path::new("sh")).unwrap().is_absolute());
        assert!(find(Path::new("no-such-program")).unwrap_err().to_string().contains("no-such-program"));
    }
}
