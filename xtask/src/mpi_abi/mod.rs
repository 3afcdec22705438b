//! `cargo xtask mpi-abi`: what is written from the two lists of the MPI 5.0 standard ABI.

mod constants;
mod coverage;
mod header;
mod lists;
mod refused;
#[cfg(test)]
mod tests;

use crate::step::root;
use lists::Function;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// A file that is generated, and its text.
struct Generated {
    path: PathBuf,
    text: String,
}

/// Writes the generated files; with `check` only says which of them differ.
pub(crate) fn run(check: bool) -> Result<(), String> {
    let mut stale = Vec::new();
    for Generated { path, text } in generate()? {
        if std::fs::read_to_string(&path).is_ok_and(|old| old == text) {
            continue;
        }
        let shown = path.strip_prefix(root()).unwrap_or(&path).display().to_string();
        if !check {
            std::fs::write(&path, text).map_err(|error| format!("{shown}: {error}"))?;
            eprintln!("wrote {shown}");
        }
        stale.push(shown);
    }
    match stale.is_empty() || !check {
        true => Ok(()),
        false => Err(format!("{} would change: run `cargo xtask mpi-abi`", stale.join(", "))),
    }
}

fn generate() -> Result<Vec<Generated>, String> {
    let shim = root().join("mpi-shim");
    let list = |name: &str| read(&shim.join("abi").join(name));
    let functions = lists::functions(&list("functions.txt")?)?;
    let sections = lists::constants(&list("constants.txt")?)?;
    let done = implemented(&functions, &shim.join("src/ffi"))?;
    let names: BTreeSet<String> = done.keys().cloned().collect();
    let header = header::header(&list("types.h")?, &list("callbacks.h")?, &sections, &functions);
    Ok(vec![
        Generated { path: shim.join("include/mpi.h"), text: header },
        Generated { path: shim.join("src/abi/constants.rs"), text: constants::constants(&sections) },
        Generated { path: shim.join("src/ffi/refused.rs"), text: refused::refused(&functions, &names) },
        Generated { path: root().join("docs/mpi-coverage.md"), text: coverage::coverage(&functions, &done) },
    ])
}

/// The functions that the files of `src/ffi` define, each with the path of its file in that folder. A function counts as
/// defined where its profiling name stands outside of a comment: the `mpi!` macro needs it for each.
fn implemented(functions: &[Function], folder: &Path) -> Result<BTreeMap<String, String>, String> {
    let known: BTreeSet<&str> = functions.iter().map(|function| function.name.as_str()).collect();
    let mut done = BTreeMap::new();
    for path in sources(folder)? {
        let name = path.strip_prefix(folder).unwrap_or(&path).display().to_string();
        if name == "refused.rs" {
            continue;
        }
        for line in read(&path)?.lines().map(str::trim_start).filter(|line| !line.starts_with("//")) {
            let words = line.split(|c: char| c != '_' && !c.is_ascii_alphanumeric());
            let defined = words.filter_map(|word| word.strip_prefix('P')).filter(|word| known.contains(word));
            done.extend(defined.map(|function| (function.to_owned(), name.clone())));
        }
    }
    Ok(done)
}

/// The Rust files of a folder and its folders, sorted.
fn sources(folder: &Path) -> Result<Vec<PathBuf>, String> {
    let entries = std::fs::read_dir(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let mut found = Vec::new();
    for path in entries.flatten().map(|entry| entry.path()) {
        match path.is_dir() {
            true => found.extend(sources(&path)?),
            false if path.extension().is_some_and(|extension| extension == "rs") => found.push(path),
            false => {}
        }
    }
    found.sort();
    Ok(found)
}

fn read(path: &Path) -> Result<String, String> {
    std::fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))
}
