//! `cargo xtask test`: what CI does.

use crate::{packages, step};
use step::{cargo, succeeds};

/// A named step of the test run.
struct Step {
    name: &'static str,
    run: fn() -> Result<(), String>,
}

/// In the order that finds the cheapest mistakes first; the tests come last, so that their summary closes the output.
const STEPS: &[Step] = &[
    Step { name: "fmt", run: || step::run(&mut cargo(&["fmt", "--all", "--check"])) },
    Step { name: "deny", run: deny },
    Step {
        name: "clippy",
        run: || step::run(&mut cargo(&["clippy", "--locked", "--workspace", "--all-targets", "--", "-D", "warnings"])),
    },
    Step {
        name: "rustdoc",
        run: || {
            let args = ["doc", "--locked", "--workspace", "--no-deps", "--document-private-items"];
            step::run(cargo(&args).env("RUSTDOCFLAGS", "-D warnings"))
        },
    },
    Step { name: "doctest", run: || step::run(&mut cargo(&["test", "--locked", "--workspace", "--doc"])) },
    Step { name: "tests", run: tests },
];

/// Runs all steps, or those named in `only`.
fn run_steps(only: &[String]) -> Result<(), String> {
    if let Some(unknown) = only.iter().find(|name| STEPS.iter().all(|s| s.name != **name)) {
        let names: Vec<&str> = STEPS.iter().map(|s| s.name).collect();
        return Err(format!("no step is called `{unknown}`; there are: {}", names.join(", ")));
    }
    for step in STEPS.iter().filter(|s| only.is_empty() || only.iter().any(|name| name == s.name)) {
        eprintln!("xtask: {}", step.name);
        (step.run)()?;
    }
    Ok(())
}

/// Installs what the tests need, then runs the steps.
pub(crate) fn run(only: &[String]) -> Result<(), String> {
    packages::install();
    run_steps(only)
}

fn deny() -> Result<(), String> {
    if !succeeds(&mut cargo(&["deny", "--version"])) {
        eprintln!("xtask: skipped: cargo-deny is not installed. Remedy: cargo install --locked cargo-deny");
        return Ok(());
    }
    step::run(&mut cargo(&["deny", "--offline", "check", "licenses", "bans", "sources"]))
}

fn tests() -> Result<(), String> {
    if succeeds(&mut cargo(&["nextest", "--version"])) {
        return step::run(&mut cargo(&["nextest", "run", "--locked", "--workspace"]));
    }
    eprintln!("xtask: cargo-nextest is not installed, so the tests run under `cargo test`");
    step::run(&mut cargo(&["test", "--locked", "--workspace", "--lib", "--bins", "--tests"]))
}
