//! `mapper what-if`.

use crate::CLOS;
use crate::sandbox::Sandbox;

#[test]
fn losses_are_said_before_they_happen() {
    let sandbox = Sandbox::new();
    sandbox.ok(&format!("--fabric {CLOS} --topo-out m.topo --routes-out m.routes --routes-per-pair 2"));
    let leaf = sandbox.ok("what-if --topo m.topo --kill x1.3 --kill x2.0:1");
    for expected in ["cables dead      5", "hosts cut off    2: n[5-6]", "pairs lost       58", "of 240 interrupted"] {
        assert!(leaf.contains(expected), "expected: {expected}\n{leaf}");
    }
    let spine = sandbox.json("what-if --topo m.topo --routes m.routes --kill x3.0 --json");
    assert_eq!((spine["pairs_lost"].as_u64(), spine["cables"].as_u64()), (Some(0), Some(4)), "{spine}");
    assert!(spine["after"]["load_max"].as_u64() >= spine["before"]["load_max"].as_u64(), "{spine}");
    assert!(spine["after"]["bisection"].as_f64() < spine["before"]["bisection"].as_f64(), "{spine}");
    assert_eq!(sandbox.ok("what-if --topo m.topo --kill n3").lines().next(), Some("cables dead      1"));
}

#[test]
fn what_cannot_break_is_said() {
    let sandbox = Sandbox::new();
    sandbox.ok(&format!("--fabric {CLOS} --topo-out m.topo"));
    sandbox.fails("what-if --topo m.topo", 2, &["--kill"]);
    sandbox.fails("what-if --topo m.topo --kill x9.9", 2, &["`x9.9`", "x1.3:9"]);
    sandbox.fails("what-if --topo m.topo --kill x1.0:200", 2, &["`x1.0:200`", "show --wiring"]);
    sandbox.fails("what-if --topo none.topo --kill x1.0", 1, &["cannot read none.topo"]);
}
