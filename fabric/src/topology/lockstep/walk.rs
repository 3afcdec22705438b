//! How the walk decides what corresponds to what.

use super::{Matching, Pair, shift_between, shifted};
use crate::id::UniqueId;
use crate::topology::{Cable, HostId, NodeId, PortId, Topology};
use std::cmp::Reverse;
use std::collections::{BTreeMap, VecDeque};

/// The most rounds of voting; each lets a correction spread by one cable, and most maps need one.
const MAX_ROUNDS: usize = 32;

/// The two topologies, and the pair of hosts where the walk starts.
pub(super) struct Walker<'t> {
    pub(super) a: &'t Topology,
    pub(super) b: &'t Topology,
    pub(super) start: Pair,
}

impl Walker<'_> {
    /// Settles several guesses, and takes the first in which most cables agree.
    ///
    /// The guesses from location alone come first, so cards decide nothing where these leave no difference.
    pub(super) fn walk(&self) -> Matching {
        let guesses = [Walker::outwards, Walker::start_alone, Walker::by_cards];
        let all = (self.a.cables().len(), self.b.cables().len());
        let mut best = (0, self.start_alone());
        for guess in guesses {
            let matching = self.settled(guess(self));
            let common = self.common_cables(&matching);
            if common > best.0 {
                best = (common, matching);
            }
            if all == (common, common) {
                break;
            }
        }
        best.1
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

    /// The pair that the cables at port `port` of a pair's nodes lead to, if both are there and lead to nodes of one kind.
    fn beyond(&self, pair: Pair, port: u8) -> Option<Pair> {
        let a = self.a.peer(PortId { node: pair.a, port })?;
        let b = self.b.peer(PortId { node: pair.b, port: shifted(port, pair.offset) })?;
        let one_kind = matches!(a.node, NodeId::Host(_)) == matches!(b.node, NodeId::Host(_));
        one_kind.then(|| Pair { a: a.node, b: b.node, offset: shift_between(a.port, b.port) })
    }

    fn all_beyond(&self, pair: Pair) -> impl Iterator<Item = Pair> + '_ {
        (0..self.a.ports_of(pair.a)).filter_map(move |port| self.beyond(pair, port))
    }

    /// Whether the cables of B lead to ports that there are in A.
    fn fits(&self, pair: Pair) -> bool {
        let cabled = self.b.peers(pair.b).iter().enumerate().filter(|(_, peer)| peer.is_some());
        let ports = self.a.ports_of(pair.a);
        cabled.into_iter().all(|(port, _)| shifted(port as u8, pair.offset.wrapping_neg()) < ports)
    }

    /// Matches outwards from the start, the nearest first.
    fn outwards(&self) -> Matching {
        let mut matching = self.start_alone();
        let mut queue = VecDeque::from([self.start]);
        while let Some(pair) = queue.pop_front() {
            queue.extend(self.all_beyond(pair).filter(|next| matching.add(*next)));
        }
        matching
    }

    /// Matches the start alone, and leaves the rest to the votes: each round of them goes one cable further.
    fn start_alone(&self) -> Matching {
        let mut matching = Matching::new(self.a, self.b);
        matching.add(self.start);
        matching
    }

    /// Matches crossbars by the votes of the hosts whose unique id is at both, and then what is around them.
    fn by_cards(&self) -> Matching {
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
        let mut matching = self.elected(votes);
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
        self.elected(votes)
    }

    /// Keeps the pairs with the most votes.
    fn elected(&self, mut votes: Vec<Pair>) -> Matching {
        votes.sort_unstable();
        let mut ranked: Vec<_> = votes
            .chunk_by(|x, y| x == y)
            .map(|same| {
                let pair = same[0];
                (Reverse((same.len(), self.fits(pair))), pair)
            })
            .collect();
        ranked.sort_unstable();
        let mut next = self.start_alone();
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
