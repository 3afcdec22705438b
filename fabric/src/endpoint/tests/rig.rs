//! Hosts with a reliable endpoint each in the simulator: two line crossbars, four spines, so four routes between most pairs.

use crate::endpoint::conformance::Rig;
use crate::endpoint::{EndpointConfig, Event, MessageId, ReliableEndpoint, SendError};
use crate::id::UniqueId;
use crate::protocol::{Path, Protocol, Transmit};
use crate::route::{Hop, Route};
use crate::sim::{Fault, Host, Sim, SimConfig};
use crate::time::Time;
use crate::topology::{CrossbarId, HostId, PortId, Topology};
use crate::wire::Packet;
use bytes::Bytes;
use std::time::Duration;

pub(super) const SPINES: usize = 4;
const UP: u8 = 16;

/// A host whose program is its endpoint.
pub(super) struct Node {
    config: EndpointConfig,
    seed: u64,
    pub(super) endpoint: ReliableEndpoint,
}

impl Protocol for Node {
    fn handle_packet(&mut self, now: Time, packet: &Packet) {
        self.endpoint.handle_packet(now, packet);
    }

    fn handle_timeout(&mut self, now: Time) {
        self.endpoint.handle_timeout(now);
    }

    fn poll_transmit(&mut self, now: Time) -> Option<Transmit> {
        self.endpoint.poll_transmit(now)
    }

    fn poll_timeout(&self) -> Option<Time> {
        self.endpoint.poll_timeout()
    }
}

impl Host for Node {
    fn power_on(&mut self, _now: Time, id: UniqueId) {
        self.seed = self.seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) + 1;
        self.endpoint = ReliableEndpoint::new(self.config.clone(), id, self.seed);
    }
}

/// The rig.
pub(super) struct SimRig {
    pub(super) sim: Sim<Node>,
    pub(super) topology: Topology,
}

/// Small memories, so that back-pressure comes soon.
pub(super) fn small() -> EndpointConfig {
    EndpointConfig { send_memory: 4 << 20, peer_timeout: Duration::from_millis(500), ..EndpointConfig::default() }
}

impl SimRig {
    pub(super) fn new(hosts: usize, seed: u64, config: &EndpointConfig) -> SimRig {
        let topology = two_level(hosts);
        let sim = Sim::new(&topology, SimConfig::default(), seed, |host| {
            let seed = seed ^ u64::from(host.0) << 32;
            let endpoint = ReliableEndpoint::new(config.clone(), UniqueId(0), seed);
            Node { config: config.clone(), seed, endpoint }
        });
        SimRig { sim, topology }
    }

    pub(super) fn inject(&mut self, faults: &[Fault]) {
        faults.iter().for_each(|&f| self.sim.inject(self.sim.now(), f));
    }

    /// The cable from line crossbar `line` to a spine.
    pub(super) fn up_cable(line: u32, spine: usize) -> PortId {
        PortId::new(CrossbarId(line), UP + spine as u8)
    }

    /// Every route from one host to another: over each spine, and directly where both are on one crossbar.
    pub(super) fn routes(&self, from: usize, to: usize) -> Vec<Path> {
        let place = |host: usize| ((host % 2) as u8, (host / 2) as u8);
        let ((line_a, port_a), (line_b, port_b)) = (place(from), place(to));
        let direct = (line_a == line_b).then(|| vec![Hop::between(port_a, port_b)]);
        let over = |spine: u8| {
            vec![Hop::between(port_a, UP + spine), Hop::between(line_a, line_b), Hop::between(UP + spine, port_b)]
        };
        let routes = direct.into_iter().chain((0..SPINES as u8).map(over));
        routes.map(|hops| Path::Hops(Route::from_hops(&hops).expect("a short route"))).collect()
    }

    pub(super) fn endpoint(&mut self, host: usize) -> &mut ReliableEndpoint {
        &mut self.sim.host_mut(HostId(host as u32)).endpoint
    }

    pub(super) fn run(&mut self, time: Duration) {
        let until = self.sim.now() + time;
        self.sim.run_until(until);
    }
}

/// Host `h` is at port `h / 2` of line crossbar `h % 2`; a line's port `16 + s` leads to its port of spine `s`.
fn two_level(hosts: usize) -> Topology {
    let mut topology = Topology::new("rig");
    let lines: Vec<CrossbarId> =
        (0..2).map(|l| topology.add_crossbar(format!("line{l}"), UP + SPINES as u8).expect("a fresh name")).collect();
    for spine in 0..SPINES as u8 {
        let id = topology.add_crossbar(format!("spine{spine}"), 2).expect("a fresh name");
        for (l, &line) in lines.iter().enumerate() {
            topology.connect(PortId::new(line, UP + spine), PortId::new(id, l as u8)).expect("free ports");
        }
    }
    for h in 0..hosts {
        let id = topology.add_host(format!("h{h}"), UniqueId(0xa0 + h as u64), 1).expect("a fresh name");
        topology.connect(PortId::new(id, 0), PortId::new(lines[h % 2], (h / 2) as u8)).expect("free ports");
    }
    topology
}

impl Rig for SimRig {
    fn hosts(&self) -> usize {
        self.topology.hosts().len()
    }

    fn unique_id(&self, host: usize) -> UniqueId {
        self.sim.unique_id(HostId(host as u32))
    }

    fn now(&self) -> Time {
        self.sim.now()
    }

    fn max_message(&self) -> usize {
        self.sim.hosts()[0].config.max_message
    }

    fn connect(&mut self, from: usize, to: usize) {
        let (now, peer, routes) = (self.now(), self.unique_id(to), self.routes(from, to));
        self.endpoint(from).connect(now, peer, routes);
        self.sim.wake(HostId(from as u32));
    }

    fn send(&mut self, from: usize, to: usize, message: Bytes) -> Result<MessageId, SendError> {
        let (now, peer) = (self.now(), self.unique_id(to));
        let id = self.endpoint(from).send(now, peer, message);
        self.sim.wake(HostId(from as u32));
        id
    }

    fn poll_event(&mut self, host: usize) -> Option<Event> {
        let event = self.endpoint(host).poll_event();
        if event.is_some() {
            self.sim.wake(HostId(host as u32));
        }
        event
    }

    fn advance(&mut self) {
        self.run(Duration::from_micros(50));
    }

    fn stop(&mut self, host: usize) {
        self.inject(&[Fault::Crash(HostId(host as u32))]);
    }

    fn restart(&mut self, host: usize) {
        self.inject(&[Fault::Restart(HostId(host as u32))]);
    }
}
