//! Transfers to nodes that hold an older image.

use super::testing::{Cluster, Setup, image, key, parts, star};
use super::{BootClient, NodeState, Outcome, SharedStores};
use crate::image::{CHUNK, ImageParts, PackedImage};
use bytes::Bytes;
use std::sync::Arc;
use std::time::Duration;
use twowire_fabric::id::NodeNumber;
use twowire_fabric::sim::Fault;
use twowire_fabric::time::Time;
use twowire_fabric::topology::{HostId, Topology, generate};

const LEN: usize = 16 << 20;

fn clos() -> Topology {
    generate::xgft(&[8, 8], &[1, 8]).expect("a Clos")
}

/// The image with so many of its bytes changed, in extents of so many.
fn changed(old: &PackedImage, bytes: usize, extent: usize) -> PackedImage {
    let mut payload = old.payload().to_vec();
    let mut rng = fastrand::Rng::with_seed(extent as u64);
    for _ in 0..bytes / extent {
        let at = rng.usize(..payload.len() - extent);
        payload[at..at + extent].iter_mut().for_each(|byte| *byte ^= 0x55);
    }
    PackedImage::pack(&ImageParts { initramfs: payload.into(), version: 4, ..parts() }, &key()).expect("a small image")
}

/// Boots nodes that all have this payload from before, with these faults.
fn boot(topology: Topology, old: &Bytes, new: &PackedImage, seed: u64, faults: &[(Time, Fault)]) -> (Cluster, Outcome) {
    let nodes = topology.hosts().len() as i32 - 1;
    let mut setup = Setup::new(topology, new.clone(), seed);
    setup.stores = Arc::new(SharedStores::with_old_image(old.clone()));
    let mut cluster = setup.build();
    faults.iter().for_each(|&(at, fault)| cluster.sim.inject(at, fault));
    let outcome = cluster.run(20_000);
    assert_eq!(outcome.failed, vec![], "seed {seed}");
    for n in 0..nodes {
        assert_eq!(cluster.node(n).state(), NodeState::Ready, "n{n}");
        assert_eq!(cluster.node(n).image().expect("a ready node has it").hash(), new.manifest().root(), "n{n}");
    }
    (cluster, outcome)
}

/// Bytes that the front end sent, in images.
fn sent(cluster: &Cluster, new: &PackedImage) -> f64 {
    cluster.root().progress().bytes_sent as f64 / new.payload().len() as f64
}

#[test]
fn one_percent_changed_moves_less_than_three_percent() {
    let old = image(LEN);
    for extent in [LEN / 100, 64 << 10, 16 << 10] {
        let new = changed(&old, LEN / 100, extent);
        let (cluster, outcome) = boot(clos(), old.payload(), &new, 1, &[]);
        let share = sent(&cluster, &new);
        let took = (outcome.last_verified - outcome.laid).as_secs_f64() / (LEN as f64 * 8.0 / 2e9);
        println!("extents of {extent}: {:.2} % of the bytes, {:.1} % of the time", 100.0 * share, 100.0 * took);
        assert!(share <= 0.03, "extents of {extent}: {share}");
        assert!(took <= 0.1, "extents of {extent}: {took}");
    }
}

#[test]
fn the_same_image_again_moves_its_top_list() {
    let old = image(LEN);
    let (cluster, _) = boot(clos(), old.payload(), &old, 2, &[]);
    assert!(cluster.root().progress().bytes_sent <= 8 * 33 * 32, "{}", cluster.root().progress().bytes_sent);
}

#[test]
fn an_old_image_that_has_nothing_of_the_new_one_costs_little() {
    let (old, new) = (image(4 << 20), image((4 << 20) + 5));
    for seed in [3, 14] {
        let (cluster, outcome) = boot(clos(), old.payload(), &new, seed, &[]);
        assert!((1.0..1.03).contains(&sent(&cluster, &new)), "{}", sent(&cluster, &new));
        let took = (outcome.last_verified - outcome.laid).as_secs_f64() / ((4 << 20) as f64 * 8.0 / 2e9);
        assert!(took < 1.1, "seed {seed}: {took}");
    }
}

#[test]
fn bytes_that_moved_by_whole_chunks_are_found() {
    let old = image(4 << 20);
    let inserted = [image(3 * CHUNK).payload().to_vec(), old.payload().to_vec()].concat();
    let new = PackedImage::pack(&ImageParts { initramfs: inserted.into(), ..parts() }, &key()).unwrap();
    let (cluster, _) = boot(star(5), old.payload(), &new, 4, &[]);
    assert!(sent(&cluster, &new) < 0.03, "{}", sent(&cluster, &new));
}

#[test]
fn more_gaps_than_fit_a_frame_are_filled_in_turns() {
    let old = image(3000 * CHUNK);
    let mut payload = old.payload().to_vec();
    payload.chunks_mut(CHUNK).step_by(2).for_each(|chunk| chunk[7] ^= 1);
    let new = PackedImage::pack(&ImageParts { initramfs: payload.into(), ..parts() }, &key()).unwrap();
    let (cluster, _) = boot(star(5), old.payload(), &new, 5, &[]);
    assert!((0.5..0.53).contains(&sent(&cluster, &new)), "{}", sent(&cluster, &new));
}

#[test]
fn losses_damage_restarts_and_dead_nodes_do_no_harm() {
    let old = image(4 << 20);
    for seed in 0..6 {
        let new = changed(&old, 1 << 20, 20_000);
        let us = |us: u64| Time::from_nanos(us * 1000);
        let host = HostId(NodeNumber(7 * seed as i32).index() as u32);
        let faults = [
            (Time::ZERO, Fault::Loss(0.05)),
            (Time::ZERO, Fault::Corrupt(0.01)),
            (us(500 + 300 * seed), Fault::Restart(host)),
            (
                us(700 + 300 * seed),
                Fault::Flap { port: clos().cables()[70].a, period: Duration::from_millis(1), count: 4 },
            ),
        ];
        boot(clos(), old.payload(), &new, seed, &faults);
    }
}
