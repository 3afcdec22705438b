//! `--fabric umad:`: with ibsim in the place of the kernel's devices, and on a real device where there is one.

use crate::sandbox::{Sandbox, mapper};
use crate::{CLOS, RANDOM};
use std::path::Path;
use std::process::Output;

/// The one line that a run failed with.
fn said(output: &Output) -> String {
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success() && said.lines().count() == 1, "{said}");
    said
}

#[test]
fn the_map_is_the_same_by_the_kernels_library_and_by_ibsims_sockets() {
    for fabric in [CLOS, RANDOM, "sim:pink"] {
        let Some(sandbox) = Sandbox::with_subnet(fabric) else { return };
        sandbox.mapper("ibsim", "--topo-out ibsim.topo --lfts-out ibsim.lfts");
        sandbox.mapper("umad", "--topo-out umad.topo --lfts-out umad.lfts");
        for kind in ["topo", "lfts"] {
            let [ibsim, umad] =
                ["ibsim", "umad"].map(|way| std::fs::read(sandbox.path(&format!("{way}.{kind}"))).unwrap());
            assert!(ibsim.len() > 1_000 && ibsim == umad, "{fabric}: the {kind} files differ");
        }
    }
}

#[test]
fn without_a_name_it_is_the_first_port_that_has_a_link() {
    let Some(sandbox) = Sandbox::with_subnet(CLOS) else { return };
    for fabric in ["umad:", "umad:ibsim0"] {
        let output = sandbox.run_on(fabric, "--json");
        let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(report["source"], "umad:ibsim0/1", "{fabric}");
    }
}

#[test]
fn a_port_that_cannot_be_used_is_told_of_with_the_remedy() {
    let Some(sandbox) = Sandbox::with_subnet(CLOS) else { return };
    for (fabric, expected) in [
        ("umad:mlx5_0/1", "this machine has no InfiniBand port `mlx5_0/1`: it has ibsim0/1 (has a link)"),
        ("umad:ibsim0/2", "this machine has no InfiniBand port `ibsim0/2`: it has ibsim0/1 (has a link)"),
    ] {
        let said = said(&sandbox.run_on(fabric, ""));
        assert!(said.contains(expected), "{said}");
    }
}

#[test]
fn a_library_that_cannot_be_loaded_is_told_of_with_the_remedy() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("libibumad.so.3"), "this is no library").unwrap();
    let said = said(&mapper().args(["--fabric", "umad:"]).env("LD_LIBRARY_PATH", dir.path()).output().unwrap());
    assert!(said.contains("umad needs the library libibumad") && said.contains("apt-get install libibumad3"), "{said}");
}

#[test]
fn a_real_port_finds_its_subnet_and_a_machine_without_one_says_so() {
    let devices = Path::new("/sys/class/infiniband").read_dir();
    if devices.is_ok_and(|mut devices| devices.next().is_some()) {
        let output = mapper().args(["--fabric", "umad:", "--json"]).output().unwrap();
        let report: serde_json::Value = serde_json::from_slice(&output.stdout)
            .unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&output.stderr)));
        assert!(report["hosts"].as_u64() >= Some(1), "{report}");
        return;
    }
    eprintln!("skipped: this machine has no InfiniBand device, so no real subnet was looked at");
    let said = said(&mapper().args(["--fabric", "umad:"]).output().unwrap());
    assert!(said.contains("no InfiniBand port") || said.contains("needs the library libibumad"), "{said}");
}
