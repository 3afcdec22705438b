//! The real program, run in an empty directory.

use std::fs;
use std::path::Path;
use std::process::Command;
use tempfile::TempDir;

/// What one run of the program did.
#[derive(Debug, PartialEq)]
struct Outcome {
    status: i32,
    stdout: String,
    stderr: String,
}

fn run(directory: &Path, line: &str) -> Outcome {
    let output = Command::new(env!("CARGO_BIN_EXE_route-store"))
        .args(line.split_whitespace())
        .current_dir(directory)
        .output()
        .expect("the program starts");
    Outcome {
        status: output.status.code().expect("the program is not killed"),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

/// A run that must succeed quietly; returns what it printed.
#[track_caller]
fn ok(directory: &Path, line: &str) -> String {
    let outcome = run(directory, line);
    assert_eq!((outcome.status, outcome.stderr.as_str()), (0, ""), "route-store {line}\n{}", outcome.stdout);
    outcome.stdout
}

/// A run that must fail with this status; returns the error, which is one line.
#[track_caller]
fn fails(directory: &Path, status: i32, line: &str) -> String {
    let outcome = run(directory, line);
    assert_eq!(outcome.status, status, "route-store {line}\n{outcome:#?}");
    assert!(status == 2 || outcome.stderr.lines().count() == 1, "route-store {line}\n{outcome:#?}");
    outcome.stderr
}

const SET: &str = "set --device d --node 17 --epoch 3 --route 88f887 --alternate 89f886";

fn formatted() -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    ok(dir.path(), "format --device d");
    dir
}

#[test]
fn a_record_is_written_and_shown() {
    let dir = formatted();
    assert_eq!(fs::read(dir.path().join("d")).unwrap(), vec![0; 8192]);
    assert_eq!(ok(dir.path(), SET), "d: written to slot 0, sequence 1\n");
    assert_eq!(
        ok(dir.path(), "show --device d"),
        "node       n17\nepoch      3\nroute      88f887\nalternate  89f886\nfrom       slot 0, sequence 1\n"
    );
    assert_eq!(
        ok(dir.path(), "show --device d --json"),
        "{\"device\":\"d\",\"slot\":0,\"sequence\":1,\"epoch\":3,\"node\":17,\"route\":\"88f887\",\"alternates\":[\"89f886\"],\"left_out\":0,\"image\":null,\"oldest_version\":0}\n"
    );
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
}

#[test]
fn nothing_is_written_twice() {
    let dir = formatted();
    ok(dir.path(), SET);
    let before = fs::read(dir.path().join("d")).unwrap();
    assert_eq!(ok(dir.path(), SET), "d: the record is there already; nothing was written\n");
    assert_eq!(
        ok(dir.path(), &format!("{SET} --json")),
        "{\"device\":\"d\",\"written\":false,\"slot\":0,\"sequence\":1,\"left_out\":0}\n"
    );
    assert_eq!(fs::read(dir.path().join("d")).unwrap(), before);
    ok(dir.path(), "set --device d --node 17 --epoch 4 --route -");
    assert_eq!(
        ok(dir.path(), "check --device d"),
        "slot 0  valid, sequence 1, epoch 3\nslot 1  valid, sequence 2, epoch 4  <- counts\n"
    );
}

#[test]
fn a_damaged_slot_is_found_and_mended() {
    let dir = formatted();
    let path = dir.path().join("d");
    ok(dir.path(), SET);
    ok(dir.path(), "set --device d --node 17 --epoch 4 --route 88");
    let mut bytes = fs::read(&path).unwrap();
    bytes[4096 + 8] ^= 1;
    fs::write(&path, &bytes).unwrap();
    assert!(ok(dir.path(), "show --device d").contains("epoch      3"), "the older record counts");
    let outcome = run(dir.path(), "check --device d --json");
    assert_eq!(outcome.status, 1);
    let report: serde_json::Value = serde_json::from_str(&outcome.stdout).unwrap();
    assert_eq!((&report["ok"], &report["current"]), (&false.into(), &0.into()));
    assert_eq!(report["slots"][1]["state"], "invalid");
    assert!(report["slots"][1]["reason"].as_str().unwrap().starts_with("CRC-32 is"), "{report}");
    assert_eq!(outcome.stderr, "route-store: d: a slot is damaged; the next change of the record mends it\n");
    ok(dir.path(), "set --device d --node 17 --epoch 5 --route 88");
    ok(dir.path(), "check --device d");
}

#[test]
fn errors_name_the_device_and_the_remedy() {
    let dir = tempfile::tempdir().unwrap();
    let at = dir.path();
    let missing = fails(at, 1, "show --device nowhere");
    assert!(missing.starts_with("route-store: nowhere: cannot be opened: "), "{missing}");
    assert!(missing.contains("make it with `route-store format`"), "{missing}");
    assert_eq!(fails(at, 1, "set --device nowhere --node 1 --epoch 1 --route 88"), missing);
    let error = fails(at, 1, "format --device no/such/directory");
    assert!(error.starts_with("route-store: no/such/directory: cannot be created: "), "{error}");
    ok(at, "format --device d --size 64");
    let error = fails(at, 1, "show --device d");
    assert_eq!(error, "route-store: d: no record was ever written; write one with `route-store set`\n");
    assert_eq!(fails(at, 1, "check --device d"), error);
    let long = format!("set --device d --node 1 --epoch 1 --route {}", "81".repeat(21));
    assert_eq!(
        fails(at, 1, &long),
        "route-store: d: the master route needs a record of 33 bytes, but there is room for 32: use a larger medium\n"
    );
    let error = fails(at, 1, "set --device d --node 1 --epoch 1 --route 81 --alternate 81");
    assert_eq!(error, "route-store: the route 81 is given twice: an alternate must be another route\n");
    fs::write(at.join("tiny"), "x").unwrap();
    let error = fails(at, 1, "show --device tiny");
    assert!(error.contains("tiny: a medium with slots of 0 bytes is too small"), "{error}");
    fs::write(at.join("text"), "this is no NVRAM, it is a text of some length, by which it is no record").unwrap();
    let error = fails(at, 1, "show --device text");
    assert!(error.contains("slot 0 invalid: starts with 0x74, expected 0x54"), "{error}");
    let before = fs::read(at.join("text")).unwrap();
    let error = fails(at, 1, "set --device text --node 1 --epoch 1 --route 81");
    assert_eq!(
        error,
        "route-store: text: holds something that is no record: format it first (`route-store format --force`)\n"
    );
    let error = fails(at, 1, "format --device text");
    assert!(error.contains("holds something that is no record"), "{error}");
    assert_eq!(fs::read(at.join("text")).unwrap(), before);
    ok(at, "format --device text --force");
    ok(at, "set --device text --node 1 --epoch 1 --route 81");
}

#[test]
fn what_does_not_fit_is_left_out_and_said() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("cmos"), [0; 114]).unwrap();
    let device = "--device nvram:cmos@40";
    ok(dir.path(), &format!("format {device}"));
    let set = format!(
        "set {device} --node 17 --epoch 3 --route 8182838485 --alternate 8182838486 --alternate 8182838487828384858687"
    );
    assert_eq!(
        ok(dir.path(), &set),
        "nvram:cmos@40: written to slot 0, sequence 1; 1 alternate was left out for want of room\n"
    );
    assert!(ok(dir.path(), &set).contains("nothing was written"));
    let shown = ok(dir.path(), &format!("show {device}"));
    assert!(shown.contains("alternate  8182838486\nleft out   1 alternate, for want of room\n"), "{shown}");
    let bytes = fs::read(dir.path().join("cmos")).unwrap();
    assert!(bytes[..40].iter().chain(&bytes[72..]).all(|&byte| byte == 0), "outside the slot that was written");
}

