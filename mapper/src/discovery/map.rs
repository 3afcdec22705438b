//! The result: the facts as a topology of anonymous crossbars.

use super::model::{HostFact, HostIndex, Model, Name, Peer, Place};
use super::ports::distance;
use super::{DiscoveredMap, Statistics};
use std::collections::{BTreeMap, VecDeque};
use twowire_fabric::id::NodeNumber;
use twowire_fabric::topology::{CrossbarId, HostId, PortId, Topology};

/// Reads the model out, breadth first from the front end, so that equal fabrics give equal maps up to the offsets.
///
/// The lowest port in use of each crossbar is port 0. `radix` is the number of ports if it was given; else every crossbar
/// gets as many as the widest one spans, since probes cannot see a port without a cable.
pub(super) fn read_out(model: &Model, radix: Option<u8>, statistics: Statistics) -> DiscoveredMap {
    let widest = model.names().filter_map(|name| model.crossbar(name).used().extent()).map(|extent| extent.1).max();
    let ports = radix.unwrap_or(1).max(widest.unwrap_or(1));
    let mut reader = Reader {
        model,
        map: DiscoveredMap { topology: Topology::new(""), front_end: HostId(0), epochs: Vec::new(), statistics },
        ports,
        crossbars: BTreeMap::new(),
        queue: VecDeque::new(),
    };
    reader.add_host(0);
    reader.crossbar(model.resolve(Place::new(0, 0)).name);
    while let Some(name) = reader.queue.pop_front() {
        reader.read_crossbar(name);
    }
    reader.map
}

/// The map of a front end that is cabled to one other host, without a crossbar.
pub(super) fn back_to_back(own: HostFact, other: HostFact, statistics: Statistics) -> DiscoveredMap {
    let mut topology = Topology::new("");
    let mut add = |index, id| topology.add_host(NodeNumber::from_index(index).to_string(), id, 1).expect("two names");
    let (a, b) = (add(0, own.id), add(1, other.id));
    topology.connect(PortId::new(a, 0), PortId::new(b, 0)).expect("both ports are free");
    DiscoveredMap { topology, front_end: a, epochs: vec![own.epoch, other.epoch], statistics }
}

struct Reader<'a> {
    model: &'a Model,
    map: DiscoveredMap,
    ports: u8,
    /// Each crossbar's id in the topology, and its lowest port in the model.
    crossbars: BTreeMap<Name, (CrossbarId, u8)>,
    queue: VecDeque<Name>,
}

impl Reader<'_> {
    fn add_host(&mut self, host: HostIndex) -> HostId {
        let fact = self.model.host(host);
        let name = NodeNumber::from_index(self.map.topology.hosts().len()).to_string();
        self.map.epochs.push(fact.epoch);
        self.map.topology.add_host(name, fact.id, 1).expect("hosts are numbered")
    }

    fn crossbar(&mut self, name: Name) -> (CrossbarId, u8) {
        if let Some(&known) = self.crossbars.get(&name) {
            return known;
        }
        let low = self.model.crossbar(name).used().extent().map_or(0, |extent| extent.0);
        let id = self.map.topology.add_crossbar(format!("x{}", self.crossbars.len()), self.ports);
        let known = (id.expect("crossbars are numbered"), low);
        self.crossbars.insert(name, known);
        self.queue.push_back(name);
        known
    }

    fn port(&mut self, at: Place) -> PortId {
        let (id, low) = self.crossbar(at.name);
        PortId::new(id, distance(low, at.port))
    }

    fn read_crossbar(&mut self, name: Name) {
        let low = self.crossbar(name).1;
        let mut links = self.model.crossbar(name).links().to_vec();
        links.sort_by_key(|&(port, _)| distance(low, port));
        for (port, peer) in links {
            let here = self.port(Place::new(name, port));
            let there = match peer {
                Peer::Host(0) => PortId::new(HostId(0), 0),
                Peer::Host(host) => PortId::new(self.add_host(host), 0),
                Peer::Crossbar(place) => self.port(self.model.resolve(place)),
            };
            if here == there {
                // What goes out comes straight back in: a loopback plug, and no cable.
                self.map.statistics.loopback_plugs += 1;
            } else if self.map.topology.peer(here).is_none() {
                self.map.topology.connect(there, here).expect("one port has one peer");
            }
        }
    }
}
