//! Frames of an image that is sent to a group of cards at once.
//!
//! A block is a piece of the image or one of its lists, cut into source symbols; parity symbols are made of them. A
//! sequence number counts the [`Symbol`] frames of the sender.

use super::{flags, number};
use crate::id::NodeNumber;
use crate::wire::{Header, HeaderBytes, Kind, PREFIX, WireError, put, take};
use zerocopy::byteorder::little_endian::{I32, U16, U32, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

/// A symbol of a block. The payload is its bytes.
///
/// ```text
/// 4            8            12           16      18
/// | session    | sequence   | block      | index |
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Symbol {
    /// The session.
    pub session: u32,
    /// Counts the symbols that the sender has sent to the group, modulo 2^32.
    pub sequence: u32,
    /// Which block.
    pub block: u32,
    /// Which of its symbols: the source symbols come first, then the parity symbols. Below 32,768.
    pub index: u16,
    /// It was sent to one receiver, and does not count in the sequence.
    pub to_one: bool,
}

/// The bit of a symbol's index that says that it was sent to one receiver.
const TO_ONE: u16 = 1 << 15;

/// The sender asks what has come.
///
/// ```text
/// 4            8            12           16       18      20
/// | session    | sequence   | horizon    | stride | class |
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Poll {
    /// The session.
    pub session: u32,
    /// The sequence number of the next symbol.
    pub sequence: u32,
    /// All source symbols of the blocks below this one have been sent.
    pub horizon: u32,
    /// Receivers answer whose number is `class` modulo this. Not 0.
    pub stride: u16,
    /// Below `stride`.
    pub class: u16,
}

/// A receiver's answer to a [`Poll`]. The payload is a list of [`Lack`]s.
///
/// ```text
/// 4            8            12           16           20           24      25
/// | session    | from       | sequence   | received   | overrun    | flags |
/// ```
///
/// Flag 0x01: the receiver lacks nothing. Flag 0x02: it had parts of the image when the session began.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Status {
    /// The session.
    pub session: u32,
    /// The receiver.
    pub from: NodeNumber,
    /// That of the poll.
    pub sequence: u32,
    /// Symbols of the session that have come, modulo 2^32.
    pub received: u32,
    /// Symbols that were lost in long bursts, as when a buffer overruns, modulo 2^32.
    pub overrun: u32,
    /// It lacks nothing.
    pub complete: bool,
    /// It had verified parts of the image when the session began.
    pub holds: bool,
}

/// What a receiver lacks of one block, or that it has nothing of several: 16 bytes in the payload of a [`Status`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lack {
    /// The first of the blocks.
    pub block: u32,
    /// How many blocks; of more than one the receiver has nothing.
    pub blocks: u16,
    /// How many symbols more, of any kind, would complete the block.
    pub count: u16,
    /// A bit for each source symbol that is missing.
    pub missing: u64,
}

#[derive(FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
struct SymbolLayout {
    session: U32,
    sequence: U32,
    block: U32,
    index: U16,
}
const _: () = assert!(size_of::<SymbolLayout>() == 14);

#[derive(FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
struct PollLayout {
    session: U32,
    sequence: U32,
    horizon: U32,
    stride: U16,
    class: U16,
}
const _: () = assert!(size_of::<PollLayout>() == 16);

#[derive(FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
struct StatusLayout {
    session: U32,
    from: I32,
    sequence: U32,
    received: U32,
    overrun: U32,
    flags: u8,
}
const _: () = assert!(size_of::<StatusLayout>() == 21);

#[derive(FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
struct LackLayout {
    block: U32,
    blocks: U16,
    count: U16,
    missing: U64,
}

/// Bytes of a [`Lack`].
pub const LACK_LEN: usize = size_of::<LackLayout>();
const _: () = assert!(LACK_LEN == 16);

/// Appends a lack to a payload.
pub fn put_lack(payload: &mut Vec<u8>, lack: Lack) {
    let (block, blocks, count) = (lack.block.into(), lack.blocks.into(), lack.count.into());
    payload.extend_from_slice(LackLayout { block, blocks, count, missing: lack.missing.into() }.as_bytes());
}

