//! The program `mapper`, run as a user runs it, each time in a directory of its own.

mod merge;
mod outputs;
mod pictures;
mod sandbox;
mod serve;
mod show;
mod what_if;

use sandbox::Sandbox;
use serde_json::Value;
use std::fs;
use std::process::Command;

/// A small Clos that every test can afford: 16 hosts.
pub(crate) const CLOS: &str = "sim:clos:hosts=16,radix=4,levels=3";

#[test]
fn a_fabric_is_mapped_routed_and_proved() {
    let sandbox = Sandbox::new();
    let report = sandbox.json(&format!(
        "--topology clos --fabric {CLOS} --routes-per-pair 4 --topo-out m.topo --routes-out m.routes --svg m.svg --json"
    ));
    let number = |key: &str| report[key].as_u64().unwrap_or_else(|| panic!("{key}: {report}"));
    assert_eq!(["hosts", "crossbars", "cables"].map(number), [16, 20, 48]);
    assert_eq!(["pairs_routed", "routes_per_pair", "hops_max", "epoch", "seed"].map(number), [240, 4, 5, 1, 1]);
    assert_eq!(["wrong", "missing", "longer"].map(number), [0, 0, 0]);
    assert_eq!((report["engine"].as_str(), report["deadlock_free"].as_bool()), (Some("clos"), Some(true)));
    assert!(number("probes") > 48 && report["discovery_ms"].as_f64() > Some(0.0), "{report}");
    assert!(report["probes_per_cable"].as_f64() > Some(1.0) && report["wall_ms"].as_f64() > Some(0.0), "{report}");
    assert!(sandbox.read("m.topo").starts_with("topo 1\n"));
    assert!(sandbox.read("m.routes").starts_with("routes 1 epoch=1 hosts=16 engine=clos\n"));
    assert!(sandbox.read("m.svg").starts_with("<svg"));
    assert_eq!(sandbox.names(), ["m.routes", "m.svg", "m.topo"]);
    let proof = sandbox.ok("verify --topo m.topo --routes m.routes");
    assert!(proof.contains("all 240 pairs arrive, and no routes can deadlock"), "{proof}");
}

#[test]
fn a_saved_map_replays_to_the_same_routes() {
    let sandbox = Sandbox::new();
    sandbox.ok(&format!("--fabric {CLOS} --routes-per-pair 2 --topo-out a.topo --routes-out a.routes"));
    sandbox.ok("--from-topo a.topo --routes-per-pair 2 --topo-out b.topo --routes-out b.routes");
    assert_eq!(sandbox.read("a.topo"), sandbox.read("b.topo"));
    assert_eq!(sandbox.read("a.routes"), sandbox.read("b.routes"));
    sandbox.ok(&format!("--fabric {CLOS} --routes-per-pair 2 --topo-out c.topo --seed 1"));
    assert_eq!(sandbox.read("a.topo"), sandbox.read("c.topo"));
}

#[test]
fn a_replaced_card_changes_no_number_and_no_route() {
    let sandbox = Sandbox::new();
    sandbox.ok(&format!("--fabric {CLOS} --topo-out before.topo --routes-out before.routes"));
    sandbox.ok(&format!(
        "--fabric {CLOS} --fault swap:n7@0ms --map before.topo --topo-out after.topo --routes-out after.routes"
    ));
    assert_ne!(sandbox.read("before.topo"), sandbox.read("after.topo"), "the unique id is another one");
    assert_eq!(sandbox.read("before.routes"), sandbox.read("after.routes"));
    assert_eq!(sandbox.ok("diff before.topo after.topo"), "");
}

