//! What runs on a node of a source-routed fabric in phase 1: the state machines side by side, as one for a driver.
//!
//! The responder answers probes, the route agent takes the routes that the front end loads over the reliable endpoint and
//! writes the master record to NVRAM, and the boot client takes part in the transfer of the image. The finder makes a node
//! that has a record known to the front end, and looks for it if the record is stale.

pub mod announce;
pub mod called;
pub mod finder;
pub mod nvram;
pub mod simulated;

use crate::image::ClusterPublicKey;
use crate::membership::ClusterSecret;
use crate::session::{
    BootClient, BootNode, ChunkStores, Credentials, HeldImage, ImageRecord, NodeConfig, NodeState, Ticket,
};
use finder::Finder;
use std::sync::Arc;
use twowire_fabric::endpoint::{EndpointConfig, Event, ReliableEndpoint};
use twowire_fabric::id::UniqueId;
use twowire_fabric::protocol::{Protocol, Transmit};
use twowire_fabric::responder::Responder;
use twowire_fabric::routes::{AgentEvent, Message, RouteAgent, RouteTable};
use twowire_fabric::time::Time;
use twowire_fabric::wire::{Family, Packet};
use twowire_route_store::{Medium, Store};

/// What is the same on all nodes.
#[derive(Clone)]
pub struct NodeSetup {
    /// The key in the nodes' flash: what they boot must be signed by it.
    pub key: ClusterPublicKey,
    /// The cluster's secret, if the nodes' flash holds one.
    pub secret: Option<ClusterSecret>,
    /// How the boot client behaves.
    pub boot: Arc<NodeConfig>,
    /// Where the boot client keeps its chunks.
    pub stores: Arc<dyn ChunkStores>,
}

impl NodeSetup {
    /// What the node with this card has of it.
    pub fn credentials(&self, card: UniqueId) -> Credentials {
        Credentials { card, key: self.key.clone(), secret: self.secret.clone() }
    }
}

/// Phase 1 of one node, from power-on to the hand-over.
pub struct Phase1<M> {
    nvram: Store<M>,
    running: Running,
}

/// What a power cut ends.
struct Running {
    responder: Responder,
    endpoint: ReliableEndpoint,
    agent: RouteAgent,
    boot: BootNode,
    finder: Option<Finder>,
    /// Routes are in use that nobody has proven to be the front end's: they are not in the NVRAM.
    unproven: bool,
}

impl Running {
    fn new(setup: &NodeSetup, id: UniqueId, finder: Option<Finder>, images: ImageRecord, seed: u64) -> Running {
        let mut boot =
            BootNode::with_stores(setup.boot.clone(), setup.credentials(id), Arc::clone(&setup.stores), seed);
        boot.set_image_record(images);
        Running {
            responder: Responder::new(id),
            endpoint: ReliableEndpoint::new(EndpointConfig::default(), id, seed),
            agent: RouteAgent::new(),
            boot,
            finder,
            unproven: false,
        }
    }
}

impl<M: Medium> Phase1<M> {
    /// A node that has just got power. `seed` must be another one each time.
    pub fn new(now: Time, setup: &NodeSetup, id: UniqueId, mut nvram: Store<M>, seed: u64) -> Phase1<M> {
        let (finder, images) = (finder(now, id, &mut nvram, seed), nvram::read_images(&mut nvram));
        Phase1 { running: Running::new(setup, id, finder, images, seed), nvram }
    }

    /// The power goes and comes back: all is lost but the NVRAM.
    pub fn power_cycle(&mut self, now: Time, setup: &NodeSetup, id: UniqueId, seed: u64) {
        let (finder, images) = (finder(now, id, &mut self.nvram, seed), nvram::read_images(&mut self.nvram));
        self.running = Running::new(setup, id, finder, images, seed);
    }

    /// Hands the endpoint's messages to the route agent, and sends its answers.
    fn serve_messages(&mut self, now: Time) {
        while let Some(event) = self.running.endpoint.poll_event() {
            let Event::Message { peer, message } = event else { continue };
            let Ok(message) = Message::parse(&message) else { continue };
            let (answer, change) = self.running.agent.handle_message(&message);
            if let Some(AgentEvent::Committed { epoch }) = change {
                self.take_routes(now, epoch);
            }
            if let Some(answer) = answer {
                // An answer for which there is no room is asked for again by the front end.
                let _ = self.running.endpoint.send(now, peer, answer.encode());
            }
        }
    }

