//! The simulation: a network, and the programs on its hosts.

use super::config::SimConfig;
use super::fault::{Fault, replacement_id};
use super::network::{Mishaps, Network, Upcall, event};
use super::stats::{ChannelLoad, Stats};
use crate::id::UniqueId;
use crate::protocol::{Protocol, Received};
use crate::responder::Responder;
use crate::time::Time;
use crate::topology::{HostId, PortId, Topology};
use std::collections::{BTreeMap, VecDeque};

/// A state machine whose timer is still due after it was called is called again this many nanoseconds later.
const TIMER_RETRY_NS: u64 = 1_000;

/// How deep a host's state is prefetched: see [`Host::prefetch`].
pub(super) const DEPTHS: usize = 4;

/// What runs on a host.
pub trait Host: Protocol {
    /// Power comes on, with this card. Volatile state is gone; what the implementor keeps is its NVRAM.
    fn power_on(&mut self, now: Time, id: UniqueId);

    /// Prefetches, of the state that the next call will need, what lies so many pointers from here. With thousands of hosts none
    /// of it is in a cache when a call comes; asked for in advance for several hosts, all of it comes at the same time.
    fn prefetch(&self, _depth: usize) {}
}

/// A host that answers probes and does nothing else: all that mapping needs.
impl Host for Responder {
    fn power_on(&mut self, _now: Time, id: UniqueId) {
        *self = Responder::new(id);
    }
}

/// A simulated fabric, and a program `H` on each of its hosts. See the [module](super) for what is modelled.
pub struct Sim<H> {
    pub(super) network: Network,
    hosts: Vec<H>,
    faults: Vec<Fault>,
    /// The hosts that are run from outside, and what has come in for each.
    pub(super) inboxes: BTreeMap<HostId, VecDeque<Received>>,
    /// Ids of replacement cards must not depend on how many random numbers the traffic took.
    id_rng: fastrand::Rng,
}

impl<H: Host> Sim<H> {
    /// A fabric of this topology, with the programs that `make` returns. All hosts are switched on at time 0.
    pub fn new(topology: &Topology, config: SimConfig, seed: u64, make: impl FnMut(HostId) -> H) -> Sim<H> {
        let mut sim = Sim {
            network: Network::new(topology, &config, seed),
            hosts: topology.host_ids().map(make).collect(),
            faults: Vec::new(),
            inboxes: BTreeMap::new(),
            id_rng: fastrand::Rng::with_seed(seed ^ 0x5eed_1d5e_ed1d_5eed),
        };
        for host in topology.host_ids() {
            let id = sim.unique_id(host);
            sim.hosts[host.0 as usize].power_on(Time::ZERO, id);
            sim.wake(host);
        }
        sim
    }

    /// The present.
    pub fn now(&self) -> Time {
        Time::from_nanos(self.network.now())
    }

    /// Runs until `deadline`. If nothing more happens, time passes all the same.
    pub fn run_until(&mut self, deadline: Time) {
        while self.step(deadline) {}
    }

    /// Runs until a host has been called or a fault has struck; false if neither happens until `deadline`, which is the
    /// present then.
    pub fn step(&mut self, deadline: Time) -> bool {
        let limit = deadline.as_nanos();
        loop {
            match self.network.advance(limit) {
                None => {
                    self.network.wheel.advance(limit);
                    return false;
                }
                Some(Upcall::LookAhead) => {
                    self.look_ahead();
                    continue;
                }
                Some(Upcall::Deliver(frame)) => self.deliver(frame),
                Some(Upcall::Poll(host)) => self.poll(host),
                Some(Upcall::Fault(index)) => self.strike(self.faults[index as usize]),
            }
            return true;
        }
    }

    /// Prefetches what events to come need, of the network or of the hosts.
    fn look_ahead(&mut self) {
        if let Some((depth, hosts)) = self.network.look_ahead() {
            hosts.iter().for_each(|&host| self.hosts[host as usize].prefetch(depth));
        }
    }

    /// The program on a host.
    pub fn host(&self, host: HostId) -> &H {
        &self.hosts[host.0 as usize]
    }

    /// The program on a host, to be changed. Call [`Sim::wake`] if it may want to send, or has a new timer.
    pub fn host_mut(&mut self, host: HostId) -> &mut H {
        &mut self.hosts[host.0 as usize]
    }

    /// All programs, in the order of their hosts' ids.
    pub fn hosts(&self) -> &[H] {
        &self.hosts
    }

    /// Lets a host be asked for frames and timers at the present instant, once the simulation runs on.
    pub fn wake(&mut self, host: HostId) {
        self.network.wheel.schedule(self.network.now(), event::POLL | host.0);
    }

    /// The unique id of the card that a host has now.
    pub fn unique_id(&self, host: HostId) -> UniqueId {
        self.network.ids[host.0 as usize]
    }

    /// True if the host is switched on.
    pub fn is_up(&self, host: HostId) -> bool {
        self.network.nics[host.0 as usize].up
    }

