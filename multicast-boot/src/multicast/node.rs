//! A node that gets the image with its group: it asks for a call, enlists, receives, reports, and hands over.

use super::receiver::Receiver;
use super::{Geometry, ReceiverCounters};
use crate::image::{ClusterPublicKey, ImageError, Manifest, SignedManifest};
use crate::session::node::reporting::Reporting;
use crate::session::{BootClient, ChunkStores, FRONT_ENDS, HeldImage, NodeConfig, NodeCounters, NodeState};
use bytes::Bytes;
use std::sync::Arc;
use std::time::Duration;
use twowire_fabric::id::{NodeNumber, UniqueId};
use twowire_fabric::protocol::{Path, Protocol, Transmit};
use twowire_fabric::time::Time;
use twowire_fabric::wire::boot::{Admit, Answer, Call, Enlist, Instruct, PROOF_LEN, Report, Stage};
use twowire_fabric::wire::{Header, Packet};

/// The transfer that the node takes part in.
struct Session {
    id: u32,
    root: UniqueId,
    receiver: Receiver,
    /// It has its number.
    admitted: bool,
    cookie: u64,
    stage: Stage,
    stage_since: Time,
    may_hand_over: bool,
    root_heard: Time,
    report: Reporting,
}

/// A call that was refused.
#[derive(Clone, Copy)]
struct Refused {
    session: u32,
    root: UniqueId,
    answer: Answer,
    cookie: u64,
}

/// A frame to a front end that is due, and when to say it again.
struct Asking {
    due: Option<(Path, u32, Answer, u64)>,
    at: Time,
    interval: Duration,
}

/// One node of a group: see the module.
pub struct MulticastNode {
    config: NodeConfig,
    key: ClusterPublicKey,
    stores: Arc<dyn ChunkStores>,
    card: UniqueId,
    max_payload: usize,
    rng: fastrand::Rng,
    incarnation: u32,
    session: Option<Box<Session>>,
    /// The last call that was refused.
    refused: Option<Refused>,
    asking: Asking,
    counters: NodeCounters,
    deadline: Time,
}

impl MulticastNode {
    /// A node of the cluster whose key this is, with this card, on a port with so large payloads. It keeps its chunks in
    /// one of `stores`.
    pub fn new(
        config: NodeConfig,
        key: ClusterPublicKey,
        stores: Arc<dyn ChunkStores>,
        card: UniqueId,
        max_payload: usize,
        seed: u64,
    ) -> MulticastNode {
        let mut rng = fastrand::Rng::with_seed(seed);
        MulticastNode {
            incarnation: rng.u32(1..),
            asking: Asking { due: None, at: Time::ZERO, interval: config.timing.ask_first },
            config,
            key,
            stores,
            card,
            max_payload,
            rng,
            session: None,
            refused: None,
            counters: NodeCounters::default(),
            deadline: Time::ZERO,
        }
    }

    /// The number that the front end gave it.
    pub fn number(&self) -> Option<NodeNumber> {
        self.session.as_ref().filter(|s| s.admitted).map(|s| s.receiver.own())
    }

    /// What it has counted.
    pub fn counters(&self) -> NodeCounters {
        let mut counters = self.counters;
        if let Some(session) = &self.session {
            add(&mut counters, &session.receiver.counters());
        }
        counters
    }

    fn wake_at(&mut self, at: Time) {
        self.deadline = self.deadline.min(at);
    }

    fn on_call(&mut self, now: Time, call: &Call, signed: &Bytes) {
        if let Some(session) = &mut self.session {
            if session.id == call.session {
                session.root_heard = now;
                return;
            }
            // While a session moves no other call is heard: somebody could otherwise lead nodes away from it.
            if now - session.root_heard < self.config.timing.root_silence {
                self.counters.refused_offers += 1;
                return;
            }
        }
        let answer = self.judge(now, call, signed);
        let cookie = self.refused.filter(|r| r.session == call.session).map_or(0, |r| r.cookie);
        let refused = Refused { session: call.session, root: call.root, answer, cookie };
        self.refused = (answer != Answer::Accepts).then_some(refused);
        self.counters.refused_offers += u64::from(self.refused.is_some());
        self.say(now, Path::Card(call.root), call.session, answer, cookie);
    }

