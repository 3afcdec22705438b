//! One host of a simulation as a [`Port`], for a program that runs outside of it.

use super::run::{Host, Sim};
use crate::id::UniqueId;
use crate::protocol::{Addressing, Path, Port, PortError, PortLimits, Received, Transmit};
use crate::time::Time;
use crate::topology::HostId;

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
        sim.external = Some(host);
        sim.inbox.clear();
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
        self.sim.external = None;
        self.sim.inbox.clear();
        self.sim.wake(self.host);
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
        PortLimits {
            addressing: Addressing::Hops,
            max_payload: self.sim.network.max_payload,
            rate_bits_per_s: self.sim.network.rate_bits_per_s(self.host),
        }
    }

    fn now(&self) -> Time {
        self.sim.now()
    }

    fn can_send(&self) -> bool {
        self.sim.network.nics[self.host.0 as usize].has_room(self.sim.network.now())
    }

    fn send(&mut self, transmit: Transmit) -> Result<(), PortError> {
        if !matches!(transmit.path, Path::Hops(_)) {
            return Err(PortError::Path(transmit.path));
        }
        let (len, max) = (transmit.packet.payload.len(), self.sim.network.max_payload);
        if len > max {
            return Err(PortError::TooLarge { len, max });
        }
        if !self.sim.is_up(self.host) {
            return Err(PortError::Down("the simulated host is switched off".to_owned()));
        }
        if self.can_send() {
            self.sim.network.send(self.host.0, transmit);
        }
        Ok(())
    }

    fn recv(&mut self) -> Result<Option<Received>, PortError> {
        Ok(self.sim.inbox.pop_front())
    }

    fn wait(&mut self, deadline: Time) -> Result<(), PortError> {
        let had_room = self.can_send();
        while self.sim.inbox.is_empty() && (had_room || !self.can_send()) {
            if deadline == Time::MAX && self.sim.is_idle() {
                return Err(PortError::Down("nothing will ever happen in the simulation any more".to_owned()));
            }
            if !self.sim.step(deadline) {
                break;
            }
        }
        Ok(())
    }
}
