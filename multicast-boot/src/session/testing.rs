//! What the tests of this module share: a simulated cluster whose front end boots its nodes.

use super::store::SharedStores;
use super::{BootEvent, BootNode, BootRoot, Credentials, Gate, NodeConfig, Outcome, Plan, RootConfig, Timing};
use crate::image::{ClusterPublicKey, ClusterSecretKey, ImageParts, PackedImage};
use crate::membership::{ClusterSecret, SECRET_LEN};
use bytes::Bytes;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;
use twowire_fabric::id::{NodeNumber, UniqueId};
use twowire_fabric::protocol::{Protocol, Transmit};
use twowire_fabric::route::{Hop, Route};
use twowire_fabric::routes::RouteTable;
use twowire_fabric::sim::{Host, Sim, SimConfig};
use twowire_fabric::time::Time;
use twowire_fabric::topology::{CrossbarId, HostId, NodeId, PortId, Topology};
use twowire_fabric::wire::Packet;

/// Shortest routes of a pair that are looked at, at most.
const LOOKED_AT: usize = 64;

/// The parts of a small image.
pub(crate) fn parts() -> ImageParts {
    let (name, cmdline) = ("test".to_owned(), "quiet".to_owned());
    ImageParts { name, version: 3, kernel: Bytes::new(), initramfs: Bytes::new(), cmdline }
}

/// The cluster's key.
pub(crate) fn key() -> ClusterSecretKey {
    ClusterSecretKey::from_seed(&[7; 32])
}

/// The cluster's secret.
pub(crate) fn secret() -> ClusterSecret {
    ClusterSecret::new(&[9; SECRET_LEN])
}

/// Lets only those in who know the cluster's secret.
pub(crate) fn gate() -> Gate {
    Gate { secret: secret(), nonce: 0x5eed }
}

/// An image of so many bytes, no two chunks of which are alike.
pub(crate) fn image(len: usize) -> PackedImage {
    let mut rng = fastrand::Rng::with_seed(len as u64);
    let mut bytes = vec![0; len];
    rng.fill(&mut bytes);
    PackedImage::pack(&ImageParts { initramfs: bytes.into(), ..parts() }, &key()).expect("a small image")
}

/// Some of the shortest routes of all pairs, as unlike as possible: in a tree-like fabric they are free of deadlock.
pub(crate) struct ShortestRoutes {
    routes_per_pair: usize,
    topology: Arc<Topology>,
    /// For each crossbar how far each crossbar is.
    distance: Vec<Vec<u16>>,
}

impl ShortestRoutes {
    pub(crate) fn new(topology: &Arc<Topology>, routes_per_pair: usize) -> ShortestRoutes {
        let distance = topology.crossbar_ids().map(|from| distances(topology, from)).collect();
        ShortestRoutes { routes_per_pair, topology: Arc::clone(topology), distance }
    }

    /// The routes from one host to another. Which come first differs from pair to pair.
    pub(crate) fn routes(&self, from: HostId, to: HostId) -> Vec<Route> {
        let (Some(start), Some(end)) =
            (self.topology.peer(PortId::new(from, 0)), self.topology.peer(PortId::new(to, 0)))
        else {
            return Vec::new();
        };
        let NodeId::Crossbar(goal) = end.node else { return Vec::new() };
        let mut found = Vec::new();
        self.walk(start, goal, end.port, &mut Vec::new(), to.0 as usize, &mut found);
        let step = found.len().div_ceil(self.routes_per_pair).max(1);
        (0..step).flat_map(|first| found.iter().skip(first).step_by(step)).take(self.routes_per_pair).copied().collect()
    }

    fn walk(&self, at: PortId, goal: CrossbarId, out: u8, hops: &mut Vec<Hop>, turn: usize, found: &mut Vec<Route>) {
        let NodeId::Crossbar(here) = at.node else { return };
        if here == goal {
            hops.push(Hop::between(at.port, out));
            found.push(Route::from_hops(hops).expect("a short route"));
            hops.pop();
            return;
        }
        let left = self.distance[here.0 as usize][goal.0 as usize];
        let peers = self.topology.peers(here.into());
        for step in 0..peers.len() {
            let port = (step + turn) % peers.len();
            let Some(next) = peers[port] else { continue };
            let NodeId::Crossbar(x) = next.node else { continue };
            if self.distance[x.0 as usize][goal.0 as usize] + 1 == left && found.len() < LOOKED_AT {
                hops.push(Hop::between(at.port, port as u8));
                self.walk(next, goal, out, hops, turn, found);
                hops.pop();
            }
        }
    }
}

fn distances(topology: &Topology, from: CrossbarId) -> Vec<u16> {
    let mut distance = vec![u16::MAX - 1; topology.crossbars().len()];
    distance[from.0 as usize] = 0;
    let mut queue = VecDeque::from([from]);
    while let Some(at) = queue.pop_front() {
        for peer in topology.peers(at.into()).iter().flatten() {
            if let NodeId::Crossbar(x) = peer.node
                && distance[x.0 as usize] == u16::MAX - 1
            {
                distance[x.0 as usize] = distance[at.0 as usize] + 1;
                queue.push_back(x);
            }
        }
    }
    distance
}

