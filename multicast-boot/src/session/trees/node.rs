//! A node's part in the trees: it is fed in both, and feeds others in one of them.

use super::super::assembly::{Arrival, Assembly};
use super::super::held::HeldImage;
use super::super::mover::{Carriage, Context, NodeMover};
use super::super::node_state::NodeCounters;
use super::super::timing::Timing;
use super::feed::Feed;
use super::forwarder::{Forwarder, Source};
use crate::image::Manifest;
use crate::image::reuse::OldImage;
use bytes::Bytes;
use std::time::Duration;
use twowire_fabric::protocol::Transmit;
use twowire_fabric::time::Time;
use twowire_fabric::wire::boot::{Assign, Attach, Block, Pulse, Receipt, TREES};
use twowire_fabric::wire::{Header, Packet};

impl Source for Assembly {
    fn bytes(&self, tree: usize, position: u32) -> Option<Bytes> {
        Assembly::bytes(self, tree, position)
    }
}

/// The feeds of a node, its children, and the image between them.
pub(crate) struct TreeNode {
    session: u32,
    assembly: Assembly,
    forwarder: Forwarder,
    feeds: [Option<Feed>; TREES],
    rng: fastrand::Rng,
    counters: NodeCounters,
    deadline: Time,
}

impl TreeNode {
    /// A node that sends a frame to a child each `interval`; zero for as fast as possible.
    pub(crate) fn new(session: u32, interval: Duration, assembly: Assembly, seed: u64) -> TreeNode {
        let mut rng = fastrand::Rng::with_seed(seed);
        let forwarder = Forwarder::new(session, interval, rng.u64(..));
        let (feeds, counters) = ([None, None], NodeCounters::default());
        TreeNode { session, assembly, forwarder, feeds, rng, counters, deadline: Time::MAX }
    }

    fn wake_at(&mut self, at: Time) {
        self.deadline = self.deadline.min(at);
    }

    /// The tree in which this is the name of our attachment.
    fn tree_of(&self, edge: u16) -> Option<usize> {
        self.feeds.iter().position(|feed| feed.as_ref().is_some_and(|f| f.edge == edge))
    }

    fn on_attach(&mut self, context: &Context<'_>, attach: &Attach, payload: &[u8]) {
        if context.is_leaving || attach.from == context.location.own() {
            return;
        }
        let Some(path) = context.location.path_to(attach.from, attach.alternate.into()) else { return };
        self.take_stock(context);
        let held = self.assembly.held(attach.tree.into());
        self.forwarder.attach(context.now, attach, payload, held, path, context.timing);
        self.wake_at(self.forwarder.next_timeout());
    }

    fn on_data(&mut self, context: &Context<'_>, data: &Block, payload: &Bytes) {
        let Some(tree) = self.tree_of(data.edge) else { return };
        match self.assembly.accept(tree as u8, data.position, payload) {
            Arrival::Taken => {}
            Arrival::Duplicate => self.counters.duplicates += 1,
            Arrival::Rejected => {
                self.counters.rejected += 1;
                return;
            }
            Arrival::NoRoom => return,
        }
        let feed = self.feeds[tree].as_mut().expect("tree_of found it");
        feed.on_data(context.now, data.sequence, data.echo, context.timing);
        let timeout = feed.next_timeout(context.timing);
        self.wake_at(timeout.unwrap_or(Time::MAX));
        self.take_stock(context);
        self.reattach_spoiled(context);
    }

    /// Passes on what has become available, looks at what an older image has of this one, and asks for what is wanted by
    /// now.
    fn take_stock(&mut self, context: &Context<'_>) {
        let now = context.now;
        if self.assembly.look_at_old_image() {
            self.deadline = now;
        }
        for (tree, position) in self.assembly.take_fresh() {
            self.forwarder.announce(tree, position);
        }
        for tree in 0..TREES {
            let Some(feed) = self.feeds[tree].as_mut().filter(|feed| !feed.complete) else { continue };
            let held = self.assembly.held(tree);
            feed.set_missing(now, held.len() - held.count(), context.timing);
            if feed.complete {
                self.deadline = now;
            } else if feed.claim.as_ref().is_some_and(|claim| self.assembly.wants_more(tree, claim)) {
                feed.reattach(new_edge(&mut self.rng, tree), false);
                self.deadline = now;
            }
        }
    }

