//! `cargo xtask phase1`: the static programs of nodes, and the initramfs around `bootnode`.

use crate::step::{cargo, root, run, target_dir};
use std::path::PathBuf;

/// What the static program runs on. The C library is linked into it, so it needs no interpreter.
const TARGET: &str = "x86_64-unknown-linux-gnu";

/// What nodes run: in phase 1 the first, in phase 2 all.
const PROGRAMS: [(&str, &str); 3] =
    [("bootnode", "twowire-multicast-boot"), ("noded", "twowire-cluster"), ("mpirun", "twowire-mpi-shim")];

/// Builds static, small programs of nodes; the path of `bootnode`, which the others are beside.
pub(crate) fn bootnode() -> Result<PathBuf, String> {
    let args = ["build", "--locked", "--profile", "phase1", "--target", TARGET];
    let programs = PROGRAMS.iter().flat_map(|&(program, package)| ["--bin", program, "--package", package]);
    run(cargo(&args).args(programs).env("RUSTFLAGS", "-C target-feature=+crt-static"))?;
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
