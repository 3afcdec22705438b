//! One loading of a simulated fabric.

use crate::node::Node;
use crate::tables::{Choice, Tables};
use bytes::Bytes;
use std::collections::BTreeMap;
use std::time::Duration;
use twowire_fabric::endpoint::{EndpointConfig, ReliableEndpoint};
use twowire_fabric::id::NodeNumber;
use twowire_fabric::protocol::{Path, Port, drive};
use twowire_fabric::routes::RouteTable;
use twowire_fabric::routes::encode::{EncodeError, TableEncoder};
use twowire_fabric::sim::{FaultSpec, Sim, SimConfig, SimPort};
use twowire_fabric::time::Time;
use twowire_fabric::topology::{HostId, Topology};
use twowire_mapper::distribute::{
    Distributor, DistributorConfig, Failure, LoadTarget, Progress, RouteLoader, TableSource,
};

/// The epoch that is loaded.
pub(crate) const EPOCH: u32 = 1;
/// No loading takes longer.
const DEADLINE: Duration = Duration::from_secs(20);

/// Encodes each node's table when its turn comes.
pub(crate) struct Source<'a> {
    topology: &'a Topology,
    tables: Tables<'a>,
    routes_per_pair: usize,
    /// The tables that have been asked for.
    given: BTreeMap<NodeNumber, RouteTable>,
}

impl<'a> Source<'a> {
    fn new(topology: &'a Topology, routes_per_pair: usize) -> Source<'a> {
        let tables = Tables::new(topology, Choice::Modulo);
        Source { topology, tables, routes_per_pair, given: BTreeMap::new() }
    }
}

impl TableSource for Source<'_> {
    fn encoded_table(&mut self, node: NodeNumber) -> Result<Bytes, EncodeError> {
        let table = self.tables.table(node, self.routes_per_pair);
        let encoded = TableEncoder::new(self.topology, self.tables.nodes()).encode(&table)?;
        self.given.insert(node, table);
        Ok(encoded.into())
    }
}

pub(crate) struct Run<'a> {
    topology: &'a Topology,
    pub(crate) port: SimPort<Node>,
    pub(crate) loader: RouteLoader<Source<'a>>,
}

impl<'a> Run<'a> {
    pub(crate) fn new(topology: &'a Topology, routes_per_pair: usize, seed: u64) -> Run<'a> {
        let sim = Sim::new(topology, SimConfig::default(), seed, |host| Node::new(seed ^ u64::from(host.0) << 20));
        let port = SimPort::new(sim, HostId(0));
        let endpoint = ReliableEndpoint::new(EndpointConfig::default(), port.unique_id(), seed);
        let source = Source::new(topology, routes_per_pair);
        let distributor = Distributor::new(DistributorConfig::default(), EPOCH, source);
        Run { topology, port, loader: RouteLoader::new(distributor, endpoint) }
    }

    /// The same fabric with another distributor.
    pub(crate) fn with(mut self, config: DistributorConfig, epoch: u32) -> Run<'a> {
        self.loader.distributor = Distributor::new(config, epoch, Source::new(self.topology, 4));
        self
    }

    pub(crate) fn inject(&mut self, fault: &str) {
        let (at, fault) = fault.parse::<FaultSpec>().unwrap().resolve(self.topology).unwrap();
        self.port.sim_mut().inject(at, fault);
    }

    /// The node as it is to be loaded, with the card that it has now.
    pub(crate) fn target(&self, node: NodeNumber) -> LoadTarget {
        self.target_by(&self.own_table(), node)
    }

    fn own_table(&self) -> RouteTable {
        self.loader.distributor.source().tables.table(NodeNumber::FRONT_END, 4)
    }

    fn target_by(&self, own: &RouteTable, node: NodeNumber) -> LoadTarget {
        let id = self.port.sim().unique_id(HostId(node.index() as u32));
        LoadTarget { node, id, paths: own.routes_to(node).map(Path::from).collect() }
    }

    /// Begins to load all nodes.
    pub(crate) fn begin(&mut self) {
        let own = self.own_table();
        let nodes = (1..self.topology.hosts().len()).map(NodeNumber::from_index);
        let targets: Vec<LoadTarget> = nodes.map(|node| self.target_by(&own, node)).collect();
        let now = self.port.now();
        self.loader.distributor.load_all(now, targets, &mut self.loader.endpoint);
    }

    /// Runs until `stop` says so.
    pub(crate) fn run_until(&mut self, mut stop: impl FnMut(&mut RouteLoader<Source<'a>>) -> bool) {
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
        self.port.sim().host(HostId(NodeNumber(number).index() as u32))
    }

    pub(crate) fn node_mut(&mut self, number: i32) -> &mut Node {
        self.port.sim_mut().host_mut(HostId(NodeNumber(number).index() as u32))
    }

    /// Every node uses its own table, route by route, but these, which use none.
    pub(crate) fn assert_loaded_but(&self, failed: &[i32]) {
        let source = &self.loader.distributor.source();
        for index in 1..self.topology.hosts().len() {
            let number = NodeNumber::from_index(index);
            let table = self.node(number.0).agent.table();
            if failed.contains(&number.0) {
                assert_eq!(table.epoch(), 0, "{number}");
            } else {
                assert_eq!(Some(table), source.given.get(&number), "{number}");
            }
        }
        let reported: Vec<i32> = self.failures().iter().map(|failure| failure.node.0).collect();
        assert_eq!(reported, failed);
    }
}
