//! Served fabrics in the simulator.

mod new_crossbars;
mod rig;

use super::*;
use rig::Rig;
use twowire_fabric::id::NodeNumber;
use twowire_fabric::topology::CrossbarId;
use twowire_fabric::topology::generate::{Random, Torus, pink, xgft};
use twowire_fabric::topology::transform::without;

/// A fat tree of 36 hosts, two levels.
fn tree() -> Topology {
    xgft(&[6, 6], &[1, 4]).unwrap()
}

/// A cable up from a host's leaf.
fn up_of(topology: &Topology, host: u32) -> PortId {
    let leaf = topology.peer(PortId::new(HostId(host), 0)).unwrap().node;
    let port = topology.peers(leaf).iter().rposition(Option::is_some).unwrap() as u8;
    PortId { node: leaf, port }
}

#[test]
fn a_cut_cable_is_led_round_and_used_again_when_it_is_back() {
    let mut rig = Rig::new(tree(), 2, 1);
    rig.settle();
    rig.check();
    let before = rig.tables();
    let cable = up_of(&tree(), 7);
    rig.cut(cable);
    let seen = rig.settle();
    assert!(seen.iter().any(|what| matches!(what, What::Gone { .. })), "{seen:?}");
    assert!(!seen.iter().any(|what| matches!(what, What::Refused { .. } | What::RolledBack { .. })), "{seen:?}");
    rig.check();
    rig.mend(cable);
    let seen = rig.settle();
    assert!(seen.iter().any(|what| matches!(what, What::Come { .. })), "{seen:?}");
    rig.check();
    assert_eq!(rig.tables(), before);
}

#[test]
fn a_crossbar_that_dies_takes_its_hosts_with_it_and_brings_them_back() {
    for crossbar in [3, 8] {
        let mut rig = Rig::new(tree(), 1, 2);
        rig.settle();
        rig.kill(CrossbarId(crossbar));
        rig.settle();
        rig.check();
        rig.revive(CrossbarId(crossbar));
        rig.settle();
        rig.check();
        assert_eq!(rig.server.topology().cables().len(), tree().cables().len());
    }
}

/// Which nodes have routes that cross a cable, by what they hold.
fn across(rig: &Rig, cable: PortId) -> BTreeSet<HostId> {
    let there = rig.truth.peer(cable).unwrap();
    let crosses = |host: &HostId| rig.crossed(*host).iter().any(|end| *end == cable || *end == there);
    rig.truth.host_ids().skip(1).filter(crosses).collect()
}

#[test]
fn on_pink_only_nodes_whose_routes_cross_the_cable_are_sent_anything_and_within_20_ms() {
    let mut rig = Rig::new(pink(), 1, 3);
    let seen = rig.settle();
    // One for each host, and 37 walks over all cables.
    assert_eq!(probes(&seen), 1_023 + 37);
    let cable = up_of(&pink(), 100);
    let expected = across(&rig, cable);
    rig.start_counting();
    rig.cut(cable);
    let seen = rig.run_until(|what| matches!(what, What::InUse { .. }));
    let Some(&What::InUse { nodes, took_ms, .. }) = seen.last() else { panic!("{seen:?}") };
    println!("Pink: routes of {nodes} nodes, {took_ms} ms");
    assert!(took_ms <= 20.0, "{took_ms}");
    assert_eq!(rig.were_sent_anything(), expected);
    assert_eq!(nodes, expected.len());
}

#[test]
fn nodes_whose_routes_do_not_cross_the_cable_are_sent_nothing() {
    let mut rig = Rig::new(Random { crossbars: 12, radix: 8, hosts: 24, seed: 2 }.build().unwrap(), 1, 4);
    rig.settle();
    let mut spared = 0;
    for cable in ways::cables(&rig.truth.clone()).map(|(a, _)| a).step_by(3) {
        let expected = across(&rig, cable);
        spared += 23 - expected.len();
        rig.start_counting();
        rig.cut(cable);
        let seen = rig.settle();
        assert!(!seen.iter().any(|what| matches!(what, What::Refused { .. })), "{seen:?}");
        if !seen.iter().any(|what| matches!(what, What::Proved(Proved { whole: Some(_), .. }))) {
            assert_eq!(rig.were_sent_anything(), expected, "{seen:?}");
        }
        rig.mend(cable);
        rig.settle();
    }
    assert!(spared > 20, "{spared}");
}

