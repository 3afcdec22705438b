//! `cargo xtask bench`: the benches, and the table that README shows of them.

use crate::{packages, step};
use serde_json::Value;
use std::fs;
use std::path::Path;

const START: &str = "<!-- performance: written by `cargo xtask bench --update-readme` -->";
const END: &str = "<!-- performance: end -->";

/// Runs the benches, prints their figures as a table, and writes it into README if asked.
pub(crate) fn run(update_readme: bool, no_run: bool) -> Result<(), String> {
    if !no_run {
        step::run(&mut step::cargo(&["bench", "--locked", "-p", "twowire-benches"]))?;
    }
    let table = table(&target_dir().join("figures"))?;
    println!("{table}");
    if update_readme {
        let readme = step::root().join("README.md");
        let text = fs::read_to_string(&readme).map_err(|e| format!("README.md: {e}"))?;
        fs::write(&readme, replace(&text, &table)?).map_err(|e| format!("README.md: {e}"))?;
    }
    Ok(())
}

/// Runs one bench, or, against other programs, the one between namespaces.
pub(crate) fn run_one(bench: &str, against: &[String], rest: &[String]) -> Result<(), String> {
    if against.is_empty() {
        let args = ["bench", "--locked", "-p", "twowire-benches", "--bench", bench, "--"];
        return step::run(step::cargo(&args).args(rest));
    }
    if bench != "boot" {
        return Err(format!("--against is for the bench `boot`, not for `{bench}`"));
    }
    packages::install_rivals();
    let build = ["build", "--locked", "--release", "-p", "twowire-multicast-boot", "--bins"];
    step::run(&mut step::cargo(&build))?;
    let tools = ["twowire"].into_iter().chain(against.iter().map(String::as_str)).collect::<Vec<_>>().join(",");
    let run = ["run", "--locked", "--release", "-p", "twowire-benches", "--bin", "against", "--", "--tools", &tools];
    step::run(step::cargo(&run).arg("--programs").arg(target_dir().join("release")).args(rest))
}

fn target_dir() -> std::path::PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| step::root().join("target"), Into::into)
}

/// Each bench leaves one JSON file of figures; the table has a row for each figure.
fn table(dir: &Path) -> Result<String, String> {
    let missing = |e: std::io::Error| format!("no figures in {} ({e}); run the benches first", dir.display());
    let mut files: Vec<_> = fs::read_dir(dir).map_err(missing)?.filter_map(|e| e.ok().map(|e| e.path())).collect();
    files.sort();
    let mut table = String::from("| bench | what | figure |\n|---|---|---|\n");
    for file in files {
        let text = fs::read_to_string(&file).map_err(|e| format!("{}: {e}", file.display()))?;
        let rows: Vec<Value> = serde_json::from_str(&text).map_err(|e| format!("{}: {e}", file.display()))?;
        let bench = file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        for row in rows {
            let cell = |key: &str| row[key].as_str().unwrap_or_default().to_owned();
            table += &format!("| {bench} | {} | {} |\n", cell("what"), cell("figure"));
        }
    }
    Ok(table)
}

fn replace(readme: &str, table: &str) -> Result<String, String> {
    let marker = |m| format!("README.md has no line `{m}`");
    let start = readme.find(START).ok_or_else(|| marker(START))? + START.len();
    let end = readme.find(END).ok_or_else(|| marker(END))?;
    Ok(format!("{}\n{table}{}", &readme[..start], &readme[end..]))
}
