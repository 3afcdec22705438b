//! The conformance suite in the simulator, under every fault; and what faults cost.

use super::rig::{SimRig, small};
use crate::endpoint::conformance::CASES;
use crate::sim::Fault;
use crate::topology::CrossbarId;
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
