//! What must hold for frames of every kind, on bytes that nobody chose.

use crate::document::examples;
use bytes::Bytes;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use std::collections::BTreeSet;
use twowire_fabric::route::{MAX_HOPS, Route};
use twowire_fabric::wire::{Header, Kind, MAX_HEADER, Packet, WireError, frame};

/// Headers of every kind: the document's examples with some of the body's bytes replaced, where the result is valid.
fn any_header() -> impl Strategy<Value = Header> {
    let seeds: Vec<Vec<u8>> = examples().into_iter().map(|e| e.header).collect();
    let byte = prop_oneof![Just(0x00), Just(0x01), Just(0x7f), Just(0x80), Just(0xff), any::<u8>()];
    let edits = prop::collection::vec((any::<Index>(), byte), 0..24);
    (select(seeds), edits).prop_map(|(seed, edits)| {
        let mut header = Header::parse(&seed).expect("an example is valid").0;
        let mut bytes = seed;
        for (at, byte) in edits {
            let (body, was) = (4 + at.index(bytes.len() - 4), bytes.clone());
            bytes[body] = byte;
            match Header::parse(&bytes) {
                Ok((edited, _, _)) => header = edited,
                Err(_) => bytes = was,
            }
        }
        header
    })
}

fn any_route() -> impl Strategy<Value = Route> {
    prop::collection::vec(0x80u8.., 0..=MAX_HOPS).prop_map(|hops| Route::from_bytes(&hops).expect("hop bytes"))
}

fn any_packet() -> impl Strategy<Value = Packet> {
    let payload = prop::collection::vec(any::<u8>(), 0..200);
    (any_header(), payload).prop_map(|(header, payload)| Packet::with_payload(header, payload.into()))
}

/// The frame as the last crossbar hands it to a host.
fn received(route: &Route, packet: &Packet) -> Bytes {
    Bytes::from(frame::encode(route, packet)).slice(route.len()..)
}

proptest! {
    #[test]
    fn what_is_encoded_is_parsed(route in any_route(), packet in any_packet()) {
        prop_assert_eq!(frame::parse(&received(&route, &packet)), Ok(packet));
    }

    /// There is one encoding of a header: what parses is encoded to the same bytes.
    #[test]
    fn what_is_parsed_is_encoded(kind in select(Kind::ALL), mut bytes in prop::collection::vec(any::<u8>(), MAX_HEADER)) {
        bytes[..2].copy_from_slice(&[1, kind as u8]);
        if let Ok((header, header_len, payload_len)) = Header::parse(&bytes) {
            prop_assert_eq!(header.kind(), kind);
            prop_assert_eq!(&header.encode(payload_len as u16)[..], &bytes[..header_len]);
        }
    }

    #[test]
    fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = frame::parse(&Bytes::from(bytes));
    }

    #[test]
    fn arbitrary_bytes_of_a_known_kind_never_panic(
        kind in select(Kind::ALL),
        len in 0u16..300,
        body in prop::collection::vec(any::<u8>(), 0..300),
    ) {
        let bytes = [&[1, kind as u8][..], &len.to_le_bytes(), &body].concat();
        let _ = frame::parse(&Bytes::from(bytes));
    }

    #[test]
    fn a_frame_that_ends_early_is_truncated(packet in any_packet()) {
        let whole = received(&Route::EMPTY, &packet);
        for len in 0..whole.len() {
            match frame::parse(&whole.slice(..len)) {
                Err(WireError::Truncated { needed, got }) => prop_assert!(got == len && len < needed && needed <= whole.len()),
                other => prop_assert!(false, "{len} of {} bytes: {other:?}", whole.len()),
            }
        }
        let longer = Bytes::from([&whole[..], &[0]].concat());
        prop_assert_eq!(frame::parse(&longer), Err(WireError::TrailingBytes { extra: 1 }));
    }

    #[test]
    fn a_frame_with_a_hop_left_says_so(hop in 0x80u8.., packet in any_packet()) {
        let route = Route::from_bytes(&[hop]).expect("a hop");
        prop_assert_eq!(frame::parse(&frame::encode(&route, &packet).into()), Err(WireError::RouteTooLong(hop)));
    }

    #[test]
    fn every_single_bit_flip_is_detected(packet in any_packet()) {
        let whole = received(&Route::EMPTY, &packet);
        for bit in 0..whole.len() * 8 {
            let mut bytes = whole.to_vec();
            bytes[bit / 8] ^= 1 << (bit % 8);
            prop_assert!(frame::parse(&bytes.into()).is_err(), "bit {bit} of {packet:?}");
        }
    }

    /// CRC-32 detects every burst of up to 32 bits.
    #[test]
    fn every_short_burst_is_detected(packet in any_packet(), at in any::<Index>(), burst in 1u32..) {
        let whole = received(&Route::EMPTY, &packet);
        let mut bytes = whole.to_vec();
        let first = at.index(bytes.len() - 3);
        for (byte, flip) in bytes[first..].iter_mut().zip(burst.to_le_bytes()) {
            *byte ^= flip;
        }
        prop_assert!(frame::parse(&bytes.into()).is_err(), "burst {burst:#x} at byte {first} of {packet:?}");
    }
}

#[test]
fn the_generator_reaches_every_kind() {
    use proptest::strategy::ValueTree;
    use proptest::test_runner::TestRunner;
    let mut runner = TestRunner::deterministic();
    let strategy = any_header();
    let kinds: BTreeSet<u8> = (0..100 * Kind::ALL.len())
        .map(|_| strategy.new_tree(&mut runner).expect("nothing is filtered").current().kind() as u8)
        .collect();
    assert_eq!(kinds, Kind::ALL.iter().map(|&k| k as u8).collect());
}
