//! Every byte that crosses a cable. The document is `docs/wire-format.md`; this module is its one home in code.
//!
//! A frame is `hop byte × n | header | payload | CRC-32`. The crossbars eat the hops, so a host sees
//! `header | payload | CRC-32`. A header is a 4-byte `Prefix` and a body of fixed size for each [`Kind`]; all
//! numbers are little-endian and no field is padded.
//!
//! Each kind is two things: a `zerocopy` layout of its bytes, private to its module, and a small representation that is
//! always valid ([`Header`]). [`Header::parse`] and [`frame::parse`] return a typed error on any bytes and never panic.

pub mod boot;
pub mod endpoint;
pub mod frame;
pub mod probe;

use arrayvec::ArrayVec;
use bytes::Bytes;
use frame::LANE_MARK;
use zerocopy::byteorder::little_endian::U16;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

/// The version in the first byte of every header. Its top bit is clear, so that no header looks like a hop.
pub const VERSION: u8 = 1;

/// The payload that every provider carries, in bytes; a provider may carry more.
pub const DEFAULT_MAX_PAYLOAD: usize = 4096;

/// The longest header of any kind, in bytes.
pub const MAX_HEADER: usize = 64;

/// What a kind is for, which decides the state machine that takes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Family {
    /// Discovery: 0x01 to 0x0f.
    Discovery,
    /// The reliable endpoint: 0x10 to 0x1f.
    Endpoint,
    /// The transfer of an image: 0x20 to 0x2f.
    Boot,
}

/// The registry of frame kinds: the second byte of every header.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Kind {
    /// Asks the host at the end of a route who it is: [`probe::Probe`].
    Probe = 0x01,
    /// The answer to a probe: [`probe::ProbeReply`].
    ProbeReply = 0x02,
    /// Asks for a connection: [`endpoint::Open`].
    Open = 0x10,
    /// Answers an open: [`endpoint::Accept`].
    Accept = 0x11,
    /// A message or a fragment of one: [`endpoint::Data`].
    Data = 0x12,
    /// What has arrived: [`endpoint::Ack`].
    Ack = 0x13,
    /// Asks for an acknowledgement at once, on this path: [`endpoint::Ping`].
    Ping = 0x14,
    /// Nobody here knows that connection: [`endpoint::Reset`].
    Reset = 0x15,
    /// Ends a connection: [`endpoint::Close`].
    Close = 0x16,
    /// Asks whether frames of this length get through: [`endpoint::Sounding`].
    Sounding = 0x17,
    /// A sounding has arrived: [`endpoint::Sounded`].
    Sounded = 0x18,
    /// The front end offers an image to a node: [`boot::Offer`].
    Offer = 0x20,
    /// A node asks for an offer, or answers one: [`boot::Join`].
    Join = 0x21,
    /// The front end tells a node who feeds it: [`boot::Assign`].
    Assign = 0x22,
    /// A node asks another one to feed it: [`boot::Attach`].
    Attach = 0x23,
    /// A part of the image: [`boot::Block`].
    Block = 0x24,
    /// A node that feeds another one says that it lives: [`boot::Pulse`].
    Pulse = 0x25,
    /// A node tells the one that feeds it what came: [`boot::Receipt`].
    Receipt = 0x26,
    /// A node tells the front end how far it is: [`boot::Report`].
    Report = 0x27,
    /// The front end answers a report, or asks for one: [`boot::Instruct`].
    Instruct = 0x28,
    /// A part of the image, to a group: [`boot::Symbol`].
    Symbol = 0x29,
    /// The sender to a group asks what has come: [`boot::Poll`].
    Poll = 0x2a,
    /// A node of a group says what has come: [`boot::Status`].
    Status = 0x2b,
    /// The front end offers an image to whoever hears it: [`boot::Call`].
    Call = 0x2c,
    /// A node asks for a call, or answers one: [`boot::Enlist`].
    Enlist = 0x2d,
    /// The front end tells a node its number: [`boot::Admit`].
    Admit = 0x2e,
    /// Frames that a node passes on for the front end: [`boot::Relay`].
    Relay = 0x2f,
}

