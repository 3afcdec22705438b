//! Frames of the reliable endpoint. `docs/wire-format.md` says what they mean, `docs/endpoint.md` how they work together.
//!
//! Each side of a connection picks a 64-bit *connection number* that the other one puts into every frame, so that a
//! frame of an earlier connection, or of an earlier incarnation of either side, is recognised and dropped. *Transmit
//! numbers* count the transmissions on one path; *sequence numbers* count the data frames of a connection.
//!
//! Every frame with a payload has a *check*: the CRC-32 of the payload, made and tested by the endpoints themselves. The
//! frame's own CRC-32 ends at the card, and what the card's memory does to the bytes behind it would go unseen.

use super::{Header, HeaderBytes, Kind, PREFIX, WireError, put, take};
use crate::id::UniqueId;
use bytes::{BufMut, Bytes, BytesMut};
use zerocopy::byteorder::little_endian::{U16, U32, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

/// How the payload of an [`Open`], [`Accept`] or [`Ping`] spells the path that the frame set out on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum PathForm {
    /// The hop bytes of a source route. The way back is this route reversed.
    Hops = 1,
    /// The unique id of the sender's card. The way back is to that card.
    Card = 2,
    /// The receiver's lane and the sender's, two bytes each, big-endian, and the hop bytes. The way back has both reversed.
    Lane = 3,
}

impl PathForm {
    fn from_byte(kind: Kind, byte: u8) -> Result<PathForm, WireError> {
        match byte {
            1 => Ok(PathForm::Hops),
            2 => Ok(PathForm::Card),
            3 => Ok(PathForm::Lane),
            _ => Err(WireError::Field { kind, field: "form", value: byte.into() }),
        }
    }
}

/// A path of the sender's: its number, and how the payload spells it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PathLabel {
    /// The number that the sender gave to this path.
    pub path: u8,
    /// How the payload spells the path.
    pub form: PathForm,
}

/// Asks for a connection. The payload is the path that it set out on.
///
/// ```text
/// 4        12       20            28       36       38     39     40      44
/// | source | target | incarnation | number | window | path | form | check |
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Open {
    /// The unique id of the sender's card.
    pub source: UniqueId,
    /// The unique id of the card that it is meant for.
    pub target: UniqueId,
    /// Differs each time the sender's endpoint starts.
    pub incarnation: u64,
    /// The connection number for frames to the sender.
    pub number: u64,
    /// Data frames that the sender can take in.
    pub window: u16,
    /// The path in the payload.
    pub label: PathLabel,
    /// The CRC-32 of the payload.
    pub check: u32,
}

/// Answers an [`Open`]. The connection stands for the acceptor when the first frame with its number arrives. The
/// payload is the path that it set out on.
///
/// ```text
/// 4            12       20            28       36       38     39     40      44
/// | connection | source | incarnation | number | window | path | form | check |
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Accept {
    /// The number from the [`Open`].
    pub connection: u64,
    /// The unique id of the acceptor's card.
    pub source: UniqueId,
    /// Differs each time the acceptor's endpoint starts.
    pub incarnation: u64,
    /// The connection number for frames to the acceptor.
    pub number: u64,
    /// Data frames that the acceptor can take in.
    pub window: u16,
    /// The path in the payload.
    pub label: PathLabel,
    /// The CRC-32 of the payload.
    pub check: u32,
}

/// A message, or a fragment of one. A message's fragments have consecutive sequence numbers.
///
/// ```text
/// 4            12         16         20          24    28       30     31      32      36
/// | connection | sequence | transmit | remaining | ack | window | path | flags | check |
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Data {
    /// The receiver's connection number.
    pub connection: u64,
    /// Which data frame of this connection; the low 32 bits.
    pub sequence: u32,
    /// Which transmission on this path; the low 32 bits.
    pub transmit: u32,
    /// Bytes of the message from the start of this fragment to the message's end: the message's length in its first
    /// fragment, the payload's length in its last.
    pub remaining: u32,
    /// The first sequence number that the sender of this frame has not received; the low 32 bits.
    pub ack: u32,
    /// Data frames from `ack` on that the sender of this frame can take in.
    pub window: u16,
    /// The sender's number of the path that this frame takes.
    pub path: u8,
    /// The sender waits for an acknowledgement: send it at once.
    pub ack_now: bool,
    /// The CRC-32 of the payload.
    pub check: u32,
}

