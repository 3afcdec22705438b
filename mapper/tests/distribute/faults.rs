//! What goes wrong, and that it costs only those to whom it happens.

use crate::run::{Mapped, Run};
use crate::small;
use std::time::Duration;
use twowire_fabric::map::distribute::{DistributorConfig, FailureReason, LoadPhase, Stage};
use twowire_fabric::protocol::drive;
use twowire_fabric::time::Time;
use twowire_fabric::topology::generate;

#[test]
fn lost_frames_are_made_good() {
    let pink = Mapped::new(generate::pink(), 8);
    let mut run = Run::new(&pink, 2);
    run.inject("loss:0.01");
    run.load();
    run.assert_loaded_but(&[]);
    println!("Pink, 1 % lost: {:?}", run.took());
    assert!(run.took() < Duration::from_millis(200), "{:?}", run.took());
}

#[test]
fn damaged_frames_are_made_good() {
    let small = small();
    for seed in 0..5 {
        let mut run = Run::new(&small, seed);
        run.inject("corrupt:0.02");
        run.inject("duplicate:0.02");
        run.inject("reorder:0.02");
        run.load();
        run.assert_loaded_but(&[]);
    }
}

#[test]
fn a_dead_node_is_reported_and_costs_the_others_nothing() {
    let small = small();
    let mut run = Run::new(&small, 3);
    run.inject("crash:n17@0");
    run.begin();
    let all_but_one = 62;
    run.run_until(|loader| loader.distributor.progress().loaded == all_but_one);
    assert!(run.port.sim().now().as_millis_f64() < 10.0, "{}", run.port.sim().now());
    run.finish();
    run.assert_loaded_but(&[17]);
    let failure = &run.failures()[0];
    let patience = DistributorConfig::default().patience;
    assert_eq!((failure.stage, failure.reason.clone()), (Stage::Connecting, FailureReason::NoAnswer(patience)));
}

#[test]
fn a_node_that_dies_at_any_time_is_the_only_one_to_fail() {
    let small = small();
    let mut stages = Vec::new();
    for at_us in (0..2000).step_by(100) {
        let mut run = Run::new(&small, at_us);
        run.inject(&format!("crash:n30@{at_us}us"));
        run.load();
        if run.failures().is_empty() {
            run.assert_loaded_but(&[]);
        } else {
            let failed: Vec<i32> = run.failures().iter().map(|f| f.node.0).collect();
            assert_eq!(failed, [30]);
            stages.push(run.failures()[0].stage);
        }
    }
    stages.sort_unstable();
    stages.dedup();
    assert!(stages.len() >= 2, "the crashes came at different stages: {stages:?}");
}

#[test]
fn a_node_that_restarts_is_loaded_again() {
    let small = small();
    let mut restarted = 0;
    for at_us in (20..800).step_by(40) {
        let mut run = Run::new(&small, at_us);
        run.inject(&format!("crash:n30@{at_us}us"));
        run.inject(&format!("restart:n30@{}us", at_us + 1500));
        run.load();
        // One that went down after its commit has nobody to ask it: that is what `load_one` is for.
        if run.node(30).power_cycles == 2 {
            run.assert_loaded_but(&[]);
            restarted += 1;
        }
        assert!(run.failures().is_empty(), "{:?}", run.failures());
    }
    assert!(restarted > 3, "{restarted}");
}

#[test]
fn a_cut_cable_is_gone_around() {
    let pink = Mapped::new(generate::pink(), 8);
    let mut run = Run::new(&pink, 4);
    // Three of the eight cables that lead up from the front end's crossbar, one of them in the middle of the loading.
    for fault in ["cut:x1.0:8@0", "cut:x1.0:9@0", "cut:x1.0:12@5ms"] {
        run.inject(fault);
    }
    run.load();
    run.assert_loaded_but(&[]);
    println!("Pink, three cables cut: {:?}", run.took());
}

#[test]
fn a_node_that_does_not_answer_is_asked_again_and_then_given_up() {
    let small = small();
    let config = DistributorConfig {
        patience: Duration::from_millis(40),
        ask_again: Duration::from_millis(10),
        ..DistributorConfig::default()
    };
    let mut run = Run::new(&small, 3).with(&small, config, 1);
    run.node_mut(5).answers = 0;
    run.node_mut(6).answers = 1;
    run.load();
    let failures = run.failures();
    let seen: Vec<_> = failures.iter().map(|f| (f.node.0, f.stage)).collect();
    assert_eq!(seen, [(5, Stage::Loading), (6, Stage::Committing)]);
    assert!(failures.iter().all(|f| f.reason == FailureReason::NoAnswer(config.patience)), "{failures:?}");
    assert!(run.node(5).asked >= 3, "asked {} times", run.node(5).asked);
}

#[test]
fn an_epoch_that_the_node_has_passed_is_refused() {
    let small = small();
    let mut run = Run::new(&small, 3);
    run.load();
    let mut again = run.with(&small, DistributorConfig::default(), 0);
    again.load();
    assert_eq!(again.failures().len(), 63);
    assert!(again.failures().iter().all(|f| matches!(f.reason, FailureReason::Refused(_))));
}

#[test]
fn a_latecomer_is_loaded_by_itself() {
    let small = small();
    let mut run = Run::new(&small, 3);
    run.inject("crash:n17@0");
    run.inject("restart:n17@700ms");
    run.load();
    run.assert_loaded_but(&[17]);
    run.port.sim_mut().run_until(Time::from_nanos(701_000_000));
    run.load_one(17);
    assert!(!run.loader.distributor.is_done());
    run.finish();
    run.assert_loaded_but(&[]);
}

#[test]
fn a_replaced_card_gets_the_table_of_its_place() {
    let small = small();
    let mut run = Run::new(&small, 3);
    run.load();
    let before = run.target(17).id;
    run.inject("swap:n17@0");
    assert_ne!(run.target(17).id, before);
    run.load_one(17);
    run.finish();
    run.assert_loaded_but(&[]);
    assert_eq!(run.progress().nodes, 63);
}

#[test]
fn an_aborted_epoch_is_forgotten() {
    let small = small();
    let mut run = Run::new(&small, 3);
    run.begin();
    run.run_until(|loader| loader.distributor.progress().loaded == 40);
    let now = run.port.sim().now();
    assert!(run.loader.distributor.abort(now, &mut run.loader.endpoint));
    assert_eq!(run.loader.distributor.phase(), LoadPhase::Aborted);
    let until = now + Duration::from_millis(50);
    drive(&mut run.port, &mut run.loader, until, |_| false).unwrap();
    for number in 0..63 {
        let agent = &run.node(number).agent;
        assert_eq!((agent.table().epoch(), agent.next_table()), (0, None), "n{number}");
    }
    assert!(!run.loader.distributor.abort(until, &mut run.loader.endpoint));
}
