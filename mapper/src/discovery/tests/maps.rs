//! The map is the true one, whatever the network and however many probes are lost.

use super::*;
use twowire_fabric::topology::generate::{self, Clos, Random, Torus};
use twowire_fabric::topology::{CrossbarId, PortId, transform};

fn clos(hosts: u64, radix: u8, levels: u8) -> Topology {
    Clos { hosts, radix, levels, oversubscription: 1.0 }.build().unwrap()
}

fn random(crossbars: u32, radix: u8, hosts: u32, seed: u64) -> Topology {
    Random { crossbars, radix, hosts, seed }.build().unwrap()
}

/// A crossbar, by its index, and a port.
type End = (u32, u8);

/// Crossbars of these sizes, hosts at these ports of them, and cables between them.
fn by_hand(crossbars: &[u8], hosts: &[End], cables: &[(End, End)]) -> Topology {
    let mut topology = Topology::new("by hand");
    for (index, &ports) in crossbars.iter().enumerate() {
        topology.add_crossbar(format!("x{index}"), ports).unwrap();
    }
    let end = |(crossbar, port)| PortId::new(CrossbarId(crossbar), port);
    for (index, &at) in hosts.iter().enumerate() {
        let host = topology.add_host(format!("h{index}"), UniqueId(0xa0 + index as u64), 1).unwrap();
        topology.connect(PortId::new(host, 0), end(at)).unwrap();
    }
    let connect = |&(a, b): &(End, End)| topology.connect(end(a), end(b)).map(|_| ());
    cables.iter().try_for_each(connect).unwrap();
    topology
}

#[test]
fn generated_networks() {
    for seed in 0..3 {
        for loss in [0.0, 0.02] {
            for topology in [
                clos(64, 8, 3),
                clos(50, 16, 2),
                clos(7, 16, 1),
                generate::hypercube(5).unwrap(),
                Torus { dimensions: vec![5, 4], hosts_per: 2 }.build().unwrap(),
                random(12, 8, 20, seed),
            ] {
                check(transform::shuffle_ports(&topology, seed), loss, seed);
                check(topology, loss, seed);
            }
        }
    }
}

#[test]
fn pink_in_its_order_and_shuffled() {
    for topology in [generate::pink(), transform::shuffle_ports(&generate::pink(), 7)] {
        let cables = topology.cables().len() as u64;
        let map = check(topology, 0.0, 1);
        assert!(map.statistics.probes < 7 * cables, "{} probes", map.statistics.probes);
        assert_eq!(map.topology.crossbars()[0].ports, 16);
    }
}

#[test]
fn a_hundred_random_networks() {
    for seed in 0..100 {
        let mut rng = fastrand::Rng::with_seed(seed);
        let crossbars = rng.u32(1..12);
        let topology = random(crossbars, rng.u8(4..20), rng.u32(1..=2 * crossbars), seed);
        let loss = [0.0, 0.02, 0.1][rng.usize(..3)];
        check(transform::shuffle_ports(&topology, seed), loss, seed);
    }
}

#[test]
fn small_and_odd_networks() {
    let networks = [
        ("a crossbar with the front end alone", by_hand(&[4], &[(0, 2)], &[])),
        ("several hosts on one crossbar", by_hand(&[8], &[(0, 1), (0, 6), (0, 3)], &[])),
        ("a cable back to the same crossbar", by_hand(&[8], &[(0, 0), (0, 5)], &[((0, 2), (0, 7))])),
        (
            "parallel cables",
            by_hand(&[8, 8], &[(0, 0), (1, 5)], &[((0, 2), (1, 7)), ((0, 3), (1, 1)), ((0, 6), (1, 2))]),
        ),
        (
            "parallel cables to a crossbar without hosts",
            by_hand(&[8, 8], &[(0, 0)], &[((0, 2), (1, 7)), ((0, 3), (1, 1)), ((0, 6), (1, 2))]),
        ),
        ("a crossbar at the end of one cable", by_hand(&[8, 8], &[(0, 0), (0, 1)], &[((0, 4), (1, 6))])),
        (
            "two crossbars without hosts, cabled to one another",
            by_hand(&[8, 8, 8], &[(0, 0), (0, 1)], &[((0, 4), (1, 6)), ((0, 5), (2, 1)), ((1, 1), (2, 7))]),
        ),
        (
            "a ring of crossbars without hosts",
            by_hand(
                &[6, 6, 6, 6],
                &[(0, 0)],
                &[((0, 4), (1, 5)), ((1, 3), (2, 2)), ((2, 1), (3, 4)), ((3, 2), (0, 5)), ((1, 0), (3, 0))],
            ),
        ),
        ("few ports of a large crossbar", by_hand(&[128, 128], &[(0, 3), (0, 120), (1, 64)], &[((0, 60), (1, 1))])),
        (
            "a leaf of 16 ports below a spine of 36",
            by_hand(&[16, 36, 16], &[(0, 0), (2, 0), (2, 15)], &[((0, 15), (1, 0)), ((1, 35), (2, 8))]),
        ),
    ];
    for (what, topology) in networks {
        for loss in [0.0, 0.1] {
            for seed in 0..4 {
                let mut oracle = Oracle::new(topology.clone(), loss, seed);
                let map = discover(&mut oracle, DiscoveryConfig::default(), seed).expect(what);
                expect_same(&oracle, &map, &format!("{what}, loss {loss}, seed {seed}"));
            }
        }
    }
}

#[test]
fn damaged_networks() {
    for seed in 0..6 {
        let mut topology = transform::without_crossbars(&clos(128, 8, 3), 8, seed);
        transform::cut_cables(&mut topology, 15.0, seed);
        check(topology, [0.0, 0.02][seed as usize % 2], seed);
    }
}

#[test]
fn two_hosts_back_to_back() {
    let mut topology = Topology::new("back to back");
    let ends = [1, 2].map(|id| PortId::new(topology.add_host(format!("h{id}"), UniqueId(id), 1).unwrap(), 0));
    topology.connect(ends[0], ends[1]).unwrap();
    let map = check(topology, 0.1, 3);
    assert_eq!(map.topology.crossbars().len(), 0);
}

#[test]
fn no_cable_is_an_error() {
    let mut topology = Topology::new("unplugged");
    topology.add_host("master", UniqueId(1), 1).unwrap();
    let error = discover(&mut Oracle::new(topology, 0.0, 1), DiscoveryConfig::default(), 1).unwrap_err();
    assert!(matches!(error, DiscoveryError::NoCable { probes: 64 }), "{error}");
}
