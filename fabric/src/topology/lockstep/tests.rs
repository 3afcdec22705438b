use super::*;
use crate::id::UniqueId;
use crate::topology::generate::{Clos, Random, Torus, hypercube, pink, xgft};
use crate::topology::transform::{
    as_discovered, cut_cables, random_ids, reachable, shuffle_ports, without, without_crossbars,
};
use fastrand::Rng;
use std::collections::{BTreeMap, BTreeSet};

fn samples() -> Vec<Topology> {
    let clos = Clos { hosts: 100, radix: 12, levels: 3, oversubscription: 2.0 };
    vec![
        pink(),
        clos.build().unwrap(),
        xgft(&[4, 6], &[2, 3]).unwrap(),
        Torus { dimensions: vec![4, 3, 3], hosts_per: 1 }.build().unwrap(),
        hypercube(6).unwrap(),
        Random { crossbars: 40, radix: 16, hosts: 100, seed: 5 }.build().unwrap(),
    ]
}

fn host_with(topology: &Topology, id: UniqueId) -> Option<HostId> {
    topology.host_ids().find(|&h| topology.host(h).id == id)
}

/// The first host's map of a topology, and where the first host is in it.
fn discovered(topology: &Topology, seed: u64) -> (Topology, HostId) {
    let found = as_discovered(topology, HostId(0).into(), seed);
    let start = host_with(&found, topology.host(HostId(0)).id).unwrap();
    (found, start)
}

/// Exchanges the far ends of so many pairs of cables between crossbars, as somebody does who mixes up two plugs.
fn swap_plugs(topology: &mut Topology, pairs: usize, rng: &mut Rng) {
    for _ in 0..pairs {
        let between: Vec<_> = topology.cables().iter().filter(|c| matches!(c.a.node, NodeId::Crossbar(_))).collect();
        let [first, second] = [0, 1].map(|_| between[rng.usize(..between.len())]).map(|c| (c.a, c.b));
        if first != second {
            topology.disconnect(first.0);
            topology.disconnect(second.0);
            topology.connect(first.0, second.1).unwrap();
            topology.connect(second.0, first.1).unwrap();
        }
    }
}

/// The cables as pairs of ports, lower end first.
fn cables(topology: &Topology) -> BTreeSet<(PortId, PortId)> {
    topology.cables().iter().map(|c| (c.a.min(c.b), c.a.max(c.b))).collect()
}

/// Asserts that every host of the map corresponds to the one that it is, and returns the walk.
fn assert_hosts_found(intended: &Topology, found: &Topology, start: HostId) -> Lockstep {
    let walk = Lockstep::walk(intended, HostId(0), found, start);
    for host in found.host_ids() {
        let original = walk.host_in_a(host).map(|h| intended.host(h).id);
        assert_eq!(original, Some(found.host(host).id), "{}", intended.name);
    }
    walk
}

/// Asserts that the walk finds the same when every card has been replaced, so that it has locations alone to go by.
fn assert_the_same_by_location(intended: &Topology, found: &Topology, start: HostId, walk: &Lockstep) {
    let mut replaced = found.clone();
    random_ids(&mut replaced, 1);
    let again = Lockstep::walk(intended, HostId(0), &replaced, start);
    assert!(again.matching == walk.matching, "{}", intended.name);
}

#[test]
fn a_discovered_map_is_the_same_up_to_renaming() {
    for topology in samples() {
        let (found, start) = discovered(&topology, 3);
        assert_eq!(same_up_to_renaming(&topology, HostId(0), &found, start), Ok(()), "{}", topology.name);
        let walk = assert_hosts_found(&topology, &found, start);
        for x in topology.crossbar_ids() {
            let (twin, offset) = walk.crossbar_in_b(x).unwrap();
            assert_eq!(walk.crossbar_in_a(twin), Some((x, shifted(0, offset.wrapping_neg()))));
            let end = PortId::new(x, 1);
            assert_eq!(walk.port_in_a(walk.port_in_b(end).unwrap()), Some(end));
        }
    }
}

