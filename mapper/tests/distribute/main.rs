//! Route loading on the simulator: Pink's 1,023 nodes, and every fault that one of them or a cable may have.

mod faults;
mod node;
mod run;

use run::{EPOCH, Mapped, Run};
use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;
use twowire_fabric::map::distribute::{Distributor, DistributorConfig, MapTables, Progress, RouteLoader, TableSource};
use twowire_fabric::protocol::drive;
use twowire_fabric::routes::RouteAgent;
use twowire_fabric::time::Time;
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

/// With every table acknowledged before the first commit, no node uses routes that another one has not even got.
#[test]
fn nobody_commits_before_all_hold_their_table() {
    let small = small();
    let mut run = Run::new(&small, 6);
    run.inject("loss:0.05");
    run.begin();
    let mut seen = 0;
    while !run.loader.distributor.is_done() {
        let before = run.progress();
        run.run_until(|loader| loader.distributor.progress() != before);
        let agents: Vec<&RouteAgent> = (0..63).map(|number| &run.node(number).agent).collect();
        if agents.iter().any(|agent| agent.table().epoch() == EPOCH) {
            seen += 1;
            assert!(agents.iter().all(|agent| agent.table().epoch() == EPOCH || agent.next_table().is_some()));
        }
    }
    assert!(seen > 10, "looked {seen} times between the first commit and the last");
}

#[test]
fn few_tables_are_encoded_ahead() {
    let small = small();
    let mut run = Run::new(&small, 7);
    let config = DistributorConfig { tables_at_once: 5, ..DistributorConfig::default() };
    let asked = Rc::new(Cell::new(0));
    let (count, mut tables) = (Rc::clone(&asked), MapTables::new(&small.map, &small.routes));
    let source = move |node| {
        count.set(count.get() + 1);
        tables.encoded_table(node)
    };
    let mut loader = RouteLoader::new(Distributor::new(config, EPOCH, source), run.loader.endpoint);
    loader.distributor.load_all(Time::ZERO, MapTables::new(&small.map, &small.routes).targets(), &mut loader.endpoint);
    let within_bounds = |loader: &mut RouteLoader<_>| {
        let Progress { loaded, .. } = loader.distributor.progress();
        assert!(asked.get() <= loaded + 5, "{} tables asked for, {loaded} loaded", asked.get());
        loader.distributor.is_done()
    };
    assert!(drive(&mut run.port, &mut loader, Time::from_nanos(1_000_000_000), within_bounds).unwrap());
    assert_eq!(asked.get(), 63);
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
