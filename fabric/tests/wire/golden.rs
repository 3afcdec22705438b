//! The examples of the document, byte for byte.

use crate::document::{describe, examples, name, registry, to_hex};
use twowire_fabric::route::Route;
use twowire_fabric::wire::{Header, Kind, MAX_HEADER, Packet, VERSION, frame};

#[test]
fn every_example_is_what_the_code_writes_and_reads() {
    for example in examples() {
        let line = example.line;
        let whole = [&example.header[..], &example.payload].concat();
        let crc = crc32fast::hash(&whole).to_le_bytes();
        assert_eq!(to_hex(&example.crc), to_hex(&crc), "wire-format.md:{line}: the CRC-32 of these bytes");

        let packet = frame::parse(&example.received()).unwrap_or_else(|e| panic!("wire-format.md:{line}: {e}"));
        assert_eq!(describe(&packet.header), example.reads, "wire-format.md:{line}: what the header reads as");
        assert_eq!(packet.payload, example.payload, "wire-format.md:{line}");

        let sent = frame::encode(&example.hops, &packet);
        let documented = [example.hops.as_bytes(), &example.received()].concat();
        assert_eq!(to_hex(&sent), to_hex(&documented), "wire-format.md:{line}: the frame as it is sent");
    }
}

#[test]
fn every_kind_has_an_example() {
    let examples = examples();
    for &kind in Kind::ALL {
        assert!(
            examples.iter().any(|e| e.kind_byte() == kind as u8),
            "docs/wire-format.md has no example of {kind:?} ({:#04x}). Add a section for it, with this block:\n\n{}",
            kind as u8,
            suggestion(kind),
        );
    }
}

#[test]
fn the_registry_lists_the_kinds_of_the_code() {
    let registry = registry();
    let examples = examples();
    for &kind in Kind::ALL {
        let example = examples.iter().find(|e| e.kind_byte() == kind as u8);
        let size = example.map_or("BYTES".to_owned(), |e| e.header.len().to_string());
        let row = format!("| {:#04x} | `{kind:?}` | {size} | what its payload is |", kind as u8);
        let found = registry.iter().find(|(byte, _, _)| *byte == kind as u8);
        let (_, documented, bytes) =
            found.unwrap_or_else(|| panic!("docs/wire-format.md: the registry of kinds misses this row:\n\n{row}\n"));
        assert_eq!(*documented, name(kind), "docs/wire-format.md: the registry's row of {:#04x}", kind as u8);
        assert_eq!(bytes.to_string(), size, "docs/wire-format.md: header bytes of {kind:?}");
    }
    for (byte, documented, _) in &registry {
        let known = Kind::ALL.iter().any(|&k| k as u8 == *byte);
        assert!(known, "docs/wire-format.md lists {byte:#04x} `{documented}`, which the code does not know");
    }
    assert!(registry.is_sorted_by(|a, b| a.0 < b.0), "docs/wire-format.md: the registry is in the order of the kinds");
}

/// An example block for a kind, from a header that counts up, or of zeros where that is not valid.
fn suggestion(kind: Kind) -> String {
    let counting: Vec<u8> = (0..MAX_HEADER as u8).collect();
    let bodies = [counting, vec![0; MAX_HEADER], vec![1; MAX_HEADER]];
    let parsed = bodies.into_iter().find_map(|mut bytes| {
        bytes[..4].copy_from_slice(&[VERSION, kind as u8, 0, 0]);
        Header::parse(&bytes).ok()
    });
    let Some((header, _, _)) = parsed else {
        return "```wire-example\nhops     88 f8\nheader   ...\npayload  -\ncrc-32   00 00 00 00\nreads    ...\n```"
            .into();
    };
    let sent = frame::encode(&Route::EMPTY, &Packet::new(header));
    let (header_bytes, crc) = sent.split_at(sent.len() - frame::CRC_LEN);
    format!(
        "```wire-example\nhops     88 f8\nheader   {}\npayload  -\ncrc-32   {}\nreads    {}\n```\n",
        to_hex(header_bytes),
        to_hex(crc),
        describe(&header).replace(',', ", ").replace(':', ": ").replace('{', " { ").replace('}', " }"),
    )
}