/// Says what has arrived. The payload is `echoes` [`Echo`]es, then a bitmap: bit `i` (the lowest of a byte first) is set
/// if the data frame `ack + 1 + i` has arrived.
///
/// ```text
/// 4            12    16       18       19      23
/// | connection | ack | window | echoes | check |
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ack {
    /// The receiver's connection number.
    pub connection: u64,
    /// The first sequence number that has not arrived; the low 32 bits.
    pub ack: u32,
    /// Data frames from `ack` on that can be taken in.
    pub window: u16,
    /// How many echoes the payload starts with.
    pub echoes: u8,
    /// The CRC-32 of the payload.
    pub check: u32,
}

/// The latest transmission that arrived on one path.
///
/// ```text
/// 0      1          5        9
/// | path | transmit | age ns |
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Echo {
    /// The number that the other side gave to the path.
    pub path: u8,
    /// The highest transmit number that arrived on it; the low 32 bits.
    pub transmit: u32,
    /// How long before this acknowledgement it arrived, in nanoseconds; `u32::MAX` if longer.
    pub age_ns: u32,
}

/// Asks for an [`Ack`] at once, on this path: proves a path, announces it, and breaks a silence. The payload is the path
/// that it set out on. A host that does not know the connection answers with a [`Reset`].
///
/// ```text
/// 4            12       20       28         32     33     34      38
/// | connection | number | target | transmit | path | form | check |
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ping {
    /// The receiver's connection number.
    pub connection: u64,
    /// The sender's own connection number.
    pub number: u64,
    /// The unique id of the card that it is meant for.
    pub target: UniqueId,
    /// Which transmission on this path; the low 32 bits.
    pub transmit: u32,
    /// The path in the payload.
    pub label: PathLabel,
    /// The CRC-32 of the payload.
    pub check: u32,
}

/// Answers a [`Ping`] for a connection that the sender does not have (any more).
///
/// ```text
/// 4            12        20
/// | connection | refused |
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reset {
    /// The pinger's connection number.
    pub connection: u64,
    /// The number that nobody knows here.
    pub refused: u64,
}

/// Why a connection was closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum CloseReason {
    /// The other side wanted it so.
    Asked = 1,
    /// The other side received what this protocol does not allow.
    Violation = 2,
}

/// Ends a connection. It is not acknowledged: if it is lost, the next [`Ping`] is answered with a [`Reset`].
///
/// ```text
/// 4            12       13
/// | connection | reason |
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Close {
    /// The receiver's connection number.
    pub connection: u64,
    /// Why.
    pub reason: CloseReason,
}

/// Asks whether frames with a payload of this length get through by a path. It is answered, and has no other effect. The payload means nothing.
///
/// ```text
/// 4            12     13      17
/// | connection | path | check |
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sounding {
    /// The receiver's connection number.
    pub connection: u64,
    /// The sender's number of the path.
    pub path: u8,
    /// The check of the payload.
    pub check: u32,
}

/// A [`Sounding`] has arrived.
///
/// ```text
/// 4            12     13       15
/// | connection | path | length |
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sounded {
    /// The receiver's connection number.
    pub connection: u64,
    /// The receiver's number of the path.
    pub path: u8,
    /// Bytes of the payload that arrived.
    pub length: u16,
}

#[derive(FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
struct OpenLayout {
    source: U64,
    target: U64,
    incarnation: U64,
    number: U64,
    window: U16,
    path: u8,
    form: u8,
    check: U32,
}
const _: () = assert!(size_of::<OpenLayout>() == 40);

#[derive(FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
struct AcceptLayout {
    connection: U64,
    source: U64,
    incarnation: U64,
    number: U64,
    window: U16,
    path: u8,
    form: u8,
    check: U32,
}
const _: () = assert!(size_of::<AcceptLayout>() == 40);

#[derive(FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
struct DataLayout {
    connection: U64,
    sequence: U32,
    transmit: U32,
    remaining: U32,
    ack: U32,
    window: U16,
    path: u8,
    flags: u8,
    check: U32,
}
const _: () = assert!(size_of::<DataLayout>() == 32);

#[derive(FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
struct AckLayout {
    connection: U64,
    ack: U32,
    window: U16,
    echoes: u8,
    check: U32,
}
const _: () = assert!(size_of::<AckLayout>() == 19);

#[derive(FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
struct EchoLayout {
    path: u8,
    transmit: U32,
    age_ns: U32,
}
const _: () = assert!(size_of::<EchoLayout>() == 9);

#[derive(FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
struct PingLayout {
    connection: U64,
    number: U64,
    target: U64,
    transmit: U32,
    path: u8,
    form: u8,
    check: U32,
}
const _: () = assert!(size_of::<PingLayout>() == 34);

#[derive(FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
struct ResetLayout {
    connection: U64,
    refused: U64,
}
const _: () = assert!(size_of::<ResetLayout>() == 16);

#[derive(FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
struct CloseLayout {
    connection: U64,
    reason: u8,
}
const _: () = assert!(size_of::<CloseLayout>() == 9);

