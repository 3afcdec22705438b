//! How many trees take each turn, and an order of the channels in which every turn leads to a later one.
//!
//! That order is what shows that no channels wait for one another in a circle. A turn that nobody took before is compared with
//! it; if it leads back, the channels in between are put in order anew (D. Pearce and P. Kelly, "A dynamic topological sort algorithm
//! for directed acyclic graphs"), which fails if and only if the turn closes a cycle.

use crate::verify::network::{End, Network};
use std::collections::BTreeSet;

/// From the port of a crossbar where frames arrive to the one by which they leave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Turn {
    pub(super) arrival: u32,
    pub(super) out: u8,
}

/// The turns that frames take from one cable between crossbars into another.
#[derive(Clone)]
pub(super) struct Turns {
    /// For each crossbar, where its counts begin; the ports that it has, squared, are as many.
    first: Vec<u32>,
    /// For each crossbar, arrival and port to leave by: how many trees take the turn.
    counts: Vec<u32>,
    /// For each channel, named by the port where its frames arrive: its place in the order.
    rank: Vec<u32>,
}

impl Turns {
    /// No turns.
    pub(super) fn none(network: &Network) -> Turns {
        let mut first = vec![0];
        for x in 0..network.crossbars() as u32 {
            let ports = network.ports_of(x).len() as u32;
            first.push(first[first.len() - 1] + ports * ports);
        }
        let counts = vec![0; first[first.len() - 1] as usize];
        Turns { first, counts, rank: (0..network.ports() as u32).collect() }
    }

    #[inline]
    fn index(&self, network: &Network, turn: Turn) -> usize {
        let x = network.crossbar_of(turn.arrival);
        let ports = network.ports_of(x);
        self.first[x as usize] as usize + (turn.arrival - ports.start) as usize * ports.len() + usize::from(turn.out)
    }

    /// Counts a turn without comparing it with the order: see [`Turns::sort`].
    #[inline]
    pub(super) fn count(&mut self, network: &Network, turn: Turn) {
        let index = self.index(network, turn);
        self.counts[index] += 1;
    }

    /// Takes a tree's turn away.
    pub(super) fn remove(&mut self, network: &Network, turn: Turn) {
        let index = self.index(network, turn);
        self.counts[index] -= 1;
    }

    /// Adds a tree's turn. The channels of a cycle if it closes one; it is added all the same.
    pub(super) fn add(&mut self, network: &Network, turn: Turn) -> Result<(), Vec<u32>> {
        let index = self.index(network, turn);
        self.counts[index] += 1;
        if self.counts[index] > 1 {
            return Ok(());
        }
        match behind(network, turn) {
            Some(next) if self.rank[turn.arrival as usize] >= self.rank[next as usize] => {
                self.reorder(network, turn.arrival, next)
            }
            _ => Ok(()),
        }
    }

    /// The channels that frames on one wait for.
    fn next<'a>(&'a self, network: &'a Network, arrival: u32) -> impl Iterator<Item = u32> + 'a {
        let outs = 0..network.ports_of(network.crossbar_of(arrival)).len() as u8;
        let taken =
            outs.map(move |out| Turn { arrival, out }).filter(|&turn| self.counts[self.index(network, turn)] > 0);
        taken.filter_map(|turn| behind(network, turn))
    }

    /// The channels whose frames wait for one.
    fn before<'a>(&'a self, network: &'a Network, arrival: u32) -> impl Iterator<Item = u32> + 'a {
        let from = match network.end(arrival) {
            End::Crossbar { first, port } => Some((first, port)),
            _ => None,
        };
        from.into_iter().flat_map(move |(first, out)| {
            let arrivals = network.ports_of(network.crossbar_of(first));
            arrivals.filter(move |&arrival| self.counts[self.index(network, Turn { arrival, out })] > 0)
        })
    }

    /// Changes the order such that `from` comes before `to`; the channels of a cycle if `to` leads to `from`.
    fn reorder(&mut self, network: &Network, from: u32, to: u32) -> Result<(), Vec<u32>> {
        let (lowest, highest) = (self.rank[to as usize], self.rank[from as usize]);
        let after = search(to, |a| self.next(network, a).filter(|&n| self.rank[n as usize] <= highest).collect());
        if let Some(cycle) = way(&after, from) {
            return Err(cycle);
        }
        let before = search(from, |a| self.before(network, a).filter(|&n| self.rank[n as usize] >= lowest).collect());
        let in_order = |found: Vec<(u32, usize)>| {
            let mut channels: Vec<u32> = found.into_iter().map(|(channel, _)| channel).collect();
            channels.sort_unstable_by_key(|&channel| self.rank[channel as usize]);
            channels
        };
        let channels = [in_order(before), in_order(after)].concat();
        let mut ranks: Vec<u32> = channels.iter().map(|&channel| self.rank[channel as usize]).collect();
        ranks.sort_unstable();
        channels.into_iter().zip(ranks).for_each(|(channel, rank)| self.rank[channel as usize] = rank);
        Ok(())
    }

    /// Puts all channels in order; false if the turns close a cycle.
    pub(super) fn sort(&mut self, network: &Network) -> bool {
        let ports = network.ports() as u32;
        let mut waiting = vec![0u32; ports as usize];
        (0..ports).for_each(|a| self.next(network, a).for_each(|next| waiting[next as usize] += 1));
        let mut order: Vec<u32> = (0..ports).filter(|&a| waiting[a as usize] == 0).collect();
        let mut at = 0;
        while let Some(&arrival) = order.get(at) {
            at += 1;
            for next in self.next(network, arrival) {
                waiting[next as usize] -= 1;
                if waiting[next as usize] == 0 {
                    order.push(next);
                }
            }
        }
        order.iter().zip(0..).for_each(|(&arrival, rank)| self.rank[arrival as usize] = rank);
        order.len() == ports as usize
    }

    /// Bytes that this takes.
    pub(super) fn memory(&self) -> usize {
        4 * (self.first.len() + self.counts.len() + self.rank.len())
    }
}

/// The channel that a turn leads into, if it leads to a crossbar.
fn behind(network: &Network, turn: Turn) -> Option<u32> {
    let x = network.crossbar_of(turn.arrival);
    match network.end(network.first(x) + u32::from(turn.out)) {
        End::Crossbar { first, port } => Some(first + u32::from(port)),
        _ => None,
    }
}

/// All channels that a search reaches, each with the index of the one that it was reached from.
fn search(start: u32, on: impl Fn(u32) -> Vec<u32>) -> Vec<(u32, usize)> {
    let mut seen = BTreeSet::from([start]);
    let mut found = vec![(start, 0)];
    let mut at = 0;
    while let Some(&(channel, _)) = found.get(at) {
        found.extend(on(channel).into_iter().filter(|&next| seen.insert(next)).map(|next| (next, at)));
        at += 1;
    }
    found
}

/// The way by which a search has come to a channel.
fn way(found: &[(u32, usize)], to: u32) -> Option<Vec<u32>> {
    let mut at = found.iter().position(|&(channel, _)| channel == to)?;
    let mut way = vec![to];
    while at != 0 {
        at = found[at].1;
        way.push(found[at].0);
    }
    way.reverse();
    Some(way)
}

#[cfg(test)]
impl PartialEq for Turns {
    /// The order may be another one.
    fn eq(&self, other: &Turns) -> bool {
        self.counts == other.counts
    }
}
