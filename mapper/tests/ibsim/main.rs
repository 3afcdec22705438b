//! `mapper` on subnets of the InfiniBand simulator ibsim, and what the InfiniBand tools that everybody uses say of them
//! afterwards. It reaches them by ibsim's own sockets, and by the kernel's library for management packets, for which ibsim stands in
//! as it does for those tools. Skipped where ibsim or the tools are not installed.

mod sandbox;
mod umad;

use sandbox::{Sandbox, installed};
use twowire_fabric::topology::lockstep::Lockstep;
use twowire_fabric::topology::{NodeId, Topology, read_file};

/// The ways to reach a subnet.
const WAYS: [&str; 2] = ["ibsim", "umad"];

/// 16 hosts and 20 switches, with ports that have no cable.
const CLOS: &str = "sim:clos:hosts=16,radix=6,levels=3";
const RANDOM: &str = "sim:random:crossbars=12,radix=8,hosts=20,seed=3";

/// What was mapped, with the ids of the cards that were found.
fn intended(sandbox: &Sandbox, found: &Topology) -> Topology {
    let mut intended = read_file(sandbox.path("intended.topo")).unwrap();
    for host in intended.host_ids() {
        let Some(NodeId::Host(twin)) = found.find(&intended.host(host).name) else { panic!("a host is missing") };
        intended.set_unique_id(host, found.host(twin).id);
    }
    intended
}

#[test]
fn a_subnet_is_found_as_it_is() {
    let dir = tempfile::tempdir().unwrap();
    let odd = dir.path().join("odd.topo");
    let text =
        "topo 1\ncrossbar k'[1]=\\ 4\nhost knöchel 0x1\nhost lid 0x2\ncable knöchel k'[1]=\\:0\ncable lid k'[1]=\\:3\n";
    std::fs::write(&odd, text).unwrap();
    for fabric in [CLOS, RANDOM, &format!("sim:{}", odd.display())] {
        let Some(sandbox) = Sandbox::with_subnet(fabric) else { return };
        sandbox.mapper("ibsim", "--topo-out found.topo");
        let found = read_file(sandbox.path("found.topo")).unwrap();
        let intended = intended(&sandbox, &found);
        let start = |of: &Topology| match of.find(&sandbox.node) {
            Some(NodeId::Host(host)) => host,
            _ => panic!("the front end is missing"),
        };
        let walk = Lockstep::walk(&intended, start(&intended), &found, start(&found));
        assert!(walk.differences().is_empty(), "{:?}", walk.differences());
        assert_eq!(found.cables().len(), intended.cables().len());
    }
}

#[test]
fn an_installed_subnet_is_one_for_the_tools_that_everybody_uses() {
    if !installed("ibnetdiscover") || !installed("ibtracert") {
        eprintln!("skipped: infiniband-diags is not installed");
        return;
    }
    for (fabric, way) in [CLOS, RANDOM].into_iter().flat_map(|fabric| WAYS.map(|way| (fabric, way))) {
        let Some(sandbox) = Sandbox::with_subnet(fabric) else { return };
        let report = sandbox.mapper(way, "--install --json");
        let report: serde_json::Value = serde_json::from_str(&report).unwrap();
        let topology = read_file(sandbox.path("intended.topo")).unwrap();
        assert_eq!(report["active_ports"], 2 * topology.cables().len());
        let seen = sandbox.tool("ibnetdiscover", &[]);
        assert_eq!(seen.lines().filter(|line| line.starts_with('[')).count(), 2 * topology.cables().len(), "{seen}");
        let hosts = topology.hosts().len();
        for i in 0..hosts {
            let (from, to) = ((i + 1).to_string(), ((i * 7 + 3) % hosts + 1).to_string());
            let trace = sandbox.tool("ibtracert", &[&from, &to]);
            let arrival = trace.lines().find(|line| line.starts_with("To ca ")).unwrap_or_default();
            assert!(arrival.contains(&format!("lid {to}-{to} ")), "from {from} to {to}:\n{trace}");
        }
    }
}

#[test]
fn a_subnet_that_a_subnet_manager_rules_is_left_alone() {
    if !installed("opensm") {
        eprintln!("skipped: opensm is not installed");
        return;
    }
    let Some(sandbox) = Sandbox::with_subnet(CLOS) else { return };
    // Each line is to be in the file when it is said.
    let opensm = sandbox.start("opensm", &["-d", "2", "-f", "opensm.log"], "n7");
    sandbox.wait_for("SUBNET UP", "opensm.log");
    for way in WAYS {
        let output = sandbox.run_on(&sandbox.fabric(way), "--install");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success() && said.contains("`n7` is at work (master)"), "{way}: {said}");
        sandbox.mapper(way, "--topo-out found.topo");
    }
    drop(opensm);
}

#[test]
fn opensm_takes_the_file_of_tables_as_it_is() {
    if !installed("opensm") {
        eprintln!("skipped: opensm is not installed");
        return;
    }
    let Some(sandbox) = Sandbox::with_subnet(CLOS) else { return };
    sandbox.mapper("ibsim", "--lfts-out tables.lfts");
    let file = sandbox.path("tables.lfts").display().to_string();
    sandbox.tool("opensm", &["-o", "-f", "opensm.log", "-R", "file,no_fallback", "-U", &file]);
    let log = std::fs::read_to_string(sandbox.path("opensm.log")).unwrap();
    assert!(log.contains("SUBNET UP") && !log.contains("ERR"), "{log}");
}

#[test]
fn what_cannot_be_done_is_said_with_the_remedy() {
    let Some(sandbox) = Sandbox::with_subnet(CLOS) else { return };
    for (fabric, words, expected) in [
        ("ibsim:nobody", "", "ibsim has no node `nobody`"),
        ("ibsim:n0", "--load", "use `--install`"),
        ("ibsim:n0", "--routes-per-pair 2", "one route for each pair"),
        ("sim:pink", "--install", "for InfiniBand subnets"),
    ] {
        let output = sandbox.run_on(fabric, words);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success() && said.contains(expected), "{words}: {said}");
        assert_eq!(said.lines().count(), 1, "{said}");
    }
}