    /// Lets a fault strike at an instant, before whatever a later call makes happen then. One at the present, or in the
    /// past, strikes at once: so a fault at time 0 holds for the very first frames.
    pub fn inject(&mut self, at: Time, fault: Fault) {
        if at <= self.now() {
            return self.strike(fault);
        }
        self.network.wheel.schedule(at.as_nanos(), event::FAULT | self.faults.len() as u32);
        self.faults.push(fault);
    }

    /// What has been counted.
    pub fn stats(&self) -> &Stats {
        &self.network.stats
    }

    /// What has left by a port; zero unless [`SimConfig::count_channels`].
    pub fn channel_load(&self, port: PortId) -> ChannelLoad {
        let channel = self.network.channel_from(port);
        channel.and_then(|c| self.network.loads.get(c as usize)).copied().unwrap_or_default()
    }

    /// A hash of all events so far and their times.
    pub fn digest(&self) -> u64 {
        self.network.digest
    }

    /// How many events are pending: frames that move, timers, faults to come.
    pub fn pending(&self) -> usize {
        self.network.wheel.len()
    }

    /// True if nothing more will ever happen by itself.
    pub fn is_idle(&self) -> bool {
        self.pending() == 0
    }

    /// When something happens next; `None` for never.
    pub fn next_event(&self) -> Option<Time> {
        self.network.wheel.next_time().map(Time::from_nanos)
    }

    /// Frames that are in cards, cables and crossbars. If there are some and [`Sim::is_idle`], they are deadlocked.
    pub fn frames_in_flight(&self) -> usize {
        self.network.frames.in_flight()
    }

    /// Bytes that the network has allocated, without the programs and the payloads.
    pub fn memory(&self) -> usize {
        self.network.memory()
    }

    fn deliver(&mut self, frame: u32) {
        let Some((host, received)) = self.network.arrive(frame) else { return };
        if let Some(inbox) = self.inboxes.get_mut(&HostId(host)) {
            inbox.push_back(received);
        } else if let Received::Packet(packet) = received {
            let now = self.now();
            self.hosts[host as usize].handle_packet(now, &packet);
            self.serve(host, false);
        }
    }

    fn poll(&mut self, host: u32) {
        let now = self.now();
        let nic = &mut self.network.nics[host as usize];
        nic.disarm(now.as_nanos());
        if !nic.up || self.inboxes.contains_key(&HostId(host)) {
            return;
        }
        let program = &mut self.hosts[host as usize];
        let due = program.poll_timeout().is_some_and(|at| at <= now);
        if due {
            program.handle_timeout(now);
        }
        self.serve(host, due);
    }

    /// Takes the frames of a host that has just been called, as far as its card has room, and arms its timer.
    fn serve(&mut self, host: u32, timer_has_run: bool) {
        let now = self.now();
        let program = &mut self.hosts[host as usize];
        let network = &mut self.network;
        while network.nics[host as usize].has_room(now.as_nanos()) {
            let Some(transmit) = program.poll_transmit(now) else { break };
            network.send(host, transmit);
        }
        let Some(at) = program.poll_timeout().filter(|&at| at != Time::MAX) else { return };
        let soonest = now.as_nanos() + if timer_has_run { TIMER_RETRY_NS } else { 0 };
        let at = if at > now { at.as_nanos() } else { soonest };
        if network.nics[host as usize].arm(at) {
            network.wheel.schedule(at, event::POLL | host);
        }
    }

    fn strike(&mut self, fault: Fault) {
        match fault {
            Fault::Crash(host) => self.network.switch_off(host),
            Fault::Restart(host) => self.restart(host),
            Fault::Swap(host) => {
                let ids = &self.network.ids;
                let id = replacement_id(&mut self.id_rng, |id| ids.contains(&id));
                self.network.ids[host.0 as usize] = id;
                self.restart(host);
            }
            Fault::Cut(port) => self.network.cut(port),
            Fault::Mend(port) => self.network.mend(port),
            Fault::Flap { port, period, count } => {
                self.network.cut(port);
                self.inject(self.now() + period / 2, Fault::Mend(port));
                if count > 1 {
                    self.inject(self.now() + period, Fault::Flap { port, period, count: count - 1 });
                }
            }
            Fault::Kill(crossbar) => self.network.kill(crossbar),
            Fault::Revive(crossbar) => self.network.revive(crossbar),
            Fault::Loss(share) => self.set_mishaps(|m| m.loss = share),
            Fault::Corrupt(share) => self.set_mishaps(|m| m.corrupt = share),
            Fault::Duplicate(share) => self.set_mishaps(|m| m.duplicate = share),
            Fault::Reorder(share) => self.set_mishaps(|m| m.reorder = share),
        }
    }

    fn set_mishaps(&mut self, set: impl FnOnce(&mut Mishaps)) {
        let m = &mut self.network.mishaps;
        set(m);
        m.any = [m.loss, m.corrupt, m.duplicate, m.reorder].iter().any(|&p| p > 0.0);
    }

    fn restart(&mut self, host: HostId) {
        if self.is_up(host) {
            self.network.switch_off(host);
        }
        self.network.switch_on(host);
        let (now, id) = (self.now(), self.unique_id(host));
        self.hosts[host.0 as usize].power_on(now, id);
        self.wake(host);
    }
}
