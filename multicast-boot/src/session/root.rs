//! The front end's side of a transfer: offers the image, lays the trees, feeds their tops, and watches over all nodes.

use super::cabling::{Cabling, Plan};
use super::forwarder::{Forwarder, Source};
use super::layout::Layout;
use super::member::{Link, Member};
use super::positions::Positions;
use super::progress::{BootEvent, FailureReason, NodeFailure, Outcome, Progress, Reached};
use super::stream::Stream;
use super::timing::Timing;
use crate::image::{KeyId, PackedImage, Part};
use bytes::Bytes;
use std::collections::VecDeque;
use std::time::Duration;
use twowire_fabric::id::NodeNumber;
use twowire_fabric::protocol::{Protocol, Transmit};
use twowire_fabric::time::Time;
use twowire_fabric::wire::boot::{Answer, Assign, Attach, Instruct, Join, Offer, Report, Stage, TREES};
use twowire_fabric::wire::{Header, Packet};

/// How the root behaves.
#[derive(Clone, Copy, Debug, Default)]
pub struct RootConfig {
    /// The protocol's timers.
    pub timing: Timing,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Idle,
    Joining { until: Time },
    Sending,
    Done,
}

/// The image as the root sends it.
struct Origin {
    image: PackedImage,
    stream: Stream,
    /// All positions of each tree.
    held: [Positions; TREES],
}

impl Source for Origin {
    fn bytes(&self, tree: usize, position: u32) -> Option<Bytes> {
        match self.stream.part(tree, position)? {
            Part::Top(piece) => self.image.tree().top(piece),
            Part::Page(page) => self.image.tree().page(page),
            Part::Chunk(index) => self.image.chunk(index),
        }
    }
}

/// The front end's side of one transfer.
pub struct BootRoot {
    pub(super) timing: Timing,
    session: u32,
    origin: Origin,
    pub(super) cabling: Cabling,
    pub(super) members: Vec<Member>,
    /// The index of each node's member, by [`NodeNumber::index`].
    by_number: Vec<Option<usize>>,
    forwarder: Forwarder,
    phase: Phase,
    /// Members to whom something is due.
    outbox: VecDeque<usize>,
    report_interval: Duration,
    deadline: Time,
    events: VecDeque<BootEvent>,
    outcome: Outcome,
    /// When a node that may come back failed.
    pub(super) last_loss: Option<Time>,
}

impl BootRoot {
    /// A root that will bring `image` to these nodes of the mapped fabric.
    pub fn new(config: RootConfig, image: PackedImage, plan: Plan, nodes: &[NodeNumber], seed: u64) -> BootRoot {
        let session = fastrand::Rng::with_seed(seed).u32(1..);
        let member = |&number: &NodeNumber| Member::new(number, plan.routes.routes(NodeNumber::FRONT_END, number));
        let members: Vec<Member> = nodes.iter().map(member).collect();
        let mut by_number = vec![None; members.iter().map(|m| m.number.index() + 1).max().unwrap_or(0)];
        members.iter().enumerate().for_each(|(index, m)| by_number[m.number.index()] = Some(index));
        let stream = Stream::new(image.tree().shape());
        let spacing = config.timing.report_spacing * u32::try_from(members.len()).unwrap_or(u32::MAX);
        BootRoot {
            timing: config.timing,
            session,
            origin: Origin { image, stream, held: [0, 1].map(|tree| Positions::all(stream.len(tree))) },
            cabling: Cabling::new(plan),
            members,
            by_number,
            forwarder: Forwarder::new(session, Duration::ZERO, seed),
            phase: Phase::Idle,
            outbox: VecDeque::new(),
            report_interval: config.timing.report_interval.max(spacing),
            deadline: Time::MAX,
            events: VecDeque::new(),
            outcome: Outcome::default(),
            last_loss: None,
        }
    }

