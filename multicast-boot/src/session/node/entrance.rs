//! How a node gets into a session, and how it reaches the root of it: what differs between a fabric that is mapped and one
//! where cards find one another.

use super::super::mover::Carriage;
use super::Location;
use super::reporting::Attempt;
use crate::image::Shape;
use bytes::Bytes;
use std::sync::Arc;
use twowire_fabric::protocol::Transmit;
use twowire_fabric::routes::RouteTable;
use twowire_fabric::time::Time;
use twowire_fabric::wire::boot::{Admit, Answer, Call, Challenge, Offering, Relay};
use twowire_fabric::wire::{Header, Packet};

/// An image that a root offers to this node.
#[derive(Clone)]
pub(super) struct Offered {
    pub(super) session: u32,
    /// How often the node is to report, in milliseconds.
    pub(super) report_ms: u16,
    pub(super) signed_manifest: Bytes,
    pub(super) offering: Offering,
    /// The call, where the root has called all.
    pub(super) call: Option<Call>,
    /// What the node has to prove, if anything.
    pub(super) challenge: Option<Challenge>,
    /// Why the node refuses whatever the image is.
    pub(super) objection: Option<Answer>,
}

/// What an [`Admit`] means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Admission {
    /// It is not for this node, or not of its session.
    NotOurs,
    /// The root of the session has spoken, and nothing has changed.
    Heard,
    /// The node has its number from now on, and takes part.
    Complete,
}

/// The way in. The session asks for offers, and judges them; this says it, in the fabric's way.
pub(super) trait Entrance: Send {
    /// Where the node is; `None` as long as it has no number.
    fn location(&self) -> Option<&Location>;

    /// True if the node can ask for an offer.
    fn can_ask(&self) -> bool;

    /// The routes that the node holds from now on. Where cards find one another none are needed.
    fn set_routes(&mut self, _routes: Arc<RouteTable>) {}

    /// Reads an offer; `None` if the packet is none for this node, or not yet all of one.
    fn read_offer(&mut self, packet: &Packet) -> Option<Offered>;

    /// How the image of an offer comes to this node; `None` if it cannot.
    fn carriage(&self, offered: &Offered, shape: Shape) -> Option<Carriage>;

    /// The node has judged an offer: the root is to know.
    fn answer(&mut self, now: Time, offered: &Offered, answer: Answer);

    /// The session that the node takes part in has been offered again.
    fn confirm(&mut self, _offered: &Offered) {}

    /// Takes what a root says to one that has answered its call.
    fn on_admit(&mut self, _now: Time, _admit: &Admit) -> Admission {
        Admission::NotOurs
    }

    /// Takes several frames in one, passes on those for others, and returns those for this node.
    fn on_relay(&mut self, _now: Time, _relay: &Relay, _payload: &Bytes) -> Vec<Packet> {
        Vec::new()
    }

    /// A frame for the root of this session.
    fn to_root(&mut self, session: u32, header: Header, attempt: Attempt) -> Option<Transmit>;

    /// Time has passed. A node that takes part in no session asks for an offer now and then.
    fn handle_timeout(&mut self, now: Time, in_session: bool, rng: &mut fastrand::Rng);

    /// The next frame, if there is one.
    fn poll_transmit(&mut self, now: Time) -> Option<Transmit>;

    /// When it wants to be called next; [`Time::MAX`] for never.
    fn next_timeout(&self) -> Time;
}
