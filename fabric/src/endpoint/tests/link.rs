//! A small network for unit tests: hosts with one link each, several planes between them, seeded faults.
//!
//! A link sends a frame in `bytes / rate` and takes one in likewise; a plane takes a fixed time and has no queues. A
//! route `p, k, -p` leads over plane `p` to the host `k` further on, so that it is reversed as real routes are. A plane
//! can lose, double, delay and swallow frames. Everything follows from the seed.

use crate::endpoint::{EndpointConfig, Event, ReliableEndpoint};
use crate::id::UniqueId;
use crate::protocol::{Path, Protocol};
use crate::route::{Hop, Route};
use crate::time::Time;
use crate::wire::{Packet, frame};
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::Duration;

/// Nanoseconds for a byte on a link of 2 Gb/s.
const NANOS_PER_BYTE: u64 = 4;

/// What a plane does to frames.
#[derive(Clone, Copy, Debug)]
pub(super) struct Plane {
    pub(super) delay: Duration,
    /// A frame takes up to this much longer, so that frames overtake one another.
    pub(super) jitter: Duration,
    pub(super) loss: f64,
    pub(super) doubling: f64,
    pub(super) cut: bool,
    /// Frames with a longer payload are lost.
    pub(super) longest: usize,
}

impl Default for Plane {
    fn default() -> Self {
        let (delay, jitter) = (Duration::from_micros(2), Duration::ZERO);
        Plane { delay, jitter, loss: 0.0, doubling: 0.0, cut: false, longest: usize::MAX }
    }
}

#[derive(Debug)]
enum Happening {
    Frame(Packet),
    LinkFree,
    Timer,
}

struct Host {
    endpoint: Option<ReliableEndpoint>,
    out_free: Time,
    in_free: Time,
    starts: u64,
    armed: Option<Time>,
}

/// The network.
pub(super) struct Net {
    pub(super) now: Time,
    pub(super) planes: Vec<Plane>,
    pub(super) config: EndpointConfig,
    pub(super) frames: u64,
    hosts: Vec<Host>,
    agenda: BinaryHeap<Reverse<(Time, u64, usize)>>,
    happenings: Vec<Option<Happening>>,
    rng: fastrand::Rng,
    seed: u64,
}

pub(super) fn id(host: usize) -> UniqueId {
    UniqueId(0x1000 + host as u64)
}

impl Net {
    pub(super) fn new(hosts: usize, planes: usize, seed: u64, config: EndpointConfig) -> Net {
        let fresh = || Host { endpoint: None, out_free: Time::ZERO, in_free: Time::ZERO, starts: 0, armed: None };
        let mut net = Net {
            now: Time::ZERO,
            planes: vec![Plane::default(); planes],
            config,
            frames: 0,
            hosts: (0..hosts).map(|_| fresh()).collect(),
            agenda: BinaryHeap::new(),
            happenings: Vec::new(),
            rng: fastrand::Rng::with_seed(seed),
            seed,
        };
        (0..hosts).for_each(|h| net.power_on(h));
        net
    }

    /// A fresh endpoint, in the place of the old one if there was one.
    pub(super) fn power_on(&mut self, host: usize) {
        let h = &mut self.hosts[host];
        h.starts += 1;
        let seed = self.seed ^ (host as u64) << 32 ^ h.starts << 56;
        h.endpoint = Some(ReliableEndpoint::new(self.config.clone(), id(host), seed));
    }

    pub(super) fn power_off(&mut self, host: usize) {
        self.hosts[host].endpoint = None;
    }

    pub(super) fn routes(&self, from: usize, to: usize) -> Vec<Path> {
        let route = |plane: usize| {
            let (p, k) = (plane as i32 + 1, to as i32 - from as i32);
            Path::Hops(Route::from_hops(&[Hop::new(p), Hop::new(k), Hop::new(-p)]).unwrap())
        };
        (0..self.planes.len()).map(route).collect()
    }

    pub(super) fn connect(&mut self, from: usize, to: usize) {
        let (now, routes) = (self.now, self.routes(from, to));
        self.with(from, |e| e.connect(now, id(to), routes));
    }

