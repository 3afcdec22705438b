//! The front end's side of a transfer: offers the image, admits nodes, watches over them, and lets a mover bring them
//! the bytes.

mod admission;
mod answers;
mod call_parts;
pub(crate) mod control;
mod cookies;
mod gate;
pub(crate) mod member;
mod outbox;
mod watch;

use super::group::{GroupConfig, GroupError, GroupRoot, NODES};
use super::mover::RootMover;
use super::progress::{BootEvent, NodeFailure, Outcome, Progress, Reached, StageTimes};
use super::strangers::Strangers;
use super::timing::Timing;
use super::trees::{Plan, TreeRoot};
use crate::image::PackedImage;
use admission::Admission;
pub(crate) use admission::{Cards, SharedCards};
use call_parts::CallParts;
pub(crate) use control::Terms;
use control::{Control, Door, Invitation, Phase};
use cookies::Cookies;
pub use gate::Gate;
use member::Member;
use std::sync::{Arc, Mutex};
use twowire_fabric::id::{NodeNumber, UniqueId};
use twowire_fabric::protocol::{Path, Protocol, Transmit};
use twowire_fabric::time::Time;
use twowire_fabric::wire::boot::{Call, Stage};
use twowire_fabric::wire::{Header, Packet};

/// How the root behaves.
#[derive(Clone, Debug, Default)]
pub struct RootConfig {
    /// The protocol's timers.
    pub timing: Timing,
    /// Who may take part; `None` for all nodes.
    pub gate: Option<Gate>,
}

/// A node that is invited to a session.
#[derive(Clone, Debug)]
pub(super) struct Guest {
    pub(super) number: NodeNumber,
    pub(super) card: UniqueId,
    pub(super) paths: Vec<Path>,
}

/// The front end's side of one transfer.
pub struct BootRoot {
    control: Control,
    mover: Box<dyn RootMover>,
    /// Where nodes are not known before they come.
    admission: Option<Box<Admission>>,
    parts: CallParts,
}

impl BootRoot {
    /// A root that will bring `image` to these nodes of the mapped fabric, along trees.
    pub fn new(config: RootConfig, image: PackedImage, plan: Plan, nodes: &[NodeNumber], seed: u64) -> BootRoot {
        let mut rng = fastrand::Rng::with_seed(seed);
        let session = rng.u32(1..);
        let paths = |to| plan.routes.routes(NodeNumber::FRONT_END, to).into_iter().map(Path::from).collect();
        let member = |&number: &NodeNumber| Member::new(number, plan.card(number), paths(number));
        let members = nodes.iter().map(member).collect();
        let (epoch, signed_manifest) = (plan.epoch, image.signed_manifest().as_bytes().clone());
        let mover = TreeRoot::new(session, image, plan, nodes, config.timing, seed);
        let invitation = Invitation::Mapped(epoch);
        let door = Door { invitation, gate: config.gate, cookies: Cookies::new(&mut rng) };
        let control = Control::new(config.timing, session, door, signed_manifest, members);
        BootRoot { control, mover: Box::new(mover), admission: None, parts: CallParts::new(usize::MAX) }
    }

    /// A root that will bring `image` to all nodes that join, by native multicast. Its port must have joined the group
    /// [`FRONT_ENDS`](super::FRONT_ENDS), the nodes' ports [`NODES`].
    pub fn for_group(config: GroupConfig, image: PackedImage, seed: u64) -> Result<BootRoot, GroupError> {
        let mut rng = fastrand::Rng::with_seed(seed);
        let cards = Arc::new(Mutex::new(Cards::new(&config, &mut rng)));
        BootRoot::for_cards(&config, image, cards, Terms::Normal(Vec::new()), rng.u64(..))
    }

