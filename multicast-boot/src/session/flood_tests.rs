//! Joins from forged ids, many of them: they cost no memory, and a real node little time. For a group the same is in
//! `multicast/session_tests.rs`.

use super::NodeState;
use super::testing::{Setup, gate, image, secret};
use crate::session::BootClient;
use std::time::Duration;
use twowire_fabric::id::{NodeNumber, UniqueId};
use twowire_fabric::protocol::Protocol;
use twowire_fabric::sim::Fault;
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
    /// Those of them that are not there yet, in answer to this session's offer.
    Absent,
}

const NODES: i32 = 63;

/// Every fourth node is switched on at this time, in the middle of the transfer to the others.
const LATE: Time = Time::from_nanos(40_000_000);

fn is_late(node: i32) -> bool {
    node % 4 == 1
}

/// A join that says something random, in a session of its own, or, of nodes that are not there, in this one.
fn forged(whose: Forged, session: u32, rng: &mut fastrand::Rng) -> Packet {
    let other = if whose == Forged::Absent { session } else { rng.u32(..) };
    let (incarnation, session) = (rng.u32(..), if rng.bool() { other } else { 0 });
    let answer = if session == 0 { Answer::Asks } else { Answer::ALL[rng.usize(..Answer::ALL.len())] };
    if whose == Forged::Strangers && rng.bool() {
        let (card, proof, cookie) = (UniqueId(rng.u64(..)), [0; PROOF_LEN], rng.u64(..));
        return Packet::new(Enlist { session, card, incarnation, answer, key_id: 0, cookie, proof });
    }
    let from = match whose {
        Forged::Nodes => rng.i32(0..NODES),
        Forged::Absent => rng.i32(0..NODES / 4) * 4 + 1,
        Forged::Nobody | Forged::Strangers => rng.i32(NODES..),
    };
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

/// Boots all nodes, some of them late. Returns the time at which the last one had the image.
fn boot(has_secret: bool, some_are_late: bool, whose: Forged) -> Time {
    let topology = generate::xgft(&[8, 8], &[1, 8]).expect("a Clos");
    let mut setup = Setup::new(topology, image(8 << 20), 1);
    if has_secret {
        (setup.secret_of, setup.root.gate) = (|_| Some(secret()), Some(gate()));
    }
    let mut cluster = setup.build();
    for node in (0..NODES).filter(|&node| some_are_late && is_late(node)) {
        cluster.sim.inject(Time::ZERO, Fault::Crash(HostId(node as u32 + 1)));
        cluster.sim.inject(LATE, Fault::Restart(HostId(node as u32 + 1)));
    }
    let mut rng = fastrand::Rng::with_seed(3);
    while !cluster.root().is_done() {
        let now = cluster.sim.now() + INTERVAL;
        assert!(now < Time::from_nanos(2_000_000_000), "{whose:?}: {:?}", cluster.root().progress());
        cluster.sim.run_until(now);
        if whose != Forged::Nobody {
            let session = cluster.root().session();
            cluster.sim.host_mut(HostId(0)).handle_packet(now, &forged(whose, session, &mut rng));
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
    for has_secret in [false, true] {
        for (whose, some_are_late) in [(Forged::Strangers, false), (Forged::Nodes, false), (Forged::Absent, true)] {
            let boot = |whose| boot(has_secret, some_are_late, whose);
            let (quiet, flooded) = (boot(Forged::Nobody), boot(whose));
            assert!(
                flooded.as_nanos() * 10 <= quiet.as_nanos() * 11,
                "{has_secret} {whose:?}: {flooded} instead of {quiet}"
            );
        }
    }
}
