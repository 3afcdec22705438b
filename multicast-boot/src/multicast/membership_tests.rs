//! A front end with a cluster secret, where cards find one another: who takes part, and who does not.

use super::lan::{Lan, LanConfig};
use super::session_tests::{PORT, card, credentials, group_config, root};
use crate::membership::{Claim, ClusterSecret, SECRET_LEN};
use crate::session::strangers::Distrust;
use crate::session::testing::{Machine, gate, image, secret};
use crate::session::{
    BootClient, BootNode, BootRoot, Credentials, GroupConfig, NodeConfig, NodeState, SharedStores, Timing,
};
use std::sync::Arc;
use std::time::Duration;
use twowire_fabric::id::NodeNumber;
use twowire_fabric::protocol::Protocol;
use twowire_fabric::time::Time;
use twowire_fabric::wire::boot::{Answer, Enlist, PROOF_LEN};
use twowire_fabric::wire::{Header, Packet};

fn guarded(nodes: usize) -> GroupConfig {
    GroupConfig { gate: Some(gate()), ..group_config(nodes) }
}

fn node(host: usize, secret: Option<ClusterSecret>) -> Machine {
    let hand_over = Some(Duration::from_millis(5));
    let config = NodeConfig { timing: Timing::real(), hand_over, ..NodeConfig::default() };
    let credentials = Credentials { secret, ..credentials(host) };
    let stores = Arc::new(SharedStores::default());
    Machine::Node(Box::new(BootNode::for_group(config, credentials, stores, PORT, host as u64)))
}

#[test]
fn only_members_take_part_and_the_others_know_why() {
    let image = image(500_000);
    let stranger = ClusterSecret::new(&[1; SECRET_LEN]);
    let hosts = [
        root(guarded(2), &image, 1),
        node(1, Some(secret())),
        node(2, Some(secret())),
        node(3, None),
        node(4, Some(stranger)),
    ];
    let mut lan = Lan::new(LanConfig::default(), hosts, 1);
    let outcome = lan.finish(Duration::from_secs(30));
    assert_eq!((outcome.ready, outcome.failed), (2, vec![]));
    assert_eq!(lan.node(3).state(), NodeState::Refused(Answer::NoSecret));
    assert_eq!(lan.node(4).state(), NodeState::Refused(Answer::WrongSecret));
    let mut known: Vec<_> = lan.root().strangers().known().iter().map(|s| (s.card, s.node, s.why)).collect();
    known.sort_by_key(|&(card, ..)| card);
    assert_eq!(known, [(card(3), None, Distrust::NoSecret), (card(4), None, Distrust::OtherSecret)]);
    assert_eq!(lan.root().nodes().count(), 2, "nothing else is kept of them");
}

#[test]
fn a_node_with_a_secret_boots_also_where_none_is_asked_for() {
    let image = image(100_000);
    let mut lan = Lan::new(LanConfig::default(), [root(group_config(1), &image, 1), node(1, Some(secret()))], 1);
    assert_eq!(lan.finish(Duration::from_secs(10)).ready, 1);
}

/// Accepts a root's call as a node in a start of which the test knows the claim: twice, the second time with its cookie; returns the number that it gives.
fn enlist(root: &mut BootRoot, session: u32, proof: [u8; PROOF_LEN]) -> Option<NodeNumber> {
    let (answer, card, incarnation) = (Answer::Accepts, card(5), 7);
    let mut said = Enlist { session, card, incarnation, answer, key_id: 0, cookie: 0, proof };
    for _ in 0..2 {
        root.handle_packet(Time::ZERO, &Packet::new(said));
        let admit =
            std::iter::from_fn(|| root.poll_transmit(Time::ZERO)).find_map(|sent| match sent.packet.header {
                Header::Admit(admit) => Some(admit),
                _ => None,
            })?;
        if admit.number != NodeNumber::FRONT_END {
            return Some(admit.number);
        }
        said.cookie = admit.cookie;
    }
    None
}

#[test]
fn a_proof_that_is_missing_forged_overheard_or_of_another_is_of_no_use() {
    let mut root = BootRoot::for_group(guarded(1), image(10_000), 1).expect("room");
    root.start(Time::ZERO);
    root.handle_timeout(Time::ZERO);
    let Some(Header::Call(call)) = root.poll_transmit(Time::ZERO).map(|sent| sent.packet.header) else {
        panic!("a root calls first")
    };
    assert_eq!(call.challenge, Some(gate().secret.challenge(gate().nonce)));
    let (nonce, node) = (gate().nonce, NodeNumber::FRONT_END);
    let claim = Claim { nonce, id: card(5), node, incarnation: 7, answer: Answer::Accepts };
    let wrong = [
        [0; PROOF_LEN],
        ClusterSecret::new(&[1; SECRET_LEN]).tag(&claim).0,
        secret().tag(&Claim { nonce: 4711, ..claim }).0,
        secret().tag(&Claim { id: card(6), ..claim }).0,
        secret().tag(&Claim { incarnation: 8, ..claim }).0,
        secret().tag(&Claim { answer: Answer::NoRoom, ..claim }).0,
    ];
    for (count, wrong) in (1..).zip(wrong) {
        assert_eq!(enlist(&mut root, call.session, wrong), None, "case {count}");
        assert_eq!((root.strangers().joins(), root.nodes().count()), (count, 0));
    }
    assert_eq!(enlist(&mut root, call.session, secret().tag(&claim).0), Some(NodeNumber(0)));
}
