//! Reads the examples and the registry out of `docs/wire-format.md`.

use bytes::Bytes;
use std::path::Path;
use twowire_fabric::route::Route;
use twowire_fabric::wire::{Header, Kind};

/// An example of the document: a fenced block marked `wire-example`.
pub(crate) struct Example {
    /// The line of the document where the block begins, from 1.
    pub(crate) line: usize,
    pub(crate) hops: Route,
    pub(crate) header: Vec<u8>,
    pub(crate) payload: Vec<u8>,
    pub(crate) crc: Vec<u8>,
    /// What the document says that the header reads as, without whitespace.
    pub(crate) reads: String,
}

impl Example {
    fn parse(line: usize, block: &[&str]) -> Example {
        let field = |name: &str| -> &str {
            let mut values = block.iter().filter_map(|l| l.strip_prefix(name));
            let value = values.next().unwrap_or_else(|| panic!("wire-format.md:{line}: the example has no `{name}`"));
            assert_eq!(values.next(), None, "wire-format.md:{line}: `{name}` is there twice");
            value.trim()
        };
        let hex = |name: &str| parse_hex(field(name)).unwrap_or_else(|e| panic!("wire-format.md:{line}: {name}: {e}"));
        Example {
            line,
            hops: Route::from_bytes(&hex("hops")).unwrap_or_else(|e| panic!("wire-format.md:{line}: {e}")),
            header: hex("header"),
            payload: hex("payload"),
            crc: hex("crc-32"),
            reads: squeeze(field("reads")),
        }
    }

    /// The frame as it reaches a host.
    pub(crate) fn received(&self) -> Bytes {
        [&self.header[..], &self.payload, &self.crc].concat().into()
    }

    /// The byte in the place of the kind.
    pub(crate) fn kind_byte(&self) -> u8 {
        self.header[1]
    }
}

/// Every example of the document.
pub(crate) fn examples() -> Vec<Example> {
    let text = document();
    let mut found = Vec::new();
    let mut lines = text.lines().enumerate();
    while let Some((index, line)) = lines.next() {
        if line.trim() == "```wire-example" {
            let block: Vec<&str> = lines.by_ref().map(|(_, l)| l).take_while(|l| l.trim() != "```").collect();
            found.push(Example::parse(index + 1, &block));
        }
    }
    found
}

/// The rows of the registry: kind, name, bytes of the header.
pub(crate) fn registry() -> Vec<(u8, String, usize)> {
    let row = |line: &str| {
        let mut cells = line.strip_prefix("| 0x")?.split('|').map(str::trim);
        let kind = u8::from_str_radix(cells.next()?, 16).ok()?;
        let name = cells.next()?.trim_matches('`').to_owned();
        Some((kind, name, cells.next()?.parse().ok()?))
    };
    document().lines().filter_map(row).collect()
}

fn document() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/wire-format.md");
    std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

fn parse_hex(text: &str) -> Result<Vec<u8>, String> {
    let digits = text.replace([' ', '-'], "");
    let pair = |at: usize| digits.get(at..at + 2).and_then(|two| u8::from_str_radix(two, 16).ok());
    (0..digits.len()).step_by(2).map(|at| pair(at).ok_or_else(|| format!("`{text}` is not hexadecimal"))).collect()
}

/// Bytes as the document writes them: pairs, with a wider gap after every four.
pub(crate) fn to_hex(bytes: &[u8]) -> String {
    let quads = bytes.chunks(4).map(|quad| quad.iter().map(|b| format!("{b:02x}")).collect::<Vec<_>>().join(" "));
    let text = quads.collect::<Vec<_>>().join("  ");
    if text.is_empty() { "-".to_owned() } else { text }
}

/// What the code makes of a header, in the document's notation but without whitespace.
pub(crate) fn describe(header: &Header) -> String {
    squeeze(&format!("{header:#x?}"))
}

fn squeeze(text: &str) -> String {
    let text: String = text.chars().filter(|c| !c.is_whitespace()).collect();
    text.replace(",}", "}").replace(",)", ")").replace(",]", "]")
}

/// The name of a kind as the registry has it.
pub(crate) fn name(kind: Kind) -> String {
    format!("{kind:?}")
}
