//! `cargo xtask phase1`: the static `bootnode`, and the initramfs around it.

use crate::step::{cargo, root, run, target_dir};
use std::path::PathBuf;

/// What the static program runs on. The C library is linked into it, so it needs no interpreter.
const TARGET: &str = "x86_64-unknown-linux-gnu";

/// Builds a static, small `bootnode`; its path.
fn bootnode() -> Result<PathBuf, String> {
    let args = ["build", "--locked", "--profile", "phase1", "--target", TARGET, "--bin", "bootnode"];
    let package = ["--package", "twowire-multicast-boot"];
    run(cargo(&args).args(package).env("RUSTFLAGS", "-C target-feature=+crt-static"))?;
    Ok(target_dir().join(TARGET).join("phase1").join("bootnode"))
}

/// Builds it, and passes it to `twowire phase1` with these arguments.
pub(crate) fn build(rest: &[String]) -> Result<(), String> {
    let bootnode = bootnode()?;
    if rest.is_empty() {
        println!("{}", bootnode.display());
        return Ok(());
    }
    let own = std::env::current_dir().map_err(|error| format!("the current directory: {error}"))?;
    let args = ["run", "--quiet", "--locked", "--package", "twowire-cluster", "--bin", "twowire", "--manifest-path"];
    let mut twowire = cargo(&args);
    twowire.arg(root().join("Cargo.toml")).current_dir(own).args(["--", "phase1", "--bootnode"]).arg(bootnode);
    run(twowire.args(rest))
}
