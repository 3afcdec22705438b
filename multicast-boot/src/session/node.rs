//! The node's side of a transfer: it joins, is fed, feeds others, and hands over.

use super::assembly::{Arrival, Assembly};
use super::feed::Feed;
use super::forwarder::{Forwarder, Source};
use super::held::HeldImage;
use super::node_state::{NodeConfig, NodeCounters, NodeState};
use super::store::{ChunkStores, SharedStores};
use crate::image::{ClusterPublicKey, ImageError, Manifest, SignedManifest};
use bytes::Bytes;
use std::sync::Arc;
use std::time::Duration;
use twowire_fabric::id::NodeNumber;
use twowire_fabric::protocol::{Protocol, Transmit};
use twowire_fabric::route::Route;
use twowire_fabric::routes::RouteTable;
use twowire_fabric::time::Time;
use twowire_fabric::wire::boot::{
    Answer, Assign, Attach, Block, Instruct, Join, Offer, Pulse, Receipt, Report, Stage, TREES,
};
use twowire_fabric::wire::{Header, Packet};

/// The transfer that the node takes part in.
struct Session {
    id: u32,
    report_interval: Duration,
    assembly: Assembly,
    forwarder: Forwarder,
    feeds: [Option<Feed>; TREES],
    revision: u32,
    stage: Stage,
    /// When the current stage began.
    stage_since: Time,
    may_hand_over: bool,
    root_heard: Time,
    report: Reporting,
}

/// What the root has been told.
struct Reporting {
    serial: u32,
    due: bool,
    /// The report that must be answered, if it has not been yet.
    unanswered: Option<u32>,
    /// When the next one is due at the latest.
    at: Time,
    /// Reports sent without an answer: each takes another route.
    tries: usize,
    orphaned: [bool; TREES],
}

impl Source for Assembly {
    fn bytes(&self, tree: usize, position: u32) -> Option<Bytes> {
        Assembly::bytes(self, tree, position)
    }
}

