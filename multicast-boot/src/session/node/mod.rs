//! The node's side of a transfer: it joins, lets a mover bring the image and pass it on, reports, and hands over.
//!
//! | module | what it is |
//! |---|---|
//! | `entrance` | how a node gets in and reaches the root: the side towards this one |
//! | `mapped`, `relay` | the way in along routes |
//! | `called`, `call_parts` | the way in where cards find one another |
//! | `images` | what the NVRAM says of images |
//! | `offers` | an offer is judged, and a session begins |
//! | `session`, `reporting` | how far the node is, and what the root hears of it |
//! | `location`, `identity` | where the node is, and who |

mod call_parts;
mod called;
mod entrance;
mod identity;
mod images;
mod location;
mod mapped;
mod offers;
mod relay;
mod reporting;
mod session;

use super::client::BootClient;
use super::held::HeldImage;
use super::mover::{Context, NodeMover};
use super::node_state::{NodeConfig, NodeCounters, NodeState};
use super::ready::Ticket;
use super::store::ChunkStores;
use crate::image::ClusterPublicKey;
use called::CalledEntrance;
use entrance::{Admission, Entrance};
pub use identity::Credentials;
use identity::Identity;
pub use images::ImageRecord;
pub(crate) use location::Location;
use mapped::MappedEntrance;
use session::Session;
use std::sync::Arc;
use twowire_fabric::id::NodeNumber;
use twowire_fabric::prefetch::prefetch;
use twowire_fabric::protocol::{Protocol, Transmit};
use twowire_fabric::routes::RouteTable;
use twowire_fabric::time::Time;
use twowire_fabric::wire::boot::{Admit, Answer, Assign, Instruct, Offering, Stage};
use twowire_fabric::wire::{Header, Packet};

/// One node: see the module.
pub struct BootNode {
    config: Arc<NodeConfig>,
    key: Box<ClusterPublicKey>,
    stores: Arc<dyn ChunkStores>,
    rng: fastrand::Rng,
    identity: Identity,
    entrance: Box<dyn Entrance>,
    session: Option<Session>,
    /// What the NVRAM says of images; `None` if nobody keeps a record.
    images: Option<ImageRecord>,
    /// The record cannot be written.
    cannot_record: bool,
    /// The last offer that was refused.
    refused: Option<Answer>,
    /// The front end has said that it has no image for this node.
    has_no_image: bool,
    counters: NodeCounters,
}

impl BootNode {
    /// A node that waits for routes. It keeps its chunks in one of `stores`. Nodes of one process can share their configuration.
    pub fn with_stores(
        config: impl Into<Arc<NodeConfig>>,
        credentials: Credentials,
        stores: Arc<dyn ChunkStores>,
        seed: u64,
    ) -> BootNode {
        let config = config.into();
        BootNode::enter_by(config.clone(), credentials, stores, seed, |identity| {
            Box::new(MappedEntrance::new(config, identity))
        })
    }

    /// A node that gets the image with its group, on a port with so large payloads, which must have joined the group
    /// [`NODES`](super::NODES).
    pub fn for_group(
        config: impl Into<Arc<NodeConfig>>,
        credentials: Credentials,
        stores: Arc<dyn ChunkStores>,
        max_payload: usize,
        seed: u64,
    ) -> BootNode {
        let config = config.into();
        let timing = config.timing;
        BootNode::enter_by(config, credentials, stores, seed, |identity| {
            Box::new(CalledEntrance::new(timing, identity, max_payload))
        })
    }

    fn enter_by(
        config: Arc<NodeConfig>,
        credentials: Credentials,
        stores: Arc<dyn ChunkStores>,
        seed: u64,
        entrance: impl FnOnce(Identity) -> Box<dyn Entrance>,
    ) -> BootNode {
        let mut rng = fastrand::Rng::with_seed(seed);
        let identity = Identity::new(&credentials, rng.u32(1..));
        BootNode {
            config,
            key: Box::new(credentials.key),
            stores,
            rng,
            entrance: entrance(identity.clone()),
            identity,
            session: None,
            images: None,
            cannot_record: false,
            refused: None,
            has_no_image: false,
            counters: NodeCounters::default(),
        }
    }

    /// The routes that the node holds from now on. With them it asks for an offer by itself, unless it takes part
    /// already.
    pub fn set_routes(&mut self, routes: impl Into<Arc<RouteTable>>) {
        self.entrance.set_routes(routes.into());
    }

    /// The node's number, once it has one.
    pub fn number(&self) -> Option<NodeNumber> {
        self.entrance.location().map(Location::own)
    }

    /// What it has counted.
    pub fn counters(&self) -> NodeCounters {
        let mut counters = self.counters;
        if let Some(session) = &self.session {
            counters += session.mover.counters();
        }
        counters
    }

    /// As [`Host::prefetch`](twowire_fabric::sim::Host::prefetch).
    pub fn prefetch(&self, depth: usize) {
        match (depth, &self.session) {
            (0, _) => prefetch(self),
            (1, Some(session)) => {
                prefetch(&*self.entrance);
                prefetch(&*session.mover);
            }
            (_, Some(session)) => session.mover.prefetch(depth - 2),
            (_, None) => {}
        }
    }

    /// The session with this id, if the node takes part in it as this number and this start.
    fn session_as(&mut self, id: u32, number: NodeNumber, incarnation: u32) -> Option<(&mut Session, &Location)> {
        let location = self.entrance.location().filter(|location| location.own() == number)?;
        let session = self.session.as_mut().filter(|s| s.id == id && incarnation == self.identity.incarnation)?;
        Some((session, location))
    }

