//! What must not end in a wrong map: ids in two places, and fabrics that change while they are mapped.

use super::*;
use twowire_fabric::route::Route;
use twowire_fabric::topology::generate::{self, Clos, Random};
use twowire_fabric::topology::{NodeId, PortId, transform};

fn clos() -> Topology {
    Clos { hosts: 128, radix: 8, levels: 3, oversubscription: 1.0 }.build().unwrap()
}

/// The two hosts that a duplicate id was found at.
fn places(oracle: &Oracle, routes: &[Route; 2]) -> Vec<HostId> {
    let mut places: Vec<HostId> = routes
        .iter()
        .map(|route| {
            if route.is_empty() {
                oracle.front_end
            } else {
                oracle::walk(&oracle.topology, oracle.front_end, route).expect("a route to a host")
            }
        })
        .collect();
    places.sort_unstable();
    places
}

/// Two hosts with one id are reported, with both places.
fn expect_duplicate(mut topology: Topology, one: HostId, other: HostId, loss: f64, seed: u64) {
    let id = topology.host(one).id;
    topology.set_unique_id(other, id);
    let context = format!("{} with hosts {one:?} and {other:?}, loss {loss}, seed {seed}", topology.name);
    let mut oracle = Oracle::new(topology, loss, seed);
    match discover(&mut oracle, DiscoveryConfig::default(), seed) {
        Err(DiscoveryError::DuplicateId { id: found, routes }) => {
            assert_eq!(found, id, "{context}");
            assert_eq!(places(&oracle, &routes), [one.min(other), one.max(other)], "{context}");
        }
        Err(error) => panic!("{context}: {error}"),
        Ok(map) => panic!("{context}: a map of {} hosts", map.topology.hosts().len()),
    }
}

#[test]
fn an_id_in_two_places_is_reported_with_both() {
    for seed in 0..12 {
        let mut rng = fastrand::Rng::with_seed(seed);
        let loss = [0.0, 0.05][seed as usize % 2];
        let random = Random { crossbars: 10, radix: 8, hosts: 20, seed }.build().unwrap();
        for topology in [clos(), random] {
            let topology = transform::shuffle_ports(&topology, seed);
            let hosts = topology.hosts().len() as u32;
            let one = rng.u32(1..hosts - 1);
            expect_duplicate(topology, HostId(one), HostId(rng.u32(one + 1..hosts)), loss, seed);
        }
    }
}

#[test]
fn duplicates_that_contradict_nothing_are_found_by_the_proof() {
    // Two crossbars with one host each, the same id, at ports that do not collide: they could be one crossbar.
    let mut topology = Topology::new("leaves");
    let spine = topology.add_crossbar("spine", 8).unwrap();
    let host =
        |topology: &mut Topology, index: u64| topology.add_host(format!("h{index}"), UniqueId(index), 1).unwrap();
    let master = host(&mut topology, 1);
    topology.connect(PortId::new(master, 0), PortId::new(spine, 0)).unwrap();
    for (leaf, (up, down)) in [(0u8, 3u8), (1, 5)].into_iter().enumerate() {
        let crossbar = topology.add_crossbar(format!("leaf{leaf}"), 8).unwrap();
        topology.connect(PortId::new(spine, 2 + leaf as u8), PortId::new(crossbar, up)).unwrap();
        let host = host(&mut topology, 2 + leaf as u64);
        topology.connect(PortId::new(host, 0), PortId::new(crossbar, down)).unwrap();
    }
    for seed in 0..8 {
        expect_duplicate(topology.clone(), HostId(1), HostId(2), 0.05, seed);
    }
}

#[test]
fn the_front_ends_own_id_elsewhere_is_reported() {
    for seed in 0..4 {
        expect_duplicate(clos(), HostId(0), HostId(77), 0.02, seed);
    }
}

#[test]
fn two_equal_ids_on_one_crossbar_are_reported() {
    let topology = Clos { hosts: 8, radix: 16, levels: 1, oversubscription: 1.0 }.build().unwrap();
    expect_duplicate(topology, HostId(3), HostId(6), 0.0, 1);
}

/// Discovers while `change` alters the fabric after so many microseconds; the map must be the fabric as it is then.
fn while_changing(topology: Topology, at_us: u64, seed: u64, change: impl Fn(&mut Topology)) {
    let context = format!("{} changed after {at_us} us, seed {seed}", topology.name);
    let mut oracle = Oracle::new(topology, 0.01, seed);
    let mut discovery = Discovery::new(DiscoveryConfig::default(), oracle.own_id(), seed);
    let mut changed = false;
    oracle.run(
        &mut discovery,
        |discovery| discovery.is_done(),
        |oracle| {
            if !changed && oracle.now >= Time::from_nanos(at_us * 1000) {
                change(&mut oracle.topology);
                changed = true;
            }
        },
    );
    assert!(changed, "{context}: too late");
    let map = discovery.into_map().unwrap_or_else(|error| panic!("{context}: {error}"));
    expect_same(&oracle, &map, &context);
}

