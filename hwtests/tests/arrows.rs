//! The arrows between the crates: who may import whom (ARCHITECTURE.md, "The crates"); and what `cargo run` starts.

use cargo_metadata::{DependencyKind, Metadata, MetadataCommand};
use std::collections::BTreeMap;

/// For each crate, the crates of the workspace that it may import. `xtask` imports none of them.
const ARROWS: &[(&str, &[&str])] = &[
    ("twowire-fabric", &[]),
    ("twowire-route-store", &[]),
    ("twowire-mapper", &["twowire-fabric", "twowire-route-store"]),
    ("twowire-multicast-boot", &["twowire-fabric", "twowire-route-store"]),
    ("twowire-mpi-shim", &["twowire-fabric"]),
    (
        "twowire-cluster",
        &["twowire-fabric", "twowire-route-store", "twowire-mapper", "twowire-multicast-boot", "twowire-mpi-shim"],
    ),
    ("xtask", &[]),
];

/// These may import anything, and only they import one another.
const TOPS: &[&str] = &["twowire-hwtests", "twowire-benches"];

fn metadata() -> Metadata {
    MetadataCommand::new().no_deps().other_options(vec!["--offline".into()]).exec().expect("cargo metadata")
}

/// README begins with `cargo run --release -- up`.
#[test]
fn cargo_run_alone_starts_twowire() {
    let output = MetadataCommand::new().no_deps().cargo_command().arg("--offline").output().expect("cargo metadata");
    // `cargo_metadata` leaves this field out.
    assert!(String::from_utf8_lossy(&output.stdout).contains(r#""default_run":"twowire""#));
}

#[test]
fn crates_import_only_what_the_architecture_allows() {
    let metadata = metadata();
    let ours: Vec<String> = metadata.packages.iter().map(|p| p.name.to_string()).collect();
    let allowed: BTreeMap<&str, &[&str]> = ARROWS.iter().copied().collect();
    let mut wrong = Vec::new();
    for package in &metadata.packages {
        let name = package.name.as_str();
        if TOPS.contains(&name) {
            continue;
        }
        let Some(may_import) = allowed.get(name) else {
            wrong.push(format!("{name} is not in the table of arrows"));
            continue;
        };
        for dependency in &package.dependencies {
            let is_ours = ours.contains(&dependency.name);
            let is_dev = dependency.kind == DependencyKind::Development;
            if is_ours && !is_dev && !may_import.contains(&dependency.name.as_str()) {
                wrong.push(format!("{name} must not import {}", dependency.name));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_eq!(ours.len(), ARROWS.len() + TOPS.len(), "every crate of the workspace has its row: {ours:?}");
}