#[test]
fn what_is_known_of_the_image_stays_until_it_is_forgotten() {
    use twowire_route_store::{Access, Attempts, Device, Store};
    let dir = formatted();
    ok(dir.path(), SET);
    ok(dir.path(), &format!("{SET} --oldest-version 12"));
    let device: Device = dir.path().join("d").to_str().unwrap().parse().unwrap();
    let mut store = Store::new(device.open(Access::Write).unwrap());
    let record = store.load().unwrap().record;
    let attempts = Attempts { image: "9d4c01aa".parse().unwrap(), begun: 2, proven: false };
    store.write(&record.with_attempts(Some(attempts))).unwrap();
    drop(store);
    ok(dir.path(), "set --device d --node 17 --epoch 4 --route 81");
    assert_eq!(
        ok(dir.path(), "show --device d"),
        "node       n17\nepoch      4\nroute      81\nimage      9d4c01aa, not proven, 2 of 2 attempts begun\n\
         oldest     version 12 of an image may be booted\nfrom       slot 1, sequence 4\n"
    );
    let json: serde_json::Value = serde_json::from_str(&ok(dir.path(), "show --device d --json")).unwrap();
    let image = serde_json::json!({"tag": "9d4c01aa", "begun": 2, "proven": false, "exhausted": true});
    assert_eq!((&json["image"], &json["oldest_version"]), (&image, &12.into()));
    ok(dir.path(), "set --device d --node 17 --epoch 4 --route 81 --oldest-version 0 --forget-image");
    let json: serde_json::Value = serde_json::from_str(&ok(dir.path(), "show --device d --json")).unwrap();
    assert_eq!((&json["image"], &json["oldest_version"]), (&serde_json::Value::Null, &0.into()));
}