    /// Begins: offers the image to all nodes.
    pub fn start(&mut self, now: Time) {
        self.phase = Phase::Joining { until: now + self.timing.join_timeout };
        self.outcome.started = now;
        for index in 0..self.members.len() {
            self.members[index].progress_at = now;
            if self.members[index].routes.is_empty() {
                self.fail(now, index, FailureReason::NoRoute);
            } else {
                self.offer(index);
            }
        }
        self.deadline = now;
    }

    /// True once every node is ready or has failed.
    pub fn is_done(&self) -> bool {
        self.phase == Phase::Done
    }

    /// The next event, if there is one.
    pub fn poll_event(&mut self) -> Option<BootEvent> {
        self.events.pop_front()
    }

    /// How far each node is; with the failure of those that have failed.
    pub fn nodes(&self) -> impl Iterator<Item = (NodeNumber, Reached, Option<&NodeFailure>)> {
        self.members.iter().map(|m| (m.number, m.reached, m.failed.as_ref()))
    }

    /// A summary of how far all are.
    pub fn progress(&self) -> Progress {
        let mut progress = Progress {
            frames_sent: self.forwarder.frames_sent,
            repeats_sent: self.forwarder.repeats_sent,
            ..Progress::default()
        };
        for member in &self.members {
            match member.failed {
                Some(_) => progress.failed += 1,
                None => progress.at_stage[member.reached.stage as usize] += 1,
            }
            progress.repaired += u64::from(member.repaired);
            progress.rejected += u64::from(member.rejected);
        }
        progress
    }

    /// How it has ended, or how it stands.
    pub fn outcome(&self) -> Outcome {
        let mut outcome = self.outcome.clone();
        outcome.ready = self.members.iter().filter(|m| m.failed.is_none() && m.reached.stage == Stage::Ready).count();
        outcome.failed = self.members.iter().filter_map(|m| m.failed.clone()).collect();
        outcome.failed.sort_by_key(|f| f.node);
        outcome
    }

    pub(super) fn event(&mut self, event: BootEvent) {
        self.events.push_back(event);
    }

    /// The member of a node; `None` for the front end and for strangers.
    pub(super) fn index_of(&self, number: NodeNumber) -> Option<usize> {
        self.by_number.get(number.index()).copied().flatten()
    }

    pub(super) fn is_sending(&self) -> bool {
        self.phase == Phase::Sending
    }

    pub(super) fn offer(&mut self, index: usize) {
        self.members[index].due.offer = true;
        self.queue(index);
    }

    pub(super) fn assign(&mut self, index: usize) {
        self.members[index].due.assign = true;
        self.queue(index);
    }

    pub(super) fn instruct(&mut self, index: usize, report_now: bool) {
        let due = &mut self.members[index].due;
        due.instruct = true;
        due.report_now |= report_now;
        self.queue(index);
    }

    fn queue(&mut self, index: usize) {
        if !std::mem::replace(&mut self.members[index].due.queued, true) {
            self.outbox.push_back(index);
        }
    }

    fn on_join(&mut self, now: Time, join: &Join) {
        let Some(index) = self.index_of(join.from) else { return };
        if self.phase == Phase::Idle {
            return;
        }
        let member = &mut self.members[index];
        member.heard = now;
        if member.incarnation.is_some_and(|known| known != join.incarnation) {
            self.has_restarted(now, index);
        }
        if join.answer == Answer::Asks {
            return self.offer(index);
        }
        if join.session != self.session {
            return;
        }
        match join.answer {
            Answer::Accepts => self.has_joined(now, index, join.incarnation),
            // It may get the right routes yet: it is offered the image again.
            Answer::Asks | Answer::WrongEpoch => {}
            Answer::WrongKey | Answer::BadManifest | Answer::TooOld | Answer::NoRoom => {
                let member = &mut self.members[index];
                member.refusals += 1;
                if member.refusals < self.timing.refusals {
                    return self.offer(index);
                }
                let key = KeyId(join.key_id.to_le_bytes());
                self.fail(now, index, FailureReason::Refused { answer: join.answer, key });
            }
        }
    }

