//! A node of a simulated fabric: phase 1 from its flash, and phase 2 once it has handed over.
//!
//! The same state machines as on a real node. A power cycle loses all of them but the NVRAM and the keys.

use super::{NodeSetup, Phase1};
use twowire_fabric::id::UniqueId;
use twowire_fabric::protocol::{Protocol, Transmit};
use twowire_fabric::sim::{Fault, Host, Sim, SimConfig, SimPort};
use twowire_fabric::time::Time;
use twowire_fabric::topology::{HostId, Topology};
use twowire_fabric::wire::Packet;
use twowire_route_store::{MemoryMedium, Store};

/// Bytes of a node's NVRAM.
const NVRAM_BYTES: usize = 1024;

/// One node, with what survives a power cut.
pub struct Node {
    setup: NodeSetup,
    seed: u64,
    power_cycles: u64,
    phase1: Phase1<MemoryMedium>,
}

impl Node {
    /// A node that has never had power, with empty NVRAM.
    pub fn new(setup: NodeSetup, seed: u64) -> Node {
        let nvram = Store::new(MemoryMedium::new(NVRAM_BYTES));
        let phase1 = Phase1::new(Time::ZERO, &setup, UniqueId(0), nvram, seed);
        Node { setup, seed, power_cycles: 0, phase1 }
    }
}

impl Host for Node {
    fn power_on(&mut self, now: Time, id: UniqueId) {
        self.power_cycles += 1;
        let seed = self.seed ^ self.power_cycles.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        self.phase1.power_cycle(now, &self.setup, id, seed);
    }

    fn prefetch(&self, depth: usize) {
        self.phase1.prefetch(depth)
    }
}

impl Protocol for Node {
    fn handle_packet(&mut self, now: Time, packet: &Packet) {
        self.phase1.handle_packet(now, packet);
    }

    fn handle_timeout(&mut self, now: Time) {
        self.phase1.handle_timeout(now);
    }

    fn poll_transmit(&mut self, now: Time) -> Option<Transmit> {
        self.phase1.poll_transmit(now)
    }

    fn poll_timeout(&self) -> Option<Time> {
        self.phase1.poll_timeout()
    }
}

/// The front end's port of a simulated fabric, all of whose hosts have power since time 0; `faults` will happen at their times.
pub fn simulate(
    topology: &Topology,
    front_end: HostId,
    setup: &NodeSetup,
    faults: &[(Time, Fault)],
    seed: u64,
) -> SimPort<Node> {
    let mut rng = fastrand::Rng::with_seed(seed);
    let sim_seed = rng.u64(..);
    let mut sim = Sim::new(topology, SimConfig::default(), sim_seed, |_| Node::new(setup.clone(), rng.u64(..)));
    for &(at, fault) in faults {
        sim.inject(at, fault);
    }
    SimPort::new(sim, front_end)
}
