//! The files that a run writes.

use super::files::{check_writable, write_routes, write_text};
use crate::infiniband::text::ibsim_network;
use crate::output::dot;
use crate::output::hostfile::hostfile;
use crate::output::slurm::topology_conf;
use crate::output::svg::Picture;
use crate::verify::{Loads, Verified, loads};
use clap::Args;
use std::path::PathBuf;
use twowire_fabric::map::RouteSet;
use twowire_fabric::program::Failure;
use twowire_fabric::topology::lockstep::Lockstep;
use twowire_fabric::topology::{HostId, PortId, Topology};

/// What is to be written, and where.
#[derive(Args, Debug)]
pub(super) struct OutputArgs {
    /// Writes the map
    #[arg(long, value_name = "FILE")]
    topo_out: Option<PathBuf>,
    /// Writes the routes of all pairs
    #[arg(long, value_name = "FILE")]
    routes_out: Option<PathBuf>,
    /// Draws the map, cables coloured by their load; with `--expect` the intended cabling, what is not there in red
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,
    /// Writes the same picture for Graphviz
    #[arg(long, value_name = "FILE")]
    dot: Option<PathBuf>,
    /// Writes the map as Slurm's `topology.conf`, for `topology/tree`
    #[arg(long, value_name = "FILE")]
    slurm: Option<PathBuf>,
    /// Writes the hosts in the order of their places
    #[arg(long, value_name = "FILE")]
    hostfile: Option<PathBuf>,
    /// Writes the map as a network for the InfiniBand simulator ibsim
    #[arg(long, value_name = "FILE")]
    ibnet_out: Option<PathBuf>,
}

/// What was found, and what was intended, if that is known; each with its front end.
pub(super) struct Maps<'t> {
    pub found: &'t Topology,
    pub front_end: HostId,
    pub intended: Option<&'t (Topology, HostId)>,
}

impl OutputArgs {
    /// Finds out before the work whether the files can be written after it.
    pub(super) fn check_writable(&self) -> Result<(), Failure> {
        let OutputArgs { topo_out, routes_out, svg, dot, slurm, hostfile, ibnet_out } = self;
        let paths = [topo_out, routes_out, svg, dot, slurm, hostfile, ibnet_out];
        paths.into_iter().flatten().try_for_each(|path| check_writable(path))
    }

    /// Writes the files.
    pub(super) fn write(&self, maps: &Maps<'_>, routes: &Verified<RouteSet>) -> Result<(), Failure> {
        let topology = maps.found;
        if let Some(path) = &self.ibnet_out {
            let network = ibsim_network(topology, maps.front_end.into()).map_err(Failure::failed)?;
            write_text(path, &network)?;
        }
        if let Some(path) = &self.routes_out {
            write_routes(path, topology, routes)?;
        }
        let texts: [(&Option<PathBuf>, &dyn Fn() -> String); 3] = [
            (&self.topo_out, &|| topology.to_string()),
            (&self.slurm, &|| topology_conf(topology, maps.front_end)),
            (&self.hostfile, &|| hostfile(topology, maps.front_end)),
        ];
        for (path, text) in texts {
            path.iter().try_for_each(|path| write_text(path, &text()))?;
        }
        if self.svg.is_some() || self.dot.is_some() {
            let loads = loads(topology, routes);
            let picture = maps.picture(&loads);
            self.svg.iter().try_for_each(|path| write_text(path, &picture.draw()))?;
            self.dot.iter().try_for_each(|path| write_text(path, &dot::graph(&picture)))?;
        }
        Ok(())
    }
}

impl Maps<'_> {
    /// The intended cabling, if it is known, with what is there of it; and otherwise what was found.
    fn picture(&self, loads: &Loads) -> Picture<'_> {
        let Some((intended, its_front_end)) = self.intended else { return Picture::of(self.found, loads) };
        let lockstep = Lockstep::walk(intended, *its_front_end, self.found, self.front_end);
        Picture::beside(intended, loads, |end: PortId| {
            let there = lockstep.port_in_b(end)?;
            let other = lockstep.port_in_b(intended.peer(end)?)?;
            (self.found.peer(there) == Some(other)).then(|| loads.of_cable(self.found, there))
        })
    }
}