    fn on_pulse(&mut self, context: &Context<'_>, pulse: &Pulse) {
        let Some(tree) = self.tree_of(pulse.edge) else { return };
        let feed = self.feeds[tree].as_mut().expect("tree_of found it");
        feed.on_pulse(context.now, pulse.next, pulse.echo, context.timing);
        let timeout = feed.next_timeout(context.timing);
        self.wake_at(timeout.unwrap_or(Time::MAX));
    }

    /// Something that waited turned out to be wrong, although its sender counts it as delivered: asks for what is
    /// missing in a new attachment.
    fn reattach_spoiled(&mut self, context: &Context<'_>) {
        for tree in 0..TREES {
            if self.assembly.take_spoiled(tree) {
                self.counters.rejected += 1;
                if let Some(feed) = &mut self.feeds[tree] {
                    feed.reattach(new_edge(&mut self.rng, tree), false);
                    self.deadline = context.now;
                }
            }
        }
    }

    /// The next attach or receipt of one of the feeds.
    fn poll_feeds(&mut self, context: &Context<'_>) -> Option<Transmit> {
        for tree in 0..TREES {
            let Some(feed) = &mut self.feeds[tree] else { continue };
            if feed.attach_due {
                if let Some(transmit) = attach(feed, self.session, tree, &self.assembly, context) {
                    self.wake_at(context.now + context.timing.attach_retry);
                    return Some(transmit);
                }
            } else if feed.receipt_due
                && let Some(path) = feed.path.as_deref().copied()
            {
                let transmit = Transmit::new(path, receipt(feed, self.session, context));
                let timeout = feed.next_timeout(context.timing);
                self.wake_at(timeout.unwrap_or(Time::MAX));
                return Some(transmit);
            }
        }
        None
    }
}

/// A name for an attachment in this tree. Those of the two trees differ always: under one name the frames of both would count
/// as one attachment's.
fn new_edge(rng: &mut fastrand::Rng, tree: usize) -> u16 {
    rng.u16(..) << 1 | tree as u16
}

/// The request of a feed to its parent; `None` if there is no path to it.
fn attach(feed: &mut Feed, session: u32, tree: usize, assembly: &Assembly, context: &Context<'_>) -> Option<Transmit> {
    let (alternate, mine) = feed.routes(context.location.paths_to(feed.parent));
    let path = context.location.path_to(feed.parent, mine)?;
    feed.attach_sent(context.now, path);
    let (spans, claim) = assembly.claim(tree);
    feed.claim = claim.map(Box::new);
    let (from, tree_byte) = (context.location.own(), tree as u8);
    let frame = Attach { session, from, edge: feed.edge, tree: tree_byte, alternate, late: feed.late };
    Some(Transmit::new(path, Packet::with_payload(frame, spans)))
}

/// What a feed tells its parent of what came.
fn receipt(feed: &mut Feed, session: u32, context: &Context<'_>) -> Packet {
    let (serial, settled, next, payload) = feed.receipt(context.now);
    let (from, edge, complete) = (context.location.own(), feed.edge, feed.complete);
    Packet::with_payload(Receipt { session, from, edge, serial, settled, next, complete }, payload.into())
}

impl NodeMover for TreeNode {
    fn resume(self: Box<Self>, session: u32, carriage: Carriage, seed: u64) -> Option<Box<dyn NodeMover>> {
        let Carriage::Trees { interval } = carriage else { return None };
        Some(Box::new(TreeNode::new(session, interval, self.assembly, seed)))
    }

