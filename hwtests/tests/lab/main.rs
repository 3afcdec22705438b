//! Clusters of virtual machines that boot real kernels over software crossbars, without an Ethernet, a disk or an IP address.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};
use twowire_cluster::lab::emulator::Kernel;
use twowire_cluster::lab::flash::NewImage;
use twowire_cluster::lab::plan::{LabOptions, Nvram};
use twowire_hwtests::lab::TestLab;
use twowire_hwtests::programs::{Process, mpi_program, program, small_program, static_bootnode, until};
use twowire_multicast_boot::initramfs::Initramfs;

/// The ethertype of all that Twowire sends.
const OURS: u16 = 0x88b5;

fn counts(output: &str) -> [u64; 2] {
    let last: serde_json::Value = serde_json::from_str(output.lines().last().unwrap_or_default()).unwrap_or_default();
    ["nodes_ready", "nodes_failed"].map(|key| last[key].as_u64().unwrap_or(u64::MAX))
}

/// A front end that boots this many nodes, and all of them.
fn boot(lab: &TestLab, log: &str, nodes: u64) {
    let mut bootd = lab.bootd(log);
    assert!(bootd.wait().success(), "{}", bootd.output());
    assert_eq!(counts(&bootd.output()), [nodes, 0], "{}", bootd.output());
}

/// Four nodes that have never been on are mapped, get their routes and the image, start its kernel, and solve a system of equations
/// together. When they are on again they have their routes.
#[test]
fn four_nodes_boot_cold_work_together_and_keep_their_routes() {
    let Some(lab) = TestLab::with(4, |options| LabOptions { capture: true, ..options }) else { return };
    lab.expect_phase1();
    let report = lab.bring_up();
    assert_eq!(report["nodes_up"], 4, "{report}");
    assert_eq!(report["proof"]["deadlock_free"], true, "{report}");
    let solver = mpi_program("lab/cg.c", &lab.path("."));
    let output = lab.mpirun("n0,n1,n2,n3").arg(&solver).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && said.starts_with("ring 6, grid 2 x 2, solved after "), "{}", shown(&output));
    for node in &lab.plan().nodes {
        assert_eq!(lab.ethertypes(node), [OURS], "{node}");
        let console = lab.console(node).unwrap();
        assert!(!console.contains("route read") && console.contains("noded: ready"), "{console}");
        lab.power_cycle(node).unwrap();
    }
    lab.expect(&["n0", "n1", "n2", "n3"], &["route read"]);
}

fn shown(output: &Output) -> String {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    format!("{}\n--- stdout\n{}\n--- stderr\n{}", output.status, text(&output.stdout), text(&output.stderr))
}

/// Nodes that have booted run an MPI program that they have never seen: it comes over the fabric, once, and so do its output, its exit code
/// and the signal that ends it. Afterwards they are still there, and are mapped again.
#[test]
fn nodes_run_the_programs_that_the_front_end_sends() {
    let Some(lab) = TestLab::with(2, |options| LabOptions { capture: true, ..options }) else { return };
    lab.expect_phase1();
    lab.bring_up();
    let job = mpi_program("noded/job.c", &lab.path("."));
    let run = |words: &[&str]| lab.mpirun("n0:2,n1:2").arg(&job).args(words).env("COLOUR", "green").output().unwrap();
    let output = run(&[]);
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success() && said.lines().count() == 4, "{}", shown(&output));
    for rank in 0..4 {
        assert!(said.contains(&format!("rank {rank} of 4, 2 here, read '', green in ")), "{}", shown(&output));
    }
    for (how, code) in [("exit", 5), ("kill", 137), ("abort", 9)] {
        let output = run(&[how, "3"]);
        assert_eq!(output.status.code(), Some(code), "{how}: {}", shown(&output));
    }
    let mut job = Process::start(
        {
            let mut command = lab.mpirun("n0,n1");
            command.arg(&job).arg("wait");
            command
        },
        &lab.path("wait.log"),
    );
    job.wait_for("rank 1 of 2");
    job.interrupt();
    assert_eq!(job.wait().code(), Some(130), "{}", job.output());
    for node in ["n0", "n1"] {
        assert_eq!(lab.ethertypes(node), [OURS], "{node}");
        let console = lab.console(node).unwrap();
        let lacked = console.matches("of its files are lacking").count();
        assert!(lacked == 5 && console.matches(" 0 of its files are lacking").count() == 4, "{console}");
        let kib = console.split(" KiB resident").next().and_then(|text| text.rsplit(' ').next()?.parse().ok());
        assert!(kib.is_some_and(|kib: u64| kib > 0 && kib <= 8192), "{console}");
    }
    let out = lab.run("mapper", &["--fabric", &lab.fabric(), "--topo-out", "again"]);
    assert!(lab.path("again").exists(), "{out}");
    let plugged = |name: &str| {
        let text = fs::read_to_string(lab.path(name)).unwrap();
        // How many ports a crossbar has is known as far as it is used.
        text.lines().filter(|line| !line.starts_with("crossbar")).map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(plugged("again"), plugged("map"));
}