    fn say(&mut self, now: Time, path: Path, session: u32, answer: Answer, cookie: u64) {
        self.asking.due = Some((path, session, answer, cookie));
        self.asking.interval = self.config.timing.ask_first;
        self.asking.at = now + self.asking.interval;
        self.deadline = now;
    }

    /// Checks a call and, if it is good, begins the session.
    fn judge(&mut self, now: Time, call: &Call, signed: &Bytes) -> Answer {
        let manifest = match SignedManifest::verify(signed, &self.key) {
            Ok(manifest) if manifest.version() < self.config.oldest_version => return Answer::TooOld,
            Ok(manifest) => manifest,
            Err(ImageError::WrongKey { .. }) => return Answer::WrongKey,
            Err(_) => return Answer::BadManifest,
        };
        let fits = usize::from(call.symbol) <= self.max_payload;
        let geometry = Geometry::new(manifest.shape(), call.symbol.into()).filter(|_| fits);
        let Some(geometry) = geometry else { return Answer::BadManifest };
        let Some((receiver, stage)) = self.receiver_for(call.session, manifest, geometry) else {
            return Answer::NoRoom;
        };
        let interval = Duration::from_millis(call.report_ms.max(1).into());
        let report = Reporting::new(interval, now + interval.mul_f64(self.rng.f64()));
        self.session = Some(Box::new(Session {
            id: call.session,
            root: call.root,
            receiver,
            admitted: false,
            cookie: 0,
            stage,
            stage_since: now,
            may_hand_over: false,
            root_heard: now,
            report,
        }));
        Answer::Accepts
    }

    /// What an earlier session has brought of the same image, or an empty store.
    fn receiver_for(&mut self, session: u32, manifest: Manifest, geometry: Geometry) -> Option<(Receiver, Stage)> {
        let nobody = NodeNumber::FRONT_END;
        if let Some(old) = self.session.take() {
            add(&mut self.counters, &old.receiver.counters());
            if old.receiver.manifest().root() == manifest.root() {
                let stage = old.stage;
                let mut receiver = old.receiver;
                if *receiver.geometry() != geometry {
                    return Some((receiver.cut_anew(session, nobody, geometry), stage));
                }
                receiver.resume(session, nobody);
                return Some((receiver, stage));
            }
        }
        let store = self.stores.open(&manifest)?;
        Some((Receiver::new(session, nobody, manifest, geometry, store), Stage::Joined))
    }

    fn on_admit(&mut self, now: Time, admit: &Admit) {
        if admit.card != self.card || admit.incarnation != self.incarnation {
            return;
        }
        let Some(session) = self.session.as_mut().filter(|s| s.id == admit.session) else {
            return self.refuse_again(now, admit);
        };
        session.root_heard = now;
        if admit.number == NodeNumber::FRONT_END {
            if !session.admitted && session.cookie != admit.cookie {
                let (path, id) = (Path::Card(session.root), session.id);
                session.cookie = admit.cookie;
                self.say(now, path, id, Answer::Accepts, admit.cookie);
            }
            return;
        }
        if !session.admitted && session.cookie == admit.cookie {
            session.admitted = true;
            session.receiver.set_own(admit.number);
            session.report.needs_answer();
            self.asking.due = None;
            self.deadline = now;
        }
    }

    /// The front end has sent a cookie, without which it does not believe a refusal.
    fn refuse_again(&mut self, now: Time, admit: &Admit) {
        let Some(refused) = self.refused.as_mut().filter(|r| r.session == admit.session && r.cookie != admit.cookie)
        else {
            return;
        };
        refused.cookie = admit.cookie;
        let (path, answer) = (Path::Card(refused.root), refused.answer);
        self.say(now, path, admit.session, answer, admit.cookie);
    }

