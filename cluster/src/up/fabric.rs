//! The fabric that a bring-up works on.

use super::UpError;
use twowire_fabric::protocol::Port;
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
