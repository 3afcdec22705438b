//! Files that are read and written.

use crate::routes_file;
use crate::verify::Verified;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;
use twowire_fabric::map::RouteSet;
use twowire_fabric::map::routes_text;
use twowire_fabric::program::Failure;
use twowire_fabric::program::interrupt::interrupted;
use twowire_fabric::spec;
use twowire_fabric::topology::{HostId, Topology, read_file};
use twowire_route_store::atomic_file;

/// Reads a topology.
pub(super) fn read_topology(path: &Path) -> Result<Topology, Failure> {
    read_file(path).map_err(Failure::failed)
}

/// Reads a topology that has a front end: the host `master`, else the first.
pub(super) fn read_map(path: &Path) -> Result<(Topology, HostId), Failure> {
    let topology = read_topology(path)?;
    let front_end = spec::front_end(&topology, None);
    let front_end = front_end.map_err(|error| Failure::Failed(format!("{}: {error}", path.display())))?;
    Ok((topology, front_end))
}

/// Reads routes between the hosts of a topology.
pub(super) fn read_routes(path: &Path, topology: &Topology) -> Result<RouteSet, Failure> {
    let bytes = fs::read(path).map_err(|error| Failure::read(path, &error))?;
    let text = String::from_utf8(bytes).map_err(|_| Failure::Failed(format!("{}: not UTF-8 text", path.display())))?;
    routes_text::parse(&text, topology).map_err(|error| Failure::Failed(format!("{}, {error}", path.display())))
}

/// Finds out before the work whether a file can be written after it.
pub(super) fn check_writable(path: &Path) -> Result<(), Failure> {
    atomic_file::check_writable(path).map_err(|error| Failure::write(path, &error))
}

/// Writes a file of this text. It appears whole or not at all.
pub(super) fn write_text(path: &Path, text: &str) -> Result<(), Failure> {
    atomic_file::replace(path, &[text.as_bytes()]).map_err(|error| Failure::write(path, &error))
}

/// Writes routes that have been proved. The file appears whole or not at all.
pub(super) fn write_routes(path: &Path, topology: &Topology, routes: &Verified<RouteSet>) -> Result<(), Failure> {
    let mut write = |file: &mut File| routes_file::write(&mut Interruptible(file), topology, routes);
    atomic_file::replace_with(path, &mut write)
        .map_err(|error| if interrupted() { Failure::Interrupted } else { Failure::write(path, &error) })
}

/// A file whose writing Ctrl-C ends.
struct Interruptible<'a>(&'a mut File);

impl Write for Interruptible<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        // `Interrupted` would only make the writer try again.
        if interrupted() { Err(io::ErrorKind::Other.into()) } else { self.0.write(bytes) }
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}