    fn on_instruct(&mut self, now: Time, instruct: &Instruct) {
        let ours = instruct.incarnation == self.incarnation || instruct.incarnation == 0;
        let number = self.number();
        let meant = |s: &&mut Box<Session>| ours && s.id == instruct.session && number == Some(instruct.to);
        let Some(session) = self.session.as_mut().filter(meant) else { return };
        session.root_heard = now;
        session.report.due |= instruct.report_now;
        session.report.answered(instruct.answers);
        session.may_hand_over |= instruct.hand_over;
        self.try_hand_over(now);
    }

    /// The stages that follow from what is here.
    fn look_at_image(&mut self, now: Time) {
        let Some(session) = self.session.as_mut().filter(|s| s.stage < Stage::Verified) else { return };
        session.root_heard = now;
        if session.receiver.is_complete() {
            if session.receiver.root() == Some(session.receiver.manifest().root()) {
                self.enter(now, Stage::Verified);
                self.try_hand_over(now);
            }
        } else if session.stage < Stage::Receiving && !session.receiver.is_empty() {
            (session.stage, session.stage_since) = (Stage::Receiving, now);
        }
    }

    /// A new stage of which the root must hear.
    fn enter(&mut self, now: Time, stage: Stage) {
        let Some(session) = &mut self.session else { return };
        (session.stage, session.stage_since) = (stage, now);
        session.report.needs_answer();
        self.deadline = now;
    }

    fn try_hand_over(&mut self, now: Time) {
        let Some(session) = &self.session else { return };
        let root_is_gone = now - session.root_heard >= self.config.timing.root_silence;
        if session.stage == Stage::Verified && (session.may_hand_over || root_is_gone) {
            self.enter(now, Stage::HandingOver);
        }
    }

    fn poll_asking(&mut self) -> Option<Transmit> {
        let (path, session, answer, cookie) = self.asking.due.take()?;
        let enlist = Enlist {
            session,
            card: self.card,
            incarnation: self.incarnation,
            answer,
            key_id: u64::from_le_bytes(self.key.id().0),
            cookie,
            proof: [0; PROOF_LEN],
        };
        Some(Transmit::new(path, Packet::new(enlist)))
    }

    fn poll_report(&mut self, now: Time) -> Option<Transmit> {
        let session = self.session.as_mut().filter(|s| s.admitted && s.report.due)?;
        let serial = session.report.next(now, &self.config.timing);
        let counters = session.receiver.counters();
        let count = |n: u64| u32::try_from(n).unwrap_or(u32::MAX);
        let frame = Report {
            session: session.id,
            from: session.receiver.own(),
            incarnation: self.incarnation,
            serial,
            revision: 0,
            stage: session.stage,
            percent: session.receiver.percent(),
            orphaned: [false, false],
            wants_answer: session.report.is_unanswered(),
            repaired: count(counters.lost),
            rejected: count(counters.rejected),
        };
        let (at, path) = (session.report.next_timeout(), Path::Card(session.root));
        self.wake_at(at);
        Some(Transmit::new(path, Packet::new(frame)))
    }

    fn poll_status(&mut self) -> Option<Transmit> {
        let session = self.session.as_mut().filter(|s| s.admitted)?;
        let (status, payload) = session.receiver.poll_status(self.max_payload)?;
        Some(Transmit::new(Path::Card(session.root), Packet::with_payload(status, payload)))
    }

    /// A node that takes no part asks for a call; one that has accepted says so until it is admitted.
    fn time_asking(&mut self, now: Time) {
        let (path, id, answer, cookie) = match &self.session {
            None => (Path::Group(FRONT_ENDS), 0, Answer::Asks, 0),
            Some(s) if !s.admitted => (Path::Card(s.root), s.id, Answer::Accepts, s.cookie),
            Some(_) => return,
        };
        let asking = &mut self.asking;
        if asking.at <= now && asking.due.is_none() {
            asking.due = Some((path, id, answer, cookie));
            // Not all at the same time: nodes are often switched on together.
            asking.at = now + asking.interval.mul_f64(0.5 + self.rng.f64());
            asking.interval = (2 * asking.interval).min(self.config.timing.ask_max);
        }
        let at = asking.at;
        self.wake_at(at);
    }

