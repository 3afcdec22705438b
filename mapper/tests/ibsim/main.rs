//! `mapper` on subnets of the InfiniBand simulator ibsim, and what the InfiniBand tools that everybody uses say of them
//! afterwards. Skipped where ibsim or the tools are not installed.

mod sandbox;

use sandbox::{Sandbox, installed};
use twowire_fabric::topology::lockstep::Lockstep;
use twowire_fabric::topology::{NodeId, Topology, read_file};

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
    for fabric in [CLOS, RANDOM] {
        let Some(sandbox) = Sandbox::with_subnet(fabric) else { return };
        sandbox.mapper("--topo-out found.topo");
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
    for fabric in [CLOS, RANDOM] {
        let Some(sandbox) = Sandbox::with_subnet(fabric) else { return };
        let report = sandbox.mapper("--install --json");
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
fn opensm_takes_the_file_of_tables_as_it_is() {
    if !installed("opensm") {
        eprintln!("skipped: opensm is not installed");
        return;
    }
    let Some(sandbox) = Sandbox::with_subnet(CLOS) else { return };
    sandbox.mapper("--lfts-out tables.lfts");
    let file = sandbox.path("tables.lfts").display().to_string();
    sandbox.tool("opensm", &["-o", "-f", "opensm.log", "-R", "file,no_fallback", "-U", &file]);
    let log = std::fs::read_to_string(sandbox.path("opensm.log")).unwrap();
    assert!(log.contains("SUBNET UP") && !log.contains("ERR"), "{log}");
}

#[test]
fn what_cannot_be_done_is_said_with_the_remedy() {
    let Some(sandbox) = Sandbox::with_subnet(CLOS) else { return };
    for (words, expected) in [
        ("--fabric ibsim:nobody", "ibsim has no node `nobody`"),
        ("--fabric ibsim:n0 --load", "use `--install`"),
        ("--fabric ibsim:n0 --routes-per-pair 2", "one route for each pair"),
        ("--fabric sim:pink --install", "for InfiniBand subnets"),
    ] {
        let output = sandbox.run(words);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success() && said.contains(expected), "{words}: {said}");
        assert_eq!(said.lines().count(), 1, "{said}");
    }
}
