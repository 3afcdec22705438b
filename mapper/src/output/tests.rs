use super::groups::{Group, groups};
use super::hostfile::hostfile;
use super::slurm::topology_conf;
use super::svg::{CableState, Picture};
use super::{dot, svg};
use crate::engine::{Request, TopologyKind, compute};
use crate::hostlist::tests::expand;
use crate::verify::loads;
use std::collections::{BTreeMap, BTreeSet};
use twowire_fabric::topology::generate::{Random, Torus, hypercube, pink, xgft};
use twowire_fabric::topology::{CrossbarId, HostId, PortId, Topology};

fn several() -> Vec<Topology> {
    let random = Random { crossbars: 9, radix: 8, hosts: 20, seed: 2 };
    vec![
        pink(),
        xgft(&[4, 3], &[1, 2]).unwrap(),
        xgft(&[2, 2, 2, 2], &[1, 2, 2, 2]).unwrap(),
        Torus { dimensions: vec![4, 3, 5], hosts_per: 2 }.build().unwrap(),
        hypercube(5).unwrap(),
        random.build().unwrap(),
    ]
}

/// What Slurm reads: for each switch its nodes or its switches. It refuses what is named twice, or is not there.
struct SlurmTree {
    nodes: BTreeMap<String, Vec<String>>,
    switches: BTreeMap<String, Vec<String>>,
}

fn read_slurm(conf: &str) -> SlurmTree {
    let mut tree = SlurmTree { nodes: BTreeMap::new(), switches: BTreeMap::new() };
    for line in conf.lines().map(|line| line.split('#').next().unwrap().trim()).filter(|line| !line.is_empty()) {
        let mut words = line.split_whitespace().map(|word| word.split_once('=').unwrap());
        let Some(("SwitchName", name)) = words.next() else { panic!("{line}") };
        let known = match words.next() {
            Some(("Nodes", list)) => tree.nodes.insert(name.to_owned(), expand(list)),
            Some(("Switches", list)) => tree.switches.insert(name.to_owned(), expand(list)),
            other => panic!("{other:?}"),
        };
        assert!(known.is_none() && words.next().is_none(), "{line}");
        assert!(!(tree.nodes.contains_key(name) && tree.switches.contains_key(name)), "{name} is twice");
    }
    tree
}

#[test]
fn slurm_reads_one_tree_of_all_nodes() {
    for topology in several() {
        let conf = topology_conf(&topology, HostId(0));
        let tree = read_slurm(&conf);
        let mut nodes: Vec<&String> = tree.nodes.values().flatten().collect();
        nodes.sort();
        let mut meant: Vec<&String> = topology.hosts()[1..].iter().map(|host| &host.name).collect();
        meant.sort();
        assert_eq!(nodes, meant, "each once, without the front end");
        let mut children: Vec<&String> = tree.switches.values().flatten().collect();
        children.sort();
        assert!(children.windows(2).all(|two| two[0] != two[1]), "no switch has two parents:\n{conf}");
        let all: BTreeSet<&String> = tree.nodes.keys().chain(tree.switches.keys()).collect();
        assert!(children.iter().all(|child| all.contains(child)), "{conf}");
        assert_eq!(all.len(), children.len() + 1, "one root:\n{conf}");
    }
}

#[test]
fn groups_are_what_one_sees_in_the_fabric() {
    let shape = |topology: &Topology| {
        let whole = groups(topology);
        assert_eq!(whole.len(), 1);
        let mut counts = Vec::new();
        let mut row: Vec<&Group> = whole.iter().collect();
        while !row.is_empty() {
            counts.push(row.len());
            row = row.into_iter().flat_map(|group| &group.parts).collect();
        }
        counts
    };
    assert_eq!(shape(&pink()), [1, 16, 128], "16 subtrees of 8 crossbars with hosts");
    let torus = shape(&Torus { dimensions: vec![4, 3, 5], hosts_per: 2 }.build().unwrap());
    assert_eq!((torus.len(), torus.last()), (5, Some(&60)), "a ring of four is two dimensions: {torus:?}");
    assert!(torus.windows(2).all(|two| two[1] % two[0] == 0), "rows and planes are alike: {torus:?}");
    assert_eq!(shape(&xgft(&[4, 3], &[1, 2]).unwrap()), [1, 3]);
    let mut halves = pink();
    for x in (256..320).map(CrossbarId) {
        for port in 0..16 {
            halves.disconnect(PortId::new(x, port));
        }
    }
    assert_eq!(
        groups(&halves).iter().filter(|group| !group.all_hosts().is_empty()).count(),
        16,
        "nothing connects them"
    );
}

#[test]
fn the_hostfile_has_neighbours_beside_each_other() {
    let topology = Torus { dimensions: vec![4, 4], hosts_per: 2 }.build().unwrap();
    let text = hostfile(&topology, HostId(0));
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!((lines.len(), lines[0]), (31, "n0"));
    assert_eq!(lines.iter().collect::<BTreeSet<_>>().len(), 31);
    let crossbar = |name: &&str| topology.peers(topology.find(name).unwrap())[0].unwrap().node;
    assert!(lines[1..].chunks(2).all(|two| crossbar(&two[0]) == crossbar(&two[1])), "{text}");
    assert_eq!(hostfile(&pink(), HostId(0)).lines().nth(1022), Some("n1022"));
}

#[test]
fn the_graph_for_graphviz_has_every_cable_with_its_ports() {
    let topology = xgft(&[2, 2], &[1, 2]).unwrap();
    let routes = compute(&topology, TopologyKind::Any, Request::default()).unwrap();
    let mut picture = Picture::of(&topology, &loads(&topology, &routes));
    *picture.cables.last_mut().unwrap() = CableState::Dead;
    let text = dot::graph(&picture);
    assert_eq!(text.lines().filter(|line| line.contains(" -- ")).count(), topology.cables().len());
    assert!(
        text.contains(r##"color="#dc2626", style=dashed"##) && text.contains("rank=same; \"x1.0\"; \"x1.1\";"),
        "{text}"
    );
    assert!(text.contains(r#""x1.0" -- "master" [taillabel="0", headlabel=""]"#), "{text}");
    assert!(matches!(picture.cables[4], CableState::Load(2)), "{:?}", picture.cables);
    assert_eq!(picture.shade(2), svg::Shade::Even);
}
