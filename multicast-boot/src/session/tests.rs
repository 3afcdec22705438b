//! Whole transfers on the simulated fabric.

use super::BootClient;
use super::testing::{Cluster, Setup, image, key, star};
use super::{BootEvent, FailureReason, NodeState, Outcome, StageTimes};
use crate::image::{ClusterSecretKey, ImageParts, PackedImage};
use std::time::Duration;
use twowire_fabric::id::NodeNumber;
use twowire_fabric::protocol::Protocol;
use twowire_fabric::sim::Fault;
use twowire_fabric::time::Time;
use twowire_fabric::topology::{CrossbarId, HostId, NodeId, PortId, Topology, generate};
use twowire_fabric::wire::boot::{Answer, Offer, Offering, Stage};
use twowire_fabric::wire::{Header, Packet};

fn ms(ms: u64) -> Time {
    Time::from_nanos(ms * 1_000_000)
}

/// Two levels of crossbars, eight routes between any two hosts of different ones: 64 hosts.
fn clos() -> Topology {
    generate::xgft(&[8, 8], &[1, 8]).expect("a Clos")
}

fn host(node: i32) -> HostId {
    HostId(NodeNumber(node).index() as u32)
}

/// The nodes that are ready must hold the image, all of it and nothing else.
fn check_images(cluster: &Cluster, nodes: usize, image: &PackedImage) {
    for n in 0..nodes as i32 {
        let Some(held) = cluster.node(n).image() else { continue };
        assert_eq!(held.hash(), image.manifest().root(), "n{n}");
        assert_eq!(held.initramfs(), image.initramfs().map(Vec::from), "n{n}");
    }
}

/// Runs a transfer with these faults, and checks what every node holds.
fn boot_with(topology: Topology, len: usize, seed: u64, faults: &[(Time, Fault)]) -> (Cluster, Outcome) {
    let image = image(len);
    let nodes = topology.hosts().len() - 1;
    let mut cluster = Setup::new(topology, image.clone(), seed).build();
    faults.iter().for_each(|&(at, fault)| cluster.sim.inject(at, fault));
    let outcome = cluster.run(20_000);
    assert_eq!(outcome.ready + outcome.failed.len(), nodes);
    check_images(&cluster, nodes, &image);
    for n in 0..nodes as i32 {
        let failed = outcome.failed.iter().any(|f| f.node == NodeNumber(n));
        assert!(
            failed || cluster.node(n).state() == NodeState::Ready,
            "seed {seed}: n{n} is {}",
            cluster.node(n).state()
        );
    }
    (cluster, outcome)
}

/// The same, where every node must boot.
fn boot(topology: Topology, len: usize, seed: u64, faults: &[(Time, Fault)]) -> (Cluster, Outcome) {
    let (cluster, outcome) = boot_with(topology, len, seed, faults);
    assert_eq!(outcome.failed, vec![], "seed {seed}, {faults:?}");
    (cluster, outcome)
}

/// Fabric time of the transfer against the image's size over the link rate.
fn ratio(outcome: &Outcome, len: usize) -> f64 {
    (outcome.last_verified - outcome.laid).as_secs_f64() / (len as f64 * 8.0 / 2e9)
}

#[test]
fn a_few_nodes_boot() {
    for nodes in 1..=40 {
        boot(star(nodes), 100_000 + nodes * 777, nodes as u64, &[]);
    }
}

#[test]
fn images_of_every_small_size_arrive() {
    for chunks in [1, 2, 3, 127, 128, 129, 255, 256, 257, 300, 384, 385, 513] {
        boot(star(3), chunks * 4096 - 5, chunks as u64, &[]);
    }
    boot(star(2), 1, 1, &[]);
}

#[test]
fn the_transfer_is_about_as_fast_as_a_link() {
    const LEN: usize = 4 << 20;
    let (cluster, outcome) = boot(clos(), LEN, 1, &[]);
    let ratio = ratio(&outcome, LEN);
    assert!(ratio < 1.07, "{ratio}");
    assert!(outcome.busiest_cable <= 1.0);
    let sent = cluster.root().progress().frames_sent as f64 * 4096.0 / LEN as f64;
    assert!(sent < 1.02, "the front end sent the image {sent} times");
}

#[test]
fn loss_costs_about_as_much_as_is_lost() {
    for (loss, len, limit) in [(0.01, 16 << 20, 1.12), (0.05, 4 << 20, 1.6)] {
        let (cluster, outcome) = boot(clos(), len, 2, &[(Time::ZERO, Fault::Loss(loss))]);
        let ratio = ratio(&outcome, len);
        assert!(ratio < limit, "{ratio} at {loss}");
        let lost: u64 = (0..63).map(|n| cluster.node(n).counters().lost).sum();
        assert!(lost > 0, "nothing was lost");
    }
}

