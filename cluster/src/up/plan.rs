//! The intended cabling: which nodes there should be, and where.
//!
//! Discovery learns from probes alone. The plan is what an operator knows besides: it gives the nodes their numbers by
//! location, and names those that did not answer. An absent node keeps its place in the map, so that its routes are
//! computed and proven with all others, and it can be looked for and booted when it comes.

use std::collections::BTreeSet;
use twowire_fabric::id::NodeNumber;
use twowire_fabric::map::{FabricMap, FabricMapError};
use twowire_fabric::topology::transform::{Part, assemble};
use twowire_fabric::topology::{HostId, NodeId, PortId, Topology};
use twowire_mapper::naming;
use twowire_multicast_boot::front_end::UNKNOWN_CARD;

/// A topology as a plan.
///
/// Its hosts are numbered by their names `n0`, `n1`, … where all but the front end have such names, and otherwise in the order in which the file has them.
pub fn of_topology(topology: &Topology, front_end: HostId) -> Result<FabricMap, FabricMapError> {
    let numbers = numbers_by_name(topology, front_end).unwrap_or_else(|| numbers_in_order(topology, front_end));
    let hosts = topology.host_ids().zip(numbers).map(|(host, number)| Part {
        node: host.into(),
        name: number.to_string(),
        ports: topology.host(host).ports,
    });
    let crossbars = topology.crossbar_ids().map(|x| Part::unchanged(topology, x.into()));
    let parts: Vec<Part> = crossbars.chain(hosts).collect();
    FabricMap::from_topology(assemble(topology, &parts, |end| end.port).expect("numbers are given once"))
}

/// The number in each host's name, if all have one.
fn numbers_by_name(topology: &Topology, front_end: HostId) -> Option<Vec<NodeNumber>> {
    let mut seen = BTreeSet::new();
    let number = |host: HostId| {
        let number = match topology.host(host).name.parse() {
            _ if host == front_end => NodeNumber::FRONT_END,
            Ok(NodeNumber::FRONT_END) | Err(_) => return None,
            Ok(number) => number,
        };
        seen.insert(number).then_some(number)
    };
    topology.host_ids().map(number).collect()
}

fn numbers_in_order(topology: &Topology, front_end: HostId) -> Vec<NodeNumber> {
    let mut next = (0..).map(NodeNumber);
    let number = |host| if host == front_end { NodeNumber::FRONT_END } else { next.next().expect("endless") };
    topology.host_ids().map(number).collect()
}

/// What was discovered, numbered by the plan, with the plan's absent nodes in their places.
pub struct Numbered {
    /// The map.
    pub map: FabricMap,
    /// Nodes of the plan that did not answer, and have a place in the map.
    pub absent: Vec<NodeNumber>,
    /// Nodes of the plan whose crossbar was not found either.
    pub unplaced: Vec<NodeNumber>,
}

/// Numbers what was discovered by the plan.
pub fn number(discovered: &Topology, front_end: HostId, plan: &FabricMap) -> Numbered {
    let found = naming::again(discovered, front_end, plan);
    let mut topology = with_the_plans_ports(found.topology(), plan.topology());
    let (mut absent, mut unplaced) = (Vec::new(), Vec::new());
    for (number, host) in plan.nodes().filter(|&(number, _)| found.host(number).is_none()) {
        if plug_in(&mut topology, number, host, plan) { absent.push(number) } else { unplaced.push(number) }
    }
    let map = FabricMap::from_topology(topology).expect("a fabric map with more nodes is one");
    Numbered { map, absent, unplaced }
}

/// Crossbars that the plan has too get as many ports as there.
fn with_the_plans_ports(found: &Topology, plan: &Topology) -> Topology {
    let widened = |x| {
        let part = Part::unchanged(found, NodeId::Crossbar(x));
        let planned = plan.find(&part.name).map_or(0, |node| plan.ports_of(node));
        Part { ports: part.ports.max(planned), ..part }
    };
    let hosts = found.host_ids().map(|host| Part::unchanged(found, host.into()));
    let parts: Vec<Part> = found.crossbar_ids().map(widened).chain(hosts).collect();
    assemble(found, &parts, |end| end.port).expect("more ports change nothing else")
}

/// Puts an absent node where the plan has it, if that place was found and is free.
fn plug_in(topology: &mut Topology, number: NodeNumber, planned: HostId, plan: &FabricMap) -> bool {
    let plan = plan.topology();
    let Some(place) = plan.peers(planned.into()).iter().copied().flatten().next() else { return false };
    let Some(node @ NodeId::Crossbar(_)) = topology.find(plan.node_name(place.node)) else { return false };
    let place = PortId { node, port: place.port };
    if place.port >= topology.ports_of(node) || topology.peer(place).is_some() {
        return false;
    }
    let host = topology.add_host(number.to_string(), UNKNOWN_CARD, 1).expect("the number is not in use");
    topology.connect(PortId::new(host, 0), place).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use twowire_fabric::topology::generate::pink;
    use twowire_fabric::topology::transform::without;

    #[test]
    fn an_absent_node_keeps_number_and_place() {
        let plan = of_topology(&pink(), HostId(0)).unwrap();
        let gone: NodeId = pink().find("n17").unwrap();
        let discovered = without(&pink(), &BTreeSet::from([gone]));
        let numbered = number(&discovered, HostId(0), &plan);
        assert_eq!((numbered.absent, numbered.unplaced), (vec![NodeNumber(17)], vec![]));
        let map = numbered.map.topology();
        let place = |topology: &Topology, name: &str| {
            let peer = topology.peers(topology.find(name).unwrap())[0].unwrap();
            (topology.node_name(peer.node).to_owned(), peer.port)
        };
        assert_eq!(place(map, "n17"), place(&pink(), "n17"));
        assert_eq!(place(map, "n1022"), place(&pink(), "n1022"));
        assert_eq!(map.host(numbered.map.host(NodeNumber(17)).unwrap()).id, UNKNOWN_CARD);
    }

    #[test]
    fn a_dead_crossbar_leaves_its_nodes_without_a_place() {
        let plan = of_topology(&pink(), HostId(0)).unwrap();
        let dead = pink().find("x1.3").unwrap();
        let hosts = pink()
            .peers(dead)
            .iter()
            .flatten()
            .map(|p| p.node)
            .filter(|n| matches!(n, NodeId::Host(_)))
            .collect::<Vec<_>>();
        let gone = BTreeSet::from_iter(hosts.into_iter().chain([dead]));
        let numbered = number(&without(&pink(), &gone), HostId(0), &plan);
        assert_eq!(numbered.unplaced.len(), 8);
        assert_eq!(numbered.map.nodes().len(), 1016);
    }

    #[test]
    fn names_give_numbers_where_they_can() {
        let topology: Topology =
            Topology::parse("topo 1\ncrossbar x 8\nhost n0 0x1\nhost n5 0x2\ncable n0 x:0\ncable n5 x:3\n").unwrap();
        let numbers = |map: FabricMap| map.nodes().map(|(n, _)| n.0).collect::<Vec<_>>();
        assert_eq!(numbers(of_topology(&topology, HostId(0)).unwrap()), [-1, 5]);
        let other =
            Topology::parse("topo 1\ncrossbar x 8\nhost a 0x1\nhost b 0x2\ncable a x:0\ncable b x:3\n").unwrap();
        assert_eq!(numbers(of_topology(&other, HostId(1)).unwrap()), [-1, 0]);
    }
}