    fn has_joined(&mut self, now: Time, index: usize, incarnation: u32) {
        let member = &mut self.members[index];
        if member.incarnation.is_some() && member.failed.is_none() {
            return;
        }
        let returned = member.failed.take().is_some() || member.late;
        member.incarnation = Some(incarnation);
        member.reached = Reached { stage: Stage::Joined, percent: 0 };
        (member.progress_at, member.queries, member.tries) = (now, 0, 0);
        if returned {
            self.event(BootEvent::Returned(self.members[index].number));
        }
        if self.is_sending() {
            self.place_late(now, index);
        } else {
            self.start_when_all_have_joined(now);
        }
    }

    pub(super) fn start_when_all_have_joined(&mut self, now: Time) {
        let waits = |m: &Member| m.incarnation.is_none() && m.failed.is_none();
        if let Phase::Joining { until } = self.phase
            && (now >= until || !self.members.iter().any(waits))
        {
            self.start_sending(now);
        }
    }

    /// Lays the trees over the nodes that have joined, and tells them.
    fn start_sending(&mut self, now: Time) {
        self.phase = Phase::Sending;
        let joined = |m: &&Member| m.incarnation.is_some() && m.failed.is_none();
        let nodes: Vec<NodeNumber> = self.members.iter().filter(joined).map(|m| m.number).collect();
        let layout = Layout::new(&mut self.cabling, &nodes);
        self.outcome.laid = now;
        self.outcome.busiest_cable = self.cabling.busiest();
        self.outcome.swaps = layout.swaps;
        let mut order: Vec<usize> = (1..layout.row.len()).collect();
        order.sort_by_key(|&place| layout.depth(place));
        for place in order {
            let index = self.index_of(layout.row[place]).expect("the row is made of members");
            self.members[index].place = place;
            self.members[index].progress_at = now;
            for tree in 0..TREES {
                let parent = layout.row[layout.parent(tree, place)];
                match layout.edges[tree][place].clone() {
                    Some(laid) => self.link(index, tree, Link { parent, laid }),
                    None => self.adopt(now, index, tree),
                }
            }
            self.assign_anew(index);
        }
        let started = BootEvent::Started { nodes: nodes.len(), busiest_cable: self.outcome.busiest_cable };
        self.event(started);
        self.deadline = now;
    }

    fn on_report(&mut self, now: Time, report: &Report) {
        let Some(index) = self.index_of(report.from).filter(|_| report.session == self.session) else { return };
        let member = &mut self.members[index];
        if member.incarnation != Some(report.incarnation) {
            return;
        }
        member.heard = now;
        let was_asked = member.queries > 0;
        (member.queries, member.tries) = (0, 0);
        member.confirmed = member.confirmed.max(report.revision);
        if report.serial <= member.report_serial {
            return self.instruct(index, false);
        }
        member.report_serial = report.serial;
        (member.repaired, member.rejected) = (report.repaired, report.rejected);
        let before = member.reached;
        member.reached = Reached { stage: report.stage.max(Stage::Joined), percent: report.percent };
        if member.reached != before {
            member.progress_at = now;
        }
        // One that was given up because nothing got to it returns when something does, not because it lives.
        let stuck = |f: &NodeFailure| matches!(f.reason, FailureReason::NoProgress(_)) && member.reached == before;
        if member.failed.as_ref().is_some_and(|failure| !stuck(failure)) {
            (member.failed, member.progress_at) = (None, now);
            self.event(BootEvent::Returned(report.from));
            if self.members[index].is_fed() {
                self.place_late(now, index);
            }
        }
        if was_asked {
            self.is_alive(now, index);
        }
        for tree in 0..TREES {
            if report.orphaned[tree] && report.revision == self.members[index].revision {
                self.is_orphaned(now, index, tree);
            }
        }
        self.on_stage(now, index, before.stage, report.stage);
        if report.wants_answer {
            self.instruct(index, false);
        }
    }