#[test]
fn one_changed_cable_or_card_is_seen() {
    for topology in samples() {
        let (found, start) = discovered(&topology, 3);
        let differ = |changed: &Topology| same_up_to_renaming(changed, HostId(0), &found, start).unwrap_err();
        for seed in 0..5 {
            let mut rng = Rng::with_seed(seed);
            let mut fewer = topology.clone();
            let cable = fewer.cables()[rng.usize(fewer.hosts().len()..fewer.cables().len())].clone();
            fewer.disconnect(cable.a);
            let seen = differ(&fewer);
            let is_more =
                matches!(seen, Difference::CableOnlyInB(..) | Difference::CrossbarNew(_) | Difference::HostNew(_));
            assert!(is_more, "{}: {seen:?}", topology.name);

            let mut other = topology.clone();
            let host = HostId(rng.u32(1..other.hosts().len() as u32));
            other.set_unique_id(host, UniqueId(0xabc));
            assert!(matches!(differ(&other), Difference::IdChanged { a, .. } if a == host));
        }
        let shuffled = shuffle_ports(&topology, 1);
        assert!(same_up_to_renaming(&topology, HostId(0), &shuffled, HostId(0)).is_err(), "{}", topology.name);
    }
}

#[test]
fn cut_cables_are_named_and_nothing_else() {
    for topology in samples() {
        for seed in 0..6 {
            let mut damaged = topology.clone();
            let cut: BTreeSet<_> =
                cut_cables(&mut damaged, 15.0, seed).iter().map(|c| (c.a.min(c.b), c.a.max(c.b))).collect();
            let left = reachable(&damaged, HostId(0).into());
            let expected: Vec<_> =
                cut.iter().filter(|(a, b)| left.contains(&a.node) && left.contains(&b.node)).copied().collect();
            let (found, start) = discovered(&damaged, seed);
            let walk = assert_hosts_found(&topology, &found, start);
            assert_the_same_by_location(&topology, &found, start, &walk);
            let (mut missing, mut others) = (Vec::new(), Vec::new());
            for difference in walk.differences() {
                match *difference {
                    Difference::CableOnlyInA(a, b) => missing.push((a.min(b), a.max(b))),
                    Difference::CrossbarMissing(x) => others.push(x.into()),
                    Difference::HostMissing(h) => others.push(NodeId::from(h)),
                    other => panic!("{}: {}", topology.name, other.describe(&topology, &found)),
                }
            }
            missing.sort_unstable();
            assert_eq!(missing, expected, "{} with seed {seed}", topology.name);
            assert!(others.iter().all(|node| !left.contains(node)));
            assert_eq!(others.len() + left.len(), topology.crossbars().len() + topology.hosts().len());
        }
    }
}

#[test]
fn dead_crossbars_and_hosts_are_missing() {
    let topology = pink();
    for seed in 0..6 {
        let mut rng = Rng::with_seed(seed);
        let dead: BTreeSet<NodeId> = (0..30).map(|_| HostId(rng.u32(1..1024)).into()).collect();
        let damaged = without_crossbars(&without(&topology, &dead), 12, seed);
        let first = damaged.find("master").unwrap();
        if reachable(&damaged, first).len() < 2 {
            continue;
        }
        let (found, start) = discovered(&damaged, seed);
        let walk = assert_hosts_found(&topology, &found, start);
        for host in topology.host_ids() {
            let is_there = host_with(&found, topology.host(host).id).is_some();
            assert_eq!(walk.host_in_b(host).is_some(), is_there);
            assert_eq!(walk.differences().contains(&Difference::HostMissing(host)), !is_there);
        }
    }
}

#[test]
fn mixed_up_plugs_are_named_and_nothing_else() {
    for topology in samples() {
        for seed in 26..36 {
            let mut rng = Rng::with_seed(seed);
            let mut miscabled = topology.clone();
            let pairs = rng.usize(1..4);
            swap_plugs(&mut miscabled, pairs, &mut rng);
            let (before, after) = (cables(&topology), cables(&miscabled));
            let (found, start) = discovered(&miscabled, seed);
            if found.hosts().len() + found.crossbars().len() < topology.hosts().len() + topology.crossbars().len() {
                continue;
            }
            let walk = assert_hosts_found(&topology, &found, start);
            assert_the_same_by_location(&topology, &found, start, &walk);
            let mut counts = BTreeMap::from([("gone", 0), ("new", 0)]);
            for difference in walk.differences() {
                let (kind, known) = match *difference {
                    Difference::CableOnlyInA(a, b) => {
                        ("gone", before.contains(&(a.min(b), a.max(b))) && !after.contains(&(a.min(b), a.max(b))))
                    }
                    Difference::CableOnlyInB(a, b) => {
                        let (a, b) = (walk.port_in_a(a).unwrap(), walk.port_in_a(b).unwrap());
                        ("new", after.contains(&(a.min(b), a.max(b))))
                    }
                    other => panic!("{}: {}", topology.name, other.describe(&topology, &found)),
                };
                assert!(known, "{} with seed {seed}: {}", topology.name, difference.describe(&topology, &found));
                *counts.get_mut(kind).unwrap() += 1;
            }
            let expected = before.difference(&after).count();
            assert_eq!(counts, BTreeMap::from([("gone", expected), ("new", expected)]), "{} {seed}", topology.name);
        }
    }
}

