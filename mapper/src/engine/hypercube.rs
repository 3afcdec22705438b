//! The engine for hypercubes, whole or damaged.

use super::dimension_order;
use super::{Engine, EngineError, Request};
use twowire_fabric::map::RouteSet;
use twowire_fabric::topology::Topology;

/// Dimension order on a hypercube: e-cube (H. Sullivan and T. Bashkow).
#[derive(Clone, Copy, Debug, Default)]
pub struct Hypercube;

impl Engine for Hypercube {
    fn name(&self) -> &'static str {
        "hypercube"
    }

    fn compute(&self, topology: &Topology, request: Request) -> Result<RouteSet, EngineError> {
        dimension_order::compute(topology, request, self.name(), |grid| grid.dimensions.iter().all(|d| d.length == 2))
    }
}
