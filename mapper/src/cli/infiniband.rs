//! `mapper --fabric umad:DEVICE/PORT`, `mapper --fabric ibsim:NODE`: an InfiniBand subnet is found, routed, proved, and brought up.

use super::cabling::CablingReport;
use super::files::write_text;
use super::map::{Clock, MapArgs, finish};
use super::outputs::Maps;
use super::report::{DiscoveryReport, MapReport};
use crate::engine::{self, Request, TopologyKind};
use crate::infiniband::InfinibandError;
use crate::infiniband::discovery::Discovery;
use crate::infiniband::exchange::{Exchange, SmpPort};
use crate::infiniband::forwarding::ForwardingTables;
use crate::infiniband::ibsim::IbsimPort;
use crate::infiniband::install::{Readings, install};
use crate::infiniband::subnet::Subnet;
use crate::infiniband::text::forwarding_tables;
use crate::infiniband::umad::{LocalPort, UmadPort};
use crate::verify::{Verified, verify};
use serde::Serialize;
use twowire_fabric::map::RouteSet;
use twowire_fabric::program::Failure;
use twowire_fabric::spec::{FabricSpec, UmadSpec};
use twowire_fabric::topology::{HostId, Topology};

/// How it went on an InfiniBand subnet.
#[derive(Debug, Serialize)]
pub(super) struct SubnetReport {
    /// Ports that have a link, but nobody answers behind it.
    pub silent: Vec<String>,
    /// What was written; nothing if it was not asked for.
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    pub installed: Option<InstallReport>,
}

/// What was written.
#[derive(Debug, Serialize)]
pub(super) struct InstallReport {
    /// Ports that have a local identifier.
    pub lids: usize,
    /// Blocks of forwarding tables, of 64 entries each.
    pub table_blocks: u64,
    /// Ports that are active.
    pub active_ports: usize,
    /// Packets sent for it, besides those of discovery.
    pub install_packets: u64,
}

/// Flags that mean something on an InfiniBand subnet alone.
pub(super) fn refuse_elsewhere(args: &MapArgs) -> Result<(), Failure> {
    let flags = [(args.install, "--install"), (args.lfts_out.is_some(), "--lfts-out")];
    let given = flags.into_iter().find(|(given, _)| *given);
    given.map_or(Ok(()), |(_, flag)| {
        Err(Failure::Usage(format!(
            "{flag} is for InfiniBand subnets, as `--fabric umad:mlx5_0/1`: use `--load` elsewhere"
        )))
    })
}

/// Flags that mean something on source-routed fabrics alone.
fn refuse_here(args: &MapArgs) -> Result<(), Failure> {
    let probing = &args.probing;
    let flags = [
        (args.load, "--load loads source routes: use `--install`"),
        (args.routes_per_pair.get() > 1, "--routes-per-pair: InfiniBand's tables hold one route for each pair"),
        (!probing.fault.is_empty(), "--fault is for fabrics as `sim:pink`: break ibsim's subnets at its console"),
        (
            probing.front_end.is_some(),
            "--front-end is for other fabrics: name the port, as in `--fabric umad:mlx5_0/1`",
        ),
        (probing.map.is_some(), "--map: hosts of an InfiniBand subnet have names of their own"),
    ];
    let given = flags.into_iter().find(|(given, _)| *given);
    given.map_or(Ok(()), |(_, what)| Err(Failure::usage(what)))
}

/// Where in a subnet the mapper sits.
pub(super) enum Place<'a> {
    /// At a port of this machine.
    Umad(&'a UmadSpec),
    /// At a node of ibsim's.
    Ibsim(&'a str),
}

impl Place<'_> {
    /// The place that a fabric names, if it is an InfiniBand subnet.
    pub(super) fn of(fabric: &FabricSpec) -> Option<Place<'_>> {
        match fabric {
            FabricSpec::Umad(port) => Some(Place::Umad(port)),
            FabricSpec::Ibsim(node) => Some(Place::Ibsim(node)),
            _ => None,
        }
    }
}