/// A plan over a topology whose front end is this host; the others are the nodes, in their order.
pub(crate) fn plan(topology: &Arc<Topology>, front_end: HostId, routes_per_pair: usize) -> Plan {
    let shortest = ShortestRoutes::new(topology, routes_per_pair);
    let others = topology.host_ids().filter(|&host| host != front_end);
    let hosts: Vec<HostId> = [front_end].into_iter().chain(others).collect();
    let by_number = hosts.clone();
    let pair = move |from: NodeNumber, to: NodeNumber| shortest.routes(by_number[from.index()], by_number[to.index()]);
    Plan {
        topology: Arc::clone(topology),
        hosts: hosts.into_iter().map(Some).collect(),
        routes: Arc::new(pair),
        epoch: 1,
    }
}

/// What runs on a host, of a mapped fabric or of a network that replicates frames.
pub(crate) enum Machine {
    Root(Box<BootRoot>),
    Node(Box<BootNode>),
}

impl Machine {
    fn protocol(&mut self) -> &mut dyn Protocol {
        match self {
            Machine::Root(root) => root.as_mut(),
            Machine::Node(node) => node.as_mut(),
        }
    }

    pub(crate) fn root(&self) -> &BootRoot {
        match self {
            Machine::Root(root) => root,
            Machine::Node(_) => unreachable!("host 0 is the front end"),
        }
    }

    pub(crate) fn root_mut(&mut self) -> &mut BootRoot {
        match self {
            Machine::Root(root) => root,
            Machine::Node(_) => unreachable!("host 0 is the front end"),
        }
    }

    pub(crate) fn node(&self) -> &BootNode {
        match self {
            Machine::Node(node) => node,
            Machine::Root(_) => unreachable!("only host 0 is the front end"),
        }
    }
}

impl Protocol for Machine {
    fn handle_packet(&mut self, now: Time, packet: &Packet) {
        self.protocol().handle_packet(now, packet);
    }
    fn handle_timeout(&mut self, now: Time) {
        self.protocol().handle_timeout(now);
    }
    fn poll_transmit(&mut self, now: Time) -> Option<Transmit> {
        self.protocol().poll_transmit(now)
    }
    fn poll_timeout(&self) -> Option<Time> {
        match self {
            Machine::Root(root) => root.poll_timeout(),
            Machine::Node(node) => node.poll_timeout(),
        }
    }
}

/// A host of the simulated cluster: what runs on it, and how that starts again with nothing left of the time before.
pub(crate) struct TestHost {
    machine: Machine,
    start: Box<dyn Fn(u64) -> Machine + Send>,
    seed: u64,
    has_started: bool,
}

/// Each start of a host is another one.
fn next_seed(seed: u64) -> u64 {
    seed.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(1)
}

impl TestHost {
    fn new(seed: u64, start: impl Fn(u64) -> Machine + Send + 'static) -> TestHost {
        let seed = next_seed(seed);
        TestHost { machine: start(seed), start: Box::new(start), seed, has_started: false }
    }
}

impl Protocol for TestHost {
    fn handle_packet(&mut self, now: Time, packet: &Packet) {
        self.machine.handle_packet(now, packet);
    }
    fn handle_timeout(&mut self, now: Time) {
        self.machine.handle_timeout(now);
    }
    fn poll_transmit(&mut self, now: Time) -> Option<Transmit> {
        self.machine.poll_transmit(now)
    }
    fn poll_timeout(&self) -> Option<Time> {
        self.machine.poll_timeout()
    }
}

impl Host for TestHost {
    fn power_on(&mut self, now: Time, _: UniqueId) {
        // A root lays its trees when it is made: the one that waits for the power is the one that starts first.
        if std::mem::replace(&mut self.has_started, true) || matches!(self.machine, Machine::Node(_)) {
            self.seed = next_seed(self.seed);
            self.machine = (self.start)(self.seed);
        }
        if let Machine::Root(root) = &mut self.machine {
            root.start(now);
        }
    }
}

/// A simulated cluster.
pub(crate) struct Cluster {
    pub(crate) sim: Sim<TestHost>,
}

/// A fabric with the routes of all its hosts: the same for every cluster on it.
pub(crate) struct Ground {
    pub(crate) plan: Plan,
    /// Of the front end, then of node 0, and so on.
    pub(crate) tables: Vec<Arc<RouteTable>>,
}

