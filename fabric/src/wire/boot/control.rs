//! Frames between the root and each node.

use super::membership::ChallengeLayout;
use super::{Challenge, PROOF_LEN, TREES, flags, number};
use crate::id::NodeNumber;
use crate::wire::{Header, HeaderBytes, Kind, PREFIX, WireError, put, take};
use zerocopy::byteorder::little_endian::{I32, U16, U32, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

/// The root offers an image to a node. The payload is the signed manifest.
///
/// ```text
/// 4            8            12           16          18                      34         35
/// | session    | epoch      | to         | report ms | challenge             | offering |
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Offer {
    /// Names this transfer. Not 0.
    pub session: u32,
    /// The epoch of the routes that the transfer uses.
    pub epoch: u32,
    /// The node that is meant.
    pub to: NodeNumber,
    /// How often a node reports, in milliseconds.
    pub report_ms: u16,
    /// What the node has to prove in its answer, if anything.
    pub challenge: Option<Challenge>,
    /// What is offered.
    pub offering: Offering,
}

/// What a front end offers to a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Offering {
    /// The image to boot. There is no other.
    Normal = 0,
    /// The image to boot. A node on which it has used up its attempts gets the fallback.
    NormalOrFallback = 1,
    /// The image to boot where the normal one does not become ready, or where there is none.
    Fallback = 2,
    /// No image: there is none for this node.
    Nothing = 3,
}

impl Offering {
    /// Every one, in the order of its byte.
    pub const ALL: [Offering; 4] =
        [Offering::Normal, Offering::NormalOrFallback, Offering::Fallback, Offering::Nothing];

    /// Reads its byte.
    pub(in crate::wire) fn parse(kind: Kind, byte: u8) -> Result<Offering, WireError> {
        let field = WireError::Field { kind, field: "offering", value: byte.into() };
        Offering::ALL.get(usize::from(byte)).copied().ok_or(field)
    }
}

/// What a node says to an offer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Answer {
    /// It has had no offer, and asks for one.
    Asks = 0,
    /// It takes part.
    Accepts = 1,
    /// The manifest is signed with another key than its cluster's.
    WrongKey = 2,
    /// The manifest is damaged or its signature is not right.
    BadManifest = 3,
    /// It holds routes of another epoch.
    WrongEpoch = 4,
    /// The image is older than the oldest that it may boot.
    TooOld = 5,
    /// It has no room for an image of this size.
    NoRoom = 6,
    /// It is to prove that it belongs to the cluster, and has no secret.
    NoSecret = 7,
    /// The secret that it has is another one.
    WrongSecret = 8,
    /// The image has used up its attempts on this node: it did not become ready.
    Exhausted = 9,
}

impl Answer {
    /// Every answer, in the order of its byte.
    pub const ALL: [Answer; 10] = [
        Answer::Asks,
        Answer::Accepts,
        Answer::WrongKey,
        Answer::BadManifest,
        Answer::WrongEpoch,
        Answer::TooOld,
        Answer::NoRoom,
        Answer::NoSecret,
        Answer::WrongSecret,
        Answer::Exhausted,
    ];
}

/// A node asks for an offer, or answers one.
///
/// ```text
/// 4            8            12            16           20       21           29                 45
/// | session    | from       | incarnation | epoch      | answer | key id     | proof            |
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Join {
    /// Of the offer; 0 when asking for one.
    pub session: u32,
    /// Which node this is.
    pub from: NodeNumber,
    /// Another one each time that the node starts.
    pub incarnation: u32,
    /// The epoch of the routes that the node holds.
    pub epoch: u32,
    /// What it says.
    pub answer: Answer,
    /// The id of the public key of its cluster, so that a wrong key can be named.
    pub key_id: u64,
    /// That the node is of the cluster, where the offer has a challenge; else zeros.
    pub proof: [u8; PROOF_LEN],
}

