//! Files that appear whole or not at all.
//!
//! The bytes go to a file without a name, which vanishes by itself if the process is stopped or killed, and get their
//! name when all of them are on the disk. Where the file system has no nameless files, they go to a temporary file
//! beside the target.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// Writes a file of these bytes (the parts one after the other). One that is there is replaced, and stays as it was if
/// anything fails. What is not a regular file, as a pipe or a device, is written to directly.
pub fn replace(path: &Path, parts: &[&[u8]]) -> io::Result<()> {
    replace_with(path, |file| write_parts(file, parts))
}

/// As [`replace`], of what `write` writes: for contents too large to be held. It is called once.
pub fn replace_with(path: &Path, write: impl FnMut(&mut File) -> io::Result<()>) -> io::Result<()> {
    replace_by_mode(path, 0o666, write)
}

/// As [`replace`], and only its owner may read the file, whatever the one that is there allows.
pub fn replace_private(path: &Path, parts: &[&[u8]]) -> io::Result<()> {
    replace_by_mode(path, 0o600, |file| write_parts(file, parts))
}

fn replace_by_mode(path: &Path, mode: u32, mut write: impl FnMut(&mut File) -> io::Result<()>) -> io::Result<()> {
    if fs::metadata(path).is_ok_and(|target| !target.is_file()) {
        return write(&mut File::options().write(true).open(path)?);
    }
    // A symbolic link keeps pointing to the file that it names.
    let path = &fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    match nameless_with(path, mode, &mut write)? {
        Some(file) => give_name(&file, path).or_else(|error| match error.kind() {
            io::ErrorKind::AlreadyExists => give_name_of_another(&file, path),
            _ => Err(error),
        })?,
        None => drop(beside_with(path, mode, &mut write)?.persist(path)?),
    }
    sync_directory(path)
}

/// Finds out before the work whether [`replace`] could write there after it; nothing is left behind.
pub fn check_writable(path: &Path) -> io::Result<()> {
    match fs::metadata(path) {
        Ok(target) if target.is_dir() => return Err(io::ErrorKind::IsADirectory.into()),
        Ok(target) if !target.is_file() => return File::options().write(true).open(path).map(drop),
        _ => {}
    }
    match nameless(path, 0o600, &[])? {
        Some(_) => Ok(()),
        None => beside(path, 0o600, &[]).map(drop),
    }
}

/// Writes a new file of these bytes with this mode; fails with [`io::ErrorKind::AlreadyExists`] if there is one.
pub fn create_new(path: &Path, mode: u32, parts: &[&[u8]]) -> io::Result<()> {
    match nameless(path, mode, parts)? {
        Some(file) => give_name(&file, path)?,
        None => drop(beside(path, mode, parts)?.persist_noclobber(path)?),
    }
    sync_directory(path)
}

fn write_parts(file: &mut File, parts: &[&[u8]]) -> io::Result<()> {
    parts.iter().try_for_each(|part| file.write_all(part))
}