#[test]
fn much_damage_is_explained_as_shortly_as_by_what_happened() {
    for topology in samples() {
        for seed in 0..6 {
            let mut miscabled = topology.clone();
            swap_plugs(&mut miscabled, 8, &mut Rng::with_seed(seed));
            let happened = 2 * cables(&topology).difference(&cables(&miscabled)).count();
            let (found, start) = discovered(&miscabled, seed);
            if found.hosts().len() < topology.hosts().len() {
                continue;
            }
            let walk = assert_hosts_found(&topology, &found, start);
            assert!(walk.differences().len() <= happened, "{} with seed {seed}", topology.name);
        }
    }
}

#[test]
fn a_front_end_at_another_port_leaves_all_others_where_they_are() {
    let topology = pink();
    let mut moved = topology.clone();
    let (first, second) = (HostId(0), HostId(1));
    let ids = [first, second].map(|h| moved.host(h).id);
    moved.set_unique_id(first, ids[1]);
    moved.set_unique_id(second, ids[0]);
    let (found, start) = {
        let found = as_discovered(&moved, first.into(), 4);
        let start = host_with(&found, ids[0]).unwrap();
        (found, start)
    };
    let walk = Lockstep::walk(&topology, first, &found, start);
    assert_eq!(walk.host_in_b(first), Some(start), "the front end is the front end");
    for host in found.host_ids().filter(|&h| h != start && found.host(h).id != ids[1]) {
        assert_eq!(walk.host_in_a(host).map(|h| topology.host(h).id), Some(found.host(host).id));
    }
    assert_eq!(walk.differences().iter().filter(|d| matches!(d, Difference::IdChanged { .. })).count(), 0);
    assert!(walk.differences().len() <= 4, "{:?}", walk.differences());
}

#[test]
fn cards_do_not_decide_what_is_where() {
    for topology in samples() {
        let (mut found, start) = discovered(&topology, 1);
        let by_location = Lockstep::walk(&topology, HostId(0), &found, start);
        for seed in 0..3 {
            random_ids(&mut found, seed);
            let again = Lockstep::walk(&topology, HostId(0), &found, start);
            assert_eq!(again.matching, by_location.matching);
            assert!(again.differences().iter().all(|d| matches!(d, Difference::IdChanged { .. })));
            assert_eq!(again.differences().len(), topology.hosts().len());
        }
        // The worst case: all the right ids, each at a wrong place.
        let ids: Vec<UniqueId> = topology.hosts().iter().map(|host| host.id).collect();
        for (index, host) in found.host_ids().enumerate() {
            found.set_unique_id(host, ids[index]);
        }
        assert_eq!(Lockstep::walk(&topology, HostId(0), &found, start).matching, by_location.matching);
    }
}

#[test]
fn fabrics_without_cables_or_crossbars_are_walked_too() {
    let mut lone = Topology::new("");
    let (a, b) = (lone.add_host("a", UniqueId(1), 2).unwrap(), lone.add_host("b", UniqueId(2), 1).unwrap());
    assert_eq!(same_up_to_renaming(&lone, a, &lone, a), Ok(()));
    let mut joined = lone.clone();
    joined.connect(PortId::new(a, 1), PortId::new(b, 0)).unwrap();
    assert_eq!(same_up_to_renaming(&joined, a, &joined, a), Ok(()));
    assert_eq!(same_up_to_renaming(&lone, a, &joined, a), Err(Difference::HostNew(b)));
    assert_eq!(same_up_to_renaming(&joined, a, &lone, a), Err(Difference::HostMissing(b)));
}
