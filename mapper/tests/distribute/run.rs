//! One loading of a simulated fabric.

use crate::node::Node;
use std::time::Duration;
use twowire_fabric::endpoint::{EndpointConfig, ReliableEndpoint};
use twowire_fabric::id::NodeNumber;
use twowire_fabric::map::FabricMap;
use twowire_fabric::map::RouteSet;
use twowire_fabric::map::distribute::{
    Distributor, DistributorConfig, Failure, LoadTarget, MapTables, Progress, RouteLoader,
};
use twowire_fabric::protocol::{Port, drive};
use twowire_fabric::sim::{FaultSpec, Sim, SimConfig, SimPort};
use twowire_fabric::time::Time;
use twowire_fabric::topology::{HostId, Topology};
use twowire_mapper::engine::{self, Request, TopologyKind};

/// The epoch that is loaded.
pub(crate) const EPOCH: u32 = 1;
/// No loading takes longer.
const DEADLINE: Duration = Duration::from_secs(20);

/// A map and its routes, as the mapper hands them to the loading.
pub(crate) struct Mapped {
    pub(crate) map: FabricMap,
    pub(crate) routes: RouteSet,
}

impl Mapped {
    pub(crate) fn new(topology: Topology, routes_per_pair: u8) -> Mapped {
        let request = Request { routes_per_pair: routes_per_pair.try_into().unwrap(), epoch: EPOCH };
        let routes = engine::compute(&topology, TopologyKind::Any, request).unwrap();
        Mapped { map: FabricMap::from_topology(topology).unwrap(), routes }
    }
}

/// One loading. The hosts of the simulated fabric are those of the map, in its order.
pub(crate) struct Run<'a> {
    map: &'a FabricMap,
    tables: MapTables<'a>,
    pub(crate) port: SimPort<Node>,
    pub(crate) loader: RouteLoader<MapTables<'a>>,
}

impl<'a> Run<'a> {
    pub(crate) fn new(mapped: &'a Mapped, seed: u64) -> Run<'a> {
        let Mapped { map, routes } = mapped;
        let make = |host: HostId| Node::new(seed ^ u64::from(host.0) << 20);
        let sim = Sim::new(map.topology(), SimConfig::default(), seed, make);
        let port = SimPort::new(sim, map.front_end());
        let endpoint = ReliableEndpoint::new(EndpointConfig::default(), port.unique_id(), seed);
        let distributor = Distributor::new(DistributorConfig::default(), EPOCH, MapTables::new(map, routes));
        Run { map, tables: MapTables::new(map, routes), port, loader: RouteLoader::new(distributor, endpoint) }
    }

    /// The same fabric with another distributor.
    pub(crate) fn with(mut self, mapped: &'a Mapped, config: DistributorConfig, epoch: u32) -> Run<'a> {
        self.loader.distributor = Distributor::new(config, epoch, MapTables::new(&mapped.map, &mapped.routes));
        self
    }

    pub(crate) fn inject(&mut self, fault: &str) {
        let (at, fault) = fault.parse::<FaultSpec>().unwrap().resolve(self.map.topology()).unwrap();
        self.port.sim_mut().inject(at, fault);
    }

    /// The node as it is to be loaded, with the card that it has now.
    pub(crate) fn target(&self, node: i32) -> LoadTarget {
        let target = self.tables.targets().find(|target| target.node.0 == node).unwrap();
        LoadTarget { id: self.port.sim().unique_id(self.map.host(target.node).unwrap()), ..target }
    }

    /// Begins to load all nodes.
    pub(crate) fn begin(&mut self) {
        let now = self.port.now();
        self.loader.distributor.load_all(now, self.tables.targets(), &mut self.loader.endpoint);
    }

    /// Loads one node with the card that it has now.
    pub(crate) fn load_one(&mut self, node: i32) {
        let (now, target) = (self.port.now(), self.target(node));
        self.loader.distributor.load_one(now, target, &mut self.loader.endpoint);
    }

    /// Runs until `stop` says so.
    pub(crate) fn run_until(&mut self, mut stop: impl FnMut(&mut RouteLoader<MapTables<'a>>) -> bool) {
        let deadline = self.port.now() + DEADLINE;
        let stopped = drive(&mut self.port, &mut self.loader, deadline, &mut stop).unwrap();
        assert!(stopped, "still {:?}", self.loader.distributor.progress());
    }

    pub(crate) fn finish(&mut self) {
        self.run_until(|loader| loader.distributor.is_done());
    }

    /// Loads all nodes.
    pub(crate) fn load(&mut self) {
        self.begin();
        self.finish();
    }

    pub(crate) fn progress(&self) -> Progress {
        self.loader.distributor.progress()
    }

    pub(crate) fn failures(&self) -> Vec<Failure> {
        self.loader.distributor.failures().collect()
    }

    /// The fabric time from power-on until the last node had committed.
    pub(crate) fn took(&self) -> Duration {
        self.loader.distributor.committed_at().expect("a node has committed") - Time::ZERO
    }

    pub(crate) fn digest(&self) -> u64 {
        self.port.sim().digest()
    }

    pub(crate) fn node(&self, number: i32) -> &Node {
        self.port.sim().host(self.map.host(NodeNumber(number)).unwrap())
    }

    pub(crate) fn node_mut(&mut self, number: i32) -> &mut Node {
        let host = self.map.host(NodeNumber(number)).unwrap();
        self.port.sim_mut().host_mut(host)
    }

    /// Every node uses its own table, route by route, but these, which use none.
    pub(crate) fn assert_loaded_but(&self, failed: &[i32]) {
        for (number, _) in self.map.nodes().skip(1) {
            let table = self.node(number.0).agent.table();
            if failed.contains(&number.0) {
                assert_eq!(table.epoch(), 0, "{number}");
            } else {
                assert_eq!(*table, self.tables.table(number), "{number}");
            }
        }
        let reported: Vec<i32> = self.failures().iter().map(|failure| failure.node.0).collect();
        assert_eq!(reported, failed);
    }
}
