//! Several images over one port: each goes out in a session of its own, and each node takes part in the session of its image.
//!
//! A node on which its normal image has used up its attempts says so, and is invited to the session of its fallback. That one
//! starts when every node has said whether it needs it, or after the time for joining.

mod called;
mod view;

pub use view::{Boots, NodeView};

use super::progress::BootEvent;
use super::root::{BootRoot, Guest, Terms};
use super::strangers::Strangers;
use super::{Gate, Plan, RootConfig};
use crate::image::PackedImage;
use crate::image::catalogue::Purpose;
use crate::node_ranges::NodeRanges;
use bytes::Bytes;
use called::Called;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use twowire_fabric::id::NodeNumber;
use twowire_fabric::protocol::{Path, Protocol, Transmit};
use twowire_fabric::time::Time;
use twowire_fabric::wire::boot::{Offer, Offering};
use twowire_fabric::wire::{Header, Packet};

/// An image that a front end serves.
#[derive(Clone, Debug)]
pub struct ServedImage {
    /// The image.
    pub image: PackedImage,
    /// What it is for.
    pub purpose: Purpose,
    /// For which nodes.
    pub nodes: NodeRanges,
}

/// One image and its session.
struct Served {
    label: String,
    purpose: Purpose,
    nodes: NodeRanges,
    root: BootRoot,
    /// It waits for nodes that may still be invited, until then; [`Time::MAX`] before the first of them is.
    start_at: Time,
    has_started: bool,
}

/// The sessions of a front end.
pub struct BootService {
    served: Vec<Served>,
    join_timeout: Duration,
    /// Whose turn it is to send.
    turn: usize,
    /// Nodes without an image, with their paths, and those of them that are to be told.
    without: BTreeMap<NodeNumber, Vec<Path>>,
    told: BTreeSet<NodeNumber>,
    epoch: u32,
    /// The nodes' cards, where there is no map.
    called: Option<Called>,
    /// Those who were not let take part in any of the sessions.
    strangers: Strangers,
    /// It does not end when all are ready.
    stays: bool,
    is_done: bool,
}

impl BootService {
    /// A service of one image, by this root.
    pub fn single(mut root: BootRoot, join_timeout: Duration) -> BootService {
        root.stay();
        let nodes = root.nodes().map(|(number, ..)| number).collect();
        let served = Served::new("the image".to_owned(), Purpose::Normal, nodes, root);
        BootService::of(vec![served], join_timeout, BTreeMap::new(), 0)
    }

    /// A service of these images to these nodes of the mapped fabric, along trees. No node may have two images for the same
    /// purpose.
    pub fn along_trees(
        config: &RootConfig,
        images: Vec<ServedImage>,
        plan: &Plan,
        nodes: &[NodeNumber],
        seed: u64,
    ) -> BootService {
        let mut rng = fastrand::Rng::with_seed(seed);
        let ranges = |purpose: Purpose| -> Vec<NodeRanges> {
            images.iter().filter(|served| served.purpose == purpose).map(|served| served.nodes.clone()).collect()
        };
        let (normals, fallbacks) = (ranges(Purpose::Normal), ranges(Purpose::Fallback));
        let has_normal = |node: NodeNumber| normals.iter().any(|nodes| nodes.contains(node));
        let has_fallback = |node: NodeNumber| fallbacks.iter().any(|nodes| nodes.contains(node));
        let paths = |to| plan.routes.routes(NodeNumber::FRONT_END, to).into_iter().map(Path::from).collect();
        let is_without = |node: &NodeNumber| !has_normal(*node) && !has_fallback(*node);
        let without = nodes.iter().copied().filter(is_without).map(|node| (node, paths(node))).collect();
        let mut served = Vec::new();
        for ServedImage { image, purpose, nodes: ranges } in images {
            let members: Vec<NodeNumber> = nodes.iter().copied().filter(|&node| ranges.contains(node)).collect();
            let label = label(&image);
            let gate = gate_of(config.gate.as_ref(), served.len());
            let config = RootConfig { gate, ..config.clone() };
            let mut root = BootRoot::new(config, image, plan.clone(), &members, rng.u64(..));
            root.stay();
            match purpose {
                Purpose::Normal => root.set_terms(Terms::Normal(fallbacks.clone())),
                Purpose::Fallback => {
                    root.set_terms(Terms::Fallback);
                    root.invite_only(|node| !has_normal(node));
                }
            }
            served.push(Served::new(label, purpose, ranges, root));
        }
        BootService::of(served, config.timing.join_timeout, without, plan.epoch)
    }

    fn of(
        served: Vec<Served>,
        join_timeout: Duration,
        without: BTreeMap<NodeNumber, Vec<Path>>,
        epoch: u32,
    ) -> BootService {
        BootService {
            served,
            join_timeout,
            turn: 0,
            without,
            told: BTreeSet::new(),
            epoch,
            called: None,
            strangers: Strangers::default(),
            stays: false,
            is_done: false,
        }
    }

    /// Begins: offers every node its image.
    pub fn start(&mut self, now: Time) {
        for served in &mut self.served {
            if served.purpose == Purpose::Normal || served.root.nodes().next().is_some() {
                served.start(now);
            }
        }
        self.settle(now);
    }

    /// True once every node is ready or has failed.
    pub fn is_done(&self) -> bool {
        self.is_done
    }

    /// The next event, if there is one.
    pub fn poll_event(&mut self) -> Option<BootEvent> {
        self.served.iter_mut().find_map(|served| served.root.poll_event())
    }

