//! The front end's side of a transfer to a group: a mover that sends to all nodes at once.

use super::mover::{Change, RootMover, Sent};
use super::progress::BootEvent;
use super::root::Gate;
use super::root::control::Control;
use super::root::member::Member;
use super::timing::Timing;
use crate::image::PackedImage;
use crate::multicast::{Geometry, Sender, SenderConfig};
use twowire_fabric::id::{NodeNumber, UniqueId};
use twowire_fabric::protocol::{Group, Transmit};
use twowire_fabric::time::Time;
use twowire_fabric::wire::boot::TREES;
use twowire_fabric::wire::{Header, Packet};

/// The group to which a front end calls and sends: nodes listen to it.
pub const NODES: Group = Group(1);

/// The group to which nodes send that know of no front end: front ends listen to it.
pub const FRONT_ENDS: Group = Group(2);

/// How a root that sends to a group behaves.
#[derive(Clone, Debug)]
pub struct GroupConfig {
    /// The protocol's timers.
    pub timing: Timing,
    /// The window and the patience with slow nodes.
    pub sender: SenderConfig,
    /// The root's own card.
    pub card: UniqueId,
    /// The largest payload of the root's port: those of the nodes must carry it too.
    pub max_payload: usize,
    /// The numbers of cards that are known; they are waited for. Others get the lowest free numbers, as they come.
    pub numbers: Vec<(UniqueId, NodeNumber)>,
    /// The transfer begins when so many nodes have joined, or one at least and the time for it is over.
    pub expected: usize,
    /// No more nodes than this take part.
    pub max_nodes: usize,
    /// Who may take part; `None` for all nodes.
    pub gate: Option<Gate>,
    /// The root does not end when all are ready, but waits for others.
    pub stays: bool,
}

impl GroupConfig {
    /// A root with this card, on a port with so large payloads.
    pub fn new(card: UniqueId, max_payload: usize) -> GroupConfig {
        GroupConfig {
            timing: Timing::real(),
            sender: SenderConfig::default(),
            card,
            max_payload,
            numbers: Vec::new(),
            expected: 1,
            max_nodes: 16_384,
            gate: None,
            stays: false,
        }
    }
}

/// Why an image cannot be sent to a group.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GroupError {
    /// The port carries too little.
    #[error("a payload of {0} bytes is too small to send an image in: expected at least {least}; use a larger MTU", least = crate::multicast::geometry::MIN_SYMBOL_LEN)]
    PayloadTooSmall(usize),
}

/// Sends to the group.
pub(crate) struct GroupRoot {
    sender: Sender,
}

impl GroupRoot {
    /// A mover for this image, and the bytes of its symbols.
    pub(crate) fn new(config: &GroupConfig, session: u32, image: PackedImage) -> Result<(GroupRoot, u16), GroupError> {
        let max = config.max_payload;
        let geometry = Geometry::for_port(image.tree().shape(), max).ok_or(GroupError::PayloadTooSmall(max))?;
        let sender = Sender::new(config.sender, session, NODES, image, geometry);
        Ok((GroupRoot { sender }, geometry.symbol_len() as u16))
    }

    fn begin(&mut self, control: &mut Control) {
        let fed = || control.members.iter().filter(|m| m.is_fed());
        fed().for_each(|member| add(&mut self.sender, member));
        // Each cable carries the image once.
        let started = BootEvent::Started { nodes: fed().count(), busiest_cable: 1.0 };
        control.outcome.busiest_cable = 1.0;
        control.event(started);
    }
}

fn add(sender: &mut Sender, member: &Member) {
    let path = member.path().expect("a member of a group has a card");
    sender.add_receiver(place(member.number), path);
}

/// A node's place among the sender's receivers.
fn place(number: NodeNumber) -> usize {
    number.0.max(0) as usize
}

impl RootMover for GroupRoot {
    fn on_change(&mut self, now: Time, control: &mut Control, change: Change) {
        match change {
            Change::Begin => self.begin(control),
            Change::Joined(index) => add(&mut self.sender, &control.members[index]),
            Change::Left(index) => self.sender.remove_receiver(now, place(control.members[index].number)),
            Change::Verified(index) => {
                self.sender.remove_receiver(now, place(control.members[index].number));
                control.release(index);
            }
            Change::Orphaned { .. } | Change::Alive(_) => {}
        }
    }

    fn handle_packet(&mut self, now: Time, control: &mut Control, packet: &Packet) {
        if let Header::Status(status) = &packet.header
            && control.index_of(status.from).is_some()
        {
            self.sender.on_status(now, place(status.from), status, &packet.payload);
        }
    }

    fn handle_timeout(&mut self, now: Time) {
        self.sender.on_timeout(now);
    }

    fn poll_transmit(&mut self, now: Time) -> Option<Transmit> {
        self.sender.poll_transmit(now)
    }

    fn next_timeout(&self) -> Time {
        self.sender.next_timeout().unwrap_or(Time::MAX)
    }

    fn parents(&self, _: usize) -> [Option<(NodeNumber, u8)>; TREES] {
        [None, None]
    }

    fn sent(&self) -> Sent {
        let counters = self.sender.counters();
        let frames = counters.sources + counters.repeats + counters.parity;
        Sent { frames, repeats: counters.repeats, bytes: counters.bytes }
    }
}