/// One node: see the module.
pub struct BootNode {
    config: NodeConfig,
    key: ClusterPublicKey,
    stores: Arc<dyn ChunkStores>,
    rng: fastrand::Rng,
    incarnation: u32,
    routes: Option<Arc<RouteTable>>,
    routes_to_root: Vec<Route>,
    session: Option<Box<Session>>,
    /// The last offer that was refused.
    refused: Option<Answer>,
    /// An answer to send: the session and what to say.
    join_due: Option<(u32, Answer)>,
    ask_at: Time,
    ask_interval: Duration,
    asks: usize,
    counters: NodeCounters,
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
            ask_interval: config.timing.ask_first,
            config,
            key,
            stores,
            rng,
            incarnation,
            routes: None,
            routes_to_root: Vec::new(),
            session: None,
            refused: None,
            join_due: None,
            ask_at: Time::ZERO,
            asks: 0,
            counters: NodeCounters::default(),
            deadline: Time::MAX,
        }
    }

    /// The routes that the node holds from now on. With them it asks for an offer by itself, unless it takes part
    /// already.
    pub fn set_routes(&mut self, routes: impl Into<Arc<RouteTable>>) {
        let routes = routes.into();
        self.routes_to_root = routes.routes_to(NodeNumber::FRONT_END).collect();
        self.routes = Some(routes);
        self.deadline = Time::ZERO;
    }

    /// How far it is.
    pub fn state(&self) -> NodeState {
        match (&self.session, &self.refused, &self.routes) {
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

    /// The image, once the node has verified all of it.
    pub fn image(&self) -> Option<HeldImage<'_>> {
        let session = self.session.as_ref().filter(|s| s.stage >= Stage::Verified)?;
        Some(HeldImage::new(&session.assembly))
    }

    /// What it has counted.
    pub fn counters(&self) -> NodeCounters {
        let mut counters = self.counters;
        if let Some(session) = &self.session {
            counters.forwarded += session.forwarder.frames_sent;
            counters.lost += session.feeds.iter().flatten().map(|f| u64::from(f.lost_count)).sum::<u64>();
        }
        counters
    }

    fn own(&self) -> Option<NodeNumber> {
        self.routes.as_ref().map(|routes| routes.own())
    }

    fn wake_at(&mut self, at: Time) {
        self.deadline = self.deadline.min(at);
    }

    fn on_offer(&mut self, now: Time, offer: &Offer, signed: &Bytes) {
        let Some(routes) = &self.routes else { return };
        if offer.to != routes.own() {
            return;
        }
        if let Some(session) = &mut self.session {
            if session.id == offer.session {
                session.root_heard = now;
                self.join_due = Some((offer.session, Answer::Accepts));
                return;
            }
            // While a session moves no other offer is heard: somebody could otherwise lead nodes away from it.
            if now - session.root_heard < self.config.timing.root_silence {
                self.counters.refused_offers += 1;
                return;
            }
        }
        let same_epoch = offer.epoch == routes.epoch();
        let answer = if same_epoch { self.judge(now, offer, signed) } else { Answer::WrongEpoch };
        self.refused = (answer != Answer::Accepts).then_some(answer);
        self.counters.refused_offers += u64::from(self.refused.is_some());
        self.join_due = Some((offer.session, answer));
    }

    /// Checks an offer and, if it is good, begins the session.
    fn judge(&mut self, now: Time, offer: &Offer, signed: &Bytes) -> Answer {
        let manifest = match SignedManifest::verify(signed, &self.key) {
            Ok(manifest) if manifest.version() < self.config.oldest_version => return Answer::TooOld,
            Ok(manifest) => manifest,
            Err(ImageError::WrongKey { .. }) => return Answer::WrongKey,
            Err(_) => return Answer::BadManifest,
        };
        let Some((assembly, stage)) = self.assembly_for(manifest) else { return Answer::NoRoom };
        let report_interval = Duration::from_millis(offer.report_ms.max(1).into());
        let report = Reporting {
            serial: 0,
            due: stage > Stage::Joined,
            unanswered: (stage > Stage::Joined).then_some(1),
            at: now + report_interval.mul_f64(self.rng.f64()),
            tries: 0,
            orphaned: [false; TREES],
        };
        self.session = Some(Box::new(Session {
            id: offer.session,
            report_interval,
            assembly,
            forwarder: Forwarder::new(offer.session, self.config.even_interval(), self.rng.u64(..)),
            feeds: [None, None],
            revision: 0,
            stage,
            stage_since: now,
            may_hand_over: false,
            root_heard: now,
            report,
        }));
        self.deadline = now;
        Answer::Accepts
    }

    /// What an earlier session has brought of the same image, or an empty store.
    fn assembly_for(&mut self, manifest: Manifest) -> Option<(Assembly, Stage)> {
        if let Some(old) = self.session.take() {
            self.counters.forwarded += old.forwarder.frames_sent;
            if old.assembly.manifest().root() == manifest.root() {
                return Some((old.assembly, old.stage));
            }
        }
        let store = self.stores.open(&manifest)?;
        Some((Assembly::new(manifest, store), Stage::Joined))
    }

    fn on_assign(&mut self, now: Time, assign: &Assign) {
        if Some(assign.to) != self.own() || assign.incarnation != self.incarnation {
            return;
        }
        let Some(session) = self.session.as_mut().filter(|s| s.id == assign.session) else { return };
        session.root_heard = now;
        session.report.due = true;
        if assign.revision <= session.revision {
            return;
        }
        session.revision = assign.revision;
        for (tree, &parent) in assign.parents.iter().enumerate() {
            let full = session.assembly.held(tree).is_full();
            let Some((parent, alternate)) = parent.filter(|_| !full) else {
                session.feeds[tree] = None;
                continue;
            };
            if session.feeds[tree].as_ref().is_some_and(|f| f.parent == parent && f.late == assign.late) {
                continue;
            }
            session.report.orphaned[tree] = false;
            let lost = session.feeds[tree].as_ref().map_or(0, |f| f.lost_count);
            let mut feed = Feed::new(parent, alternate, assign.late, self.rng.u16(..));
            feed.lost_count = lost;
            session.feeds[tree] = Some(feed);
        }
        self.deadline = now;
    }

    fn on_instruct(&mut self, now: Time, instruct: &Instruct) {
        let ours = instruct.incarnation == self.incarnation || instruct.incarnation == 0;
        if Some(instruct.to) != self.own() || !ours {
            return;
        }
        let Some(session) = self.session.as_mut().filter(|s| s.id == instruct.session) else { return };
        session.root_heard = now;
        session.report.due |= instruct.report_now;
        if session.report.unanswered.is_some_and(|serial| instruct.answers >= serial) {
            session.report.unanswered = None;
            session.report.tries = 0;
        }
        session.may_hand_over |= instruct.hand_over;
        self.try_hand_over(now);
    }

    fn on_attach(&mut self, now: Time, attach: &Attach, payload: &[u8]) {
        let Some(routes) = &self.routes else { return };
        let Some(session) = self.session.as_mut().filter(|s| s.id == attach.session) else { return };
        if session.stage >= Stage::HandingOver || attach.from == routes.own() {
            return;
        }
        let to_child = || routes.routes_to(attach.from);
        let count = to_child().count().max(1);
        let Some(route) = to_child().nth(usize::from(attach.alternate) % count) else { return };
        let held = session.assembly.held(attach.tree.into());
        session.forwarder.attach(now, attach, payload, held, route, &self.config.timing);
        let at = session.forwarder.next_timeout();
        self.wake_at(at);
    }

    fn on_data(&mut self, now: Time, data: &Block, payload: &Bytes) {
        let Some(session) = self.session.as_mut().filter(|s| s.id == data.session) else { return };
        let Some(tree) = session.tree_of(data.edge) else { return };
        match session.assembly.accept(tree as u8, data.position, payload) {
            Arrival::Taken => {}
            Arrival::Duplicate => self.counters.duplicates += 1,
            Arrival::Rejected => {
                self.counters.rejected += 1;
                return;
            }
            Arrival::NoRoom => return,
        }
        let feed = session.feeds[tree].as_mut().expect("tree_of found it");
        feed.on_data(now, data.sequence, data.echo, &self.config.timing);
        let timeout = feed.next_timeout(&self.config.timing);
        for (tree, position) in session.assembly.take_fresh() {
            session.forwarder.announce(tree, position);
        }
        if session.stage < Stage::Receiving {
            session.stage = Stage::Receiving;
            session.stage_since = now;
        }
        if session.assembly.held(tree).is_full() {
            self.on_full(now, tree);
        }
        if let Some(at) = timeout {
            self.wake_at(at);
        }
        self.reattach_spoiled(now);
    }

    fn on_pulse(&mut self, now: Time, pulse: &Pulse) {
        let Some(session) = self.session.as_mut().filter(|s| s.id == pulse.session) else { return };
        let Some(tree) = session.tree_of(pulse.edge) else { return };
        let feed = session.feeds[tree].as_mut().expect("tree_of found it");
        feed.on_pulse(now, pulse.next, pulse.echo, &self.config.timing);
        if let Some(at) = feed.next_timeout(&self.config.timing) {
            self.wake_at(at);
        }
    }

    fn on_receipt(&mut self, now: Time, receipt: &Receipt, payload: &[u8]) {
        let Some(session) = self.session.as_mut().filter(|s| s.id == receipt.session) else { return };
        session.forwarder.on_receipt(now, receipt, payload);
        if receipt.complete {
            self.try_hand_over(now);
        }
    }

    /// A tree's half of the image is here.
    fn on_full(&mut self, now: Time, tree: usize) {
        let Some(session) = &mut self.session else { return };
        if let Some(feed) = &mut session.feeds[tree]
            && !feed.complete
        {
            feed.complete = true;
            feed.receipt_due = true;
        }
        if session.stage < Stage::Verified && session.assembly.is_complete() && session.assembly.is_verified() {
            self.enter(now, Stage::Verified);
            self.try_hand_over(now);
        }
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
        if session.stage == Stage::Verified && allowed && !session.forwarder.is_feeding() {
            self.enter(now, Stage::HandingOver);
        }
    }

    /// Something that waited turned out to be wrong, although its sender counts it as delivered: asks for what is
    /// missing in a new attachment.
    fn reattach_spoiled(&mut self, now: Time) {
        let Some(session) = &mut self.session else { return };
        for tree in 0..TREES {
            if session.assembly.take_spoiled(tree) {
                self.counters.rejected += 1;
                if let Some(feed) = &mut session.feeds[tree] {
                    feed.reattach(self.rng.u16(..), false);
                    self.deadline = now;
                }
            }
        }
    }

    fn report(&mut self, now: Time) -> Option<Transmit> {
        let own = self.own()?;
        let timing = self.config.timing;
        let session = self.session.as_mut()?;
        let report = &mut session.report;
        report.due = false;
        report.serial += 1;
        if let Some(unanswered) = &mut report.unanswered {
            *unanswered = (*unanswered).min(report.serial);
            report.tries += 1;
        }
        let wants_answer = report.unanswered.is_some();
        let retry =
            if wants_answer { timing.report_retry.min(session.report_interval) } else { session.report_interval };
        report.at = now + retry;
        let frame = Report {
            session: session.id,
            from: own,
            incarnation: self.incarnation,
            serial: report.serial,
            revision: session.revision,
            stage: session.stage,
            percent: session.assembly.percent(),
            orphaned: report.orphaned,
            wants_answer,
            repaired: session.feeds.iter().flatten().map(|f| f.lost_count).fold(0, u32::saturating_add),
            rejected: u32::try_from(self.counters.rejected).unwrap_or(u32::MAX),
        };
        let (at, tries) = (report.at, report.tries);
        self.wake_at(at);
        let route = pick(&self.routes_to_root, tries.saturating_sub(1))?;
        Some(Transmit::new(route, Packet::new(frame)))
    }

    fn join(&mut self, session: u32, answer: Answer) -> Option<Transmit> {
        let routes = self.routes.as_ref()?;
        self.asks += 1;
        let join = Join {
            session,
            from: routes.own(),
            incarnation: self.incarnation,
            epoch: routes.epoch(),
            answer,
            key_id: u64::from_le_bytes(self.key.id().0),
        };
        let route = pick(&self.routes_to_root, self.asks - 1)?;
        Some(Transmit::new(route, Packet::new(join)))
    }

    /// The next attach or receipt of one of the feeds.
    fn poll_feeds(&mut self, now: Time) -> Option<Transmit> {
        let own = self.own()?;
        let session = self.session.as_mut()?;
        for tree in 0..TREES {
            let Some(feed) = &mut session.feeds[tree] else { continue };
            if feed.attach_due {
                let (alternate, mine) = feed.routes();
                let to_parent = || self.routes.iter().flat_map(|r| r.routes_to(feed.parent));
                let Some(route) = to_parent().nth(mine % to_parent().count().max(1)) else { continue };
                feed.attach_sent(now, route);
                let attach = Attach {
                    session: session.id,
                    from: own,
                    edge: feed.edge,
                    tree: tree as u8,
                    alternate,
                    late: feed.late,
                };
                let held = session.assembly.held(tree).to_payload();
                let at = now + self.config.timing.attach_retry;
                self.wake_at(at);
                return Some(Transmit::new(route, Packet::with_payload(attach, held)));
            }
            if feed.receipt_due {
                let (serial, settled, next, payload) = feed.receipt(now);
                let receipt = Receipt {
                    session: session.id,
                    from: own,
                    edge: feed.edge,
                    serial,
                    settled,
                    next,
                    complete: feed.complete,
                };
                let (route, timeout) = (feed.route, feed.next_timeout(&self.config.timing));
                if let Some(at) = timeout {
                    self.wake_at(at);
                }
                return Some(Transmit::new(route, Packet::with_payload(receipt, payload.into())));
            }
        }
        None
    }

    /// The timers of the feeds; notes which parents are silent.
    fn time_feeds(&mut self, now: Time) {
        let Some(session) = &mut self.session else { return };
        let timing = &self.config.timing;
        for tree in 0..TREES {
            let mut orphaned = false;
            if let Some(feed) = &mut session.feeds[tree] {
                if feed.on_timeout(now, timing) {
                    feed.try_again(self.rng.u16(..));
                } else if feed.is_starved(now, timing) {
                    feed.reattach(self.rng.u16(..), false);
                }
                orphaned = feed.is_orphaned(timing);
                if let Some(at) = feed.next_timeout(timing) {
                    self.deadline = self.deadline.min(at);
                }
            }
            if orphaned != session.report.orphaned[tree] {
                session.report.orphaned[tree] = orphaned;
                if orphaned {
                    session.report.needs_answer();
                }
            }
        }
    }

    /// The timers of reports and of the hand-over.
    fn time_session(&mut self, now: Time) {
        self.try_hand_over(now);
        let hand_over = self.config.hand_over;
        let Some(session) = &mut self.session else { return };
        if session.stage == Stage::HandingOver {
            let at = session.stage_since + hand_over;
            if at <= now {
                self.enter(now, Stage::Ready);
            } else {
                self.wake_at(at);
            }
        }
        let Some(session) = &mut self.session else { return };
        session.forwarder.on_timeout(now, &self.config.timing);
        // A node that runs phase 2 speaks when it is asked, or has not been answered.
        let silent = session.stage == Stage::Ready && session.report.unanswered.is_none();
        if session.report.at <= now && !silent {
            session.report.due = true;
        }
        let report_at = if silent || session.report.due { Time::MAX } else { session.report.at };
        let waits = session.stage == Stage::Verified;
        let root_at = if waits { session.root_heard + self.config.timing.root_silence } else { Time::MAX };
        let root_at = if root_at <= now { now + self.config.timing.report_retry } else { root_at };
        let at = report_at.min(root_at).min(session.forwarder.next_timeout());
        self.wake_at(at);
    }

    fn time_asking(&mut self, now: Time) {
        if self.session.is_some() || self.routes.is_none() {
            return;
        }
        if self.ask_at <= now && self.join_due.is_none() {
            self.join_due = Some((0, Answer::Asks));
            self.ask_at = now + self.ask_interval;
            self.ask_interval = (2 * self.ask_interval).min(self.config.timing.ask_max);
        }
        self.wake_at(self.ask_at);
    }
}

