//! The bytes of a record, as `docs/route-record.md` lays them out.

use crate::boot::{Attempts, ImageTag};
use crate::hops::{Hops, MAX_HOPS};
use crate::record::Record;
use crate::slot::Slot;
use crate::varint;
use zerocopy::byteorder::little_endian::U16;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

/// The version of the format.
pub const VERSION: u8 = 2;

/// The longest record, in bytes.
pub const MAX_RECORD: usize = 255;

/// The shortest record: epoch, node and flags of a byte each, and one route of no hops.
pub const MIN_RECORD: usize = HEADER + 3 + CRC;

const MAGIC: u8 = b'T';
const CRC: usize = 4;

/// The fixed start of a record; epoch, node number, flags, and what the flags announce follow.
///
/// ```text
/// 0       1                    2        3          5
/// | magic | version * 2 + slot | length | sequence | epoch … node … flags | tag | floor … | routes … | CRC-32
/// ```
#[derive(FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
struct Layout {
    magic: u8,
    version_and_slot: u8,
    len: u8,
    sequence: U16,
}

const HEADER: usize = size_of::<Layout>();
const _: () = assert!(HEADER == 5);
const _: () =
    assert!(HEADER + 1 + 2 + 1 + 4 + 1 + 2 * 5 + CRC <= 32, "two routes of five hops and an image fit 32 bytes");

/// The bits of the flags.
mod flag {
    pub(super) const BEGUN: u8 = 0b0000_0011;
    pub(super) const PROVEN: u8 = 0b0000_0100;
    pub(super) const TAG: u8 = 0b0000_1000;
    pub(super) const FLOOR: u8 = 0b0001_0000;
    pub(super) const LEFT_OUT_SHIFT: u32 = 5;
}

/// Why a slot holds no valid record.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SlotError {
    /// It starts with another byte.
    #[error("starts with {0:#04x}, expected {MAGIC:#04x}")]
    Magic(u8),
    /// There is something in a part of the slot that no record reaches.
    #[error("holds something that is not ours")]
    Foreign,
    /// The medium does not give its bytes.
    #[error("cannot be read: {0}")]
    Unreadable(String),
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
    /// Whole, but a field means nothing: nobody writes such a record.
    #[error("the field `{0}` is malformed")]
    Field(&'static str),
}

/// Bytes that a record takes in its slot.
pub(crate) fn encoded_len(record: &Record) -> usize {
    let tag = record.attempts().map_or(0, |_| size_of::<ImageTag>());
    let floor = if record.floor() == 0 { 0 } else { varint::len(record.floor()) };
    let numbers = varint::len(record.epoch().into()) + varint::len(record.node().into());
    HEADER + numbers + 1 + tag + floor + record.routes().map(|route| route.as_bytes().len()).sum::<usize>() + CRC
}

/// The bytes of a record for a slot. It must be one that [`Record::fit`] made.
pub(crate) fn encode(record: &Record, slot: Slot, sequence: u16) -> Vec<u8> {
    let len = encoded_len(record);
    debug_assert!(len <= MAX_RECORD);
    let header = Layout {
        magic: MAGIC,
        version_and_slot: VERSION << 1 | slot.index() as u8,
        len: len as u8,
        sequence: sequence.into(),
    };
    let mut bytes = header.as_bytes().to_vec();
    varint::put(&mut bytes, record.epoch().into());
    varint::put(&mut bytes, record.node().into());
    bytes.push(flags(record));
    if let Some(attempts) = record.attempts() {
        bytes.extend_from_slice(&attempts.image.0);
    }
    if record.floor() != 0 {
        varint::put(&mut bytes, record.floor());
    }
    for route in record.routes() {
        put_route(&mut bytes, route);
    }
    bytes.extend_from_slice(&crc32fast::hash(&bytes).to_le_bytes());
    bytes
}

fn flags(record: &Record) -> u8 {
    let attempts = record.attempts().map_or(0, |attempts| {
        flag::TAG | attempts.begun & flag::BEGUN | if attempts.proven { flag::PROVEN } else { 0 }
    });
    let floor = if record.floor() == 0 { 0 } else { flag::FLOOR };
    attempts | floor | record.left_out() << flag::LEFT_OUT_SHIFT
}

