//! The front end's side of a transfer: offers the image, admits nodes, watches over them, and lets a mover bring them
//! the bytes.

mod answers;
pub(crate) mod control;
mod member;
mod watch;

use super::mover::RootMover;
use super::progress::{BootEvent, NodeFailure, Outcome, Progress, Reached};
use super::timing::Timing;
use super::trees::{Plan, TreeRoot};
use crate::image::PackedImage;
use control::{Control, Phase};
use member::Member;
use twowire_fabric::id::NodeNumber;
use twowire_fabric::protocol::{Path, Protocol, Transmit};
use twowire_fabric::time::Time;
use twowire_fabric::wire::boot::Stage;
use twowire_fabric::wire::{Header, Packet};

/// How the root behaves.
#[derive(Clone, Copy, Debug, Default)]
pub struct RootConfig {
    /// The protocol's timers.
    pub timing: Timing,
}

/// The front end's side of one transfer.
pub struct BootRoot {
    control: Control,
    mover: Box<dyn RootMover>,
}

impl BootRoot {
    /// A root that will bring `image` to these nodes of the mapped fabric, along trees.
    pub fn new(config: RootConfig, image: PackedImage, plan: Plan, nodes: &[NodeNumber], seed: u64) -> BootRoot {
        let session = fastrand::Rng::with_seed(seed).u32(1..);
        let paths = |to| plan.routes.routes(NodeNumber::FRONT_END, to).into_iter().map(Path::from).collect();
        let members: Vec<(NodeNumber, Vec<Path>)> = nodes.iter().map(|&number| (number, paths(number))).collect();
        let (epoch, signed_manifest) = (plan.epoch, image.signed_manifest().as_bytes().clone());
        let members = members.into_iter().map(|(number, paths)| Member::new(number, paths)).collect();
        let mover = TreeRoot::new(session, image, plan, nodes, config.timing, seed);
        let control = Control::new(config.timing, session, epoch, signed_manifest, members);
        BootRoot { control, mover: Box::new(mover) }
    }

    /// Begins: offers the image to all nodes.
    pub fn start(&mut self, now: Time) {
        self.control.start(now);
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

    /// How far each node is; with the failure of those that have failed.
    pub fn nodes(&self) -> impl Iterator<Item = (NodeNumber, Reached, Option<&NodeFailure>)> {
        self.control.members.iter().map(|m| (m.number, m.reached, m.failed.as_ref()))
    }

    /// A summary of how far all are.
    pub fn progress(&self) -> Progress {
        let sent = self.mover.sent();
        let mut progress = Progress { frames_sent: sent.frames, repeats_sent: sent.repeats, ..Progress::default() };
        for member in &self.control.members {
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
            Header::Join(join) => self.control.on_join(now, join),
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
        if self.control.deadline > now {
            return;
        }
        self.control.begin_when_all_have_joined(now);
        let soon = self.control.watch_all(now);
        self.tell_mover(now);
        let timing = &self.control.timing;
        self.control.deadline = now + if soon { timing.offer_retry } else { timing.query_interval };
    }

    fn poll_transmit(&mut self, now: Time) -> Option<Transmit> {
        let due = self.control.poll_transmit(now, self.mover.as_ref());
        due.or_else(|| self.mover.poll_transmit(now))
    }

    fn poll_timeout(&self) -> Option<Time> {
        let at = self.control.deadline.min(self.mover.next_timeout());
        (at != Time::MAX && !self.is_done()).then_some(at)
    }
}