    /// New routes are in use: into the NVRAM first, then to work. Who loads routes into a node that looks for its front
    /// end has yet to prove that it is the front end, by an offer.
    fn take_routes(&mut self, now: Time, epoch: u32) {
        self.running.unproven = self.running.finder.as_ref().is_some_and(Finder::is_searching);
        if !self.running.unproven {
            self.write_record();
        }
        self.running.responder.set_epoch(epoch);
        self.running.boot.set_routes(self.running.agent.table().clone());
        if let Some(finder) = &mut self.running.finder {
            finder.routes_loaded(now);
        }
    }

    fn write_record(&mut self) {
        if let Some(record) = self.running.agent.master_record(nvram::ALTERNATES)
            && let Err(error) = nvram::write(&mut self.nvram, &record)
        {
            tracing::warn!(node = %record.node, %error, "the master record could not be written");
        }
    }

    /// Writes down what the boot client has to have written down.
    fn keep_record(&mut self, now: Time) {
        nvram::keep(now, &mut self.nvram, &mut self.running.boot);
    }

    /// As [`Host::prefetch`](twowire_fabric::sim::Host::prefetch).
    pub fn prefetch(&self, depth: usize) {
        self.running.boot.prefetch(depth)
    }

    /// What the NVRAM is kept on, and how often it was written.
    pub fn nvram(&mut self) -> &mut Store<M> {
        &mut self.nvram
    }

    /// An offer that was accepted is signed with the cluster's key: whoever made it is the front end.
    fn look_at_offer(&mut self) {
        let state = self.running.boot.state();
        let waits =
            matches!(state, NodeState::NoRoutes | NodeState::Asking | NodeState::NoImage | NodeState::Refused(_));
        if waits || self.running.finder.is_none() {
            return;
        }
        self.running.finder = None;
        if std::mem::take(&mut self.running.unproven) {
            self.write_record();
        }
    }
}

impl<M: Medium> BootClient for Phase1<M> {
    fn state(&self) -> NodeState {
        self.running.boot.state()
    }

    fn image(&self) -> Option<HeldImage<'_>> {
        self.running.boot.image()
    }

    fn handed_over(&mut self, now: Time) {
        self.running.boot.handed_over(now);
        self.keep_record(now);
    }

    fn phase2_failed(&mut self, now: Time) {
        self.running.boot.phase2_failed(now);
        self.keep_record(now);
    }

    fn boots_fallback(&self) -> bool {
        self.running.boot.boots_fallback()
    }

    fn ticket(&self) -> Option<Ticket> {
        self.running.boot.ticket()
    }

    fn routes(&self) -> Option<Arc<RouteTable>> {
        self.running.boot.routes()
    }

    fn is_heard(&self) -> bool {
        self.running.boot.is_heard()
    }
}

impl<M: Medium> Protocol for Phase1<M> {
    fn handle_packet(&mut self, now: Time, packet: &Packet) {
        match packet.header.kind().family() {
            Family::Discovery => {
                if let Some(finder) = &mut self.running.finder {
                    finder.handle_packet(now, packet);
                    finder.session().into_iter().for_each(|session| self.running.responder.ignore_session(session));
                }
                self.running.responder.handle_packet(now, packet);
            }
            Family::Endpoint => {
                self.running.endpoint.handle_packet(now, packet);
                self.serve_messages(now);
            }
            Family::Boot => {
                self.running.boot.handle_packet(now, packet);
                self.look_at_offer();
                self.keep_record(now);
            }
        }
    }

    fn handle_timeout(&mut self, now: Time) {
        let due = |at: Option<Time>| at.is_some_and(|at| at <= now);
        if due(self.running.endpoint.poll_timeout()) {
            self.running.endpoint.handle_timeout(now);
            self.serve_messages(now);
        }
        if due(self.running.boot.poll_timeout()) {
            self.running.boot.handle_timeout(now);
            self.keep_record(now);
        }
        if let Some(finder) = &mut self.running.finder
            && due(finder.poll_timeout())
        {
            finder.handle_timeout(now);
        }
    }

    fn poll_transmit(&mut self, now: Time) -> Option<Transmit> {
        self.running
            .boot
            .poll_transmit(now)
            .or_else(|| self.running.responder.poll_transmit(now))
            .or_else(|| self.running.endpoint.poll_transmit(now))
            .or_else(|| self.running.finder.as_mut()?.poll_transmit(now))
    }

    fn poll_timeout(&self) -> Option<Time> {
        let finder = self.running.finder.as_ref().and_then(Protocol::poll_timeout);
        [self.running.boot.poll_timeout(), self.running.endpoint.poll_timeout(), finder].into_iter().flatten().min()
    }
}

/// A node whose NVRAM holds a record gets into touch with the front end.
fn finder<M: Medium>(now: Time, id: UniqueId, nvram: &mut Store<M>, seed: u64) -> Option<Finder> {
    nvram::read(nvram).map(|record| Finder::new(now, id, record, seed))
}
