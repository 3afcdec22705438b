use super::*;
use crate::verify::{self, Report};
use std::collections::HashMap;
use twowire_fabric::id::UniqueId;
use twowire_fabric::route::Route;
use twowire_fabric::topology::generate::{self, Random, Torus, pink, xgft};
use twowire_fabric::topology::{CrossbarId, HostId, NodeId, PortId};

fn request(routes_per_pair: u8) -> Request {
    Request { routes_per_pair: NonZeroU8::new(routes_per_pair).unwrap(), epoch: 1 }
}

/// The same network with every crossbar's ports permuted, and all crossbars and hosts in another order.
pub(super) fn shuffled(topology: &Topology, seed: u64) -> Topology {
    let mut rng = fastrand::Rng::with_seed(seed);
    let mut copy = Topology::new(&topology.name);
    let mut crossbars: Vec<CrossbarId> = topology.crossbar_ids().collect();
    rng.shuffle(&mut crossbars);
    let mut ports_of = HashMap::new();
    for x in crossbars {
        let crossbar = topology.crossbar(x);
        copy.add_crossbar(&crossbar.name, crossbar.ports).unwrap();
        let mut ports: Vec<u8> = (0..crossbar.ports).collect();
        rng.shuffle(&mut ports);
        ports_of.insert(x, ports);
    }
    let mut hosts: Vec<HostId> = topology.host_ids().collect();
    rng.shuffle(&mut hosts);
    for host in hosts.into_iter().map(|h| topology.host(h)) {
        copy.add_host(&host.name, UniqueId(rng.u64(..)), host.ports).unwrap();
    }
    let end = |copy: &Topology, end: PortId| {
        let port = match end.node {
            NodeId::Crossbar(x) => ports_of[&x][usize::from(end.port)],
            NodeId::Host(_) => end.port,
        };
        PortId::new(copy.find(topology.node_name(end.node)).unwrap(), port)
    };
    for cable in topology.cables() {
        let (a, b) = (end(&copy, cable.a), end(&copy, cable.b));
        copy.connect(a, b).unwrap();
    }
    copy
}

/// Cuts this share of the cables between crossbars.
fn cut(topology: &Topology, percent: usize, seed: u64) -> Topology {
    let mut damaged = topology.clone();
    let is_between = |c: &&twowire_fabric::topology::Cable| matches!(c.a.node, NodeId::Crossbar(_));
    let mut between: Vec<PortId> = topology.cables().iter().filter(is_between).map(|c| c.a).collect();
    fastrand::Rng::with_seed(seed).shuffle(&mut between);
    for &end in &between[..between.len() * percent / 100] {
        damaged.disconnect(end).unwrap();
    }
    damaged
}

/// An XGFT with each cable between crossbars doubled.
fn doubled(children: &[u64], parents: &[u64]) -> Topology {
    let single = xgft(children, parents).unwrap();
    let mut double = Topology::new("doubled");
    for x in single.crossbars() {
        double.add_crossbar(&x.name, 2 * x.ports).unwrap();
    }
    for h in single.hosts() {
        double.add_host(&h.name, h.id, h.ports).unwrap();
    }
    for cable in single.cables() {
        double.connect(cable.a, cable.b).unwrap();
        if matches!(cable.a.node, NodeId::Crossbar(_)) {
            let second = |end: PortId| PortId::new(end.node, end.port + single.ports_of(end.node));
            double.connect(second(cable.a), second(cable.b)).unwrap();
        }
    }
    double
}

/// What the verifier says of an engine's routes, which must hold.
fn report(topology: &Topology, kind: TopologyKind, routes_per_pair: u8) -> Report {
    let routes = compute(topology, kind, request(routes_per_pair)).unwrap();
    let report = verify::check(topology, &routes, None);
    assert!(report.holds(), "{}: {}", topology.name, report.verdict());
    report
}

