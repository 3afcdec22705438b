//! The fabric that a bring-up works on.

use super::UpError;
use twowire_fabric::id::UniqueId;
use twowire_fabric::protocol::{Port, PortError, PortLimits, Received, Transmit};
use twowire_fabric::sim::{Fault, FaultSpec, SimPort};
use twowire_fabric::time::Time;
use twowire_fabric::topology::{HostId, Topology};
use twowire_multicast_boot::phase1::simulated::Node;

/// A port of the front end, and what can be counted on its fabric.
pub trait Fabric: Port {
    /// Frames that have set out so far: on a simulated fabric those of all hosts.
    fn frames_sent(&self) -> u64;
}

impl Fabric for SimPort<Node> {
    fn frames_sent(&self) -> u64 {
        self.sim().stats().frames_sent
    }
}

/// A fabric in real time, of whose frames those of this host are counted.
pub struct RealFabric {
    port: Box<dyn Port>,
    sent: u64,
}

impl RealFabric {
    /// The fabric behind a port.
    pub fn new(port: Box<dyn Port>) -> RealFabric {
        RealFabric { port, sent: 0 }
    }
}

impl Fabric for RealFabric {
    fn frames_sent(&self) -> u64 {
        self.sent
    }
}

impl Port for RealFabric {
    fn unique_id(&self) -> UniqueId {
        self.port.unique_id()
    }

    fn limits(&self) -> PortLimits {
        self.port.limits()
    }

    fn now(&self) -> Time {
        self.port.now()
    }

    fn can_send(&self) -> bool {
        self.port.can_send()
    }

    fn send(&mut self, transmit: Transmit) -> Result<(), PortError> {
        self.sent += 1;
        self.port.send(transmit)
    }

    fn flush(&mut self) -> Result<(), PortError> {
        self.port.flush()
    }

    fn recv(&mut self) -> Result<Option<Received>, PortError> {
        self.port.recv()
    }

    fn wait(&mut self, deadline: Time) -> Result<(), PortError> {
        self.port.wait(deadline)
    }
}

/// The faults by what they name in the topology.
pub fn resolve_faults(
    faults: &[FaultSpec],
    topology: &Topology,
    front_end: HostId,
) -> Result<Vec<(Time, Fault)>, UpError> {
    let mut resolved = Vec::new();
    for spec in faults {
        let fault = spec.resolve(topology).map_err(|e| UpError::Usage(format!("--fault {spec}: {e}")))?;
        if matches!(fault.1, Fault::Crash(host) | Fault::Restart(host) | Fault::Swap(host) if host == front_end) {
            let name = &topology.host(front_end).name;
            return Err(UpError::Usage(format!("--fault {spec}: `{name}` is the front end; name a node instead")));
        }
        resolved.push(fault);
    }
    Ok(resolved)
}
