use super::*;
use fastrand::Rng;
use std::collections::BTreeMap;
use twowire_fabric::id::UniqueId;
use twowire_fabric::topology::generate::{Clos, Random, Torus, hypercube, pink, xgft};
use twowire_fabric::topology::lockstep::same_up_to_renaming;
use twowire_fabric::topology::transform::{as_discovered, cut_cables, random_ids, reachable, shuffle_ports, without};

fn samples() -> Vec<Topology> {
    vec![
        pink(),
        Clos { hosts: 100, radix: 12, levels: 3, oversubscription: 2.0 }.build().unwrap(),
        xgft(&[4, 6], &[2, 3]).unwrap(),
        Torus { dimensions: vec![4, 3, 3], hosts_per: 2 }.build().unwrap(),
        hypercube(6).unwrap(),
        Random { crossbars: 40, radix: 16, hosts: 100, seed: 5 }.build().unwrap(),
    ]
}

fn host_with(topology: &Topology, id: UniqueId) -> Option<HostId> {
    topology.host_ids().find(|&h| topology.host(h).id == id)
}

/// What the host of this unique id discovers, and which host of the discovered map it is.
fn discovered(topology: &Topology, front_end: UniqueId, seed: u64) -> (Topology, HostId) {
    let found = as_discovered(topology, host_with(topology, front_end).unwrap().into(), seed);
    let start = host_with(&found, front_end).unwrap();
    (found, start)
}

const FIRST: UniqueId = UniqueId(1);

fn first_map(topology: &Topology, seed: u64) -> FabricMap {
    let (found, start) = discovered(topology, FIRST, seed);
    first(&found, start)
}

fn map_again(topology: &Topology, front_end: UniqueId, saved: &FabricMap) -> FabricMap {
    let (found, start) = discovered(topology, front_end, 9);
    again(&found, start, saved)
}

fn numbers_by_id(map: &FabricMap) -> BTreeMap<UniqueId, NodeNumber> {
    map.nodes().map(|(number, host)| (map.topology().host(host).id, number)).collect()
}

#[test]
fn an_undamaged_fat_tree_gets_the_names_of_its_plan() {
    for intended in [
        pink(),
        xgft(&[3, 2, 4], &[1, 2, 3]).unwrap(),
        xgft(&[2, 2, 2, 3], &[1, 2, 2, 2]).unwrap(),
        Clos { hosts: 90, radix: 12, levels: 2, oversubscription: 2.0 }.build().unwrap(),
    ] {
        let mut map = first_map(&intended, 5).topology().clone();
        map.name = intended.name.clone();
        assert_eq!(map.to_string(), intended.to_string());
    }
}

#[test]
fn names_depend_on_locations_alone() {
    for intended in samples() {
        let shuffled = shuffle_ports(&intended, 3);
        let map = first_map(&shuffled, 1);
        assert_eq!(map.number(map.front_end()), NodeNumber::FRONT_END);
        assert_eq!(map.topology().hosts()[0].name, "master");
        assert_eq!(map.last_number().index() + 1, intended.hosts().len());
        let number = NodeNumber(7);
        assert_eq!(map.number(map.host(number).unwrap()), number);
        assert_eq!(map.host(NodeNumber(5000)), None);

        // Discovered in another order, and with other cards: the same map but for the ids.
        let (mut found, start) = discovered(&shuffled, FIRST, 2);
        assert_eq!(first(&found, start).topology().to_string(), map.topology().to_string());
        random_ids(&mut found, 8);
        let other = first(&found, start).topology().clone();
        let without_ids =
            |text: String| text.lines().filter(|l| !l.starts_with("host")).map(str::to_owned).collect::<Vec<_>>();
        assert_eq!(without_ids(other.to_string()), without_ids(map.topology().to_string()));
        assert_eq!(same_up_to_renaming(&shuffled, HostId(0), map.topology(), map.front_end()), Ok(()));
    }
}

#[test]
fn a_map_is_read_back_from_its_text() {
    let map = first_map(&pink(), 1);
    let again = FabricMap::from_topology(Topology::parse(&map.topology().to_string()).unwrap()).unwrap();
    assert_eq!(again.topology().to_string(), map.topology().to_string());
    assert_eq!(numbers_by_id(&again), numbers_by_id(&map));

    let error = |text: &str| FabricMap::from_topology(Topology::parse(text).unwrap()).unwrap_err().to_string();
    assert_eq!(error("topo 1\nhost n0 0x1\n"), "the fabric map has no host `master`, which would be the front end");
    for wrong in ["login", "n-1", "n01", "n+1", "n", "n99999999999"] {
        let expected = format!("`{wrong}` is not a node's name: expected `master`, or `n` and a number, as in `n17`");
        assert_eq!(error(&format!("topo 1\nhost master 0x1\nhost {wrong} 0x2\n")), expected);
    }
    let unordered = "topo 1\nhost n10 0x3\nhost n2 0x2\nhost master 0x1\n";
    let map = FabricMap::from_topology(Topology::parse(unordered).unwrap()).unwrap();
    let names: Vec<&str> = map.topology().hosts().iter().map(|host| host.name.as_str()).collect();
    assert_eq!((names, map.last_number()), (vec!["master", "n2", "n10"], NodeNumber(10)));
}