#[test]
fn a_crossbar_that_dies_meanwhile_is_not_in_the_map() {
    for seed in 0..10 {
        while_changing(transform::shuffle_ports(&clos(), seed), 150 * (seed + 1), seed, |topology| {
            // One of the highest level: it has cables to crossbars only.
            let last = topology.crossbar_ids().last().unwrap();
            for port in 0..topology.crossbar(last).ports {
                topology.disconnect(PortId::new(last, port));
            }
        });
    }
}

#[test]
fn a_cable_between_crossbars_that_is_cut_meanwhile_is_not_in_the_map() {
    for seed in 0..10 {
        while_changing(transform::shuffle_ports(&clos(), seed), 150 * (seed + 1), seed, |topology| {
            transform::cut_cables(topology, 1.0, seed);
        });
    }
}

#[test]
fn two_hosts_that_change_places_meanwhile_end_in_a_map_or_an_error() {
    let (mut maps, mut restarts) = (0, 0);
    for seed in 0..10 {
        let mut oracle = Oracle::new(clos(), 0.0, seed);
        let mut discovery = Discovery::new(DiscoveryConfig::default(), oracle.own_id(), seed);
        let mut count = 0;
        oracle.run(
            &mut discovery,
            |discovery| discovery.is_done(),
            |oracle| {
                if count < 40 && oracle.now >= Time::from_nanos(20_000 * count) {
                    swap(&mut oracle.topology, HostId(40), HostId(90));
                    count += 1;
                }
            },
        );
        restarts += discovery.statistics().restarts;
        maps += u32::from(discovery.into_map().is_ok());
    }
    assert!(maps > 0 && restarts > 0, "{maps} maps, {restarts} restarts");
}

fn swap(topology: &mut Topology, a: HostId, b: HostId) {
    let ends = [a, b].map(|host| topology.peer(PortId::new(host, 0)).unwrap());
    for end in ends {
        topology.disconnect(end);
    }
    topology.connect(PortId::new(a, 0), ends[1]).unwrap();
    topology.connect(PortId::new(b, 0), ends[0]).unwrap();
}

#[test]
fn a_fabric_that_never_rests_ends_in_an_error() {
    let mut oracle = Oracle::new(generate::hypercube(4).unwrap(), 0.0, 1);
    let mut discovery = Discovery::new(DiscoveryConfig::default(), oracle.own_id(), 1);
    let mut rng = fastrand::Rng::with_seed(5);
    oracle.run(
        &mut discovery,
        |discovery| discovery.is_done(),
        |oracle| {
            let hosts = oracle.topology.hosts().len() as u32;
            let (a, b) = (rng.u32(1..hosts), rng.u32(1..hosts));
            if a != b && rng.f64() < 0.3 {
                swap(&mut oracle.topology, HostId(a), HostId(b));
            }
        },
    );
    assert_eq!(discovery.statistics().restarts, 3);
    let error = discovery.into_map().unwrap_err();
    assert!(matches!(error, DiscoveryError::Unstable { attempts: 4, .. }), "{error}");
}

#[test]
fn a_limit_on_probes_is_kept() {
    let config = DiscoveryConfig { max_probes: 100, ..DiscoveryConfig::default() };
    let error = discover(&mut Oracle::new(clos(), 0.0, 1), config, 1).unwrap_err();
    assert_eq!(error, DiscoveryError::TooManyProbes(100));
}

#[test]
fn equal_seeds_send_equal_probes() {
    let probes = |seed| {
        let mut oracle = Oracle::new(clos(), 0.05, 9);
        let map = discover(&mut oracle, DiscoveryConfig::default(), seed).unwrap();
        (map.statistics, oracle.now, map.topology.to_string())
    };
    assert_eq!(probes(3), probes(3));
    assert_ne!(probes(3).0, probes(4).0);
}

#[test]
fn answers_to_others_are_ignored() {
    let mut oracle = Oracle::new(clos(), 0.0, 1);
    let mut discovery = Discovery::new(DiscoveryConfig::default(), oracle.own_id(), 1);
    let session = discovery.session();
    let foreign = [(session ^ 1, 0), (session, 1_000_000)];
    for (session, nonce) in foreign {
        let reply = twowire_fabric::wire::probe::ProbeReply {
            session,
            nonce,
            id: UniqueId(9999),
            epoch: 0,
            role: Default::default(),
        };
        discovery.handle_packet(Time::ZERO, &Packet::new(reply));
    }
    oracle.run(&mut discovery, |discovery| discovery.is_done(), |_| {});
    let map = discovery.into_map().unwrap();
    expect_same(&oracle, &map, "after foreign answers");
    assert!(map.topology.host_ids().all(|host| map.topology.host(host).id != UniqueId(9999)));
    assert!(matches!(map.topology.peer(PortId::new(map.front_end, 0)).unwrap().node, NodeId::Crossbar(_)));
}
