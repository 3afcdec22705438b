use super::*;
use crate::topology::NodeId;
use std::collections::VecDeque;

/// Crossbars and hosts that can be reached from the first host, and the distance of the farthest host in cables.
fn reach(topology: &Topology) -> (usize, usize, usize) {
    let start = NodeId::Host(HostId(0));
    let (mut seen, mut queue) = (std::collections::BTreeSet::from([start]), VecDeque::from([(start, 0)]));
    let (mut crossbars, mut hosts, mut farthest) = (0, 0, 0);
    while let Some((node, distance)) = queue.pop_front() {
        match node {
            NodeId::Crossbar(_) => crossbars += 1,
            NodeId::Host(_) => (hosts, farthest) = (hosts + 1, distance),
        }
        for peer in topology.peers(node).iter().flatten() {
            if seen.insert(peer.node) {
                queue.push_back((peer.node, distance + 1));
            }
        }
    }
    (crossbars, hosts, farthest)
}

fn counts(topology: &Topology) -> (usize, usize, usize) {
    (topology.hosts().len(), topology.crossbars().len(), topology.cables().len())
}

#[test]
fn pink_is_as_its_paper_says() {
    let pink = pink();
    assert_eq!(counts(&pink), (1024, 320, 3072));
    assert!(pink.crossbars().iter().all(|x| x.ports == 16));
    assert_eq!(reach(&pink), (320, 1024, 6), "five crossbars, six cables, to the farthest host");
    let x = |name: &str, port| PortId::new(pink.find(name).unwrap(), port);
    // The up-port s of spine crossbar m in enclosure e goes to crossbar m of spine enclosure s, port e.
    let (enclosure, spine, up) = (5, 3, 6);
    let above = format!("x3.{}", spine + 8 * up);
    assert_eq!(pink.peer(x(&format!("x2.{}", 8 * enclosure + spine), 8 + up)), Some(x(&above, enclosure)));
    assert_eq!(pink.peer(x("x1.0", 0)), pink.find("master").map(|n| PortId::new(n, 0)));
    assert_eq!(pink.peer(x("x1.127", 7)), pink.find("n1022").map(|n| PortId::new(n, 0)));
}

#[test]
fn small_ones_are_as_the_reference_generator_makes_them() {
    let torus = Torus { dimensions: vec![3, 2], hosts_per: 2 }.build().unwrap();
    assert_eq!(xgft(&[2, 2, 3], &[1, 2, 2]).unwrap().to_string(), include_str!("golden/xgft.topo"));
    assert_eq!(torus.to_string(), include_str!("golden/torus.topo"));
    assert_eq!(hypercube(3).unwrap().to_string(), include_str!("golden/hypercube.topo"));
}

#[test]
fn a_clos_is_the_tree_that_its_crossbars_allow() {
    let clos = |hosts, radix, levels, oversubscription| Clos { hosts, radix, levels, oversubscription };
    assert_eq!(clos(11_664, 36, 3, 1.0).shape().unwrap(), (vec![18, 18, 36], vec![1, 18, 18]));
    assert_eq!(clos(1_024, 16, 3, 1.0).shape().unwrap(), (vec![8, 8, 16], vec![1, 8, 8]));
    assert_eq!(clos(1_000, 16, 3, 3.0).shape().unwrap(), (vec![12, 8, 11], vec![1, 4, 8]));
    assert_eq!(clos(100, 16, 2, 2.0).shape().unwrap(), (vec![10, 10], vec![1, 5]));
    assert_eq!(clos(9, 16, 1, 1.0).shape().unwrap(), (vec![9], vec![1]));
    assert_eq!(counts(&clos(100, 16, 2, 1.0).build().unwrap()), (100, 13 + 8, 100 + 13 * 8));
    for (bad, text) in [
        (clos(0, 16, 3, 1.0), "hosts is 0: expected 1 or more"),
        (clos(1_025, 16, 3, 1.0), "hosts is 1025: expected at most 1024 with 3 levels of 16 ports"),
        (clos(9, 1, 3, 1.0), "radix is 1: expected 2 to 128"),
        (clos(9, 16, 0, 1.0), "levels is 0: expected 1 to 10"),
        (clos(9, 16, 3, 0.5), "oversubscription is 0.5: expected 1 to 15 with 16 ports"),
        (clos(9, 16, 3, f64::NAN), "oversubscription is NaN: expected 1 to 15 with 16 ports"),
        (clos(9, 128, 10, 1.0), "18014398509481984 hosts or crossbars: at most 1048576 are possible"),
    ] {
        assert_eq!(bad.build().unwrap_err().to_string(), text);
    }
    assert_eq!(
        xgft(&[8, 0], &[1, 8]).unwrap_err().to_string(),
        "children or parents is 0: expected 1 or more at each level"
    );
    assert!(matches!(xgft(&[100, 2], &[1, 100]), Err(GenerateError::Radix(200))));
    assert!(matches!(xgft(&[8, 2], &[1]), Err(GenerateError::Parameter { parameter: "parents", .. })));
}

#[test]
fn a_tree_may_have_several_rails() {
    let rails = xgft(&[4, 3], &[2, 2]).unwrap();
    assert_eq!(counts(&rails), (12, 6 + 4, 24 + 12));
    assert_eq!(reach(&rails), (10, 12, 4));
}

#[test]
fn tori_and_hypercubes_have_the_diameter_of_theirs() {
    let torus = Torus { dimensions: vec![4, 6], hosts_per: 2 }.build().unwrap();
    assert_eq!(counts(&torus), (48, 24, 48 + 48));
    assert_eq!(reach(&torus), (24, 48, 2 + 2 + 3));
    assert_eq!(counts(&hypercube(7).unwrap()), (128, 128, 128 + 7 * 64));
    assert_eq!(reach(&hypercube(7).unwrap()), (128, 128, 2 + 7));
    assert!(hypercube(21).is_err() && hypercube(0).is_err());
    for (dimensions, hosts_per) in
        [(vec![], 1), (vec![4, 1], 1), (vec![4, 4], 0), (vec![2000, 2000], 1), (vec![4], 200)]
    {
        assert!(Torus { dimensions, hosts_per }.build().is_err());
    }
}

#[test]
fn a_random_network_is_connected_and_its_seed_decides_it() {
    for (crossbars, radix, hosts) in [(40, 16, 100), (1, 4, 4), (30, 4, 62), (7, 128, 5), (200, 5, 300)] {
        let random = |seed| Random { crossbars, radix, hosts, seed }.build().unwrap();
        let topology = random(1);
        let (reached_crossbars, reached_hosts, _) = reach(&topology);
        assert_eq!((reached_crossbars, reached_hosts), (crossbars as usize, hosts as usize));
        assert_eq!(topology.to_string(), random(1).to_string());
        assert!(crossbars == 1 || topology.to_string() != random(2).to_string());
    }
    let bad = Random { crossbars: 30, radix: 4, hosts: 63, seed: 1 }.build().unwrap_err();
    assert_eq!(bad.to_string(), "hosts is 63: expected 1 to 62, the free ports");
}