/// A node that hears of no front end is restarted, and waits for one in phase 1; but not while it is held.
#[test]
fn a_node_without_a_front_end_is_restarted_unless_it_is_held() {
    let settings = "twowire.restart-alone=20s".to_owned();
    let Some(lab) = TestLab::with(1, |options| LabOptions { image_settings: settings, ..options }) else { return };
    lab.expect_phase1();
    // What has to be built for it is built before the node is alone.
    let _ = lab.mpirun("n0");
    lab.bring_up();
    let hold = |words: &[&str]| {
        let output = lab.mpirun("n0").arg(lab.plan().noded()).arg("hold").args(words).output().unwrap();
        assert!(output.status.success(), "{}", shown(&output));
    };
    hold(&[]);
    lab.expect(&["n0"], &["held: no front end for 20s"]);
    hold(&["--off"]);
    lab.expect(&["n0"], &["restarts the machine: no front end for 20s"]);
    lab.expect(&["n0"], &["route read: n0"]);
}

/// A node whose NVRAM was damaged waits like a new one, and the others do not notice. So does one with another card: its place is the
/// same.
#[test]
fn a_damaged_nvram_and_another_card_change_nothing_for_the_others() {
    let Some(lab) = TestLab::with(2, |options| LabOptions { nvram: Nvram::Disk, ..options }) else { return };
    lab.expect_phase1();
    lab.map();
    boot(&lab, "first.log", 2);
    for node in ["n0", "n1"] {
        assert!(lab.power_off(node).unwrap());
    }
    let nvram = lab.folder().nvram("n0");
    let damaged: Vec<u8> = fs::read(&nvram).unwrap().iter().map(|byte| byte ^ 0x55).collect();
    fs::write(&nvram, damaged).unwrap();
    lab.swap_card("n1").unwrap();
    ["n0", "n1"].iter().for_each(|node| lab.power_on(node).unwrap());
    lab.expect(&["n1"], &["route read: n1"]);
    lab.expect(&["n0"], &["waits for routes"]);
    assert!(!lab.console("n0").unwrap().contains("route read"));
    boot(&lab, "second.log", 2);
}

/// Two nodes of which one is behind other crossbars, to which two ways lead; mapped.
fn two_ways() -> Option<TestLab> {
    let cabling = "clos:hosts=3,radix=4,levels=2".parse().unwrap();
    let lab = TestLab::with(2, |options| LabOptions { cabling, ..options })?;
    lab.expect_phase1();
    lab.map();
    Some(lab)
}

