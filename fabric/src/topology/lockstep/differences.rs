//! What differs, once it is decided what corresponds to what.

use super::{Difference, Matching, Pair};
use crate::topology::transform::reachable;
use crate::topology::{NodeId, PortId, Topology};
use std::collections::BTreeSet;

pub(super) fn all(a: &Topology, b: &Topology, start: Pair, matching: &Matching) -> Vec<Difference> {
    let (in_a, in_b) = (reachable(a, start.a), reachable(b, start.b));
    let mut differences: Vec<_> = in_a.iter().filter_map(|&node| of_node(a, b, node, matching)).collect();
    differences.extend(in_b.iter().filter(|&&node| matching.of_b(node).is_none()).map(|node| match *node {
        NodeId::Crossbar(x) => Difference::CrossbarNew(x),
        NodeId::Host(h) => Difference::HostNew(h),
    }));
    let only_a = lone_cables(a, b, &in_a, |end| matching.port_of_a(end));
    let only_b = lone_cables(b, a, &in_b, |end| matching.port_of_b(end));
    differences.extend(only_a.into_iter().map(|(x, y)| Difference::CableOnlyInA(x, y)));
    differences.extend(only_b.into_iter().map(|(x, y)| Difference::CableOnlyInB(x, y)));
    differences
}

fn of_node(a: &Topology, b: &Topology, node: NodeId, matching: &Matching) -> Option<Difference> {
    match (node, matching.of_a(node)) {
        (NodeId::Crossbar(x), None) => Some(Difference::CrossbarMissing(x)),
        (NodeId::Host(h), None) => Some(Difference::HostMissing(h)),
        (NodeId::Host(before), Some((NodeId::Host(after), _))) if a.host(before).id != b.host(after).id => {
            Some(Difference::IdChanged { a: before, b: after })
        }
        _ => None,
    }
}

/// The cables of one topology that lead between matched nodes and that the other has not, in order.
fn lone_cables(
    of: &Topology,
    other: &Topology,
    reached: &BTreeSet<NodeId>,
    twin: impl Fn(PortId) -> Option<PortId>,
) -> Vec<(PortId, PortId)> {
    let is_lone = |a: PortId, b: PortId| matches!((twin(a), twin(b)), (Some(a), Some(b)) if other.peer(a) != Some(b));
    let reached = of.cables().iter().filter(|cable| reached.contains(&cable.a.node));
    let mut lone: Vec<_> = reached.map(|c| (c.a, c.b)).filter(|&(a, b)| is_lone(a, b)).collect();
    lone.sort_unstable();
    lone
}
