//! How the walk decides what corresponds to what.

use super::{Matching, Pair, shift_between, shifted};
use crate::id::UniqueId;
use crate::topology::{Cable, HostId, NodeId, PortId, Topology};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};

/// The most rounds of voting; each lets a correction spread by one cable, and most maps need one.
const MAX_ROUNDS: usize = 32;

/// How well the cables of two nodes agree: by location, and then by the unique ids of hosts.
type Agreement = (i32, u32);

/// The two topologies, and the pair of hosts where the walk starts.
pub(super) struct Walker<'t> {
    pub(super) a: &'t Topology,
    pub(super) b: &'t Topology,
    pub(super) start: Pair,
}

impl Walker<'_> {
    /// The matching that the walk outwards gives; where it leaves differences, the one that unique ids suggest if more cables
    /// agree in it.
    pub(super) fn walk(&self) -> Matching {
        let by_location = self.settled(self.first_matching());
        let common = self.common_cables(&by_location);
        if common == self.a.cables().len() && common == self.b.cables().len() {
            return by_location;
        }
        let by_cards = self.settled(self.matched_by_cards());
        if self.common_cables(&by_cards) > common { by_cards } else { by_location }
    }

    /// Lets every cable vote until nothing changes.
    fn settled(&self, mut matching: Matching) -> Matching {
        for _ in 0..MAX_ROUNDS {
            let next = self.voted(&matching);
            if next == matching {
                break;
            }
            matching = next;
        }
        matching
    }

    fn common_cables(&self, matching: &Matching) -> usize {
        let is_common = |cable: &&Cable| {
            let ends = (matching.port_of_a(cable.a), matching.port_of_a(cable.b));
            matches!(ends, (Some(a), Some(b)) if self.b.peer(a) == Some(b))
        };
        self.a.cables().iter().filter(is_common).count()
    }

    /// The pair that the cables at port `port` of a pair's nodes lead to, if both are there and lead to nodes that may be one.
    fn beyond(&self, pair: Pair, port: u8) -> Option<Pair> {
        let a = self.a.peer(PortId { node: pair.a, port })?;
        let b = self.b.peer(PortId { node: pair.b, port: shifted(port, pair.offset) })?;
        let next = Pair { a: a.node, b: b.node, offset: shift_between(a.port, b.port) };
        let possible = match (a.node, b.node) {
            (NodeId::Crossbar(_), NodeId::Crossbar(_)) => true,
            // A host of several rails knows its ports; one that was seen through one rail only was given port 0.
            (NodeId::Host(x), NodeId::Host(y)) => {
                next.offset == 0 || self.a.host(x).ports == 1 || self.b.host(y).ports == 1
            }
            _ => false,
        };
        possible.then_some(next)
    }

    fn all_beyond(&self, pair: Pair) -> impl Iterator<Item = Pair> + '_ {
        (0..self.a.ports_of(pair.a)).filter_map(move |port| self.beyond(pair, port))
    }

    fn is_same_card(&self, pair: Pair) -> bool {
        match (pair.a, pair.b) {
            (NodeId::Host(a), NodeId::Host(b)) => self.a.host(a).id == self.b.host(b).id,
            _ => false,
        }
    }

    /// Whether the cables of B lead to ports that there are in A.
    fn fits(&self, pair: Pair) -> bool {
        let cabled = self.b.peers(pair.b).iter().enumerate().filter(|(_, peer)| peer.is_some());
        let ports = self.a.ports_of(pair.a);
        cabled.into_iter().all(|(port, _)| shifted(port as u8, pair.offset.wrapping_neg()) < ports)
    }

    fn agreement(&self, matching: &Matching, pair: Pair) -> Agreement {
        let cabled = |peers: &[Option<PortId>]| peers.iter().flatten().count() as i32;
        let (mut common, mut score, mut same_cards) = (0, 0, u32::from(self.is_same_card(pair)));
        for next in self.all_beyond(pair) {
            common += 1;
            same_cards += u32::from(self.is_same_card(next));
            let untouched = matching.of_a(next.a).is_none() && matching.of_b(next.b).is_none();
            score += match (matching.holds(next), untouched) {
                (true, _) => 2,
                (false, true) => 1,
                (false, false) => -2,
            };
        }
        let lone = cabled(self.a.peers(pair.a)) + cabled(self.b.peers(pair.b)) - 2 * common;
        (score - lone, same_cards)
    }

    /// Matches outwards from the start, the best agreement first.
    fn first_matching(&self) -> Matching {
        let mut matching = Matching::new(self.a, self.b);
        let mut queue = BinaryHeap::from([((i32::MAX, 0), Reverse((0, self.start)))]);
        let mut pushed = 0u32;
        while let Some((agreement, Reverse((order, pair)))) = queue.pop() {
            if matching.of_a(pair.a).is_some() || matching.of_b(pair.b).is_some() {
                continue;
            }
            let now = self.agreement(&matching, pair);
            if now < agreement && pair != self.start {
                queue.push((now, Reverse((order, pair))));
                continue;
            }
            matching.add(pair);
            for next in self.all_beyond(pair) {
                if matching.of_a(next.a).is_none() && matching.of_b(next.b).is_none() {
                    pushed += 1;
                    queue.push((self.agreement(&matching, next), Reverse((pushed, next))));
                }
            }
        }
        matching
    }

    /// Matches crossbars by the votes of the hosts whose unique id is at both, and then what is around them.
    fn matched_by_cards(&self) -> Matching {
        let mut hosts_of_b: BTreeMap<UniqueId, Vec<HostId>> = BTreeMap::new();
        for host in self.b.host_ids() {
            hosts_of_b.entry(self.b.host(host).id).or_default().push(host);
        }
        let mut votes = Vec::new();
        for a in self.a.host_ids() {
            if let Some([b]) = hosts_of_b.get(&self.a.host(a).id).map(Vec::as_slice) {
                let next = self.all_beyond(Pair { a: a.into(), b: (*b).into(), offset: 0 });
                votes.extend(next.filter(|pair| matches!(pair.a, NodeId::Crossbar(_))));
            }
        }
        let mut matching = self.elected(votes, &Matching::new(self.a, self.b));
        let around = self.voted(&matching);
        for pair in self.matched(&around) {
            matching.add(pair);
        }
        matching
    }

    /// One round: each cable of a matched node is a vote on what is at its other end; the pairs with the most votes are kept.
    ///
    /// A node of one cable has no vote: it was matched by that cable alone.
    fn voted(&self, matching: &Matching) -> Matching {
        let mut votes: Vec<Pair> = self.all_beyond(self.start).collect();
        for pair in self.matched(matching) {
            if self.all_beyond(pair).nth(1).is_some() {
                votes.extend(self.all_beyond(pair));
            }
        }
        self.elected(votes, matching)
    }

    /// Keeps the pairs with the most votes.
    fn elected(&self, mut votes: Vec<Pair>, matching: &Matching) -> Matching {
        votes.sort_unstable();
        let mut ranked: Vec<_> = votes
            .chunk_by(|x, y| x == y)
            .map(|same| {
                let pair = same[0];
                let same_cards = self.agreement(matching, pair).1;
                let evidence = (same.len(), self.fits(pair), matching.holds(pair), same_cards);
                (Reverse(evidence), pair)
            })
            .collect();
        ranked.sort_unstable();
        let mut next = Matching::new(self.a, self.b);
        next.add(self.start);
        for (_, pair) in ranked {
            next.add(pair);
        }
        next
    }

    fn matched(&self, matching: &Matching) -> impl Iterator<Item = Pair> {
        let nodes = self.a.crossbar_ids().map(NodeId::from).chain(self.a.host_ids().map(NodeId::from));
        nodes.filter_map(|a| matching.of_a(a).map(|(b, offset)| Pair { a, b, offset }))
    }
}
