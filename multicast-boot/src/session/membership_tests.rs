//! A front end with a cluster secret, on a mapped fabric: who takes part, and who does not.

use super::strangers::Distrust;
use super::testing::{Cluster, Setup, gate, image, plan, secret, star};
use super::{BootClient, BootRoot, FailureReason, Gate, NodeState, Outcome, RootConfig};
use crate::membership::{Claim, ClusterSecret, SECRET_LEN};
use std::sync::Arc;
use std::time::Duration;
use twowire_fabric::id::{NodeNumber, UniqueId};
use twowire_fabric::protocol::Protocol;
use twowire_fabric::sim::Fault;
use twowire_fabric::time::Time;
use twowire_fabric::topology::HostId;
use twowire_fabric::wire::boot::{Answer, Join, PROOF_LEN, Stage};
use twowire_fabric::wire::{Header, Packet};

const NODES: usize = 12;

fn boot(secret_of: fn(HostId) -> Option<ClusterSecret>, faults: &[(Time, Fault)]) -> (Cluster, Outcome) {
    let mut setup = Setup::new(star(NODES), image(300_000), 3);
    (setup.secret_of, setup.root.gate) = (secret_of, Some(gate()));
    let mut cluster = setup.build();
    faults.iter().for_each(|&(at, fault)| cluster.sim.inject(at, fault));
    let outcome = cluster.run(20_000);
    (cluster, outcome)
}

#[test]
fn nodes_that_know_the_secret_boot_also_when_they_start_again() {
    let restarts = [300_000, 900_000, 1_500_000].map(|ns| (Time::from_nanos(ns), Fault::Restart(HostId(4))));
    for faults in [&restarts[..0], &restarts[..]] {
        let (cluster, outcome) = boot(|_| Some(secret()), faults);
        assert_eq!((outcome.ready, outcome.failed), (NODES, vec![]));
        assert_eq!(cluster.root().strangers().joins(), 0);
    }
}

#[test]
fn a_node_without_the_secret_or_with_another_is_named_and_costs_nobody_else_the_boot() {
    let secret_of = |host: HostId| match host.0 {
        3 => None,
        7 => Some(ClusterSecret::new(&[1; SECRET_LEN])),
        _ => Some(secret()),
    };
    let (cluster, outcome) = boot(secret_of, &[]);
    assert_eq!(outcome.ready, NODES - 2);
    let expected = [(2, Answer::NoSecret, Distrust::NoSecret), (6, Answer::WrongSecret, Distrust::OtherSecret)];
    for (failure, (node, answer, distrust)) in outcome.failed.iter().zip(expected) {
        assert_eq!(failure.node, NodeNumber(node));
        assert!(matches!(failure.reason, FailureReason::NotProven(_, why) if why == distrust), "{failure}");
        assert_eq!(cluster.node(node).state(), NodeState::Refused(answer));
    }
    let known = cluster.root().strangers().known();
    let mut named: Vec<i32> = known.iter().filter_map(|stranger| stranger.node).map(|node| node.0).collect();
    named.sort_unstable();
    assert_eq!(named, [2, 6], "each is kept once, however often it has tried");
    assert!(cluster.root().strangers().joins() > 2);
    assert!(cluster.node(2).state().to_string().contains("the node has no cluster secret (--secret)"));
}

/// A root whose nodes are played by the test.
struct Stage1 {
    root: BootRoot,
    session: u32,
    now: Time,
}

fn card(node: i32) -> UniqueId {
    UniqueId(101 + node as u64)
}

impl Stage1 {
    fn new(gate: Gate) -> Stage1 {
        let plan = plan(&Arc::new(star(NODES)), HostId(0), 1);
        let nodes: Vec<NodeNumber> = (0..NODES as i32).map(NodeNumber).collect();
        let config = RootConfig { gate: Some(gate), ..RootConfig::default() };
        let mut root = BootRoot::new(config, image(10_000), plan, &nodes, 1);
        root.start(Time::ZERO);
        root.handle_timeout(Time::ZERO);
        let session = std::iter::from_fn(|| root.poll_transmit(Time::ZERO))
            .find_map(|sent| match sent.packet.header {
                Header::Offer(offer) => {
                    assert_eq!(offer.challenge, Some(secret().challenge(gate_nonce())));
                    Some(offer.session)
                }
                _ => None,
            })
            .expect("a root offers");
        Stage1 { root, session, now: Time::ZERO }
    }

