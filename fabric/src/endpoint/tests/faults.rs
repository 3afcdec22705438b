//! The conformance suite in the simulator, under every fault; and what faults cost.

use super::rig::{SimRig, small};
use crate::endpoint::Event;
use crate::endpoint::conformance::{CASES, Ledger, Rig, pattern};
use crate::sim::Fault;
use crate::topology::{CrossbarId, HostId};
use std::time::Duration;

const SEEDS: [u64; 3] = [1, 2, 3];

/// Runs every case for every seed with some faults, or names the case and the seed that failed.
fn suite(faults: &[Fault]) {
    for case in CASES {
        for seed in SEEDS {
            println!("case {} seed {seed} faults {faults:?}", case.name);
            let mut rig = SimRig::new(case.hosts, seed, &small());
            rig.inject(faults);
            (case.run)(&mut rig, seed);
        }
    }
}

#[test]
fn no_fault() {
    suite(&[]);
}

#[test]
fn loss_of_one_percent() {
    suite(&[Fault::Loss(0.01)]);
}

#[test]
fn loss_of_ten_percent() {
    suite(&[Fault::Loss(0.1)]);
}

#[test]
fn loss_of_thirty_percent() {
    suite(&[Fault::Loss(0.3)]);
}

#[test]
fn corruption() {
    suite(&[Fault::Corrupt(0.1)]);
}

#[test]
fn duplication() {
    suite(&[Fault::Duplicate(0.2)]);
}

#[test]
fn reordering() {
    suite(&[Fault::Reorder(0.2)]);
}

#[test]
fn all_of_them() {
    suite(&[Fault::Loss(0.05), Fault::Corrupt(0.05), Fault::Duplicate(0.05), Fault::Reorder(0.05)]);
}

#[test]
fn cut_routes() {
    suite(&[Fault::Cut(SimRig::up_cable(0, 0)), Fault::Cut(SimRig::up_cable(1, 2))]);
}

#[test]
fn flapping_routes() {
    let flap = |spine, period| Fault::Flap {
        port: SimRig::up_cable(0, spine),
        period: Duration::from_micros(period),
        count: 2_000,
    };
    suite(&[flap(0, 900), flap(1, 5_300), flap(3, 1_700)]);
}

#[test]
fn dead_crossbars() {
    suite(&[Fault::Kill(CrossbarId(2)), Fault::Kill(CrossbarId(4))]);
}

/// A new card in the same place is another peer: the old one is unreachable, and the new one gets nothing of its mail.
#[test]
fn a_swapped_card() {
    let mut rig = SimRig::new(2, 4, &small());
    let mut ledger = Ledger::default();
    rig.connect(0, 1);
    ledger.send(&mut rig, 0, 1, pattern(100, 1));
    ledger.settle(&mut rig, &[0, 1]);
    let old = rig.unique_id(1);
    rig.inject(&[Fault::Swap(HostId(1))]);
    let now = rig.now();
    rig.endpoint(0).send(now, old, pattern(100, 2)).unwrap();
    rig.sim.wake(HostId(0));
    let gone = |h: usize, e: &Event| h == 0 && matches!(e, Event::PeerUnreachable { peer, .. } if *peer == old);
    ledger.await_event(&mut rig, &[0, 1], "the old card is unreachable", gone);
    rig.connect(0, 1);
    ledger.send(&mut rig, 0, 1, pattern(100, 3));
    ledger.settle(&mut rig, &[0, 1]);
}

/// Crossbars and hosts fail in the middle of large messages; those between living hosts arrive.
#[test]
fn failures_under_way() {
    for seed in SEEDS {
        let mut rig = SimRig::new(4, seed, &small());
        let mut ledger = Ledger::default();
        for (from, to) in [(0, 1), (2, 3), (3, 0)] {
            rig.connect(from, to);
            ledger.send(&mut rig, from, to, pattern(3 << 20, seed));
        }
        rig.run(Duration::from_millis(3));
        rig.inject(&[Fault::Kill(CrossbarId(3))]);
        rig.run(Duration::from_millis(3));
        rig.inject(&[Fault::Cut(SimRig::up_cable(1, 2)), Fault::Restart(HostId(2)), Fault::Revive(CrossbarId(3))]);
        rig.run(Duration::from_millis(3));
        rig.inject(&[Fault::Cut(SimRig::up_cable(0, 0)), Fault::Crash(HostId(2))]);
        ledger.forget(2, 3);
        ledger.settle(&mut rig, &[0, 1, 3]);
    }
}

#[test]
fn one_seed_is_one_history() {
    let digest = |seed: u64| {
        let mut rig = SimRig::new(8, seed, &small());
        rig.inject(&[Fault::Loss(0.05), Fault::Reorder(0.05)]);
        let many_peers = CASES.iter().find(|c| c.name == "many_peers").expect("a case");
        (many_peers.run)(&mut rig, 1);
        rig.sim.digest()
    };
    assert_eq!(digest(5), digest(5));
    assert_ne!(digest(5), digest(6));
}
