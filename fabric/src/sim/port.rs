//! One host of a simulation as a [`Port`], for a program that runs outside of it.

use super::run::{Host, Sim};
use crate::id::UniqueId;
use crate::protocol::{Addressing, Path, Port, PortError, PortLimits, Received, Transmit};
use crate::time::Time;
use crate::topology::HostId;
use std::collections::VecDeque;

/// What a port does, for any host that is run from outside.
impl<H: Host> Sim<H> {
    /// Takes a host over: its own `H` is not called any more.
    pub(super) fn take_over(&mut self, host: HostId) {
        self.inboxes.insert(host, VecDeque::new());
    }

    /// Gives a host back to its own `H`.
    pub(super) fn give_back(&mut self, host: HostId) {
        self.inboxes.remove(&host);
        self.wake(host);
    }

    pub(super) fn port_limits(&self, host: HostId) -> PortLimits {
        PortLimits {
            addressing: Addressing::Hops,
            max_payload: self.network.max_payload,
            long_payload: self.network.max_payload,
            rate_bits_per_s: self.network.rate_bits_per_s(host),
        }
    }

    pub(super) fn can_send(&self, host: HostId) -> bool {
        self.network.nics[host.0 as usize].has_room(self.network.now())
    }

    pub(super) fn send(&mut self, host: HostId, transmit: Transmit) -> Result<(), PortError> {
        if !matches!(transmit.path, Path::Hops(_)) {
            return Err(PortError::Path(transmit.path));
        }
        let (len, max) = (transmit.packet.payload.len(), self.network.max_payload);
        if len > max {
            return Err(PortError::TooLarge { len, max });
        }
        if !self.is_up(host) {
            return Err(PortError::Down("the simulated host is switched off".to_owned()));
        }
        if self.can_send(host) {
            self.network.send(host.0, transmit);
        }
        Ok(())
    }

    pub(super) fn recv(&mut self, host: HostId) -> Option<Received> {
        self.inboxes.get_mut(&host)?.pop_front()
    }

    pub(super) fn wait(&mut self, host: HostId, deadline: Time) -> Result<(), PortError> {
        let had_room = self.can_send(host);
        while self.inboxes[&host].is_empty() && (had_room || !self.can_send(host)) {
            if deadline == Time::MAX && self.is_idle() {
                return Err(PortError::Down("nothing will ever happen in the simulation any more".to_owned()));
            }
            if !self.step(deadline) {
                break;
            }
        }
        Ok(())
    }
}

/// A program outside the simulation that is one of its hosts: the mapper, or the front end that boots the others.
///
/// [`Port::wait`] runs the simulation. The host's own `H` is never called.
pub struct SimPort<H> {
    sim: Sim<H>,
    host: HostId,
}

impl<H: Host> SimPort<H> {
    /// Takes `host` over.
    pub fn new(mut sim: Sim<H>, host: HostId) -> SimPort<H> {
        sim.take_over(host);
        SimPort { sim, host }
    }

    /// The simulation.
    pub fn sim(&self) -> &Sim<H> {
        &self.sim
    }

    /// The simulation, to inject faults or to change hosts.
    pub fn sim_mut(&mut self) -> &mut Sim<H> {
        &mut self.sim
    }

    /// Gives the simulation back. The host is run by its own `H` again.
    pub fn into_sim(mut self) -> Sim<H> {
        self.sim.give_back(self.host);
        self.sim
    }

    /// Which host it is.
    pub fn host(&self) -> HostId {
        self.host
    }
}

impl<H: Host> Port for SimPort<H> {
    fn unique_id(&self) -> UniqueId {
        self.sim.unique_id(self.host)
    }

    fn limits(&self) -> PortLimits {
        self.sim.port_limits(self.host)
    }

    fn now(&self) -> Time {
        self.sim.now()
    }

    fn can_send(&self) -> bool {
        self.sim.can_send(self.host)
    }

    fn send(&mut self, transmit: Transmit) -> Result<(), PortError> {
        self.sim.send(self.host, transmit)
    }

    fn recv(&mut self) -> Result<Option<Received>, PortError> {
        Ok(self.sim.recv(self.host))
    }

    fn wait(&mut self, deadline: Time) -> Result<(), PortError> {
        self.sim.wait(self.host, deadline)
    }
}
