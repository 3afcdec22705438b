//! Frames by which a front end and nodes find one another where a fabric finds cards by itself.

use super::membership::ChallengeLayout;
use super::{Answer, Challenge, Offering, PROOF_LEN, number};
use crate::id::{NodeNumber, UniqueId};
use crate::protocol::Group;
use crate::wire::{Header, HeaderBytes, Kind, PREFIX, WireError, put, take};
use zerocopy::byteorder::little_endian::{I32, U16, U32, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

/// The front end offers an image to whoever hears it. The payload is the signed manifest, or a part of it where it is too
/// long for a frame.
///
/// ```text
/// 4            8                       16          18       20      22                      38         39     40      41
/// | session    | root                  | report ms | symbol | group | challenge             | offering | part | parts |
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Call {
    /// Names this transfer. Not 0.
    pub session: u32,
    /// The front end's card.
    pub root: UniqueId,
    /// How often a node reports, in milliseconds.
    pub report_ms: u16,
    /// Bytes of a symbol.
    pub symbol: u16,
    /// The group to which the image is sent.
    pub group: Group,
    /// What a node that answers has to prove, if anything.
    pub challenge: Option<Challenge>,
    /// What is offered.
    pub offering: Offering,
    /// Which part of the manifest this is, from 0.
    pub part: u8,
    /// In how many parts it comes: 1 to [`Call::MAX_PARTS`].
    pub parts: u8,
}

/// A node asks for a [`Call`], or answers one.
///
/// ```text
/// 4         8           16            20       21          29          37           53
/// | session | card      | incarnation | answer | key id    | cookie    | proof      |
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Enlist {
    /// Of the call; 0 when asking for one.
    pub session: u32,
    /// The node's card.
    pub card: UniqueId,
    /// Another one each time that the node starts.
    pub incarnation: u32,
    /// What it says.
    pub answer: Answer,
    /// The id of the public key of its cluster, so that a wrong key can be named.
    pub key_id: u64,
    /// That of the front end's answer; 0 before it has had one.
    pub cookie: u64,
    /// That the node is of the cluster, where the call has a challenge; else zeros.
    pub proof: [u8; PROOF_LEN],
}

/// The front end answers an [`Enlist`]: it tells the node its number, or asks it to say again what it said, with a
/// cookie: so it keeps nothing of a node that cannot be reached at its card.
///
/// ```text
/// 4            8                       16            20                      28           32
/// | session    | card                  | incarnation | cookie                | number     |
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Admit {
    /// The session.
    pub session: u32,
    /// The node's card.
    pub card: UniqueId,
    /// Which start of it.
    pub incarnation: u32,
    /// To be sent back.
    pub cookie: u64,
    /// The node's number; the front end's if it has none yet.
    pub number: NodeNumber,
}

#[derive(FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
struct CallLayout {
    session: U32,
    root: U64,
    report_ms: U16,
    symbol: U16,
    group: U16,
    challenge: ChallengeLayout,
    offering: u8,
    part: u8,
    parts: u8,
}
const _: () = assert!(size_of::<CallLayout>() == 37);

#[derive(FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
struct EnlistLayout {
    session: U32,
    card: U64,
    incarnation: U32,
    answer: u8,
    key_id: U64,
    cookie: U64,
    proof: [u8; PROOF_LEN],
}
const _: () = assert!(size_of::<EnlistLayout>() == 49);

#[derive(FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
struct AdmitLayout {
    session: U32,
    card: U64,
    incarnation: U32,
    cookie: U64,
    number: I32,
}
const _: () = assert!(size_of::<AdmitLayout>() == 28);

impl Call {
    /// A manifest comes in so many parts at most.
    pub const MAX_PARTS: u8 = 8;

    pub(in crate::wire) fn encode(&self, out: &mut HeaderBytes) {
        let layout = CallLayout {
            session: self.session.into(),
            root: self.root.0.into(),
            report_ms: self.report_ms.into(),
            symbol: self.symbol.into(),
            group: self.group.0.into(),
            challenge: ChallengeLayout::of(self.challenge),
            offering: self.offering as u8,
            part: self.part,
            parts: self.parts,
        };
        put(out, &layout);
    }

    pub(in crate::wire) fn parse(body: &[u8]) -> Result<(Call, usize), WireError> {
        let (l, _) = take::<CallLayout>(body, PREFIX)?;
        if l.session.get() == 0 {
            return Err(WireError::Field { kind: Kind::Call, field: "session", value: 0 });
        }
        let field = |field, value: u8| WireError::Field { kind: Kind::Call, field, value: value.into() };
        if !(1..=Call::MAX_PARTS).contains(&l.parts) {
            return Err(field("parts", l.parts));
        }
        if l.part >= l.parts {
            return Err(field("part", l.part));
        }
        let call = Call {
            session: l.session.get(),
            root: UniqueId(l.root.get()),
            report_ms: l.report_ms.get(),
            symbol: l.symbol.get(),
            group: Group(l.group.get()),
            challenge: l.challenge.read(),
            offering: Offering::parse(Kind::Call, l.offering)?,
            part: l.part,
            parts: l.parts,
        };
        Ok((call, size_of::<CallLayout>()))
    }
}

impl Enlist {
    pub(in crate::wire) fn encode(&self, out: &mut HeaderBytes) {
        let layout = EnlistLayout {
            session: self.session.into(),
            card: self.card.0.into(),
            incarnation: self.incarnation.into(),
            answer: self.answer as u8,
            key_id: self.key_id.into(),
            cookie: self.cookie.into(),
            proof: self.proof,
        };
        put(out, &layout);
    }

    pub(in crate::wire) fn parse(body: &[u8]) -> Result<(Enlist, usize), WireError> {
        let (l, _) = take::<EnlistLayout>(body, PREFIX)?;
        let answer = *Answer::ALL.get(usize::from(l.answer)).ok_or(WireError::Field {
            kind: Kind::Enlist,
            field: "answer",
            value: l.answer.into(),
        })?;
        let enlist = Enlist {
            session: l.session.get(),
            card: UniqueId(l.card.get()),
            incarnation: l.incarnation.get(),
            answer,
            key_id: l.key_id.get(),
            cookie: l.cookie.get(),
            proof: l.proof,
        };
        Ok((enlist, size_of::<EnlistLayout>()))
    }
}

impl Admit {
    pub(in crate::wire) fn encode(&self, out: &mut HeaderBytes) {
        let layout = AdmitLayout {
            session: self.session.into(),
            card: self.card.0.into(),
            incarnation: self.incarnation.into(),
            cookie: self.cookie.into(),
            number: self.number.0.into(),
        };
        put(out, &layout);
    }

    pub(in crate::wire) fn parse(body: &[u8]) -> Result<(Admit, usize), WireError> {
        let (l, _) = take::<AdmitLayout>(body, PREFIX)?;
        let admit = Admit {
            session: l.session.get(),
            card: UniqueId(l.card.get()),
            incarnation: l.incarnation.get(),
            cookie: l.cookie.get(),
            number: number(Kind::Admit, "number", l.number.get())?,
        };
        Ok((admit, size_of::<AdmitLayout>()))
    }
}

impl From<Call> for Header {
    fn from(h: Call) -> Header {
        Header::Call(h)
    }
}
impl From<Enlist> for Header {
    fn from(h: Enlist) -> Header {
        Header::Enlist(h)
    }
}
impl From<Admit> for Header {
    fn from(h: Admit) -> Header {
        Header::Admit(h)
    }
}