/// One of two ways to a node is cut while the image comes: all of it comes by the other one. The cable is mended before the kernels start.
#[test]
fn a_cable_is_cut_while_the_image_comes() {
    let Some(lab) = two_ways() else { return };
    let mut bootd = lab.bootd("bootd.log");
    until("the image comes", || bootd.output().contains("receiving"));
    lab.strike("cut:x1.0:2").unwrap();
    // One on which nobody depends may hand over at once, and does not say before that it has verified the image.
    lab.expect(&["n0", "n1"], &["] handing over"]);
    lab.strike("mend:x1.0:2").unwrap();
    assert!(bootd.wait().success(), "{}", bootd.output());
    assert_eq!(counts(&bootd.output()), [2, 0], "{}", bootd.output());
}

#[test]
fn a_front_end_that_is_killed_starts_again() {
    let Some(lab) = two_ways() else { return };
    let killed = lab.bootd("killed.log");
    until("the image comes", || killed.output().contains("receiving"));
    killed.kill();
    boot(&lab, "again.log", 2);
}

/// A newer image replaces the first one although the power of the node is cut in the middle of it. The next one panics at its start; after
/// two attempts the node falls back by itself to the one that did boot.
#[test]
fn an_update_survives_a_power_cut_and_one_that_panics_falls_back() {
    let Some(lab) = TestLab::new(1) else { return };
    lab.expect_phase1();
    lab.map();
    let image = |version: u64, words: &str| {
        let output = lab.path(&format!("v{version}.img"));
        let initrd = &lab.folder().phase2();
        lab.pack_image(&NewImage { version, initrd, output: &output, words }).unwrap();
        output
    };
    let (second, third) = (image(2, ""), image(3, "rdinit=/missing"));
    boot(&lab, "first.log", 1);
    assert_eq!(lab.record("n0")["oldest_version"], 1);
    lab.power_cycle("n0").unwrap();
    let mut update = lab.bootd_of("update.log", &second, None);
    until("the image comes", || update.output().contains("receiving"));
    lab.power_cycle("n0").unwrap();
    assert!(update.wait().success(), "{}", update.output());
    assert_eq!(counts(&update.output()), [1, 0], "{}", update.output());
    assert_eq!(lab.record("n0")["oldest_version"], 2);
    lab.power_cycle("n0").unwrap();
    let mut broken = lab.bootd_of("broken.log", &third, Some(&second));
    assert!(broken.wait().success(), "{}", broken.output());
    assert_eq!(counts(&broken.output()), [1, 0], "{}", broken.output());
    let console = lab.console("n0").unwrap();
    assert_eq!(console.matches("Kernel panic - not syncing").count(), 2, "{console}");
    assert!(console.contains("boots the fallback"), "{console}");
    let record = lab.record("n0");
    assert_eq!((&record["oldest_version"], &record["image"]["exhausted"]), (&2.into(), &true.into()), "{record}");
}

/// The power of a machine is cut while it writes its record, at one place after the other: there is always a record, and it is not older than
/// what was known to be written.
#[test]
fn power_cuts_while_the_nvram_is_written_leave_a_record() {
    let Some(lab) = TestLab::new(1) else { return };
    lab.power_off("n0").unwrap();
    let writer = Initramfs::new(&small_program("nvram-writer", &lab.path("."))).unwrap().finish();
    fs::write(lab.folder().phase1(), writer).unwrap();
    let mut known = 0;
    for round in 1..=4u64 {
        lab.power_on("n0").unwrap();
        lab.expect(&["n0"], &[&format!("found {known}")]);
        let (cut, mut told) = (known + 50 * round, known);
        until("it has written so far", || {
            let console = lab.console("n0").unwrap();
            told = console
                .lines()
                .filter_map(|line| line.strip_prefix("wrote ")?.trim().parse().ok())
                .max()
                .unwrap_or(told);
            told >= cut
        });
        lab.power_off("n0").unwrap();
        let record = lab.record("n0");
        let epoch = record["epoch"].as_u64().unwrap();
        assert!(epoch >= told, "{record}: {told} was written");
        assert_eq!(
            record["route"].as_str().unwrap(),
            format!("{:02x}", 0x80 | epoch as u8).repeat(1 + epoch as usize % 40)
        );
        known = epoch;
    }
}