impl Kind {
    /// Every kind, in the order of its byte.
    pub const ALL: &'static [Kind] = &[
        Kind::Probe,
        Kind::ProbeReply,
        Kind::Open,
        Kind::Accept,
        Kind::Data,
        Kind::Ack,
        Kind::Ping,
        Kind::Reset,
        Kind::Close,
        Kind::Sounding,
        Kind::Sounded,
        Kind::Offer,
        Kind::Join,
        Kind::Assign,
        Kind::Attach,
        Kind::Block,
        Kind::Pulse,
        Kind::Receipt,
        Kind::Report,
        Kind::Instruct,
        Kind::Symbol,
        Kind::Poll,
        Kind::Status,
        Kind::Call,
        Kind::Enlist,
        Kind::Admit,
        Kind::Relay,
    ];

    /// What this kind is for.
    pub const fn family(self) -> Family {
        match self as u8 {
            0x00..=0x0f => Family::Discovery,
            0x10..=0x1f => Family::Endpoint,
            _ => Family::Boot,
        }
    }

    fn from_byte(byte: u8) -> Result<Kind, WireError> {
        Kind::ALL.iter().copied().find(|&k| k as u8 == byte).ok_or(WireError::UnknownKind(byte))
    }
}

/// The start of every header.
///
/// ```text
/// 0          1          2                     4
/// | version  | kind     | payload length, LE  |
/// ```
#[derive(FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
struct Prefix {
    version: u8,
    kind: u8,
    payload_len: U16,
}

const PREFIX: usize = size_of::<Prefix>();
const _: () = assert!(PREFIX == 4);

/// Why received bytes are not a frame of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WireError {
    /// The first byte is still a hop: the route was longer than the path.
    #[error("the frame still holds a hop byte ({0:#04x}): its route is too long")]
    RouteTooLong(u8),
    /// Fewer bytes than the header or its payload length need.
    #[error("truncated: {needed} bytes needed, got {got}")]
    Truncated {
        /// Bytes that the header promises.
        needed: usize,
        /// Bytes that came.
        got: usize,
    },
    /// More bytes than the header promises.
    #[error("{extra} bytes too many after the frame")]
    TrailingBytes {
        /// How many.
        extra: usize,
    },
    /// A version that this program does not speak.
    #[error("version {0}, expected {VERSION}")]
    Version(u8),
    /// A kind that this program does not know.
    #[error("unknown kind {0:#04x}")]
    UnknownKind(u8),
    /// A field of a known kind holds a value that means nothing.
    #[error("{kind:?}: field `{field}` has the invalid value {value}")]
    Field {
        /// The frame's kind.
        kind: Kind,
        /// The field's name in the format document.
        field: &'static str,
        /// What it held.
        value: u64,
    },
    /// A frame to another lane than that of the port it came to, or to none.
    #[error("a frame to lane {expected} begins with {LANE_MARK:#04x} and that number, got {mark:#04x} and {got}")]
    Lane {
        /// The port's lane.
        expected: u16,
        /// The first byte.
        mark: u8,
        /// The number behind it.
        got: u16,
    },
    /// The CRC-32 over header and payload is not the one at the end.
    #[error("CRC-32 is {got:#010x}, expected {expected:#010x}")]
    Crc {
        /// Computed from the bytes.
        expected: u32,
        /// Found at the end of the frame.
        got: u32,
    },
}

/// The encoded form of a header.
pub type HeaderBytes = ArrayVec<u8, MAX_HEADER>;

/// A header of any kind, always valid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Header {
    /// See [`Kind::Probe`].
    Probe(probe::Probe),
    /// See [`Kind::ProbeReply`].
    ProbeReply(probe::ProbeReply),
    /// See [`Kind::Open`].
    Open(endpoint::Open),
    /// See [`Kind::Accept`].
    Accept(endpoint::Accept),
    /// See [`Kind::Data`].
    Data(endpoint::Data),
    /// See [`Kind::Ack`].
    Ack(endpoint::Ack),
    /// See [`Kind::Ping`].
    Ping(endpoint::Ping),
    /// See [`Kind::Reset`].
    Reset(endpoint::Reset),
    /// See [`Kind::Close`].
    Close(endpoint::Close),
    /// See [`Kind::Sounding`].
    Sounding(endpoint::Sounding),
    /// See [`Kind::Sounded`].
    Sounded(endpoint::Sounded),
    /// See [`Kind::Offer`].
    Offer(boot::Offer),
    /// See [`Kind::Join`].
    Join(boot::Join),
    /// See [`Kind::Assign`].
    Assign(boot::Assign),
    /// See [`Kind::Attach`].
    Attach(boot::Attach),
    /// See [`Kind::Block`].
    Block(boot::Block),
    /// See [`Kind::Pulse`].
    Pulse(boot::Pulse),
    /// See [`Kind::Receipt`].
    Receipt(boot::Receipt),
    /// See [`Kind::Report`].
    Report(boot::Report),
    /// See [`Kind::Instruct`].
    Instruct(boot::Instruct),
    /// See [`Kind::Symbol`].
    Symbol(boot::Symbol),
    /// See [`Kind::Poll`].
    Poll(boot::Poll),
    /// See [`Kind::Status`].
    Status(boot::Status),
    /// See [`Kind::Call`].
    Call(boot::Call),
    /// See [`Kind::Enlist`].
    Enlist(boot::Enlist),
    /// See [`Kind::Admit`].
    Admit(boot::Admit),
    /// See [`Kind::Relay`].
    Relay(boot::Relay),
}

