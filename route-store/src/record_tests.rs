use super::*;
use proptest::prelude::*;

fn hops(text: &str) -> Hops {
    text.parse().unwrap()
}

/// The bytes of the example in `docs/route-record.md`.
fn example() -> Vec<u8> {
    let document = include_str!("../../docs/route-record.md");
    let example = document.split("<!-- example -->").nth(1).expect("the document has an example");
    let lines = example.lines().filter(|line| line.starts_with("00"));
    lines.flat_map(|line| line[6..].split(' ')).map(|hex| u8::from_str_radix(hex, 16).unwrap()).collect()
}

fn example_record() -> Record {
    Record::new(3, 17, hops("88f887"), vec![hops("89f886")]).unwrap()
}

#[test]
fn the_example_in_the_document_is_true() {
    let bytes = example_record().encode(Slot::One, 0xffff);
    let shown: Vec<String> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(example(), bytes, "the document should show {}", shown.join(" "));
    assert_eq!(Record::decode(Slot::One, &example()), Ok((example_record(), 0xffff)));
}

#[test]
fn what_fits_in_32_bytes() {
    let two = Record::new(1, 2, hops("8182838485"), vec![hops("8182838486")]).unwrap();
    let three = Record::new(1, 2, hops("81828384"), vec![hops("81828385"), hops("81828386")]).unwrap();
    assert_eq!((two.encoded_len(), three.encoded_len()), (29, 32));
    let most = (0..39).map(|n| Hops::from_bytes(&[0x80 | n; 5]).unwrap()).collect::<Vec<_>>();
    assert_eq!(Record::new(1, 2, most[0], most[1..].to_vec()).unwrap().encoded_len(), 251);
    let forty = Record::new(1, 2, hops("8182838485"), most);
    assert_eq!(forty, Err(RecordError::TooLarge { needed: 257, room: MAX_RECORD }));
}

#[test]
fn a_route_given_twice_is_refused() {
    let twice = Record::new(1, 2, hops("81"), vec![hops("82"), hops("81")]);
    assert_eq!(twice, Err(RecordError::Twice(hops("81"))));
}

#[test]
fn each_fault_is_told_apart() {
    let good = example();
    let decode = |bytes: &[u8]| Record::decode(Slot::One, bytes).unwrap_err();
    let with_crc = |mut bytes: Vec<u8>| {
        let body = bytes.len() - 4;
        let crc = crc32fast::hash(&bytes[..body]);
        bytes[body..].copy_from_slice(&crc.to_le_bytes());
        bytes
    };
    let edited = |at: usize, byte: u8| {
        let mut bytes = good.clone();
        bytes[at] = byte;
        bytes
    };
    assert_eq!(decode(&edited(0, 0x55)), SlotError::Magic(0x55));
    assert_eq!(decode(&[]), SlotError::Magic(0));
    assert_eq!(decode(&edited(2, 17)), SlotError::Length { len: 17, room: good.len() });
    assert_eq!(decode(&good[..good.len() - 1]), SlotError::Length { len: 25, room: 24 });
    assert!(matches!(decode(&edited(9, 0x12)), SlotError::Crc { .. }));
    assert_eq!(decode(&with_crc(edited(1, 0x05))), SlotError::Version(2));
    assert!(matches!(decode(&edited(1, 0x05)), SlotError::Crc { .. }), "a damaged version is damage");
    assert_eq!(Record::decode(Slot::Zero, &good), Err(SlotError::Misplaced));
    assert_eq!(decode(&with_crc(edited(14, 0x08))), SlotError::Routes, "a hop without its top bit");
    assert_eq!(decode(&with_crc(edited(13, 9))), SlotError::Routes, "a route longer than the record");
    let mut twice = edited(18, 0x88);
    twice[20] = 0x87;
    assert_eq!(decode(&with_crc(twice)), SlotError::Routes, "the same route twice");
}

fn record_strategy() -> impl Strategy<Value = Record> {
    let hops = prop::collection::vec(0x80u8..=0xff, 0..12).prop_map(|bytes| Hops::from_bytes(&bytes).unwrap());
    (any::<u32>(), any::<u32>(), hops.clone(), prop::collection::vec(hops, 0..8))
        .prop_filter_map("twice the same route", |(epoch, node, primary, alternates)| {
            Record::new(epoch, node, primary, alternates).ok()
        })
}

proptest! {
    #[test]
    fn a_record_survives_the_round_trip(record in record_strategy(), sequence: u16, junk in prop::collection::vec(any::<u8>(), 0..40)) {
        let bytes = record.encode(Slot::Zero, sequence);
        prop_assert_eq!(bytes.len(), record.encoded_len());
        prop_assert_eq!(Record::decode(Slot::Zero, &[bytes, junk].concat()), Ok((record, sequence)));
    }

    /// With a right CRC, so that all of the parser is reached.
    #[test]
    fn any_bytes_are_a_record_or_an_error(mut bytes in prop::collection::vec(any::<u8>(), 18..=255)) {
        let (len, body) = (bytes.len(), bytes.len() - 4);
        (bytes[0], bytes[1], bytes[2]) = (MAGIC, VERSION << 1, len as u8);
        let crc = crc32fast::hash(&bytes[..body]);
        bytes[body..].copy_from_slice(&crc.to_le_bytes());
        match Record::decode(Slot::Zero, &bytes) {
            Ok((record, sequence)) => prop_assert_eq!(record.encode(Slot::Zero, sequence), &bytes[..]),
            Err(error) => prop_assert_eq!(error, SlotError::Routes),
        }
        let _ = Record::decode(Slot::Zero, &bytes[..len / 2]);
    }
}