/// The crossbars that a route goes through.
fn crossbars_on(topology: &Topology, from: HostId, route: &Route) -> Vec<CrossbarId> {
    let mut at = topology.peer(PortId::new(from, 0)).unwrap();
    let mut on = Vec::new();
    for hop in route.hops() {
        let NodeId::Crossbar(x) = at.node else { panic!("a host before the last hop") };
        on.push(x);
        at = topology.peer(PortId::new(x, hop.out_of(at.port))).unwrap();
    }
    on
}

#[test]
fn pink_is_routed_as_by_d_mod_k() {
    for topology in [pink(), shuffled(&pink(), 7)] {
        let report = report(&topology, TopologyKind::Clos, 1);
        assert_eq!((report.pairs_routed, report.longer, report.hops_max), (1_047_552, 0, 5));
        assert_eq!((report.load_max, report.engine.as_str()), (1016, "clos"));
    }
}

#[test]
fn the_alternates_on_pink_share_no_crossbar_between_the_leaves() {
    let topology = shuffled(&pink(), 3);
    let routes = compute(&topology, TopologyKind::Clos, request(8)).unwrap();
    for (from, to) in [(0, 1), (5, 900), (1000, 17), (512, 513)].map(|(a, b)| (HostId(a), HostId(b))) {
        let paths: Vec<Vec<CrossbarId>> =
            routes.routes(from, to).map(|route| crossbars_on(&topology, from, &route)).collect();
        let hops = paths[0].len();
        assert_eq!(paths.len(), if hops == 1 { 1 } else { 8 }, "{paths:?}");
        for step in 1..hops - 1 {
            let mut there: Vec<CrossbarId> = paths.iter().map(|path| path[step]).collect();
            there.sort_unstable();
            there.dedup();
            assert_eq!(there.len(), 8, "{paths:?}");
        }
    }
}

#[test]
fn a_pair_has_as_many_routes_as_paths_exist() {
    let topology = xgft(&[2, 3, 4], &[1, 2, 3]).unwrap();
    let routes = compute(&topology, TopologyKind::Clos, request(100)).unwrap();
    let count = |to| routes.routes(HostId(0), HostId(to)).count();
    assert_eq!([count(0), count(1), count(2), count(6)], [0, 1, 2, 6]);
}

#[test]
fn parallel_cables_share_the_load() {
    let topology = shuffled(&doubled(&[8, 4], &[1, 4]), 5);
    let report = report(&topology, TopologyKind::Clos, 1);
    // Each leaf's 8 hosts send to 24 others, over 8 cables up; and the other way round.
    assert_eq!((report.load_max, report.load_mean), (24, 24.0));
    let routes = compute(&topology, TopologyKind::Clos, request(8)).unwrap();
    assert_eq!(topology.host_ids().map(|to| routes.routes(HostId(0), to).count()).max(), Some(8));
}

#[test]
fn clos_of_many_shapes_have_shortest_routes() {
    let oversubscribed = generate::Clos { hosts: 300, radix: 12, levels: 3, oversubscription: 2.0 };
    let partly_filled = generate::Clos { hosts: 101, radix: 8, levels: 3, oversubscription: 1.0 };
    let shapes = [
        xgft(&[5], &[1]).unwrap(),
        xgft(&[4, 6, 3, 2], &[1, 2, 3, 4]).unwrap(),
        doubled(&[2, 3, 3], &[1, 2, 2]),
        oversubscribed.build().unwrap(),
        partly_filled.build().unwrap(),
    ];
    for (seed, topology) in shapes.iter().enumerate() {
        let report = report(&shuffled(topology, seed as u64), TopologyKind::Clos, 4);
        assert_eq!((report.longer, report.engine.as_str()), (0, "clos"), "{}", topology.name);
    }
}