impl Ground {
    pub(crate) fn new(topology: Topology) -> Ground {
        let plan = plan(&Arc::new(topology), HostId(0), 8);
        let hosts = plan.hosts.len();
        let table = |own: usize| {
            let mut routes = RouteTable::new(plan.epoch, NodeNumber::from_index(own));
            let to = |to| plan.routes.routes(NodeNumber::from_index(own), NodeNumber::from_index(to));
            (0..hosts).for_each(|index| routes.push(to(index)));
            Arc::new(routes)
        };
        let tables = (0..hosts).map(table).collect();
        Ground { plan, tables }
    }

    /// All nodes.
    pub(crate) fn nodes(&self) -> Vec<NodeNumber> {
        (1..self.tables.len()).map(NodeNumber::from_index).collect()
    }
}

/// What a cluster is made of.
pub(crate) struct Setup {
    pub(crate) ground: Arc<Ground>,
    pub(crate) image: PackedImage,
    pub(crate) node: NodeConfig,
    pub(crate) root: RootConfig,
    /// What the nodes trust.
    pub(crate) key: ClusterPublicKey,
    /// By what each node proves that it belongs to the cluster.
    pub(crate) secret_of: fn(HostId) -> Option<ClusterSecret>,
    pub(crate) sim: SimConfig,
    /// Where the nodes keep their chunks.
    pub(crate) stores: Arc<SharedStores>,
    pub(crate) seed: u64,
}

impl Setup {
    pub(crate) fn new(topology: Topology, image: PackedImage, seed: u64) -> Setup {
        Setup::on(&Arc::new(Ground::new(topology)), image, seed)
    }

    pub(crate) fn on(ground: &Arc<Ground>, image: PackedImage, seed: u64) -> Setup {
        let sim = SimConfig::default();
        let (hand_over, rate_bits_per_s) = (Some(Duration::from_millis(1)), Some(sim.rate_bits_per_s));
        let timing = Timing { hand_over_timeout: Duration::from_millis(100), ..Timing::default() };
        Setup {
            ground: Arc::clone(ground),
            image,
            node: NodeConfig { hand_over, rate_bits_per_s, ..NodeConfig::default() },
            root: RootConfig { timing, ..RootConfig::default() },
            key: key().public(),
            secret_of: |_| None,
            sim,
            stores: Arc::default(),
            seed,
        }
    }

    pub(crate) fn build(self) -> Cluster {
        let sim = Sim::new(&self.ground.plan.topology, self.sim, self.seed, |host| {
            let seed = self.seed ^ u64::from(host.0) << 32;
            if host == HostId(0) {
                let (config, image, ground) = (self.root.clone(), self.image.clone(), Arc::clone(&self.ground));
                return TestHost::new(seed, move |seed| {
                    let (config, image, plan) = (config.clone(), image.clone(), ground.plan.clone());
                    Machine::Root(Box::new(BootRoot::new(config, image, plan, &ground.nodes(), seed)))
                });
            }
            let card = self.ground.plan.topology.host(host).id;
            let credentials = Credentials { card, key: self.key.clone(), secret: (self.secret_of)(host) };
            let (config, stores) = (self.node, Arc::clone(&self.stores));
            let routes = Arc::clone(&self.ground.tables[host.0 as usize]);
            TestHost::new(seed, move |seed| {
                let mut node = BootNode::with_stores(config, credentials.clone(), stores.clone(), seed);
                node.set_routes(Arc::clone(&routes));
                Machine::Node(Box::new(node))
            })
        });
        Cluster { sim }
    }
}

impl Cluster {
    pub(crate) fn root(&self) -> &BootRoot {
        self.sim.host(HostId(0)).machine.root()
    }

    pub(crate) fn node(&self, number: i32) -> &BootNode {
        self.sim.host(HostId(number as u32 + 1)).machine.node()
    }

    /// What has happened to the root.
    pub(crate) fn events(&mut self) -> Vec<BootEvent> {
        let root = self.sim.host_mut(HostId(0)).machine.root_mut();
        std::iter::from_fn(|| root.poll_event()).collect()
    }

    /// Runs until the root is done; panics if it is not by `deadline_ms`.
    pub(crate) fn run(&mut self, deadline_ms: u64) -> Outcome {
        let deadline = Time::from_nanos(deadline_ms * 1_000_000);
        while !self.root().is_done() {
            assert!(self.sim.now() < deadline, "not done: {:?}", self.root().progress());
            let next = (self.sim.now() + Duration::from_micros(100)).min(deadline);
            self.sim.run_until(next);
        }
        self.root().outcome()
    }
}

/// One crossbar with a front end and so many nodes.
pub(crate) fn star(nodes: usize) -> Topology {
    let mut topology = Topology::new("star");
    let x = topology.add_crossbar("x0", 128).expect("a new name");
    for port in 0..=nodes {
        let name = if port == 0 { "master".to_owned() } else { format!("n{}", port - 1) };
        let host = topology.add_host(name, UniqueId(100 + port as u64), 1).expect("a new name");
        topology.connect(PortId::new(host, 0), PortId::new(x, port as u8)).expect("a free port");
    }
    topology
}
