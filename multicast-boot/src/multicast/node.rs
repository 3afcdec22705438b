//! A node's part in a transfer to a group: what comes goes to the receiver, whose answers go to the root.

use super::Receiver;
use crate::image::Manifest;
use crate::image::reuse::OldImage;
use crate::session::mover::{Carriage, Context, NodeMover};
use crate::session::{HeldImage, NodeCounters};
use twowire_fabric::protocol::Transmit;
use twowire_fabric::time::Time;
use twowire_fabric::wire::{Header, Packet};

/// Receives with the group: see the module.
pub(crate) struct GroupNode {
    receiver: Receiver,
    max_payload: usize,
}

impl GroupNode {
    /// A node that receives with this, on a port with so large payloads.
    pub(crate) fn new(receiver: Receiver, max_payload: usize) -> GroupNode {
        GroupNode { receiver, max_payload }
    }
}

impl NodeMover for GroupNode {
    fn resume(self: Box<Self>, session: u32, carriage: Carriage, _: u64) -> Option<Box<dyn NodeMover>> {
        let Carriage::Group { geometry, max_payload } = carriage else { return None };
        let mut receiver = self.receiver;
        let own = receiver.own();
        if *receiver.geometry() == geometry {
            receiver.resume(session, own);
        } else {
            receiver = receiver.cut_anew(session, own, geometry);
        }
        Some(Box::new(GroupNode { receiver, max_payload }))
    }

    fn handle_packet(&mut self, context: &mut Context<'_>, packet: &Packet) -> bool {
        let session = match &packet.header {
            Header::Symbol(symbol) => {
                self.receiver.on_symbol(symbol, &packet.payload);
                symbol.session
            }
            Header::Poll(poll) => {
                // The number is the session's: it decides whether this node is asked.
                self.receiver.set_own(context.location.own());
                self.receiver.on_poll(poll);
                poll.session
            }
            _ => return false,
        };
        session == self.receiver.session()
    }

    fn poll_transmit(&mut self, context: &mut Context<'_>) -> Option<Transmit> {
        let (status, payload) = self.receiver.poll_status(self.max_payload)?;
        Some(Transmit::new(context.location.to_front_end(0)?, Packet::with_payload(status, payload)))
    }

    fn handle_timeout(&mut self, _: &mut Context<'_>) {
        self.receiver.look_for_parts();
    }

    fn next_timeout(&self) -> Time {
        if self.receiver.is_busy() { Time::ZERO } else { Time::MAX }
    }

    fn counters(&self) -> NodeCounters {
        let counted = self.receiver.counters();
        let (duplicates, rejected, lost) = (counted.duplicates, counted.rejected, counted.lost);
        NodeCounters { duplicates, rejected, lost, ..NodeCounters::default() }
    }

    fn manifest(&self) -> &Manifest {
        self.receiver.manifest()
    }

    fn is_empty(&self) -> bool {
        self.receiver.is_empty()
    }

    fn percent(&self) -> u8 {
        self.receiver.percent()
    }

    fn is_verified(&self) -> bool {
        self.receiver.is_complete() && self.receiver.root() == Some(self.receiver.manifest().root())
    }

    fn into_old_image(self: Box<Self>) -> OldImage {
        self.receiver.into_old_image()
    }

    fn image(&self) -> Option<HeldImage<'_>> {
        self.receiver.image()
    }
}
