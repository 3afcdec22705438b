//! What the fabric looks like to a transfer: where each node is, the routes between any two, and how many edges of the
//! trees each cable carries.

use std::borrow::Borrow;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use twowire_fabric::id::{NodeNumber, UniqueId};
use twowire_fabric::map::{FabricMap, RouteSet};
use twowire_fabric::route::Route;
use twowire_fabric::topology::{CrossbarId, HostId, NodeId, PortId, Topology};
use twowire_fabric::wire::boot::TREES;

/// The routes between any two hosts, as the mapper computed them.
pub trait PairRoutes {
    /// The routes of a pair, the preferred one first: in the same order as in the route table that `from` holds.
    fn routes(&self, from: NodeNumber, to: NodeNumber) -> Vec<Route>;
}

impl<F: Fn(NodeNumber, NodeNumber) -> Vec<Route>> PairRoutes for F {
    fn routes(&self, from: NodeNumber, to: NodeNumber) -> Vec<Route> {
        self(from, to)
    }
}

/// The mapped fabric.
#[derive(Clone)]
pub struct Plan {
    /// Crossbars, hosts and cables.
    pub topology: Arc<Topology>,
    /// The host of the front end, then of node 0, and so on ([`NodeNumber::index`]); `None` where no node is.
    pub hosts: Vec<Option<HostId>>,
    /// The routes of all pairs.
    pub routes: Arc<dyn PairRoutes + Send + Sync>,
    /// The epoch of the routes.
    pub epoch: u32,
}

impl Plan {
    /// The plan of a map and its routes.
    pub fn new(map: &Arc<FabricMap>, routes: Arc<impl Borrow<RouteSet> + Send + Sync + 'static>) -> Plan {
        let numbers = (0..=map.last_number().index()).map(NodeNumber::from_index);
        let hosts = numbers.map(|number| map.host(number)).collect();
        let (map_of, epoch) = (Arc::clone(map), (*routes).borrow().epoch());
        let pair = move |from, to| match (map_of.host(from), map_of.host(to)) {
            (Some(from), Some(to)) => (*routes).borrow().routes(from, to).collect(),
            _ => Vec::new(),
        };
        Plan { topology: Arc::new(map.topology().clone()), hosts, routes: Arc::new(pair), epoch }
    }

    /// The unique id of a node's card; 0, which no card has, where no node is.
    pub(crate) fn card(&self, node: NodeNumber) -> UniqueId {
        let host = self.hosts.get(node.index()).copied().flatten();
        host.map_or(UniqueId(0), |host| self.topology.host(host).id)
    }
}

/// An edge of a tree, as it lies on the fabric.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Laid {
    pub(crate) parent: NodeNumber,
    pub(crate) child: NodeNumber,
    /// Which of the parent's routes to the child it takes.
    pub(crate) alternate: u8,
    /// The directed cables that it takes: see [`Cabling::outlet`].
    cables: Vec<u32>,
}

/// Edges that a cable may carry: each carries half of the image.
pub(crate) const EDGES_PER_IMAGE: u16 = TREES as u16;

/// How loaded a path would be: its busiest cable, how many it would share with strangers ([`Load::stranger`]), then the sum
/// of the squares.
type Cost = (u16, u16, u32);

/// What a cable carries in one direction.
#[derive(Clone, Copy, Default)]
struct Load {
    edges: u16,
    /// The sums of the numbers of these edges' parents and children: with one edge, its ends.
    parents: u32,
    children: u32,
}

impl Load {
    /// The ends of the only edge besides one from `parent` to `child`, if both differ. Edges that meet at a host take turns
    /// there anyway; strangers bind the turns of their senders together.
    fn stranger(&self, parent: NodeNumber, child: NodeNumber) -> Option<(NodeNumber, NodeNumber)> {
        let (from, to) =
            (NodeNumber::from_index(self.parents as usize), NodeNumber::from_index(self.children as usize));
        (self.edges == 1 && from != parent && to != child).then_some((from, to))
    }

    fn add(&mut self, laid: &Laid) {
        self.edges += 1;
        self.parents += laid.parent.index() as u32;
        self.children += laid.child.index() as u32;
    }

    fn remove(&mut self, laid: &Laid) {
        self.edges -= 1;
        self.parents -= laid.parent.index() as u32;
        self.children -= laid.child.index() as u32;
    }
}