    /// The session that a packet is of.
    fn session_of(&self, packet: &Packet) -> Option<usize> {
        let session = match &packet.header {
            Header::Join(join) => return self.session_for(join.from),
            Header::Enlist(enlist) if enlist.session == 0 => return self.session_of_card(enlist.card),
            Header::Enlist(enlist) => enlist.session,
            Header::Report(report) => report.session,
            Header::Attach(attach) => attach.session,
            Header::Receipt(receipt) => receipt.session,
            Header::Status(status) => status.session,
            _ => return None,
        };
        self.served.iter().position(|served| served.root.session() == session)
    }

    /// The session that a node is to take part in.
    fn session_for(&self, node: NodeNumber) -> Option<usize> {
        self.served.iter().position(|served| served.root.is_invited(node))
    }

    /// A node asks for its image, and has none.
    fn tell_if_without(&mut self, packet: &Packet) {
        if let Header::Join(join) = &packet.header
            && self.without.contains_key(&join.from)
        {
            self.told.insert(join.from);
        }
    }

    /// The session of a node's image for a purpose.
    fn session_with(&self, node: NodeNumber, purpose: Purpose) -> Option<usize> {
        self.served.iter().position(|served| served.purpose == purpose && served.nodes.contains(node))
    }

    /// Those who were not let take part.
    pub fn strangers(&self) -> &Strangers {
        &self.strangers
    }

    /// Invites those that need their fallback; sees whether all is over.
    fn settle(&mut self, now: Time) {
        for index in 0..self.served.len() {
            while let Some(guest) = self.served[index].root.poll_exhausted() {
                if let Some(fallback) = self.session_with(guest.number, Purpose::Fallback) {
                    self.invite(now, fallback, guest);
                }
            }
        }
        self.strangers.gather(self.served.iter().map(|served| served.root.strangers()));
        if self.served.iter().any(Served::waits) {
            let all_have_said = !self.served.iter().any(|served| served.has_started && served.root.is_awaited());
            let due = |served: &&mut Served| served.waits() && (all_have_said || served.start_at <= now);
            self.served.iter_mut().filter(due).for_each(|served| served.start(now));
        }
        let is_over = |served: &Served| served.root.is_settled(now) || !served.has_started && !served.waits();
        self.is_done = !self.stays && self.served.iter().all(is_over);
    }

    fn invite(&mut self, now: Time, index: usize, guest: Guest) {
        let served = &mut self.served[index];
        served.root.invite(now, guest);
        served.start_at = served.start_at.min(now + self.join_timeout);
    }

    /// What a node without an image is told.
    fn poll_told(&mut self) -> Option<Transmit> {
        let node = self.told.pop_first()?;
        let &path = self.without.get(&node)?.first()?;
        let session = self.served.first()?.root.session();
        // To be told that there is nothing a node need not prove anything.
        let challenge = None;
        let nothing: Header = match &self.called {
            Some(called) => called.nothing(session).into(),
            None => {
                Offer { session, epoch: self.epoch, to: node, report_ms: 0, challenge, offering: Offering::Nothing }
                    .into()
            }
        };
        Some(Transmit::new(path, Packet::with_payload(nothing, Bytes::new())))
    }
}

/// Each session asks for a proof of its own: what a node said in one is of no use in another.
fn gate_of(gate: Option<&Gate>, session: usize) -> Option<Gate> {
    gate.map(|gate| Gate { nonce: gate.nonce.wrapping_add(session as u64), ..gate.clone() })
}

/// How people are told of an image.
fn label(image: &PackedImage) -> String {
    format!("{} version {}", image.manifest().name(), image.manifest().version())
}

impl Served {
    fn new(label: String, purpose: Purpose, nodes: NodeRanges, root: BootRoot) -> Served {
        Served { label, purpose, nodes, root, start_at: Time::MAX, has_started: false }
    }

    fn start(&mut self, now: Time) {
        self.root.start(now);
        self.has_started = true;
    }

    /// Nodes are invited, and others may yet be.
    fn waits(&self) -> bool {
        !self.has_started && self.start_at != Time::MAX
    }
}

impl Protocol for BootService {
    fn handle_packet(&mut self, now: Time, packet: &Packet) {
        if let Header::Relay(relay) = &packet.header {
            return relay.frames(&packet.payload).for_each(|packet| self.handle_packet(now, &packet));
        }
        if let Header::Enlist(enlist) = &packet.header
            && self.is_to_be_sorted(enlist)
        {
            self.sort(now, enlist);
            return self.settle(now);
        }
        match self.session_of(packet) {
            Some(index) => {
                self.served[index].root.handle_packet(now, packet);
                self.take_back(now, index, packet);
            }
            None => self.tell_if_without(packet),
        }
        self.settle(now);
    }

    fn handle_timeout(&mut self, now: Time) {
        for served in self.served.iter_mut().filter(|served| served.has_started) {
            if served.root.poll_timeout().is_some_and(|at| at <= now) {
                served.root.handle_timeout(now);
            }
        }
        self.settle(now);
    }

    fn poll_transmit(&mut self, now: Time) -> Option<Transmit> {
        let reply = self.called.as_mut().and_then(Called::poll_transmit);
        if let Some(transmit) = reply.or_else(|| self.poll_told()) {
            return Some(transmit);
        }
        for step in 0..self.served.len() {
            let index = (self.turn + step) % self.served.len();
            if let Some(transmit) = self.served[index].root.poll_transmit(now) {
                self.turn = index + 1;
                return Some(transmit);
            }
        }
        None
    }

    fn poll_timeout(&self) -> Option<Time> {
        let at = |served: &Served| match served.has_started {
            true => served.root.poll_timeout(),
            false => Some(served.start_at).filter(|&at| at != Time::MAX),
        };
        self.served.iter().filter_map(at).min()
    }
}