    fn on_assign(&mut self, now: Time, assign: &Assign) {
        let timing = self.config.timing;
        if let Some((session, location)) = self.session_as(assign.session, assign.to, assign.incarnation) {
            session.on_assign(now, &timing, location, assign);
        }
    }

    fn on_instruct(&mut self, now: Time, instruct: &Instruct) {
        let timing = self.config.timing;
        // 0 means any start.
        let incarnation = if instruct.incarnation == 0 { self.identity.incarnation } else { instruct.incarnation };
        if let Some((session, _)) = self.session_as(instruct.session, instruct.to, incarnation) {
            session.on_instruct(now, &timing, instruct);
        }
    }

    fn on_admit(&mut self, now: Time, admit: &Admit) {
        let admission = self.entrance.on_admit(now, admit);
        let Some(session) = self.session.as_mut().filter(|_| admission != Admission::NotOurs) else { return };
        session.root_heard = now;
        if admission == Admission::Complete {
            session.admitted(now);
        }
    }

    /// Lets the mover of the session work.
    fn with_mover<R>(&mut self, now: Time, work: impl FnOnce(&mut dyn NodeMover, &mut Context<'_>) -> R) -> Option<R> {
        let (session, location) = (self.session.as_mut()?, self.entrance.location()?);
        Some(session.with_mover(now, &self.config.timing, location, work))
    }

    fn give_to_mover(&mut self, now: Time, packet: &Packet) {
        if let (Some(session), Some(location)) = (&mut self.session, self.entrance.location()) {
            session.handle_packet(now, &self.config.timing, location, packet);
        }
    }

    fn poll_report(&mut self, now: Time) -> Option<Transmit> {
        let (session, location) = (self.session.as_mut()?, self.entrance.location()?);
        let (incarnation, rejected) = (self.identity.incarnation, self.counters.rejected);
        let (report, attempt) = session.poll_report(now, &self.config.timing, location, incarnation, rejected)?;
        self.entrance.to_root(report.session, report.into(), attempt)
    }
}

impl BootClient for BootNode {
    fn state(&self) -> NodeState {
        match (&self.session, self.refused) {
            (Some(session), _) => session.state(),
            (None, Some(answer)) => NodeState::Refused(answer),
            (None, None) if self.has_no_image => NodeState::NoImage,
            (None, None) if self.entrance.can_ask() => NodeState::Asking,
            (None, None) => NodeState::NoRoutes,
        }
    }

    fn image(&self) -> Option<HeldImage<'_>> {
        self.session.as_ref().filter(|s| s.stage >= Stage::Verified)?.mover.image()
    }

    fn handed_over(&mut self, now: Time) {
        if let Some(session) = &mut self.session {
            session.handed_over(now);
        }
    }

    fn ticket(&self) -> Option<Ticket> {
        let session = self.session.as_ref().filter(|s| s.stage == Stage::HandingOver)?;
        let (location, serial) = (self.entrance.location()?, session.report.serial_far_ahead());
        Ticket::new(session.id, location.own(), self.identity.incarnation, serial, location.all_to_front_end())
    }

    fn routes(&self) -> Option<Arc<RouteTable>> {
        self.entrance.location()?.routes()
    }

    fn phase2_failed(&mut self, _: Time) {
        self.note_failure();
    }

    fn boots_fallback(&self) -> bool {
        self.session.as_ref().is_some_and(|session| session.trial.offering == Offering::Fallback)
    }

    fn is_heard(&self) -> bool {
        self.session.as_ref().is_some_and(|session| !session.report.is_unanswered())
    }
}

impl Protocol for BootNode {
    fn handle_packet(&mut self, now: Time, packet: &Packet) {
        match &packet.header {
            Header::Offer(_) | Header::Call(_) => self.on_offer(now, packet),
            Header::Admit(admit) => self.on_admit(now, admit),
            Header::Assign(assign) => self.on_assign(now, assign),
            Header::Instruct(instruct) => self.on_instruct(now, instruct),
            Header::Relay(relay) => {
                let ours = self.entrance.on_relay(now, relay, &packet.payload);
                ours.iter().for_each(|packet| self.handle_packet(now, packet));
            }
            // Between others and the root.
            Header::Join(_) | Header::Enlist(_) | Header::Report(_) => {}
            _ => self.give_to_mover(now, packet),
        }
    }

    fn handle_timeout(&mut self, now: Time) {
        self.entrance.handle_timeout(now, self.session.is_some(), &mut self.rng);
        self.with_mover(now, |mover, context| mover.handle_timeout(context));
        if let Some(session) = &mut self.session {
            session.note_orphaned(&self.config.timing);
            session.handle_timeout(now, &self.config);
        }
    }

    fn poll_transmit(&mut self, now: Time) -> Option<Transmit> {
        self.entrance
            .poll_transmit(now)
            .or_else(|| self.poll_report(now))
            .or_else(|| self.with_mover(now, |mover, context| mover.poll_transmit(context)).flatten())
    }

    fn poll_timeout(&self) -> Option<Time> {
        let session = self.session.as_ref().map_or(Time::MAX, |session| session.next_timeout());
        let at = session.min(self.entrance.next_timeout());
        (at != Time::MAX).then_some(at)
    }
}
