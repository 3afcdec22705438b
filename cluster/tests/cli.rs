//! The real program in an empty directory: output, exit status, and nothing left behind.

use serde_json::Value;
use std::fs;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use tempfile::TempDir;

const SMALL: &str = "sim:clos:hosts=16,radix=8,levels=2";

fn twowire(dir: &Path, args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_twowire")).args(args).current_dir(dir).output().expect("twowire starts")
}

/// An empty directory with an `initrd` of 100,000 bytes.
fn place() -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("initrd"), vec![0x5a; 100_000]).unwrap();
    dir
}

fn names(dir: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        fs::read_dir(dir).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[track_caller]
fn fails(dir: &Path, args: &[&str], code: i32, says: &str) {
    let out = twowire(dir, args);
    let stderr = String::from_utf8_lossy(&out.stderr);
    assert_eq!(out.status.code(), Some(code), "twowire {args:?}\nstderr: {stderr}");
    assert!(stderr.contains(says), "twowire {args:?}\nexpected: {says}\ngot: {stderr}");
}

#[track_caller]
fn succeeds(dir: &Path, args: &[&str]) -> String {
    let out = twowire(dir, args);
    let stderr = String::from_utf8_lossy(&out.stderr);
    assert_eq!(out.status.code(), Some(0), "twowire {args:?}\nstderr: {stderr}");
    String::from_utf8(out.stdout).unwrap()
}

#[test]
fn up_prints_phases_and_a_table_or_one_json_object() {
    let dir = place();
    let text = succeeds(dir.path(), &["up", "--fabric", SMALL, "--initrd", "initrd", "--job", "3"]);
    for word in [
        "MPI job",
        "3 ranks over crossbars in real time",
        "3,009 values right",
        "map",
        "routes",
        "load",
        "boot",
        "roll-call",
        "15 of 15 up",
        "Pink, 2003",
        "no cycle",
    ] {
        assert!(text.contains(word), "`{word}` is missing in\n{text}");
    }
    let json = succeeds(dir.path(), &["up", "--fabric", SMALL, "--initrd", "initrd", "--json", "--seed", "9"]);
    let report: Value = serde_json::from_str(&json).unwrap();
    for key in [
        "hosts",
        "crossbars",
        "cables",
        "pairs_routed",
        "routes_per_pair",
        "engine",
        "epoch",
        "nodes_expected",
        "nodes_up",
        "image_bytes",
        "image_blake3",
        "seed",
        "phases",
        "nodes_failed",
    ] {
        assert!(!report[key].is_null(), "`{key}` is missing in\n{json}");
    }
    assert_eq!((report["nodes_up"].as_u64(), report["seed"].as_u64()), (Some(15), Some(9)));
    for key in ["name", "fabric_ms", "wall_ms", "frames"] {
        assert!(!report["phases"][0][key].is_null(), "`{key}` is missing in\n{json}");
    }
    assert_eq!(report["image_blake3"], blake3::hash(&vec![0x5a; 100_000]).to_hex().as_str());
    assert_eq!(names(dir.path()), ["initrd"]);
}

#[test]
fn a_node_that_is_not_up_makes_the_exit_status_1() {
    let dir = place();
    let args =
        ["up", "--fabric", SMALL, "--initrd", "initrd", "--json", "--fault", "crash:n3@0ms", "--node-timeout", "20ms"];
    let out = twowire(dir.path(), &args);
    assert_eq!(out.status.code(), Some(1));
    let report: Value = serde_json::from_slice(&out.stdout).unwrap();
    assert_eq!(report["nodes_failed"][0]["node"], "n3");
    assert_eq!(report["nodes_failed"][0]["stage"], "map");
}

#[test]
fn the_default_image_is_twowires_own() {
    let dir = place();
    let report: Value = serde_json::from_str(&succeeds(dir.path(), &["up", "--fabric", SMALL, "--json"])).unwrap();
    assert!(report["image_bytes"].as_u64().unwrap() >= 4 << 20, "{report}");
}

#[test]
fn an_image_is_packed_verified_and_booted_with_its_key_only() {
    let dir = place();
    succeeds(dir.path(), &["key", "new", "--out", "a.key"]);
    succeeds(dir.path(), &["key", "new", "--out", "b.key"]);
    fails(dir.path(), &["key", "new", "--out", "a.key"], 1, "a.key exists");
    succeeds(dir.path(), &["image", "pack", "--initrd", "initrd", "--key", "a.key", "-o", "img"]);
    assert!(succeeds(dir.path(), &["image", "inspect", "img"]).contains("not checked"));
    assert!(succeeds(dir.path(), &["image", "verify", "img", "--key", "a.key.pub"]).contains("verified"));
    fails(dir.path(), &["image", "verify", "img", "--key", "b.key.pub"], 1, "img");
    fs::write(dir.path().join("images"), "images 1\nn0-n3 img\nfallback all img\n").unwrap();
    let listed = succeeds(dir.path(), &["image", "list", "images", "--key", "a.key.pub"]);
    assert!(listed.starts_with("normal    n0-n3 ") && listed.contains("signature verified"), "{listed}");
    fails(dir.path(), &["image", "list", "images", "--key", "b.key.pub"], 1, "img");
    fs::write(dir.path().join("images"), "images 1\nn0-n3 img\nn3 img\n").unwrap();
    fails(dir.path(), &["image", "list", "images"], 1, "images:3: n3 has an image already, by line 2");
    fails(dir.path(), &["image", "pack", "--initrd", "initrd", "--align", "--key", "a.key", "-o", "x"], 1, "initrd");
    succeeds(dir.path(), &["up", "--fabric", SMALL, "--image", "img", "--key", "a.key.pub"]);

    let out = twowire(dir.path(), &["up", "--fabric", SMALL, "--image", "img", "--key", "b.key.pub", "--json"]);
    assert_eq!(out.status.code(), Some(1));
    let report: Value = serde_json::from_slice(&out.stdout).unwrap();
    assert_eq!(report["nodes_up"], 0);
    let failed = report["nodes_failed"].as_array().unwrap();
    assert_eq!(failed.len(), 15);
    assert!(failed.iter().all(|f| f["error"].as_str().unwrap().contains("signed with another key")), "{report}");
}

#[test]
fn a_secret_is_given_to_all_and_one_that_others_may_read_to_none() {
    let dir = place();
    succeeds(dir.path(), &["key", "secret", "--out", "secret"]);
    let up = ["up", "--fabric", SMALL, "--initrd", "initrd", "--secret"];
    let text = succeeds(dir.path(), &[&up[..], &["secret"]].concat());
    assert!(text.contains("15 of 15 up"), "{text}");
    fails(dir.path(), &[&up[..], &["initrd"]].concat(), 1, "initrd may be read by others");
}

#[test]
fn wrong_input_is_named_with_its_remedy() {
    let dir = place();
    let here = dir.path();
    fs::write(here.join("short.img"), b"TWIMG").unwrap();
    fs::write(here.join("bad.topo"), "topo 1\ncrossbar x1 8\ncable n0 x1:0\n").unwrap();
    succeeds(here, &["key", "new", "--out", "k"]);
    let before = names(here);
    fails(here, &["up", "--no-such-flag"], 2, "--no-such-flag");
    fails(here, &["up", "--fabric", "nosuch:thing"], 2, "nosuch");
    fails(here, &["up", "--fabric", "verbs:mlx5_0/1"], 2, "no provider `verbs`");
    fails(here, &["up", "--fabric", "raw:eth1"], 2, "raw:eth1: cards of an Ethernet network find one another");
    fails(here, &["up", "--fabric", "sim:none.topo"], 2, "none.topo");
    fails(here, &["up", "--fabric", "sim:bad.topo"], 2, "line 3");
    fails(here, &["up", "--image", "short.img"], 2, "--key");
    fails(here, &["up", "--image", "short.img", "--key", "k.pub"], 1, "short.img");
    fails(here, &["up", "--image", "absent.img", "--key", "k.pub"], 1, "absent.img");
    fails(here, &["up", "--initrd", "absent"], 1, "absent");
    fails(here, &["up", "--fault", "crash:n99999@1ms"], 2, "n99999");
    fails(here, &["up", "--fault", "explode:n1"], 2, "explode");
    fails(here, &["up", "--fault", "crash:master@1ms"], 2, "front end");
    fails(here, &["up", "--front-end", "n99999"], 2, "n99999");
    fails(here, &["up", "--topo-out", "no/such/dir/m.topo"], 1, "no/such/dir/m.topo");
    fails(here, &["up", "--map", "bad.topo"], 1, "line 3");
    fails(here, &["up", "--fabric", "sim:torus:3x3", "--topology", "clos"], 1, "--topology any");
    fails(here, &["image", "pack", "--initrd", "absent", "--key", "k", "-o", "img"], 1, "absent");
    assert_eq!(names(here), before, "nothing is left behind");
}

#[test]
fn info_names_the_providers_and_completions_are_scripts() {
    let dir = place();
    assert!(succeeds(dir.path(), &["info"]).contains("sim"));
    let info: Value = serde_json::from_str(&succeeds(dir.path(), &["info", "--json"])).unwrap();
    assert_eq!(info["providers"][0]["available"], true);
    assert!(succeeds(dir.path(), &["completions", "bash"]).contains("_twowire"));
    for help in [
        &["--help"][..],
        &["up", "--help"],
        &["image", "--help"],
        &["lab", "--help"],
        &["lab", "up", "--help"],
        &["key", "new", "--help"],
    ] {
        assert!(succeeds(dir.path(), help).contains("Example"), "{help:?}");
    }
}

#[test]
fn ctrl_c_ends_it_and_leaves_nothing() {
    let dir = place();
    fs::write(dir.path().join("initrd"), vec![1; 8 << 20]).unwrap();
    let args = ["up", "--initrd", "initrd", "--topo-out", "m.topo", "--routes-out", "r.routes"];
    let mut child = Command::new(env!("CARGO_BIN_EXE_twowire"))
        .args(args)
        .current_dir(dir.path())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // The first phase's line says that it is at work.
    let mut first = [0; 8];
    std::io::Read::read_exact(child.stdout.as_mut().unwrap(), &mut first).unwrap();
    let killed = Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(killed.success());
    let out = child.wait_with_output().unwrap();
    assert_eq!(out.status.code(), Some(130), "{}", String::from_utf8_lossy(&out.stderr));
    assert_eq!(names(dir.path()), ["initrd"]);
}

#[test]
fn a_lab_that_is_not_there_and_one_that_cannot_be() {
    let dir = place();
    let dir = dir.path();
    for command in [&["status"][..], &["down"], &["console", "n0"], &["power", "off"], &["cut", "n0"], &["swap", "n0"]]
    {
        let args = [&["lab"], command, &["--at", "no-lab"]].concat();
        fails(dir, &args, 1, "there is no lab in no-lab; `twowire lab up` makes one");
    }
    fails(dir, &["lab", "up", "--nodes", "0"], 2, "1..=127");
    fails(
        dir,
        &["lab", "up", "--nodes", "9", "--topology", "torus:2x2", "--at", "lab"],
        2,
        "has 3 hosts besides the front end",
    );
    fails(dir, &["lab", "up", "--topology", "mesh:", "--at", "lab"], 2, "mesh:");
    fails(dir, &["lab", "power", "up"], 2, "power");
    assert_eq!(names(dir), ["initrd"]);
}

#[test]
fn machines_are_brought_up_by_a_plan_and_an_image_of_their_key() {
    let dir = place();
    let dir = dir.path();
    let up = |more: &[&'static str]| [&["up", "--fabric", "xbar:x"], more].concat();
    fails(dir, &up(&[]), 2, "give --expect FILE (the intended cabling) or --map FILE");
    fs::write(
        dir.join("plan.topo"),
        "topo 1\ncrossbar x 4\nhost master 0x1\nhost n0 0x2\ncable master x:0\ncable n0 x:1\n",
    )
    .unwrap();
    fails(dir, &up(&["--expect", "plan.topo"]), 2, "give --image FILE --key FILE");
    fails(dir, &up(&["--expect", "plan.topo", "--fault", "loss:0.5"]), 2, "xbar cut");
    fails(dir, &up(&["--expect", "plan.topo", "--job", "2"]), 2, "mpirun --via");
    succeeds(dir, &["key", "new", "--out", "key"]);
    succeeds(dir, &["image", "pack", "--initrd", "initrd", "--key", "key", "-o", "image"]);
    let image = ["--expect", "plan.topo", "--image", "image", "--key", "key.pub"];
    fails(dir, &up(&image), 1, "no xbar runs at x");
    fails(dir, &["up", "--lab", "2", "--fault", "loss:0.5"], 2, "cannot be used with");
    fails(dir, &["up", "--fabric", "raw:eth0"], 2, "boot them with `bootd`");
}