/// The root tells a node who feeds it.
///
/// ```text
/// 4            8      12            16         20             24             28            29            30      31
/// | session    | to   | incarnation | revision | parent in 0  | parent in 1  | alternate 0 | alternate 1 | flags |
/// ```
///
/// Flag 0x01: the node is late, and is fed only when nobody else waits. Flags 0x02 and 0x04: the assignment has not yet
/// a parent in tree 0, in tree 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Assign {
    /// The session.
    pub session: u32,
    /// The node that is meant.
    pub to: NodeNumber,
    /// Which start of it.
    pub incarnation: u32,
    /// A higher revision replaces a lower one.
    pub revision: u32,
    /// The node that feeds it in each tree, and which of that node's alternate routes to it the frames take.
    pub parents: [Option<(NodeNumber, u8)>; TREES],
    /// It comes late, and must not slow down the others.
    pub late: bool,
}

/// How far a node is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Stage {
    /// The front end has offered it the image, and it has not answered.
    Offered = 0,
    /// It takes part and has nothing yet.
    Joined = 1,
    /// It has a part of the image.
    Receiving = 2,
    /// It has all of it, and its hash is the signed one.
    Verified = 3,
    /// It starts the image.
    HandingOver = 4,
    /// The image runs.
    Ready = 5,
}

impl Stage {
    /// Every stage, in the order of its byte.
    pub const ALL: [Stage; 6] =
        [Stage::Offered, Stage::Joined, Stage::Receiving, Stage::Verified, Stage::HandingOver, Stage::Ready];
}

/// A node tells the root how far it is.
///
/// ```text
/// 4         8      12            16       20         24      25          26      27         31         35
/// | session | from | incarnation | serial | revision | stage | percent   | flags | repaired | rejected |
/// ```
///
/// Flags 0x01 and 0x02: the node's parent in tree 0, in tree 1 is silent on every route. Flag 0x04: answer with an
/// [`Instruct`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Report {
    /// The session.
    pub session: u32,
    /// Which node this is.
    pub from: NodeNumber,
    /// Which start of it.
    pub incarnation: u32,
    /// Counts the node's reports.
    pub serial: u32,
    /// The revision of the assignment that it follows; 0 if it has none.
    pub revision: u32,
    /// How far it is.
    pub stage: Stage,
    /// How much of the image it has.
    pub percent: u8,
    /// In which trees its parent is silent.
    pub orphaned: [bool; TREES],
    /// It wants an [`Instruct`] that names this report.
    pub wants_answer: bool,
    /// Frames that were lost on the way to it and asked for again.
    pub repaired: u32,
    /// Frames that it dropped because they failed verification.
    pub rejected: u32,
}

/// The root answers a [`Report`], or asks for one.
///
/// ```text
/// 4            8      12            16             20      21
/// | session    | to   | incarnation | answers      | flags |
/// ```
///
/// Flag 0x01: report now. Flag 0x02: nobody depends on you, hand over when you have verified the image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Instruct {
    /// The session.
    pub session: u32,
    /// The node that is meant.
    pub to: NodeNumber,
    /// Which start of it; 0 for any.
    pub incarnation: u32,
    /// The serial of the newest report that came.
    pub answers: u32,
    /// Report now.
    pub report_now: bool,
    /// Nobody depends on the node any more: it may hand over.
    pub hand_over: bool,
}

#[derive(FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
struct OfferLayout {
    session: U32,
    epoch: U32,
    to: I32,
    report_ms: U16,
    challenge: ChallengeLayout,
    offering: u8,
}
const _: () = assert!(size_of::<OfferLayout>() == 31);

#[derive(FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
struct JoinLayout {
    session: U32,
    from: I32,
    incarnation: U32,
    epoch: U32,
    answer: u8,
    key_id: U64,
    proof: [u8; PROOF_LEN],
}
const _: () = assert!(size_of::<JoinLayout>() == 41);

#[derive(FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
struct AssignLayout {
    session: U32,
    to: I32,
    incarnation: U32,
    revision: U32,
    parents: [I32; TREES],
    alternates: [u8; TREES],
    flags: u8,
}
const _: () = assert!(size_of::<AssignLayout>() == 27);