#[test]
fn a_new_card_gets_the_routes_of_its_place_and_no_other_node_is_sent_anything() {
    let mut rig = Rig::new(tree(), 2, 4);
    rig.settle();
    let (before, map) = (rig.tables(), rig.server.topology().clone());
    rig.start_counting();
    rig.swap(HostId(9));
    let seen = rig.settle();
    assert!(seen.contains(&What::CardReplaced { node: "n8".to_owned() }), "{seen:?}");
    assert_eq!(rig.were_sent_anything(), BTreeSet::from([HostId(9)]));
    assert_eq!(rig.tables(), before);
    let now = rig.server.topology();
    assert_eq!(crate::diff::diff(&map, HostId(0), now, HostId(0)), []);
    assert_ne!(now.host(HostId(9)).id, map.host(HostId(9)).id);
}

#[test]
fn a_node_that_is_plugged_in_elsewhere_has_the_number_of_its_new_place() {
    // The last host is the same machine as n8, in a place where nobody was when the fabric was mapped.
    let mut topology = tree();
    let last = HostId(35);
    topology.set_unique_id(last, topology.host(HostId(9)).id);
    let mut rig = Rig::without(topology, last, 5);
    rig.settle();
    let map = rig.server.topology().clone();
    rig.cut(PortId::new(HostId(9), 0));
    rig.settle();
    rig.mend(PortId::new(last, 0));
    let seen = rig.settle();
    assert!(seen.iter().any(|what| matches!(what, What::Come { a, .. } if a == "n34")), "{seen:?}");
    let differences = crate::diff::diff(&map, HostId(0), rig.server.topology(), HostId(0));
    assert!(!differences.is_empty());
    assert_eq!(rig.number(last), Some(NodeNumber(34)));
    rig.check();
}

#[test]
fn a_new_host_that_takes_no_routes_is_left_out_until_it_does() {
    let last = HostId(35);
    let mut rig = Rig::without(tree(), last, 5);
    rig.settle();
    rig.set_deaf(last, true);
    rig.mend(PortId::new(last, 0));
    let seen = rig.settle();
    let given_up = seen.iter().filter(|what| matches!(what, What::RolledBack { node, .. } if node == "n34")).count();
    assert_eq!(given_up, usize::from(STRIKES), "{seen:?}");
    assert_eq!(rig.server.topology().peer(PortId::new(last, 0)), None);
    rig.set_deaf(last, false);
    rig.settle();
    assert_eq!(rig.number(last), Some(NodeNumber(34)));
    rig.check();
}

#[test]
fn a_new_host_that_was_struck_may_not_be_in_the_map_any_more() {
    let mut rig = Rig::new(tree(), 1, 12);
    rig.settle();
    // So it is if the epoch with which it came was computed as a whole, and was given up.
    rig.server.strikes.insert(HostId(36), STRIKES);
    rig.cut(up_of(&tree(), 7));
    rig.settle();
    rig.check();
    assert_eq!(rig.server.strikes.len(), 0);
}

#[test]
fn a_node_that_starts_anew_is_given_its_routes_again() {
    let mut rig = Rig::new(tree(), 1, 6);
    rig.settle();
    let before = rig.tables();
    rig.restart(HostId(20));
    let seen = rig.settle();
    assert!(seen.contains(&What::Restarted { node: "n19".to_owned(), epoch: 0 }), "{seen:?}");
    assert_eq!(rig.tables(), before);
}

#[test]
fn if_a_node_cannot_be_reached_between_the_phases_all_go_on_as_before_and_then_without_it() {
    let mut rig = Rig::new(tree(), 1, 7);
    rig.settle();
    let epochs = rig.epochs();
    let cable = up_of(&tree(), 7);
    let node = *across(&rig, cable).first().unwrap();
    rig.set_deaf(node, true);
    rig.cut(cable);
    let seen = rig.run_until(|what| matches!(what, What::RolledBack { .. }));
    assert!(seen.iter().any(|what| matches!(what, What::Proved(_))), "{seen:?}");
    assert_eq!(rig.epochs(), epochs, "no node uses the new routes");
    rig.run_until(|what| matches!(what, What::InUse { .. }));
    rig.check_but(&[node]);
    rig.set_deaf(node, false);
    rig.settle();
    rig.settle();
    rig.check();
}