#[test]
fn damaged_clos_stay_complete() {
    let healthy = xgft(&[6, 6, 6], &[1, 6, 6]).unwrap();
    for (percent, seed) in [(1, 1), (5, 2), (5, 3), (10, 4), (10, 5)] {
        let damaged = shuffled(&cut(&healthy, percent, seed), seed);
        let report = report(&damaged, TopologyKind::Clos, 4);
        assert_eq!((report.pairs_routed, report.longer), (216 * 215, 0), "{percent} % cut, seed {seed}");
    }
}

#[test]
fn one_missing_cable_moves_only_what_used_it() {
    let healthy = xgft(&[6, 6, 6], &[1, 6, 6]).unwrap();
    let mut damaged = healthy.clone();
    damaged.disconnect(PortId::new(healthy.find("x2.3").unwrap(), 2)).unwrap();
    let before = compute(&healthy, TopologyKind::Clos, request(1)).unwrap();
    let after = compute(&damaged, TopologyKind::Clos, request(1)).unwrap();
    let crossed = |from, to| {
        let on = before.routes(from, to).next().map(|route| crossbars_on(&healthy, from, &route)).unwrap_or_default();
        let ends = [healthy.find("x1.2"), healthy.find("x2.3")];
        on.windows(2).any(|w| ends.contains(&Some(w[0].into())) && ends.contains(&Some(w[1].into())))
    };
    let mut moved = 0;
    for (from, to) in healthy.host_ids().flat_map(|from| healthy.host_ids().map(move |to| (from, to))) {
        let same = before.routes(from, to).eq(after.routes(from, to));
        assert!(same || crossed(from, to), "{from:?} to {to:?} moved without need");
        moved += u32::from(!same);
    }
    assert_eq!(moved, 2 * 6 * 35, "a leaf's six hosts lost one way up of six, and what came down the cable");
}

#[test]
fn a_crossbar_that_lost_its_hosts_or_children_disturbs_nothing() {
    let mut topology = pink();
    for name in ["x1.9", "x2.70"] {
        let below = topology.find(name).unwrap();
        (0..8).for_each(|port| assert!(topology.disconnect(PortId::new(below, port)).is_some()));
    }
    let report = report(&shuffled(&topology, 1), TopologyKind::Clos, 1);
    assert_eq!((report.longer, report.pairs_routed), (0, 1016 * 1015));
    assert!(report.load_max <= 2 * 1016, "{}", report.load_max);
}

#[test]
fn what_is_no_clos_is_refused_with_the_cable_that_shows_it() {
    let torus = Torus { dimensions: vec![4, 4], hosts_per: 1 }.build().unwrap();
    let error = compute(&torus, TopologyKind::Clos, request(1)).unwrap_err();
    assert!(matches!(error, EngineError::NotClos { hops: Steps(1), .. }), "{error}");
    let text = error.to_string();
    assert!(text.contains("x0:") && text.contains("--topology any"), "{text}");
    assert_eq!(report(&torus, TopologyKind::Any, 2).engine, "hypercube");
}

#[test]
fn leaves_that_no_way_up_and_down_connects_are_led_round() {
    // Two leaves whose only connection goes down through a third, and up again.
    let mut topology = xgft(&[1, 3], &[1, 2]).unwrap();
    let (left, right) = (topology.find("x1.0").unwrap(), topology.find("x1.2").unwrap());
    topology.disconnect(PortId::new(left, 2)).unwrap();
    topology.disconnect(PortId::new(right, 1)).unwrap();
    let found = report(&topology, TopologyKind::Clos, 1);
    assert_eq!((found.pairs_routed, found.longer, found.hops_max), (6, 0, 5));
}

#[test]
fn badly_damaged_clos_stay_complete() {
    let mut led_round = 0;
    for seed in 0..40 {
        let damaged = shuffled(&cut(&xgft(&[2, 4, 4], &[1, 3, 3]).unwrap(), 35, seed), seed);
        let found = report(&damaged, TopologyKind::Any, 2);
        led_round += u32::from(found.engine == "clos" && found.hops_max > 5);
    }
    assert!(led_round > 10, "{led_round} of 40");
}