impl Header {
    /// The kind's byte in the registry.
    pub fn kind(&self) -> Kind {
        match self {
            Header::Probe(_) => Kind::Probe,
            Header::ProbeReply(_) => Kind::ProbeReply,
            Header::Open(_) => Kind::Open,
            Header::Accept(_) => Kind::Accept,
            Header::Data(_) => Kind::Data,
            Header::Ack(_) => Kind::Ack,
            Header::Ping(_) => Kind::Ping,
            Header::Reset(_) => Kind::Reset,
            Header::Close(_) => Kind::Close,
            Header::Sounding(_) => Kind::Sounding,
            Header::Sounded(_) => Kind::Sounded,
            Header::Offer(_) => Kind::Offer,
            Header::Join(_) => Kind::Join,
            Header::Assign(_) => Kind::Assign,
            Header::Attach(_) => Kind::Attach,
            Header::Block(_) => Kind::Block,
            Header::Pulse(_) => Kind::Pulse,
            Header::Receipt(_) => Kind::Receipt,
            Header::Report(_) => Kind::Report,
            Header::Instruct(_) => Kind::Instruct,
            Header::Symbol(_) => Kind::Symbol,
            Header::Poll(_) => Kind::Poll,
            Header::Status(_) => Kind::Status,
            Header::Call(_) => Kind::Call,
            Header::Enlist(_) => Kind::Enlist,
            Header::Admit(_) => Kind::Admit,
            Header::Relay(_) => Kind::Relay,
        }
    }

    /// The header's bytes, for a payload of `payload_len` bytes.
    pub fn encode(&self, payload_len: u16) -> HeaderBytes {
        let mut out = HeaderBytes::new();
        put(&mut out, &Prefix { version: VERSION, kind: self.kind() as u8, payload_len: payload_len.into() });
        match self {
            Header::Probe(h) => h.encode(&mut out),
            Header::ProbeReply(h) => h.encode(&mut out),
            Header::Open(h) => h.encode(&mut out),
            Header::Accept(h) => h.encode(&mut out),
            Header::Data(h) => h.encode(&mut out),
            Header::Ack(h) => h.encode(&mut out),
            Header::Ping(h) => h.encode(&mut out),
            Header::Reset(h) => h.encode(&mut out),
            Header::Close(h) => h.encode(&mut out),
            Header::Sounding(h) => h.encode(&mut out),
            Header::Sounded(h) => h.encode(&mut out),
            Header::Offer(h) => h.encode(&mut out),
            Header::Join(h) => h.encode(&mut out),
            Header::Assign(h) => h.encode(&mut out),
            Header::Attach(h) => h.encode(&mut out),
            Header::Block(h) => h.encode(&mut out),
            Header::Pulse(h) => h.encode(&mut out),
            Header::Receipt(h) => h.encode(&mut out),
            Header::Report(h) => h.encode(&mut out),
            Header::Instruct(h) => h.encode(&mut out),
            Header::Symbol(h) => h.encode(&mut out),
            Header::Poll(h) => h.encode(&mut out),
            Header::Status(h) => h.encode(&mut out),
            Header::Call(h) => h.encode(&mut out),
            Header::Enlist(h) => h.encode(&mut out),
            Header::Admit(h) => h.encode(&mut out),
            Header::Relay(h) => h.encode(&mut out),
        }
        out
    }

