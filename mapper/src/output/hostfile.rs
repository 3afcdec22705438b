//! The hosts in the order of their places: neighbours in the file are neighbours on the fabric.

use super::groups::groups;
use twowire_fabric::topology::{HostId, Topology};

/// A line for each host but the front end, as `mpirun` of many kinds reads it.
pub fn hostfile(topology: &Topology, front_end: HostId) -> String {
    let hosts = groups(topology).into_iter().flat_map(|group| group.all_hosts());
    let nodes = hosts.filter(|&host| host != front_end);
    nodes.map(|host| format!("{}\n", topology.host(host).name)).collect()
}