#[test]
fn a_fat_tree_with_a_stray_cable_still_uses_all_its_tops() {
    let mut topology = Topology::new("stray");
    let tree = xgft(&[4, 4], &[1, 4]).unwrap();
    for x in tree.crossbars() {
        topology.add_crossbar(&x.name, x.ports + 1).unwrap();
    }
    for host in tree.hosts() {
        topology.add_host(&host.name, host.id, 1).unwrap();
    }
    for cable in tree.cables() {
        topology.connect(cable.a, cable.b).unwrap();
    }
    let [a, b] = ["x1.0", "x1.3"].map(|name| PortId::new(topology.find(name).unwrap(), 8));
    topology.connect(a, b).unwrap();
    let found = report(&topology, TopologyKind::Any, 4);
    assert_eq!((found.engine.as_str(), found.longer), ("updown", 0));
    // Each leaf's 4 hosts send to 12 others, over 4 cables up: the stray cable may take some, one top must not take all.
    assert!(found.load_max <= 16, "{}", found.load_max);
}

#[test]
fn any_graph_is_routed_without_deadlock() {
    for seed in 0..20 {
        let random = Random { crossbars: 12, radix: 8, hosts: 20, seed }.build().unwrap();
        assert_eq!(report(&shuffled(&random, seed), TopologyKind::Any, 3).pairs_routed, 380);
    }
    for dimensions in [vec![5], vec![4, 4], vec![3, 4, 5]] {
        let torus = Torus { dimensions, hosts_per: 2 }.build().unwrap();
        report(&shuffled(&torus, 1), TopologyKind::Torus, 4);
    }
    report(&generate::hypercube(5).unwrap(), TopologyKind::Hypercube, 4);
}

/// A ring of four crossbars with three hosts each, and beside it: a crossbar with a cable to itself, a host that is
/// plugged in by its second port only, one that is not plugged in, and two that have only each other.
pub(crate) fn odd_cables() -> Topology {
    let mut topology = Torus { dimensions: vec![4], hosts_per: 3 }.build().unwrap();
    let spare = topology.add_crossbar("spare", 8).unwrap();
    topology.connect(PortId::new(spare, 0), PortId::new(spare, 1)).unwrap();
    for (name, ports) in [("second", 2), ("unplugged", 1), ("a", 1), ("b", 1), ("first", 1)] {
        topology.add_host(name, UniqueId(99), ports).unwrap();
    }
    let end = |name: &str, port| PortId::new(topology.find(name).unwrap(), port);
    let cables = [(end("second", 1), end("spare", 2)), (end("a", 0), end("b", 0)), (end("first", 0), end("spare", 3))];
    for (a, b) in cables {
        topology.connect(a, b).unwrap();
    }
    topology
}

#[test]
fn odd_cables_are_no_obstacle() {
    let topology = odd_cables();
    let host = |name: &str| match topology.find(name) {
        Some(NodeId::Host(host)) => host,
        other => panic!("{name}: {other:?}"),
    };
    for kind in [TopologyKind::Any, TopologyKind::Torus] {
        // The ring; `second` and `first`; `a` and `b`.
        assert_eq!(report(&topology, kind, 2).pairs_routed, 12 * 11 + 2 + 2);
        let routes = compute(&topology, kind, request(2)).unwrap();
        assert_eq!(routes.routes(host("a"), host("b")).collect::<Vec<_>>(), [Route::EMPTY]);
        let rails: Vec<u8> = routes.routes_and_rails(host("second"), host("first")).map(|(rail, _)| rail).collect();
        assert_eq!(rails, [1]);
    }
}

#[test]
fn nothing_and_one_host_are_routed_trivially() {
    for kind in [TopologyKind::Any, TopologyKind::Clos, TopologyKind::Torus] {
        assert_eq!(report(&Topology::new("empty"), kind, 8).pairs_routed, 0);
        assert_eq!(report(&xgft(&[1], &[1]).unwrap(), kind, 8).pairs_routed, 0);
    }
}
