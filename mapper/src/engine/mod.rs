//! Routing engines: from a graph to the routes of all pairs.
//!
//! | engine | for | by |
//! |---|---|---|
//! | [`Clos`] | fat trees, whole or damaged, of any number of levels | d-mod-k (Zahavi); on damaged ones as Dmodc (Gliksberg et al.) |
//! | [`Hypercube`] | hypercubes, whole or damaged | e-cube (Sullivan and Bashkow) |
//! | [`Torus`] | tori and meshes, whole or damaged | dimension order (Dally and Seitz), without passing through one crossbar of each ring |
//! | [`UpDown`] | any graph | up*/down* (Autonet) |
//!
//! An engine is trusted with nothing: what it computes is proved by [`verify`](crate::verify) before it leaves the mapper.

pub(crate) mod beside;
mod cabling;
pub(crate) mod clos;
mod detour;
mod dimension_order;
mod escape;
mod fat_tree;
mod grid;
mod hypercube;
pub(crate) mod mend;
mod torus;
mod turns;
pub(crate) mod updown;

#[cfg(test)]
mod tests;
#[cfg(test)]
pub(crate) use tests::odd_cables;

pub use clos::Clos;
pub use hypercube::Hypercube;
pub use torus::Torus;
pub use updown::UpDown;

use cabling::Cabling;
use grid::{Grid, Neighbours};
use std::fmt;
use std::num::NonZeroU8;
use twowire_fabric::map::RouteSet;
use twowire_fabric::topology::Topology;

/// What is asked of an engine.
#[derive(Clone, Copy, Debug)]
pub struct Request {
    /// How many routes a pair gets at most.
    pub routes_per_pair: NonZeroU8,
    /// The version of the set.
    pub epoch: u32,
}

impl Default for Request {
    /// One route a pair, epoch 1.
    fn default() -> Request {
        Request { routes_per_pair: NonZeroU8::MIN, epoch: 1 }
    }
}

/// Why an engine has no routes for a graph.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EngineError {
    /// The graph has no levels.
    #[error(
        "not a Clos: the cable between {a} and {b} joins two crossbars that are both {hops} from the nearest host; \
         correct the cabling, or use `--topology any`"
    )]
    NotClos {
        /// One end of the cable.
        a: String,
        /// The other end.
        b: String,
        /// How far both crossbars are from the nearest host.
        hops: Steps,
    },
    /// The graph is not what an engine for grids takes.
    #[error(
        "no {engine}: the crossbars and cables are not a part of one; correct the cabling, or use `--topology any`"
    )]
    NotGrid {
        /// The engine.
        engine: &'static str,
    },
    /// Two hosts are connected, but no route between them is free of cycles with all others.
    #[error(
        "too damaged for the Clos engine: {from} and {to} are connected, but by no path that goes up and then down, and by \
         no other that could not deadlock; repair cables, or use `--topology any`"
    )]
    Incomplete {
        /// A host.
        from: String,
        /// A host that it cannot reach.
        to: String,
    },
}

/// A number of cables, in words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Steps(pub u32);

impl fmt::Display for Steps {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 == 1 { f.write_str("one cable") } else { write!(f, "{} cables", self.0) }
    }
}

/// Computes the routes of all pairs of hosts.
pub trait Engine {
    /// The name that route files and reports give.
    fn name(&self) -> &'static str;

    /// Routes between all pairs of hosts that are connected: shortest ones among those that the engine allows, and
    /// all together free of cycles.
    fn compute(&self, topology: &Topology, request: Request) -> Result<RouteSet, EngineError>;
}

/// What the user says that the fabric is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum TopologyKind {
    /// A fat tree: d-mod-k routes, or an error if it is none
    Clos,
    /// A torus or a mesh: dimension order; up*/down* where it is none
    Torus,
    /// A hypercube: dimension order; up*/down* where it is none
    Hypercube,
    /// Anything: as for what it is, up*/down* otherwise
    Any,
}

/// The place of each crossbar in the torus, mesh or hypercube that a topology is, whole or damaged: its coordinates, none for
/// a crossbar without neighbours. `None` if the topology is no such grid.
pub(crate) fn grid_places(topology: &Topology) -> Option<Vec<Vec<u32>>> {
    Grid::of(&Neighbours::of(&Cabling::of(topology))).map(|grid| grid.places)
}

/// Computes routes with the engine that suits a topology.
pub fn compute(topology: &Topology, kind: TopologyKind, request: Request) -> Result<RouteSet, EngineError> {
    let engines: &[&dyn Engine] = match kind {
        TopologyKind::Clos => &[&Clos],
        TopologyKind::Torus => &[&Torus, &UpDown],
        TopologyKind::Hypercube => &[&Hypercube, &UpDown],
        TopologyKind::Any => &[&Clos, &Hypercube, &Torus, &UpDown],
    };
    let (last, others) = engines.split_last().expect("there is one for each kind");
    for engine in others {
        match engine.compute(topology, request) {
            Ok(routes) => return Ok(routes),
            Err(reason) => tracing::debug!(%reason, "trying another engine"),
        }
    }
    last.compute(topology, request)
}