/// Opens a port at a place; also names it in full.
fn open(place: &Place, window: usize) -> Result<(Box<dyn SmpPort>, FabricSpec), InfinibandError> {
    Ok(match *place {
        Place::Umad(spec) => {
            let (port, LocalPort { device, port: number, .. }) = UmadPort::open(spec, window)?;
            (Box::new(port), FabricSpec::Umad(UmadSpec { device: Some(device), port: Some(number) }))
        }
        Place::Ibsim(node) => (Box::new(IbsimPort::attach(node, window)?), FabricSpec::Ibsim(node.to_owned())),
    })
}

/// Maps a subnet, and does with it what was asked for.
pub(super) fn run(args: &MapArgs, place: &Place, expected: Option<(Topology, HostId)>) -> Result<(), Failure> {
    refuse_here(args)?;
    let (port, source) = open(place, args.probing.window.into()).map_err(Failure::failed)?;
    let mut exchange = Exchange::new(port);
    let mut clock = Clock::start();
    let subnet = clock.phase("discovery", |_| discover(&mut exchange).map_err(Failure::failed))?;
    let topology = subnet.topology();
    let discovery = DiscoveryReport {
        probes: exchange.sent(),
        probes_per_cable: exchange.sent() as f64 / (topology.cables().len() as f64).max(1.0),
        discovery_ms: clock.wall_ms(),
    };
    let routes = clock.phase("routes", |_| routes(topology, args.topology))?;
    let proven = clock.phase("proof", |_| verify(topology, routes, None).map_err(Failure::failed))?;
    let maps = Maps { found: topology, front_end: subnet.front_end(), intended: expected.as_ref() };
    clock.phase("output", |_| args.outputs.write(&maps, &proven))?;
    let installed = clock.phase("install", |_| use_routes(args, &mut exchange, &subnet, &proven))?;
    let report = MapReport {
        source: source.to_string(),
        seed: args.probing.seed,
        discovery: Some(discovery),
        proof: proven.report().clone(),
        loaded: None,
        subnet: Some(SubnetReport { silent: subnet.silent().collect(), installed }),
        cabling: expected.map(|expected| CablingReport::compare(&expected, topology, subnet.front_end())),
        wall_ms: clock.wall_ms(),
        phases: clock.phases,
    };
    finish(args, &report)
}

fn discover(exchange: &mut Exchange) -> Result<Subnet, InfinibandError> {
    // Where nobody says that a packet was lost, it is not sent where no link is.
    let mut discovery = Discovery::new(!exchange.tells_of_loss());
    exchange.run(&mut discovery)?;
    Subnet::new(discovery.finish()?)
}

/// Routes that switches can follow that look only at where a packet goes.
fn routes(topology: &Topology, kind: TopologyKind) -> Result<RouteSet, Failure> {
    let routes = engine::compute(topology, kind, Request::default()).map_err(Failure::failed)?;
    Ok(routes.by_destination().expect("engines make tables"))
}

/// Writes the tables into a file or into the switches, or both.
fn use_routes(
    args: &MapArgs,
    exchange: &mut Exchange,
    subnet: &Subnet,
    routes: &Verified<RouteSet>,
) -> Result<Option<InstallReport>, Failure> {
    if !args.install && args.lfts_out.is_none() {
        return Ok(None);
    }
    let before = exchange.sent();
    let readings = Readings::take(exchange, subnet).map_err(Failure::failed)?;
    let lids = readings.assign(subnet.topology()).map_err(Failure::failed)?;
    if let Some(path) = &args.lfts_out {
        let tables = ForwardingTables::new(subnet, &lids, routes);
        write_text(path, &forwarding_tables(subnet, &lids, &tables))?;
    }
    if !args.install {
        return Ok(None);
    }
    let written = install(exchange, subnet, readings, &lids, routes).map_err(Failure::failed)?;
    Ok(Some(InstallReport {
        lids: written.lids,
        table_blocks: written.blocks,
        active_ports: written.active,
        install_packets: exchange.sent() - before,
    }))
}
