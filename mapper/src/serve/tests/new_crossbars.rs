//! Crossbars and cables where there were none when the fabric was mapped.

use super::*;
use crate::discovery::{DiscoveredMap, Statistics};
use crate::serve::news::News;
use twowire_fabric::topology::lockstep::same_up_to_renaming;

/// A fabric of which some nodes were not there when it was mapped, and are not yet.
fn without_nodes(topology: &Topology, nodes: &[NodeId], seed: u64) -> Rig {
    let map = without(topology, &nodes.iter().copied().collect());
    let mut rig = Rig::mapped(topology.clone(), map, 1, seed);
    for &node in nodes {
        match node {
            NodeId::Crossbar(x) => rig.kill(x),
            NodeId::Host(host) => rig.cut(PortId::new(host, 0)),
        }
    }
    rig.settle();
    rig
}

/// A crossbar and its hosts.
fn with_hosts(topology: &Topology, x: CrossbarId) -> Vec<NodeId> {
    let peers = topology.peers(x.into()).iter().flatten().map(|peer| peer.node);
    peers.filter(|node| matches!(node, NodeId::Host(_))).chain([x.into()]).collect()
}

fn bring(rig: &mut Rig, nodes: &[NodeId]) {
    for &node in nodes {
        match node {
            NodeId::Crossbar(x) => rig.revive(x),
            NodeId::Host(host) => rig.mend(PortId::new(host, 0)),
        }
    }
}

fn mappings(seen: &[What]) -> usize {
    seen.iter().filter(|what| matches!(what, What::Mapped { .. })).count()
}

/// What the server knows is the fabric as it is.
#[track_caller]
fn assert_known(rig: &Rig) {
    let known = rig.server.topology();
    assert_eq!(same_up_to_renaming(&rig.truth, HostId(0), known, HostId(0)), Ok(()));
}

#[test]
fn a_new_leaf_is_mapped_and_its_hosts_get_numbers_and_routes() {
    let nodes = with_hosts(&tree(), CrossbarId(5));
    let mut rig = without_nodes(&tree(), &nodes, 1);
    rig.check();
    bring(&mut rig, &nodes);
    let seen = rig.settle();
    assert!(seen.iter().any(|what| matches!(what, What::Mapped { crossbars: 1, cables: 4, hosts: 6, .. })), "{seen:?}");
    assert_eq!(rig.number(HostId(35)), Some(NodeNumber(34)));
    assert_known(&rig);
    rig.check();
    assert_eq!(mappings(&rig.settle()), 0);
    // It is watched like any other.
    rig.cut(up_of(&tree(), 33));
    rig.settle();
    rig.check();
    assert_known(&rig);
}

#[test]
fn a_new_top_is_used() {
    let mut rig = without_nodes(&tree(), &[CrossbarId(9).into()], 2);
    bring(&mut rig, &[CrossbarId(9).into()]);
    rig.settle();
    assert_known(&rig);
    rig.check();
    let new = rig.server.topology().crossbar_ids().last().unwrap();
    assert_eq!(rig.server.topology().crossbar(new).name, "x2.3");
    let is_used = |host| rig.crossed(host).iter().any(|end| end.node == NodeId::Crossbar(CrossbarId(9)));
    assert!(rig.truth.host_ids().any(is_used));
}

#[test]
fn new_crossbars_one_behind_the_other_are_found_at_once() {
    let mesh = Torus { dimensions: vec![3, 3], hosts_per: 1 }.build().unwrap();
    let nodes = [with_hosts(&mesh, CrossbarId(7)), with_hosts(&mesh, CrossbarId(8))].concat();
    let mut rig = without_nodes(&mesh, &nodes, 3);
    bring(&mut rig, &nodes);
    let seen = rig.settle();
    assert!(seen.iter().any(|what| matches!(what, What::Mapped { crossbars: 2, hosts: 2, .. })), "{seen:?}");
    assert_known(&rig);
    rig.check();
}

#[test]
fn a_new_cable_between_known_crossbars_is_used() {
    let topology = Torus { dimensions: vec![4, 3], hosts_per: 1 }.build().unwrap();
    for cable in ways::cables(&topology).step_by(5) {
        let mut map = topology.clone();
        map.disconnect(cable.0);
        let mut rig = Rig::mapped(topology.clone(), map, 1, 4);
        rig.cut(cable.0);
        rig.settle();
        rig.mend(cable.0);
        let seen = rig.settle();
        assert!(seen.iter().any(|what| matches!(what, What::Come { .. })), "{seen:?}");
        assert_known(&rig);
        rig.check();
        assert_eq!(mappings(&rig.settle()), 0);
    }
}

