//! Cycles in the channel dependency graph.
//!
//! A channel is known by the port where its frames arrive; it depends on the channels by which they leave that crossbar.

use super::network::{End, Network};
use super::report::CycleStep;
use super::tally::{HexHops, channel_name};
use twowire_fabric::map::RouteSet;
use twowire_fabric::topology::Topology;

/// One dependency: frames that arrive at a port leave by a port of the same crossbar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Turn {
    arrival: u32,
    out: u8,
}

/// The dependency graph.
struct Graph<'a> {
    network: &'a Network,
    dependencies: &'a [u128],
}

impl Graph<'_> {
    /// The turns that frames take which arrive at a port, each with the port where they arrive next. Turns to hosts are
    /// left out: a host takes what comes.
    fn next(&self, arrival: u32) -> impl Iterator<Item = (Turn, u32)> + '_ {
        let mut outs = self.dependencies[arrival as usize];
        let crossbar = if outs == 0 { 0 } else { self.network.first(self.network.crossbar_of(arrival)) };
        std::iter::from_fn(move || {
            while outs != 0 {
                let out = outs.trailing_zeros() as u8;
                outs &= outs - 1;
                if let End::Crossbar { first, port } = self.network.end(crossbar + u32::from(out)) {
                    return Some((Turn { arrival, out }, first + u32::from(port)));
                }
            }
            None
        })
    }

    /// The channels that are left when those on which nothing depends have been taken away, again and again: all cycles,
    /// and what they lead to.
    fn remainder(&self) -> Vec<bool> {
        let ports = self.network.ports() as u32;
        let mut dependants = vec![0u32; ports as usize];
        (0..ports).flat_map(|a| self.next(a)).for_each(|(_, next)| dependants[next as usize] += 1);
        let mut free: Vec<u32> = (0..ports).filter(|&a| dependants[a as usize] == 0).collect();
        let mut left = vec![true; ports as usize];
        while let Some(arrival) = free.pop() {
            left[arrival as usize] = false;
            for (_, next) in self.next(arrival) {
                dependants[next as usize] -= 1;
                if dependants[next as usize] == 0 {
                    free.push(next);
                }
            }
        }
        left
    }

    /// A shortest cycle through a channel.
    fn shortest_through(&self, start: u32) -> Option<Vec<Turn>> {
        let mut reached_by: Vec<Option<Turn>> = vec![None; self.network.ports()];
        let mut queue = vec![start];
        let mut at = 0;
        while let Some(&arrival) = queue.get(at) {
            at += 1;
            for (turn, next) in self.next(arrival) {
                if reached_by[next as usize].is_none() {
                    reached_by[next as usize] = Some(turn);
                    queue.push(next);
                }
            }
            if reached_by[start as usize].is_some() {
                break;
            }
        }
        let mut cycle = vec![reached_by[start as usize]?];
        while cycle[cycle.len() - 1].arrival != start {
            cycle.push(reached_by[cycle[cycle.len() - 1].arrival as usize].expect("reached from the start"));
        }
        cycle.reverse();
        Some(cycle)
    }
}

/// A short cycle, if there is any.
pub(super) fn find(network: &Network, dependencies: &[u128]) -> Option<Vec<Turn>> {
    let graph = Graph { network, dependencies };
    let left = graph.remainder();
    let first = left.iter().position(|&left| left)? as u32;
    // Every channel that is left has a dependant that is left, so going back along them runs into a cycle.
    let mut dependant = vec![u32::MAX; network.ports()];
    for arrival in (0..network.ports() as u32).filter(|&a| left[a as usize]) {
        graph.next(arrival).for_each(|(_, next)| dependant[next as usize] = arrival);
    }
    let mut seen = vec![false; network.ports()];
    let mut on_cycle = first;
    while !std::mem::replace(&mut seen[on_cycle as usize], true) {
        on_cycle = dependant[on_cycle as usize];
    }
    let cycle = graph.shortest_through(on_cycle).expect("it is on a cycle");
    cycle.iter().filter_map(|turn| graph.shortest_through(turn.arrival)).min_by_key(Vec::len)
}

/// Names the channels of a cycle, and for each a route that goes on to the next.
pub(super) fn explain(
    network: &Network,
    topology: &Topology,
    cycle: &[Turn],
    routes: &RouteSet,
    in_use: Option<&RouteSet>,
) -> Vec<CycleStep> {
    let mut step_at = vec![usize::MAX; network.ports()];
    cycle.iter().enumerate().for_each(|(i, turn)| step_at[turn.arrival as usize] = i);
    let mut witnesses = vec![None; cycle.len()];
    for set in std::iter::once(routes).chain(in_use) {
        set.for_each(|from, route| {
            let _ = network.walk(from, route.rail, route.hops, route.to, |arrival, out, _| {
                let step = step_at[arrival as usize];
                if step != usize::MAX && cycle[step].out == out && witnesses[step].is_none() {
                    let (from, to) = (&topology.host(from).name, &topology.host(route.to).name);
                    let (hops, epoch) = (HexHops(route.hops), set.epoch());
                    witnesses[step] = Some(format!("{from} {to} {hops} (epoch {epoch})"));
                }
            });
        });
    }
    let step = |(turn, route): (&Turn, Option<String>)| CycleStep {
        channel: channel_name(topology, network.port(turn.arrival)),
        route: route.expect("a route made the dependency"),
    };
    cycle.iter().zip(witnesses).map(step).collect()
}
