//! The frames that are due to nodes, in turn; those to many go in groups that one node passes on.

use super::super::mover::RootMover;
use super::control::{Control, Invitation};
use super::gate::Gate;
use super::member::Member;
use twowire_fabric::id::NodeNumber;
use twowire_fabric::protocol::Transmit;
use twowire_fabric::time::Time;
use twowire_fabric::wire::boot::{Assign, Call, Instruct, Offer, Relayed};
use twowire_fabric::wire::{Header, Packet};

/// The time between two offers to nodes that may or may not be there, or have started anew, in units of the time that a
/// report takes: such an offer costs the root about as much as a chunk, or less.
const DOUBTFUL_OFFERS: u32 = 5;

/// To fewer nodes the root sends a frame each.
const MIN_RELAYED: usize = 8;

impl Control {
    /// The next frame that is due to a node.
    pub(super) fn poll_transmit(&mut self, now: Time, mover: &dyn RootMover) -> Option<Transmit> {
        self.offer_to_doubted(now);
        loop {
            let index = self.outbox.pop_front()?;
            self.members[index].due.queued = false;
            let Some(path) = self.members[index].path() else { continue };
            let Some(packet) = self.next_due(now, index, mover) else { continue };
            let due = self.members[index].due;
            if due.offer || due.assign || due.instruct {
                self.queue(index);
            }
            let packet = if self.may_relay(index, &packet) { self.with_others(now, packet, mover) } else { packet };
            return Some(Transmit::new(path, packet));
        }
    }

    /// Offers the image to the next node in whose name somebody has said that it is there, or has started anew, if it is time.
    fn offer_to_doubted(&mut self, now: Time) {
        if now >= self.doubtful_offers_from
            && let Some(index) = self.doubted.pop_front()
        {
            self.members[index].is_doubted = false;
            self.doubtful_offers_from = now + DOUBTFUL_OFFERS * self.timing.report_spacing;
            self.offer(index);
        }
    }

    /// When the next one of them gets its offer; [`Time::MAX`] if there is none.
    pub(super) fn next_doubtful_offer(&self) -> Time {
        if self.doubted.is_empty() { Time::MAX } else { self.doubtful_offers_from }
    }

    /// True if a frame to a node may go together with others: on a mapped fabric each node reaches all others. Only a
    /// first attempt may: the node that passes it on may be dead.
    fn may_relay(&self, index: usize, packet: &Packet) -> bool {
        let kind = matches!(packet.header, Header::Offer(_) | Header::Assign(_));
        matches!(self.invitation, Invitation::Mapped(_))
            && kind
            && self.members[index].tries == 0
            && self.outbox.len() >= MIN_RELAYED
    }

    /// Puts a frame together with those to the next nodes, for its own to pass on: about as many as there are such
    /// groups, so that the root and the node that passes them on need about the same time.
    fn with_others(&mut self, now: Time, packet: Packet, mover: &dyn RootMover) -> Packet {
        let size = self.members.len().isqrt();
        let is_offer = matches!(packet.header, Header::Offer(_));
        let mut relayed = Relayed::new(&packet.payload);
        relayed.push(&packet.header);
        while relayed.len() < size
            && relayed.has_room()
            && let Some(&next) = self.outbox.front()
        {
            let Member { due, tries, .. } = self.members[next];
            let alike = if is_offer { due.offer } else { due.assign && !due.offer };
            if tries > 0 || !alike {
                break;
            }
            self.outbox.pop_front();
            self.members[next].due.queued = false;
            self.next_due(now, next, mover).iter().for_each(|packet| _ = relayed.push(&packet.header));
            if self.members[next].due.instruct {
                self.queue(next);
            }
        }
        relayed.packet(self.session, NodeNumber::FRONT_END)
    }

    /// The most urgent of the frames that are due to a node.
    fn next_due(&mut self, now: Time, index: usize, mover: &dyn RootMover) -> Option<Packet> {
        let session = self.session;
        let member = &mut self.members[index];
        if std::mem::take(&mut member.due.offer) {
            member.sent = now;
            let report_ms = u16::try_from(self.report_interval.as_millis()).unwrap_or(u16::MAX);
            let (manifest, offering) = (self.signed_manifest.clone(), member.offering);
            return Some(match self.invitation {
                Invitation::Mapped(epoch) => {
                    let to = member.number;
                    let challenge = Some(self.gate.as_ref().map_or_else(|| self.cookies.of(to), Gate::challenge));
                    Packet::with_payload(Offer { session, epoch, to, report_ms, challenge, offering }, manifest)
                }
                Invitation::Called(call) => Packet::with_payload(Call { report_ms, offering, ..call }, manifest),
            });
        }
        let (to, incarnation) = (member.number, member.incarnation.unwrap_or(0));
        if std::mem::take(&mut member.due.assign) {
            member.sent = now;
            let (revision, late, parents) = (member.revision, member.late, mover.parents(index));
            return Some(Packet::new(Assign { session, to, incarnation, revision, parents, late }));
        }
        std::mem::take(&mut member.due.instruct).then(|| {
            let report_now = std::mem::take(&mut member.due.report_now);
            let (answers, hand_over) = (member.report_serial, member.released);
            Packet::new(Instruct { session, to, incarnation, answers, report_now, hand_over })
        })
    }
}
