use super::*;
use proptest::prelude::*;

fn hops(text: &str) -> Hops {
    text.parse().unwrap()
}

/// The bytes of an example in `docs/route-record.md`.
fn example(index: usize) -> Vec<u8> {
    let document = include_str!("../../docs/route-record.md");
    let example = document.split("<!-- example -->").nth(2 * index + 1).expect("the document has the example");
    let lines = example.lines().filter(|line| line.starts_with("00"));
    lines.flat_map(|line| line[6..].split(' ')).map(|hex| u8::from_str_radix(hex, 16).unwrap()).collect()
}

fn example_record() -> Record {
    Record::new(3, 17, hops("88f887"), vec![hops("89f886")]).unwrap()
}

fn tried(begun: u8, proven: bool) -> Option<Attempts> {
    Some(Attempts { image: "9d4c01aa".parse().unwrap(), begun, proven })
}

#[test]
fn the_examples_in_the_document_are_true() {
    let full = Record::new(300, 1022, hops("88f887"), vec![]).unwrap();
    let full = full.with_attempts(tried(2, false)).with_floor(7).with_left_out(2);
    for (index, record, slot, sequence) in [(0, example_record(), Slot::One, 0xffff), (1, full, Slot::Zero, 9)] {
        let bytes = encode(&record, slot, sequence);
        let shown: Vec<String> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(example(index), bytes, "the document should show {}", shown.join(" "));
        assert_eq!(decode(slot, &example(index)), Ok((record, sequence)));
    }
}

#[test]
fn what_fits_in_32_bytes() {
    let two = Record::new(1, 1022, hops("8182838485"), vec![hops("8182838486")]).unwrap();
    let two = two.with_attempts(tried(1, false)).with_floor(9);
    assert_eq!(encoded_len(&two), 28);
    let thirteen = Hops::from_bytes(&[0x81; 13]).unwrap();
    let long = Record::new(16_384, 1022, thirteen, vec![hops("82")]).unwrap().with_attempts(tried(1, false));
    let fit = long.fit(32).unwrap();
    assert_eq!((fit.alternates().len(), fit.left_out(), encoded_len(&fit)), (0, 1, 32));
    let alternates: Vec<Hops> = (0..127).map(|n| Hops::from_bytes(&[0x80 | n; 5]).unwrap()).collect();
    let many = Record::new(1, 2, hops("8182838485"), alternates).unwrap();
    let fit = many.fit(1000).unwrap();
    assert_eq!((fit.alternates().len(), fit.left_out(), encoded_len(&fit)), (47, 7, 252));
    assert_eq!(fit.fit(MAX_RECORD), Ok(fit), "what fits is left alone");
    let error = Record::new(1, 2, Hops::from_bytes(&[0x81; 21]).unwrap(), vec![]).unwrap().fit(32);
    assert_eq!(error, Err(crate::record::RecordError::TooLarge { needed: 33, room: 32 }));
}

#[test]
fn what_is_no_list_of_routes_is_refused() {
    use crate::record::RecordError;
    let twice = Record::new(1, 2, hops("81"), vec![hops("82"), hops("81")]);
    assert_eq!(twice, Err(RecordError::Twice(hops("81"))));
    assert_eq!(Record::new(1, 2, hops("81"), vec![hops("-")]), Err(RecordError::NotAlone));
    assert_eq!(Record::new(1, 2, hops("-"), vec![hops("81")]), Err(RecordError::NotAlone));
    assert!(Record::new(1, 2, hops("-"), vec![]).is_ok());
}

fn with_crc(mut bytes: Vec<u8>) -> Vec<u8> {
    let body = bytes.len() - CRC;
    let crc = crc32fast::hash(&bytes[..body]);
    bytes[body..].copy_from_slice(&crc.to_le_bytes());
    bytes
}

/// A record of these bytes after its header.
fn with_body(body: &[u8]) -> Vec<u8> {
    let header = [MAGIC, VERSION << 1 | 1, (HEADER + body.len() + CRC) as u8, 5, 0];
    with_crc([&header, body, &[0; CRC]].concat())
}

#[test]
fn each_fault_is_told_apart() {
    let good = example(0);
    let error = |bytes: &[u8]| decode(Slot::One, bytes).unwrap_err();
    let edited = |at: usize, byte: u8| {
        let mut bytes = good.clone();
        bytes[at] = byte;
        bytes
    };
    assert_eq!(error(&edited(0, 0x55)), SlotError::Magic(0x55));
    assert_eq!(error(&[]), SlotError::Magic(0));
    assert_eq!(error(&edited(2, 11)), SlotError::Length { len: 11, room: good.len() });
    assert_eq!(error(&good[..good.len() - 1]), SlotError::Length { len: 18, room: 17 });
    assert!(matches!(error(&edited(6, 0x12)), SlotError::Crc { .. }));
    assert_eq!(error(&with_crc(edited(1, 0x03))), SlotError::Version(1));
    assert!(matches!(error(&edited(1, 0x07)), SlotError::Crc { .. }), "a damaged version is damage");
    assert_eq!(decode(Slot::Zero, &good), Err(SlotError::Misplaced));
}