#[test]
fn a_host_behind_a_new_crossbar_that_takes_no_routes_is_left_out_until_it_does() {
    let nodes = with_hosts(&tree(), CrossbarId(5));
    let mut rig = without_nodes(&tree(), &nodes, 5);
    let deaf = HostId(35);
    rig.set_deaf(deaf, true);
    bring(&mut rig, &nodes);
    let seen = rig.run_until(|what| matches!(what, What::InUse { nodes: 1.., .. }));
    let given_up = seen.iter().filter(|what| matches!(what, What::RolledBack { .. })).count();
    assert_eq!(given_up, usize::from(STRIKES), "{seen:?}");
    rig.check_but(&[deaf]);
    rig.set_deaf(deaf, false);
    rig.settle();
    rig.check();
    assert_known(&rig);
}

#[test]
fn a_crossbar_that_dies_while_it_is_mapped_is_no_news_in_the_end() {
    let nodes = with_hosts(&tree(), CrossbarId(5));
    let mut rig = without_nodes(&tree(), &nodes, 6);
    bring(&mut rig, &nodes);
    rig.run_until(|what| matches!(what, What::NewCable { .. }));
    rig.kill(CrossbarId(5));
    rig.settle();
    rig.check();
    bring(&mut rig, &nodes);
    rig.settle();
    rig.check();
    assert_known(&rig);
}

#[test]
fn a_known_cable_that_is_cut_while_the_fabric_is_mapped_is_led_round() {
    let nodes = with_hosts(&tree(), CrossbarId(5));
    let mut rig = without_nodes(&tree(), &nodes, 7);
    bring(&mut rig, &nodes);
    rig.run_until(|what| matches!(what, What::NewCable { .. }));
    rig.cut(up_of(&tree(), 7));
    rig.settle();
    rig.settle();
    rig.check();
    assert_known(&rig);
}

/// Some cables were never seen when the fabric was mapped; they come, and go, among other changes.
#[test]
fn cables_that_are_new_and_other_changes_leave_every_connected_pair_with_routes() {
    let networks = [
        tree(),
        Random { crossbars: 8, radix: 8, hosts: 16, seed: 5 }.build().unwrap(),
        Torus { dimensions: vec![4, 4], hosts_per: 2 }.build().unwrap(),
    ];
    let mut refused = 0;
    for (seed, topology) in (30..).zip(networks.iter().cycle().take(30)) {
        let mut map = topology.clone();
        for (end, _) in ways::cables(topology).skip(seed as usize % 5).step_by(7) {
            map.disconnect(end);
        }
        let unknown: Vec<PortId> =
            ways::cables(topology).map(|(end, _)| end).filter(|&end| map.peer(end).is_none()).collect();
        let mut rig = Rig::mapped(topology.clone(), map, 1, seed);
        unknown.into_iter().for_each(|end| rig.cut(end));
        refused += check_changes(&mut rig, seed).1;
    }
    println!("{refused} of 600 changes refused");
    assert!(refused <= 10, "{refused}");
}

#[test]
fn a_lost_crossbar_that_came_back_by_a_new_cable_is_one_crossbar_when_the_old_ones_are_back() {
    let topology = tree();
    let top = CrossbarId(9);
    let ends: Vec<PortId> = (0..6).map(|port| PortId::new(top, port)).collect();
    let mut map = topology.clone();
    map.disconnect(ends[5]);
    let mut rig = Rig::mapped(topology, map, 1, 8);
    ends.iter().for_each(|&end| rig.cut(end));
    rig.settle();
    for &end in ends.iter().rev() {
        rig.mend(end);
        rig.settle();
        assert_known(&rig);
        rig.check();
    }
}

/// What a map says of a fabric that is known.
fn news(known: &Topology, topology: Topology) -> Result<News, String> {
    let (epochs, statistics) = (vec![0; topology.hosts().len()], Statistics::default());
    let map = DiscoveredMap { topology, front_end: HostId(0), epochs, statistics };
    News::of(known, &[], HostId(0), &map).map_err(|unlike| unlike.to_string())
}

#[test]
fn a_map_that_contradicts_what_is_known_is_no_news() {
    let mut swapped = tree();
    let ends = [up_of(&tree(), 7), up_of(&tree(), 13)];
    let [a, b] = ends.map(|end| swapped.disconnect(end).map(|_| tree().peer(end).unwrap()).unwrap());
    swapped.connect(ends[0], b).unwrap();
    swapped.connect(ends[1], a).unwrap();
    assert_eq!(news(&tree(), swapped), Err("another cable is at x1.1:9 than the last look has found".to_owned()));
    assert_eq!(news(&tree(), tree()), Ok(News::default()));
}

#[test]
fn a_map_also_tells_of_another_card_at_a_known_place() {
    let mut other = tree();
    other.set_unique_id(HostId(9), UniqueId(0x77));
    let cards = vec![(HostId(9), UniqueId(0x77))];
    assert_eq!(news(&tree(), other), Ok(News { cards, ..News::default() }));
}
