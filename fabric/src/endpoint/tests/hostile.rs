//! Frames that nobody sane would send: an endpoint neither panics nor delivers what was not sent.

use super::link::id;
use crate::endpoint::{EndpointConfig, Event, ReliableEndpoint, UnreachableReason, Violation};
use crate::id::UniqueId;
use crate::protocol::{Path, Protocol};
use crate::route::{Hop, Route};
use crate::time::Time;
use crate::wire::endpoint::{Ack, Data, Open, PathForm, PathLabel, Ping, check};
use crate::wire::{Header, Packet};
use bytes::Bytes;
use proptest::prelude::*;
use std::time::Duration;

const FORM: PathForm = PathForm::Hops;

/// An endpoint with a connection to a peer that is played by hand: the peer's number at the endpoint is known.
struct Victim {
    endpoint: ReliableEndpoint,
    now: Time,
    number: u64,
}

fn data(connection: u64, sequence: u32, remaining: u32, payload: &[u8]) -> Packet {
    let header = Data {
        connection,
        sequence,
        transmit: sequence,
        remaining,
        ack: 0,
        window: 16,
        path: 0,
        ack_now: false,
        check: check(payload),
    };
    Packet::with_payload(header, Bytes::copy_from_slice(payload))
}

impl Victim {
    fn new() -> Victim {
        let route = Route::from_hops(&[Hop::new(3)]).unwrap();
        let config = EndpointConfig { max_message: 1 << 20, window: 16, ..EndpointConfig::default() };
        let mut endpoint = ReliableEndpoint::new(config, id(0), 1);
        let payload = Bytes::copy_from_slice(route.as_bytes());
        let open = Open {
            source: id(1),
            target: id(0),
            incarnation: 7,
            number: 42,
            window: 8,
            label: PathLabel { path: 0, form: FORM },
            check: check(&payload),
        };
        endpoint.handle_packet(Time::ZERO, &Packet::with_payload(open, payload));
        let accept = endpoint.poll_transmit(Time::ZERO).expect("an answer");
        assert_eq!(accept.path, Path::Hops(route.reversed()));
        let Header::Accept(accept) = accept.packet.header else { panic!("{accept:?}") };
        let mut victim = Victim { endpoint, now: Time::ZERO, number: accept.number };
        victim.hand(data(victim.number, 0, 2, b"hi"));
        assert_eq!(victim.endpoint.poll_event(), Some(Event::Connected { peer: id(1) }));
        let hi = Event::Message { peer: id(1), message: Bytes::from_static(b"hi") };
        assert_eq!(victim.endpoint.poll_event(), Some(hi));
        victim
    }

    fn hand(&mut self, packet: Packet) {
        self.now += Duration::from_micros(7);
        self.endpoint.handle_packet(self.now, &packet);
    }

    fn work(&mut self) {
        for _ in 0..20 {
            if self.endpoint.poll_transmit(self.now).is_none() {
                break;
            }
        }
        if self.endpoint.poll_timeout().is_some_and(|at| at <= self.now) {
            self.endpoint.handle_timeout(self.now);
        }
    }

    fn expect_violation(mut self, expected: Violation) {
        let reason = UnreachableReason::Violation(expected);
        assert_eq!(self.endpoint.poll_event(), Some(Event::PeerUnreachable { peer: id(1), reason }));
        let close = self.endpoint.poll_transmit(self.now).expect("a last word").packet.header;
        assert!(matches!(close, Header::Close(_)), "{close:?}");
    }
}

#[test]
fn a_message_beyond_the_limit_ends_the_connection() {
    let mut victim = Victim::new();
    victim.hand(data(victim.number, 1, 1 << 21, b"a"));
    victim.expect_violation(Violation::MessageTooLong { len: 1 << 21, max: 1 << 20 });
}

#[test]
fn fragments_that_do_not_fit_end_the_connection() {
    let mut victim = Victim::new();
    victim.hand(data(victim.number, 1, 1000, b"abc"));
    victim.hand(data(victim.number, 2, 998, b"d"));
    victim.expect_violation(Violation::Fragment { remaining: 998, expected: 997 });

    let mut victim = Victim::new();
    victim.hand(data(victim.number, 1, 2, b"abc"));
    victim.expect_violation(Violation::FragmentLength { len: 3, remaining: 2 });

    let mut victim = Victim::new();
    victim.hand(data(victim.number, 1, 2, b""));
    victim.expect_violation(Violation::FragmentLength { len: 0, remaining: 2 });
}

