//! Twowire's own initramfs: programs of this machine, with the interpreter and the libraries that they need.
//!
//! It is what `twowire up` boots when it is given none, and it could really run: the kernel starts `/init`, a link to
//! one of the programs in `/bin`, and the dynamic loader finds each library where it was found here.

pub mod elf;
pub mod kernel;
pub mod modules;
pub mod phase1;
pub mod phase2;

use crate::cpio::{Archive, CpioError, DeviceKind};
use elf::{Elf, ElfError};
use std::fs;
use std::io;
use std::path::{Component, Path, PathBuf};

/// Where the dynamic loader looks when the program says nothing; `{}` is the processor's name.
const LIBRARY_DIRECTORIES: [&str; 8] = [
    "/lib/{}-linux-gnu",
    "/usr/lib/{}-linux-gnu",
    "/lib64",
    "/usr/lib64",
    "/lib",
    "/usr/lib",
    "/usr/local/lib/{}-linux-gnu",
    "/usr/local/lib",
];

/// Directories in which the kernel and the first program expect to mount something.
const MOUNT_POINTS: [(&str, u32); 5] =
    [("dev", 0o755), ("proc", 0o555), ("run", 0o755), ("sys", 0o555), ("tmp", 0o1777)];

/// Where the kernel and programs look for a shell.
const SHELL: &str = "bin/sh";

/// Why an initramfs could not be built.
#[derive(Debug, thiserror::Error)]
pub enum InitramfsError {
    /// A file cannot be read.
    #[error("cannot read {}: {source}", .path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A program is no ELF file of this kind of machine.
    #[error("{}: {source}", .path.display())]
    Elf {
        /// The file.
        path: PathBuf,
        /// Why.
        source: ElfError,
    },
    /// A program's path has no file name that can be a name in an archive.
    #[error("{} cannot be a program of an initramfs: it has no plain name", .0.display())]
    Name(PathBuf),
    /// A library is not on this machine.
    #[error("{} needs the library {library}, which this machine lacks: install it", .needed_by.display())]
    Missing {
        /// The library's name.
        library: String,
        /// Who needs it.
        needed_by: PathBuf,
    },
    /// Two files of the same name, or a path that an archive cannot hold.
    #[error(transparent)]
    Cpio(#[from] CpioError),
}

/// An initramfs in the making.
#[derive(Debug)]
pub struct Initramfs {
    archive: Archive,
    /// Programs and libraries whose needs are not yet looked at: where each came from, and where it is in the archive.
    pending: Vec<(PathBuf, String, Elf)>,
}

impl Initramfs {
    /// An initramfs with mount points and the first device nodes, whose `/init` is the program `init`.
    pub fn new(init: &Path) -> Result<Initramfs, InitramfsError> {
        let mut archive = Archive::new();
        for (path, mode) in MOUNT_POINTS {
            archive.directory(path, mode)?;
        }
        archive.device("dev/console", 0o600, DeviceKind::Character, 5, 1)?;
        archive.device("dev/null", 0o666, DeviceKind::Character, 1, 3)?;
        archive.symlink("init", &format!("bin/{}", file_name(init)?))?;
        let mut initramfs = Initramfs { archive, pending: Vec::new() };
        initramfs.program(init)?;
        Ok(initramfs)
    }

    /// Adds a program as `/bin/NAME`, with everything that it needs to run.
    pub fn program(&mut self, path: &Path) -> Result<(), InitramfsError> {
        let archive_path = format!("bin/{}", file_name(path)?);
        let elf = self.executable(path, &archive_path)?;
        if let Some(interpreter) = &elf.interpreter {
            self.once(Path::new(interpreter), interpreter)?;
        }
        self.pending.push((path.to_owned(), archive_path, elf));
        while let Some((path, archive_path, elf)) = self.pending.pop() {
            for library in &elf.needed {
                self.library(library, &path, &archive_path, &elf)?;
            }
        }
        Ok(())
    }

    /// Adds a program that is a shell, `busybox` for example, and the link `/bin/sh` to it: a kernel with `rdinit=/bin/sh` starts it in
    /// place of `/init`.
    pub fn shell(&mut self, path: &Path) -> Result<(), InitramfsError> {
        self.program(path)?;
        if !self.contains(SHELL) {
            self.archive.symlink(SHELL, file_name(path)?)?;
        }
        Ok(())
    }

    /// True if there is a file of that path.
    pub fn contains(&self, path: &str) -> bool {
        self.archive.contains(path)
    }

    /// Adds a file of these bytes.
    pub fn file(&mut self, path: &str, mode: u32, bytes: &[u8]) -> Result<(), InitramfsError> {
        Ok(self.archive.file(path, mode, bytes)?)
    }

    /// The archive's bytes: the same for the same calls and files.
    pub fn finish(self) -> Vec<u8> {
        self.archive.finish()
    }