    /// Node 5 is said to say this.
    fn join(&mut self, incarnation: u32, answer: Answer, proof: [u8; PROOF_LEN]) -> Stage {
        self.now += Duration::from_micros(100);
        let (session, from) = (self.session, NodeNumber(5));
        let join = Join { session, from, incarnation, epoch: 1, answer, key_id: 0, proof };
        self.root.handle_packet(self.now, &Packet::new(join));
        self.root.nodes().find(|(node, ..)| *node == from).expect("a member").1.stage
    }
}

fn gate_nonce() -> u64 {
    gate().nonce
}

fn proof(secret: &ClusterSecret, claim: Claim) -> [u8; PROOF_LEN] {
    secret.tag(&claim).0
}

/// What node 5 claims in its first start.
fn claim() -> Claim {
    Claim { nonce: gate_nonce(), id: card(5), node: NodeNumber(5), incarnation: 7, answer: Answer::Accepts }
}

#[test]
fn a_proof_that_is_missing_forged_overheard_or_of_another_is_of_no_use() {
    let mut stage = Stage1::new(gate());
    let wrong = [
        [0; PROOF_LEN],
        proof(&ClusterSecret::new(&[1; SECRET_LEN]), claim()),
        proof(&secret(), Claim { nonce: 4711, ..claim() }),
        proof(&secret(), Claim { node: NodeNumber(6), ..claim() }),
        proof(&secret(), Claim { incarnation: 8, ..claim() }),
        proof(&secret(), Claim { answer: Answer::TooOld, ..claim() }),
    ];
    for (count, wrong) in (1..).zip(wrong) {
        assert_eq!(stage.join(7, Answer::Accepts, wrong), Stage::Offered, "case {count}");
        assert_eq!(stage.root.strangers().joins(), count);
    }
    assert_eq!(stage.root.strangers().known().len(), 1);
    assert_eq!(stage.join(7, Answer::Accepts, proof(&secret(), claim())), Stage::Joined);
}

#[test]
fn a_replaced_card_takes_part_with_the_map_from_before() {
    let mut stage = Stage1::new(gate());
    let other_card = proof(&secret(), Claim { id: card(6), ..claim() });
    assert_eq!(stage.join(7, Answer::Accepts, other_card), Stage::Joined);
}

#[test]
fn nobody_can_speak_for_a_node_that_takes_part() {
    let mut stage = Stage1::new(gate());
    let first = proof(&secret(), claim());
    assert_eq!(stage.join(7, Answer::Accepts, first), Stage::Joined);
    for answer in [Answer::WrongKey, Answer::TooOld, Answer::NoRoom, Answer::NoSecret, Answer::Asks] {
        for incarnation in [7, 8] {
            (0..5).for_each(|_| assert_eq!(stage.join(incarnation, answer, first), Stage::Joined, "{answer:?}"));
        }
    }
    // It starts again; then what it said at first is repeated.
    let second = proof(&secret(), Claim { incarnation: 8, ..claim() });
    assert_eq!(stage.join(8, Answer::Accepts, second), Stage::Joined);
    let report = |incarnation| twowire_fabric::wire::boot::Report {
        session: stage.session,
        from: NodeNumber(5),
        incarnation,
        serial: 1,
        revision: 0,
        stage: Stage::Receiving,
        percent: 10,
        orphaned: [false; 2],
        wants_answer: false,
        repaired: 0,
        rejected: 0,
    };
    let (old, new) = (report(7), report(8));
    stage.root.handle_packet(stage.now, &Packet::new(new));
    stage.join(7, Answer::Accepts, first);
    stage.root.handle_packet(stage.now, &Packet::new(old));
    assert_eq!(stage.join(8, Answer::Accepts, second), Stage::Receiving, "its second start goes on");
}