    /// The timers of reports and of the hand-over.
    fn time_session(&mut self, now: Time) {
        self.try_hand_over(now);
        let hand_over_at = |s: &Session| Some(s.stage_since + self.config.hand_over?);
        match self.session.as_deref().filter(|s| s.stage == Stage::HandingOver).and_then(hand_over_at) {
            Some(at) if at <= now => self.enter(now, Stage::Ready),
            Some(at) => self.wake_at(at),
            None => {}
        }
        let Some(session) = self.session.as_mut().filter(|s| s.admitted) else { return };
        // A node that runs phase 2 speaks when it is asked, or has not been answered.
        let silent = session.stage == Stage::Ready && !session.report.is_unanswered();
        let report_at = if silent { Time::MAX } else { session.report.on_timeout(now) };
        let waits = session.stage == Stage::Verified;
        let root_at = if waits { session.root_heard + self.config.timing.root_silence } else { Time::MAX };
        self.wake_at(report_at.min(root_at.max(now + self.config.timing.report_retry)));
    }
}

impl BootClient for MulticastNode {
    fn state(&self) -> NodeState {
        match (&self.session, &self.refused) {
            (Some(session), _) => match session.stage {
                Stage::Offered | Stage::Joined => NodeState::Joined,
                Stage::Receiving => NodeState::Receiving { percent: session.receiver.percent() },
                Stage::Verified => NodeState::Verified,
                Stage::HandingOver => NodeState::HandingOver,
                Stage::Ready => NodeState::Ready,
            },
            (None, Some(refused)) => NodeState::Refused(refused.answer),
            (None, None) => NodeState::Asking,
        }
    }

    fn image(&self) -> Option<HeldImage<'_>> {
        self.session.as_ref().filter(|s| s.stage >= Stage::Verified)?.receiver.image()
    }

    fn handed_over(&mut self, now: Time) {
        if self.session.as_ref().is_some_and(|s| s.stage == Stage::HandingOver) {
            self.enter(now, Stage::Ready);
        }
    }

    fn is_heard(&self) -> bool {
        self.session.as_ref().is_some_and(|s| !s.report.is_unanswered())
    }
}

fn add(counters: &mut NodeCounters, more: &ReceiverCounters) {
    counters.duplicates += more.duplicates;
    counters.rejected += more.rejected;
    counters.lost += more.lost;
}

impl Protocol for MulticastNode {
    fn handle_packet(&mut self, now: Time, packet: &Packet) {
        match &packet.header {
            Header::Symbol(symbol) => {
                let wants = |s: &&mut Box<Session>| s.id == symbol.session && s.admitted && s.stage < Stage::Verified;
                if let Some(session) = self.session.as_mut().filter(wants) {
                    session.receiver.on_symbol(symbol, &packet.payload);
                    self.look_at_image(now);
                }
            }
            Header::Poll(poll) => {
                if let Some(session) = self.session.as_mut().filter(|s| s.admitted && s.id == poll.session) {
                    session.root_heard = now;
                    session.receiver.on_poll(poll);
                }
            }
            Header::Call(call) => self.on_call(now, call, &packet.payload),
            Header::Admit(admit) => self.on_admit(now, admit),
            Header::Instruct(instruct) => self.on_instruct(now, instruct),
            _ => {}
        }
    }

    fn handle_timeout(&mut self, now: Time) {
        self.deadline = Time::MAX;
        self.time_asking(now);
        self.time_session(now);
    }

    fn poll_transmit(&mut self, now: Time) -> Option<Transmit> {
        self.poll_asking().or_else(|| self.poll_report(now)).or_else(|| self.poll_status())
    }

    fn poll_timeout(&self) -> Option<Time> {
        (self.deadline != Time::MAX).then_some(self.deadline)
    }
}
