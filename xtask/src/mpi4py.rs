//! `cargo xtask mpi4py`: the test suite of mpi4py, which nobody here wrote, on our library.
//!
//! mpi4py is built from its source distribution by our `mpicc`, for the standard ABI. What is skipped stands, each with
//! its reason, in `mpi-shim/tests/mpi4py.skip`.

use crate::mpi_install;
use crate::step::{root, run, target_dir};
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

/// The version whose tests the list of what is skipped was made for.
const VERSION: &str = "4.1.2";

/// Lines of a failed module's output that are shown.
const SHOWN: usize = 60;

/// What is run, and for how long.
#[derive(clap::Args)]
pub(crate) struct Suite {
    /// Numbers of ranks.
    #[arg(long, value_name = "N", value_delimiter = ',', default_value = "1,2,3,5")]
    ranks: Vec<u32>,
    /// Runs only these modules of tests, such as test_cco_buf.
    #[arg(long, value_name = "MODULE")]
    only: Vec<String>,
    /// Ends a module that takes longer.
    #[arg(long, value_name = "SECONDS", default_value_t = 300)]
    limit: u32,
    /// What the suite's main.py understands, after `--`.
    #[arg(last = true)]
    rest: Vec<String>,
}

/// Where mpi4py and the library that it is built on are.
struct Place {
    mpirun: PathBuf,
    python: PathBuf,
    sources: PathBuf,
    names: PathBuf,
    logs: PathBuf,
}

/// Builds mpi4py once, and runs its tests, a module at a time, on each of the numbers of ranks.
pub(crate) fn test(suite: &Suite) -> Result<(), String> {
    let place = prepare()?;
    let (skipped, names) = skipped(&fs::read_to_string(root().join("mpi-shim/tests/mpi4py.skip")).map_err(text)?)?;
    fs::write(&place.names, names.join("\n")).map_err(text)?;
    let modules = modules(&place.sources.join("test"), &skipped, &suite.only)?;
    let mut failed = Vec::new();
    for &ranks in &suite.ranks {
        for module in &modules {
            if !run_module(&place, suite, ranks, module)? {
                failed.push(format!("{module} on {ranks}"));
            }
        }
    }
    match failed.is_empty() {
        true => Ok(()),
        false => Err(format!("mpi4py's tests failed: {}", failed.join(", "))),
    }
}

/// Installs the library, and builds mpi4py if that was not done before.
fn prepare() -> Result<Place, String> {
    let work = target_dir().join("mpi4py");
    let prefix = work.join("prefix");
    mpi_install::install(&prefix, true)?;
    let place = Place {
        mpirun: prefix.join("bin/mpirun"),
        python: work.join("venv/bin/python"),
        sources: work.join(format!("mpi4py-{VERSION}")),
        names: work.join("skipped-names"),
        logs: work.join("logs"),
    };
    fs::create_dir_all(&place.logs).map_err(text)?;
    let done = work.join(format!("built-{VERSION}"));
    if !done.exists() {
        build(&work, &prefix, &place.python)?;
        fs::write(&done, "").map_err(|error| format!("{}: {error}", done.display()))?;
    }
    Ok(place)
}