#[test]
fn heavy_loss_duplicates_and_reordering_do_no_harm() {
    for seed in 0..4 {
        let faults = [Fault::Loss(0.2), Fault::Duplicate(0.05), Fault::Reorder(0.05)].map(|fault| (Time::ZERO, fault));
        boot(clos(), 1 << 20, seed, &faults);
    }
}

#[test]
fn no_wrong_byte_is_taken_or_passed_on() {
    for seed in 0..4 {
        let (cluster, _) = boot(clos(), 2 << 20, seed, &[(Time::ZERO, Fault::Corrupt(0.02))]);
        let rejected: u64 = (0..63).map(|n| cluster.node(n).counters().rejected).sum();
        assert!(rejected > 0, "no damage got past a CRC: the test shows nothing");
    }
}

#[test]
fn a_node_that_dies_is_named_and_costs_nobody_else_the_boot() {
    const LEN: usize = 2 << 20;
    let mut rng = fastrand::Rng::with_seed(5);
    for seed in 0..20 {
        let victim = rng.i32(0..63);
        let at = Time::from_nanos(rng.u64(0..11_000_000));
        let (_, outcome) = boot_with(clos(), LEN, seed, &[(at, Fault::Crash(host(victim)))]);
        match outcome.failed.as_slice() {
            [failure] => {
                assert_eq!(failure.node, NodeNumber(victim), "at {at}");
                assert!(!failure.to_string().is_empty());
            }
            // It may have been ready before.
            [] => assert!(at > ms(9), "n{victim} died at {at} and was not missed"),
            more => panic!("n{victim} died at {at}, and these are said to: {more:?}"),
        }
    }
}

#[test]
fn a_dead_node_is_named_with_what_it_had() {
    let (_, outcome) = boot_with(clos(), 16 << 20, 1, &[(ms(50), Fault::Crash(host(20)))]);
    let failure = &outcome.failed[0];
    assert_eq!((failure.node, failure.reached.stage), (NodeNumber(20), Stage::Receiving));
    assert!((25..75).contains(&failure.reached.percent), "{failure}");
    assert!(matches!(failure.reason, FailureReason::Silent(_)), "{failure}");
}

#[test]
fn a_node_that_starts_again_boots() {
    for seed in 0..8 {
        let at = |n: u64| Time::from_nanos(2_000_000 + n * 1_700_000);
        let victim = host(7 * seed as i32 % 63);
        boot(clos(), 2 << 20, seed, &[(at(seed), Fault::Restart(victim))]);
        boot(clos(), 2 << 20, seed, &[(at(seed), Fault::Crash(victim)), (at(seed + 20), Fault::Restart(victim))]);
    }
}

#[test]
fn many_latecomers_feed_one_another() {
    let late: Vec<(Time, Fault)> = (20..50).map(|n| (ms(9), Fault::Restart(host(n)))).collect();
    boot(clos(), 2 << 20, 3, &late);
}

#[test]
fn cut_and_flapping_cables_are_gone_around() {
    let topology = clos();
    let inner: Vec<PortId> = topology
        .cables()
        .iter()
        .filter(|cable| matches!(cable.a.node, NodeId::Crossbar(_)))
        .map(|cable| cable.a)
        .collect();
    let mut rng = fastrand::Rng::with_seed(8);
    for seed in 0..10 {
        let at = Time::from_nanos(rng.u64(0..9_000_000));
        let cut = inner[rng.usize(..inner.len())];
        let port = inner[rng.usize(..inner.len())];
        let flap = Fault::Flap { port, period: Duration::from_millis(2), count: 5 };
        boot(clos(), 2 << 20, seed, &[(at, Fault::Cut(cut)), (at, flap)]);
    }
}

/// Root and nodes keep to the ways by which they hear one another: while one of two ways is dead nobody is even suspected to be lost.
#[test]
fn nobody_is_lost_while_one_of_two_ways_is_dead() {
    let topology = || generate::xgft(&[2, 2], &[1, 2]).expect("a Clos");
    let fabric = topology();
    let inner = |port: &PortId| matches!(port.node, NodeId::Crossbar(_));
    let ways = fabric.cables().iter().filter(|cable| inner(&cable.a) && inner(&cable.b)).map(|cable| cable.a);
    for (seed, way) in (0..).zip(ways) {
        for at in [0, 1, 3, 6] {
            let (mut cluster, outcome) = boot(topology(), 2 << 20, seed, &[(ms(at), Fault::Cut(way))]);
            let events = cluster.events();
            let lost = events.iter().filter(|event| matches!(event, BootEvent::Failed(_))).count();
            let waited = outcome.last_ready - outcome.last_verified;
            assert!(lost == 0 && waited < Duration::from_millis(100), "{way:?} at {at} ms: {waited:?}, {events:?}");
        }
    }
}

