use super::{Cabling, Grid, Neighbours};
use crate::engine::tests::shuffled;
use twowire_fabric::topology::generate::{Torus, hypercube, xgft};
use twowire_fabric::topology::transform::{cut_cables, without_crossbars};
use twowire_fabric::topology::{Cable, CrossbarId, NodeId, PortId, Topology};

fn torus(dimensions: &[u32]) -> Topology {
    Torus { dimensions: dimensions.to_vec(), hosts_per: 1 }.build().unwrap()
}

/// A torus without the cables that close its rings.
fn mesh(dimensions: &[u32]) -> Topology {
    let mut mesh = torus(dimensions);
    let mut stride: u32 = dimensions.iter().product();
    for (dimension, &length) in dimensions.iter().enumerate() {
        stride /= length;
        let last = |x: &CrossbarId| x.0 / stride % length == length - 1;
        for x in mesh.crossbar_ids().filter(last) {
            mesh.disconnect(PortId::new(x, 1 + 2 * dimension as u8)).unwrap();
        }
    }
    mesh
}

fn seen(topology: &Topology) -> Option<Grid> {
    Grid::of(&Neighbours::of(&Cabling::of(topology)))
}

fn is_between(cable: &&Cable) -> bool {
    [cable.a, cable.b].iter().all(|end| matches!(end.node, NodeId::Crossbar(_)))
}

/// True if cables lead from each crossbar to the next one, but for one in twenty.
fn lead_one_step(grid: &Grid, cables: &[Cable]) -> bool {
    let places = |cable: &Cable| {
        [cable.a, cable.b].map(|end| match end.node {
            NodeId::Crossbar(x) => &grid.places[x.0 as usize],
            NodeId::Host(_) => unreachable!("a cable between crossbars"),
        })
    };
    let cables: Vec<&Cable> = cables.iter().filter(is_between).collect();
    let do_not = cables.iter().filter(|cable| matches!(places(cable), [a, b] if !grid.are_next(a, b))).count();
    20 * do_not <= cables.len()
}

/// In how many of 40 cases a grid is seen as it was, when so many per cent of its cables are cut, or of its crossbars gone.
fn seen_of_forty(whole: &Topology, percent: usize) -> [usize; 2] {
    let is_seen_without_cables = |&seed: &u64| {
        let mut damaged = shuffled(whole, seed);
        let cables = damaged.cables().to_vec();
        cut_cables(&mut damaged, percent as f64, seed);
        seen(&damaged).is_some_and(|grid| lead_one_step(&grid, &cables))
    };
    let is_seen_without_crossbars = |&seed: &u64| {
        let dead = (whole.crossbars().len() * percent).div_ceil(100);
        let damaged = shuffled(&without_crossbars(whole, dead, seed), seed);
        seen(&damaged).is_some_and(|grid| lead_one_step(&grid, damaged.cables()))
    };
    [(0..40).filter(is_seen_without_cables).count(), (0..40).filter(is_seen_without_crossbars).count()]
}

#[test]
fn damaged_grids_are_seen_as_they_were() {
    for (whole, least) in [
        (torus(&[8, 8]), [40, 40, 37]),
        (torus(&[5, 7]), [40, 40, 35]),
        (torus(&[16, 16]), [40, 40, 39]),
        (torus(&[5, 5, 5]), [40, 40, 40]),
        (torus(&[4, 4, 4]), [40, 40, 40]),
        (mesh(&[8, 8]), [40, 38, 22]),
        (mesh(&[5, 5, 5]), [40, 40, 40]),
        (hypercube(6).unwrap(), [40, 40, 40]),
    ] {
        for (percent, least) in [1, 5, 10].into_iter().zip(least) {
            let found = seen_of_forty(&whole, percent);
            assert!(found.iter().all(|&found| found >= least), "{}, {percent} %: {found:?}", whole.name);
        }
    }
}

#[test]
fn what_is_damaged_beyond_a_tenth_of_other_cabling_is_no_grid() {
    for (seed, whole) in (0..).zip([torus(&[8, 8]), torus(&[6, 6, 6]), mesh(&[9, 9]), hypercube(6).unwrap()]) {
        for seed in 20 * seed..20 * (seed + 1) {
            let mut other = shuffled(&whole, seed);
            let taken = cut_cables(&mut other, 25.0, seed);
            let ends = taken.iter().map(|cable| cable.b).cycle().skip(1);
            for (cable, b) in taken.iter().zip(ends).filter(|(cable, b)| cable.a.node != b.node) {
                other.connect(cable.a, b).unwrap();
            }
            assert!(seen(&other).is_none(), "{}, seed {seed}", whole.name);
        }
    }
}

#[test]
fn trees_and_stars_are_no_grids() {
    for topology in
        [xgft(&[2, 3, 3], &[1, 1, 1]).unwrap(), xgft(&[4, 6], &[1, 1]).unwrap(), xgft(&[4, 4], &[1, 4]).unwrap()]
    {
        assert!(seen(&topology).is_none(), "{}", topology.name);
    }
}
