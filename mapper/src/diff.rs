//! What differs between two maps, as somebody with cables in hand needs to hear it.
//!
//! Everything is said in the names of the old map. Unique ids alone are no difference: a replaced card changes nothing here.

use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt;
use twowire_fabric::id::UniqueId;
use twowire_fabric::topology::lockstep::{Difference, Lockstep};
use twowire_fabric::topology::{CrossbarId, HostId, NodeId, PortId, Topology};

/// One change from the old map to the new one. Ports are written as in `.topo` files.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(tag = "change", rename_all = "kebab-case")]
pub enum Change {
    /// A crossbar is missing, and with it all its hosts.
    CrossbarMissing {
        /// Its name.
        crossbar: String,
        /// The hosts that were plugged into it and are nowhere now.
        hosts: Vec<String>,
    },
    /// A crossbar is there that was not.
    CrossbarNew {
        /// What the new map calls it.
        crossbar: String,
        /// The ports of known crossbars that its cables lead to.
        at: Vec<String>,
    },
    /// A host is nowhere, though its crossbar is there.
    HostMissing {
        /// Its name.
        host: String,
        /// Its card.
        id: String,
        /// Where it was plugged in.
        at: Option<String>,
    },
    /// A host is where none was.
    HostNew {
        /// What the new map calls it.
        host: String,
        /// Its card.
        id: String,
        /// Where it is plugged in.
        at: Option<String>,
    },
    /// A host's card is where no host was, and no longer where it was.
    HostMoved {
        /// Its name.
        host: String,
        /// Its card.
        id: String,
        /// Where it was plugged in.
        from: Option<String>,
        /// Where it is now.
        to: Option<String>,
    },
    /// One end of a cable is elsewhere.
    CableMoved {
        /// The end that is where it was.
        end: String,
        /// Where the other end was.
        from: String,
        /// Where the other end is.
        to: String,
    },
    /// A cable is missing.
    CableMissing {
        /// One end.
        a: String,
        /// The other.
        b: String,
    },
    /// A cable is there that was not.
    CableNew {
        /// One end.
        a: String,
        /// The other.
        b: String,
    },
}

impl fmt::Display for Change {
    /// One line: what differs, and what to do to have it as it was.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let place = |at: &Option<String>| at.clone().unwrap_or_else(|| "no crossbar".into());
        match self {
            Change::CrossbarMissing { crossbar, hosts } if hosts.is_empty() => {
                write!(f, "crossbar {crossbar} is missing: see to its power and its cables")
            }
            Change::CrossbarMissing { crossbar, hosts } => {
                let hosts = hosts.join(" ");
                write!(f, "crossbar {crossbar} is missing, and {hosts} with it: see to its power and its cables")
            }
            Change::CrossbarNew { crossbar, at } => {
                write!(f, "crossbar {crossbar} is new: its cables lead to {}", at.join(" "))
            }
            Change::HostMissing { host, id, at } => {
                write!(f, "{host} ({id}) is missing at {}: see to its power and its cable", place(at))
            }
            Change::HostNew { host, id, at } => write!(f, "{host} ({id}) is new at {}", place(at)),
            Change::HostMoved { host, id, from, to } => {
                write!(f, "{host} ({id}) is at {}: move its plug back to {}", place(to), place(from))
            }
            Change::CableMoved { end, from, to } => {
                write!(f, "the cable from {end} is at {to}: move that plug back to {from}")
            }
            Change::CableMissing { a, b } => write!(f, "the cable from {a} to {b} is missing"),
            Change::CableNew { a, b } => write!(f, "a cable from {a} to {b} is new"),
        }
    }
}

/// The changes from an old map to a new one, each with its front end; empty if only names, port offsets or unique ids differ.
pub fn diff(old: &Topology, old_front_end: HostId, new: &Topology, new_front_end: HostId) -> Vec<Change> {
    let lockstep = Lockstep::walk(old, old_front_end, new, new_front_end);
    let comparison = Comparison { old, new, lockstep };
    let mut changes = comparison.crossbars();
    changes.extend(comparison.hosts());
    changes.extend(comparison.cables());
    changes
}

struct Comparison<'t> {
    old: &'t Topology,
    new: &'t Topology,
    lockstep: Lockstep,
}

