//! Frames that nobody should send, to every machine of a group: none makes it panic, and none makes a node hold what was
//! not signed.

use super::{Geometry, Receiver, Sender, SenderConfig};
use crate::image::PackedImage;
use crate::session::testing::{image, key};
use crate::session::{
    BootClient, BootNode, BootRoot, ChunkStores, Credentials, GroupConfig, NODES, NodeConfig, NodeState, SharedStores,
    Timing,
};
use bytes::Bytes;
use proptest::prelude::*;
use proptest::sample::select;
use std::sync::Arc;
use std::time::Duration;
use twowire_fabric::id::{NodeNumber, UniqueId};
use twowire_fabric::protocol::{Group, Path, Protocol};
use twowire_fabric::time::Time;
use twowire_fabric::wire::boot::{
    Admit, Answer, Call, Enlist, Instruct, Lack, Offering, PROOF_LEN, Poll, Report, Stage, Status, Symbol, put_lack,
};
use twowire_fabric::wire::{Header, Packet};

const CARD: UniqueId = UniqueId(5);
const PORT: usize = 1430;

/// A number that is small, or at an edge, or any.
fn number() -> impl Strategy<Value = u32> {
    prop_oneof![0u32..80, select(vec![u32::MAX, u32::MAX - 1, 1 << 31, (1 << 31) - 1]), any::<u32>()]
}

fn lacks() -> impl Strategy<Value = Vec<u8>> {
    let lack = (number(), any::<u16>(), any::<u16>(), any::<u64>());
    prop::collection::vec(lack, 0..90).prop_map(|lacks| {
        let mut payload = Vec::new();
        for (block, blocks, count, missing) in lacks {
            put_lack(&mut payload, Lack { block, blocks, count, missing });
        }
        payload
    })
}

/// Any frame of a group, most of this session. The session of a root with seed 1 is not known here: it is put in later.
fn frame() -> impl Strategy<Value = Packet> {
    let node = || (-1i32..4).prop_map(NodeNumber);
    let session = || prop_oneof![9 => Just(0), 1 => number()];
    let symbol = (session(), number(), number(), 0u16..90, prop_oneof![Just(1426), Just(3), 0usize..2000]).prop_map(
        |(session, sequence, block, index, len)| {
            Packet::with_payload(
                Symbol { session, sequence, block, index, to_one: sequence % 3 == 0 },
                vec![7; len].into(),
            )
        },
    );
    let poll = (session(), number(), number(), 1u16..9).prop_map(|(session, sequence, horizon, stride)| {
        Packet::new(Poll { session, sequence, horizon, stride, class: sequence as u16 % stride })
    });
    let status = (session(), node(), number(), number(), number(), any::<bool>(), lacks()).prop_map(
        |(session, from, sequence, received, overrun, complete, payload)| {
            let status = Status { session, from, sequence, received, overrun, complete, holds: complete };
            Packet::with_payload(status, payload.into())
        },
    );
    let answers = select(Answer::ALL.to_vec());
    let enlist = (session(), any::<u32>(), number(), answers, number()).prop_map(
        |(session, card, incarnation, answer, cookie)| {
            let (card, cookie) = (UniqueId(card.into()), cookie.into());
            Packet::new(Enlist { session, card, incarnation, answer, key_id: 1, cookie, proof: [0; PROOF_LEN] })
        },
    );
    let admit = (session(), number(), number(), node()).prop_map(|(session, incarnation, cookie, number)| {
        Packet::new(Admit { session, card: CARD, incarnation, cookie: cookie.into(), number })
    });
    let call =
        (number(), any::<u16>(), prop::collection::vec(any::<u8>(), 0..400)).prop_map(|(session, symbol, payload)| {
            let call = Call {
                session: session.max(1),
                root: UniqueId(9),
                report_ms: 0,
                symbol,
                group: Group(1),
                challenge: None,
                offering: Offering::Normal,
                part: (symbol % 3 % 2) as u8,
                parts: 1 + (symbol % 3 != 0) as u8,
            };
            Packet::with_payload(call, payload.into())
        });
    let instruct = (session(), node(), number(), any::<bool>()).prop_map(|(session, to, answers, hand_over)| {
        Packet::new(Instruct { session, to, incarnation: 0, answers, report_now: true, hand_over })
    });
    let stages = select(Stage::ALL.to_vec());
    let report =
        (session(), node(), number(), stages, 0u8..=100).prop_map(|(session, from, serial, stage, percent)| {
            let orphaned = [true, false];
            let (incarnation, revision, wants_answer) = (serial, serial, true);
            let report = Report {
                session,
                from,
                incarnation,
                serial,
                revision,
                stage,
                percent,
                orphaned,
                wants_answer,
                repaired: 0,
                rejected: 0,
            };
            Packet::new(report)
        });
    prop_oneof![
        4 => symbol, 2 => poll, 2 => status, 1 => enlist, 1 => admit, 1 => call, 1 => instruct, 1 => report
    ]
}

