//! Prefetching: it asks for what events to come concern, and changes nothing.

use super::*;
use crate::sim::run::DEPTHS;

const HOSTS: u32 = 36;

/// Hosts that all send for a while; with a pause of 0 what they need is prefetched.
fn run(pause: usize) -> Sim<Node> {
    let topology = row(6, 6);
    let mut sim = sim(&topology);
    sim.network.ahead.pause = pause;
    for from in 0..HOSTS {
        sim.stream(from, &[7, 20].map(|far| route(&topology, from, (from + far) % HOSTS)));
    }
    sim.run_ms(2);
    sim
}

#[test]
fn what_hosts_will_need_is_asked_for_and_nothing_changes() {
    let (with, without) = (run(0), run(usize::MAX));
    assert_eq!((with.digest(), with.stats()), (without.digest(), without.stats()));
    let asked = |sim: &Sim<Node>, depth: usize| -> u64 { sim.hosts().iter().map(|h| h.prefetched[depth].get()).sum() };
    let delivered = with.stats().frames_delivered;
    for depth in 0..DEPTHS {
        assert!(asked(&with, depth) > delivered, "depth {depth}: {} for {delivered} frames", asked(&with, depth));
        assert_eq!(asked(&without, depth), 0);
    }
}
