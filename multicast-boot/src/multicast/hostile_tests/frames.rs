//! Frames that nobody should send, as strategies.

use super::{CARD, offered_call};
use proptest::prelude::*;
use proptest::sample::select;
use twowire_fabric::id::{NodeNumber, UniqueId};
use twowire_fabric::wire::boot::{
    Admit, Answer, Call, Enlist, Instruct, Lack, PROOF_LEN, Poll, Report, Stage, Status, Symbol, put_lack,
};
use twowire_fabric::wire::{Header, Packet};

/// A number that is small, or at an edge, or any.
fn number() -> impl Strategy<Value = u32> {
    prop_oneof![0u32..80, select(vec![u32::MAX, u32::MAX - 1, 1 << 31, (1 << 31) - 1]), any::<u32>()]
}

/// 0 stands for the session that the machines are in: see [`of_session`].
fn session() -> impl Strategy<Value = u32> {
    prop_oneof![9 => Just(0), 1 => number()]
}

fn node() -> impl Strategy<Value = NodeNumber> {
    (-1i32..4).prop_map(NodeNumber)
}

fn symbol() -> impl Strategy<Value = Packet> {
    let len = prop_oneof![Just(1426), Just(3), 0usize..2000];
    (session(), number(), number(), 0u16..90, len).prop_map(|(session, sequence, block, index, len)| {
        let symbol = Symbol { session, sequence, block, index, to_one: sequence % 3 == 0 };
        Packet::with_payload(symbol, vec![7; len].into())
    })
}

fn poll() -> impl Strategy<Value = Packet> {
    (session(), number(), number(), 1u16..9).prop_map(|(session, sequence, horizon, stride)| {
        Packet::new(Poll { session, sequence, horizon, stride, class: sequence as u16 % stride })
    })
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

fn status() -> impl Strategy<Value = Packet> {
    let said = (session(), node(), number(), number(), number(), any::<bool>(), lacks());
    said.prop_map(|(session, from, sequence, received, overrun, complete, payload)| {
        let status = Status { session, from, sequence, received, overrun, complete, holds: complete };
        Packet::with_payload(status, payload.into())
    })
}

fn enlist() -> impl Strategy<Value = Packet> {
    let answers = select(Answer::ALL.to_vec());
    (session(), any::<u32>(), number(), answers, number()).prop_map(|(session, card, incarnation, answer, cookie)| {
        let (card, cookie) = (UniqueId(card.into()), cookie.into());
        Packet::new(Enlist { session, card, incarnation, answer, key_id: 1, cookie, proof: [0; PROOF_LEN] })
    })
}

fn admit() -> impl Strategy<Value = Packet> {
    (session(), number(), number(), node()).prop_map(|(session, incarnation, cookie, number)| {
        Packet::new(Admit { session, card: CARD, incarnation, cookie: cookie.into(), number })
    })
}

fn call() -> impl Strategy<Value = Packet> {
    let payload = prop::collection::vec(any::<u8>(), 0..400);
    (number(), any::<u16>(), payload).prop_map(|(session, symbol, payload)| {
        let (part, parts) = ((symbol % 3 % 2) as u8, 1 + (symbol % 3 != 0) as u8);
        let call = Call { report_ms: 0, symbol, part, parts, ..offered_call(session.max(1)) };
        Packet::with_payload(call, payload.into())
    })
}

fn instruct() -> impl Strategy<Value = Packet> {
    (session(), node(), number(), any::<bool>()).prop_map(|(session, to, answers, hand_over)| {
        Packet::new(Instruct { session, to, incarnation: 0, answers, report_now: true, hand_over })
    })
}

fn report() -> impl Strategy<Value = Packet> {
    let stages = select(Stage::ALL.to_vec());
    (session(), node(), number(), stages, 0u8..=100).prop_map(|(session, from, serial, stage, percent)| {
        Packet::new(Report {
            session,
            from,
            incarnation: serial,
            serial,
            revision: serial,
            stage,
            percent,
            orphaned: [true, false],
            wants_answer: true,
            repaired: 0,
            rejected: 0,
        })
    })
}

/// Any frame of a group, most of the session that the machines are in.
pub(super) fn frame() -> impl Strategy<Value = Packet> {
    prop_oneof![
        4 => symbol(), 2 => poll(), 2 => status(), 1 => enlist(), 1 => admit(), 1 => call(), 1 => instruct(), 1 => report()
    ]
}

/// The frame as one of this session, if it was none of another.
pub(super) fn of_session(mut packet: Packet, id: u32) -> Packet {
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
