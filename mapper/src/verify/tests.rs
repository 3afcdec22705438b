use super::*;
use crate::engine::{self, Request, TopologyKind};
use twowire_fabric::map::ListedBuilder;
use twowire_fabric::route::Route;
use twowire_fabric::topology::generate::{Torus, xgft};
use twowire_fabric::topology::{HostId, PortId};

/// Routes one by one, to be changed.
struct Editable {
    hosts: usize,
    routes: Vec<(HostId, HostId, Route)>,
}

impl Editable {
    fn of(topology: &Topology, kind: TopologyKind) -> Editable {
        let routes = engine::compute(topology, kind, Request::default()).unwrap();
        let mut all = Vec::new();
        for from in topology.host_ids() {
            routes.for_each_from(from, |r| all.push((from, r.to, Route::from_bytes(r.hops).unwrap())));
        }
        Editable { hosts: topology.hosts().len(), routes: all }
    }

    fn route(&mut self, from: u32, to: u32) -> &mut Route {
        &mut self.routes.iter_mut().find(|(f, t, _)| (f.0, t.0) == (from, to)).unwrap().2
    }

    fn set(&mut self, from: u32, to: u32, hops: &str) {
        *self.route(from, to) = hops.parse().unwrap();
    }

    fn build(&self) -> RouteSet {
        let mut builder = ListedBuilder::new(self.hosts);
        self.routes.iter().for_each(|(from, to, route)| builder.push(*from, *to, 0, route));
        RouteSet::from_listed(4, "edited", builder.finish())
    }
}

/// A ring of four crossbars with a host each: ports 0 host, 1 on, 2 back.
fn ring() -> Topology {
    Torus { dimensions: vec![4], hosts_per: 1 }.build().unwrap()
}

fn faults(topology: &Topology, routes: &Editable) -> Vec<String> {
    check(topology, &routes.build(), None).faults.iter().map(Fault::to_string).collect()
}

#[test]
fn an_engines_routes_hold() {
    let topology = xgft(&[2, 2, 2], &[1, 2, 2]).unwrap();
    let routes = Editable::of(&topology, TopologyKind::Clos).build();
    let verified = verify(&topology, routes, None).unwrap();
    let report = verified.report();
    assert_eq!((report.pairs_routed, report.routes, report.hops_max), (56, 56, 5));
    assert_eq!((report.engine.as_str(), report.epoch), ("edited", 4));
    assert_eq!(report.verdict(), "all 56 pairs arrive, and no routes can deadlock");
}

#[test]
fn routes_that_do_not_arrive_are_found_with_the_reason() {
    let topology = ring();
    let good = Editable::of(&topology, TopologyKind::Any);
    let cases = [
        ("81", "master to n0: route 81 is too short: it ends at a crossbar"),
        ("8181", "master to n0: route 8181: hop 2 leads from port 2 of x1 to port 3, which has no cable"),
        ("81fe81", "master to n0: route 81fe81 is too long: it reaches n0 before hop 3"),
        ("80", "master to n0: route 80 ends at master"),
        ("82fe", "master to n0: route 82fe: hop 2 leads from port 1 of x3 to port 127, which has no cable"),
    ];
    for (hops, expected) in cases {
        let mut wrong = Editable { hosts: good.hosts, routes: good.routes.clone() };
        wrong.set(0, 1, hops);
        assert_eq!(faults(&topology, &wrong)[0], expected);
        let refused = verify(&topology, wrong.build(), None).unwrap_err();
        assert_eq!((refused.0.wrong, refused.0.missing), (1, 1));
        assert!(refused.to_string().contains(expected), "{refused}");
    }
}

#[test]
fn an_alternate_that_does_not_arrive_is_found_too() {
    let topology = ring();
    let mut routes = Editable::of(&topology, TopologyKind::Any);
    routes.routes.push((HostId(0), HostId(1), "80".parse().unwrap()));
    let report = check(&topology, &routes.build(), None);
    assert_eq!((report.wrong, report.missing, report.holds()), (1, 0, false));
}

