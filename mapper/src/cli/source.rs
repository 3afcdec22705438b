//! Where the map comes from: a fabric that is probed, or a file.

use super::files::{read_map, read_topology};
use super::map::{FabricArgs, MapArgs};
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
use twowire_fabric::responder::Responder;
use twowire_fabric::sim::{Sim, SimConfig, SimPort};
use twowire_fabric::spec::{self, FabricSpec, SimSpec};
use twowire_fabric::topology::{HostId, Topology};

/// The longest that discovery may take (fabric time).
const DISCOVERY_LIMIT: Duration = Duration::from_secs(60);

/// A map, and how it was found.
pub(super) struct Found {
    pub topology: Topology,
    pub front_end: HostId,
    pub discovery: Option<DiscoveryReport>,
}

/// Maps a fabric, or reads a file.
pub(super) fn find(args: &MapArgs, progress: &Progress) -> Result<Found, Failure> {
    match (&args.fabric, &args.from_topo) {
        (Some(FabricSpec::Sim(spec)), _) => probe_simulation(spec, &args.probing, progress),
        (Some(FabricSpec::Raw(device)), _) => Err(Failure::Usage(format!(
            "raw:{device}: an Ethernet fabric finds its cards by itself, so it has no routes to map; give a source-routed one, as `sim:pink`"
        ))),
        (None, Some(path)) => {
            let (topology, front_end) = read_map(path)?;
            Ok(Found { topology, front_end, discovery: None })
        }
        (None, None) => Err(Failure::Usage("say what to map: --fabric FABRIC or --from-topo FILE".to_owned())),
    }
}

/// Maps a simulated fabric, on each of whose hosts a responder runs.
fn probe_simulation(spec: &SimSpec, args: &FabricArgs, progress: &Progress) -> Result<Found, Failure> {
    let saved = args.map.as_deref().map(read_saved).transpose()?;
    let topology = spec.topology().map_err(Failure::failed)?;
    let front_end =
        spec::front_end(&topology, args.front_end.as_deref()).map_err(|error| Failure::Usage(error.to_string()))?;
    let mut sim = Sim::new(&topology, SimConfig::default(), args.seed, |host| Responder::new(topology.host(host).id));
    for fault in &args.fault {
        let (at, fault) = fault.resolve(&topology).map_err(|error| Failure::Usage(error.to_string()))?;
        sim.inject(at, fault);
    }
    probe(&mut SimPort::new(sim, front_end), args, saved.as_ref(), progress)
}

/// Maps the fabric behind a port, and numbers its hosts.
fn probe(
    port: &mut dyn Port,
    args: &FabricArgs,
    saved: Option<&FabricMap>,
    progress: &Progress,
) -> Result<Found, Failure> {
    let config = DiscoveryConfig { window: args.window.into(), ..DiscoveryConfig::default() };
    let start = port.now();
    let mut discovery = Discovery::new(config, port.unique_id(), args.seed);
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
    let map = match saved {
        None => naming::first(&found.topology, found.front_end),
        Some(saved) => naming::again(&found.topology, found.front_end, saved),
    };
    let probes = found.statistics.probes;
    let discovery = DiscoveryReport {
        probes,
        probes_per_cable: probes as f64 / (found.topology.cables().len() as f64).max(1.0),
        discovery_ms: (port.now() - start).as_secs_f64() * 1e3,
    };
    Ok(Found { topology: map.topology().clone(), front_end: map.front_end(), discovery: Some(discovery) })
}

/// Reads the map of an earlier run.
fn read_saved(path: &Path) -> Result<FabricMap, Failure> {
    FabricMap::from_topology(read_topology(path)?)
        .map_err(|error| Failure::Failed(format!("--map {}: {error}", path.display())))
}
