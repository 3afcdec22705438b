//! Both ways of proving, by trees and by walking, must say the same of the same routes.

use super::*;
use crate::engine::{self, Request, TopologyKind};
use crate::verify::{self, Report, walk};
use std::num::NonZeroU8;
use twowire_fabric::map::{Layer, Listed, ListedBuilder, NO_PORT};
use twowire_fabric::route::Route;
use twowire_fabric::topology::generate::{Random, Torus, xgft};
use twowire_fabric::topology::transform::{cut_cables, shuffle_ports, without_crossbars};
use twowire_fabric::topology::{PortId, Topology};

fn routes(topology: &Topology, kind: TopologyKind, routes_per_pair: u8) -> RouteSet {
    let request = Request { routes_per_pair: NonZeroU8::new(routes_per_pair).unwrap(), epoch: 7 };
    engine::compute(topology, kind, request).unwrap()
}

/// The same routes, one by one.
fn listed(set: &RouteSet) -> RouteSet {
    let mut builder = ListedBuilder::new(set.hosts());
    set.for_each(|from, route| builder.push(from, route.to, route.rail, &Route::from_bytes(route.hops).unwrap()));
    let listed: Listed = builder.finish();
    RouteSet::from_listed(set.epoch(), set.engine().to_owned(), listed)
}

/// The tables with some entries changed: to another port, to one that no crossbar has, to none.
fn spoilt(topology: &Topology, set: &RouteSet, changes: usize, rng: &mut fastrand::Rng) -> RouteSet {
    let tables = set.tables().unwrap();
    let mut layers: Vec<Layer> = tables.layers().to_vec();
    for _ in 0..changes {
        let layer = &mut layers[rng.usize(..tables.layers().len())];
        let table = if layer.down.is_empty() || rng.bool() { &mut layer.up } else { &mut layer.down };
        let entry = rng.usize(..table.len());
        table[entry] = match rng.u8(..8) {
            0 => NO_PORT,
            1 => rng.u8(..),
            _ => rng.u8(..9),
        };
    }
    let tables = Tables::new(topology, layers, |x, port| tables.link(x, port).down);
    RouteSet::from_tables(set.epoch(), "spoilt", tables)
}

/// What both ways have counted, without what depends on the order of the routes.
#[derive(Debug, PartialEq)]
struct Found {
    report: Report,
    load: Vec<u64>,
    /// Between crossbars: what else there is can close no cycle.
    dependencies: Vec<u128>,
}

impl Found {
    fn of(tally: Tally, set: &RouteSet) -> Found {
        let network = tally.network;
        let mut load = tally.load.clone();
        let mut dependencies = tally.dependencies.clone();
        for channel in 0..network.ports() as u32 {
            if !matches!(network.end(channel), End::Crossbar { .. }) {
                (load[channel as usize], dependencies[channel as usize]) = (0, 0);
                let x = network.crossbar_of(channel);
                let out = 1 << (channel - network.first(x));
                network.ports_of(x).for_each(|arrival| dependencies[arrival as usize] &= !out);
            }
        }
        let mut report = tally.finish(set, Vec::new());
        report.faults.sort_by_key(|fault| (fault.from.clone(), fault.to.clone(), fault.reason.clone()));
        if report.wrong + report.missing > 10 {
            report.faults.clear();
        }
        Found { report, load, dependencies }
    }
}

/// Proves routes both ways, beside routes that are in use, and returns what both say. By trees it is done in one part and in several.
fn both_ways(topology: &Topology, set: &RouteSet, in_use: Option<&RouteSet>) -> Report {
    let network = Network::of(topology);
    let shortest = Shortest::of(&network);
    let by_trees = |parts| {
        let mut tally = Tally::new(&network, topology);
        in_use.into_iter().for_each(|old| depend(&mut tally, old, old.tables().unwrap(), &shortest));
        check_in_parts(&mut tally, set, set.tables().unwrap(), &shortest, parts);
        tally
    };
    let mut by_walking = Tally::new(&network, topology);
    in_use.into_iter().for_each(|old| old.for_each(|from, route| by_walking.depend(from, route)));
    walk::check(&mut by_walking, &listed(set), &shortest);
    let by_walking = Found::of(by_walking, set);
    for parts in [1, 2, 5] {
        assert_eq!(Found::of(by_trees(parts), set), by_walking, "{}, {parts} parts", topology.name);
    }
    let [one, three] = [1, 3].map(|parts| by_trees(parts).finish(set, Vec::new()));
    assert_eq!(one, three, "{}", topology.name);
    let whole = verify::check(topology, set, in_use);
    assert_eq!(whole.deadlock_free, verify::check(topology, &listed(set), in_use).deadlock_free);
    whole
}