#[test]
fn the_image_that_runs_is_proven_and_no_other() {
    use twowire_route_store::{Access, Attempts, Device, Store};
    let dir = formatted();
    ok(dir.path(), SET);
    let device: Device = dir.path().join("d").to_str().unwrap().parse().unwrap();
    let mut store = Store::new(device.open(Access::Write).unwrap());
    let record = store.load().unwrap().record;
    let attempts = Attempts { image: "9d4c01aa".parse().unwrap(), begun: 2, proven: false };
    store.write(&record.with_attempts(Some(attempts))).unwrap();
    drop(store);
    let other = ok(dir.path(), "ready --device d --image 00000001 --image-version 7");
    assert!(other.contains("the record does not name this image"), "{other}");
    assert!(ok(dir.path(), "show --device d").contains("9d4c01aa, not proven"));
    let ready = "ready --device d --image 9d4c01aa --image-version 7";
    assert_eq!(ok(dir.path(), ready), "d: 9d4c01aa is proven\n");
    let shown = ok(dir.path(), "show --device d");
    assert!(shown.contains("9d4c01aa, proven\n") && shown.contains("version 7 of an image"), "{shown}");
    assert_eq!(ok(dir.path(), ready), "d: 9d4c01aa is proven already; nothing was written\n");
    assert_eq!(
        ok(dir.path(), "ready --device d --image 9d4c01aa --json"),
        "{\"device\":\"d\",\"proven\":true,\"written\":false}\n"
    );
    let error = fails(dir.path(), 2, "ready --device d --image 9d4c");
    assert!(error.contains("is not an image's tag"), "{error}");
}

#[test]
fn every_kind_of_device_is_named_in_the_same_way() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("bytes"), [0; 8192]).unwrap();
    for device in ["file:bytes", "mem:bytes@4096", "efi:./Name", "nvram:bytes@100"] {
        ok(dir.path(), &format!("format --device {device} --force"));
        ok(dir.path(), &format!("set --device {device} --node 17 --epoch 3 --route 88f887"));
        let shown = ok(dir.path(), &format!("show --device {device}"));
        assert!(shown.starts_with("node       n17\n"), "{device}: {shown}");
        ok(dir.path(), &format!("check --device {device}"));
    }
    let error = fails(dir.path(), 2, "show --device flash:bytes");
    assert!(error.contains("`flash:` is no kind of medium: expected file, nvram, efi"), "{error}");
    let error = fails(dir.path(), 1, "show --device nvram:bytes@8");
    assert!(error.contains("bytes 0 to 33 belong to the firmware"), "{error}");
    let error = fails(dir.path(), 1, "format --device mem:bytes --size 64");
    assert!(error.contains("has a size already"), "{error}");
}

#[test]
fn formatting_does_not_destroy_by_accident() {
    let dir = formatted();
    ok(dir.path(), "format --device d");
    ok(dir.path(), SET);
    let error = fails(dir.path(), 1, "format --device d");
    assert!(error.starts_with("route-store: d: is not blank"), "{error}");
    let error = fails(dir.path(), 1, "format --device d --force --size 64");
    assert!(error.contains("has 8192 bytes already"), "{error}");
    ok(dir.path(), "show --device d");
    assert_eq!(ok(dir.path(), "format --device d --force"), "d: blank, two slots of 4096 bytes\n");
    assert_eq!(fs::read(dir.path().join("d")).unwrap(), vec![0; 8192]);
}

#[test]
fn wrong_usage_exits_with_2() {
    let dir = tempfile::tempdir().unwrap();
    for line in [
        "",
        "frobnicate",
        "show --colour",
        "set --device d --node 1 --epoch 1",
        "set --device d --node -1 --epoch 1 --route 88",
        "format --size 10",
        "format --size many",
    ] {
        let error = fails(dir.path(), 2, line);
        assert!(!error.is_empty(), "{line}");
    }
    let error = fails(dir.path(), 2, "set --device d --node 1 --epoch 1 --route 8801");
    assert!(error.contains("hop 1 is 0x01: a hop byte has its top bit set"), "{error}");
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
}

#[test]
fn help_has_examples_that_work() {
    let dir = tempfile::tempdir().unwrap();
    let help = ok(dir.path(), "--help");
    let examples: Vec<&str> = help.lines().filter_map(|line| line.strip_prefix("  route-store ")).collect();
    assert_eq!(examples.len(), 5, "{help}");
    examples.into_iter().for_each(|line| drop(ok(dir.path(), line)));
}

#[test]
fn the_example_in_the_manual_page_is_true() {
    let dir = tempfile::tempdir().unwrap();
    let page = include_str!("../../docs/route-store.md");
    let example = page.split("## Example").nth(1).and_then(|rest| rest.split("```").nth(1)).unwrap();
    let mut runs = 0;
    for session in example.trim().split("$ route-store ").skip(1) {
        let (line, expected) = session.split_once('\n').unwrap();
        assert_eq!(ok(dir.path(), line).trim_end(), expected.trim_end(), "route-store {line}");
        runs += 1;
    }
    assert_eq!(runs, 5);
}
