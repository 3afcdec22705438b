//! The node's side of a transfer: it joins, lets a mover bring the image and pass it on, reports, and hands over.

mod location;
mod offers;
mod relay;
pub(crate) mod reporting;

use super::assembly::Assembly;
use super::client::BootClient;
use super::held::HeldImage;
use super::mover::{Context, NodeMover};
use super::node_state::{NodeConfig, NodeCounters, NodeState};
use super::store::{ChunkStores, SharedStores};
use crate::image::ClusterPublicKey;
use bytes::Bytes;
pub(crate) use location::Location;
use offers::Asking;
use relay::Relaying;
use reporting::Reporting;
use std::sync::Arc;
use twowire_fabric::id::NodeNumber;
use twowire_fabric::protocol::{Protocol, Transmit};
use twowire_fabric::routes::RouteTable;
use twowire_fabric::time::Time;
use twowire_fabric::wire::boot::{Answer, Assign, Instruct, Relay, Report, Stage};
use twowire_fabric::wire::{Header, Packet};

/// The transfer that the node takes part in.
struct Session {
    id: u32,
    assembly: Assembly,
    mover: Box<dyn NodeMover>,
    revision: u32,
    stage: Stage,
    /// When the current stage began.
    stage_since: Time,
    may_hand_over: bool,
    root_heard: Time,
    report: Reporting,
}

/// One node: see the module.
pub struct BootNode {
    config: NodeConfig,
    key: ClusterPublicKey,
    stores: Arc<dyn ChunkStores>,
    rng: fastrand::Rng,
    incarnation: u32,
    location: Option<Location>,
    session: Option<Box<Session>>,
    /// The last offer that was refused.
    refused: Option<Answer>,
    asking: Asking,
    relaying: Relaying,
    /// The node that passed the root's last frame on: the next answer goes back through it.
    via: Option<NodeNumber>,
    counters: NodeCounters,
    /// Of the session; the mover has its own.
    deadline: Time,
}

impl BootNode {
    /// A node of the cluster whose key this is. It waits for routes. Its store is in memory.
    pub fn new(config: NodeConfig, key: ClusterPublicKey, seed: u64) -> BootNode {
        BootNode::with_stores(config, key, Arc::new(SharedStores::default()), seed)
    }

    /// A node that keeps its chunks in one of `stores`.
    pub fn with_stores(config: NodeConfig, key: ClusterPublicKey, stores: Arc<dyn ChunkStores>, seed: u64) -> BootNode {
        let mut rng = fastrand::Rng::with_seed(seed);
        let incarnation = rng.u32(1..);
        BootNode {
            asking: Asking::new(config.timing.ask_first),
            config,
            key,
            stores,
            rng,
            incarnation,
            location: None,
            session: None,
            refused: None,
            relaying: Relaying::default(),
            via: None,
            counters: NodeCounters::default(),
            deadline: Time::MAX,
        }
    }

    /// The routes that the node holds from now on. With them it asks for an offer by itself, unless it takes part
    /// already.
    pub fn set_routes(&mut self, routes: impl Into<Arc<RouteTable>>) {
        self.location = Some(Location::new(routes.into()));
        self.deadline = Time::ZERO;
    }

    /// What it has counted.
    pub fn counters(&self) -> NodeCounters {
        let mut counters = self.counters;
        if let Some(session) = &self.session {
            counters.forwarded += session.mover.forwarded();
            counters.lost += u64::from(session.mover.lost());
        }
        counters
    }

    fn wake_at(&mut self, at: Time) {
        self.deadline = self.deadline.min(at);
    }

    /// True if a frame to this start of this node is meant.
    fn is_for_us(&self, to: NodeNumber, incarnation: u32) -> bool {
        self.location.as_ref().is_some_and(|location| location.own() == to) && incarnation == self.incarnation
    }