/// The modules of tests in a folder, in order, without those that are skipped; `only` these if it names any.
fn modules(folder: &Path, skipped: &[String], only: &[String]) -> Result<Vec<String>, String> {
    let named = |name: &str| Some(name.strip_suffix(".py").filter(|name| name.starts_with("test_"))?.to_owned());
    let all = fs::read_dir(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let all: BTreeSet<_> = all.flatten().filter_map(|entry| named(&entry.file_name().to_string_lossy())).collect();
    if let Some(unknown) = only.iter().chain(skipped).find(|name| !all.contains(*name)) {
        return Err(format!("mpi4py {VERSION} has no module of tests {unknown}"));
    }
    let wanted = |name: &String| (only.is_empty() || only.contains(name)) && !skipped.contains(name);
    Ok(all.into_iter().filter(wanted).collect())
}

/// Runs one module, and says in a line how that went. What the ranks printed is kept in a file, and shown if they failed.
#[allow(clippy::disallowed_methods)] // How long a module takes is shown.
fn run_module(place: &Place, suite: &Suite, ranks: u32, module: &str) -> Result<bool, String> {
    let log = place.logs.join(format!("{module}-{ranks}.log"));
    let output = fs::File::create(&log).map_err(|error| format!("{}: {error}", log.display()))?;
    let mut job = Command::new(&place.mpirun);
    job.args(["-n", &ranks.to_string(), "--timeout", &suite.limit.to_string()]).arg(&place.python);
    job.args(["test/main.py", "--no-builddir", "-v", "-i", &format!(r"^{module}\.py$"), "--xfile"]).arg(&place.names);
    job.args(&suite.rest)
        .env("MPI4PY_MPIABI", "mpiabi")
        .env("OPENBLAS_NUM_THREADS", "1")
        .current_dir(&place.sources)
        .stdin(Stdio::null());
    let begin = Instant::now();
    let errors = output.try_clone().map_err(text)?;
    let status = job.stdout(output).stderr(errors).status().map_err(|error| format!("mpirun: {error}"))?;
    let printed = String::from_utf8_lossy(&fs::read(&log).map_err(text)?).into_owned();
    let ok = status.success();
    let verdict = if ok { "ok" } else { "FAILED" };
    println!("{ranks} ranks  {module:24} {verdict:6} {:6.1} s  {}", begin.elapsed().as_secs_f64(), tests(&printed));
    if !ok {
        let lines: Vec<_> = printed.lines().collect();
        let end = lines[lines.len().saturating_sub(SHOWN)..].join("\n");
        eprintln!("{end}\nxtask: {module} on {ranks} ranks: {status}; all of it is in {}", log.display());
    }
    Ok(ok)
}

/// How many tests a rank ran, as unittest says it.
fn tests(printed: &str) -> String {
    let ran = printed.lines().filter_map(|line| line.split_once("Ran ")?.1.split_once(" in "));
    ran.map(|(tests, _)| tests.to_owned()).next_back().unwrap_or_default()
}

fn text(error: std::io::Error) -> String {
    error.to_string()
}

fn build(work: &Path, prefix: &Path, python: &Path) -> Result<(), String> {
    let pip = |arguments: &[&str]| {
        let mut pip = Command::new(python);
        pip.args(["-m", "pip", "--quiet"]).args(arguments).current_dir(work);
        pip
    };
    let own = Command::new("python3").args(["-m", "venv", "venv"]).current_dir(work).status();
    if !own.is_ok_and(|status| status.success()) {
        return Err("`python3 -m venv` failed: on Debian it is in the package python3-venv".to_owned());
    }
    run(&mut pip(&["install", "numpy", "setuptools", "cython", "wheel"]))?;
    let sdist = format!("mpi4py=={VERSION}");
    run(&mut pip(&["download", "--no-binary", "mpi4py", "--no-deps", "--no-build-isolation", &sdist]))?;
    run(Command::new("tar").args(["xf", &format!("mpi4py-{VERSION}.tar.gz")]).current_dir(work))?;
    let mut install = pip(&["install", "--no-build-isolation", "--no-deps", &format!("./mpi4py-{VERSION}")]);
    run(install.env("MPICC", prefix.join("bin/mpicc")).env("MPI4PY_BUILD_MPIABI", "1"))
}

/// The list of what is skipped: modules, and parts of the names of tests. A line is `module NAME: REASON` or
/// `test NAME: REASON`.
fn skipped(list: &str) -> Result<(Vec<String>, Vec<String>), String> {
    let (mut modules, mut names) = (Vec::new(), Vec::new());
    for line in list.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let wrong = || format!("mpi4py.skip: expected `module NAME: REASON` or `test NAME: REASON`: {line}");
        let (what, reason) = line.split_once(": ").ok_or_else(wrong)?;
        match what.split_once(' ') {
            Some(("module", name)) if !reason.is_empty() => modules.push(name.to_owned()),
            Some(("test", name)) if !reason.is_empty() => names.push(name.to_owned()),
            _ => return Err(wrong()),
        }
    }
    Ok((modules, names))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_that_skips_has_a_reason() {
        let path = root().join("mpi-shim/tests/mpi4py.skip");
        skipped(&fs::read_to_string(path).unwrap()).unwrap();
        assert!(skipped("module test_rma").is_err());
        assert!(skipped("test testSpawn: ").is_err());
        let (modules, names) = skipped("# why\n\nmodule a: x\ntest b.c: y: z\n").unwrap();
        assert_eq!((modules, names), (vec!["a".to_owned()], vec!["b.c".to_owned()]));
    }

    #[test]
    fn modules_are_found_and_unknown_ones_refused() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["test_b.py", "test_a.py", "test_c.py", "main.py", "test_notes.txt"] {
            fs::write(folder.path().join(name), "").unwrap();
        }
        let found = |skipped: &[&str], only: &[&str]| {
            let owned = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect::<Vec<_>>();
            modules(folder.path(), &owned(skipped), &owned(only))
        };
        assert_eq!(found(&["test_c"], &[]).unwrap(), ["test_a", "test_b"]);
        assert_eq!(found(&[], &["test_b"]).unwrap(), ["test_b"]);
        assert!(found(&["test_d"], &[]).unwrap_err().contains("test_d"));
        assert!(found(&[], &["main"]).unwrap_err().contains("main"));
    }

    #[test]
    fn what_ran_is_read_from_what_was_printed() {
        assert_eq!(tests("x\n[0] Ran 12 tests in 0.1s\n\nOK\nRan 13 tests in 0.2s\n"), "13 tests");
        assert_eq!(tests("Traceback"), "");
    }
}