    fn on_stage(&mut self, now: Time, index: usize, before: Stage, stage: Stage) {
        let number = self.members[index].number;
        if before < Stage::Verified && stage >= Stage::Verified {
            self.outcome.last_verified = now;
            self.event(BootEvent::Verified(number));
            self.unlink_all(index);
            self.release_if_idle(index);
        }
        if before < Stage::Ready && stage == Stage::Ready {
            self.outcome.last_ready = now;
            self.event(BootEvent::Ready(number));
        }
        self.finish_when_settled(now);
    }

    fn on_attach(&mut self, now: Time, attach: &Attach, payload: &[u8]) {
        let Some(index) = self.index_of(attach.from).filter(|_| attach.session == self.session) else { return };
        let member = &self.members[index];
        let Some(&route) = member.routes.get(usize::from(attach.alternate) % member.routes.len().max(1)) else {
            return;
        };
        let held = &self.origin.held[usize::from(attach.tree)];
        self.forwarder.attach(now, attach, payload, held, route, &self.timing);
        self.deadline = self.deadline.min(self.forwarder.next_timeout());
    }

    /// Ends the transfer when nothing is expected any more, and no node that was lost may still come back.
    pub(super) fn finish_when_settled(&mut self, now: Time) {
        let wait_over = self.last_loss.is_none_or(|at| now - at >= self.timing.rejoin_wait);
        if self.is_sending() && wait_over && self.members.iter().all(Member::is_settled) {
            self.phase = Phase::Done;
            self.event(BootEvent::Done);
        }
    }

    /// Looks after every node. Returns true if one of them needs a look again soon.
    fn watch_all(&mut self, now: Time) -> bool {
        let mut soon = false;
        let someone_in_time_is_fed = self.members.iter().any(|m| m.is_fed() && !m.late);
        for index in 0..self.members.len() {
            soon |= self.watch(now, index, someone_in_time_is_fed);
        }
        soon
    }

    fn watch(&mut self, now: Time, index: usize, others_come_first: bool) -> bool {
        let timing = self.timing;
        let sending = self.is_sending();
        let member = &mut self.members[index];
        if member.is_settled() {
            return false;
        }
        if member.late && others_come_first {
            member.progress_at = now;
        }
        let idle = now - member.progress_at;
        if member.incarnation.is_none() {
            let retry = if sending { timing.late_offer_retry } else { timing.offer_retry };
            if sending && idle >= timing.no_progress {
                self.fail(now, index, FailureReason::DidNotJoin(idle));
            } else if !member.due.offer && now - member.sent >= retry {
                member.tries += 1;
                self.offer(index);
            }
            return true;
        }
        if !sending {
            return true;
        }
        let limit = match member.reached.stage {
            Stage::Offered | Stage::Joined | Stage::Receiving => Some(timing.no_progress),
            Stage::Verified => member.released.then_some(timing.no_progress),
            Stage::HandingOver | Stage::Ready => Some(timing.hand_over_timeout),
        };
        if limit.is_some_and(|limit| idle >= limit) {
            let handing_over = member.reached.stage == Stage::HandingOver;
            let reason = if handing_over { FailureReason::HandOver(idle) } else { FailureReason::NoProgress(idle) };
            self.fail(now, index, reason);
            return false;
        }
        if member.reached.stage == Stage::HandingOver {
            return false;
        }
        if member.confirmed < member.revision && !member.due.assign && now - member.sent >= timing.offer_retry {
            member.tries += 1;
            self.assign(index);
        }
        self.question(now, index)
    }

