//! Whole transfers to a group with the session around them: from the first call until every node is ready.

use super::hostile_tests::offered_call;
use super::lan::{Lan, LanConfig};
use crate::image::{ClusterSecretKey, ImageParts, Manifest, PackedImage};
use crate::session::testing::{Machine, image, key, parts};
use crate::session::{
    BootClient, BootEvent, BootNode, BootRoot, ChunkStore, ChunkStores, Credentials, FailureReason, GroupConfig,
    GroupError, NodeConfig, NodeState, Outcome, SharedStores, Timing,
};
use bytes::Bytes;
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use twowire_fabric::id::{NodeNumber, UniqueId};
use twowire_fabric::time::Time;
use twowire_fabric::wire::Packet;
use twowire_fabric::wire::boot::{Answer, Call, Enlist, PROOF_LEN};

pub(super) const PORT: usize = 1430;

pub(super) fn card(host: usize) -> UniqueId {
    UniqueId(0x0200_0000_0000 + host as u64)
}

pub(super) fn credentials(host: usize) -> Credentials {
    Credentials { card: card(host), key: key().public(), secret: None }
}

fn node<S: ChunkStores + 'static>(host: usize, stores: &Arc<S>, seed: u64) -> Machine {
    let hand_over = Some(Duration::from_millis(5));
    let config = NodeConfig { timing: Timing::real(), hand_over, ..NodeConfig::default() };
    Machine::Node(Box::new(BootNode::for_group(config, credentials(host), stores.clone(), PORT, seed)))
}

/// A store that outlives the node.
#[derive(Clone, Default)]
struct Kept(Arc<Mutex<BTreeMap<u32, Bytes>>>);

impl ChunkStores for Kept {
    fn open(&self, _: &Manifest) -> Option<Box<dyn ChunkStore>> {
        Some(Box::new(self.clone()))
    }
}

impl ChunkStore for Kept {
    fn put(&mut self, index: u32, bytes: Bytes) {
        self.0.lock().expect("nothing panics").insert(index, bytes);
    }
    fn get(&self, index: u32) -> Option<Bytes> {
        self.0.lock().expect("nothing panics").get(&index).cloned()
    }
    fn left_chunk(&self, index: u32) -> Option<Bytes> {
        self.get(index)
    }
}

pub(super) fn root(config: GroupConfig, image: &PackedImage, seed: u64) -> Machine {
    let mut root = BootRoot::for_group(config, image.clone(), seed).expect("a port with room");
    root.start(Time::ZERO);
    Machine::Root(Box::new(root))
}

pub(super) fn group_config(nodes: usize) -> GroupConfig {
    GroupConfig { expected: nodes, ..GroupConfig::new(card(0), PORT) }
}

fn cluster(image: &PackedImage, nodes: usize, config: LanConfig, seed: u64) -> Lan<Machine> {
    let stores = Arc::new(SharedStores::default());
    let nodes_of = (1..=nodes).map(|host| node(host, &stores, seed + host as u64));
    Lan::new(config, [root(group_config(nodes), image, seed)].into_iter().chain(nodes_of), seed)
}

impl Lan<Machine> {
    pub(super) fn root(&mut self) -> &mut BootRoot {
        self.hosts[0].machine.root_mut()
    }

    pub(super) fn node(&self, host: usize) -> &BootNode {
        self.hosts[host].machine.node()
    }

    /// Runs until the root is done.
    pub(super) fn finish(&mut self, within: Duration) -> Outcome {
        assert!(self.run(within, |lan| lan.root().is_done()), "not done: {:?}", self.root().progress());
        self.root().outcome()
    }

    fn check(&self, image: &PackedImage) {
        for host in 1..self.hosts.len() {
            let held = self.node(host).image().map(|held| held.hash());
            assert!(held.is_none() || held == Some(image.manifest().root()), "host {host}");
        }
    }