    /// Adds an ELF file to the archive; returns what it needs.
    fn executable(&mut self, path: &Path, archive_path: &str) -> Result<Elf, InitramfsError> {
        let (bytes, elf) = read_elf(path)?;
        self.archive.file(archive_path, 0o755, &bytes)?;
        Ok(elf)
    }

    /// Adds an interpreter or library, if it is not there yet, and puts it on the list of those to look at.
    fn once(&mut self, path: &Path, archive_path: &str) -> Result<(), InitramfsError> {
        if !self.archive.contains(archive_path) {
            let elf = self.executable(path, archive_path)?;
            self.pending.push((path.to_owned(), archive_path.to_owned(), elf));
        }
        Ok(())
    }

    /// Adds a library that `elf` needs, where the loader will find it.
    fn library(&mut self, name: &str, path: &Path, archive_path: &str, elf: &Elf) -> Result<(), InitramfsError> {
        if name.contains('/') {
            return self.once(Path::new(name), name);
        }
        let origin = path.parent().unwrap_or(Path::new("/"));
        let archive_origin = Path::new("/").join(archive_path);
        let archive_origin = archive_origin.parent().unwrap_or(Path::new("/"));
        for (directory, archive_directory) in search_path(elf, origin, archive_origin) {
            let found = directory.join(name);
            if is_for(&found, elf.machine) {
                let archive_found = archive_directory.join(name);
                return self.once(&found, &archive_found.to_string_lossy());
            }
        }
        Err(InitramfsError::Missing { library: name.to_owned(), needed_by: path.to_owned() })
    }
}

/// The files that a program needs to run at its own path: itself, its interpreter, and its libraries with what they need. `more` are
/// folders that the loader is told of besides, as by `LD_LIBRARY_PATH`.
pub fn needs(program: &Path, more: &[PathBuf]) -> Result<Vec<PathBuf>, InitramfsError> {
    let mut found = vec![program.to_owned()];
    let mut next = 0;
    while let Some(path) = found.get(next).cloned() {
        next += 1;
        let elf = read_elf(&path)?.1;
        let interpreter = elf.interpreter.as_ref().map(PathBuf::from);
        let origin = path.parent().unwrap_or(Path::new("/"));
        let search: Vec<PathBuf> =
            more.iter().cloned().chain(search_path(&elf, origin, origin).into_iter().map(|(here, _)| here)).collect();
        let library = |name: &String| {
            let mut places = search.iter().map(|directory| directory.join(name));
            let place = if name.contains('/') { Some(name.into()) } else { places.find(|at| is_for(at, elf.machine)) };
            place.ok_or_else(|| InitramfsError::Missing { library: name.clone(), needed_by: path.clone() })
        };
        let libraries = elf.needed.iter().map(library).collect::<Result<Vec<PathBuf>, _>>()?;
        for file in interpreter.into_iter().chain(libraries) {
            if !found.contains(&file) {
                found.push(file);
            }
        }
    }
    Ok(found)
}

fn read_elf(path: &Path) -> Result<(Vec<u8>, Elf), InitramfsError> {
    let bytes = fs::read(path).map_err(|source| InitramfsError::Read { path: path.to_owned(), source })?;
    let elf = Elf::parse(&bytes).map_err(|source| InitramfsError::Elf { path: path.to_owned(), source })?;
    Ok((bytes, elf))
}

/// Where the loader looks for what `elf` needs: the directory here, and what that is in the archive.
fn search_path(elf: &Elf, origin: &Path, archive_origin: &Path) -> Vec<(PathBuf, PathBuf)> {
    let processor = match elf.machine {
        62 => "x86_64",
        183 => "aarch64",
        243 => "riscv64",
        _ => "unknown",
    };
    let from = |path: &str, origin: &Path| {
        let origin = origin.to_string_lossy();
        normal(Path::new(&path.replace("${ORIGIN}", &origin).replace("$ORIGIN", &origin)))
    };
    let own = elf.search.iter().map(|path| (from(path, origin), from(path, archive_origin)));
    let standard = LIBRARY_DIRECTORIES.iter().map(|path| {
        let path = PathBuf::from(path.replace("{}", processor));
        (path.clone(), path)
    });
    own.chain(standard).collect()
}

/// A path without `.` and `..`.
fn normal(path: &Path) -> PathBuf {
    let mut normal = PathBuf::new();
    for component in path.components() {
        match component {
            Component::CurDir => {}
            Component::ParentDir => drop(normal.pop()),
            other => normal.push(other),
        }
    }
    normal
}

/// True if there is an ELF file for this kind of machine.
fn is_for(path: &Path, machine: u16) -> bool {
    fs::read(path).is_ok_and(|bytes| Elf::parse(&bytes).is_ok_and(|elf| elf.machine == machine))
}

fn file_name(path: &Path) -> Result<&str, InitramfsError> {
    path.file_name().and_then(|name| name.to_str()).ok_or_else(|| InitramfsError::Name(path.to_owned()))
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