/// The directory that `path` is in.
fn directory(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

fn nameless(path: &Path, mode: u32, parts: &[&[u8]]) -> io::Result<Option<File>> {
    nameless_with(path, mode, |file| write_parts(file, parts))
}

/// Writes to a file that has no name yet; `None`, and nothing is written, if the file system cannot do this.
#[cfg(target_os = "linux")]
fn nameless_with(path: &Path, mode: u32, write: impl FnOnce(&mut File) -> io::Result<()>) -> io::Result<Option<File>> {
    use rustix::fs::{CWD, Mode, OFlags, openat};
    use rustix::io::Errno;
    if !Path::new("/proc/self/fd").exists() {
        return Ok(None); // without it the file could not be given a name
    }
    let flags = OFlags::TMPFILE | OFlags::WRONLY | OFlags::CLOEXEC;
    let mut file = match openat(CWD, directory(path), flags, Mode::from_raw_mode(mode)) {
        Ok(fd) => File::from(fd),
        Err(Errno::OPNOTSUPP | Errno::ISDIR | Errno::INVAL) => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    write(&mut file)?;
    file.sync_all()?;
    Ok(Some(file))
}

#[cfg(not(target_os = "linux"))]
fn nameless_with(_: &Path, _: u32, _: impl FnOnce(&mut File) -> io::Result<()>) -> io::Result<Option<File>> {
    Ok(None)
}

/// Gives a nameless file its name, if no other file has it.
#[cfg(target_os = "linux")]
fn give_name(file: &File, path: &Path) -> io::Result<()> {
    use rustix::fs::{AtFlags, CWD, linkat};
    use std::os::fd::AsRawFd;
    let open_file = format!("/proc/self/fd/{}", file.as_raw_fd());
    Ok(linkat(CWD, open_file, CWD, path, AtFlags::SYMLINK_FOLLOW)?)
}

#[cfg(not(target_os = "linux"))]
fn give_name(_: &File, _: &Path) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Gives a nameless file the name that another file has. Linux cannot do this in one step; the name in between exists
/// for the moment between two system calls.
fn give_name_of_another(file: &File, path: &Path) -> io::Result<()> {
    let mut name = std::ffi::OsString::from(".");
    name.push(path.file_name().ok_or(io::ErrorKind::InvalidInput)?);
    name.push(format!(".{}", std::process::id()));
    let between: PathBuf = directory(path).join(name);
    give_name(file, &between)?;
    fs::rename(&between, path).inspect_err(|_| drop(fs::remove_file(&between)))
}

fn beside(path: &Path, mode: u32, parts: &[&[u8]]) -> io::Result<tempfile::NamedTempFile> {
    beside_with(path, mode, |file| write_parts(file, parts))
}

/// Writes to a temporary file in the same directory.
fn beside_with(
    path: &Path,
    mode: u32,
    write: impl FnOnce(&mut File) -> io::Result<()>,
) -> io::Result<tempfile::NamedTempFile> {
    let mut builder = tempfile::Builder::new();
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(mode));
    #[cfg(not(unix))]
    let _ = mode;
    let mut file = builder.prefix(".").tempfile_in(directory(path))?;
    write(file.as_file_mut())?;
    file.as_file().sync_all()?;
    Ok(file)
}

/// Makes a new name in a directory survive a power cut.
fn sync_directory(path: &Path) -> io::Result<()> {
    File::open(directory(path))?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::{MetadataExt, symlink};

    /// The names in a directory, to see that nothing is left behind.
    fn names(directory: &Path) -> Vec<String> {
        let mut names: Vec<String> =
            fs::read_dir(directory).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn a_file_is_created_once_and_replaced_often() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("key");
        create_new(&path, 0o600, &[b"one ", b"two"]).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"one two");
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
        let error = create_new(&path, 0o600, &[b"x"]).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::AlreadyExists);
        replace(&path, &[b"three"]).unwrap();
        replace(&path, &[b"four"]).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"four");
        assert_eq!(names(dir.path()), ["key"]);
    }

    #[test]
    fn what_others_could_read_is_private_once_it_is_replaced() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("f");
        replace_private(&path, &[b"one"]).unwrap();
        let mode = || fs::metadata(&path).unwrap().mode() & 0o777;
        assert_eq!(mode(), 0o600);
        fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o666)).unwrap();
        replace_private(&path, &[b"two"]).unwrap();
        assert_eq!((mode(), fs::read(&path).unwrap()), (0o600, b"two".to_vec()));
    }

    #[test]
    fn the_way_without_nameless_files_does_the_same() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("f");
        beside(&path, 0o600, &[b"a"]).unwrap().persist_noclobber(&path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
        assert!(beside(&path, 0o600, &[b"b"]).unwrap().persist_noclobber(&path).is_err());
        beside(&path, 0o600, &[b"c"]).unwrap().persist(&path).unwrap();
        assert_eq!((fs::read(&path).unwrap(), names(dir.path())), (b"c".to_vec(), vec!["f".to_owned()]));
    }

    #[test]
    fn a_program_that_is_killed_leaves_nothing() {
        let dir = tempfile::tempdir().unwrap();
        match nameless(&dir.path().join("f"), 0o600, &[b"half of it"]).unwrap() {
            Some(_) => assert!(names(dir.path()).is_empty()),
            None => println!("skipped: the file system has no nameless files"),
        }
    }

    #[test]
    fn a_link_keeps_pointing_and_a_device_stays_a_device() {
        let dir = tempfile::tempdir().unwrap();
        let (target, link) = (dir.path().join("target"), dir.path().join("link"));
        fs::write(&target, "old").unwrap();
        symlink("target", &link).unwrap();
        replace(&link, &[b"new"]).unwrap();
        assert_eq!(fs::read(&target).unwrap(), b"new");
        assert!(link.symlink_metadata().unwrap().is_symlink());
        replace(Path::new("/dev/null"), &[b"x"]).unwrap();
        assert!(!fs::metadata("/dev/null").unwrap().is_file());
    }

    #[test]
    fn a_failure_leaves_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let missing = dir.path().join("no/such/directory/f");
        assert_eq!(replace(&missing, &[b"x"]).unwrap_err().kind(), io::ErrorKind::NotFound);
        assert_eq!(check_writable(&missing).unwrap_err().kind(), io::ErrorKind::NotFound);
        let directory = dir.path().join("d");
        fs::create_dir(&directory).unwrap();
        assert!(replace(&directory, &[b"x"]).is_err());
        assert!(check_writable(&directory).is_err());
        check_writable(&dir.path().join("f")).unwrap();
        check_writable(Path::new("/dev/null")).unwrap();
        assert!(create_new(&directory, 0o600, &[b"x"]).is_err());
        assert_eq!(names(dir.path()), ["d"]);
    }
}