/// The frame as one of this session, if it was none of another.
fn of_session(mut packet: Packet, id: u32) -> Packet {
    let session = match &mut packet.header {
        Header::Symbol(h) => &mut h.session,
        Header::Poll(h) => &mut h.session,
        Header::Status(h) => &mut h.session,
        Header::Enlist(h) => &mut h.session,
        Header::Admit(h) => &mut h.session,
        Header::Instruct(h) => &mut h.session,
        Header::Report(h) => &mut h.session,
        _ => return packet,
    };
    if *session == 0 {
        *session = id;
    }
    packet
}

/// Hands a frame to a machine, and lets it do what is due.
fn feed(machine: &mut impl Protocol, now: Time, packet: &Packet) {
    machine.handle_packet(now, packet);
    machine.handle_timeout(now);
    for _ in 0..50 {
        if machine.poll_transmit(now).is_none() {
            break;
        }
    }
}

/// A node that has accepted the call of a session.
fn node(image: &PackedImage, session: u32) -> BootNode {
    let config = NodeConfig { timing: Timing::real(), ..NodeConfig::default() };
    let credentials = Credentials { card: CARD, key: key().public(), secret: None };
    let mut node = BootNode::for_group(config, credentials, Arc::new(SharedStores::default()), PORT, 1);
    let (challenge, offering) = (None, Offering::Normal);
    let call = Call {
        session,
        root: UniqueId(9),
        report_ms: 100,
        symbol: 1426,
        group: NODES,
        challenge,
        offering,
        part: 0,
        parts: 1,
    };
    let manifest: Bytes = image.signed_manifest().as_bytes().clone();
    node.handle_packet(Time::ZERO, &Packet::with_payload(call, manifest));
    let Some(Header::Enlist(enlist)) = node.poll_transmit(Time::ZERO).map(|t| t.packet.header) else {
        panic!("the node answers a call")
    };
    let (incarnation, number) = (enlist.incarnation, NodeNumber(1));
    node.handle_packet(Time::ZERO, &Packet::new(Admit { session, card: CARD, incarnation, cookie: 0, number }));
    assert_eq!(node.state(), NodeState::Joined);
    node
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, max_shrink_iters: 0, ..ProptestConfig::default() })]
    #[test]
    fn no_frame_makes_a_machine_panic_or_hold_what_is_not_signed(
        frames in prop::collection::vec(frame(), 1..300),
        len in 1usize..700_000,
    ) {
        let image = image(len);
        let mut root = BootRoot::for_group(GroupConfig::new(UniqueId(9), PORT), image.clone(), 1).expect("room");
        root.start(Time::ZERO);
        root.handle_timeout(Time::ZERO);
        let Some(Header::Call(call)) = root.poll_transmit(Time::ZERO).map(|t| t.packet.header) else {
            panic!("a root calls first")
        };
        let mut node = node(&image, call.session);
        let geometry = Geometry::for_port(image.tree().shape(), PORT).expect("large enough");
        let mut sender = Sender::new(SenderConfig::default(), call.session, NODES, image.clone(), geometry);
        sender.add_receiver(1, Path::Group(Group(1)));
        let store = SharedStores::default().open(image.manifest()).expect("memory");
        let mut receiver =
            Receiver::new(call.session, NodeNumber(1), image.manifest().clone(), geometry, store, None);
        let mut now = Time::ZERO;
        for frame in frames {
            now += Duration::from_micros(700);
            let packet = of_session(frame, call.session);
            feed(&mut root, now, &packet);
            feed(&mut node, now, &packet);
            match &packet.header {
                Header::Status(status) => sender.on_status(now, 1, status, &packet.payload),
                Header::Symbol(symbol) => receiver.on_symbol(symbol, &packet.payload),
                Header::Poll(poll) => receiver.on_poll(poll),
                _ => {}
            }
            sender.on_timeout(now);
            (0..50).for_each(|_| drop(sender.poll_transmit(now)));
            let _ = receiver.poll_status(PORT);
        }
        prop_assert!(node.image().is_none() && !receiver.is_complete() && receiver.percent() == 0);
    }
}