/// Reads the payload of a [`Status`]: as many lacks as it holds. Nothing is said of their values.
pub fn parse_lacks(payload: &[u8]) -> impl Iterator<Item = Lack> + '_ {
    <[LackLayout]>::ref_from_prefix_with_elems(payload, payload.len() / LACK_LEN)
        .map_or(&[][..], |(lacks, _)| lacks)
        .iter()
        .map(|l| Lack { block: l.block.get(), blocks: l.blocks.get(), count: l.count.get(), missing: l.missing.get() })
}

impl Symbol {
    pub(in crate::wire) fn encode(&self, out: &mut HeaderBytes) {
        let layout = SymbolLayout {
            session: self.session.into(),
            sequence: self.sequence.into(),
            block: self.block.into(),
            index: if self.to_one { self.index | TO_ONE } else { self.index & !TO_ONE }.into(),
        };
        put(out, &layout);
    }

    pub(in crate::wire) fn parse(body: &[u8]) -> Result<(Symbol, usize), WireError> {
        let (l, _) = take::<SymbolLayout>(body, PREFIX)?;
        let (session, sequence, block, index) = (l.session.get(), l.sequence.get(), l.block.get(), l.index.get());
        let symbol = Symbol { session, sequence, block, index: index & !TO_ONE, to_one: index & TO_ONE != 0 };
        Ok((symbol, size_of::<SymbolLayout>()))
    }
}

impl Poll {
    pub(in crate::wire) fn encode(&self, out: &mut HeaderBytes) {
        let layout = PollLayout {
            session: self.session.into(),
            sequence: self.sequence.into(),
            horizon: self.horizon.into(),
            stride: self.stride.into(),
            class: self.class.into(),
        };
        put(out, &layout);
    }

    pub(in crate::wire) fn parse(body: &[u8]) -> Result<(Poll, usize), WireError> {
        let (l, _) = take::<PollLayout>(body, PREFIX)?;
        let (stride, class) = (l.stride.get(), l.class.get());
        if stride == 0 {
            return Err(WireError::Field { kind: Kind::Poll, field: "stride", value: 0 });
        }
        if class >= stride {
            return Err(WireError::Field { kind: Kind::Poll, field: "class", value: class.into() });
        }
        let poll =
            Poll { session: l.session.get(), sequence: l.sequence.get(), horizon: l.horizon.get(), stride, class };
        Ok((poll, size_of::<PollLayout>()))
    }

    /// True if this node shall answer.
    pub fn asks(&self, node: NodeNumber) -> bool {
        node.0.rem_euclid(self.stride.into()) == i32::from(self.class)
    }
}

impl Status {
    pub(in crate::wire) fn encode(&self, out: &mut HeaderBytes) {
        let layout = StatusLayout {
            session: self.session.into(),
            from: self.from.0.into(),
            sequence: self.sequence.into(),
            received: self.received.into(),
            overrun: self.overrun.into(),
            flags: u8::from(self.complete) | u8::from(self.holds) << 1,
        };
        put(out, &layout);
    }

    pub(in crate::wire) fn parse(body: &[u8]) -> Result<(Status, usize), WireError> {
        let (l, _) = take::<StatusLayout>(body, PREFIX)?;
        let flags = flags(Kind::Status, l.flags, 0x03)?;
        let status = Status {
            session: l.session.get(),
            from: number(Kind::Status, "from", l.from.get())?,
            sequence: l.sequence.get(),
            received: l.received.get(),
            overrun: l.overrun.get(),
            complete: flags & 0x01 != 0,
            holds: flags & 0x02 != 0,
        };
        Ok((status, size_of::<StatusLayout>()))
    }
}

impl From<Symbol> for Header {
    fn from(h: Symbol) -> Header {
        Header::Symbol(h)
    }
}
impl From<Poll> for Header {
    fn from(h: Poll) -> Header {
        Header::Poll(h)
    }
}
impl From<Status> for Header {
    fn from(h: Status) -> Header {
        Header::Status(h)
    }
}