    /// Does something with a host's endpoint, which must be on.
    pub(super) fn with<R>(&mut self, host: usize, f: impl FnOnce(&mut ReliableEndpoint) -> R) -> R {
        let result = f(self.hosts[host].endpoint.as_mut().expect("the host is on"));
        self.pump(host);
        result
    }

    pub(super) fn events(&mut self, host: usize) -> Vec<Event> {
        let endpoint = self.hosts[host].endpoint.as_mut();
        let events = endpoint.map(|e| std::iter::from_fn(|| e.poll_event()).collect()).unwrap_or_default();
        self.pump(host);
        events
    }

    fn put(&mut self, at: Time, host: usize, happening: Happening) {
        self.agenda.push(Reverse((at, self.happenings.len() as u64, host)));
        self.happenings.push(Some(happening));
    }

    /// Sends what the host has, as far as its link is free, and sets its timer.
    fn pump(&mut self, host: usize) {
        while self.hosts[host].out_free <= self.now {
            let Some(endpoint) = &mut self.hosts[host].endpoint else { return };
            let Some(transmit) = endpoint.poll_transmit(self.now) else { break };
            let Path::Hops(route) = transmit.path else { panic!("a source route") };
            let bytes = frame::encode(&route, &transmit.packet).len() as u64;
            let busy = Duration::from_nanos(bytes * NANOS_PER_BYTE);
            self.hosts[host].out_free = self.now + busy;
            let free = self.hosts[host].out_free;
            self.put(free, host, Happening::LinkFree);
            self.carry(host, &route, transmit.packet, busy);
        }
        let wanted = self.hosts[host].endpoint.as_ref().and_then(|e| e.poll_timeout());
        if let Some(at) = wanted
            && self.hosts[host].armed.is_none_or(|armed| at < armed)
        {
            self.hosts[host].armed = Some(at);
            self.put(at.max(self.now), host, Happening::Timer);
        }
    }

    fn carry(&mut self, host: usize, route: &Route, packet: Packet, busy: Duration) {
        self.frames += 1;
        let mut hops = route.hops();
        let (Some(plane), Some(hop)) = (hops.next(), hops.next()) else { return };
        let to = (host as i32 + i32::from((hop.delta() << 1) as i8 >> 1)) as usize;
        let plane = self.planes[usize::from(plane.delta()) - 1];
        if plane.cut || packet.payload.len() > plane.longest || self.rng.f64() < plane.loss || to >= self.hosts.len() {
            return;
        }
        let copies = if self.rng.f64() < plane.doubling { 2 } else { 1 };
        for _ in 0..copies {
            let jitter = Duration::from_nanos(self.rng.u64(0..=plane.jitter.as_nanos() as u64));
            let head = self.now + plane.delay + jitter;
            let arrival = head.max(self.hosts[to].in_free) + busy;
            if plane.jitter.is_zero() {
                self.hosts[to].in_free = arrival;
            }
            self.put(arrival, to, Happening::Frame(packet.clone()));
        }
    }

    /// Lets the next thing happen, unless it is later than `until`.
    pub(super) fn step(&mut self, until: Time) -> bool {
        let Some(&Reverse((at, number, host))) = self.agenda.peek() else { return false };
        if at > until {
            return false;
        }
        self.agenda.pop();
        self.now = self.now.max(at);
        let now = self.now;
        match self.happenings[number as usize].take() {
            Some(Happening::Frame(packet)) => {
                self.hosts[host].endpoint.iter_mut().for_each(|e| e.handle_packet(now, &packet));
            }
            Some(Happening::Timer) => {
                self.hosts[host].armed = None;
                self.hosts[host].endpoint.iter_mut().for_each(|e| e.handle_timeout(now));
            }
            Some(Happening::LinkFree) | None => {}
        }
        self.pump(host);
        true
    }

    /// Lets time pass.
    pub(super) fn run(&mut self, time: Duration) {
        let until = self.now + time;
        while self.step(until) {}
        self.now = until;
    }
}