    /// Asks a node of which nothing is heard, or that others say is silent. Returns true if it needs a look again soon.
    fn question(&mut self, now: Time, index: usize) -> bool {
        let timing = self.timing;
        let member = &mut self.members[index];
        let overdue = now - member.heard >= 5 * self.report_interval;
        let nudge = member.released && now - member.query_at >= timing.query_interval;
        if member.queries == 0 && !overdue {
            if nudge {
                member.query_at = now;
                self.instruct(index, true);
            }
            return self.members[index].confirmed < self.members[index].revision || self.members[index].released;
        }
        if now - member.query_at >= timing.query_interval || member.queries == 0 {
            if member.queries >= timing.queries {
                let asked = member.queries;
                self.fail(now, index, FailureReason::Silent(asked));
                return true;
            }
            member.queries += 1;
            member.tries += 1;
            member.query_at = now;
            self.instruct(index, true);
        }
        true
    }

    /// The next frame that is due to a node.
    fn poll_outbox(&mut self, now: Time) -> Option<Transmit> {
        while let Some(index) = self.outbox.pop_front() {
            let session = self.session;
            let epoch = self.cabling.plan().epoch;
            let member = &mut self.members[index];
            member.due.queued = false;
            let Some(route) = member.route() else { continue };
            let packet = if std::mem::take(&mut member.due.offer) {
                member.sent = now;
                let report_ms = u16::try_from(self.report_interval.as_millis()).unwrap_or(u16::MAX);
                let offer = Offer { session, epoch, to: member.number, report_ms };
                Packet::with_payload(offer, self.origin.image.signed_manifest().as_bytes().clone())
            } else if std::mem::take(&mut member.due.assign) {
                member.sent = now;
                let parent = |tree: usize| member.links[tree].as_ref().map(|l| (l.parent, l.laid.alternate));
                Packet::new(Assign {
                    session,
                    to: member.number,
                    incarnation: member.incarnation.unwrap_or(0),
                    revision: member.revision,
                    parents: [parent(0), parent(1)],
                    late: member.late,
                })
            } else if std::mem::take(&mut member.due.instruct) {
                Packet::new(Instruct {
                    session,
                    to: member.number,
                    incarnation: member.incarnation.unwrap_or(0),
                    answers: member.report_serial,
                    report_now: std::mem::take(&mut member.due.report_now),
                    hand_over: member.released,
                })
            } else {
                continue;
            };
            let due = member.due;
            if due.offer || due.assign || due.instruct {
                self.queue(index);
            }
            return Some(Transmit::new(route, packet));
        }
        None
    }
}

impl Protocol for BootRoot {
    fn handle_packet(&mut self, now: Time, packet: &Packet) {
        match &packet.header {
            Header::Receipt(receipt) if receipt.session == self.session => {
                self.forwarder.on_receipt(now, receipt, &packet.payload);
            }
            Header::Join(join) => self.on_join(now, join),
            Header::Report(report) => self.on_report(now, report),
            Header::Attach(attach) => self.on_attach(now, attach, &packet.payload),
            _ => {}
        }
    }

    fn handle_timeout(&mut self, now: Time) {
        if matches!(self.phase, Phase::Idle | Phase::Done) {
            self.deadline = Time::MAX;
            return;
        }
        if self.deadline > now {
            return;
        }
        self.start_when_all_have_joined(now);
        let soon = self.watch_all(now);
        self.finish_when_settled(now);
        self.forwarder.on_timeout(now, &self.timing);
        let again = if soon { self.timing.offer_retry } else { self.timing.query_interval };
        self.deadline = (now + again).min(self.forwarder.next_timeout());
    }

    fn poll_transmit(&mut self, now: Time) -> Option<Transmit> {
        if let Some(transmit) = self.poll_outbox(now) {
            return Some(transmit);
        }
        let transmit = self.forwarder.poll_transmit(now, &self.origin, &self.timing);
        self.deadline = self.deadline.min(self.forwarder.next_timeout());
        transmit
    }

    fn poll_timeout(&self) -> Option<Time> {
        (self.deadline != Time::MAX && !self.is_done()).then_some(self.deadline)
    }
}