    /// A root beside others, which share the cards of the nodes.
    pub(super) fn for_cards(
        config: &GroupConfig,
        image: PackedImage,
        cards: SharedCards,
        terms: Terms,
        seed: u64,
    ) -> Result<BootRoot, GroupError> {
        let mut rng = fastrand::Rng::with_seed(seed);
        let session = rng.u32(1..);
        let signed_manifest = image.signed_manifest().as_bytes().clone();
        let (mover, symbol) = GroupRoot::new(config, session, image)?;
        let member = |&(card, number): &_| Member::new(number, card, vec![Path::Card(card)]);
        let known = config.numbers.iter().map(member).collect();
        let report_ms = u16::try_from(config.timing.report_interval.as_millis()).unwrap_or(u16::MAX);
        let (challenge, offering) = (config.gate.as_ref().map(Gate::challenge), terms.called());
        let (root, part, parts) = (config.card, 0, 1);
        let call = Call { session, root, report_ms, symbol, group: NODES, challenge, offering, part, parts };
        let admission = Admission::new(config, call, signed_manifest.clone(), cards);
        let invitation = Invitation::Called(call);
        let door = Door { invitation, gate: config.gate.clone(), cookies: Cookies::new(&mut rng) };
        let mut control = Control::new(config.timing, session, door, signed_manifest, known);
        (control.expected, control.stays) = (config.expected.max(1), config.stays);
        control.terms = terms;
        let parts = CallParts::new(config.max_payload);
        Ok(BootRoot { control, mover: Box::new(mover), admission: Some(Box::new(admission)), parts })
    }

    /// The root does not end when all are ready.
    pub(super) fn stay(&mut self) {
        self.control.stays = true;
    }

    /// What the image is to each node.
    pub(super) fn set_terms(&mut self, terms: Terms) {
        self.control.members.iter_mut().for_each(|member| member.offering = terms.offering(member.number));
        self.control.terms = terms;
    }

    /// Only these nodes take part for now.
    pub(super) fn invite_only(&mut self, is_invited: impl Fn(NodeNumber) -> bool) {
        self.control.members.iter_mut().for_each(|member| member.is_invited = is_invited(member.number));
    }

    /// A node takes part from now on. Without a map the root may not have known it.
    pub(super) fn invite(&mut self, now: Time, guest: Guest) {
        let Guest { number, card, paths } = guest;
        let offering = self.control.terms.offering(number);
        let index = self.control.index_or_add(number, || Member { offering, ..Member::new(number, card, paths) });
        self.control.invite(now, index);
        self.tell_mover(now);
    }

    /// A node takes no part any more.
    pub(super) fn uninvite(&mut self, now: Time, node: NodeNumber) {
        if let Some(index) = self.control.index_of(node).filter(|&index| self.control.members[index].is_invited) {
            self.control.leaves(now, index);
            self.tell_mover(now);
        }
    }

    /// True if this node is to take part.
    pub(super) fn is_invited(&self, node: NodeNumber) -> bool {
        self.control.index_of(node).is_some_and(|index| self.control.members[index].is_invited)
    }

    /// The next node that has left because it needs the fallback.
    pub(super) fn poll_exhausted(&mut self) -> Option<Guest> {
        self.control.exhausted.pop_front()
    }

    /// True if a node has not said yet whether it takes part.
    pub(super) fn is_awaited(&self) -> bool {
        self.control.members.iter().any(Member::is_awaited)
    }

    /// True if every node is ready or has failed, and none may come back.
    pub(super) fn is_settled(&self, now: Time) -> bool {
        self.control.is_settled(now)
    }

    /// The session's name.
    pub(super) fn session(&self) -> u32 {
        self.control.session
    }

    /// It calls no group, but cards that are invited. The transfer begins when so many of them have joined.
    pub(super) fn call_nobody(&mut self, expected: usize) {
        self.admission.iter_mut().for_each(|admission| admission.is_quiet = true);
        self.control.expected = expected;
    }

    /// Begins: offers the image to all nodes.
    pub fn start(&mut self, now: Time) {
        self.control.start(now);
        if let Some(admission) = &mut self.admission {
            admission.start(now);
        }
        self.tell_mover(now);
    }

