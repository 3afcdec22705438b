//! Discovery: who is at the end of this route?

use super::{Header, HeaderBytes, Kind, PREFIX, WireError, put, take};
use crate::id::UniqueId;
use zerocopy::byteorder::little_endian::{U32, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

/// A probe. Its payload is the list of hop bytes that it set out with, from which the host at the other end computes the
/// way back. A prober whose own probe comes back to it knows that the route is a loop.
///
/// ```text
/// 4                     8                     12
/// | session, LE         | nonce, LE           |
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Probe {
    /// One run of discovery; answers to an earlier run are ignored.
    pub session: u32,
    /// Which probe of this run.
    pub nonce: u32,
}

/// The first of the sessions that nodes take which look for the front end; all higher ones are theirs as well. Who maps
/// or calls the roll takes a lower one, so that a host can tell by a probe alone which of the two sent it.
pub const FIRST_SEARCH_SESSION: u32 = 0x8000_0000;

/// What a host is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Role {
    /// A node.
    #[default]
    Node = 0,
    /// A front end: at least it says so.
    FrontEnd = 1,
}

/// The answer of a host to a [`Probe`].
///
/// ```text
/// 4            8            12                          20           24     25
/// | session    | nonce      | unique id, LE             | epoch      | role |
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProbeReply {
    /// Copied from the probe.
    pub session: u32,
    /// Copied from the probe.
    pub nonce: u32,
    /// The unique id of the card that answers.
    pub id: UniqueId,
    /// The epoch of the routes that the host holds; 0 if none.
    pub epoch: u32,
    /// What the host is.
    pub role: Role,
}

#[derive(FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
struct ProbeLayout {
    session: U32,
    nonce: U32,
}
const _: () = assert!(size_of::<ProbeLayout>() == 8);

#[derive(FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
struct ProbeReplyLayout {
    session: U32,
    nonce: U32,
    id: U64,
    epoch: U32,
    role: u8,
}
const _: () = assert!(size_of::<ProbeReplyLayout>() == 21);

impl Probe {
    pub(super) fn encode(&self, out: &mut HeaderBytes) {
        put(out, &ProbeLayout { session: self.session.into(), nonce: self.nonce.into() });
    }

    pub(super) fn parse(body: &[u8]) -> Result<(Probe, usize), WireError> {
        let (l, _) = take::<ProbeLayout>(body, PREFIX)?;
        Ok((Probe { session: l.session.get(), nonce: l.nonce.get() }, size_of::<ProbeLayout>()))
    }
}

impl ProbeReply {
    pub(super) fn encode(&self, out: &mut HeaderBytes) {
        put(
            out,
            &ProbeReplyLayout {
                session: self.session.into(),
                nonce: self.nonce.into(),
                id: self.id.0.into(),
                epoch: self.epoch.into(),
                role: self.role as u8,
            },
        );
    }

    pub(super) fn parse(body: &[u8]) -> Result<(ProbeReply, usize), WireError> {
        let (l, _) = take::<ProbeReplyLayout>(body, PREFIX)?;
        let role = match l.role {
            0 => Role::Node,
            1 => Role::FrontEnd,
            other => return Err(WireError::Field { kind: Kind::ProbeReply, field: "role", value: other.into() }),
        };
        let reply = ProbeReply {
            session: l.session.get(),
            nonce: l.nonce.get(),
            id: UniqueId(l.id.get()),
            epoch: l.epoch.get(),
            role,
        };
        Ok((reply, size_of::<ProbeReplyLayout>()))
    }
}

impl From<Probe> for Header {
    fn from(h: Probe) -> Header {
        Header::Probe(h)
    }
}

impl From<ProbeReply> for Header {
    fn from(h: ProbeReply) -> Header {
        Header::ProbeReply(h)
    }
}
