//! A transfer over each kind of fabric.

use super::Args;
use crate::cli::desk::Desk;
use crate::cli::secret;
use crate::front_end::FrontEnd;
use crate::image::ClusterPublicKey;
use crate::membership::ClusterSecret;
use crate::phase1::NodeSetup;
use crate::phase1::simulated::simulate;
use crate::session::{
    BootService, FRONT_ENDS, Gate, GroupConfig, NodeConfig, Plan, RootConfig, ServedImage, SharedStores, Timing,
};
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use twowire_fabric::endpoint::{EndpointConfig, ReliableEndpoint};
use twowire_fabric::id::NodeNumber;
use twowire_fabric::map::distribute::{Distributor, DistributorConfig, MapTables, RouteLoader};
use twowire_fabric::map::{FabricMap, RouteSet, routes_text};
use twowire_fabric::program::Failure;
use twowire_fabric::program::interrupt::interrupted;
use twowire_fabric::protocol::{Addressing, Port, PortError, Protocol, drive};
use twowire_fabric::provider;
use twowire_fabric::sim::SimConfig;
use twowire_fabric::spec::{self, FabricSpec, SimSpec};
use twowire_fabric::topology::read_file;

/// Ctrl-C is looked for so often at least, in the time of the fabric.
const SLICE: Duration = Duration::from_millis(100);

/// How often a node may lose its last word, or the answer to it.
const LAST_WORDS: u32 = 5;

/// What is the same for all kinds of fabric.
struct Service<'a> {
    args: &'a Args,
    images: Vec<ServedImage>,
    timing: Timing,
    /// Who may take part.
    gate: Option<Gate>,
    /// Another one for each start, except in a simulation: what names a transfer comes from it.
    seed: u64,
    desk: &'a mut Desk,
}

/// Brings their images to all nodes of a fabric.
pub(super) fn serve(
    args: &Args,
    fabric: &FabricSpec,
    images: Vec<ServedImage>,
    key: &ClusterPublicKey,
    desk: &mut Desk,
) -> Result<(), Failure> {
    let secret = secret(args.secret.as_deref())?;
    let gate = secret.clone().map(|secret| Ok(Gate { secret, nonce: getrandom::u64()? }));
    let gate = gate.transpose().map_err(|error: getrandom::Error| Failure::failed(error))?;
    if let FabricSpec::Sim(simulated) = fabric {
        let timing = timing(args, Timing::default());
        let mut port = simulation(args, simulated, key, secret)?;
        return Service { args, images, timing, gate, seed: args.seed, desk }.along_trees(&mut port);
    }
    let mut port = provider::open(fabric, args.front_end.as_deref()).map_err(Failure::failed)?;
    let timing = timing(args, Timing::real());
    let seed = getrandom::u64().map_err(Failure::failed)?;
    let mut service = Service { args, images, timing, gate, seed, desk };
    match port.limits().addressing {
        Addressing::Hops => service.along_trees(port.as_mut()),
        Addressing::Cards => service.for_a_group(port.as_mut()),
    }
}

fn timing(args: &Args, timing: Timing) -> Timing {
    Timing { rejoin_wait: args.node_timeout, hand_over_timeout: args.ready_timeout, ..timing }
}

/// A simulated fabric with nodes in phase 1.
fn simulation(
    args: &Args,
    spec: &SimSpec,
    key: &ClusterPublicKey,
    secret: Option<ClusterSecret>,
) -> Result<impl Port + use<>, Failure> {
    let topology = spec.topology().map_err(Failure::usage)?;
    let front_end = spec::front_end(&topology, args.front_end.as_deref()).map_err(Failure::usage)?;
    let rate_bits_per_s = Some(SimConfig::default().rate_bits_per_s);
    let boot = NodeConfig { hand_over: Some(Duration::ZERO), rate_bits_per_s, ..NodeConfig::default() };
    let setup = NodeSetup { key: key.clone(), secret, boot: boot.into(), stores: Arc::new(SharedStores::default()) };
    Ok(simulate(&topology, front_end, &setup, &[], args.seed))
}

