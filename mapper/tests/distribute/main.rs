//! Route loading on the simulator: Pink's 1,023 nodes, and every fault that one of them or a cable may have.

mod faults;
mod node;
mod run;

use run::{Mapped, Run};
use std::time::Duration;
use twowire_fabric::topology::generate;

#[test]
fn pinks_nodes_are_loaded_within_a_tenth_of_a_second() {
    let pink = Mapped::new(generate::pink(), 8);
    let mut run = Run::new(&pink, 1);
    run.load();
    run.assert_loaded_but(&[]);
    let took = run.took();
    println!("Pink, 8 routes a pair: loaded and committed in {took:?}, {:?}", run.progress());
    assert!(took < Duration::from_millis(100), "{took:?}");
}

#[test]
fn one_seed_gives_one_run() {
    let digest = || {
        let clos = small();
        let mut run = Run::new(&clos, 5);
        run.inject("loss:0.02");
        run.load();
        (run.took(), run.digest())
    };
    assert_eq!(digest(), digest());
}

/// A fabric of 63 nodes, four routes a pair.
fn small() -> Mapped {
    let clos = generate::Clos { hosts: 64, radix: 16, levels: 2, oversubscription: 1.0 }.build().unwrap();
    Mapped::new(clos, 4)
}
