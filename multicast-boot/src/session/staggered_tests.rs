//! Nodes that join one after another: what the front end sends for them.

use super::testing::{Cluster, Setup, image, star};
use super::{BootEvent, FailureReason, Outcome};
use std::time::Duration;
use twowire_fabric::sim::Fault;
use twowire_fabric::time::Time;
use twowire_fabric::topology::HostId;

/// A payload that takes 17 ms over a link.
const LEN: usize = 4 << 20;
const NODES: usize = 16;

/// Boots nodes that are switched on at these times, in ms; how often the front end has sent the image, how many nodes the trees were laid
/// over, and how it ended.
fn boot(at_ms: impl Fn(u64) -> u64) -> (f64, usize, Outcome) {
    let mut cluster = cluster();
    for node in 0..NODES as u64 {
        let host = HostId(node as u32 + 1);
        cluster.sim.inject(Time::ZERO, Fault::Crash(host));
        cluster.sim.inject(Time::ZERO + Duration::from_millis(at_ms(node)), Fault::Restart(host));
    }
    let outcome = cluster.run(10_000);
    let laid_over = cluster.events().into_iter().find_map(|event| match event {
        BootEvent::Started { nodes, .. } => Some(nodes),
        _ => None,
    });
    (cluster.root().progress().bytes_sent as f64 / LEN as f64, laid_over.unwrap_or(0), outcome)
}

fn cluster() -> Cluster {
    let mut setup = Setup::new(star(NODES), image(LEN), 1);
    setup.root.timing.rejoin_wait = Duration::from_secs(2);
    setup.build()
}

/// The last ones have been given up before the first of them joins.
#[test]
fn those_that_join_soon_after_one_another_are_in_the_trees_from_the_start() {
    for (first_ms, step_ms) in [(1, 3), (100, 4), (400, 5), (2_500, 5)] {
        let (images, laid_over, outcome) = boot(|node| first_ms + node * step_ms);
        assert_eq!((outcome.ready, outcome.failed.len(), laid_over), (NODES, 0, NODES));
        assert!(images < 1.02, "from {first_ms} ms on, each {step_ms} ms: the image was sent {images} times");
    }
}

#[test]
fn those_that_come_after_the_transfer_has_begun_are_fed_by_others() {
    for step_ms in [6, 8, 12] {
        let (images, laid_over, outcome) = boot(|node| 100 + node * step_ms);
        assert_eq!((outcome.ready, outcome.failed.len()), (NODES, 0));
        assert!(laid_over < NODES, "all came in time");
        assert!(images < 2.0, "each {step_ms} ms: the image was sent {images} times");
    }
}

#[test]
fn nobody_waits_for_those_that_never_come() {
    let mut cluster = cluster();
    (0..4).for_each(|node| cluster.sim.inject(Time::ZERO, Fault::Crash(HostId(node + 1))));
    let outcome = cluster.run(10_000);
    assert_eq!((outcome.ready, outcome.failed.len()), (NODES - 4, 4));
    assert!(outcome.laid - outcome.started < Duration::from_millis(25), "{:?}", outcome.laid - outcome.started);
    assert!(outcome.failed.iter().all(|failure| matches!(failure.reason, FailureReason::DidNotJoin(_))));
}

#[test]
fn it_ends_when_nobody_comes_at_all() {
    let mut cluster = cluster();
    (0..NODES as u32).for_each(|node| cluster.sim.inject(Time::ZERO, Fault::Crash(HostId(node + 1))));
    let outcome = cluster.run(10_000);
    assert_eq!((outcome.ready, outcome.failed.len()), (0, NODES));
}