#[test]
fn what_is_not_as_intended_is_said_and_makes_the_status_1() {
    let sandbox = Sandbox::new();
    sandbox.ok(&format!("--fabric {CLOS} --topo-out intended.topo"));
    let as_intended = sandbox.ok(&format!("--fabric {CLOS} --expect intended.topo"));
    assert!(as_intended.contains("as intended"), "{as_intended}");
    let output = sandbox.run(&format!("--fabric {CLOS} --fault cut:x1.3:2 --expect intended.topo --topo-out now.topo"));
    let table = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(output.status.code(), Some(1));
    assert!(table.contains("  1. plug a cable from x1.3 port 2 to x2.2 port 1, or replace"), "{table}");
    assert!(table.contains("the cable x1.3:2 x2.2:1: it alone is dead"), "{table}");
    let output = sandbox.run("diff intended.topo now.topo --json");
    assert_eq!((output.status.code(), output.stderr.len()), (Some(1), 0));
    let changes: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(changes.as_array().map(Vec::len), Some(1), "{changes}");
    let output = sandbox.run("diff intended.topo now.topo --instructions --json");
    let instructions: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(instructions[0]["do"], "plug", "{instructions}");
    let report = sandbox.run(&format!("--fabric {CLOS} --fault cut:x1.3:2 --expect intended.topo --json"));
    let report: Value = serde_json::from_slice(&report.stdout).unwrap();
    assert_eq!((&report["instructions"], &report["suspects"][0]["component"]), (&instructions, &"cable".into()));
}

#[test]
fn other_topologies_say_which_engine_serves_them() {
    let sandbox = Sandbox::new();
    let cases = [
        ("torus", "torus:4x4", "torus"),
        ("hypercube", "hypercube:4", "hypercube"),
        ("hypercube", "torus:3x3", "updown"),
        ("any", "torus:3x3", "torus"),
    ];
    for (kind, fabric, engine) in cases {
        let report = sandbox.json(&format!("--topology {kind} --fabric sim:{fabric} --json"));
        assert_eq!((report["engine"].as_str(), report["deadlock_free"].as_bool()), (Some(engine), Some(true)));
    }
    sandbox.fails("--topology clos --fabric sim:torus:4x4", 1, &["not a Clos", "one cable", "--topology any"]);
}

#[test]
fn the_routes_of_a_host_are_printed() {
    let sandbox = Sandbox::new();
    sandbox.ok(&format!("--fabric {CLOS} --topo-out m.topo --routes-out m.routes --routes-per-pair 4"));
    let one = sandbox.ok("routes --from-topo m.topo --from n0 --to n9 --routes-per-pair 4");
    let lines: Vec<&str> = one.lines().collect();
    assert_eq!((lines[0], lines.len()), ("routes 1 epoch=1 hosts=16 engine=clos", 5));
    let all = sandbox.read("m.routes");
    assert!(lines[1..].iter().all(|line| line.starts_with("n0 n9 ") && all.contains(line)), "{one}");
    assert_eq!(sandbox.ok("routes --from-topo m.topo --from n0").lines().count(), 16);
    let list = sandbox.json("routes --from-topo m.topo --from n0 --to n9 --json");
    assert_eq!(list[0]["hops"].as_str(), lines[1].split(' ').nth(2));
    sandbox.fails("routes --from-topo m.topo --from n99", 2, &["--from n99", "no such host"]);
    sandbox.fails("routes --from-topo m.topo --from n0 --to x1.0", 2, &["--to x1.0", "crossbar"]);
}

#[test]
fn wrong_routes_are_refused_by_verify() {
    let sandbox = Sandbox::new();
    sandbox.ok("--fabric sim:torus:4 --topo-out ring.topo --routes-out good.routes");
    let good = sandbox.read("good.routes");
    let missing: String = good.lines().filter(|line| !line.starts_with("n0 n1 ")).map(|l| format!("{l}\n")).collect();
    sandbox.write("missing.routes", &missing);
    sandbox.write("wrong.routes", &good.replace("\nn0 n1 ", "\nn0 n1 80\nn0 n1 "));
    for (file, expected) in [("missing", "connected pairs have no route"), ("wrong", "1 routes do not arrive")] {
        let output = sandbox.run(&format!("verify --topo ring.topo --routes {file}.routes"));
        let table = String::from_utf8_lossy(&output.stdout).into_owned();
        assert_eq!(output.status.code(), Some(1), "{table}");
        assert!(table.contains(expected) && table.contains("n0 to n1: "), "{table}");
        let report = sandbox.run(&format!("verify --topo ring.topo --routes {file}.routes --json"));
        assert_eq!(serde_json::from_slice::<Value>(&report.stdout).unwrap()["hosts"].as_u64(), Some(4));
    }
}