/// The command lines of processes that name this folder.
fn that_name(folder: &Path) -> Vec<String> {
    let name = folder.to_str().unwrap();
    let all = fs::read_dir("/proc").unwrap().flatten();
    let lines = all.filter_map(|entry| fs::read(entry.path().join("cmdline")).ok());
    lines.map(|line| String::from_utf8_lossy(&line).replace('\0', " ")).filter(|line| line.contains(name)).collect()
}

/// `twowire up --lab` ends with the roll of its machines, which are gone then.
#[test]
fn a_bring_up_of_a_lab_ends_with_its_roll() {
    if let Err(reason) = Kernel::find() {
        eprintln!("skipped: {reason}");
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    static_bootnode();
    let mut up = Command::new(program("twowire"));
    let output =
        up.args(["up", "--lab", "1", "--job", "1", "--json"]).env("XDG_RUNTIME_DIR", dir.path()).output().unwrap();
    let said = shown(&output);
    if said.contains("available; give") {
        eprintln!("skipped: {said}");
        return;
    }
    assert!(output.status.success(), "{said}");
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let roll = &report["roll_call"];
    assert_eq!((&roll["ready"], &roll["failed"]), (&1.into(), &0.into()), "{roll}");
    let machine = &roll["machines"][0];
    assert_eq!(
        (&machine["node"], &machine["place"], &machine["image"]),
        (&"n0".into(), &"x1.0:1".into(), &"lab 1".into())
    );
    let seconds = ["phase1", "image", "kexec", "ready"].map(|step| machine["seconds"][step].as_f64().expect(step));
    assert!(seconds[0] > 0.0 && seconds.is_sorted(), "{seconds:?}");
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
}

/// Starts `twowire` with these words, and kills it once this console is there; true if there is memory for its machines.
fn kill_when_on(words: &[&str], runtime: &Path, console: &Path) -> bool {
    let mut command = Command::new(program("twowire"));
    command.args(words).env("XDG_RUNTIME_DIR", runtime);
    let up = Process::start(command, &runtime.join("up.log"));
    until("a machine is on", || console.exists() || up.output().contains("available"));
    let said = up.output();
    up.kill();
    if said.contains("available") {
        eprintln!("skipped: {said}");
    }
    console.exists()
}

fn lab_down(at: &Path) -> String {
    let down = Command::new(program("twowire")).args(["lab", "down", "--at"]).arg(at).output().unwrap();
    assert!(down.status.success() && that_name(at).is_empty() && !at.exists(), "{}", shown(&down));
    String::from_utf8(down.stdout).unwrap()
}

/// `twowire lab up` is killed while it switches machines on; what it has left, which is to go on without it, is found and taken away.
#[test]
fn what_a_killed_program_has_left_is_taken_away() {
    if let Err(reason) = Kernel::find() {
        eprintln!("skipped: {reason}");
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let at = dir.path().canonicalize().unwrap().join("twowire-lab");
    let bootnode = static_bootnode();
    let words = ["lab", "up", "--nodes", "3", "--accelerator", "tcg", "--bootnode", bootnode.to_str().unwrap()];
    if kill_when_on(&words, dir.path(), &at.join("n0.console")) {
        assert!(that_name(&at).len() >= 2, "{:?}", that_name(&at));
        lab_down(&at);
    }
}

/// `twowire up --lab` is killed when both of its machines are on: they end with it, and so do their crossbars.
#[test]
fn a_lab_ends_with_the_program_that_it_belongs_to() {
    if let Err(reason) = Kernel::find() {
        eprintln!("skipped: {reason}");
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let at = dir.path().canonicalize().unwrap().join("twowire-lab");
    static_bootnode();
    if kill_when_on(&["up", "--lab", "2"], dir.path(), &at.join("n1.console")) {
        until("the end of all processes of the lab", || that_name(&at).is_empty());
        assert!(lab_down(&at).starts_with("0 processes ended"));
    }
}