/// The fabric, and the edges that lie on it.
pub(crate) struct Cabling {
    plan: Plan,
    /// Index of each crossbar's port 0 among all outlets; the hosts' come after the last.
    outlets: Vec<u32>,
    /// What each outlet, that is, each cable in each direction, carries.
    loads: Vec<Load>,
    /// The sum, over all cables, of the square of the edges above [`EDGES_PER_IMAGE`].
    excess: u64,
}

impl Cabling {
    pub(crate) fn new(plan: Plan) -> Cabling {
        let mut outlets = Vec::with_capacity(plan.topology.crossbars().len() + 1);
        let mut count = 0;
        for crossbar in plan.topology.crossbars() {
            outlets.push(count);
            count += u32::from(crossbar.ports);
        }
        outlets.push(count);
        let loads = vec![Load::default(); count as usize + plan.topology.hosts().len()];
        Cabling { plan, outlets, loads, excess: 0 }
    }

    fn host(&self, node: NodeNumber) -> Option<HostId> {
        self.plan.hosts.get(node.index()).copied().flatten()
    }

    /// The index of the port by which a frame leaves: it stands for a cable and a direction. A host's ports count as
    /// one.
    fn outlet(&self, port: PortId) -> u32 {
        match port.node {
            NodeId::Crossbar(x) => self.outlets[x.0 as usize] + u32::from(port.port),
            NodeId::Host(h) => self.outlets[self.outlets.len() - 1] + h.0,
        }
    }

    /// The cables of a route; `None` if it does not lead from one host to the other.
    fn cables(&self, from: HostId, to: HostId, route: &Route) -> Option<Vec<u32>> {
        let mut cables = Vec::with_capacity(route.len() + 1);
        let mut out = PortId::new(from, 0);
        for hop in route.hops() {
            cables.push(self.outlet(out));
            let entered = self.plan.topology.peer(out)?;
            out = PortId { node: entered.node, port: hop.out_of(entered.port) };
            if matches!(out.node, NodeId::Host(_)) {
                return None;
            }
        }
        cables.push(self.outlet(out));
        (self.plan.topology.peer(out)?.node == NodeId::Host(to)).then_some(cables)
    }

    /// Lays an edge along that of the pair's routes which is the least loaded, and counts it; `None` without a route.
    pub(crate) fn lay(&mut self, parent: NodeNumber, child: NodeNumber) -> Option<Laid> {
        let (_, laid) = self.best(parent, child, 0, None)?;
        self.count(&laid);
        Some(laid)
    }

    /// Lays an edge along another route than before, if there is one that overloads no cable. Of routes that are equally
    /// good it takes the first one from number `start` on.
    pub(crate) fn lay_elsewhere(&mut self, laid: Laid, start: usize) -> Laid {
        self.lift(&laid);
        let other = self.best(laid.parent, laid.child, start, Some(laid.alternate));
        let laid = other.filter(|((busiest, ..), _)| *busiest < EDGES_PER_IMAGE).map_or(laid, |(_, other)| other);
        self.count(&laid);
        laid
    }

    fn best(&self, parent: NodeNumber, child: NodeNumber, start: usize, avoid: Option<u8>) -> Option<(Cost, Laid)> {
        let (from, to) = (self.host(parent)?, self.host(child)?);
        let routes = self.plan.routes.routes(parent, child);
        let mut best: Option<(Cost, Laid)> = None;
        for at in (0..routes.len()).map(|at| (start + at) % routes.len()) {
            let alternate = u8::try_from(at).ok().filter(|&alternate| Some(alternate) != avoid);
            let (Some(alternate), Some(cables)) = (alternate, self.cables(from, to, &routes[at])) else { continue };
            let cost = self.cost(parent, child, &cables);
            if best.as_ref().is_none_or(|(least, _)| cost < *least) {
                best = Some((cost, Laid { parent, child, alternate, cables }));
            }
        }
        best
    }

    /// Puts an edge back where it lay.
    pub(crate) fn count(&mut self, laid: &Laid) {
        for &cable in &laid.cables {
            let load = &mut self.loads[cable as usize];
            load.add(laid);
            // n² - (n - 1)² = 2 n - 1
            self.excess += (2 * u64::from(load.edges.saturating_sub(EDGES_PER_IMAGE))).saturating_sub(1);
        }
    }

