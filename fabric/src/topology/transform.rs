//! Topologies made from others: parts taken away or renamed, ports and cards exchanged. All that is random has a seed.

use super::{Cable, NodeId, PortId, Topology, TopologyError};
use crate::id::UniqueId;
use fastrand::Rng;
use std::collections::{BTreeSet, VecDeque};

/// What becomes of a crossbar or host that is taken over into another topology.
#[derive(Clone, Debug)]
pub struct Part {
    /// Which.
    pub node: NodeId,
    /// Its name there.
    pub name: String,
    /// Its number of ports there.
    pub ports: u8,
}

impl Part {
    /// The node as it is.
    pub fn unchanged(topology: &Topology, node: NodeId) -> Part {
        Part { node, name: topology.node_name(node).to_owned(), ports: topology.ports_of(node) }
    }
}

/// A topology of these parts of another, in this order, with the cables between them; `port` gives the new number of a port.
pub fn assemble(from: &Topology, parts: &[Part], port: impl Fn(PortId) -> u8) -> Result<Topology, TopologyError> {
    let mut made = Topology::new(from.name.clone());
    let mut crossbars = vec![None; from.crossbars().len()];
    let mut hosts = vec![None; from.hosts().len()];
    for part in parts {
        match part.node {
            NodeId::Crossbar(x) => {
                crossbars[x.0 as usize] = Some(made.add_crossbar(part.name.clone(), part.ports)?.into());
            }
            NodeId::Host(h) => {
                hosts[h.0 as usize] = Some(made.add_host(part.name.clone(), from.host(h).id, part.ports)?.into());
            }
        }
    }
    let moved = |end: PortId| {
        let node: Option<NodeId> = match end.node {
            NodeId::Crossbar(x) => crossbars[x.0 as usize],
            NodeId::Host(h) => hosts[h.0 as usize],
        };
        node.map(|node| PortId { node, port: port(end) })
    };
    for cable in from.cables() {
        if let (Some(a), Some(b)) = (moved(cable.a), moved(cable.b)) {
            let new = made.connect(a, b)?;
            (new.rate_bits_per_s, new.length_m) = (cable.rate_bits_per_s, cable.length_m);
        }
    }
    Ok(made)
}

fn nodes(topology: &Topology) -> impl Iterator<Item = NodeId> + use<> {
    topology.crossbar_ids().map(NodeId::from).chain(topology.host_ids().map(NodeId::from))
}

/// The topology without these crossbars and hosts, and without their cables.
pub fn without(topology: &Topology, gone: &BTreeSet<NodeId>) -> Topology {
    let parts: Vec<Part> =
        nodes(topology).filter(|node| !gone.contains(node)).map(|node| Part::unchanged(topology, node)).collect();
    assemble(topology, &parts, |end| end.port).expect("a part of a topology is one")
}

/// Takes away this percentage of the cables between crossbars, and says which.
pub fn cut_cables(topology: &mut Topology, percent: f64, seed: u64) -> Vec<Cable> {
    let between = |cable: &&Cable| matches!((cable.a.node, cable.b.node), (NodeId::Crossbar(_), NodeId::Crossbar(_)));
    let mut ends: Vec<PortId> = topology.cables().iter().filter(between).map(|cable| cable.a).collect();
    let count = (ends.len() as f64 * percent / 100.0).round() as usize;
    Rng::with_seed(seed).shuffle(&mut ends);
    ends.iter().take(count).filter_map(|&end| topology.disconnect(end)).collect()
}

/// The topology without so many of its crossbars.
pub fn without_crossbars(topology: &Topology, count: usize, seed: u64) -> Topology {
    let mut crossbars: Vec<NodeId> = topology.crossbar_ids().map(NodeId::from).collect();
    Rng::with_seed(seed).shuffle(&mut crossbars);
    without(topology, &crossbars.into_iter().take(count).collect())
}

/// The topology with the ports of each crossbar permuted.
pub fn shuffle_ports(topology: &Topology, seed: u64) -> Topology {
    let mut rng = Rng::with_seed(seed);
    let permutations: Vec<Vec<u8>> = topology
        .crossbars()
        .iter()
        .map(|crossbar| {
            let mut ports: Vec<u8> = (0..crossbar.ports).collect();
            rng.shuffle(&mut ports);
            ports
        })
        .collect();
    let parts: Vec<Part> = nodes(topology).map(|node| Part::unchanged(topology, node)).collect();
    let port = |end: PortId| match end.node {
        NodeId::Crossbar(x) => permutations[x.0 as usize][end.port as usize],
        NodeId::Host(_) => end.port,
    };
    assemble(topology, &parts, port).expect("a permutation of the ports keeps them apart")
}

