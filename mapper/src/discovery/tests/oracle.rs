//! A fabric in a few lines: walks a probe through a topology, and answers after the time that it would take.
//!
//! 1 µs of the front end's time for each frame sent and each received, 0.3 µs for each crossbar, 2 µs at the host that
//! answers. It has no queues, and is much faster than the simulator.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::Duration;
use twowire_fabric::id::UniqueId;
use twowire_fabric::protocol::{Path, Protocol, Transmit};
use twowire_fabric::route::Route;
use twowire_fabric::time::Time;
use twowire_fabric::topology::{HostId, NodeId, PortId, Topology};
use twowire_fabric::wire::probe::ProbeReply;
use twowire_fabric::wire::{Header, Packet};

const HOST_WORK: Duration = Duration::from_micros(1);
const CROSSBAR: Duration = Duration::from_nanos(300);

/// The fabric as seen from one host.
pub(crate) struct Oracle {
    pub(crate) topology: Topology,
    pub(crate) front_end: HostId,
    /// Probability that a probe or its answer is lost on the way.
    pub(crate) loss: f64,
    pub(crate) rng: fastrand::Rng,
    pub(crate) now: Time,
    free_to_send: Time,
    free_to_receive: Time,
    on_the_way: BinaryHeap<Reverse<(Time, u64)>>,
    packets: std::collections::HashMap<u64, Packet>,
    sent: u64,
}

/// Where a frame ends: at a host, or nowhere.
pub(crate) fn walk(topology: &Topology, from: HostId, route: &Route) -> Option<HostId> {
    let mut at = topology.peer(PortId::new(from, 0))?;
    for hop in route.hops() {
        let NodeId::Crossbar(_) = at.node else { return None };
        at = topology.peer(PortId::new(at.node, hop.out_of(at.port)))?;
    }
    match at.node {
        NodeId::Host(host) => Some(host),
        NodeId::Crossbar(_) => None,
    }
}

impl Oracle {
    pub(crate) fn new(topology: Topology, loss: f64, seed: u64) -> Oracle {
        Oracle {
            topology,
            front_end: HostId(0),
            loss,
            rng: fastrand::Rng::with_seed(seed),
            now: Time::ZERO,
            free_to_send: Time::ZERO,
            free_to_receive: Time::ZERO,
            on_the_way: BinaryHeap::new(),
            packets: Default::default(),
            sent: 0,
        }
    }

    pub(crate) fn own_id(&self) -> UniqueId {
        self.topology.host(self.front_end).id
    }

    fn send(&mut self, transmit: Transmit) {
        let Path::Hops(route) = transmit.path else { panic!("a source-routed fabric") };
        self.free_to_send = self.now + HOST_WORK;
        let Header::Probe(probe) = transmit.packet.header else { panic!("discovery sends only probes") };
        assert_eq!(&transmit.packet.payload[..], route.as_bytes());
        let Some(host) = walk(&self.topology, self.front_end, &route) else { return };
        if self.rng.f64() < self.loss {
            return;
        }
        let crossing = CROSSBAR * route.len() as u32;
        let (packet, flight) = if host == self.front_end {
            (transmit.packet, crossing)
        } else {
            assert_eq!(walk(&self.topology, host, &route.reversed()), Some(self.front_end));
            let id = self.topology.host(host).id;
            let reply =
                ProbeReply { session: probe.session, nonce: probe.nonce, id, epoch: 0, role: Default::default() };
            (Packet::new(reply), 2 * crossing + 2 * HOST_WORK)
        };
        if self.rng.f64() < self.loss {
            return;
        }
        self.sent += 1;
        self.packets.insert(self.sent, packet);
        self.on_the_way.push(Reverse((self.free_to_send + flight, self.sent)));
    }

    /// Runs a state machine until `stop`; `change` may alter the topology before each step.
    pub(crate) fn run<P: Protocol>(
        &mut self,
        protocol: &mut P,
        mut stop: impl FnMut(&P) -> bool,
        mut change: impl FnMut(&mut Oracle),
    ) {
        while !stop(protocol) {
            change(self);
            while self.free_to_send <= self.now {
                let Some(transmit) = protocol.poll_transmit(self.now) else { break };
                self.send(transmit);
            }
            if stop(protocol) {
                return;
            }
            let arrival = self.on_the_way.peek().map(|Reverse((at, _))| (*at).max(self.free_to_receive));
            let sendable = (self.free_to_send > self.now).then_some(self.free_to_send);
            let next = [arrival, sendable, protocol.poll_timeout()].into_iter().flatten().min();
            let next = next.expect("a protocol that is not done waits for something");
            self.now = self.now.max(next);
            assert!(self.now < Time::from_nanos(60_000_000_000), "a minute of fabric time");
            if arrival.is_some_and(|at| at <= self.now) {
                let Reverse((_, index)) = self.on_the_way.pop().unwrap();
                self.free_to_receive = self.now + HOST_WORK;
                protocol.handle_packet(self.now, &self.packets.remove(&index).unwrap());
            }
            if protocol.poll_timeout().is_some_and(|at| at <= self.now) {
                protocol.handle_timeout(self.now);
            }
        }
    }
}
