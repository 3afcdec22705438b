//! What runs on each node of a simulated fabric: phase 1 from its flash, and phase 2 once it has handed over.
//!
//! The same state machines as on a real node, side by side: the responder answers probes, the route agent takes the routes
//! that the front end loads over the reliable endpoint and writes the master record to NVRAM, and the boot client takes
//! part in the transfer of the image. A power cycle loses all of it but the NVRAM and the keys.

use crate::announce::Announcer;
use crate::nvram;
use std::sync::Arc;
use twowire_fabric::endpoint::{EndpointConfig, Event, ReliableEndpoint};
use twowire_fabric::id::UniqueId;
use twowire_fabric::protocol::{Protocol, Transmit};
use twowire_fabric::responder::Responder;
use twowire_fabric::routes::{AgentEvent, Message, RouteAgent};
use twowire_fabric::sim::Host;
use twowire_fabric::time::Time;
use twowire_fabric::wire::{Family, Packet};
use twowire_multicast_boot::image::ClusterPublicKey;
use twowire_multicast_boot::session::{BootNode, ChunkStores, NodeConfig};
use twowire_route_store::{MemoryMedium, Store};

/// Bytes of a node's NVRAM.
const NVRAM_BYTES: usize = 1024;

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

/// One node, with what survives a power cut.
pub struct Node {
    setup: NodeSetup,
    seed: u64,
    power_cycles: u64,
    nvram: Store<MemoryMedium>,
    phase: Running,
}

/// What a power cut ends.
struct Running {
    responder: Responder,
    endpoint: ReliableEndpoint,
    agent: RouteAgent,
    boot: BootNode,
    announcer: Option<Announcer>,
}

impl Node {
    /// A node that has never had power, with empty NVRAM.
    pub fn new(setup: NodeSetup, seed: u64) -> Node {
        let nvram = Store::new(MemoryMedium::new(NVRAM_BYTES));
        let phase = Running::new(&setup, UniqueId(0), seed);
        Node { setup, seed, power_cycles: 0, nvram, phase }
    }

    /// The boot client.
    pub fn boot(&self) -> &BootNode {
        &self.phase.boot
    }

    /// The route agent.
    pub fn agent(&self) -> &RouteAgent {
        &self.phase.agent
    }

    /// The NVRAM.
    pub fn nvram(&self) -> &Store<MemoryMedium> {
        &self.nvram
    }

    /// Hands the endpoint's messages to the route agent, and sends its answers.
    fn serve_messages(&mut self, now: Time) {
        while let Some(event) = self.phase.endpoint.poll_event() {
            let Event::Message { peer, message } = event else { continue };
            let Ok(message) = Message::parse(&message) else { continue };
            let (answer, change) = self.phase.agent.handle_message(&message);
            if let Some(AgentEvent::Committed { epoch }) = change {
                self.take_routes(epoch);
            }
            if let Some(answer) = answer {
                // An answer for which there is no room is asked for again by the front end.
                let _ = self.phase.endpoint.send(now, peer, answer.encode());
            }
        }
    }

    /// New routes are in use: into the NVRAM first, then to work.
    fn take_routes(&mut self, epoch: u32) {
        if let Some(record) = self.phase.agent.master_record(nvram::ALTERNATES)
            && let Err(error) = nvram::write(&mut self.nvram, &record)
        {
            tracing::warn!(node = %record.node, %error, "the master record could not be written");
        }
        self.phase.responder.set_epoch(epoch);
        self.phase.boot.set_routes(self.phase.agent.table().clone());
        if let Some(announcer) = &mut self.phase.announcer {
            announcer.stop();
        }
    }
}

impl Running {
    fn new(setup: &NodeSetup, id: UniqueId, seed: u64) -> Running {
        Running {
            responder: Responder::new(id),
            endpoint: ReliableEndpoint::new(EndpointConfig::default(), id, seed),
            agent: RouteAgent::new(),
            boot: BootNode::with_stores(setup.boot, setup.key.clone(), Arc::clone(&setup.stores), seed),
            announcer: None,
        }
    }
}

impl Host for Node {
    fn power_on(&mut self, now: Time, id: UniqueId) {
        self.power_cycles += 1;
        let seed = self.seed ^ self.power_cycles.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        self.phase = Running::new(&self.setup, id, seed);
        self.phase.announcer = nvram::read(&mut self.nvram).map(|record| Announcer::new(now, id, &record));
    }
}

impl Protocol for Node {
    fn handle_packet(&mut self, now: Time, packet: &Packet) {
        match packet.header.kind().family() {
            Family::Discovery => self.phase.responder.handle_packet(now, packet),
            Family::Endpoint => {
                self.phase.endpoint.handle_packet(now, packet);
                self.serve_messages(now);
            }
            Family::Boot => self.phase.boot.handle_packet(now, packet),
        }
    }

    fn handle_timeout(&mut self, now: Time) {
        let due = |at: Option<Time>| at.is_some_and(|at| at <= now);
        if due(self.phase.endpoint.poll_timeout()) {
            self.phase.endpoint.handle_timeout(now);
            self.serve_messages(now);
        }
        if due(self.phase.boot.poll_timeout()) {
            self.phase.boot.handle_timeout(now);
        }
    }

    fn poll_transmit(&mut self, now: Time) -> Option<Transmit> {
        let phase = &mut self.phase;
        phase
            .boot
            .poll_transmit(now)
            .or_else(|| phase.responder.poll_transmit(now))
            .or_else(|| phase.endpoint.poll_transmit(now))
            .or_else(|| phase.announcer.as_mut()?.poll_transmit(now))
    }

    fn poll_timeout(&self) -> Option<Time> {
        let announce = self.phase.announcer.as_ref().and_then(Protocol::poll_timeout);
        [self.phase.boot.poll_timeout(), self.phase.endpoint.poll_timeout(), announce].into_iter().flatten().min()
    }
}
