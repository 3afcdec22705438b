//! `mpirun --report`: what the ranks did in MPI, as tables, as JSON, and as a picture.

mod heatmap;
mod json;
mod record;
mod table;
mod units;

use crate::spawn;
use mpi_abi::launch::ticket::Holder;
use rustix::fs::{MemfdFlags, OFlags};
use std::fs::File;
use std::io::{self, Read, Seek};
use std::ops::Range;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

/// What is to be reported, and where.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Wanted {
    /// Files to write, each in the form that its name ends with.
    pub(crate) files: Vec<PathBuf>,
    /// JSON in place of the tables.
    pub(crate) json: bool,
}

impl Wanted {
    /// Adds a file; an error if its form is unknown.
    pub(crate) fn add(&mut self, file: PathBuf) -> Result<(), String> {
        match form(&file) {
            Some(_) => self.files.push(file),
            None => return Err(format!("--report={}: expected a name that ends in .svg or .json", file.display())),
        }
        Ok(())
    }
}

/// What writes the form that a file's name asks for.
fn form(file: &Path) -> Option<fn(&record::Ranks) -> String> {
    match file.extension()?.to_str()? {
        "svg" => Some(heatmap::write),
        "json" => Some(json::write),
        _ => None,
    }
}

/// The file without a name to which the ranks append what they did.
pub(crate) struct Sheet {
    /// How the ranks find it.
    pub(crate) holder: Holder,
    file: OwnedFd,
}

impl Sheet {
    pub(crate) fn create() -> io::Result<Sheet> {
        let file = rustix::fs::memfd_create("twowire-report", MemfdFlags::CLOEXEC)?;
        rustix::fs::fcntl_setfl(&file, OFlags::APPEND)?;
        let (file, holder) = spawn::inherited(&file)?;
        Ok(Sheet { holder, file })
    }

    /// What the ranks have written.
    pub(crate) fn text(self) -> io::Result<String> {
        let mut file = File::from(self.file);
        file.rewind()?;
        text_of(file)
    }
}

/// What ranks have written, wherever it is now. A line that a rank was killed in may be no text.
pub(crate) fn text_of(mut from: impl Read) -> io::Result<String> {
    let mut text = Vec::new();
    from.read_to_end(&mut text)?;
    Ok(String::from_utf8_lossy(&text).into_owned())
}

/// Prints and writes what was asked for, of a job of `size` ranks of which some were started here.
pub(crate) fn show(text: &str, wanted: &Wanted, size: u32, here: &Range<u32>) -> Result<(), String> {
    let ranks = record::parse(text, size);
    eprint!("{}", if wanted.json { json::write(&ranks) } else { table::write(&ranks, here) });
    for file in &wanted.files {
        let Some(write) = form(file) else { continue };
        std::fs::write(file, write(&ranks)).map_err(|error| format!("{}: {error}", file.display()))?;
    }
    Ok(())
}
