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
pub mod pace;
pub mod phases;
pub mod plan;
pub mod progress;
pub mod report;
pub mod times;

pub use image::ImageSource;
pub use progress::Progress;
pub use report::UpReport;

use pace::Pace;
use phases::Offered;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use times::BootTimes;
use twowire_fabric::map::FabricMap;
use twowire_fabric::program::interrupt;
use twowire_fabric::protocol::{Port, PortError};
use twowire_fabric::provider::{self, OpenError};
use twowire_fabric::sim::{FaultSpec, SimConfig};
use twowire_fabric::spec::{self, FabricSpec, SimSpec};
use twowire_fabric::topology::{Topology, read_file};
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
    /// The intended cabling; by default the topology that is simulated.
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
    /// When its nodes came how far.
    pub times: BootTimes,
    /// The cabling that was simulated; of a fabric in real time what was found.
    pub wiring: Topology,
}

/// Brings a cluster up. Nodes that fail are in the report; an error means that the work could not be done at all.
pub fn up(options: &UpOptions, progress: &Progress) -> Result<Cluster, UpError> {
    interrupt::catch();
    match &options.fabric {
        FabricSpec::Sim(simulated) => up_simulated(options, simulated, progress),
        FabricSpec::Xbar(_) | FabricSpec::Wire(_) => up_real(options, progress),
        FabricSpec::Raw(_) => {
            let what = "cards of an Ethernet network find one another without a map: boot them with `bootd`";
            Err(UpError::usage(format!("{}: {what}", options.fabric)))
        }
        FabricSpec::Ibsim(_) | FabricSpec::Umad(_) => {
            let what = "only `mapper` works on an InfiniBand subnet: give another fabric, as `sim:pink`";
            Err(UpError::usage(format!("{}: {what}", options.fabric)))
        }
    }
}

fn up_simulated(options: &UpOptions, simulated: &SimSpec, progress: &Progress) -> Result<Cluster, UpError> {
    let topology = simulated.topology().map_err(UpError::usage)?;
    let front_end = spec::front_end(&topology, options.front_end.as_deref()).map_err(UpError::usage)?;
    let faults = fabric::resolve_faults(&options.faults, &topology, front_end)?;
    let name = topology.host(front_end).name.as_str();
    let plan = match intended(options, Some(name))? {
        Some(plan) => plan,
        None => plan::of_topology(&topology, front_end).map_err(UpError::failed)?,
    };
    let outputs = outputs::Outputs::open(options)?;
    let bootable = options.image.open(options.seed)?;
    let secret = read_secret(options)?;
    let setup = NodeSetup {
        key: bootable.key.clone(),
        secret: secret.clone(),
        boot: NodeConfig {
            hand_over: Some(Duration::ZERO),
            rate_bits_per_s: Some(SimConfig::default().rate_bits_per_s),
            ..NodeConfig::default()
        }
        .into(),
        stores: Arc::new(SharedStores::default()),
    };
    let mut port = simulate(&topology, front_end, &setup, &faults, options.seed);
    let offered = Offered { image: bootable.image, secret, nonce: 0 };
    let pace = Pace::simulated(options.node_timeout);
    let done = phases::run(options, &mut port, pace, &plan, &offered, outputs, progress)?;
    Ok(Cluster { wiring: topology, ..done })
}

/// Brings machines up, of which nothing is known but what the plan says.
fn up_real(options: &UpOptions, progress: &Progress) -> Result<Cluster, UpError> {
    if let Some(fault) = options.faults.first() {
        let remedy = "break this one with `xbar cut`";
        return Err(UpError::usage(format!("--fault {fault} is for simulated fabrics; {remedy}")));
    }
    let plan = intended(options, options.front_end.as_deref())?.ok_or_else(|| {
        let remedy = "--expect FILE (the intended cabling) or --map FILE (what an earlier run saved)";
        UpError::usage(format!("{}: which nodes there should be is not known; give {remedy}", options.fabric))
    })?;
    let ImageSource::Packed { .. } = &options.image else {
        let what = "its nodes boot only what the key in their flash has signed; give --image FILE --key FILE";
        return Err(UpError::usage(format!("{}: {what}", options.fabric)));
    };
    let outputs = outputs::Outputs::open(options)?;
    let bootable = options.image.open(options.seed)?;
    bootable.image.verify(&bootable.key).map_err(UpError::failed)?;
    let nonce = getrandom::u64().map_err(UpError::failed)?;
    let offered = Offered { image: bootable.image, secret: read_secret(options)?, nonce };
    let mut port = fabric::RealFabric::new(open_port(options)?);
    // Where the cabling is known so are the crossbars: nobody needs to ask for ports that they do not have.
    let intended = options.expect.as_ref().map(|_| plan.topology().crossbars());
    let radix = intended.and_then(|crossbars| crossbars.iter().map(|crossbar| crossbar.ports).max());
    let pace = Pace::real(options.node_timeout, radix);
    phases::run(options, &mut port, pace, &plan, &offered, outputs, progress)
}

fn open_port(options: &UpOptions) -> Result<Box<dyn Port>, UpError> {
    provider::open(&options.fabric, options.front_end.as_deref()).map_err(|error| match error {
        OpenError::TwoHosts { .. } => UpError::usage(error),
        _ => UpError::failed(error),
    })
}

fn read_secret(options: &UpOptions) -> Result<Option<ClusterSecret>, UpError> {
    options.secret.as_deref().map(ClusterSecret::load).transpose().map_err(UpError::failed)
}

/// What an operator knows: a saved map, or the intended cabling, whose front end has this name if it has such a host.
fn intended(options: &UpOptions, front_end: Option<&str>) -> Result<Option<FabricMap>, UpError> {
    if let Some(path) = &options.map {
        let map = read_file(path).map_err(UpError::failed)?;
        let map = FabricMap::from_topology(map);
        return map.map(Some).map_err(|e| UpError::failed(format!("{}: {e}", path.display())));
    }
    let Some(path) = &options.expect else { return Ok(None) };
    let intended = read_file(path).map_err(UpError::failed)?;
    let planned = spec::front_end(&intended, front_end).or_else(|_| spec::front_end(&intended, None));
    plan::of_topology(&intended, planned.map_err(UpError::failed)?).map(Some).map_err(UpError::failed)
}
