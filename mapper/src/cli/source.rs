//! Where the map comes from: a fabric that is probed, or a file.

use super::files::{read_map, read_topology};
use super::map::FabricArgs;
use super::progress::Progress;
use super::report::DiscoveryReport;
use crate::discovery::{Discovery, DiscoveryConfig};
use crate::naming;
use std::path::Path;
use std::time::Duration;
use twowire_fabric::map::FabricMap;
use twowire_fabric::program::Failure;
use twowire_fabric::program::interrupt::interrupted;
use twowire_fabric::protocol::{Port, drive};
use twowire_fabric::provider::{self, OpenError};
use twowire_fabric::responder::Responder;
use twowire_fabric::routed_host::RoutedHost;
use twowire_fabric::sim::{Host, Sim, SimConfig, SimPort};
use twowire_fabric::spec::{self, FabricSpec, SimSpec};
use twowire_fabric::topology::{HostId, Topology};

/// The longest that discovery may take (fabric time).
const DISCOVERY_LIMIT: Duration = Duration::from_secs(60);

/// In real time, how long to wait for an answer at least. The round trips that are measured say how long a host needs that
/// runs; this is for those that wait for their turn on a processor.
const REAL_TIME_FLOOR: Duration = Duration::from_millis(2);

/// A map, and how it was found.
pub(super) struct Found {
    pub topology: Topology,
    pub front_end: HostId,
    pub discovery: Option<DiscoveryReport>,
    /// The latest epoch that a host holds routes of; 0 if none does.
    pub epoch: u32,
}

/// A fabric, as the mapper works on it.
pub(super) struct Fabric {
    pub port: Box<dyn Port>,
    /// How long to wait for an answer at least.
    pub timeout_floor: Duration,
    /// True if the fabric's time is this machine's.
    pub real_time: bool,
    /// What every random choice follows from. In real time each run has another one: the hosts are still there that
    /// an earlier one has talked to, and must not take this one for it.
    pub seed: u64,
}

/// Opens the fabric that is to be mapped.
pub(super) fn open(spec: &FabricSpec, args: &FabricArgs, load: bool) -> Result<Fabric, Failure> {
    match spec {
        FabricSpec::Sim(spec) => {
            let timeout_floor = DiscoveryConfig::default().timeout_floor;
            Ok(Fabric { port: simulate(spec, args, load)?, timeout_floor, real_time: false, seed: args.seed })
        }
        FabricSpec::Xbar(_) | FabricSpec::Wire(_) => {
            let seed = fastrand::u64(..);
            Ok(Fabric { port: attach(spec, args)?, timeout_floor: REAL_TIME_FLOOR, real_time: true, seed })
        }
        FabricSpec::Ibsim(_) | FabricSpec::Umad(_) => {
            Err(Failure::Usage(format!("{spec}: an InfiniBand subnet takes no source routes")))
        }
        FabricSpec::Raw(device) => {
            let what = "an Ethernet fabric finds its cards by itself, so it has no routes to map";
            Err(Failure::Usage(format!("raw:{device}: {what}; give a source-routed one, as `sim:pink`")))
        }
    }
}

/// A simulated fabric, whose hosts answer probes; and take routes, if these are to be loaded.
fn simulate(spec: &SimSpec, args: &FabricArgs, load: bool) -> Result<Box<dyn Port>, Failure> {
    let topology = spec.topology().map_err(Failure::failed)?;
    let front_end = spec::front_end(&topology, args.front_end.as_deref()).map_err(Failure::usage)?;
    let id = |host: HostId| topology.host(host).id;
    if load {
        let seed = |host: HostId| args.seed ^ u64::from(host.0) << 32;
        simulate_hosts(&topology, front_end, args, |host| RoutedHost::new(id(host), seed(host)))
    } else {
        simulate_hosts(&topology, front_end, args, |host| Responder::new(id(host)))
    }
}

fn simulate_hosts<H: Host + 'static>(
    topology: &Topology,
    front_end: HostId,
    args: &FabricArgs,
    make: impl FnMut(HostId) -> H,
) -> Result<Box<dyn Port>, Failure> {
    let mut sim = Sim::new(topology, SimConfig::default(), args.seed, make);
    for fault in &args.fault {
        let (at, fault) = fault.resolve(topology).map_err(Failure::usage)?;
        sim.inject(at, fault);
    }
    Ok(Box::new(SimPort::new(sim, front_end)))
}

/// One host of the fabric that another process serves.
fn attach(fabric: &FabricSpec, args: &FabricArgs) -> Result<Box<dyn Port>, Failure> {
    if let Some(fault) = args.fault.first() {
        return Err(Failure::Usage(format!(
            "--fault {fault} is for simulated fabrics: break {fabric} with `xbar cut`"
        )));
    }
    provider::open(fabric, args.front_end.as_deref()).map_err(|error| match error {
        OpenError::TwoHosts { .. } => Failure::usage(error),
        _ => Failure::failed(error),
    })
}

/// Reads the map from a file.
pub(super) fn read(path: &Path) -> Result<Found, Failure> {
    let (topology, front_end) = read_map(path)?;
    Ok(Found { topology, front_end, discovery: None, epoch: 0 })
}

/// Maps a fabric, and numbers its hosts.
pub(super) fn probe(fabric: &mut Fabric, args: &FabricArgs, progress: &Progress) -> Result<Found, Failure> {
    let saved = args.map.as_deref().map(read_saved).transpose()?;
    let timeout_floor = fabric.timeout_floor;
    let config = DiscoveryConfig { window: args.window.into(), timeout_floor, ..DiscoveryConfig::default() };
    let port = &mut *fabric.port;
    let start = port.now();
    let mut discovery = Discovery::new(config, port.unique_id(), fabric.seed);
    let finished = drive(port, &mut discovery, start + DISCOVERY_LIMIT, |discovery| {
        let so_far = discovery.progress();
        progress.advance(|| format!("{} hosts, {} cables", so_far.hosts, so_far.cables));
        discovery.is_done() || interrupted()
    })
    .map_err(Failure::failed)?;
    if interrupted() {
        return Err(Failure::Interrupted);
    }
    if !finished {
        return Err(Failure::Failed(format!("the fabric was not mapped within {DISCOVERY_LIMIT:?} of fabric time")));
    }
    let found = discovery.into_map().map_err(Failure::failed)?;
    let map = match &saved {
        None => naming::first(&found.topology, found.front_end),
        Some(saved) => naming::again(&found.topology, found.front_end, saved),
    };
    let probes = found.statistics.probes;
    let discovery = DiscoveryReport {
        probes,
        probes_per_cable: probes as f64 / (found.topology.cables().len() as f64).max(1.0),
        discovery_ms: (port.now() - start).as_secs_f64() * 1e3,
    };
    let epoch = found.epochs.iter().copied().max().unwrap_or(0);
    Ok(Found { topology: map.topology().clone(), front_end: map.front_end(), discovery: Some(discovery), epoch })
}

/// Reads the map of an earlier run.
fn read_saved(path: &Path) -> Result<FabricMap, Failure> {
    FabricMap::from_topology(read_topology(path)?)
        .map_err(|error| Failure::Failed(format!("--map {}: {error}", path.display())))
}