impl Session {
    /// The tree in which this is the name of our attachment.
    fn tree_of(&self, edge: u16) -> Option<usize> {
        self.feeds.iter().position(|feed| feed.as_ref().is_some_and(|f| f.edge == edge))
    }
}

impl Reporting {
    /// The next report must be answered.
    fn needs_answer(&mut self) {
        self.unanswered = Some(self.serial + 1);
        self.tries = 0;
        self.due = true;
    }
}

impl Protocol for BootNode {
    fn handle_packet(&mut self, now: Time, packet: &Packet) {
        match &packet.header {
            Header::Block(data) => self.on_data(now, data, &packet.payload),
            Header::Receipt(receipt) => self.on_receipt(now, receipt, &packet.payload),
            Header::Pulse(pulse) => self.on_pulse(now, pulse),
            Header::Attach(attach) => self.on_attach(now, attach, &packet.payload),
            Header::Offer(offer) => self.on_offer(now, offer, &packet.payload),
            Header::Assign(assign) => self.on_assign(now, assign),
            Header::Instruct(instruct) => self.on_instruct(now, instruct),
            _ => {}
        }
    }

    fn handle_timeout(&mut self, now: Time) {
        self.deadline = Time::MAX;
        self.time_asking(now);
        self.time_feeds(now);
        self.time_session(now);
    }

    fn poll_transmit(&mut self, now: Time) -> Option<Transmit> {
        if let Some((session, answer)) = self.join_due.take() {
            return self.join(session, answer);
        }
        if self.session.as_ref()?.report.due
            && let Some(report) = self.report(now)
        {
            return Some(report);
        }
        if let Some(transmit) = self.poll_feeds(now) {
            return Some(transmit);
        }
        let session = self.session.as_mut()?;
        let transmit = session.forwarder.poll_transmit(now, &session.assembly, &self.config.timing);
        let at = session.forwarder.next_timeout();
        self.wake_at(at);
        transmit
    }

    fn poll_timeout(&self) -> Option<Time> {
        (self.deadline != Time::MAX).then_some(self.deadline)
    }
}

/// Route number `attempt` of a list that begins again after its end.
fn pick(routes: &[Route], attempt: usize) -> Option<Route> {
    routes.get(attempt % routes.len().max(1)).copied()
}