#[test]
fn a_missing_pair_is_found() {
    let topology = ring();
    let mut routes = Editable::of(&topology, TopologyKind::Any);
    routes.routes.retain(|(from, to, _)| (from.0, to.0) != (2, 3));
    let report = check(&topology, &routes.build(), None);
    assert_eq!((report.missing, report.wrong, report.holds()), (1, 0, false));
    assert_eq!(report.faults[0].to_string(), "n1 to n2: they are connected, but no route arrives");
}

#[test]
fn pairs_that_no_cable_connects_are_not_missing() {
    let mut topology = ring();
    topology.disconnect(PortId::new(HostId(3), 0)).unwrap();
    let routes = Editable::of(&topology, TopologyKind::Any);
    let report = check(&topology, &routes.build(), None);
    assert!(report.holds());
    assert_eq!((report.pairs_routed, report.disconnected), (6, 6));
}

#[test]
fn an_overlong_route_is_counted_and_holds() {
    let topology = ring();
    let mut routes = Editable::of(&topology, TopologyKind::Any);
    // From master to n0 and back to x0 before going on: one port on, back where it came from, and on again.
    let direct = routes.route(0, 1).to_string();
    assert_eq!(direct, "81fe");
    let before = check(&topology, &routes.build(), None);
    routes.set(0, 1, "818080fe");
    let report = check(&topology, &routes.build(), None);
    assert_eq!((report.longer, report.hops_max), (before.longer + 1, 4));
    assert_eq!((report.wrong, report.missing), (0, 0));
}

/// Every route goes round the ring the same way.
fn one_way(topology: &Topology) -> Editable {
    let mut routes = Editable::of(topology, TopologyKind::Any);
    for from in 0..4u32 {
        for to in (0..4u32).filter(|&to| to != from) {
            let steps = (to + 4 - from) % 4;
            let hops = format!("81{}fe", "ff".repeat(steps as usize - 1));
            routes.set(from, to, &hops);
        }
    }
    routes
}

#[test]
fn a_cycle_on_a_ring_is_found_and_explained() {
    let topology = ring();
    let report = check(&topology, &one_way(&topology).build(), None);
    assert_eq!((report.wrong, report.missing, report.deadlock_free), (0, 0, false));
    assert_eq!(report.cycle.len(), 4);
    for (i, step) in report.cycle.iter().enumerate() {
        let next = &report.cycle[(i + 1) % 4];
        let (_, arrives) = step.channel.split_once(" -> ").unwrap();
        let crossbar = arrives.split_once(':').unwrap().0;
        assert!(next.channel.starts_with(&format!("{crossbar}:1 -> ")), "{step:?} {next:?}");
        assert!(step.route.contains("81ff"), "{step:?}");
    }
    assert!(verify(&topology, one_way(&topology).build(), None).unwrap_err().to_string().contains("4 cables"));
}

/// Routes of two steps go round the ring one way from some sources, and the other way from the rest.
fn split(topology: &Topology, onward: fn(u32) -> bool) -> RouteSet {
    let mut routes = Editable::of(topology, TopologyKind::Any);
    for from in 0..4u32 {
        routes.set(from, (from + 1) % 4, "81fe");
        routes.set(from, (from + 3) % 4, "82ff");
        routes.set(from, (from + 2) % 4, if onward(from) { "81fffe" } else { "8281ff" });
    }
    routes.build()
}

#[test]
fn two_epochs_that_hold_alone_can_deadlock_together() {
    let topology = ring();
    let (old, new) = (split(&topology, |from| from < 2), split(&topology, |from| from >= 2));
    for alone in [&old, &new] {
        assert!(check(&topology, alone, None).holds(), "{}", check(&topology, alone, None).verdict());
    }
    let together = check(&topology, &new, Some(&old));
    assert!(!together.deadlock_free);
    assert_eq!((together.wrong, together.missing, together.pairs_routed), (0, 0, 12));
    assert!(verify(&topology, new, Some(&old)).is_err());
}

#[test]
fn loads_are_those_of_the_preferred_routes() {
    let topology = ring();
    let routes = one_way(&topology).build();
    let report = check(&topology, &routes, None);
    // Each of four cables carries the routes of one, two and three steps that cross it: 1 + 2 + 3.
    assert_eq!((report.load_max, report.load_mean), (6, 6.0));
}