    /// Lets the mover work, then looks what has become of the image.
    fn with_mover<R>(&mut self, now: Time, work: impl FnOnce(&mut dyn NodeMover, &mut Context<'_>) -> R) -> Option<R> {
        let (Some(session), Some(location)) = (self.session.as_deref_mut(), &self.location) else { return None };
        let mut context = Context {
            now,
            timing: &self.config.timing,
            location,
            assembly: &mut session.assembly,
            counters: &mut self.counters,
            is_leaving: session.stage >= Stage::HandingOver,
        };
        let result = work(session.mover.as_mut(), &mut context);
        if session.stage < Stage::Verified {
            self.look_at_image(now);
        }
        Some(result)
    }

    /// The stages that follow from what is here.
    fn look_at_image(&mut self, now: Time) {
        let Some(session) = &mut self.session else { return };
        if session.assembly.is_complete() && session.assembly.is_verified() {
            self.enter(now, Stage::Verified);
            self.try_hand_over(now);
        } else if session.stage < Stage::Receiving && !session.assembly.is_empty() {
            session.stage = Stage::Receiving;
            session.stage_since = now;
        }
    }

    /// The root must hear of a mover that is cut off.
    fn note_orphaned(&mut self) {
        if let Some(session) = &mut self.session {
            session.report.set_orphaned(session.mover.orphaned(&self.config.timing));
        }
    }

    fn on_assign(&mut self, now: Time, assign: &Assign) {
        if !self.is_for_us(assign.to, assign.incarnation) {
            return;
        }
        let Some(session) = self.session.as_mut().filter(|s| s.id == assign.session) else { return };
        session.root_heard = now;
        session.report.due = true;
        if assign.revision > session.revision {
            session.revision = assign.revision;
            self.with_mover(now, |mover, context| mover.on_assign(context, assign));
            self.note_orphaned();
        }
    }

    fn on_instruct(&mut self, now: Time, instruct: &Instruct) {
        let incarnation = if instruct.incarnation == 0 { self.incarnation } else { instruct.incarnation };
        if !self.is_for_us(instruct.to, incarnation) {
            return;
        }
        let Some(session) = self.session.as_mut().filter(|s| s.id == instruct.session) else { return };
        session.root_heard = now;
        if instruct.report_now {
            // Asked again, it answers along another path: the last one may be dead.
            session.report.due = true;
            session.report.tries += 1;
        }
        session.report.answered(instruct.answers);
        session.may_hand_over |= instruct.hand_over;
        self.try_hand_over(now);
    }

    /// A new stage of which the root must hear.
    fn enter(&mut self, now: Time, stage: Stage) {
        let Some(session) = &mut self.session else { return };
        session.stage = stage;
        session.stage_since = now;
        session.report.needs_answer();
        self.deadline = now;
    }

    fn try_hand_over(&mut self, now: Time) {
        let Some(session) = &self.session else { return };
        let root_is_gone = now - session.root_heard >= self.config.timing.root_silence;
        let allowed = session.may_hand_over || root_is_gone;
        if session.stage == Stage::Verified && allowed && !session.mover.is_feeding() {
            self.enter(now, Stage::HandingOver);
        }
    }

    fn poll_report(&mut self, now: Time) -> Option<Transmit> {
        let session = self.session.as_mut().filter(|s| s.report.due)?;
        let own = self.location.as_ref()?.own();
        let serial = session.report.next(now, &self.config.timing);
        let frame = Report {
            session: session.id,
            from: own,
            incarnation: self.incarnation,
            serial,
            revision: session.revision,
            stage: session.stage,
            percent: session.assembly.percent(),
            orphaned: session.report.orphaned,
            wants_answer: session.report.is_unanswered(),
            repaired: session.mover.lost(),
            rejected: u32::try_from(self.counters.rejected).unwrap_or(u32::MAX),
        };
        let (at, tries) = (session.report.next_timeout(), session.report.tries.saturating_sub(1));
        self.wake_at(at);
        self.send_to_root(frame, tries)
    }

    /// A frame for the root: back through the node that passed the question on, or else along the path of this attempt.
    fn send_to_root(&mut self, header: impl Into<Header>, attempt: usize) -> Option<Transmit> {
        let (header, location) = (header.into(), self.location.as_ref()?);
        let session = self.session.as_ref().map_or(0, |session| session.id);
        let via = self.via.take().and_then(|via| location.path_to(via, 0));
        match via {
            Some(path) => Some(Transmit::new(path, Relay::packet(session, location.own(), &Bytes::new(), &[header]))),
            None => Some(Transmit::new(location.to_front_end(attempt)?, Packet::new(header))),
        }
    }

    /// Several frames in one: those for us are taken, those for others passed on, answers collected for the root.
    fn on_relay(&mut self, now: Time, relay: &Relay, payload: &Bytes) {
        let Some(own) = self.location.as_ref().map(Location::own) else { return };
        let from_root = relay.from == NodeNumber::FRONT_END;
        for packet in relay.frames(payload) {
            let to = match &packet.header {
                Header::Offer(offer) => offer.to,
                Header::Assign(assign) => assign.to,
                Header::Join(_) | Header::Report(_) => {
                    let flush_at = now + self.config.timing.relay_delay;
                    self.relaying.collect(relay.session, packet.header, flush_at);
                    continue;
                }
                _ => continue,
            };
            if to == own {
                self.handle_packet(now, &packet);
                self.via = Some(relay.from).filter(|_| !from_root);
            } else if from_root {
                self.relaying.pass(relay.session, to, &packet);
            }
        }
    }

    /// The timers of reports and of the hand-over.
    fn time_session(&mut self, now: Time) {
        self.try_hand_over(now);
        let hand_over_at = |s: &Session| Some(s.stage_since + self.config.hand_over?);
        let handing_over = self.session.as_deref().filter(|s| s.stage == Stage::HandingOver).and_then(hand_over_at);
        match handing_over {
            Some(at) if at <= now => self.enter(now, Stage::Ready),
            Some(at) => self.wake_at(at),
            None => {}
        }
        let Some(session) = &mut self.session else { return };
        // A node that runs phase 2 speaks when it is asked, or has not been answered.
        let silent = session.stage == Stage::Ready && !session.report.is_unanswered();
        let report_at = if silent { Time::MAX } else { session.report.on_timeout(now) };
        let waits = session.stage == Stage::Verified;
        let root_at = if waits { session.root_heard + self.config.timing.root_silence } else { Time::MAX };
        let root_at = if root_at <= now { now + self.config.timing.report_retry } else { root_at };
        self.wake_at(report_at.min(root_at));
    }
}

impl BootClient for BootNode {
    fn state(&self) -> NodeState {
        match (&self.session, &self.refused, &self.location) {
            (Some(session), ..) => match session.stage {
                Stage::Offered | Stage::Joined => NodeState::Joined,
                Stage::Receiving => NodeState::Receiving { percent: session.assembly.percent() },
                Stage::Verified => NodeState::Verified,
                Stage::HandingOver => NodeState::HandingOver,
                Stage::Ready => NodeState::Ready,
            },
            (None, Some(answer), _) => NodeState::Refused(*answer),
            (None, None, Some(_)) => NodeState::Asking,
            (None, None, None) => NodeState::NoRoutes,
        }
    }