impl Service<'_> {
    /// Over a source-routed fabric: loads the routes, then sends along trees.
    fn along_trees(&mut self, port: &mut dyn Port) -> Result<(), Failure> {
        let (map, routes) = read_map(self.args)?;
        let mut rng = fastrand::Rng::with_seed(self.seed);
        let tables = MapTables::new(&map, &routes);
        let targets: Vec<_> = tables.targets().collect();
        let nodes: Vec<NodeNumber> = targets.iter().map(|target| target.node).collect();
        let distributor = Distributor::new(DistributorConfig::default(), routes.epoch(), tables);
        let endpoint = ReliableEndpoint::new(EndpointConfig::default(), port.unique_id(), rng.u64(..));
        let mut front_end = FrontEnd::new(RouteLoader::new(distributor, endpoint), targets, rng.u64(..));
        front_end.load_routes(port.now());
        drive_on(port, &mut front_end, |front_end| Ok(front_end.loader.distributor.is_done()))?;
        let plan = Plan::new(&map, Arc::clone(&routes));
        let config = RootConfig { timing: self.timing, gate: self.gate.clone() };
        let mut service = BootService::along_trees(&config, self.images.clone(), &plan, &nodes, rng.u64(..));
        service.start(port.now());
        front_end.boot = Some(service);
        drive_on(port, &mut front_end, |front_end| {
            let service = front_end.boot.as_mut().expect("set above");
            while service.poll_event().is_some() {}
            self.desk.poll(service).map(|()| service.is_done())
        })?;
        let outcome = self.desk.finish(front_end.boot.as_ref().expect("set above"));
        linger(port, &mut front_end, self.timing)?;
        outcome
    }

    /// Over a fabric that replicates frames: nodes join by themselves.
    fn for_a_group(&mut self, port: &mut dyn Port) -> Result<(), Failure> {
        let config = GroupConfig {
            timing: self.timing,
            expected: self.args.nodes.unwrap_or(1),
            stays: self.args.nodes.is_none(),
            gate: self.gate.clone(),
            ..GroupConfig::new(port.unique_id(), port.limits().max_payload)
        };
        port.join(FRONT_ENDS).map_err(Failure::failed)?;
        let mut service = BootService::for_group(&config, self.images.clone(), self.seed).map_err(Failure::failed)?;
        service.start(port.now());
        drive_on(port, &mut service, |service| {
            while service.poll_event().is_some() {}
            self.desk.poll(service).map(|()| service.is_done())
        })?;
        let outcome = self.desk.finish(&service);
        linger(port, &mut service, self.timing)?;
        outcome
    }
}

/// A node that was not answered says its last word again: it is answered as long as that takes.
fn linger<P: Protocol>(port: &mut dyn Port, machine: &mut P, timing: Timing) -> Result<(), Failure> {
    let until = port.now() + LAST_WORDS * timing.report_retry;
    drive(port, machine, until, |_| interrupted()).map(drop).map_err(port_failed)
}

fn port_failed(error: PortError) -> Failure {
    Failure::Failed(format!("the front end's port failed: {error}"))
}

/// Runs a state machine until it is done, or Ctrl-C.
fn drive_on<P: Protocol>(
    port: &mut dyn Port,
    machine: &mut P,
    mut done: impl FnMut(&mut P) -> Result<bool, Failure>,
) -> Result<(), Failure> {
    let mut result = Ok(false);
    while !interrupted() {
        let slice = port.now() + SLICE;
        let stopped = drive(port, machine, slice, |machine| {
            result = done(machine);
            !matches!(result, Ok(false)) || interrupted()
        });
        stopped.map_err(port_failed)?;
        match result {
            Ok(true) => return Ok(()),
            Ok(false) => {}
            Err(failure) => return Err(failure),
        }
    }
    Err(Failure::Interrupted)
}

/// The map and its routes, as the mapper wrote them.
fn read_map(args: &Args) -> Result<(Arc<FabricMap>, Arc<RouteSet>), Failure> {
    let (Some(topo), Some(routes)) = (&args.topo, &args.routes) else {
        let remedy = "write them with `mapper --fabric FABRIC --topo-out FILE --routes-out FILE`";
        return Err(Failure::Usage(format!("a source-routed fabric needs --topo and --routes: {remedy}")));
    };
    let named = |path: &Path, error: &dyn std::fmt::Display| Failure::Failed(format!("{}: {error}", path.display()));
    let topology = read_file(topo).map_err(Failure::failed)?;
    let text = fs::read_to_string(routes).map_err(|error| Failure::read(routes, &error))?;
    let map = FabricMap::from_topology(topology).map_err(|error| named(topo, &error))?;
    let set = routes_text::parse(&text, map.topology()).map_err(|error| named(routes, &error))?;
    Ok((Arc::new(map), Arc::new(set)))
}