#[derive(FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
struct SoundingLayout {
    connection: U64,
    path: u8,
    check: U32,
}
const _: () = assert!(size_of::<SoundingLayout>() == 13);

#[derive(FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
struct SoundedLayout {
    connection: U64,
    path: u8,
    length: U16,
}
const _: () = assert!(size_of::<SoundedLayout>() == 11);

const FLAG_ACK_NOW: u8 = 0x01;

impl Open {
    pub(super) fn encode(&self, out: &mut HeaderBytes) {
        put(
            out,
            &OpenLayout {
                source: self.source.0.into(),
                target: self.target.0.into(),
                incarnation: self.incarnation.into(),
                number: self.number.into(),
                window: self.window.into(),
                path: self.label.path,
                form: self.label.form as u8,
                check: self.check.into(),
            },
        );
    }

    pub(super) fn parse(body: &[u8]) -> Result<(Open, usize), WireError> {
        let (l, _) = take::<OpenLayout>(body, PREFIX)?;
        let open = Open {
            source: UniqueId(l.source.get()),
            target: UniqueId(l.target.get()),
            incarnation: l.incarnation.get(),
            number: l.number.get(),
            window: l.window.get(),
            label: PathLabel { path: l.path, form: PathForm::from_byte(Kind::Open, l.form)? },
            check: l.check.get(),
        };
        Ok((open, size_of::<OpenLayout>()))
    }
}

impl Accept {
    pub(super) fn encode(&self, out: &mut HeaderBytes) {
        put(
            out,
            &AcceptLayout {
                connection: self.connection.into(),
                source: self.source.0.into(),
                incarnation: self.incarnation.into(),
                number: self.number.into(),
                window: self.window.into(),
                path: self.label.path,
                form: self.label.form as u8,
                check: self.check.into(),
            },
        );
    }

    pub(super) fn parse(body: &[u8]) -> Result<(Accept, usize), WireError> {
        let (l, _) = take::<AcceptLayout>(body, PREFIX)?;
        let accept = Accept {
            connection: l.connection.get(),
            source: UniqueId(l.source.get()),
            incarnation: l.incarnation.get(),
            number: l.number.get(),
            window: l.window.get(),
            label: PathLabel { path: l.path, form: PathForm::from_byte(Kind::Accept, l.form)? },
            check: l.check.get(),
        };
        Ok((accept, size_of::<AcceptLayout>()))
    }
}

impl Data {
    pub(super) fn encode(&self, out: &mut HeaderBytes) {
        put(
            out,
            &DataLayout {
                connection: self.connection.into(),
                sequence: self.sequence.into(),
                transmit: self.transmit.into(),
                remaining: self.remaining.into(),
                ack: self.ack.into(),
                window: self.window.into(),
                path: self.path,
                flags: if self.ack_now { FLAG_ACK_NOW } else { 0 },
                check: self.check.into(),
            },
        );
    }

    pub(super) fn parse(body: &[u8]) -> Result<(Data, usize), WireError> {
        let (l, _) = take::<DataLayout>(body, PREFIX)?;
        if l.flags & !FLAG_ACK_NOW != 0 {
            return Err(WireError::Field { kind: Kind::Data, field: "flags", value: l.flags.into() });
        }
        let data = Data {
            connection: l.connection.get(),
            sequence: l.sequence.get(),
            transmit: l.transmit.get(),
            remaining: l.remaining.get(),
            ack: l.ack.get(),
            window: l.window.get(),
            path: l.path,
            ack_now: l.flags & FLAG_ACK_NOW != 0,
            check: l.check.get(),
        };
        Ok((data, size_of::<DataLayout>()))
    }
}

impl Ack {
    pub(super) fn encode(&self, out: &mut HeaderBytes) {
        put(
            out,
            &AckLayout {
                connection: self.connection.into(),
                ack: self.ack.into(),
                window: self.window.into(),
                echoes: self.echoes,
                check: self.check.into(),
            },
        );
    }

    pub(super) fn parse(body: &[u8]) -> Result<(Ack, usize), WireError> {
        let (l, _) = take::<AckLayout>(body, PREFIX)?;
        let ack = Ack {
            connection: l.connection.get(),
            ack: l.ack.get(),
            window: l.window.get(),
            echoes: l.echoes,
            check: l.check.get(),
        };
        Ok((ack, size_of::<AckLayout>()))
    }

    /// The payload of an acknowledgement.
    pub fn payload(echoes: &[Echo], bitmap: &[u8]) -> Bytes {
        let mut out = BytesMut::with_capacity(echoes.len() * size_of::<EchoLayout>() + bitmap.len());
        for echo in echoes {
            let layout = EchoLayout { path: echo.path, transmit: echo.transmit.into(), age_ns: echo.age_ns.into() };
            out.put_slice(layout.as_bytes());
        }
        out.put_slice(bitmap);
        out.freeze()
    }