/// All routes of a ring in one direction: `on` moves a frame on by a crossbar, `out` to the host.
fn one_way(names: [&str; 4]) -> String {
    let mut text = "routes 1 epoch=1 hosts=4 engine=by-hand\n".to_owned();
    for (i, from) in names.iter().enumerate() {
        for steps in 1..4 {
            text += &format!("{from} {} 81{}fe\n", names[(i + steps) % 4], "ff".repeat(steps - 1));
        }
    }
    text
}

/// A ring of crossbars with the host at port 0, the next crossbar at port 1, and the one before at port 2.
fn ring_of_four() -> String {
    let mut topo = "topo 1\n".to_owned();
    (0..4).for_each(|i| topo += &format!("crossbar x{i} 3\n"));
    (0..4).for_each(|i| topo += &format!("host n{i} {:#018x}\n", i + 1));
    (0..4).for_each(|i| topo += &format!("cable n{i} x{i}:0\ncable x{i}:1 x{}:2\n", (i + 1) % 4));
    topo
}

#[test]
fn a_deadlock_is_explained_by_verify() {
    let sandbox = Sandbox::new();
    sandbox.write("ring.topo", &ring_of_four());
    sandbox.write("ring.routes", &one_way(["n0", "n1", "n2", "n3"]));
    let output = sandbox.run("verify --topo ring.topo --routes ring.routes");
    let table = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(output.status.code(), Some(1));
    for expected in ["can deadlock over a cycle of 4 cables", "x0:1 -> x1:2", "x3:1 -> x0:2", "81ff"] {
        assert!(table.contains(expected), "expected: {expected}\ngot: {table}");
    }
}

#[test]
fn a_wrong_command_line_is_status_2() {
    let sandbox = Sandbox::new();
    sandbox.fails("", 2, &["--fabric", "--from-topo"]);
    sandbox.fails("--colour", 2, &["--colour", "Usage"]);
    sandbox.fails("--fabric sim:pink --from-topo x.topo", 2, &["cannot be used with"]);
    sandbox.fails("--from-topo x.topo --fault loss:0.1", 2, &["--fault", "--from-topo"]);
    sandbox.fails("--fabric myrinet:0", 2, &["`myrinet` is not a provider", "sim:pink"]);
    sandbox.fails("--fabric sim:clos:hosts=4", 2, &["radix"]);
    sandbox.fails("--fabric sim:pink --topology dragonfly", 2, &["dragonfly", "torus"]);
    sandbox.fails("--fabric sim:pink --routes-per-pair 0", 2, &["--routes-per-pair"]);
    sandbox.fails("--fabric sim:pink --routes-per-pair many", 2, &["--routes-per-pair"]);
    sandbox.fails("--fabric sim:pink --window 0", 2, &["--window"]);
    sandbox.fails("--fabric sim:pink --fault burn:n1", 2, &["burn", "crash"]);
    sandbox.fails(&format!("--fabric {CLOS} --fault crash:n99@1ms"), 2, &["n99", "no host"]);
    sandbox.fails(&format!("--fabric {CLOS} --front-end n99"), 2, &["n99"]);
    sandbox.fails("verify --topo a", 2, &["--routes"]);
    sandbox.fails("diff a", 2, &["<NEW>"]);
    sandbox.fails("completions tcsh", 2, &["tcsh", "bash"]);
}