#[test]
fn a_node_that_dies_between_the_phases_costs_the_others_one_epoch() {
    let mut rig = Rig::new(tree(), 1, 8);
    rig.settle();
    let cable = up_of(&tree(), 7);
    let node = *across(&rig, cable).first().unwrap();
    rig.cut(cable);
    rig.run_until(|what| matches!(what, What::Proved(_)));
    rig.cut(PortId::new(node, 0));
    let seen = rig.run_until(|what| matches!(what, What::InUse { .. }));
    assert_eq!(seen.iter().filter(|what| matches!(what, What::RolledBack { .. })).count(), 1, "{seen:?}");
    rig.check();
}

/// After each of many random changes every pair of live nodes that is connected arrives over what the nodes hold.
#[test]
fn after_any_changes_every_connected_pair_arrives_over_what_the_nodes_hold() {
    let networks = [
        tree(),
        xgft(&[2, 3, 3], &[1, 2, 3]).unwrap(),
        Random { crossbars: 8, radix: 8, hosts: 16, seed: 5 }.build().unwrap(),
        Torus { dimensions: vec![4, 3], hosts_per: 1 }.build().unwrap(),
        Torus { dimensions: vec![5, 5], hosts_per: 1 }.build().unwrap(),
        Torus { dimensions: vec![4, 4], hosts_per: 2 }.build().unwrap(),
    ];
    let checked = (10..).zip(networks).map(|(seed, topology)| check_changes(&mut Rig::new(topology, 1, seed), seed));
    let (between, refused) = checked.fold((0, 0), |sum, one| (sum.0 + one.0, sum.1 + one.1));
    assert!(between > 0 && refused == 0, "{between} between, {refused} refused");
}

/// Checks what the nodes hold after each of twenty changes; returns how many epochs went between two others, and after how many changes
/// there were no routes that go together with those in use.
fn check_changes(rig: &mut Rig, seed: u64) -> (usize, usize) {
    let mut rng = fastrand::Rng::with_seed(seed);
    let (mut between, mut refused) = (0, 0);
    rig.settle();
    rig.check();
    for _ in 0..20 {
        rig.happen(&mut rng);
        let mut seen = rig.settle();
        // Hosts that were cut off may have other cards; then they are struck once.
        seen.extend(rig.settle());
        if seen.iter().any(|what| matches!(what, What::Refused { .. })) {
            refused += 1;
            continue;
        }
        let has_some = |what: &&What| matches!(what, What::Proved(Proved { between: Some(_), .. }));
        between += seen.iter().filter(has_some).count();
        rig.check();
    }
    (between, refused)
}

#[test]
fn a_sweep_takes_few_probes_and_lost_ones_are_no_change() {
    let mut rig = Rig::new(tree(), 1, 9);
    rig.settle();
    rig.inject_now("loss:0.02");
    let seen = rig.settle();
    assert!(!seen.iter().any(|what| matches!(what, What::Gone { .. })), "{seen:?}");
    // One for each host, one walk over all 24 cables; some are asked again.
    assert!(probes(&seen) < 35 + 1 + 10, "{seen:?}");
}

/// The probes of the first sweep.
fn probes(seen: &[What]) -> u64 {
    let of_sweep = |what: &What| if let What::Sweep { probes, .. } = what { Some(*probes) } else { None };
    seen.iter().find_map(of_sweep).unwrap()
}

#[test]
fn a_fabric_that_does_not_answer_at_all_is_left_as_it_is() {
    let mut rig = Rig::new(tree(), 1, 10);
    rig.settle();
    rig.cut(PortId::new(HostId(0), 0));
    let seen = rig.settle();
    assert!(seen.contains(&What::Silence), "{seen:?}");
    assert_eq!(rig.server.topology().cables().len(), tree().cables().len());
    rig.mend(PortId::new(HostId(0), 0));
    rig.settle();
    rig.check();
}

#[test]
fn walks_cross_every_cable_once_at_least() {
    for topology in [tree(), pink(), Torus { dimensions: vec![5, 4], hosts_per: 1 }.build().unwrap()] {
        let walks = Ways::of(&topology, HostId(0), |_| true).walks(&topology);
        let crossed: BTreeSet<Cable> = walks.iter().flat_map(|walk| &walk.cables).copied().collect();
        let is_crossed = |&(a, b): &Cable| crossed.contains(&(a, b)) || crossed.contains(&(b, a));
        assert!(ways::cables(&topology).all(|cable| is_crossed(&cable)), "{}", topology.name);
        println!("{}: {} walks", topology.name, walks.len());
    }
    let lonely = without(&tree(), &BTreeSet::from([NodeId::Crossbar(CrossbarId(0))]));
    assert!(Ways::of(&lonely, HostId(0), |_| true).walks(&lonely).is_empty());
}