    fn on_assign(&mut self, context: &mut Context<'_>, assign: &Assign) {
        for (tree, &parent) in assign.parents.iter().enumerate() {
            let full = self.assembly.held(tree).is_full();
            let Some((parent, alternate)) = parent.filter(|_| !full) else {
                self.feeds[tree] = None;
                continue;
            };
            if self.feeds[tree].as_ref().is_some_and(|f| f.parent == parent && f.late == assign.late) {
                continue;
            }
            let lost = self.feeds[tree].as_ref().map_or(0, |f| f.lost_count);
            let mut feed = Feed::new(parent, alternate, assign.late, new_edge(&mut self.rng, tree));
            feed.lost_count = lost;
            self.feeds[tree] = Some(feed);
        }
        self.deadline = context.now;
    }

    /// What comes is of a parent or of a child, which says nothing of the root.
    fn handle_packet(&mut self, context: &mut Context<'_>, packet: &Packet) -> bool {
        match &packet.header {
            Header::Block(data) if data.session == self.session => self.on_data(context, data, &packet.payload),
            Header::Pulse(pulse) if pulse.session == self.session => self.on_pulse(context, pulse),
            Header::Attach(attach) if attach.session == self.session => {
                self.on_attach(context, attach, &packet.payload);
            }
            Header::Receipt(receipt) if receipt.session == self.session => {
                self.forwarder.on_receipt(context.now, receipt, &packet.payload);
            }
            _ => {}
        }
        false
    }

    /// The timers of feeds and children.
    fn handle_timeout(&mut self, context: &mut Context<'_>) {
        let (now, timing) = (context.now, context.timing);
        self.forwarder.on_timeout(now, timing);
        self.deadline = self.forwarder.next_timeout();
        for (tree, feed) in self.feeds.iter_mut().enumerate() {
            let Some(feed) = feed else { continue };
            if feed.on_timeout(now, timing) {
                feed.try_again(new_edge(&mut self.rng, tree));
            } else if feed.is_starved(now, timing) {
                feed.reattach(new_edge(&mut self.rng, tree), false);
            }
            self.deadline = self.deadline.min(feed.next_timeout(timing).unwrap_or(Time::MAX));
        }
        self.take_stock(context);
    }

    fn poll_transmit(&mut self, context: &mut Context<'_>) -> Option<Transmit> {
        if let Some(transmit) = self.poll_feeds(context) {
            return Some(transmit);
        }
        let transmit = self.forwarder.poll_transmit(context.now, &self.assembly, context.timing);
        self.wake_at(self.forwarder.next_timeout());
        transmit
    }

    fn next_timeout(&self) -> Time {
        self.deadline
    }

    fn prefetch(&self, depth: usize) {
        self.assembly.prefetch(depth);
        self.forwarder.prefetch(depth);
    }

    fn is_feeding(&self) -> bool {
        self.forwarder.is_feeding()
    }

    fn orphaned(&self, timing: &Timing) -> [bool; TREES] {
        [0, 1].map(|tree: usize| self.feeds[tree].as_ref().is_some_and(|feed| feed.is_orphaned(timing)))
    }

    fn counters(&self) -> NodeCounters {
        let lost = self.feeds.iter().flatten().map(|f| u64::from(f.lost_count)).sum();
        NodeCounters { lost, forwarded: self.forwarder.frames_sent, ..self.counters }
    }

    fn manifest(&self) -> &Manifest {
        self.assembly.manifest()
    }

    fn is_empty(&self) -> bool {
        self.assembly.is_empty()
    }

    fn percent(&self) -> u8 {
        self.assembly.percent()
    }

    fn is_verified(&self) -> bool {
        self.assembly.is_complete() && self.assembly.is_verified()
    }

    fn into_old_image(self: Box<Self>) -> OldImage {
        self.assembly.into_old_image()
    }

    fn image(&self) -> Option<HeldImage<'_>> {
        self.assembly.is_complete().then(|| self.assembly.image())
    }
}