#[derive(FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
struct ReportLayout {
    session: U32,
    from: I32,
    incarnation: U32,
    serial: U32,
    revision: U32,
    stage: u8,
    percent: u8,
    flags: u8,
    repaired: U32,
    rejected: U32,
}
const _: () = assert!(size_of::<ReportLayout>() == 31);

#[derive(FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
struct InstructLayout {
    session: U32,
    to: I32,
    incarnation: U32,
    answers: U32,
    flags: u8,
}
const _: () = assert!(size_of::<InstructLayout>() == 17);

impl Offer {
    pub(in crate::wire) fn encode(&self, out: &mut HeaderBytes) {
        let layout = OfferLayout {
            session: self.session.into(),
            epoch: self.epoch.into(),
            to: self.to.0.into(),
            report_ms: self.report_ms.into(),
            challenge: ChallengeLayout::of(self.challenge),
            offering: self.offering as u8,
        };
        put(out, &layout);
    }

    pub(in crate::wire) fn parse(body: &[u8]) -> Result<(Offer, usize), WireError> {
        let (l, _) = take::<OfferLayout>(body, PREFIX)?;
        if l.session.get() == 0 {
            return Err(WireError::Field { kind: Kind::Offer, field: "session", value: 0 });
        }
        let offer = Offer {
            session: l.session.get(),
            epoch: l.epoch.get(),
            to: number(Kind::Offer, "to", l.to.get())?,
            report_ms: l.report_ms.get(),
            challenge: l.challenge.read(),
            offering: Offering::parse(Kind::Offer, l.offering)?,
        };
        Ok((offer, size_of::<OfferLayout>()))
    }
}

impl Join {
    pub(in crate::wire) fn encode(&self, out: &mut HeaderBytes) {
        let layout = JoinLayout {
            session: self.session.into(),
            from: self.from.0.into(),
            incarnation: self.incarnation.into(),
            epoch: self.epoch.into(),
            answer: self.answer as u8,
            key_id: self.key_id.into(),
            proof: self.proof,
        };
        put(out, &layout);
    }

    pub(in crate::wire) fn parse(body: &[u8]) -> Result<(Join, usize), WireError> {
        let (l, _) = take::<JoinLayout>(body, PREFIX)?;
        let answer = *Answer::ALL.get(usize::from(l.answer)).ok_or(WireError::Field {
            kind: Kind::Join,
            field: "answer",
            value: l.answer.into(),
        })?;
        let join = Join {
            session: l.session.get(),
            from: number(Kind::Join, "from", l.from.get())?,
            incarnation: l.incarnation.get(),
            epoch: l.epoch.get(),
            answer,
            key_id: l.key_id.get(),
            proof: l.proof,
        };
        Ok((join, size_of::<JoinLayout>()))
    }
}

impl Assign {
    pub(in crate::wire) fn encode(&self, out: &mut HeaderBytes) {
        let parent = |tree: usize| self.parents[tree].map_or(0, |(parent, _)| parent.0);
        let alternate = |tree: usize| self.parents[tree].map_or(0, |(_, alternate)| alternate);
        let none = |tree: usize| u8::from(self.parents[tree].is_none());
        let layout = AssignLayout {
            session: self.session.into(),
            to: self.to.0.into(),
            incarnation: self.incarnation.into(),
            revision: self.revision.into(),
            parents: [parent(0).into(), parent(1).into()],
            alternates: [alternate(0), alternate(1)],
            flags: u8::from(self.late) | none(0) << 1 | none(1) << 2,
        };
        put(out, &layout);
    }

