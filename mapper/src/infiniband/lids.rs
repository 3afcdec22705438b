//! Who gets which local identifier.
//!
//! A port keeps the one that it has, if it is possible and nobody else of the subnet has it. The others get the lowest free
//! ones, hosts first, in the order of the map: so the same cabling gives the same identifiers.

use super::error::InfinibandError;
use super::smp::LAST_LID;
use std::collections::HashMap;
use twowire_fabric::topology::{CrossbarId, HostId, NodeId, Topology};

/// The local identifiers of a subnet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lids {
    hosts: Vec<u16>,
    switches: Vec<u16>,
    top: u16,
}

impl Lids {
    /// Gives out identifiers. `found` says which each host and each switch has now, 0 for none.
    pub fn assign(topology: &Topology, found_hosts: &[u16], found_switches: &[u16]) -> Result<Lids, InfinibandError> {
        let count = topology.hosts().len() + topology.crossbars().len();
        if count > usize::from(LAST_LID) {
            return Err(InfinibandError::TooManyLids(count));
        }
        let mut uses: HashMap<u16, usize> = HashMap::new();
        for &lid in found_hosts.iter().chain(found_switches) {
            *uses.entry(lid).or_default() += 1;
        }
        let kept = |lid: u16| (1..=LAST_LID).contains(&lid) && uses[&lid] == 1;
        let taken: Vec<u16> = found_hosts.iter().chain(found_switches).copied().filter(|&lid| kept(lid)).collect();
        let taken: std::collections::HashSet<u16> = taken.into_iter().collect();
        let mut free = (1..=LAST_LID).filter(|lid| !taken.contains(lid));
        let mut give = |found: &[u16]| -> Vec<u16> {
            let next = |&lid: &u16| if kept(lid) { lid } else { free.next().expect("there are enough: counted above") };
            found.iter().map(next).collect()
        };
        let (hosts, switches) = (give(found_hosts), give(found_switches));
        let top = hosts.iter().chain(&switches).copied().max().unwrap_or(0);
        Ok(Lids { hosts, switches, top })
    }

    /// A host's identifier.
    pub fn host(&self, host: HostId) -> u16 {
        self.hosts[host.0 as usize]
    }

    /// The identifier of a switch's port 0.
    pub fn switch(&self, crossbar: CrossbarId) -> u16 {
        self.switches[crossbar.0 as usize]
    }

    /// The highest that is in use.
    pub fn top(&self) -> u16 {
        self.top
    }

    /// For each identifier from 0 to the highest, who has it.
    pub fn owners(&self) -> Vec<Option<NodeId>> {
        let mut owners = vec![None; usize::from(self.top) + 1];
        for (host, &lid) in self.hosts.iter().enumerate() {
            owners[usize::from(lid)] = Some(HostId(host as u32).into());
        }
        for (switch, &lid) in self.switches.iter().enumerate() {
            owners[usize::from(lid)] = Some(CrossbarId(switch as u32).into());
        }
        owners
    }
}