/// Networks of all sorts, whole and damaged.
fn networks() -> Vec<Topology> {
    let mut all = vec![
        xgft(&[3, 3, 4], &[1, 2, 3]).unwrap(),
        xgft(&[1], &[1]).unwrap(),
        Topology::new("empty"),
        Torus { dimensions: vec![4, 3], hosts_per: 2 }.build().unwrap(),
        Torus { dimensions: vec![5], hosts_per: 1 }.build().unwrap(),
        engine::odd_cables(),
    ];
    for seed in 0..12 {
        let random = Random { crossbars: 9, radix: 8, hosts: 20, seed }.build().unwrap();
        let mut damaged = without_crossbars(&random, seed as usize % 3, seed);
        cut_cables(&mut damaged, 25.0, seed);
        all.extend([shuffle_ports(&random, seed), damaged]);
        let mut tree = xgft(&[2, 4, 4], &[1, 3, 3]).unwrap();
        cut_cables(&mut tree, 3.0 * seed as f64, seed);
        all.push(without_crossbars(&tree, seed as usize % 4, seed));
    }
    all
}

#[test]
fn both_ways_say_the_same_of_what_engines_make() {
    for topology in networks() {
        for routes_per_pair in [1, 3, 8] {
            let set = routes(&topology, TopologyKind::Any, routes_per_pair);
            let report = both_ways(&topology, &set, None);
            assert!(report.holds(), "{}: {}", topology.name, report.verdict());
        }
    }
}

#[test]
fn both_ways_say_the_same_of_spoilt_tables() {
    let (mut wrong, mut missing, mut cycles, mut holding) = (0, 0, 0, 0);
    for (seed, topology) in networks().iter().enumerate().filter(|(_, topology)| topology.crossbars().len() > 1) {
        let mut rng = fastrand::Rng::with_seed(seed as u64);
        for (routes_per_pair, changes) in [(1, 1), (1, 40), (3, 2), (5, 200)] {
            let set = routes(topology, TopologyKind::Any, routes_per_pair);
            let report = both_ways(topology, &spoilt(topology, &set, changes, &mut rng), None);
            wrong += usize::from(report.wrong > 0);
            missing += usize::from(report.missing > 0);
            cycles += usize::from(!report.deadlock_free);
            holding += usize::from(report.holds());
        }
    }
    assert!([wrong, missing, cycles, holding].iter().all(|&n| n > 5), "{wrong} {missing} {cycles} {holding}");
}

#[test]
fn routes_in_use_count_up_to_where_a_cable_is_gone_or_leads_elsewhere() {
    let mut deadlocks = 0;
    for (seed, topology) in networks().iter().enumerate().filter(|(_, topology)| topology.cables().len() > 30) {
        let mut rng = fastrand::Rng::with_seed(seed as u64);
        let old = spoilt(topology, &routes(topology, TopologyKind::Any, 2), seed % 3 * 10, &mut rng);
        let mut now = topology.clone();
        let cut = cut_cables(&mut now, 10.0, seed as u64);
        if let [first, second, ..] = &cut[..]
            && seed % 2 == 0
        {
            now.connect(first.a, second.a).unwrap();
            let unplugged = now.disconnect(PortId::new(HostId(0), 0)).unwrap();
            now.connect(PortId::new(HostId(0), 0), first.b).unwrap();
            assert_ne!(unplugged.b, first.b);
        }
        deadlocks += usize::from(!both_ways(&now, &routes(&now, TopologyKind::Any, 2), Some(&old)).deadlock_free);
    }
    assert!(deadlocks > 3, "{deadlocks}");
}

#[test]
fn a_route_of_too_many_hops_is_no_route() {
    // Round a long ring, up and then down.
    let ring = Torus { dimensions: vec![100], hosts_per: 1 }.build().unwrap();
    let report = both_ways(&ring, &routes(&ring, TopologyKind::Any, 1), None);
    assert!(report.missing > 0 && report.hops_max == 63, "{report:?}");
}
