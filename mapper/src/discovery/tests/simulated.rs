//! Discovery on the simulator: with queues, back-pressure, and every mishap that a frame can have.

use super::*;
use twowire_fabric::protocol::{Port, drive};
use twowire_fabric::responder::Responder;
use twowire_fabric::sim::{Fault, Sim, SimConfig, SimPort};
use twowire_fabric::topology::generate::{self, Clos, Random};
use twowire_fabric::topology::{CrossbarId, PortId, transform};

/// Maps a simulated fabric with these faults; the result, and the fabric time in milliseconds.
fn simulate(topology: &Topology, faults: &[(u64, Fault)], seed: u64) -> (Result<DiscoveredMap, DiscoveryError>, f64) {
    let mut sim = Sim::new(topology, SimConfig::default(), seed, |host| Responder::new(topology.host(host).id));
    for &(at_us, fault) in faults {
        sim.inject(Time::from_nanos(at_us * 1000), fault);
    }
    let mut port = SimPort::new(sim, HostId(0));
    let mut discovery = Discovery::new(DiscoveryConfig::default(), port.unique_id(), seed);
    let limit = Time::from_nanos(20_000_000_000);
    let done = drive(&mut port, &mut discovery, limit, |discovery| discovery.is_done()).unwrap();
    assert!(done, "{} with seed {seed} and {faults:?}: {:?}", topology.name, discovery.progress());
    (discovery.into_map(), port.now().as_millis_f64())
}

/// Maps it; the map must be `truth`, which is the topology after the faults.
fn expect_map(topology: &Topology, truth: &Topology, faults: &[(u64, Fault)], seed: u64) -> DiscoveredMap {
    let context = format!("{} with seed {seed} and {faults:?}", topology.name);
    let map = simulate(topology, faults, seed).0.unwrap_or_else(|error| panic!("{context}: {error}"));
    if let Err(difference) = same_up_to_renaming(truth, HostId(0), &map.topology, map.front_end) {
        panic!("{context}: {}", difference.describe(truth, &map.topology));
    }
    map
}

fn clos() -> Topology {
    let clos = Clos { hosts: 128, radix: 8, levels: 3, oversubscription: 1.0 };
    transform::shuffle_ports(&clos.build().unwrap(), 5)
}

#[test]
fn pink_within_30_ms_and_6_probes_a_cable() {
    for topology in [generate::pink(), transform::shuffle_ports(&generate::pink(), 7)] {
        let (map, fabric_ms) = simulate(&topology, &[], 1);
        let map = map.unwrap();
        assert_eq!(same_up_to_renaming(&topology, HostId(0), &map.topology, map.front_end), Ok(()));
        assert!(fabric_ms <= 30.0, "{fabric_ms} ms");
        assert!(map.statistics.probes <= 6 * 3072, "{} probes", map.statistics.probes);
        assert_eq!(map.statistics.restarts, 0);
    }
}

#[test]
fn every_mishap_of_a_frame() {
    let random = Random { crossbars: 12, radix: 8, hosts: 20, seed: 1 }.build().unwrap();
    for topology in [clos(), random] {
        for seed in 0..3 {
            expect_map(&topology, &topology, &[(0, Fault::Loss(0.02))], seed);
            expect_map(&topology, &topology, &[(0, Fault::Loss(0.1))], seed);
            expect_map(&topology, &topology, &[(0, Fault::Corrupt(0.01))], seed);
            expect_map(&topology, &topology, &[(0, Fault::Duplicate(0.1))], seed);
            let map = expect_map(&topology, &topology, &[(0, Fault::Reorder(0.1))], seed);
            assert!(map.statistics.late > 0, "answers that are held up for up to 100 us come late");
        }
    }
}

#[test]
fn crossbars_and_cables_that_die_meanwhile_are_not_in_the_map() {
    let topology = clos();
    for seed in 0..6 {
        let at_us = 200 * (seed + 1);
        let dead = CrossbarId(topology.crossbars().len() as u32 - 1 - seed as u32);
        let truth = transform::without(&topology, &[dead.into()].into());
        expect_map(&topology, &truth, &[(at_us, Fault::Kill(dead))], seed);

        let mut truth = topology.clone();
        let cut = transform::cut_cables(&mut truth, 1.0, seed);
        let faults: Vec<_> = cut.iter().map(|cable| (at_us, Fault::Cut(cable.a))).collect();
        expect_map(&topology, &truth, &faults, seed);
    }
}

#[test]
fn a_cable_that_flaps_ends_in_a_map_or_an_error_and_never_hangs() {
    let topology = clos();
    for seed in 0..6 {
        let crossbar = CrossbarId(3 * seed as u32);
        let flap = Fault::Flap { port: PortId::new(crossbar, 2), period: Duration::from_micros(300), count: 4 };
        if let Ok(map) = simulate(&topology, &[(100 * seed, flap)], seed).0 {
            assert_eq!(map.topology.hosts()[0].id, topology.hosts()[0].id);
        }
    }
}

#[test]
fn a_host_that_is_off_is_not_in_the_map_and_its_cable_neither() {
    let topology = clos();
    let truth = transform::without(&topology, &[HostId(9).into()].into());
    expect_map(&topology, &truth, &[(0, Fault::Crash(HostId(9)))], 1);
}
