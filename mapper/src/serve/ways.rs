//! Ways over a known fabric: from the front end to each crossbar, through ports, and round in circles.

use std::collections::VecDeque;
use twowire_fabric::route::{Hop, MAX_HOPS, Route};
use twowire_fabric::topology::{HostId, NodeId, PortId, Topology};

/// A cable between two crossbars, by both ends.
pub(super) type Cable = (PortId, PortId);

/// The way from the front end to a crossbar.
#[derive(Clone, Copy, Debug)]
struct Way {
    /// The hops at the crossbars before it.
    route: Route,
    /// The port where it arrives.
    entry: u8,
}

/// A shortest way from the front end to each crossbar, over cables that are taken for good.
#[derive(Clone, Debug)]
pub(super) struct Ways {
    to: Vec<Option<Way>>,
}

/// A walk from the front end back to itself, and the cables that it is the first to cross.
#[derive(Clone, Debug)]
pub(super) struct Walk {
    pub(super) route: Route,
    pub(super) cables: Vec<Cable>,
}

/// The cables between crossbars: each once.
pub(super) fn cables(topology: &Topology) -> impl Iterator<Item = Cable> + '_ {
    let between = |cable: &&twowire_fabric::topology::Cable| {
        matches!((cable.a.node, cable.b.node), (NodeId::Crossbar(_), NodeId::Crossbar(_)))
    };
    topology.cables().iter().filter(between).map(|cable| (cable.a, cable.b))
}

impl Ways {
    /// The ways over all cables but those of which `is_good` says that one end is not.
    pub(super) fn of(topology: &Topology, front_end: HostId, is_good: impl Fn(PortId) -> bool) -> Ways {
        let mut to = vec![None; topology.crossbars().len()];
        let mut queue = VecDeque::new();
        let start = topology.peers(front_end.into()).iter().flatten().next();
        if let Some(PortId { node: NodeId::Crossbar(x), port }) = start {
            to[x.0 as usize] = Some(Way { route: Route::EMPTY, entry: *port });
            queue.push_back(*x);
        }
        while let Some(x) = queue.pop_front() {
            let way = to[x.0 as usize].expect("it was queued");
            for (port, peer) in (0..).zip(topology.peers(x.into())) {
                let Some(PortId { node: NodeId::Crossbar(y), port: entry }) = *peer else { continue };
                let mut route = way.route;
                if to[y.0 as usize].is_none()
                    && is_good(PortId::new(x, port))
                    && route.push(Hop::between(way.entry, port)).is_ok()
                {
                    to[y.0 as usize] = Some(Way { route, entry });
                    queue.push_back(y);
                }
            }
        }
        Ways { to }
    }

    fn way(&self, end: PortId) -> Option<&Way> {
        match end.node {
            NodeId::Crossbar(x) => self.to[x.0 as usize].as_ref(),
            NodeId::Host(_) => None,
        }
    }

    /// True if there is a way to the crossbar of a port.
    pub(super) fn lead_to(&self, end: PortId) -> bool {
        self.way(end).is_some()
    }

    /// The route out of a crossbar's port; to the host that is there, if one is.
    pub(super) fn out_of(&self, end: PortId) -> Option<Route> {
        let way = self.way(end)?;
        let mut route = way.route;
        route.push(Hop::between(way.entry, end.port)).ok()?;
        Some(route)
    }

    /// Out of a port and back: from whatever crossbar is there, if one is.
    pub(super) fn there_and_back(&self, end: PortId) -> Option<Route> {
        let way = self.way(end)?;
        let mut route = self.out_of(end)?;
        route.push(Hop::new(0)).ok()?;
        route.push(Hop::between(end.port, way.entry)).ok()?;
        route.join(&way.route.reversed()).ok()
    }

