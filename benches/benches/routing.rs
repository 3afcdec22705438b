//! Routing engines: from a topology to the routes of all pairs, on one thread.

use std::hint::black_box;
use std::num::NonZeroU8;
use std::time::Instant;
use twowire_benches::{Figures, median};
use twowire_fabric::topology::Topology;
use twowire_fabric::topology::generate::{Clos, Random, Torus, pink};
use twowire_mapper::engine::{Request, TopologyKind, compute};

const ROUNDS: usize = 5;

fn main() {
    let mut figures = Figures::of("routing");
    let clos = |hosts, radix| Clos { hosts, radix, levels: 3, oversubscription: 1.0 }.build().expect("a Clos");
    let mut time = |what: &str, topology: &Topology, kind, routes_per_pair| {
        let request = Request { routes_per_pair: NonZeroU8::new(routes_per_pair).expect("not 0"), epoch: 1 };
        let run = || seconds(|| drop(black_box(compute(topology, kind, request).expect("it is routed"))));
        figures.record(what, format!("{:.2} ms", 1e3 * median((0..ROUNDS).map(|_| run()).collect())));
    };
    let pink = pink();
    time("Pink, 1 route a pair", &pink, TopologyKind::Clos, 1);
    time("Pink, 8 routes a pair", &pink, TopologyKind::Clos, 8);
    time("Clos of 11,664 hosts, 1 route a pair", &clos(11_664, 36), TopologyKind::Clos, 1);
    time("Clos of 39,366 hosts, 1 route a pair", &clos(39_366, 54), TopologyKind::Clos, 1);
    let torus = Torus { dimensions: vec![8, 8, 8], hosts_per: 1 }.build().expect("a torus");
    time("torus 8x8x8, 1 route a pair", &torus, TopologyKind::Torus, 1);
    let random = Random { crossbars: 40, radix: 16, hosts: 100, seed: 1 }.build().expect("a random network");
    time("random, 40 crossbars and 100 hosts, 4 routes a pair", &random, TopologyKind::Any, 4);
}

#[allow(clippy::disallowed_methods)] // a bench reads the clock
fn seconds(work: impl FnOnce()) -> f64 {
    let start = Instant::now();
    work();
    start.elapsed().as_secs_f64()
}