#[test]
fn fields_that_nobody_writes_are_refused() {
    for (body, field) in [
        (&[0x80, 0x00, 17, 0, 0x07][..], "epoch"),
        (&[0xff, 0xff, 0xff, 0xff, 0x1f, 17, 0, 0x07], "epoch"),
        (&[3, 0xff, 0xff, 0xff, 0xff, 0xff], "node"),
        (&[0x83, 0x01, 17], "flags"),
        (&[3, 17, flag::PROVEN, 0x07], "flags"),
        (&[3, 17, 1, 0x07], "flags"),
        (&[3, 17, flag::TAG, 1, 2, 3], "image"),
        (&[3, 17, flag::FLOOR, 0, 0x07], "floor"),
        (&[3, 17, flag::FLOOR, 0x80], "floor"),
        (&[3, 17, 0, 0x87], "routes"),
        (&[3, 17, 0, 0x88, 0x07, 0x88, 0x07], "routes"),
    ] {
        assert_eq!(decode(Slot::One, &with_body(body)), Err(SlotError::Field(field)), "{body:02x?}");
    }
    let too_long = [&[3, 17, 0][..], &[0x81; 63], &[1]].concat();
    assert_eq!(decode(Slot::One, &with_body(&too_long)), Err(SlotError::Field("routes")));
    let longest = [&[3, 17, 0][..], &[0x81; 62], &[1]].concat();
    assert_eq!(decode(Slot::One, &with_body(&longest)).unwrap().0.primary().as_bytes().len(), 63);
}

fn record_strategy() -> impl Strategy<Value = Record> {
    let hops = prop::collection::vec(0x80u8..=0xff, 0..12).prop_map(|bytes| Hops::from_bytes(&bytes).unwrap());
    let attempts = prop::option::of((any::<[u8; 4]>(), 0u8..=3, any::<bool>()));
    let alternates = prop::collection::vec(hops.clone(), 0..8);
    (any::<u32>(), any::<u32>(), hops, alternates, attempts, any::<u64>(), 0u8..=7).prop_filter_map(
        "no list of routes",
        |(epoch, node, primary, alternates, attempts, floor, left_out)| {
            let attempts = attempts.map(|(tag, begun, proven)| Attempts { image: ImageTag(tag), begun, proven });
            let record = Record::new(epoch, node, primary, alternates).ok()?;
            Some(record.with_attempts(attempts).with_floor(floor).with_left_out(left_out))
        },
    )
}

proptest! {
    #[test]
    fn a_record_survives_the_round_trip(record in record_strategy(), sequence: u16, junk in prop::collection::vec(any::<u8>(), 0..40)) {
        let bytes = encode(&record, Slot::Zero, sequence);
        prop_assert_eq!(bytes.len(), encoded_len(&record));
        prop_assert_eq!(decode(Slot::Zero, &[bytes, junk].concat()), Ok((record, sequence)));
    }

    #[test]
    fn what_is_made_to_fit_fits(record in record_strategy(), room in MIN_RECORD..=MAX_RECORD) {
        match record.fit(room) {
            Ok(fit) => {
                prop_assert!(encoded_len(&fit) <= room);
                prop_assert!(record.alternates().starts_with(fit.alternates()));
                let dropped = record.alternates().len() - fit.alternates().len();
                prop_assert_eq!(usize::from(fit.left_out()), (usize::from(record.left_out()) + dropped).min(7));
                prop_assert_eq!((fit.attempts(), fit.floor()), (record.attempts(), record.floor()));
            }
            Err(_) => {
                let alone = Record::new(record.epoch(), record.node(), *record.primary(), vec![]).unwrap();
                let alone = alone.with_attempts(record.attempts()).with_floor(record.floor());
                prop_assert!(encoded_len(&alone) > room);
            }
        }
    }

    /// With a right CRC, so that all of the parser is reached; what is read is written as the same bytes.
    #[test]
    fn any_bytes_are_a_record_or_an_error(body in prop::collection::vec(any::<u8>(), 3..=246), small in 0u8..0x80, flags: u8) {
        let mut body = body;
        (body[0], body[1], body[2]) = (small, small, flags);
        let bytes = with_body(&body);
        match decode(Slot::One, &bytes) {
            Ok((record, sequence)) => prop_assert_eq!(encode(&record, Slot::One, sequence), &bytes[..]),
            Err(error) => prop_assert!(matches!(error, SlotError::Field(_)), "{}", error),
        }
        let _ = decode(Slot::One, &bytes[..bytes.len() / 2]);
    }
}