/// The times of all nodes are in order, and those of one that started again are of its second start.
#[test]
fn when_each_node_was_how_far_is_known() {
    let [crash, restart] = [ms(3), ms(6)];
    let faults = [(crash, Fault::Crash(HostId(7))), (restart, Fault::Restart(HostId(7)))];
    let (cluster, outcome) = boot(clos(), 2 << 20, 3, &faults);
    let stages = [Stage::Joined, Stage::Receiving, Stage::Verified, Stage::HandingOver, Stage::Ready];
    let times = |times: StageTimes| stages.map(|stage| times.at(stage).expect("it is ready"));
    let nodes: Vec<[Time; 5]> = cluster.root().nodes().map(|(_, _, of_node, _)| times(of_node)).collect();
    assert!(nodes.iter().all(|times| times.is_sorted()), "{nodes:?}");
    let last = |at: usize| nodes.iter().map(|times| times[at]).max();
    assert_eq!((last(2), last(4)), (Some(outcome.last_verified), Some(outcome.last_ready)));
    assert_eq!(nodes.iter().filter(|times| times[0] > restart).count(), 1, "{nodes:?}");
    assert_eq!(nodes.iter().filter(|times| times[0] < crash).count(), nodes.len() - 1, "{nodes:?}");
}

#[test]
fn a_dead_upper_crossbar_is_gone_around() {
    for seed in 0..6 {
        boot(clos(), 2 << 20, seed, &[(ms(2 + seed), Fault::Kill(CrossbarId(8 + seed as u32)))]);
    }
}

#[test]
fn it_ends_even_if_the_front_end_is_cut_off() {
    let topology = clos();
    let front_end = topology.peer(PortId::new(HostId(0), 0)).expect("it has a cable");
    let NodeId::Crossbar(crossbar) = front_end.node else { panic!("it is plugged into a crossbar") };
    for at in [0, 1, 5] {
        let image = image(2 << 20);
        let mut cluster = Setup::new(clos(), image.clone(), at).build();
        cluster.sim.inject(ms(at), Fault::Kill(crossbar));
        let outcome = cluster.run(20_000);
        assert_eq!((outcome.ready, outcome.failed.len()), (0, 63), "at {at} ms");
        check_images(&cluster, 63, &image);
    }
}

#[test]
fn storms() {
    for seed in 0..60u64 {
        storm(seed);
    }
}

/// Several faults at random times. Whoever can be reached at the end must boot.
fn storm(seed: u64) {
    let mut rng = fastrand::Rng::with_seed(seed ^ 0x5707);
    let topology = clos();
    let inner: Vec<PortId> =
        topology.cables().iter().map(|c| c.a).filter(|a| matches!(a.node, NodeId::Crossbar(_))).collect();
    let mut faults = vec![(Time::ZERO, Fault::Loss(rng.f64() * 0.03)), (Time::ZERO, Fault::Corrupt(rng.f64() * 0.003))];
    let mut crashed = Vec::new();
    for _ in 0..rng.usize(1..6) {
        // Before the first node is ready: one that starts again later is nobody's to look for.
        let at = Time::from_nanos(rng.u64(0..5_000_000));
        let victim = rng.i32(0..63);
        let port = inner[rng.usize(..inner.len())];
        match rng.u8(..5) {
            0 => {
                crashed.push(NodeNumber(victim));
                faults.push((at, Fault::Crash(host(victim))));
            }
            1 => faults.push((at, Fault::Restart(host(victim)))),
            2 => faults.push((at, Fault::Cut(port))),
            3 => faults.push((at, Fault::Flap { port, period: Duration::from_micros(rng.u64(300..4000)), count: 6 })),
            _ => faults.push((at, Fault::Kill(CrossbarId(8 + rng.u32(..8))))),
        }
    }
    faults.sort_by_key(|&(at, _)| at);
    let (_, outcome) = boot_with(clos(), 1 << 20, seed, &faults);
    for failure in &outcome.failed {
        assert!(crashed.contains(&failure.node), "seed {seed}: {failure}; {faults:?}");
    }
}