    /// A host starts again: it has lost all but its store.
    fn restart(&mut self, host: usize, machine: Machine) {
        let now = self.now;
        (self.hosts[host].machine, self.hosts[host].off) = (machine, false);
        self.wake(host, now);
    }
}

#[test]
fn nodes_find_the_front_end_and_all_become_ready() {
    for (len, nodes) in [(1, 1), (100_000, 3), (3 << 20, 16)] {
        let image = image(len);
        let mut lan = cluster(&image, nodes, LanConfig::default(), 3);
        let outcome = lan.finish(Duration::from_secs(10));
        assert_eq!((outcome.ready, outcome.failed), (nodes, vec![]));
        lan.check(&image);
        assert!((1..=nodes).all(|host| lan.node(host).state() == NodeState::Ready));
        let mut numbers: Vec<i32> = (1..=nodes).map(|host| lan.node(host).number().expect("admitted").0).collect();
        numbers.sort_unstable();
        assert_eq!(numbers, (0..nodes as i32).collect::<Vec<i32>>());
    }
}

#[test]
fn cards_that_are_known_have_their_numbers_and_are_missed_when_they_are_absent() {
    let image = image(100_000);
    let stores = Arc::new(SharedStores::default());
    let numbers = vec![(card(2), NodeNumber(0)), (card(9), NodeNumber(1)), (card(1), NodeNumber(7))];
    let config = GroupConfig { numbers, ..group_config(1) };
    let hosts = [root(config, &image, 1)].into_iter().chain((1..4).map(|host| node(host, &stores, host as u64)));
    let mut lan = Lan::new(LanConfig::default(), hosts, 1);
    let outcome = lan.finish(Duration::from_secs(60));
    let numbers: Vec<i32> = (1..4).map(|host| lan.node(host).number().expect("admitted").0).collect();
    assert_eq!(numbers, [7, 0, 2]);
    assert_eq!(outcome.ready, 3);
    assert_eq!(outcome.failed.len(), 1);
    assert_eq!(outcome.failed[0].node, NodeNumber(1));
    assert!(matches!(outcome.failed[0].reason, FailureReason::DidNotJoin(_)));
}

#[test]
fn a_node_that_trusts_another_key_refuses() {
    let image = image(100_000);
    let stores = Arc::new(SharedStores::default());
    let other = ClusterSecretKey::from_seed(&[8; 32]).public();
    let config = NodeConfig { timing: Timing::real(), ..NodeConfig::default() };
    let credentials = Credentials { key: other, ..credentials(2) };
    let stranger = BootNode::for_group(config, credentials, stores.clone(), PORT, 5);
    let hosts = [root(group_config(1), &image, 1), node(1, &stores, 1), Machine::Node(Box::new(stranger))];
    let mut lan = Lan::new(LanConfig::default(), hosts, 1);
    lan.run(Duration::from_secs(3), |_| false);
    assert_eq!(lan.node(1).state(), NodeState::Ready);
    assert_eq!(lan.node(2).state(), NodeState::Refused(Answer::WrongKey));
    let failed = lan.root().outcome().failed;
    assert!(failed.iter().all(|f| matches!(f.reason, FailureReason::Refused { answer: Answer::WrongKey, .. })));
}

#[test]
fn a_node_that_restarts_does_not_fetch_again_what_it_holds() {
    let image = image(16 << 20);
    let stores: Vec<Arc<Kept>> = (0..3).map(|_| Arc::default()).collect();
    let hosts = [root(group_config(2), &image, 1), node(1, &stores[1], 1), node(2, &stores[2], 2)];
    // A slow link, so that there is a middle.
    let config = LanConfig { rate_bits_per_s: 1_000_000_000, ..LanConfig::default() };
    let mut lan = Lan::new(config, hosts, 1);
    let half = |lan: &mut Lan<Machine>| matches!(lan.node(2).state(), NodeState::Receiving { percent: 50.. });
    assert!(lan.run(Duration::from_secs(5), half));
    lan.restart(2, node(2, &stores[2], 99));
    let outcome = lan.finish(Duration::from_secs(30));
    assert_eq!((outcome.ready, outcome.failed), (2, vec![]));
    lan.check(&image);
    let sent = lan.root().progress().frames_sent * 1426;
    assert!(sent < 18 << 20, "{sent} bytes sent");
}

