//! Whole transfers on the simulated fabric.

use super::testing::{Cluster, Setup, image, star};
use super::{NodeState, Outcome};
use twowire_fabric::topology::Topology;

/// Runs a transfer that nothing disturbs, and checks what every node holds.
fn boot(topology: Topology, len: usize, seed: u64) -> (Cluster, Outcome) {
    let image = image(len);
    let nodes = topology.hosts().len() - 1;
    let mut cluster = Setup::new(topology, image.clone(), seed).build();
    let outcome = cluster.run(10_000);
    assert_eq!((outcome.ready, &outcome.failed), (nodes, &vec![]));
    for n in 0..nodes as i32 {
        assert_eq!(cluster.node(n).state(), NodeState::Ready, "n{n}");
        let held = cluster.node(n).image().expect("a ready node has the image");
        assert_eq!(held.hash(), image.manifest().root(), "n{n}");
        assert_eq!(held.initramfs(), image.initramfs().map(Vec::from), "n{n}");
    }
    (cluster, outcome)
}

#[test]
fn a_few_nodes_boot() {
    for nodes in 1..=40 {
        boot(star(nodes), 100_000 + nodes * 777, nodes as u64);
    }
}

#[test]
fn images_of_every_small_size_arrive() {
    for chunks in [1, 2, 3, 127, 128, 129, 255, 256, 257, 300, 384, 385, 513] {
        boot(star(3), chunks * 4096 - 5, chunks as u64);
    }
    boot(star(2), 1, 1);
}