/// A hop byte's top bit is set on the wire. Here it is set in all hops of a route but the last one.
fn put_route(bytes: &mut Vec<u8>, route: &Hops) {
    bytes.extend_from_slice(route.as_bytes());
    if let (false, Some(last)) = (route.as_bytes().is_empty(), bytes.last_mut()) {
        *last &= 0x7f;
    }
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
    let (header, body) = Layout::ref_from_prefix(body).expect("MIN_RECORD has room for the header");
    match (header.version_and_slot >> 1, usize::from(header.version_and_slot & 1)) {
        (version, _) if version != VERSION => Err(SlotError::Version(version)),
        (_, index) if index != slot.index() => Err(SlotError::Misplaced),
        _ => Ok((decode_body(body)?, header.sequence.get())),
    }
}

fn decode_body(bytes: &[u8]) -> Result<Record, SlotError> {
    let (epoch, bytes) = number("epoch", bytes)?;
    let (node, bytes) = number("node", bytes)?;
    let (&flags, bytes) = bytes.split_first().ok_or(SlotError::Field("flags"))?;
    let (attempts, bytes) = decode_attempts(flags, bytes)?;
    let (floor, bytes) = decode_floor(flags, bytes)?;
    let mut routes = decode_routes(bytes)?;
    let alternates = routes.split_off(1);
    let record = Record::new(epoch, node, routes[0], alternates).map_err(|_| SlotError::Field("routes"))?;
    Ok(record.with_attempts(attempts).with_floor(floor).with_left_out(flags >> flag::LEFT_OUT_SHIFT))
}

fn number<'a>(field: &'static str, bytes: &'a [u8]) -> Result<(u32, &'a [u8]), SlotError> {
    let (value, rest) = varint::take(bytes).ok_or(SlotError::Field(field))?;
    Ok((u32::try_from(value).map_err(|_| SlotError::Field(field))?, rest))
}

fn decode_attempts(flags: u8, bytes: &[u8]) -> Result<(Option<Attempts>, &[u8]), SlotError> {
    if flags & flag::TAG == 0 {
        let nothing = flags & (flag::BEGUN | flag::PROVEN) == 0;
        return if nothing { Ok((None, bytes)) } else { Err(SlotError::Field("flags")) };
    }
    let (tag, rest) = bytes.split_first_chunk().ok_or(SlotError::Field("image"))?;
    let attempts = Attempts { image: ImageTag(*tag), begun: flags & flag::BEGUN, proven: flags & flag::PROVEN != 0 };
    Ok((Some(attempts), rest))
}

fn decode_floor(flags: u8, bytes: &[u8]) -> Result<(u64, &[u8]), SlotError> {
    if flags & flag::FLOOR == 0 {
        return Ok((0, bytes));
    }
    varint::take(bytes).filter(|(floor, _)| *floor != 0).ok_or(SlotError::Field("floor"))
}

/// The routes; one of no hops if there are no bytes.
fn decode_routes(bytes: &[u8]) -> Result<Vec<Hops>, SlotError> {
    if bytes.is_empty() {
        return Ok(vec![Hops::default()]);
    }
    if bytes.last().is_some_and(|last| last & 0x80 != 0) {
        return Err(SlotError::Field("routes"));
    }
    let route = |hops: &[u8]| {
        let mut wire = [0; MAX_HOPS];
        let wire = wire.get_mut(..hops.len()).ok_or(SlotError::Field("routes"))?;
        wire.copy_from_slice(hops);
        *wire.last_mut().ok_or(SlotError::Field("routes"))? |= 0x80;
        Hops::from_bytes(wire).map_err(|_| SlotError::Field("routes"))
    };
    bytes.split_inclusive(|byte| byte & 0x80 == 0).map(route).collect()
}

#[cfg(test)]
#[path = "codec_tests.rs"]
mod tests;