#[test]
fn a_front_end_that_restarts_finds_the_nodes_again_and_sends_what_they_lack() {
    let image = image(16 << 20);
    let config = LanConfig { rate_bits_per_s: 1_000_000_000, ..LanConfig::default() };
    let mut lan = cluster(&image, 4, config, 1);
    let half = |lan: &mut Lan<Machine>| matches!(lan.node(2).state(), NodeState::Receiving { percent: 60.. });
    assert!(lan.run(Duration::from_secs(5), half));
    let now = lan.now;
    let mut again = BootRoot::for_group(group_config(4), image.clone(), 77).expect("a port with room");
    again.start(now);
    lan.restart(0, Machine::Root(Box::new(again)));
    let outcome = lan.finish(Duration::from_secs(30));
    assert!(lan.now - now < Duration::from_secs(1), "the nodes followed {:?} later", lan.now - now);
    assert_eq!((outcome.ready, outcome.failed), (4, vec![]));
    lan.check(&image);
    let sent = lan.root().progress().frames_sent * 1426;
    assert!(sent < 10 << 20, "{sent} bytes after the restart");
}

#[test]
fn a_node_that_dies_costs_only_itself() {
    let image = image(8 << 20);
    let mut lan = cluster(&image, 5, LanConfig { loss: 0.01, ..LanConfig::default() }, 1);
    let some = |lan: &mut Lan<Machine>| matches!(lan.node(3).state(), NodeState::Receiving { percent: 20.. });
    assert!(lan.run(Duration::from_secs(5), some));
    lan.hosts[3].off = true;
    let four = |lan: &mut Lan<Machine>| (1..6).filter(|&h| lan.node(h).state() == NodeState::Ready).count() == 4;
    assert!(lan.run(Duration::from_secs(2), four));
    let outcome = lan.finish(Duration::from_secs(30));
    assert_eq!((outcome.ready, outcome.failed.len()), (4, 1));
    lan.check(&image);
}

#[test]
fn a_flood_of_forged_nodes_takes_no_memory_and_little_time() {
    let image = image(4 << 20);
    let time = |flood: bool| {
        let mut lan = cluster(&image, 4, LanConfig::default(), 1);
        let mut rng = fastrand::Rng::with_seed(3);
        let done = lan.run(Duration::from_secs(10), |lan| {
            if flood && rng.u8(..) < 32 {
                let answer = if rng.bool() { Answer::Asks } else { Answer::Accepts };
                let session = if rng.bool() { rng.u32(..) } else { 0 };
                let (card, cookie, incarnation) = (UniqueId(rng.u64(..)), rng.u64(..), rng.u32(..));
                let proof = [0; PROOF_LEN];
                let enlist = Enlist { session, card, incarnation, answer, key_id: 0, cookie, proof };
                lan.arrive(0, Packet::new(enlist));
            }
            lan.root().is_done()
        });
        assert!(done);
        lan.check(&image);
        assert_eq!(lan.root().nodes().count(), 4);
        lan.now
    };
    let (quiet, flooded) = (time(false), time(true));
    assert!(flooded.as_nanos() < quiet.as_nanos() * 11 / 10, "{flooded} instead of {quiet}");
}