    /// Over a cable and home from its other end; there and back where there is no other way from that.
    pub(super) fn over(&self, (a, b): Cable) -> Option<Route> {
        let (near, far) = if self.lead_to(a) { (a, b) } else { (b, a) };
        let Some(home) = self.way(far) else { return self.there_and_back(near) };
        let mut route = self.out_of(near)?;
        route.push(Hop::between(far.port, home.entry)).ok()?;
        route.join(&home.route.reversed()).ok()
    }

    /// Walks that cross every cable to which there is a way, each of them once at least, in few hops.
    pub(super) fn walks(&self, topology: &Topology) -> Vec<Walk> {
        let mut open = vec![0u128; topology.crossbars().len()];
        for end in cables(topology).flat_map(|(a, b)| [a, b]).filter(|&end| self.lead_to(end)) {
            open[index(end.node)] |= 1 << end.port;
        }
        let mut walks = Vec::new();
        while let Some(walk) = (Walker { ways: self, topology, open: &mut open }).walk() {
            walks.push(walk);
        }
        walks
    }
}

fn index(node: NodeId) -> usize {
    match node {
        NodeId::Crossbar(x) => x.0 as usize,
        NodeId::Host(host) => unreachable!("host {} is no crossbar", host.0),
    }
}

/// Plans walks, one after the other.
struct Walker<'a> {
    ways: &'a Ways,
    topology: &'a Topology,
    /// For each crossbar, the ports whose cables have not been crossed.
    open: &'a mut [u128],
}

impl Walker<'_> {
    /// The next walk; none if there is nothing more to cross that one can come back from.
    fn walk(&mut self) -> Option<Walk> {
        let start = self.ways.to.iter().position(|way| way.is_some_and(|way| way.route.is_empty()))?;
        let (mut at, mut route, mut crossed) = (start, Route::EMPTY, Vec::new());
        let mut port = self.ways.to[start]?.entry;
        loop {
            let outs = self.to_nearest_open(at, route.len());
            if outs.is_empty() {
                break;
            }
            for out in outs {
                let here = PortId::new(twowire_fabric::topology::CrossbarId(at as u32), out);
                let there = self.topology.peer(here).expect("a cable");
                route.push(Hop::between(port, out)).expect("room for it and the way back");
                if self.open[at] >> out & 1 == 1 {
                    crossed.push((here, there));
                }
                self.open[at] &= !(1 << out);
                (at, port) = (index(there.node), there.port);
                self.open[at] &= !(1 << port);
            }
        }
        let home = self.ways.to[at].expect("it was walked to");
        route.push(Hop::between(port, home.entry)).ok()?;
        let route = route.join(&home.route.reversed()).ok()?;
        (!crossed.is_empty()).then_some(Walk { route, cables: crossed })
    }

    /// The ports by which to come over the nearest cable that is open, such that there is room for the way back.
    fn to_nearest_open(&self, start: usize, hops: usize) -> Vec<u8> {
        let mut came_from: Vec<Option<(usize, u8)>> = vec![None; self.open.len()];
        let mut queue = VecDeque::from([(start, hops)]);
        came_from[start] = Some((start, 0));
        while let Some((at, hops)) = queue.pop_front() {
            let peers = self.topology.peers(twowire_fabric::topology::CrossbarId(at as u32).into());
            for (out, peer) in (0..).zip(peers) {
                let Some(PortId { node: NodeId::Crossbar(y), .. }) = *peer else { continue };
                let Some(back) = self.ways.to[y.0 as usize] else { continue };
                if hops + 2 + back.route.len() > MAX_HOPS {
                    continue;
                }
                if self.open[at] >> out & 1 == 1 {
                    let mut outs = vec![out];
                    let mut x = at;
                    while x != start {
                        let (before, port) = came_from[x].expect("on the way");
                        outs.push(port);
                        x = before;
                    }
                    outs.reverse();
                    return outs;
                }
                if came_from[y.0 as usize].is_none() {
                    came_from[y.0 as usize] = Some((at, out));
                    queue.push_back((y.0 as usize, hops + 1));
                }
            }
        }
        Vec::new()
    }
}