    /// Takes an edge away.
    pub(crate) fn lift(&mut self, laid: &Laid) {
        for &cable in &laid.cables {
            let load = &mut self.loads[cable as usize];
            self.excess -= (2 * u64::from(load.edges.saturating_sub(EDGES_PER_IMAGE))).saturating_sub(1);
            load.remove(laid);
        }
    }

    /// How far the cables are above what they may carry: 0 if none is.
    pub(crate) fn excess(&self) -> u64 {
        self.excess
    }

    fn cost(&self, parent: NodeNumber, child: NodeNumber, cables: &[u32]) -> Cost {
        let loads = cables.iter().map(|&cable| &self.loads[cable as usize]);
        loads.fold((0, 0, 0), |(max, strangers, sum), load| {
            let is_strange = load.stranger(parent, child).is_some();
            let edges = u32::from(load.edges);
            (max.max(load.edges), strangers + u16::from(is_strange), sum + edges * edges)
        })
    }

    /// The ends of the edges with which an edge shares a cable, though they have neither end in common.
    pub(crate) fn strangers(&self, laid: &Laid) -> impl Iterator<Item = (NodeNumber, NodeNumber)> {
        laid.cables.iter().filter_map(|&cable| {
            let mut others = self.loads[cable as usize];
            others.remove(laid);
            others.stranger(laid.parent, laid.child)
        })
    }

    /// What the busiest cable carries, in images.
    pub(crate) fn busiest(&self) -> f64 {
        f64::from(self.loads.iter().map(|load| load.edges).max().unwrap_or(0)) / f64::from(EDGES_PER_IMAGE)
    }

    /// True if an edge takes a cable that carries more than it may.
    pub(crate) fn is_overloaded(&self, laid: &Laid) -> bool {
        laid.cables.iter().any(|&cable| self.loads[cable as usize].edges > EDGES_PER_IMAGE)
    }

    /// The crossbar that a node is plugged into.
    pub(crate) fn crossbar(&self, node: NodeNumber) -> Option<CrossbarId> {
        match self.plan.topology.peer(PortId::new(self.host(node)?, 0))?.node {
            NodeId::Crossbar(x) => Some(x),
            NodeId::Host(_) => None,
        }
    }

    /// These nodes by the crossbar that they are plugged into, each crossbar's in the order of their ports: first those
    /// of the front end's, then always those of the nearest crossbar that is left. Crossbars whose nodes are all absent
    /// have their places as well, so that what lies together does not depend on who is there.
    pub(crate) fn by_location(&self, nodes: &[NodeNumber]) -> Vec<Vec<NodeNumber>> {
        let mut by_crossbar: BTreeMap<Option<CrossbarId>, Vec<(u8, NodeNumber)>> = BTreeMap::new();
        for number in (0..self.plan.hosts.len()).map(NodeNumber::from_index) {
            if self.host(number).is_some() {
                by_crossbar.entry(self.crossbar(number)).or_default();
            }
        }
        for &node in nodes {
            let port = self.host(node).and_then(|h| self.plan.topology.peer(PortId::new(h, 0))).map_or(0, |p| p.port);
            by_crossbar.entry(self.crossbar(node)).or_default().push((port, node));
        }
        let mut groups = Vec::with_capacity(by_crossbar.len());
        let mut take = |mut group: Vec<(u8, NodeNumber)>| {
            group.sort_unstable();
            groups.push(group.into_iter().map(|(_, node)| node).collect());
        };
        let mut at = self.crossbar(NodeNumber::FRONT_END);
        while let Some(next) = at.and_then(|from| self.nearest(from, |x| by_crossbar.contains_key(&Some(x)))) {
            take(by_crossbar.remove(&Some(next)).expect("it was found there"));
            at = Some(next);
        }
        by_crossbar.into_values().for_each(take);
        groups
    }

    /// The nearest crossbar of which `wanted` is true, `from` itself first.
    fn nearest(&self, from: CrossbarId, wanted: impl Fn(CrossbarId) -> bool) -> Option<CrossbarId> {
        let mut seen = vec![false; self.plan.topology.crossbars().len()];
        seen[from.0 as usize] = true;
        let mut queue = VecDeque::from([from]);
        while let Some(at) = queue.pop_front() {
            if wanted(at) {
                return Some(at);
            }
            for peer in self.plan.topology.peers(at.into()).iter().flatten() {
                if let NodeId::Crossbar(next) = peer.node
                    && !std::mem::replace(&mut seen[next.0 as usize], true)
                {
                    queue.push_back(next);
                }
            }
        }
        None
    }
}
