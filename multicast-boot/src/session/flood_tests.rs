//! Joins from forged ids, many of them: they cost no memory, and a real node little time. For a group the same is in
//! `multicast/session_tests.rs`.

use super::NodeState;
use super::testing::{Setup, gate, image, secret};
use crate::session::BootClient;
use std::time::Duration;
use twowire_fabric::id::{NodeNumber, UniqueId};
use twowire_fabric::protocol::Protocol;
use twowire_fabric::time::Time;
use twowire_fabric::topology::{HostId, generate};
use twowire_fabric::wire::Packet;
use twowire_fabric::wire::boot::{Answer, Enlist, Join, PROOF_LEN};

/// From one forged join to the next: 200,000 a second, more than the nodes themselves send.
const INTERVAL: Duration = Duration::from_micros(5);

/// Whose ids are forged.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Forged {
    Nobody,
    /// Numbers and cards that the cluster does not have.
    Strangers,
    /// The cluster's own nodes, as if they had started again.
    Nodes,
}

const NODES: i32 = 63;

fn forged(whose: Forged, rng: &mut fastrand::Rng) -> Packet {
    let (incarnation, session) = (rng.u32(..), if rng.bool() { rng.u32(..) } else { 0 });
    let answer = if session == 0 { Answer::Asks } else { Answer::ALL[rng.usize(..Answer::ALL.len())] };
    if whose == Forged::Strangers && rng.bool() {
        let (card, proof, cookie) = (UniqueId(rng.u64(..)), [0; PROOF_LEN], rng.u64(..));
        return Packet::new(Enlist { session, card, incarnation, answer, key_id: 0, cookie, proof });
    }
    let from = if whose == Forged::Nodes { rng.i32(0..NODES) } else { rng.i32(NODES..) };
    Packet::new(Join {
        session,
        from: NodeNumber(from),
        incarnation,
        epoch: 1,
        answer,
        key_id: 0,
        proof: [0; PROOF_LEN],
    })
}

/// Boots all nodes. Returns the time at which the last one had the image.
fn boot(has_secret: bool, whose: Forged) -> Time {
    let topology = generate::xgft(&[8, 8], &[1, 8]).expect("a Clos");
    let mut setup = Setup::new(topology, image(8 << 20), 1);
    if has_secret {
        (setup.secret_of, setup.root.gate) = (|_| Some(secret()), Some(gate()));
    }
    let mut cluster = setup.build();
    let mut rng = fastrand::Rng::with_seed(3);
    while !cluster.root().is_done() {
        let now = cluster.sim.now() + INTERVAL;
        assert!(now < Time::from_nanos(2_000_000_000), "{whose:?}: {:?}", cluster.root().progress());
        cluster.sim.run_until(now);
        if whose != Forged::Nobody {
            cluster.sim.host_mut(HostId(0)).handle_packet(now, &forged(whose, &mut rng));
            cluster.sim.wake(HostId(0));
        }
    }
    let outcome = cluster.root().outcome();
    assert_eq!((outcome.ready, outcome.failed.len()), (NODES as usize, 0), "{whose:?}: {:?}", outcome.failed);
    assert_eq!(cluster.root().nodes().count(), NODES as usize, "{whose:?}");
    assert!((0..NODES).all(|n| cluster.node(n).state() == NodeState::Ready));
    outcome.last_verified
}

#[test]
fn a_flood_of_forged_joins_takes_no_memory_and_little_time() {
    let floods = [false, true].into_iter().flat_map(|s| [(s, Forged::Strangers), (s, Forged::Nodes)]);
    for (has_secret, whose) in floods {
        let (quiet, flooded) = (boot(has_secret, Forged::Nobody), boot(has_secret, whose));
        assert!(flooded.as_nanos() * 10 <= quiet.as_nanos() * 11, "{whose:?}: {flooded} instead of {quiet}");
    }
}