#[test]
fn acknowledging_what_was_never_sent_ends_the_connection() {
    let mut victim = Victim::new();
    let ack = Ack { connection: victim.number, ack: 3, window: 8, echoes: 0, check: check(b"") };
    victim.hand(Packet::new(ack));
    victim.expect_violation(Violation::Acknowledgement);
}

#[test]
fn a_payload_that_was_damaged_behind_the_crc_is_not_taken() {
    let mut victim = Victim::new();
    let mut damaged = data(victim.number, 1, 2, b"ok");
    damaged.payload = Bytes::from_static(b"oK");
    victim.hand(damaged);
    assert_eq!(victim.endpoint.poll_event(), None);
    victim.hand(data(victim.number, 1, 2, b"ok"));
    let ok = Event::Message { peer: id(1), message: Bytes::from_static(b"ok") };
    assert_eq!(victim.endpoint.poll_event(), Some(ok));
}

#[test]
fn frames_for_another_card_are_not_answered() {
    let mut victim = Victim::new();
    victim.work();
    let payload = Bytes::from_static(&[0x83]);
    let label = PathLabel { path: 0, form: FORM };
    let ping = Ping { connection: 99, number: 5, target: UniqueId(77), transmit: 0, label, check: check(&payload) };
    victim.hand(Packet::with_payload(ping, payload.clone()));
    let source = UniqueId(9);
    let open =
        Open { source, target: UniqueId(77), incarnation: 1, number: 5, window: 1, label, check: check(&payload) };
    victim.hand(Packet::with_payload(open, payload.clone()));
    assert_eq!(victim.endpoint.poll_transmit(victim.now), None);
    assert_eq!(victim.endpoint.peers().collect::<Vec<_>>(), [id(1)]);

    victim.hand(Packet::with_payload(Ping { target: id(0), ..ping }, payload));
    let reset = victim.endpoint.poll_transmit(victim.now).expect("a refusal").packet.header;
    assert!(matches!(reset, Header::Reset(r) if r.connection == 5 && r.refused == 99), "{reset:?}");
}

fn frame() -> impl Strategy<Value = (u8, [u32; 5], u16, Vec<u8>)> {
    let small = prop_oneof![3 => 0..20u32, 1 => any::<u32>()];
    let fields = [small.clone(), small.clone(), small.clone(), small.clone(), small].prop_map(|f| f);
    (0..6u8, fields, any::<u16>(), prop::collection::vec(any::<u8>(), 0..40))
}

fn hostile(number: u64, (kind, f, window, payload): (u8, [u32; 5], u16, Vec<u8>)) -> Packet {
    let label = PathLabel { path: f[4] as u8, form: FORM };
    let check = check(&payload);
    let header: Header = match kind {
        0 | 1 => Data {
            connection: number,
            sequence: f[0],
            transmit: f[1],
            remaining: if kind == 0 { payload.len() as u32 } else { f[2] },
            ack: f[3],
            window,
            path: f[4] as u8,
            ack_now: window % 2 == 0,
            check,
        }
        .into(),
        2 | 3 => Ack { connection: number, ack: f[0], window, echoes: (f[1] % 4) as u8, check }.into(),
        4 => Ping { connection: number, number: 42, target: id(0), transmit: f[1], label, check }.into(),
        _ => Open {
            source: id(1),
            target: id(0),
            incarnation: u64::from(f[0]),
            number: u64::from(f[1]),
            window,
            label,
            check,
        }
        .into(),
    };
    Packet::with_payload(header, payload.into())
}

proptest! {
    #[test]
    fn no_frame_makes_an_endpoint_panic(frames in prop::collection::vec(frame(), 1..80), sends in 0..6usize) {
        let mut victim = Victim::new();
        for i in 0..sends {
            victim.endpoint.send(victim.now, id(1), Bytes::from(vec![i as u8; i * 3000])).unwrap();
            victim.work();
        }
        for f in frames {
            victim.hand(hostile(victim.number, f));
            victim.work();
            while victim.endpoint.poll_event().is_some() {}
        }
        victim.now += Duration::from_secs(10);
        victim.work();
    }
}
