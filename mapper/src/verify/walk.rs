//! Proves routes that are listed one by one: each is walked.

use super::shortest::Shortest;
use super::tally::Tally;
use twowire_fabric::map::RouteSet;
use twowire_fabric::topology::HostId;

/// Walks all routes of a set.
pub(super) fn check(tally: &mut Tally, routes: &RouteSet, shortest: &Shortest) {
    let mut arrived = Pairs::none(routes.hosts());
    routes.for_each(|from, route| {
        if tally.walk(from, route, shortest) {
            arrived.add(from, route.to);
        }
    });
    tally.report.pairs_routed += arrived.count;
    let hosts = routes.hosts() as u32;
    if arrived.count == u64::from(hosts) * u64::from(hosts.saturating_sub(1)) {
        return;
    }
    for to in (0..hosts).map(HostId) {
        let lacking = (0..hosts).map(HostId).filter(|&from| from != to && !arrived.contains(from, to));
        tally.lack(lacking, to, shortest);
    }
}

/// A set of ordered pairs of hosts.
struct Pairs {
    hosts: usize,
    bits: Vec<u64>,
    count: u64,
}

impl Pairs {
    fn none(hosts: usize) -> Pairs {
        Pairs { hosts, bits: vec![0; (hosts * hosts).div_ceil(64)], count: 0 }
    }

    /// The word and the bit of a pair. Sources of one destination lie together: an engine's routes come in this order.
    fn place(&self, from: HostId, to: HostId) -> (usize, u64) {
        let index = to.0 as usize * self.hosts + from.0 as usize;
        (index / 64, 1 << (index % 64))
    }

    fn add(&mut self, from: HostId, to: HostId) {
        let (word, bit) = self.place(from, to);
        self.count += u64::from(self.bits[word] & bit == 0);
        self.bits[word] |= bit;
    }

    fn contains(&self, from: HostId, to: HostId) -> bool {
        let (word, bit) = self.place(from, to);
        self.bits[word] & bit != 0
    }
}
