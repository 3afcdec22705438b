//! The arrows between the crates: who may import whom (ARCHITECTURE.md, "The crates").

use cargo_metadata::{DependencyKind, MetadataCommand};
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

#[test]
fn crates_import_only_what_the_architecture_allows() {
    let metadata =
        MetadataCommand::new().no_deps().other_options(vec!["--offline".into()]).exec().expect("cargo metadata");
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
