//! Programs that came over the fabric: each file once, by the hash of its bytes, and links to it at the paths where jobs want it.
//!
//! ```text
//! FOLDER/HASH        a whole file, verified
//! FOLDER/part-N      one that is still coming; nothing in it is believed
//! ```

use super::wire::{Blob, Placed};
use std::collections::VecDeque;
use std::ffi::OsStr;
use std::fs::{self, File, Permissions};
use std::io::{self, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// Everybody may read and run it.
const MODE: u32 = 0o755;

/// Where the files are.
#[derive(Debug)]
pub struct Store {
    folder: PathBuf,
    begun: u64,
}

impl Store {
    /// A store in a folder, which is made if it is not there. Files that it has already are found again.
    pub fn open(folder: &Path) -> io::Result<Store> {
        fs::create_dir_all(folder)?;
        Ok(Store { folder: folder.to_owned(), begun: 0 })
    }

    fn file(&self, blob: &Blob) -> PathBuf {
        self.folder.join(blake3::Hash::from_bytes(blob.hash).to_hex().as_str())
    }

    /// Those of these files that are not here, each once.
    pub fn lacking(&self, wanted: &[Blob]) -> Vec<Blob> {
        let mut lacking: Vec<Blob> = Vec::new();
        for blob in wanted.iter().filter(|blob| !self.file(blob).exists()) {
            if !lacking.contains(blob) {
                lacking.push(*blob);
            }
        }
        lacking
    }

    /// Takes these files, which come one after the other.
    pub fn receive(&mut self, blobs: Vec<Blob>) -> Incoming {
        self.begun += 1;
        let part = self.folder.join(format!("part-{}", self.begun));
        Incoming { left: blobs.into(), open: None, part }
    }

    /// The next bytes of what comes. An error names what is wrong with them.
    pub fn take(&self, incoming: &mut Incoming, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            let blob =
                *incoming.left.front().ok_or_else(|| io::Error::other("bytes of a file that nobody asked for"))?;
            let open = match &mut incoming.open {
                Some(open) => open,
                none => none.insert(Open {
                    file: File::create(&incoming.part)?,
                    hasher: blake3::Hasher::new(),
                    left: blob.len,
                }),
            };
            let now = bytes.len().min(usize::try_from(open.left).unwrap_or(usize::MAX));
            let (piece, rest) = bytes.split_at(now);
            open.file.write_all(piece)?;
            open.hasher.update(piece);
            (open.left, bytes) = (open.left - now as u64, rest);
            if open.left == 0 {
                self.finish(incoming, &blob)?;
            }
        }
        Ok(())
    }

    fn finish(&self, incoming: &mut Incoming, blob: &Blob) -> io::Result<()> {
        let Some(open) = incoming.open.take() else { return Ok(()) };
        incoming.left.pop_front();
        let hash = open.hasher.finalize();
        if *hash.as_bytes() != blob.hash {
            return Err(io::Error::other(format!(
                "a file came with the hash {hash}, and not the one that was announced"
            )));
        }
        open.file.set_permissions(Permissions::from_mode(MODE))?;
        fs::rename(&incoming.part, self.file(blob))
    }

    /// Puts a file where a job wants it. What was there goes on for those who have it open.
    pub fn place(&self, placed: &Placed) -> io::Result<()> {
        let path = Path::new(OsStr::from_bytes(&placed.path));
        let wrong = || io::Error::other(format!("{}: expected an absolute path of a file", path.display()));
        let (folder, name) = path.parent().zip(path.file_name()).filter(|_| path.is_absolute()).ok_or_else(wrong)?;
        fs::create_dir_all(folder)?;
        let mut beside = OsStr::new(".").to_owned();
        beside.push(name);
        let beside = folder.join(beside);
        // An earlier attempt that was killed may have left it.
        let _ = fs::remove_file(&beside);
        fs::hard_link(self.file(&placed.blob), &beside)?;
        fs::rename(&beside, path)?;
        // Two names of one file are not renamed over one another: then this one stays.
        let _ = fs::remove_file(&beside);
        Ok(())
    }
}

/// Files that are coming.
#[derive(Debug)]
pub struct Incoming {
    left: VecDeque<Blob>,
    open: Option<Open>,
    part: PathBuf,
}

/// The first of them.
#[derive(Debug)]
struct Open {
    file: File,
    hasher: blake3::Hasher,
    left: u64,
}

impl Incoming {
    /// True once all have come.
    pub fn is_done(&self) -> bool {
        self.left.is_empty()
    }
}

impl Drop for Incoming {
    fn drop(&mut self) {
        // What has not come whole is of no use to anybody.
        let _ = fs::remove_file(&self.part);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn blob(bytes: &[u8]) -> Blob {
        Blob { hash: *blake3::hash(bytes).as_bytes(), len: bytes.len() as u64 }
    }

    fn names(folder: &Path) -> usize {
        fs::read_dir(folder).unwrap().count()
    }

    #[test]
    fn files_come_once_and_are_placed_where_they_are_wanted() {
        let dir = tempfile::tempdir().unwrap();
        let mut store = Store::open(&dir.path().join("store")).unwrap();
        let (one, two) = (vec![1; 1000], vec![2; 500]);
        let wanted = [blob(&one), blob(&two), blob(&one)];
        let lacking = store.lacking(&wanted);
        assert_eq!(lacking, [blob(&one), blob(&two)]);
        let mut incoming = store.receive(lacking);
        for piece in [&one[..], &two].concat().chunks(700) {
            assert!(!incoming.is_done());
            store.take(&mut incoming, piece).unwrap();
        }
        assert!(incoming.is_done());
        assert!(store.take(&mut incoming, &[0]).unwrap_err().to_string().contains("nobody asked for"));
        let again = Store::open(&dir.path().join("store")).unwrap();
        assert_eq!(again.lacking(&wanted), []);
        let path = dir.path().join("lib/deep/one");
        for (bytes, blob) in [(&one, blob(&one)), (&one, blob(&one)), (&two, blob(&two))] {
            again.place(&Placed { path: path.as_os_str().as_bytes().to_vec(), blob }).unwrap();
            assert_eq!(&fs::read(&path).unwrap(), bytes);
        }
        assert_eq!(names(&dir.path().join("lib/deep")), 1);
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, MODE);
        for path in ["relative", "/", ""] {
            assert!(again.place(&Placed { path: path.into(), blob: blob(&one) }).is_err(), "{path}");
        }
    }

    #[test]
    fn a_file_with_other_bytes_than_were_announced_is_not_kept() {
        let dir = tempfile::tempdir().unwrap();
        let mut store = Store::open(dir.path()).unwrap();
        let mut incoming = store.receive(vec![blob(b"good")]);
        let error = store.take(&mut incoming, b"evil").unwrap_err().to_string();
        assert!(error.contains("announced"), "{error}");
        drop(incoming);
        let mut cut_off = store.receive(vec![blob(b"good")]);
        store.take(&mut cut_off, b"go").unwrap();
        drop(cut_off);
        assert_eq!((store.lacking(&[blob(b"good")]).len(), names(dir.path())), (1, 0));
    }
}
