//! The record and its bytes, as `docs/route-record.md` lays them out.

use crate::hops::Hops;
use crate::store::Slot;
use zerocopy::byteorder::little_endian::{U16, U32};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

/// The version of the format.
pub const VERSION: u8 = 1;

/// The longest record, in bytes.
pub const MAX_RECORD: usize = 255;

/// The shortest record: one route of no hops.
pub const MIN_RECORD: usize = HEADER + 1 + CRC;

const MAGIC: u8 = b'T';
const CRC: usize = 4;

/// The fixed start of a record.
///
/// ```text
/// 0       1                    2        3          5       9      13
/// | magic | version * 2 + slot | length | sequence | epoch | node | routes …
/// ```
#[derive(FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
struct Layout {
    magic: u8,
    version_and_slot: u8,
    len: u8,
    sequence: U16,
    epoch: U32,
    node: U32,
}

const HEADER: usize = size_of::<Layout>();
const _: () = assert!(HEADER == 13);
const _: () = assert!(HEADER + 2 * (1 + 5) + CRC <= 32, "two routes of five hops fit half of a 64-byte window");

/// What a node keeps: its own number and its routes to the front end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    epoch: u32,
    node: u32,
    primary: Hops,
    alternates: Vec<Hops>,
}

/// Why a record cannot be made, or does not fit.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RecordError {
    /// The same route twice.
    #[error("the route {0} is given twice: an alternate must be another route")]
    Twice(Hops),
    /// More bytes than a record may have.
    #[error("the routes need a record of {needed} bytes, but there is room for {room}: give fewer alternates")]
    TooLarge {
        /// Bytes of the record.
        needed: usize,
        /// Bytes that fit.
        room: usize,
    },
}

/// Why a slot holds no valid record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SlotError {
    /// It starts with another byte.
    #[error("starts with {0:#04x}, expected {MAGIC:#04x}")]
    Magic(u8),
    /// The length is impossible.
    #[error("says that its record has {len} bytes, expected {MIN_RECORD} to {room}")]
    Length {
        /// What it says.
        len: u8,
        /// Bytes of the slot, or the longest record.
        room: usize,
    },
    /// The CRC-32 is wrong: a write was cut short, or bits have changed.
    #[error("CRC-32 is {got:#010x}, expected {expected:#010x}")]
    Crc {
        /// Computed from the bytes.
        expected: u32,
        /// Found at the end of the record.
        got: u32,
    },
    /// Whole, but of another version.
    #[error("record version {0}, expected {VERSION}")]
    Version(u8),
    /// Whole, but written to the other slot.
    #[error("holds a record that was written to the other slot")]
    Misplaced,
    /// Whole, but its routes are not routes: nobody writes such a record.
    #[error("the routes are malformed")]
    Routes,
}

impl Record {
    /// A record of one master route and its alternates, which must all differ.
    pub fn new(epoch: u32, node: u32, primary: Hops, alternates: Vec<Hops>) -> Result<Record, RecordError> {
        let record = Record { epoch, node, primary, alternates };
        let needed = record.encoded_len();
        if needed > MAX_RECORD {
            return Err(RecordError::TooLarge { needed, room: MAX_RECORD });
        }
        let routes: Vec<&Hops> = record.routes().collect();
        if let Some((_, twice)) = routes.iter().enumerate().find(|(i, route)| routes[..*i].contains(route)) {
            return Err(RecordError::Twice(**twice));
        }
        Ok(record)
    }

    /// The epoch of the routes.
    pub fn epoch(&self) -> u32 {
        self.epoch
    }

    /// The node's own number.
    pub fn node(&self) -> u32 {
        self.node
    }

    /// The master route: to the front end.
    pub fn primary(&self) -> &Hops {
        &self.primary
    }

    /// Other routes to the front end, in the order in which to try them.
    pub fn alternates(&self) -> &[Hops] {
        &self.alternates
    }

    /// The master route, then its alternates.
    pub fn routes(&self) -> impl Iterator<Item = &Hops> {
        std::iter::once(&self.primary).chain(&self.alternates)
    }

    /// Bytes that the record takes in its slot.
    pub fn encoded_len(&self) -> usize {
        HEADER + self.routes().map(|route| 1 + route.as_bytes().len()).sum::<usize>() + CRC
    }

    /// The record's bytes for a slot.
    pub fn encode(&self, slot: Slot, sequence: u16) -> Vec<u8> {
        let header = Layout {
            magic: MAGIC,
            version_and_slot: VERSION << 1 | slot.index() as u8,
            len: self.encoded_len() as u8,
            sequence: sequence.into(),
            epoch: self.epoch.into(),
            node: self.node.into(),
        };
        let mut bytes = header.as_bytes().to_vec();
        for route in self.routes() {
            bytes.push(route.as_bytes().len() as u8);
            bytes.extend_from_slice(route.as_bytes());
        }
        bytes.extend_from_slice(&crc32fast::hash(&bytes).to_le_bytes());
        bytes
    }

    /// Reads the record at the start of a slot's bytes, with its sequence.
    pub fn decode(slot: Slot, bytes: &[u8]) -> Result<(Record, u16), SlotError> {
        let room = bytes.len().min(MAX_RECORD);
        let magic = bytes.first().copied().unwrap_or(0);
        if magic != MAGIC {
            return Err(SlotError::Magic(magic));
        }
        let len = bytes.get(2).copied().unwrap_or(0);
        if !(MIN_RECORD..=room).contains(&len.into()) {
            return Err(SlotError::Length { len, room });
        }
        let (body, crc) = bytes[..len.into()].split_last_chunk::<CRC>().expect("MIN_RECORD has room for the CRC");
        let (expected, got) = (crc32fast::hash(body), u32::from_le_bytes(*crc));
        if got != expected {
            return Err(SlotError::Crc { expected, got });
        }
        let (header, routes) = Layout::ref_from_prefix(body).expect("MIN_RECORD has room for the header");
        match (header.version_and_slot >> 1, usize::from(header.version_and_slot & 1)) {
            (version, _) if version != VERSION => Err(SlotError::Version(version)),
            (_, index) if index != slot.index() => Err(SlotError::Misplaced),
            _ => Ok((decode_body(header, routes)?, header.sequence.get())),
        }
    }
}

fn decode_body(header: &Layout, mut bytes: &[u8]) -> Result<Record, SlotError> {
    let mut routes = Vec::new();
    while let Some((&len, rest)) = bytes.split_first() {
        let (hops, rest) = rest.split_at_checked(len.into()).ok_or(SlotError::Routes)?;
        routes.push(Hops::from_bytes(hops).map_err(|_| SlotError::Routes)?);
        bytes = rest;
    }
    let alternates = routes.split_off(1.min(routes.len()));
    let primary = routes.pop().ok_or(SlotError::Routes)?;
    Record::new(header.epoch.get(), header.node.get(), primary, alternates).map_err(|_| SlotError::Routes)
}

#[cfg(test)]
#[path = "record_tests.rs"]
mod tests;
