//! Frames between a node (the child) and the one that feeds it in one of the trees (the parent).
//!
//! A position counts the lists and chunks of a tree's half of the image in the order of its stream; a sequence number
//! counts the [`Block`] frames that a parent has sent to one child, repeats included.

use super::{TREES, flags, number};
use crate::id::NodeNumber;
use crate::wire::{Header, HeaderBytes, Kind, PREFIX, WireError, put, take};
use zerocopy::byteorder::little_endian::{I32, U16, U32};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

/// A child asks to be fed. The payload is a list of [`Span`]s of positions that it has already.
///
/// ```text
/// 4            8            12     14     15          16      17
/// | session    | from       | edge | tree | alternate | flags |
/// ```
///
/// Flag 0x01: the child is late, and is fed only when nobody else waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attach {
    /// The session.
    pub session: u32,
    /// The child.
    pub from: NodeNumber,
    /// The child's name for this attachment; it is in every frame that follows.
    pub edge: u16,
    /// Which tree, 0 or 1.
    pub tree: u8,
    /// Which of the parent's routes to the child the frames shall take.
    pub alternate: u8,
    /// Feed it only when nobody else waits.
    pub late: bool,
}

/// One list or chunk. The payload is its bytes.
///
/// ```text
/// 4            8      10     12           16           20
/// | session    | edge | echo | sequence   | position   |
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Block {
    /// The session.
    pub session: u32,
    /// The attachment.
    pub edge: u16,
    /// The serial of the newest [`Receipt`] that the parent has acted on.
    pub echo: u16,
    /// Counts the frames of this attachment.
    pub sequence: u32,
    /// Which list or chunk this is.
    pub position: u32,
}

/// A parent that has nothing to send says that it lives, and how far it is.
///
/// ```text
/// 4            8      10     12           16
/// | session    | edge | echo | next       |
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pulse {
    /// The session.
    pub session: u32,
    /// The attachment.
    pub edge: u16,
    /// The serial of the newest [`Receipt`] that the parent has acted on.
    pub echo: u16,
    /// The sequence number of the next [`Block`] frame.
    pub next: u32,
}

/// A child tells its parent what came. The payload is a list of [`Span`]s of sequence numbers that were lost.
///
/// ```text
/// 4            8            12     14       16           20           24      25
/// | session    | from       | edge | serial | settled    | next       | flags |
/// ```
///
/// Flag 0x01: the child has its tree's half of the image and leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// The session.
    pub session: u32,
    /// The child.
    pub from: NodeNumber,
    /// The attachment.
    pub edge: u16,
    /// Counts the receipts of this attachment.
    pub serial: u16,
    /// Every sequence number below this one came, or is known to the parent as lost.
    pub settled: u32,
    /// One above the highest sequence number that the child knows of.
    pub next: u32,
    /// The child needs nothing more.
    pub complete: bool,
}

/// The numbers from `start` up to, and without, `end`: eight bytes in the payload of an [`Attach`] or a [`Receipt`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// The first.
    pub start: u32,
    /// One above the last; above `start`.
    pub end: u32,
}

#[derive(FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
struct AttachLayout {
    session: U32,
    from: I32,
    edge: U16,
    tree: u8,
    alternate: u8,
    flags: u8,
}
const _: () = assert!(size_of::<AttachLayout>() == 13);

#[derive(FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
struct BlockLayout {
    session: U32,
    edge: U16,
    echo: U16,
    sequence: U32,
    position: U32,
}
const _: () = assert!(size_of::<BlockLayout>() == 16);

#[derive(FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
struct PulseLayout {
    session: U32,
    edge: U16,
    echo: U16,
    next: U32,
}
const _: () = assert!(size_of::<PulseLayout>() == 12);

#[derive(FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
struct ReceiptLayout {
    session: U32,
    from: I32,
    edge: U16,
    serial: U16,
    settled: U32,
    next: U32,
    flags: u8,
}
const _: () = assert!(size_of::<ReceiptLayout>() == 21);

#[derive(FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
struct SpanLayout {
    start: U32,
    end: U32,
}

/// Appends a span to a payload.
pub fn put_span(payload: &mut Vec<u8>, span: Span) {
    payload.extend_from_slice(SpanLayout { start: span.start.into(), end: span.end.into() }.as_bytes());
}