impl Comparison<'_> {
    fn differences<T>(&self, pick: impl Fn(&Difference) -> Option<T>) -> Vec<T> {
        self.lockstep.differences().iter().filter_map(pick).collect()
    }

    /// A port of the new map by its name in the old one; by its new name if it belongs to something new.
    fn name_of_new(&self, end: PortId) -> String {
        let Some(known) = self.lockstep.port_in_a(end) else { return self.new.port_name(end).to_string() };
        port_in_old_names(self.old, known)
    }

    fn crossbars(&self) -> Vec<Change> {
        let missing = self.differences(|difference| match *difference {
            Difference::CrossbarMissing(x) => Some(Change::CrossbarMissing {
                crossbar: self.old.crossbar(x).name.clone(),
                hosts: self.lost_with(x).iter().map(|&host| self.old.host(host).name.clone()).collect(),
            }),
            _ => None,
        });
        let new = self.differences(|difference| match *difference {
            Difference::CrossbarNew(x) => {
                let ends = self.new.peers(x.into()).iter().flatten();
                let at = ends.filter(|end| self.lockstep.port_in_a(**end).is_some()).map(|&end| self.name_of_new(end));
                Some(Change::CrossbarNew { crossbar: self.new.crossbar(x).name.clone(), at: at.collect() })
            }
            _ => None,
        });
        missing.into_iter().chain(new).collect()
    }

    /// The hosts that were plugged into a crossbar and that the new map does not have.
    fn lost_with(&self, crossbar: CrossbarId) -> Vec<HostId> {
        let hosts = self.old.peers(crossbar.into()).iter().flatten().filter_map(|peer| match peer.node {
            NodeId::Host(host) => Some(host),
            NodeId::Crossbar(_) => None,
        });
        let ids: Vec<UniqueId> = self.new_hosts().keys().copied().collect();
        hosts
            .filter(|&host| self.lockstep.host_in_b(host).is_none())
            .filter(|&host| ids.binary_search(&self.old.host(host).id).is_err())
            .collect()
    }

    /// The hosts that are where none was, by their cards.
    fn new_hosts(&self) -> BTreeMap<UniqueId, HostId> {
        let new = self.differences(|difference| match *difference {
            Difference::HostNew(host) => Some((self.new.host(host).id, host)),
            _ => None,
        });
        new.into_iter().collect()
    }

    fn hosts(&self) -> Vec<Change> {
        let mut new = self.new_hosts();
        let mut changes = self.differences(|difference| match *difference {
            Difference::HostMissing(host) => Some(host),
            _ => None,
        });
        let mut lost: Vec<HostId> = self
            .differences(|difference| match *difference {
                Difference::CrossbarMissing(x) => Some(self.lost_with(x)),
                _ => None,
            })
            .concat();
        lost.sort_unstable();
        changes.retain(|host| lost.binary_search(host).is_err());
        let mut changes: Vec<Change> = changes.into_iter().map(|host| self.absent(host, &mut new)).collect();
        let mut others: Vec<HostId> = new.into_values().collect();
        others.sort_unstable();
        changes.extend(others.into_iter().map(|host| Change::HostNew {
            host: self.new.host(host).name.clone(),
            id: self.new.host(host).id.to_string(),
            at: first_peer(self.new, host).map(|end| self.name_of_new(end)),
        }));
        changes
    }

    /// A host that is not where it was: moved, if its card is among the new ones, and else missing.
    fn absent(&self, host: HostId, new: &mut BTreeMap<UniqueId, HostId>) -> Change {
        let (name, id) = (self.old.host(host).name.clone(), self.old.host(host).id);
        let from = first_peer(self.old, host).map(|end| self.old.port_name(end).to_string());
        match new.remove(&id) {
            Some(now) => {
                let to = first_peer(self.new, now).map(|end| self.name_of_new(end));
                Change::HostMoved { host: name, id: id.to_string(), from, to }
            }
            None => Change::HostMissing { host: name, id: id.to_string(), at: from },
        }
    }

    fn cables(&self) -> Vec<Change> {
        let old = self.differences(|difference| match *difference {
            Difference::CableOnlyInA(a, b) => Some([a, b].map(|end| self.old.port_name(end).to_string())),
            _ => None,
        });
        let mut new = self.differences(|difference| match *difference {
            Difference::CableOnlyInB(a, b) => Some([a, b].map(|end| self.name_of_new(end))),
            _ => None,
        });
        let (mut moved, mut missing) = (Vec::new(), Vec::new());
        for [a, b] in old {
            match new.iter().position(|ends| ends.contains(&a) || ends.contains(&b)) {
                Some(index) => {
                    let now = new.remove(index);
                    let (end, from) = if now.contains(&a) { (a, b) } else { (b, a) };
                    let to = now.into_iter().find(|other| *other != end).unwrap_or_else(|| end.clone());
                    moved.push(Change::CableMoved { end, from, to });
                }
                None => missing.push(Change::CableMissing { a, b }),
            }
        }
        moved.extend(missing);
        moved.extend(new.into_iter().map(|[a, b]| Change::CableNew { a, b }));
        moved
    }
}

/// A port of a newer map by the name that the old one has, or would have, for it.
pub(crate) fn port_in_old_names(old: &Topology, port: PortId) -> String {
    let is_below_zero = port.port >= old.ports_of(port.node) && port.port >= 64;
    if is_below_zero {
        // The old map did not know so low a port, and called a higher one 0.
        return format!("{}:{}", old.node_name(port.node), i16::from(port.port) - 128);
    }
    old.port_name(port).to_string()
}

/// What a host is plugged into, by its first cabled port.
fn first_peer(topology: &Topology, host: HostId) -> Option<PortId> {
    topology.peers(host.into()).iter().flatten().next().copied()
}

#[cfg(test)]
mod tests;