#[test]
fn the_same_seed_gives_the_same_transfer() {
    let run = || {
        let faults = [(Time::ZERO, Fault::Loss(0.02)), (ms(3), Fault::Crash(host(9)))];
        let (cluster, outcome) = boot_with(clos(), 1 << 20, 7, &faults);
        (cluster.sim.digest(), outcome)
    };
    assert_eq!(run(), run());
}

#[test]
fn with_a_wrong_key_no_node_boots_and_each_says_why() {
    let mut setup = Setup::new(clos(), image(1 << 20), 1);
    setup.key = ClusterSecretKey::from_seed(&[8; 32]).public();
    let trusted = setup.key.id();
    let mut cluster = setup.build();
    let outcome = cluster.run(10_000);
    assert_eq!((outcome.ready, outcome.failed.len()), (0, 63));
    for failure in &outcome.failed {
        assert_eq!(failure.reason, FailureReason::Refused { answer: Answer::WrongKey, key: trusted });
        assert_eq!(cluster.node(failure.node.0).state(), NodeState::Refused(Answer::WrongKey));
    }
    assert!(outcome.failed[0].to_string().contains("signed with another key"), "{}", outcome.failed[0]);
}

#[test]
fn an_image_that_is_too_old_is_refused() {
    let mut setup = Setup::new(star(3), image(10_000), 1);
    setup.node.oldest_version = 4;
    let outcome = setup.build().run(10_000);
    assert!(outcome.failed.iter().all(|f| matches!(f.reason, FailureReason::Refused { answer: Answer::TooOld, .. })));
    assert_eq!(outcome.failed.len(), 3);
}

#[test]
fn a_rogue_offer_does_not_lead_a_node_away() {
    let rogue_key = ClusterSecretKey::from_seed(&[66; 32]);
    let parts = ImageParts { initramfs: vec![6; 9000].into(), ..super::testing::parts() };
    let stranger = PackedImage::pack(&parts, &rogue_key).expect("a small image");
    let replayed = PackedImage::pack(&parts, &key()).expect("a small image");
    let image = image(2 << 20);
    let mut cluster = Setup::new(clos(), image.clone(), 1).build();
    for at in 1..12 {
        cluster.sim.run_until(ms(at));
        for (session, rogue) in [(4711, &stranger), (4712, &replayed)] {
            let (to, offering) = (NodeNumber(5), Offering::Normal);
            let offer = Offer { session, epoch: 1, to, report_ms: 20, challenge: None, offering };
            let packet = Packet::with_payload(Header::from(offer), rogue.signed_manifest().as_bytes().clone());
            cluster.sim.host_mut(host(5)).handle_packet(ms(at), &packet);
            cluster.sim.wake(host(5));
        }
    }
    let outcome = cluster.run(10_000);
    assert_eq!((outcome.ready, outcome.failed.len()), (63, 0));
    check_images(&cluster, 63, &image);
    assert!(cluster.node(5).counters().refused_offers >= 20);
}

/// Offers of an image under the cluster's own key, as somebody sends them who has recorded one, all the time.
#[test]
fn replayed_offers_do_not_lead_a_node_away_from_a_root_that_lives() {
    let parts = ImageParts { initramfs: vec![6; 9000].into(), ..super::testing::parts() };
    let replayed = PackedImage::pack(&parts, &key()).expect("a small image");
    let image = image(16 << 20);
    let mut cluster = Setup::new(star(3), image.clone(), 1).build();
    for at in (1_000_000..66_000_000).step_by(500_000).map(Time::from_nanos) {
        cluster.sim.run_until(at);
        let (to, offering) = (NodeNumber(1), Offering::Normal);
        let offer = Offer { session: 4712, epoch: 1, to, report_ms: 20, challenge: None, offering };
        let packet = Packet::with_payload(offer, replayed.signed_manifest().as_bytes().clone());
        cluster.sim.host_mut(host(1)).handle_packet(at, &packet);
        cluster.sim.wake(host(1));
    }
    let outcome = cluster.run(10_000);
    assert_eq!((outcome.ready, outcome.failed.len()), (3, 0));
    check_images(&cluster, 3, &image);
    assert!(cluster.node(1).counters().refused_offers > 100);
}

#[test]
fn nodes_soon_follow_a_front_end_that_starts_again() {
    for seed in 0..3 {
        let restart = Fault::Restart(HostId(0));
        let (cluster, _) = boot(clos(), 4 << 20, seed, &[(ms(8), restart)]);
        // It asks for 40 ms whether the first one lives, and the image takes 17.
        assert!(cluster.sim.now() < ms(8 + 40 + 60), "{}", cluster.sim.now());
    }
}
