//! The front end's part in the trees: lays them, feeds their tops, and knows who feeds whom.

use super::super::mover::{Change, RootMover, Sent};
use super::super::positions::Positions;
use super::super::progress::BootEvent;
use super::super::root::control::Control;
use super::super::stream::Stream;
use super::super::timing::Timing;
use super::cabling::{Cabling, Laid, Plan};
use super::forwarder::{Forwarder, Source};
use super::layout::Layout;
use crate::image::{PackedImage, Part};
use bytes::Bytes;
use std::time::Duration;
use twowire_fabric::id::NodeNumber;
use twowire_fabric::protocol::Transmit;
use twowire_fabric::time::Time;
use twowire_fabric::wire::boot::{Attach, TREES};
use twowire_fabric::wire::{Header, Packet};

/// Who feeds a node in one tree.
#[derive(Clone, Debug)]
pub(super) struct Link {
    pub(super) parent: NodeNumber,
    pub(super) laid: Laid,
}

/// A member's place in the trees.
#[derive(Clone, Debug, Default)]
pub(super) struct Place {
    pub(super) links: [Option<Link>; TREES],
    /// Those that it feeds, by their index.
    pub(super) children: [Vec<usize>; TREES],
    /// In which trees it says that its parent is silent, and has no other one yet.
    pub(super) orphaned: [bool; TREES],
    /// Parents that it could not hear: the last one in each tree.
    pub(super) avoid: [Option<NodeNumber>; TREES],
    /// Where it is in the row of the layout.
    pub(super) row: usize,
}

impl Place {
    pub(super) fn child_count(&self) -> usize {
        self.children.iter().map(Vec::len).sum()
    }
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

/// The trees, as the root knows them.
pub(crate) struct TreeRoot {
    session: u32,
    timing: Timing,
    origin: Origin,
    pub(super) cabling: Cabling,
    /// Of each member.
    pub(super) places: Vec<Place>,
    forwarder: Forwarder,
}

impl TreeRoot {
    pub(crate) fn new(
        session: u32,
        image: PackedImage,
        plan: Plan,
        nodes: &[NodeNumber],
        timing: Timing,
        seed: u64,
    ) -> TreeRoot {
        let stream = Stream::new(image.tree().shape());
        TreeRoot {
            session,
            timing,
            origin: Origin { image, stream, held: [0, 1].map(|tree| Positions::all(stream.len(tree))) },
            cabling: Cabling::new(plan),
            places: vec![Place::default(); nodes.len()],
            forwarder: Forwarder::new(session, Duration::ZERO, seed),
        }
    }

    /// Lays the trees over the nodes that have joined, and tells them.
    fn begin(&mut self, now: Time, control: &mut Control) {
        let joined = control.members.iter().filter(|m| m.takes_part());
        let nodes: Vec<NodeNumber> = joined.map(|m| m.number).collect();
        let layout = Layout::new(&mut self.cabling, &nodes);
        let busiest_cable = self.cabling.busiest();
        (control.outcome.busiest_cable, control.outcome.swaps) = (busiest_cable, layout.swaps);
        let mut order: Vec<usize> = (1..layout.row.len()).collect();
        order.sort_by_key(|&at| layout.depth(at));
        for at in order {
            let index = control.index_of(layout.row[at]).expect("the row is made of members");
            self.places[index].row = at;
            for tree in 0..TREES {
                let parent = layout.row[layout.parent(tree, at)];
                match layout.edges[tree][at].clone() {
                    Some(laid) => self.link(control, index, tree, Link { parent, laid }),
                    None => self.adopt(now, control, index, tree),
                }
            }
            control.assign_anew(index);
        }
        control.event(BootEvent::Started { nodes: nodes.len(), busiest_cable });
    }

    fn on_attach(&mut self, now: Time, control: &Control, attach: &Attach, payload: &[u8]) {
        let Some(index) = control.index_of(attach.from) else { return };
        let paths = &control.members[index].paths;
        let Some(&path) = paths.get(usize::from(attach.alternate) % paths.len().max(1)) else { return };
        let held = &self.origin.held[usize::from(attach.tree)];
        self.forwarder.attach(now, attach, payload, held, path, &self.timing);
    }
}

impl RootMover for TreeRoot {
    fn on_change(&mut self, now: Time, control: &mut Control, change: Change) {
        match change {
            Change::Begin => self.begin(now, control),
            Change::Joined(index) => self.place_late(now, control, index),
            Change::Left(index) => self.leave_trees(now, control, index),
            Change::Verified(index) => {
                self.unlink_all(control, index);
                self.release_if_idle(control, index);
            }
            Change::Orphaned { index, trees } => self.note_orphaned(now, control, index, trees),
            Change::Alive(index) => self.is_alive(now, control, index),
        }
    }

    fn handle_packet(&mut self, now: Time, control: &mut Control, packet: &Packet) {
        match &packet.header {
            Header::Receipt(receipt) if receipt.session == self.session => {
                self.forwarder.on_receipt(now, receipt, &packet.payload);
            }
            Header::Attach(attach) if attach.session == self.session => {
                self.on_attach(now, control, attach, &packet.payload);
            }
            _ => {}
        }
    }

    fn handle_timeout(&mut self, now: Time) {
        self.forwarder.on_timeout(now, &self.timing);
    }

    fn poll_transmit(&mut self, now: Time) -> Option<Transmit> {
        self.forwarder.poll_transmit(now, &self.origin, &self.timing)
    }

    fn next_timeout(&self) -> Time {
        self.forwarder.next_timeout()
    }

    fn parents(&self, index: usize) -> [Option<(NodeNumber, u8)>; TREES] {
        [0, 1].map(|tree| self.places[index].links[tree].as_ref().map(|link| (link.parent, link.laid.alternate)))
    }

    fn sent(&self) -> Sent {
        let Forwarder { frames_sent: frames, repeats_sent: repeats, bytes_sent: bytes, .. } = self.forwarder;
        Sent { frames, repeats, bytes }
    }
}