    /// Splits a payload into its echoes and its bitmap.
    pub fn split<'p>(
        &self,
        payload: &'p [u8],
    ) -> Result<(impl ExactSizeIterator<Item = Echo> + 'p, &'p [u8]), WireError> {
        let len = usize::from(self.echoes) * size_of::<EchoLayout>();
        let truncated = WireError::Truncated { needed: len, got: payload.len() };
        let (echoes, bitmap) = payload.split_at_checked(len).ok_or(truncated)?;
        let echoes = <[EchoLayout]>::ref_from_bytes(echoes).map_err(|_| truncated)?;
        let echo = |l: &EchoLayout| Echo { path: l.path, transmit: l.transmit.get(), age_ns: l.age_ns.get() };
        Ok((echoes.iter().map(echo), bitmap))
    }
}

impl Ping {
    pub(super) fn encode(&self, out: &mut HeaderBytes) {
        put(
            out,
            &PingLayout {
                connection: self.connection.into(),
                number: self.number.into(),
                target: self.target.0.into(),
                transmit: self.transmit.into(),
                path: self.label.path,
                form: self.label.form as u8,
                check: self.check.into(),
            },
        );
    }

    pub(super) fn parse(body: &[u8]) -> Result<(Ping, usize), WireError> {
        let (l, _) = take::<PingLayout>(body, PREFIX)?;
        let ping = Ping {
            connection: l.connection.get(),
            number: l.number.get(),
            target: UniqueId(l.target.get()),
            transmit: l.transmit.get(),
            label: PathLabel { path: l.path, form: PathForm::from_byte(Kind::Ping, l.form)? },
            check: l.check.get(),
        };
        Ok((ping, size_of::<PingLayout>()))
    }
}

impl Reset {
    pub(super) fn encode(&self, out: &mut HeaderBytes) {
        put(out, &ResetLayout { connection: self.connection.into(), refused: self.refused.into() });
    }

    pub(super) fn parse(body: &[u8]) -> Result<(Reset, usize), WireError> {
        let (l, _) = take::<ResetLayout>(body, PREFIX)?;
        Ok((Reset { connection: l.connection.get(), refused: l.refused.get() }, size_of::<ResetLayout>()))
    }
}

impl Close {
    pub(super) fn encode(&self, out: &mut HeaderBytes) {
        put(out, &CloseLayout { connection: self.connection.into(), reason: self.reason as u8 });
    }

    pub(super) fn parse(body: &[u8]) -> Result<(Close, usize), WireError> {
        let (l, _) = take::<CloseLayout>(body, PREFIX)?;
        let reason = match l.reason {
            1 => CloseReason::Asked,
            2 => CloseReason::Violation,
            other => return Err(WireError::Field { kind: Kind::Close, field: "reason", value: other.into() }),
        };
        Ok((Close { connection: l.connection.get(), reason }, size_of::<CloseLayout>()))
    }
}

impl Sounding {
    pub(super) fn encode(&self, out: &mut HeaderBytes) {
        let (connection, check) = (self.connection.into(), self.check.into());
        put(out, &SoundingLayout { connection, path: self.path, check });
    }

    pub(super) fn parse(body: &[u8]) -> Result<(Sounding, usize), WireError> {
        let (l, _) = take::<SoundingLayout>(body, PREFIX)?;
        let sounding = Sounding { connection: l.connection.get(), path: l.path, check: l.check.get() };
        Ok((sounding, size_of::<SoundingLayout>()))
    }
}

impl Sounded {
    pub(super) fn encode(&self, out: &mut HeaderBytes) {
        let (connection, length) = (self.connection.into(), self.length.into());
        put(out, &SoundedLayout { connection, path: self.path, length });
    }

    pub(super) fn parse(body: &[u8]) -> Result<(Sounded, usize), WireError> {
        let (l, _) = take::<SoundedLayout>(body, PREFIX)?;
        let sounded = Sounded { connection: l.connection.get(), path: l.path, length: l.length.get() };
        Ok((sounded, size_of::<SoundedLayout>()))
    }
}

/// The check of a payload.
pub fn check(payload: &[u8]) -> u32 {
    crc32fast::hash(payload)
}

macro_rules! into_header {
    ($($kind:ident),*) => { $(
        impl From<$kind> for Header {
            fn from(h: $kind) -> Header {
                Header::$kind(h)
            }
        }
    )* };
}
into_header!(Open, Accept, Data, Ack, Ping, Reset, Close, Sounding, Sounded);