/// Gives every host another card: a random unique id.
pub fn random_ids(topology: &mut Topology, seed: u64) {
    let mut rng = Rng::with_seed(seed);
    let mut taken = BTreeSet::new();
    for host in topology.host_ids() {
        let id = std::iter::repeat_with(|| rng.u64(1..)).find(|id| taken.insert(*id));
        topology.set_unique_id(host, UniqueId(id.expect("the generator does not end")));
    }
}

/// What can be reached from a node, itself included.
pub fn reachable(topology: &Topology, from: NodeId) -> BTreeSet<NodeId> {
    let (mut seen, mut queue) = (BTreeSet::from([from]), VecDeque::from([from]));
    while let Some(node) = queue.pop_front() {
        queue.extend(topology.peers(node).iter().flatten().map(|peer| peer.node).filter(|node| seen.insert(*node)));
    }
    seen
}

/// The map that a flawless discovery from a host would draw, to test what works on maps.
///
/// It holds what the host can reach. Nothing has a name that tells anything, crossbars and hosts come in random order, and each
/// crossbar's ports are shifted so that the lowest one in use is 0.
pub fn as_discovered(topology: &Topology, from: NodeId, seed: u64) -> Topology {
    let mut order: Vec<NodeId> = reachable(topology, from).into_iter().collect();
    Rng::with_seed(seed).shuffle(&mut order);
    let used = |node: NodeId| topology.peers(node).iter().enumerate().filter(|(_, peer)| peer.is_some());
    let lowest = |node: NodeId| match node {
        NodeId::Crossbar(_) => used(node).next().map_or(0, |(port, _)| port as u8),
        NodeId::Host(_) => 0,
    };
    let parts: Vec<Part> = order
        .iter()
        .enumerate()
        .map(|(index, &node)| {
            let highest = used(node).next_back().map_or(0, |(port, _)| port as u8);
            Part { node, name: format!("found{index}"), ports: highest - lowest(node).min(highest) + 1 }
        })
        .collect();
    assemble(topology, &parts, |end| end.port - lowest(end.node)).expect("a part of a topology is one")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::topology::generate::pink;
    use crate::topology::{CrossbarId, HostId};

    #[test]
    fn damage_is_as_large_as_it_was_asked_for_and_its_seed_decides_it() {
        let mut damaged = pink();
        let cut = cut_cables(&mut damaged, 5.0, 1);
        assert_eq!((cut.len(), damaged.cables().len()), (102, 3072 - 102));
        let again = |seed| cut_cables(&mut pink(), 5.0, seed);
        assert!(again(1) == cut && again(2) != cut);

        let fewer = without_crossbars(&pink(), 3, 1);
        assert_eq!((fewer.crossbars().len(), fewer.hosts().len()), (317, 1024));
        assert_eq!(fewer.to_string(), without_crossbars(&pink(), 3, 1).to_string());
        let first = without(&pink(), &BTreeSet::from([CrossbarId(0).into()]));
        assert_eq!(first.cables().len(), 3072 - 16);
        assert_eq!(reachable(&first, HostId(0).into()).len(), 1, "its hosts are cut off");
        assert_eq!(reachable(&first, HostId(8).into()).len(), 319 + 1016);
    }

    #[test]
    fn shuffling_and_new_cards_leave_the_cables_between_the_same() {
        let between = |topology: &Topology| {
            let ends = |c: &Cable| [c.a.node, c.b.node];
            let mut all: Vec<_> = topology.cables().iter().map(ends).collect();
            all.sort_unstable();
            all
        };
        let mut shuffled = shuffle_ports(&pink(), 7);
        random_ids(&mut shuffled, 7);
        assert_eq!(between(&shuffled), between(&pink()));
        assert_ne!(shuffled.to_string(), pink().to_string());
        assert_ne!(shuffled.hosts()[0].id, pink().hosts()[0].id);
    }

    #[test]
    fn a_discovered_map_keeps_ids_and_port_differences_alone() {
        let found = as_discovered(&shuffle_ports(&pink(), 1), HostId(0).into(), 2);
        assert_eq!((found.crossbars().len(), found.hosts().len(), found.cables().len()), (320, 1024, 3072));
        assert!(found.crossbar_ids().all(|x| found.peer(PortId::new(x, 0)).is_some()));
        assert!(found.hosts().iter().all(|host| host.name.starts_with("found")));
    }
}
