//! A local network that replicates frames, for tests: one medium for all hosts, in virtual time.
//!
//! What can go wrong in it: a frame is lost, alone or in a burst, for each receiver by itself; it comes twice, or later
//! than those that were sent after it; it is damaged, which the port notices; a host's buffer is full.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::time::Duration;
use twowire_fabric::id::UniqueId;
use twowire_fabric::protocol::{Path, Protocol, Transmit};
use twowire_fabric::time::Time;
use twowire_fabric::wire::Packet;

/// What the network and its hosts are like.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LanConfig {
    /// Each host's link, in bits a second.
    pub(crate) rate_bits_per_s: u64,
    /// From one host to another.
    pub(crate) delay: Duration,
    /// The chance that one receiver loses a frame.
    pub(crate) loss: f64,
    /// The chance that a loss begins a burst, and how long that lasts at most.
    pub(crate) burst: (f64, Duration),
    pub(crate) duplicated: f64,
    /// The chance that a frame is late, and by how much at most.
    pub(crate) late: (f64, Duration),
    /// Bytes that a host can buffer.
    pub(crate) buffer: usize,
    /// Time that a host needs for a frame.
    pub(crate) work: Duration,
}

impl Default for LanConfig {
    fn default() -> LanConfig {
        LanConfig {
            rate_bits_per_s: 10_000_000_000,
            delay: Duration::from_micros(10),
            loss: 0.0,
            burst: (0.0, Duration::ZERO),
            duplicated: 0.0,
            late: (0.0, Duration::ZERO),
            buffer: 4 << 20,
            work: Duration::from_nanos(500),
        }
    }
}

/// Bytes of a frame besides its payload, about.
const OVERHEAD: usize = 60;

/// What a host of the network is.
pub(crate) struct LanHost<P> {
    pub(crate) machine: P,
    pub(crate) card: UniqueId,
    /// Off: it hears and says nothing.
    pub(crate) off: bool,
    /// Times [`LanConfig::work`].
    pub(crate) slowness: u32,
    inbox: VecDeque<Packet>,
    buffered: usize,
    busy_until: Time,
    link_free: Time,
    burst_until: Time,
    wakes: Option<Time>,
}

/// The network.
pub(crate) struct Lan<P> {
    pub(crate) config: LanConfig,
    pub(crate) hosts: Vec<LanHost<P>>,
    pub(crate) now: Time,
    /// Frames that did not fit a host's buffer.
    pub(crate) overruns: u64,
    /// Frames sent by each host.
    pub(crate) sent: Vec<u64>,
    rng: fastrand::Rng,
    events: BinaryHeap<Reverse<(Time, u64, usize)>>,
    /// The packet of each event that brings one.
    arrivals: std::collections::BTreeMap<u64, Packet>,
    serial: u64,
}

impl<P: Protocol> Lan<P> {
    pub(crate) fn new(config: LanConfig, machines: impl IntoIterator<Item = P>, seed: u64) -> Lan<P> {
        let host = |(index, machine): (u64, P)| LanHost {
            machine,
            card: UniqueId(0x0200_0000_0000 + index),
            off: false,
            slowness: 1,
            inbox: VecDeque::new(),
            buffered: 0,
            busy_until: Time::ZERO,
            link_free: Time::ZERO,
            burst_until: Time::ZERO,
            wakes: None,
        };
        let hosts: Vec<LanHost<P>> = (0..).zip(machines).map(host).collect();
        let mut lan = Lan {
            config,
            sent: vec![0; hosts.len()],
            hosts,
            now: Time::ZERO,
            overruns: 0,
            rng: fastrand::Rng::with_seed(seed),
            events: BinaryHeap::new(),
            arrivals: std::collections::BTreeMap::new(),
            serial: 0,
        };
        (0..lan.hosts.len()).for_each(|host| lan.wake(host, Time::ZERO));
        lan
    }

    /// Lets a host look whether it has something to do.
    pub(crate) fn wake(&mut self, host: usize, at: Time) {
        let at = at.max(self.now);
        if self.hosts[host].wakes.is_some_and(|t| t <= at) {
            return;
        }
        self.hosts[host].wakes = Some(at);
        self.schedule(at, host, None);
    }