#[test]
fn files_that_cannot_be_used_are_status_1() {
    let sandbox = Sandbox::new();
    sandbox.ok(&format!("--fabric {CLOS} --topo-out m.topo --routes-out m.routes"));
    sandbox.write("bad.topo", "topo 1\ncrossbar x0 4\ncable x0:0 x9:0\n");
    sandbox.write("bad.routes", "routes 1 epoch=1 hosts=16 engine=x\nn0 n1 zz\n");
    sandbox.write("other.topo", "topo 1\nhost a 0x0000000000000001\n");
    sandbox.write("empty.topo", "topo 1\n");
    fs::write(sandbox.path().join("binary.routes"), [0xff, 0xfe, 0]).unwrap();
    sandbox.fails("--from-topo none.topo", 1, &["cannot read none.topo"]);
    sandbox.fails("--from-topo bad.topo", 1, &["bad.topo, line 3", "x9"]);
    sandbox.fails("--from-topo empty.topo", 1, &["empty.topo", "no host"]);
    sandbox.fails("--fabric sim:bad.topo", 1, &["bad.topo, line 3"]);
    sandbox.fails(&format!("--fabric {CLOS} --map other.topo"), 1, &["--map other.topo"]);
    sandbox.fails(&format!("--fabric {CLOS} --expect none.topo"), 1, &["cannot read none.topo"]);
    sandbox.fails("verify --topo m.topo --routes none.routes", 1, &["cannot read none.routes"]);
    sandbox.fails("verify --topo m.topo --routes bad.routes", 1, &["bad.routes, line 2", "zz"]);
    sandbox.fails("verify --topo m.topo --routes binary.routes", 1, &["binary.routes", "UTF-8"]);
    sandbox.fails("verify --topo other.topo --routes m.routes", 1, &["m.routes, line 1", "16 hosts"]);
    sandbox.fails("diff m.topo bad.topo", 1, &["bad.topo, line 3"]);
    sandbox.fails("routes --from-topo bad.topo --from n0", 1, &["bad.topo, line 3"]);
}

#[test]
fn files_that_cannot_be_written_are_noticed_before_the_work() {
    let sandbox = Sandbox::new();
    fs::create_dir(sandbox.path().join("d")).unwrap();
    for flag in ["--topo-out", "--routes-out", "--svg", "--dot", "--slurm", "--hostfile"] {
        let missing = format!("--fabric {CLOS} --topo-out ok.topo {flag} no/such/dir/f");
        let missing = if flag == "--topo-out" { missing.replace("--topo-out ok.topo ", "") } else { missing };
        sandbox.fails(&missing, 1, &["cannot write no/such/dir/f", "choose a directory"]);
    }
    sandbox.fails(&format!("--fabric {CLOS} --routes-out d"), 1, &["cannot write d"]);
    sandbox.ok(&format!("--fabric {CLOS} --routes-out /dev/null"));
    let full = sandbox.run(&format!("--fabric {CLOS} --routes-out /dev/full"));
    assert_eq!(full.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&full.stderr).contains("cannot write /dev/full"));
}

#[test]
fn help_has_examples_and_completions_are_scripts() {
    let sandbox = Sandbox::new();
    for words in [
        "--help",
        "verify --help",
        "routes --help",
        "serve --help",
        "show --help",
        "what-if --help",
        "merge --help",
        "diff --help",
        "completions --help",
    ] {
        let help = sandbox.ok(words);
        assert!(help.contains("Example") && help.contains("Usage: mapper"), "mapper {words}\n{help}");
    }
    assert!(sandbox.ok("completions bash").contains("complete -F _mapper"));
    assert!(sandbox.ok("--version").starts_with("mapper "));
}

#[test]
#[cfg(unix)]
fn ctrl_c_leaves_nothing_behind() {
    let sandbox = Sandbox::new();
    let words = "--fabric sim:pink --routes-per-pair 64 --topo-out m.topo --routes-out m.routes";
    let mut child =
        Command::new(env!("CARGO_BIN_EXE_mapper")).args(words.split(' ')).current_dir(sandbox.path()).spawn().unwrap();
    let pid = child.id().to_string();
    // Asked again and again: the program may not have taken over the signal when the first one comes.
    let status = loop {
        assert!(Command::new("kill").args(["-INT", &pid]).status().unwrap().success());
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
    };
    assert!(!status.success());
    assert_eq!(sandbox.names(), Vec::<String>::new());
}