    /// Reads a header at the start of `bytes`, which must hold all of it; returns it with its own length and the
    /// length of the payload that follows.
    pub fn parse(bytes: &[u8]) -> Result<(Header, usize, usize), WireError> {
        if let Some(&byte) = bytes.first()
            && byte & 0x80 != 0
        {
            return Err(WireError::RouteTooLong(byte));
        }
        let (prefix, body) = take::<Prefix>(bytes, 0)?;
        if prefix.version != VERSION {
            return Err(WireError::Version(prefix.version));
        }
        let (header, body_len) = match Kind::from_byte(prefix.kind)? {
            Kind::Probe => probe::Probe::parse(body).map(|(h, n)| (Header::Probe(h), n))?,
            Kind::ProbeReply => probe::ProbeReply::parse(body).map(|(h, n)| (Header::ProbeReply(h), n))?,
            Kind::Open => endpoint::Open::parse(body).map(|(h, n)| (Header::Open(h), n))?,
            Kind::Accept => endpoint::Accept::parse(body).map(|(h, n)| (Header::Accept(h), n))?,
            Kind::Data => endpoint::Data::parse(body).map(|(h, n)| (Header::Data(h), n))?,
            Kind::Ack => endpoint::Ack::parse(body).map(|(h, n)| (Header::Ack(h), n))?,
            Kind::Ping => endpoint::Ping::parse(body).map(|(h, n)| (Header::Ping(h), n))?,
            Kind::Reset => endpoint::Reset::parse(body).map(|(h, n)| (Header::Reset(h), n))?,
            Kind::Close => endpoint::Close::parse(body).map(|(h, n)| (Header::Close(h), n))?,
            Kind::Sounding => endpoint::Sounding::parse(body).map(|(h, n)| (Header::Sounding(h), n))?,
            Kind::Sounded => endpoint::Sounded::parse(body).map(|(h, n)| (Header::Sounded(h), n))?,
            Kind::Offer => boot::Offer::parse(body).map(|(h, n)| (Header::Offer(h), n))?,
            Kind::Join => boot::Join::parse(body).map(|(h, n)| (Header::Join(h), n))?,
            Kind::Assign => boot::Assign::parse(body).map(|(h, n)| (Header::Assign(h), n))?,
            Kind::Attach => boot::Attach::parse(body).map(|(h, n)| (Header::Attach(h), n))?,
            Kind::Block => boot::Block::parse(body).map(|(h, n)| (Header::Block(h), n))?,
            Kind::Pulse => boot::Pulse::parse(body).map(|(h, n)| (Header::Pulse(h), n))?,
            Kind::Receipt => boot::Receipt::parse(body).map(|(h, n)| (Header::Receipt(h), n))?,
            Kind::Report => boot::Report::parse(body).map(|(h, n)| (Header::Report(h), n))?,
            Kind::Instruct => boot::Instruct::parse(body).map(|(h, n)| (Header::Instruct(h), n))?,
            Kind::Symbol => boot::Symbol::parse(body).map(|(h, n)| (Header::Symbol(h), n))?,
            Kind::Poll => boot::Poll::parse(body).map(|(h, n)| (Header::Poll(h), n))?,
            Kind::Status => boot::Status::parse(body).map(|(h, n)| (Header::Status(h), n))?,
            Kind::Call => boot::Call::parse(body).map(|(h, n)| (Header::Call(h), n))?,
            Kind::Enlist => boot::Enlist::parse(body).map(|(h, n)| (Header::Enlist(h), n))?,
            Kind::Admit => boot::Admit::parse(body).map(|(h, n)| (Header::Admit(h), n))?,
            Kind::Relay => boot::Relay::parse(body).map(|(h, n)| (Header::Relay(h), n))?,
        };
        Ok((header, PREFIX + body_len, prefix.payload_len.get().into()))
    }
}

/// A header and its payload: what a frame means once its hops are gone and its CRC has been checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Packet {
    /// The kind and its fields.
    pub header: Header,
    /// The bytes after the header, shared and never copied on the way.
    pub payload: Bytes,
}

impl Packet {
    /// A packet without payload.
    pub fn new(header: impl Into<Header>) -> Packet {
        Packet { header: header.into(), payload: Bytes::new() }
    }

    /// A packet with a payload.
    pub fn with_payload(header: impl Into<Header>, payload: Bytes) -> Packet {
        Packet { header: header.into(), payload }
    }
}

/// Appends a layout's bytes to a header.
fn put(out: &mut HeaderBytes, layout: &(impl IntoBytes + Immutable)) {
    out.try_extend_from_slice(layout.as_bytes()).expect("MAX_HEADER holds the header of every kind");
}

/// Reads a layout at the start of `bytes`; `before` is how many header bytes came before it.
fn take<T: FromBytes + KnownLayout + Immutable + Unaligned>(
    bytes: &[u8],
    before: usize,
) -> Result<(&T, &[u8]), WireError> {
    T::ref_from_prefix(bytes)
        .map_err(|_| WireError::Truncated { needed: before + size_of::<T>(), got: before + bytes.len() })
}