#[test]
fn a_replaced_card_changes_nothing_but_its_id() {
    for intended in samples() {
        let saved = first_map(&intended, 1);
        let mut swapped = intended.clone();
        for host in [1, 5, 11] {
            swapped.set_unique_id(HostId(host), UniqueId(0xabc0 + u64::from(host)));
        }
        let map = map_again(&swapped, FIRST, &saved);
        let before = saved.topology().to_string();
        let after = map.topology().to_string();
        let changed: Vec<_> = before.lines().zip(after.lines()).filter(|(x, y)| x != y).map(|(x, _)| x).collect();
        assert_eq!(changed.len(), 3, "{}: {changed:?}", intended.name);
        assert!(changed.iter().all(|line| line.starts_with("host n")), "{changed:?}");
    }
}

#[test]
fn damage_changes_no_name_and_no_port() {
    for intended in samples() {
        let saved = first_map(&intended, 1);
        for seed in 0..4 {
            let mut rng = Rng::with_seed(seed);
            let gone = (0..4).map(|_| HostId(rng.u32(1..intended.hosts().len() as u32)).into()).collect();
            let mut damaged = without(&intended, &gone);
            cut_cables(&mut damaged, 5.0, seed);
            let map = map_again(&damaged, FIRST, &saved);
            let before = saved.topology().to_string();
            let known: BTreeSet<&str> = before.lines().filter(|l| !l.starts_with("name")).collect();
            let text = map.topology().to_string();
            let new: Vec<_> = text.lines().filter(|l| !l.starts_with("name") && !known.contains(l)).collect();
            assert_eq!(new, Vec::<&str>::new(), "{} with seed {seed}", intended.name);
            let reached = reachable(&damaged, damaged.find("master").unwrap()).len();
            assert_eq!(map.topology().hosts().len() + map.topology().crossbars().len(), reached);
        }
    }
}

#[test]
fn a_new_place_gets_a_number_that_no_place_of_the_saved_map_has() {
    let intended = pink();
    let gone = ["n17", "n1022"].map(|name| intended.find(name).unwrap());
    let saved = first_map(&without(&intended, &BTreeSet::from([gone[0]])), 1);
    assert_eq!(saved.last_number(), NodeNumber(1021), "there are only so many places");
    let known = numbers_by_id(&saved);

    let map = map_again(&without(&intended, &BTreeSet::from([gone[1]])), FIRST, &saved);
    for (id, number) in numbers_by_id(&map) {
        let expected = known.get(&id).copied().unwrap_or(NodeNumber(1022));
        assert_eq!(number, expected);
    }
    assert_eq!(map.topology().hosts().len(), 1023);
    let NodeId::Host(new) = map.topology().find("n1022").unwrap() else { panic!("a host") };
    assert_eq!(map.topology().host(new).id, UniqueId(19), "the card that was n17 by the plan");
}

#[test]
fn a_new_port_below_the_lowest_one_and_a_new_crossbar_find_their_place() {
    // n0 was off at the first mapping, and so port 1 of x1.0 was taken for port 0.
    let intended = xgft(&[3, 3], &[1, 2]).unwrap();
    let front_end = UniqueId(9);
    let absent = BTreeSet::from([intended.find("master").unwrap(), intended.find("x2.1").unwrap()]);
    let (found, start) = discovered(&without(&intended, &absent), front_end, 1);
    let saved = first(&found, start);
    let map = map_again(&intended, front_end, &saved);
    let (before, after) = (numbers_by_id(&saved), numbers_by_id(&map));
    assert!(before.iter().all(|(id, number)| after[id] == *number));
    assert_eq!(after[&UniqueId(1)], NodeNumber(7), "after the eight that had numbers from -1 to 6");
    assert!(map.topology().find("x2.0").is_some() && map.topology().find("x2.1").is_some());
    assert!(map.topology().crossbars().iter().all(|x| x.ports <= 5));
    assert_eq!(same_up_to_renaming(&intended, HostId(8), map.topology(), map.front_end()), Ok(()));
}

#[test]
fn two_hosts_on_one_cable_and_a_host_alone_have_names() {
    let mut pair = Topology::new("");
    let (a, b) = (pair.add_host("x", UniqueId(5), 1).unwrap(), pair.add_host("y", UniqueId(3), 1).unwrap());
    assert_eq!(first(&pair, b).topology().to_string(), "topo 1\nhost master 0x0000000000000003\n");
    pair.connect(PortId::new(a, 0), PortId::new(b, 0)).unwrap();
    let text = "topo 1\nhost master 0x0000000000000003\nhost n0 0x0000000000000005\ncable master n0\n";
    assert_eq!(first(&pair, b).topology().to_string(), text);
}