    pub(in crate::wire) fn parse(body: &[u8]) -> Result<(Assign, usize), WireError> {
        let (l, _) = take::<AssignLayout>(body, PREFIX)?;
        let flags = flags(Kind::Assign, l.flags, 0x07)?;
        let parent = |tree: usize| {
            let parent = number(Kind::Assign, "parent", l.parents[tree].get())?;
            match (flags >> (tree + 1) & 1, parent.0, l.alternates[tree]) {
                (0, _, alternate) => Ok(Some((parent, alternate))),
                (_, 0, 0) => Ok(None),
                _ => Err(WireError::Field { kind: Kind::Assign, field: "parent", value: parent.0 as u32 as u64 }),
            }
        };
        let assign = Assign {
            session: l.session.get(),
            to: number(Kind::Assign, "to", l.to.get())?,
            incarnation: l.incarnation.get(),
            revision: l.revision.get(),
            parents: [parent(0)?, parent(1)?],
            late: flags & 0x01 != 0,
        };
        Ok((assign, size_of::<AssignLayout>()))
    }
}

impl Report {
    pub(in crate::wire) fn encode(&self, out: &mut HeaderBytes) {
        let flags = u8::from(self.orphaned[0]) | u8::from(self.orphaned[1]) << 1 | u8::from(self.wants_answer) << 2;
        let layout = ReportLayout {
            session: self.session.into(),
            from: self.from.0.into(),
            incarnation: self.incarnation.into(),
            serial: self.serial.into(),
            revision: self.revision.into(),
            stage: self.stage as u8,
            percent: self.percent,
            flags,
            repaired: self.repaired.into(),
            rejected: self.rejected.into(),
        };
        put(out, &layout);
    }

    pub(in crate::wire) fn parse(body: &[u8]) -> Result<(Report, usize), WireError> {
        let (l, _) = take::<ReportLayout>(body, PREFIX)?;
        let field = |field, value: u8| WireError::Field { kind: Kind::Report, field, value: value.into() };
        let stage = *Stage::ALL.get(usize::from(l.stage)).ok_or(field("stage", l.stage))?;
        if l.percent > 100 {
            return Err(field("percent", l.percent));
        }
        let flags = flags(Kind::Report, l.flags, 0x07)?;
        let report = Report {
            session: l.session.get(),
            from: number(Kind::Report, "from", l.from.get())?,
            incarnation: l.incarnation.get(),
            serial: l.serial.get(),
            revision: l.revision.get(),
            stage,
            percent: l.percent,
            orphaned: [flags & 0x01 != 0, flags & 0x02 != 0],
            wants_answer: flags & 0x04 != 0,
            repaired: l.repaired.get(),
            rejected: l.rejected.get(),
        };
        Ok((report, size_of::<ReportLayout>()))
    }
}

impl Instruct {
    pub(in crate::wire) fn encode(&self, out: &mut HeaderBytes) {
        let layout = InstructLayout {
            session: self.session.into(),
            to: self.to.0.into(),
            incarnation: self.incarnation.into(),
            answers: self.answers.into(),
            flags: u8::from(self.report_now) | u8::from(self.hand_over) << 1,
        };
        put(out, &layout);
    }

    pub(in crate::wire) fn parse(body: &[u8]) -> Result<(Instruct, usize), WireError> {
        let (l, _) = take::<InstructLayout>(body, PREFIX)?;
        let flags = flags(Kind::Instruct, l.flags, 0x03)?;
        let instruct = Instruct {
            session: l.session.get(),
            to: number(Kind::Instruct, "to", l.to.get())?,
            incarnation: l.incarnation.get(),
            answers: l.answers.get(),
            report_now: flags & 0x01 != 0,
            hand_over: flags & 0x02 != 0,
        };
        Ok((instruct, size_of::<InstructLayout>()))
    }
}

impl From<Offer> for Header {
    fn from(h: Offer) -> Header {
        Header::Offer(h)
    }
}
impl From<Join> for Header {
    fn from(h: Join) -> Header {
        Header::Join(h)
    }
}
impl From<Assign> for Header {
    fn from(h: Assign) -> Header {
        Header::Assign(h)
    }
}
impl From<Report> for Header {
    fn from(h: Report) -> Header {
        Header::Report(h)
    }
}
impl From<Instruct> for Header {
    fn from(h: Instruct) -> Header {
        Header::Instruct(h)
    }
}
