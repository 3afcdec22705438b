//! Tests of the simulator: the model's timing, its back-pressure, its faults, and that it is deterministic.

mod ahead;
mod conformance;
mod faults;
mod flow;
mod outside;
mod spec;
mod timing;

use super::*;
use crate::id::UniqueId;
use crate::protocol::{Protocol, Transmit};
use crate::route::{Hop, Route};
use crate::time::Time;
use crate::topology::{CrossbarId, HostId, NodeId, PortId, Topology};
use crate::wire::Packet;
use crate::wire::probe::Probe;
use bytes::Bytes;
use std::cell::Cell;
use std::collections::VecDeque;

/// A program that sends what it is given, and remembers what came in.
#[derive(Default)]
struct Node {
    id: UniqueId,
    boots: u32,
    /// To be sent once each.
    outbox: VecDeque<Transmit>,
    /// To be sent again and again, in turn, for ever.
    stream: Vec<Transmit>,
    sent: usize,
    received: Vec<(Time, Packet)>,
    timer: Option<Time>,
    fired: Vec<Time>,
    /// How often it was to prefetch, at each depth.
    prefetched: [Cell<u64>; run::DEPTHS],
}

impl Protocol for Node {
    fn handle_packet(&mut self, now: Time, packet: &Packet) {
        self.received.push((now, packet.clone()));
    }
    fn handle_timeout(&mut self, now: Time) {
        self.fired.push(now);
        self.timer = None;
    }
    fn poll_transmit(&mut self, _: Time) -> Option<Transmit> {
        let next = self.outbox.pop_front();
        let next =
            next.or_else(|| (!self.stream.is_empty()).then(|| self.stream[self.sent % self.stream.len()].clone()));
        self.sent += usize::from(next.is_some());
        next
    }
    fn poll_timeout(&self) -> Option<Time> {
        self.timer
    }
}

impl Host for Node {
    fn power_on(&mut self, _: Time, id: UniqueId) {
        *self = Node { id, boots: self.boots + 1, stream: std::mem::take(&mut self.stream), ..Node::default() };
    }
    fn prefetch(&self, depth: usize) {
        self.prefetched[depth].update(|count| count + 1);
    }
}

const PAYLOAD: usize = 4096;
/// Bytes of a probe's header and of the CRC-32.
const OVERHEAD: usize = 12 + 4;

fn at(ns: u64) -> Time {
    Time::from_nanos(ns)
}

fn packet(nonce: u32, payload: usize) -> Packet {
    Packet::with_payload(Probe { session: 1, nonce }, Bytes::from(vec![nonce as u8; payload]))
}

/// A row of crossbars of 8 ports: port 0 to the left, port 1 to the right, hosts at the ports from 2 on.
fn row(crossbars: u32, hosts_each: u8) -> Topology {
    let mut t = Topology::new("row");
    for i in 0..crossbars {
        let x = t.add_crossbar(format!("x{i}"), 8).unwrap();
        if i > 0 {
            t.connect(PortId::new(CrossbarId(i - 1), 1), PortId::new(x, 0)).unwrap();
        }
        for h in 0..hosts_each {
            let index = t.hosts().len() as u64;
            let host = t.add_host(format!("n{index}"), UniqueId(index + 1), 1).unwrap();
            t.connect(PortId::new(host, 0), PortId::new(x, 2 + h)).unwrap();
        }
    }
    t
}

/// A shortest route, found by breadth-first search; of several, one that depends on both ends.
pub(crate) fn route(t: &Topology, from: u32, to: u32) -> Route {
    let mut queue = VecDeque::from([(PortId::new(HostId(from), 0), Route::EMPTY)]);
    let mut seen = std::collections::BTreeSet::new();
    while let Some((out, way)) = queue.pop_front() {
        let Some(end) = t.peer(out) else { continue };
        match end.node {
            NodeId::Host(h) if h.0 == to => return way,
            NodeId::Host(_) => {}
            NodeId::Crossbar(x) if seen.insert(x) => {
                let ports = t.ports_of(end.node);
                for port in (0..ports).map(|p| (p + (from + to) as u8) % ports) {
                    let mut way = way;
                    way.push(Hop::between(end.port, port)).unwrap();
                    queue.push_back((PortId::new(x, port), way));
                }
            }
            NodeId::Crossbar(_) => {}
        }
    }
    panic!("no route from {from} to {to}");
}

fn sim(t: &Topology) -> Sim<Node> {
    Sim::new(t, SimConfig::default(), 1, |_| Node::default())
}

impl Sim<Node> {
    /// Lets a host send one frame.
    fn post(&mut self, from: u32, route: Route, packet: Packet) {
        self.host_mut(HostId(from)).outbox.push_back(Transmit::new(route, packet));
        self.wake(HostId(from));
    }

    /// Lets a host send full frames along these routes for ever.
    fn stream(&mut self, from: u32, routes: &[Route]) {
        self.host_mut(HostId(from)).stream = routes.iter().map(|&r| Transmit::new(r, packet(from, PAYLOAD))).collect();
        self.wake(HostId(from));
    }

    fn stop_streams(&mut self) {
        for host in 0..self.hosts().len() as u32 {
            self.host_mut(HostId(host)).stream.clear();
        }
    }

    fn received(&self, host: u32) -> &[(Time, Packet)] {
        &self.host(HostId(host)).received
    }

    fn run_ms(&mut self, ms: u64) {
        self.run_until(at(ms * 1_000_000));
    }

    /// No frame is unaccounted for.
    fn check_books(&self) {
        let s = self.stats();
        let known = s.frames_delivered + s.dropped_in_all() + self.frames_in_flight() as u64;
        assert_eq!(s.frames_sent + s.frames_duplicated, known, "{s:?}");
    }

    /// Everything has come to rest, and all buffers are empty.
    fn check_at_rest(&self) {
        self.check_books();
        assert!(self.is_idle());
        assert_eq!(self.frames_in_flight(), 0);
        for (c, (output, input)) in self.network.outputs.iter().zip(&self.network.inputs).enumerate() {
            let free = output.free_for_good();
            assert_eq!(free, (SimConfig::default().buffer_bytes, channel::FRAMES_PER_BUFFER), "channel {c}");
            assert!(!input.blocked && input.queued.is_empty() && output.waiting.is_empty(), "channel {c}");
        }
    }
}
