//! What runs on a node of a source-routed fabric in phase 1: the state machines side by side, as one for a driver.
//!
//! The responder answers probes, the route agent takes the routes that the front end loads over the reliable endpoint and
//! writes the master record to NVRAM, and the boot client takes part in the transfer of the image.

pub mod announce;
pub mod nvram;
pub mod simulated;

use crate::image::ClusterPublicKey;
use crate::session::{BootClient, BootNode, ChunkStores, HeldImage, NodeConfig, NodeState};
use announce::Announcer;
use std::sync::Arc;
use twowire_fabric::endpoint::{EndpointConfig, Event, ReliableEndpoint};
use twowire_fabric::id::UniqueId;
use twowire_fabric::protocol::{Protocol, Transmit};
use twowire_fabric::responder::Responder;
use twowire_fabric::routes::{AgentEvent, Message, RouteAgent};
use twowire_fabric::time::Time;
use twowire_fabric::wire::{Family, Packet};
use twowire_route_store::{Medium, Store};

/// What is the same on all nodes.
#[derive(Clone)]
pub struct NodeSetup {
    /// The key in the nodes' flash: what they boot must be signed by it.
    pub key: ClusterPublicKey,
    /// How the boot client behaves.
    pub boot: NodeConfig,
    /// Where the boot client keeps its chunks.
    pub stores: Arc<dyn ChunkStores>,
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
    announcer: Option<Announcer>,
}

impl Running {
    fn new(setup: &NodeSetup, id: UniqueId, announcer: Option<Announcer>, seed: u64) -> Running {
        Running {
            responder: Responder::new(id),
            endpoint: ReliableEndpoint::new(EndpointConfig::default(), id, seed),
            agent: RouteAgent::new(),
            boot: BootNode::with_stores(setup.boot, setup.key.clone(), Arc::clone(&setup.stores), seed),
            announcer,
        }
    }
}

impl<M: Medium> Phase1<M> {
    /// A node that has just got power. `seed` must be another one each time.
    pub fn new(now: Time, setup: &NodeSetup, id: UniqueId, mut nvram: Store<M>, seed: u64) -> Phase1<M> {
        let announcer = announcer(now, id, &mut nvram);
        Phase1 { running: Running::new(setup, id, announcer, seed), nvram }
    }

    /// The power goes and comes back: all is lost but the NVRAM.
    pub fn power_cycle(&mut self, now: Time, setup: &NodeSetup, id: UniqueId, seed: u64) {
        let announcer = announcer(now, id, &mut self.nvram);
        self.running = Running::new(setup, id, announcer, seed);
    }

    /// The boot client.
    pub fn boot(&self) -> &BootNode {
        &self.running.boot
    }

    /// The route agent.
    pub fn agent(&self) -> &RouteAgent {
        &self.running.agent
    }

    /// The NVRAM.
    pub fn nvram(&self) -> &Store<M> {
        &self.nvram
    }

    /// Hands the endpoint's messages to the route agent, and sends its answers.
    fn serve_messages(&mut self, now: Time) {
        while let Some(event) = self.running.endpoint.poll_event() {
            let Event::Message { peer, message } = event else { continue };
            let Ok(message) = Message::parse(&message) else { continue };
            let (answer, change) = self.running.agent.handle_message(&message);
            if let Some(AgentEvent::Committed { epoch }) = change {
                self.take_routes(epoch);
            }
            if let Some(answer) = answer {
                // An answer for which there is no room is asked for again by the front end.
                let _ = self.running.endpoint.send(now, peer, answer.encode());
            }
        }
    }

    /// New routes are in use: into the NVRAM first, then to work.
    fn take_routes(&mut self, epoch: u32) {
        if let Some(record) = self.running.agent.master_record(nvram::ALTERNATES)
            && let Err(error) = nvram::write(&mut self.nvram, &record)
        {
            tracing::warn!(node = %record.node, %error, "the master record could not be written");
        }
        self.running.responder.set_epoch(epoch);
        self.running.boot.set_routes(self.running.agent.table().clone());
        if let Some(announcer) = &mut self.running.announcer {
            announcer.stop();
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
    }

    fn is_heard(&self) -> bool {
        self.running.boot.is_heard()
    }
}

impl<M: Medium> Protocol for Phase1<M> {
    fn handle_packet(&mut self, now: Time, packet: &Packet) {
        match packet.header.kind().family() {
            Family::Discovery => self.running.responder.handle_packet(now, packet),
            Family::Endpoint => {
                self.running.endpoint.handle_packet(now, packet);
                self.serve_messages(now);
            }
            Family::Boot => self.running.boot.handle_packet(now, packet),
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
        }
    }

    fn poll_transmit(&mut self, now: Time) -> Option<Transmit> {
        self.running
            .boot
            .poll_transmit(now)
            .or_else(|| self.running.responder.poll_transmit(now))
            .or_else(|| self.running.endpoint.poll_transmit(now))
            .or_else(|| self.running.announcer.as_mut()?.poll_transmit(now))
    }

    fn poll_timeout(&self) -> Option<Time> {
        let announce = self.running.announcer.as_ref().and_then(Protocol::poll_timeout);
        [self.running.boot.poll_timeout(), self.running.endpoint.poll_timeout(), announce].into_iter().flatten().min()
    }
}

/// A node whose NVRAM holds a record makes itself known.
fn announcer<M: Medium>(now: Time, id: UniqueId, nvram: &mut Store<M>) -> Option<Announcer> {
    nvram::read(nvram).map(|record| Announcer::new(now, id, &record))
}
