//! `cargo xtask mpi4py`: the test suite of mpi4py, which nobody here wrote, on our library.
//!
//! mpi4py is built from its source distribution by our `mpicc`, for the standard ABI. What is skipped stands, each with
//! its reason, in `mpi-shim/tests/mpi4py.skip`.

use crate::mpi_install;
use crate::step::{root, run, target_dir};
use std::fs;
use std::path::Path;
use std::process::Command;

/// The version whose tests the list of what is skipped was made for.
const VERSION: &str = "4.1.2";

/// A run of the suite takes minutes where there are more ranks than cores.
const LIMIT_SECONDS: &str = "1800";

/// Builds mpi4py once, and runs its tests on each of these numbers of ranks. `rest` goes to the suite's `main.py`.
pub(crate) fn test(ranks: &[u32], rest: &[String]) -> Result<(), String> {
    let work = target_dir().join("mpi4py");
    let prefix = work.join("prefix");
    mpi_install::install(&prefix, true)?;
    let sources = work.join(format!("mpi4py-{VERSION}"));
    let python = work.join("venv/bin/python");
    let done = work.join(format!("built-{VERSION}"));
    if !done.exists() {
        build(&work, &prefix, &python)?;
        fs::write(&done, "").map_err(|error| format!("{}: {error}", done.display()))?;
    }
    let (modules, names) = skipped(&fs::read_to_string(root().join("mpi-shim/tests/mpi4py.skip")).map_err(text)?)?;
    let names_file = work.join("skipped-names");
    fs::write(&names_file, names.join("\n")).map_err(text)?;
    let mut failed = Vec::new();
    for &count in ranks {
        let mut job = Command::new(prefix.join("bin/mpirun"));
        job.args(["-n", &count.to_string(), "--timeout", LIMIT_SECONDS]).arg(&python).arg(sources.join("test/main.py"));
        job.args(["--no-builddir", "-q"]).args(modules.iter().flat_map(|module| ["-e", module]));
        if !names.is_empty() {
            job.arg("--xfile").arg(&names_file);
        }
        if let Err(error) = run(job.args(rest).env("MPI4PY_MPIABI", "mpiabi").current_dir(&sources)) {
            eprintln!("xtask: {error}");
            failed.push(count.to_string());
        }
    }
    match failed.is_empty() {
        true => Ok(()),
        false => Err(format!("mpi4py's tests failed on {} ranks", failed.join(", "))),
    }
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
}
