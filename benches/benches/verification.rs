//! The verifier: routes in tables by their trees, on all cores; routes of a file walked hop by hop, on one; and routes as text.

use std::hint::black_box;
use std::num::NonZeroU8;
use std::time::Instant;
use twowire_benches::{Figures, median};
use twowire_fabric::map::RouteSet;
use twowire_fabric::map::routes_text;
use twowire_fabric::topology::Topology;
use twowire_fabric::topology::generate::{Clos, Torus, pink};
use twowire_mapper::engine::{Request, TopologyKind, compute};
use twowire_mapper::routes_file;
use twowire_mapper::verify::{check, verify};

const ROUNDS: usize = 5;

fn main() {
    let mut figures = Figures::of("verification");
    let pink = pink();
    let torus = Torus { dimensions: vec![8, 8, 8], hosts_per: 1 }.build().expect("a torus");
    prove(&mut figures, "Pink, 1 route a pair", &pink, &routes(&pink, 1));
    let eight = routes(&pink, 8);
    prove(&mut figures, "Pink, 8 routes a pair", &pink, &eight);
    prove(&mut figures, "torus 8x8x8, 1 route a pair", &torus, &routes(&torus, 1));
    for (hosts, radix, what) in [(11_664, 36, "11,664"), (39_366, 54, "39,366")] {
        let clos = Clos { hosts, radix, levels: 3, oversubscription: 1.0 }.build().expect("a Clos");
        prove(&mut figures, &format!("Clos of {what} hosts, 1 route a pair"), &clos, &routes(&clos, 1));
    }

    let proven = verify(&pink, eight, None).expect("they hold");
    let mut text = Vec::new();
    let write = |text: &mut Vec<u8>| {
        text.clear();
        routes_file::write(text, &pink, &proven).expect("memory takes all");
    };
    write(&mut text);
    let seconds_to_write = median((0..ROUNDS).map(|_| seconds(|| write(&mut text))).collect());
    figures.record("write Pink's 8.3 million routes as text", format!("{:.2} s", seconds_to_write));
    let text = String::from_utf8(text).expect("text");
    let mut read = None;
    let seconds_to_read = seconds(|| read = Some(routes_text::parse(&text, &pink).expect("they are routes")));
    figures.record("read them back", format!("{seconds_to_read:.2} s"));
    prove(&mut figures, "the same, as read from text", &pink, &read.expect("it has been read"));
}

/// Proves routes, and records how long that takes.
fn prove(figures: &mut Figures, what: &str, topology: &Topology, routes: &RouteSet) {
    let run = || seconds(|| assert!(black_box(check(topology, routes, None)).holds()));
    let seconds = median((0..ROUNDS).map(|_| run()).collect());
    let routes = check(topology, routes, None).routes as f64;
    figures.record(what, format!("{:.1} ms, {:.1} million routes/s", 1e3 * seconds, routes / seconds / 1e6));
}

fn routes(topology: &Topology, routes_per_pair: u8) -> RouteSet {
    let request = Request { routes_per_pair: NonZeroU8::new(routes_per_pair).expect("not 0"), epoch: 1 };
    compute(topology, TopologyKind::Any, request).expect("it is routed")
}

#[allow(clippy::disallowed_methods)] // a bench reads the clock
fn seconds(work: impl FnOnce()) -> f64 {
    let start = Instant::now();
    work();
    start.elapsed().as_secs_f64()
}