    /// True once every node is ready or has failed.
    pub fn is_done(&self) -> bool {
        self.control.phase == Phase::Done
    }

    /// The next event, if there is one.
    pub fn poll_event(&mut self) -> Option<BootEvent> {
        self.control.events.pop_front()
    }

    fn invited(&self) -> impl Iterator<Item = &Member> {
        self.control.members.iter().filter(|member| member.is_invited)
    }

    /// How far each node is; with the failure of those that have failed.
    pub fn nodes(&self) -> impl Iterator<Item = (NodeNumber, Reached, StageTimes, Option<&NodeFailure>)> {
        self.invited().map(|m| (m.number, m.reached, m.times, m.failed.as_ref()))
    }

    /// Those that were not let take part.
    pub fn strangers(&self) -> &Strangers {
        &self.control.strangers
    }

    /// A summary of how far all are.
    pub fn progress(&self) -> Progress {
        let sent = self.mover.sent();
        let mut progress = Progress {
            frames_sent: sent.frames,
            repeats_sent: sent.repeats,
            bytes_sent: sent.bytes,
            refused_joins: self.control.strangers.joins(),
            ..Progress::default()
        };
        for member in self.invited() {
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
        let members = &self.control.members;
        let mut outcome = self.control.outcome.clone();
        outcome.ready = members.iter().filter(|m| m.failed.is_none() && m.reached.stage == Stage::Ready).count();
        outcome.failed = members.iter().filter_map(|m| m.failed.clone()).collect();
        outcome.failed.sort_by_key(|f| f.node);
        outcome
    }

    /// Tells the mover what has changed, until nothing changes any more.
    fn tell_mover(&mut self, now: Time) {
        while let Some(change) = self.control.changes.pop_front() {
            self.mover.on_change(now, &mut self.control, change);
        }
        self.control.finish_when_settled(now);
    }
}

impl Protocol for BootRoot {
    fn handle_packet(&mut self, now: Time, packet: &Packet) {
        match &packet.header {
            Header::Relay(relay) => relay.frames(&packet.payload).for_each(|packet| self.handle_packet(now, &packet)),
            Header::Join(join) => self.control.on_join(now, join),
            Header::Enlist(enlist) => {
                if let Some(admission) = &mut self.admission {
                    admission.on_enlist(now, &mut self.control, enlist);
                }
            }
            Header::Report(report) => self.control.on_report(now, report),
            _ => self.mover.handle_packet(now, &mut self.control, packet),
        }
        self.tell_mover(now);
    }

    fn handle_timeout(&mut self, now: Time) {
        if matches!(self.control.phase, Phase::Idle | Phase::Done) {
            self.control.deadline = Time::MAX;
            return;
        }
        self.mover.handle_timeout(now);
        if let Some(admission) = &mut self.admission {
            admission.on_timeout(now);
        }
        if self.control.deadline > now {
            return;
        }
        self.control.begin_when_all_have_joined(now);
        let soon = self.control.watch_all(now);
        self.tell_mover(now);
        let timing = &self.control.timing;
        self.control.deadline = now + if soon { timing.offer_retry / 2 } else { timing.query_interval };
    }

    fn poll_transmit(&mut self, now: Time) -> Option<Transmit> {
        if let Some(part) = self.parts.poll_transmit() {
            return Some(part);
        }
        let admission = self.admission.as_mut().and_then(|admission| admission.poll_transmit());
        let due = admission.or_else(|| self.control.poll_transmit(now, self.mover.as_ref()));
        due.or_else(|| self.mover.poll_transmit(now)).map(|transmit| self.parts.cut(transmit))
    }

    fn poll_timeout(&self) -> Option<Time> {
        let calls = self.admission.as_ref().map_or(Time::MAX, |admission| admission.next_timeout());
        let control = self.control.deadline.min(self.control.next_doubtful_offer());
        let at = control.min(self.mover.next_timeout()).min(calls);
        (at != Time::MAX && !self.is_done()).then_some(at)
    }
}