/// Reads the payload of an [`Attach`] or a [`Receipt`]: ascending spans that do not touch. What comes after the first
/// span that is none is not read.
pub fn parse_spans(payload: &[u8]) -> impl Iterator<Item = Span> + '_ {
    let mut above = None;
    <[SpanLayout]>::ref_from_prefix_with_elems(payload, payload.len() / size_of::<SpanLayout>())
        .map_or(&[][..], |(spans, _)| spans)
        .iter()
        .map(|l| Span { start: l.start.get(), end: l.end.get() })
        .take_while(move |span| {
            let fits = span.start < span.end && above.is_none_or(|end| span.start > end);
            above = Some(span.end);
            fits
        })
}

impl Attach {
    pub(in crate::wire) fn encode(&self, out: &mut HeaderBytes) {
        let layout = AttachLayout {
            session: self.session.into(),
            from: self.from.0.into(),
            edge: self.edge.into(),
            tree: self.tree,
            alternate: self.alternate,
            flags: self.late.into(),
        };
        put(out, &layout);
    }

    pub(in crate::wire) fn parse(body: &[u8]) -> Result<(Attach, usize), WireError> {
        let (l, _) = take::<AttachLayout>(body, PREFIX)?;
        if usize::from(l.tree) >= TREES {
            return Err(WireError::Field { kind: Kind::Attach, field: "tree", value: l.tree.into() });
        }
        let attach = Attach {
            session: l.session.get(),
            from: number(Kind::Attach, "from", l.from.get())?,
            edge: l.edge.get(),
            tree: l.tree,
            alternate: l.alternate,
            late: flags(Kind::Attach, l.flags, 0x01)? != 0,
        };
        Ok((attach, size_of::<AttachLayout>()))
    }
}

impl Block {
    pub(in crate::wire) fn encode(&self, out: &mut HeaderBytes) {
        let layout = BlockLayout {
            session: self.session.into(),
            edge: self.edge.into(),
            echo: self.echo.into(),
            sequence: self.sequence.into(),
            position: self.position.into(),
        };
        put(out, &layout);
    }

    pub(in crate::wire) fn parse(body: &[u8]) -> Result<(Block, usize), WireError> {
        let (l, _) = take::<BlockLayout>(body, PREFIX)?;
        let data = Block {
            session: l.session.get(),
            edge: l.edge.get(),
            echo: l.echo.get(),
            sequence: l.sequence.get(),
            position: l.position.get(),
        };
        Ok((data, size_of::<BlockLayout>()))
    }
}

impl Pulse {
    pub(in crate::wire) fn encode(&self, out: &mut HeaderBytes) {
        let layout = PulseLayout {
            session: self.session.into(),
            edge: self.edge.into(),
            echo: self.echo.into(),
            next: self.next.into(),
        };
        put(out, &layout);
    }

    pub(in crate::wire) fn parse(body: &[u8]) -> Result<(Pulse, usize), WireError> {
        let (l, _) = take::<PulseLayout>(body, PREFIX)?;
        let pulse = Pulse { session: l.session.get(), edge: l.edge.get(), echo: l.echo.get(), next: l.next.get() };
        Ok((pulse, size_of::<PulseLayout>()))
    }
}

impl Receipt {
    pub(in crate::wire) fn encode(&self, out: &mut HeaderBytes) {
        let layout = ReceiptLayout {
            session: self.session.into(),
            from: self.from.0.into(),
            edge: self.edge.into(),
            serial: self.serial.into(),
            settled: self.settled.into(),
            next: self.next.into(),
            flags: self.complete.into(),
        };
        put(out, &layout);
    }

    pub(in crate::wire) fn parse(body: &[u8]) -> Result<(Receipt, usize), WireError> {
        let (l, _) = take::<ReceiptLayout>(body, PREFIX)?;
        let (settled, next) = (l.settled.get(), l.next.get());
        if settled > next {
            return Err(WireError::Field { kind: Kind::Receipt, field: "settled", value: settled.into() });
        }
        let receipt = Receipt {
            session: l.session.get(),
            from: number(Kind::Receipt, "from", l.from.get())?,
            edge: l.edge.get(),
            serial: l.serial.get(),
            settled,
            next,
            complete: flags(Kind::Receipt, l.flags, 0x01)? != 0,
        };
        Ok((receipt, size_of::<ReceiptLayout>()))
    }
}

impl From<Attach> for Header {
    fn from(h: Attach) -> Header {
        Header::Attach(h)
    }
}
impl From<Block> for Header {
    fn from(h: Block) -> Header {
        Header::Block(h)
    }
}
impl From<Pulse> for Header {
    fn from(h: Pulse) -> Header {
        Header::Pulse(h)
    }
}
impl From<Receipt> for Header {
    fn from(h: Receipt) -> Header {
        Header::Receipt(h)
    }
}