    fn image(&self) -> Option<HeldImage<'_>> {
        let session = self.session.as_ref().filter(|s| s.stage >= Stage::Verified)?;
        Some(session.assembly.image())
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

impl Protocol for BootNode {
    fn handle_packet(&mut self, now: Time, packet: &Packet) {
        match &packet.header {
            Header::Offer(offer) => self.on_offer(now, offer, &packet.payload),
            Header::Assign(assign) => self.on_assign(now, assign),
            Header::Instruct(instruct) => self.on_instruct(now, instruct),
            Header::Relay(relay) => self.on_relay(now, relay, &packet.payload),
            Header::Join(_) | Header::Report(_) => {}
            _ => {
                self.with_mover(now, |mover, context| mover.handle_packet(context, packet));
                self.try_hand_over(now);
            }
        }
    }

    fn handle_timeout(&mut self, now: Time) {
        self.deadline = Time::MAX;
        self.relaying.on_timeout(now);
        self.time_asking(now);
        self.with_mover(now, |mover, context| mover.handle_timeout(context));
        self.note_orphaned();
        self.time_session(now);
    }

    fn poll_transmit(&mut self, now: Time) -> Option<Transmit> {
        self.poll_join()
            .or_else(|| self.relaying.poll_transmit(now, self.location.as_ref()?))
            .or_else(|| self.poll_report(now))
            .or_else(|| self.with_mover(now, |mover, context| mover.poll_transmit(context)).flatten())
    }

    fn poll_timeout(&self) -> Option<Time> {
        let mover = self.session.as_ref().map_or(Time::MAX, |session| session.mover.next_timeout());
        let at = self.deadline.min(mover).min(self.relaying.next_timeout());
        (at != Time::MAX).then_some(at)
    }
}
