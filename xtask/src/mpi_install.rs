//! `cargo xtask mpi-install`: the MPI library, its header, its compilers and its launcher in a folder of their own.

use crate::step::{cargo, root, run, target_dir};
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

/// What `pkg-config --cflags --libs mpi` reads. It finds the folders from where it lies itself, so a folder can be moved.
const PKG_CONFIG: &str = "\
prefix=${pcfiledir}/../..
includedir=${prefix}/include
libdir=${prefix}/lib

Name: mpi
Description: Message Passing Interface, standard ABI (Twowire)
URL: https://www.mpi-forum.org
Version: 5.0
Cflags: -I${includedir}
Libs: -L${libdir} -Wl,-rpath,${libdir} -lmpi_abi
";

/// Builds the package and lays it out: `bin`, `include`, `lib`, `share`.
pub(crate) fn install(prefix: &Path, release: bool) -> Result<(), String> {
    let profile = if release { "release" } else { "dev" };
    run(&mut cargo(&["build", "--locked", "--package", "twowire-mpi-shim", "--profile", profile]))?;
    run(&mut cargo(&["build", "--locked", "--package", "twowire-cluster", "--bin", "noded", "--profile", profile]))?;
    let built = target_dir().join(if release { "release" } else { "debug" });
    let copies = [
        (built.join("mpirun"), "bin/mpirun"),
        (built.join("mpicc"), "bin/mpicc"),
        (built.join("noded"), "bin/noded"),
        (built.join("libmpi_abi.so"), "lib/libmpi_abi.so.1"),
        (root().join("mpi-shim/include/mpi.h"), "include/mpi.h"),
        (root().join("docs/mpi.md"), "share/doc/twowire/mpi.md"),
        (root().join("docs/mpi-coverage.md"), "share/doc/twowire/mpi-coverage.md"),
    ];
    for (from, to) in copies {
        let bytes = fs::read(&from).map_err(|error| format!("{}: {error}", from.display()))?;
        put(&prefix.join(to), |part| {
            fs::write(part, &bytes)?;
            fs::set_permissions(part, fs::metadata(&from)?.permissions())
        })?;
    }
    put(&prefix.join("lib/pkgconfig/mpi.pc"), |part| fs::write(part, PKG_CONFIG))?;
    let links = [
        ("libmpi_abi.so.1", "lib/libmpi_abi.so"),
        ("mpirun", "bin/mpiexec"),
        ("mpicc", "bin/mpicxx"),
        ("mpicc", "bin/mpic++"),
    ];
    for (to, from) in links {
        put(&prefix.join(from), |part| symlink(to, part))?;
    }
    eprintln!("installed in {}; {} is for the PATH", prefix.display(), prefix.join("bin").display());
    Ok(())
}

/// Makes a file beside its place and moves it there: who runs the old one keeps it.
fn put(path: &Path, make: impl FnOnce(&Path) -> std::io::Result<()>) -> Result<(), String> {
    let shown = |error: std::io::Error| format!("{}: {error}", path.display());
    let folder = path.parent().unwrap_or(path);
    fs::create_dir_all(folder).map_err(shown)?;
    let part = path.with_added_extension("part");
    if part.symlink_metadata().is_ok() {
        fs::remove_file(&part).map_err(shown)?;
    }
    make(&part).and_then(|()| fs::rename(&part, path)).map_err(shown)
}