#[test]
fn a_rogue_call_is_refused_and_leads_nobody_away() {
    let image = image(2 << 20);
    let mut lan = cluster(&image, 3, LanConfig::default(), 1);
    let rogue = PackedImage::pack(
        &ImageParts { name: "rogue".into(), initramfs: vec![6; 9000].into(), ..ImageParts::default() },
        &ClusterSecretKey::from_seed(&[66; 32]),
    )
    .expect("a small image");
    let call = Call { root: card(3), report_ms: 1, ..offered_call(66) };
    let mut rng = fastrand::Rng::with_seed(3);
    let done = lan.run(Duration::from_secs(10), |lan| {
        if rng.u8(..) < 2 {
            let bytes: Bytes = rogue.signed_manifest().as_bytes().clone();
            (1..4).for_each(|host| lan.arrive(host, Packet::with_payload(call, bytes.clone())));
        }
        lan.root().is_done()
    });
    assert!(done);
    assert_eq!(lan.root().outcome().ready, 3);
    lan.check(&image);
    let mut events = Vec::new();
    while let Some(event) = lan.root().poll_event() {
        events.push(event);
    }
    assert_eq!(events.last(), Some(&BootEvent::Done));
}

#[test]
fn what_does_not_fit_the_port_is_said() {
    let image = image(10_000);
    let error = |max_payload| {
        BootRoot::for_group(GroupConfig::new(card(0), max_payload), image.clone(), 1).err().expect("too small")
    };
    assert_eq!(error(1000), GroupError::PayloadTooSmall(1000));
}

#[test]
fn a_manifest_that_is_too_long_for_a_frame_comes_in_several() {
    let parts = ImageParts { cmdline: "a=b ".repeat(320), initramfs: vec![6; 300_000].into(), ..parts() };
    let image = PackedImage::pack(&parts, &key()).expect("a small image");
    assert!(image.signed_manifest().as_bytes().len() > PORT);
    for loss in [0.0, 0.2] {
        let mut lan = cluster(&image, 6, LanConfig { loss, ..LanConfig::default() }, 3);
        let outcome = lan.finish(Duration::from_secs(30));
        assert_eq!((outcome.ready, outcome.failed), (6, vec![]), "loss {loss}");
        lan.check(&image);
        assert_eq!(lan.node(1).image().expect("it is ready").manifest().cmdline(), parts.cmdline);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 16, max_shrink_iters: 0, ..ProptestConfig::default() })]
    #[test]
    fn every_node_becomes_ready_whatever_the_network_does(
        len in 1usize..2_000_000,
        nodes in 1usize..24,
        loss in prop_oneof![Just(0.0), 0.0..0.3],
        burst in (0.0..0.1, (0u64..500).prop_map(Duration::from_micros)),
        duplicated in 0.0..0.05,
        late in (0.0..0.05, (0u64..500).prop_map(Duration::from_micros)),
        crashes in prop::collection::vec((any::<prop::sample::Index>(), 0u64..400, 1u64..200), 0..4),
        seed in 0u64..1 << 40,
    ) {
        let image = image(len);
        let config = LanConfig { loss, burst, duplicated, late, ..LanConfig::default() };
        let mut lan = cluster(&image, nodes, config, seed);
        let stores = Arc::new(SharedStores::default());
        let mut events: Vec<(u64, usize, bool)> = crashes
            .iter()
            .flat_map(|(host, at, off)| [(*at, 1 + host.index(nodes), true), (at + off, 1 + host.index(nodes), false)])
            .collect();
        events.sort_unstable();
        for (serial, (at_ms, host, crash)) in events.into_iter().enumerate() {
            lan.run(Duration::from_millis(at_ms), |_| false);
            if crash {
                lan.hosts[host].off = true;
            } else {
                lan.restart(host, node(host, &stores, seed + 1000 + serial as u64));
            }
        }
        let all_ready = |lan: &mut Lan<Machine>| (1..=nodes).all(|host| lan.node(host).state() == NodeState::Ready);
        let ready = lan.run(Duration::from_secs(120), |lan| lan.root().is_done() || all_ready(lan));
        prop_assert!(ready, "{:?}", lan.root().progress());
        lan.check(&image);
    }
}
