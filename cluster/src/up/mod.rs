//! `twowire up`: from power-on to all nodes running the image.
//!
//! | phase | what happens | module |
//! |---|---|---|
//! | map | discovery by probes; numbers by location, from the plan | [`phases`], [`plan`] |
//! | routes | an engine computes them, the verifier proves them | [`phases`] |
//! | load | every node gets its table, and writes its master record | [`phases`] |
//! | boot | the image, along two trees, to all nodes at once | [`phases`] |
//! | roll-call | every node that reported ready is asked once more | [`phases`] |

pub mod fabric;
pub mod image;
pub mod outputs;
pub mod phases;
pub mod plan;
pub mod progress;
pub mod report;

pub use image::ImageSource;
pub use progress::Progress;
pub use report::UpReport;

use phases::Offered;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use twowire_fabric::map::FabricMap;
use twowire_fabric::program::interrupt;
use twowire_fabric::protocol::PortError;
use twowire_fabric::sim::{FaultSpec, SimConfig};
use twowire_fabric::spec::{self, FabricSpec};
use twowire_fabric::topology::{HostId, Topology, read_file};
use twowire_mapper::engine::TopologyKind;
use twowire_multicast_boot::membership::ClusterSecret;
use twowire_multicast_boot::phase1::NodeSetup;
use twowire_multicast_boot::phase1::simulated::simulate;
use twowire_multicast_boot::session::{NodeConfig, SharedStores};

/// What `twowire up` is asked for.
#[derive(Clone, Debug)]
pub struct UpOptions {
    /// The fabric.
    pub fabric: FabricSpec,
    /// The front end's host; by default the one named `master`, else the first.
    pub front_end: Option<String>,
    /// What the fabric is meant to be.
    pub topology: TopologyKind,
    /// Routes for each pair.
    pub routes_per_pair: u8,
    /// The intended cabling; by default the simulated topology.
    pub expect: Option<PathBuf>,
    /// The map saved by an earlier run.
    pub map: Option<PathBuf>,
    /// Where to save the map.
    pub topo_out: Option<PathBuf>,
    /// Where to save the routes.
    pub routes_out: Option<PathBuf>,
    /// The image.
    pub image: ImageSource,
    /// The cluster's secret, which the nodes have too.
    pub secret: Option<PathBuf>,
    /// Faults of a simulated fabric.
    pub faults: Vec<FaultSpec>,
    /// Replays a run.
    pub seed: u64,
    /// How long to wait for nodes that are missing once all others are up.
    pub node_timeout: Duration,
}

/// Why a bring-up did not come to its end.
#[derive(Debug, thiserror::Error)]
pub enum UpError {
    /// The request makes no sense.
    #[error("{0}")]
    Usage(String),
    /// The work failed.
    #[error("{0}")]
    Failed(String),
    /// The front end's port.
    #[error("the front end's port failed: {0}")]
    Port(#[from] PortError),
    /// Ctrl-C.
    #[error("interrupted")]
    Interrupted,
}

impl UpError {
    /// A failure of the work, from its error.
    pub fn failed(error: impl std::fmt::Display) -> UpError {
        UpError::Failed(error.to_string())
    }

    /// A wrong request, from its error.
    pub fn usage(error: impl std::fmt::Display) -> UpError {
        UpError::Usage(error.to_string())
    }
}

/// A cluster that is up.
#[derive(Debug)]
pub struct Cluster {
    /// What was done, and which nodes failed.
    pub report: UpReport,
    /// The mapped fabric.
    pub map: FabricMap,
    /// Its routes, proven.
    pub routes: phases::Routes,
    /// The cabling that was simulated.
    pub wiring: Topology,
}

/// Brings a cluster up. Nodes that fail are in the report; an error means that the work could not be done at all.
pub fn up(options: &UpOptions, progress: &Progress) -> Result<Cluster, UpError> {
    interrupt::catch();
    let FabricSpec::Sim(simulated) = &options.fabric else {
        let what = "`up` brings up simulated fabrics, as `sim:pink`";
        return Err(UpError::usage(format!("{}: {what}", options.fabric)));
    };
    let topology = simulated.topology().map_err(UpError::usage)?;
    let front_end = spec::front_end(&topology, options.front_end.as_deref()).map_err(UpError::usage)?;
    let faults = fabric::resolve_faults(&options.faults, &topology, front_end)?;
    let plan = intended(options, &topology, front_end)?;
    let outputs = outputs::Outputs::open(options)?;
    let bootable = options.image.open(options.seed)?;
    let secret = options.secret.as_deref().map(ClusterSecret::load).transpose().map_err(UpError::failed)?;
    let setup = NodeSetup {
        key: bootable.key.clone(),
        secret: secret.clone(),
        boot: NodeConfig {
            hand_over: Some(Duration::ZERO),
            rate_bits_per_s: Some(SimConfig::default().rate_bits_per_s),
            ..NodeConfig::default()
        },
        stores: Arc::new(SharedStores::default()),
    };
    let mut port = simulate(&topology, front_end, &setup, &faults, options.seed);
    let offered = Offered { image: bootable.image, secret };
    let (report, map, routes) = phases::run(options, &mut port, &plan, &offered, outputs, progress)?;
    Ok(Cluster { report, map, routes, wiring: topology })
}

/// The plan: a saved map, the intended cabling, or the simulated topology as it was asked for.
fn intended(options: &UpOptions, simulated: &Topology, front_end: HostId) -> Result<FabricMap, UpError> {
    if let Some(path) = &options.map {
        let map = read_file(path).map_err(UpError::failed)?;
        return FabricMap::from_topology(map).map_err(|e| UpError::failed(format!("{}: {e}", path.display())));
    }
    let Some(path) = &options.expect else { return plan::of_topology(simulated, front_end).map_err(UpError::failed) };
    let intended = read_file(path).map_err(UpError::failed)?;
    let name = simulated.host(front_end).name.as_str();
    let planned = spec::front_end(&intended, Some(name)).or_else(|_| spec::front_end(&intended, None));
    plan::of_topology(&intended, planned.map_err(UpError::failed)?).map_err(UpError::failed)
}
