use super::{Cabling, Escape, NONE, Neighbours, Turns};
use crate::engine::tests::shuffled;
use crate::engine::{self, Engine, Request, TopologyKind, UpDown};
use crate::verify::{self, Report};
use std::num::NonZeroU8;
use twowire_fabric::topology::generate::{Torus, hypercube};
use twowire_fabric::topology::transform::{cut_cables, without_crossbars};
use twowire_fabric::topology::{Topology, generate::Random};

fn torus(dimensions: &[u32]) -> Topology {
    Torus { dimensions: dimensions.to_vec(), hosts_per: 1 }.build().unwrap()
}

/// What the verifier says of the routes, which must hold.
fn report(topology: &Topology, routes_per_pair: u8) -> Report {
    let request = Request { routes_per_pair: NonZeroU8::new(routes_per_pair).unwrap(), epoch: 1 };
    let routes = engine::compute(topology, TopologyKind::Any, request).unwrap();
    let report = verify::check(topology, &routes, None);
    assert!(report.holds(), "{}: {}", topology.name, report.verdict());
    report
}

/// The load on the busiest cable by up*/down*.
fn updown_load(topology: &Topology) -> u64 {
    verify::check(topology, &UpDown.compute(topology, Request::default()).unwrap(), None).load_max
}

#[test]
fn hypercubes_are_routed_by_shortest_routes_that_load_all_cables_alike() {
    for dimensions in 2..=8 {
        let cube = shuffled(&hypercube(dimensions).unwrap(), dimensions.into());
        let found = report(&cube, 1);
        let each = 1 << (dimensions - 1);
        assert_eq!((found.engine.as_str(), found.longer, found.load_max), ("hypercube", 0, each), "{dimensions}");
        assert_eq!(found.load_mean, each as f64);
    }
}

#[test]
fn rings_of_four_are_two_dimensions_of_a_hypercube() {
    let found = report(&shuffled(&torus(&[4, 4, 2]), 3), 1);
    assert_eq!((found.engine.as_str(), found.longer, found.load_max), ("hypercube", 0, 16));
}

#[test]
fn tori_are_routed_with_less_load_than_by_up_and_down() {
    for dimensions in [&[3, 3][..], &[5, 6], &[8, 8], &[3, 4, 5], &[6, 6, 6], &[7, 2, 5]] {
        let torus = shuffled(&torus(dimensions), 2);
        let (found, updown) = (report(&torus, 1), updown_load(&torus));
        assert_eq!(found.engine, "torus");
        assert!(found.load_max <= updown, "{dimensions:?}: {} and {updown}", found.load_max);
        if dimensions == [6, 6, 6] {
            assert!(2 * found.load_max < updown, "{} and {updown}", found.load_max);
            assert!(5 * found.longer < found.pairs_routed, "{}", found.longer);
        }
    }
}

#[test]
fn a_torus_that_has_lost_all_cables_round_is_a_mesh_with_shortest_routes() {
    let mut mesh = torus(&[5, 6]);
    for cable in torus(&[5, 6]).cables() {
        let [a, b] = [cable.a, cable.b].map(|end| mesh.node_name(end.node).trim_start_matches('x').parse::<i32>());
        if let (Ok(a), Ok(b)) = (a, b)
            && ((a - b).abs() == 24 || (a - b).abs() == 5)
        {
            mesh.disconnect(cable.a).unwrap();
        }
    }
    let found = report(&shuffled(&mesh, 4), 1);
    assert_eq!((found.engine.as_str(), found.longer), ("torus", 0));
}

#[test]
fn alternates_take_other_shortest_ways_and_close_no_cycle() {
    for (topology, share) in [(hypercube(6).unwrap(), 1.5), (torus(&[5, 5, 5]), 1.5)] {
        let found = report(&shuffled(&topology, 1), 4);
        assert!(found.routes as f64 > share * found.pairs_routed as f64, "{}: {}", topology.name, found.routes);
    }
}

#[test]
fn damaged_grids_stay_complete_and_much_as_they_were() {
    let mut found = Vec::new();
    for (topology, engine) in
        [(torus(&[6, 6, 6]), "torus"), (torus(&[8, 8]), "torus"), (hypercube(7).unwrap(), "hypercube")]
    {
        let healthy = report(&topology, 1).load_max;
        for percent in [1, 5, 10] {
            let as_before = |seed: &u64| {
                let dead = topology.crossbars().len() * percent / 200;
                let mut damaged = without_crossbars(&topology, dead, *seed);
                cut_cables(&mut damaged, percent as f64 / 2.0, *seed);
                let found = report(&shuffled(&damaged, *seed), 1);
                found.engine == engine && found.load_max < 3 * healthy
            };
            found.push((0..10).filter(as_before).count());
        }
    }
    // Of ten each: a torus of three dimensions, one of two, and a hypercube; with 1 %, 5 % and 10 % of them broken.
    assert_eq!(found, [10; 9]);
}

#[test]
fn what_is_no_grid_is_left_to_other_engines() {
    for seed in 0..20 {
        let random = Random { crossbars: 12, radix: 8, hosts: 20, seed }.build().unwrap();
        assert_eq!(report(&random, 1).engine, "updown");
    }
    let error = engine::Hypercube.compute(&torus(&[5, 5]), Request::default()).unwrap_err();
    assert!(error.to_string().contains("no hypercube"), "{error}");
}

#[test]
fn every_destination_is_within_reach_over_a_spanning_tree_whose_turns_close_no_cycle() {
    for seed in 0..20 {
        let mut random = Random { crossbars: 30, radix: 8, hosts: 20, seed }.build().unwrap();
        cut_cables(&mut random, 40.0, seed);
        let cabling = Cabling::of(&random);
        let neighbours = Neighbours::of(&cabling);
        let root = seed as u32;
        let towards_root = vec![root; cabling.crossbars()];
        let escape = Escape::spanning(&neighbours, root, &towards_root);
        assert!(escape.reserve(&neighbours, &mut Turns::none(&neighbours)), "{seed}");
        for to in 0..cabling.crossbars() as u32 {
            let ways = escape.lead(&neighbours, to);
            let distance = cabling.distances([to].into_iter());
            for x in (0..cabling.crossbars() as u32).filter(|&x| x != to) {
                let arrives = distance[x as usize] == u32::MAX || follow(&neighbours, &ways, x) == to;
                assert!(arrives, "seed {seed}: from {x} to {to}");
            }
        }
    }
}

/// Where the edges lead from a crossbar in the end.
fn follow(neighbours: &Neighbours, ways: &[u32], from: u32) -> u32 {
    let next = |x: &u32| (ways[*x as usize] != NONE).then(|| neighbours.to[ways[*x as usize] as usize]);
    std::iter::successors(Some(from), next).take(ways.len()).last().expect("the first one")
}