    fn schedule(&mut self, at: Time, host: usize, packet: Option<Packet>) {
        self.serial += 1;
        if let Some(packet) = packet {
            self.arrivals.insert(self.serial, packet);
        }
        self.events.push(Reverse((at, self.serial, host)));
    }

    /// Runs until `done` or `deadline`; says whether it is done.
    pub(crate) fn run(&mut self, deadline: Duration, mut done: impl FnMut(&mut Lan<P>) -> bool) -> bool {
        let deadline = Time::ZERO + deadline;
        while let Some(Reverse((at, serial, host))) = self.events.pop() {
            if at > deadline {
                self.events.push(Reverse((at, serial, host)));
                self.now = deadline;
                return false;
            }
            self.now = at;
            match self.arrivals.remove(&serial) {
                Some(packet) => self.arrive(host, packet),
                None => self.step(host),
            }
            if done(self) {
                return true;
            }
        }
        false
    }

    /// A frame for this host is at its card.
    pub(crate) fn arrive(&mut self, host: usize, packet: Packet) {
        let to = &mut self.hosts[host];
        if to.off {
            return;
        }
        let size = packet.payload.len() + OVERHEAD;
        if to.buffered + size > self.config.buffer {
            self.overruns += 1;
            return;
        }
        to.buffered += size;
        to.inbox.push_back(packet);
        let at = to.busy_until;
        self.wake(host, at);
    }

    fn step(&mut self, host: usize) {
        let (now, work) = (self.now, self.config.work);
        let from = &mut self.hosts[host];
        if from.wakes.is_none_or(|at| at > now) {
            return;
        }
        from.wakes = None;
        if from.off {
            return;
        }
        if from.busy_until > now {
            let at = from.busy_until;
            return self.wake(host, at);
        }
        if let Some(packet) = from.inbox.pop_front() {
            from.buffered -= packet.payload.len() + OVERHEAD;
            from.busy_until = now + work * from.slowness;
            from.machine.handle_packet(now, &packet);
        }
        if from.machine.poll_timeout().is_some_and(|at| at <= now) {
            from.machine.handle_timeout(now);
        }
        self.transmit(host);
        let from = &self.hosts[host];
        let next = if from.inbox.is_empty() { None } else { Some(from.busy_until) };
        let timeout = from.machine.poll_timeout().map(|at| at.max(from.busy_until));
        if let Some(at) = next.into_iter().chain(timeout).min() {
            self.wake(host, at);
        }
    }

    /// Sends what the host has to send, as fast as its link takes it.
    fn transmit(&mut self, host: usize) {
        loop {
            let from = &mut self.hosts[host];
            if from.link_free > self.now + self.config.delay {
                let at = from.link_free;
                return self.wake(host, at);
            }
            let Some(transmit) = from.machine.poll_transmit(self.now) else { return };
            let bytes = (transmit.packet.payload.len() + OVERHEAD) as u64;
            let takes = Duration::from_nanos(bytes * 8 * 1_000_000_000 / self.config.rate_bits_per_s);
            from.link_free = from.link_free.max(self.now) + takes;
            let at = from.link_free + self.config.delay;
            self.sent[host] += 1;
            self.replicate(host, at, &transmit);
        }
    }

    fn replicate(&mut self, from: usize, at: Time, transmit: &Transmit) {
        for to in 0..self.hosts.len() {
            let meant = match transmit.path {
                Path::Group(_) => to != from,
                Path::Card(card) => self.hosts[to].card == card,
                _ => false,
            };
            if !meant || self.is_lost(to) {
                continue;
            }
            let late = self.rng.f64() < self.config.late.0;
            let jitter = if late { self.config.late.1.mul_f64(self.rng.f64()) } else { Duration::ZERO };
            self.schedule(at + jitter, to, Some(transmit.packet.clone()));
            if self.rng.f64() < self.config.duplicated {
                self.schedule(at + jitter, to, Some(transmit.packet.clone()));
            }
        }
    }

    fn is_lost(&mut self, to: usize) -> bool {
        let host = &mut self.hosts[to];
        if host.burst_until > self.now {
            return true;
        }
        let lost = self.rng.f64() < self.config.loss;
        if lost && self.rng.f64() < self.config.burst.0 {
            host.burst_until = self.now + self.config.burst.1.mul_f64(self.rng.f64());
        }
        lost
    }
}
