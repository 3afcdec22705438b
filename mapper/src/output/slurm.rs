//! Slurm's `topology.conf`, for its plugin `topology/tree`.
//!
//! The plugin knows trees only, so all crossbars that connect the same part of a fat tree are one switch, named by the first
//! of them; on a grid, rows and planes are switches.

use super::groups::{Group, groups};
use crate::hostlist::compress;
use std::collections::BTreeSet;
use std::fmt::Write;
use twowire_fabric::topology::{CrossbarId, HostId, Topology};

/// The file. The front end is no node of Slurm's, and left out.
pub fn topology_conf(topology: &Topology, front_end: HostId) -> String {
    let name =
        if topology.name.is_empty() { "a fabric without a name".to_owned() } else { format!("`{}`", topology.name) };
    let mut conf = Conf { topology, front_end, text: String::new(), taken: BTreeSet::new() };
    writeln!(conf.text, "# The map of {name}, for TopologyPlugin=topology/tree.").expect("a string takes all");
    for group in groups(topology) {
        conf.switch(&group);
    }
    conf.text
}

struct Conf<'t> {
    topology: &'t Topology,
    front_end: HostId,
    text: String,
    taken: BTreeSet<String>,
}

impl Conf<'_> {
    /// Writes the lines of a group, its parts before it, and returns its name; `None` if no node is in it.
    fn switch(&mut self, group: &Group) -> Option<String> {
        let topology = self.topology;
        let what = if group.parts.is_empty() {
            let hosts = group.hosts.iter().filter(|&&host| host != self.front_end);
            let nodes = compress(hosts.map(|&host| topology.host(host).name.as_str()));
            (!nodes.is_empty()).then(|| format!("Nodes={nodes}"))?
        } else {
            let parts: Vec<String> = group.parts.iter().filter_map(|part| self.switch(part)).collect();
            (!parts.is_empty()).then(|| format!("Switches={}", compress(parts.iter().map(String::as_str))))?
        };
        let name = self.name(group);
        let crossbar_name = |x: &CrossbarId| topology.crossbar(*x).name.as_str();
        let comment = match group.crossbars.len() {
            0 | 1 => String::new(),
            _ => format!("  # {}", compress(group.crossbars.iter().map(crossbar_name))),
        };
        writeln!(self.text, "SwitchName={name} {what}{comment}").expect("a string takes all");
        Some(name)
    }

    /// The name of the group's first crossbar, or one that is not taken.
    fn name(&mut self, group: &Group) -> String {
        let own = group.crossbars.first().map(|&x| self.topology.crossbar(x).name.clone());
        let others = (0..).map(|number| format!("group{number}"));
        let is_free = |name: &String| self.topology.find(name).is_none() && !self.taken.contains(name);
        let name = own.or_else(|| others.into_iter().find(is_free)).expect("numbers do not end");
        self.taken.insert(name.clone());
        name
    }
}
