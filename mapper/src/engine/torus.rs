//! The engine for tori and meshes, whole or damaged.

use super::dimension_order;
use super::{Engine, EngineError, Request};
use twowire_fabric::map::RouteSet;
use twowire_fabric::topology::Topology;

/// Dimension order on a torus or a mesh of any number of dimensions.
#[derive(Clone, Copy, Debug, Default)]
pub struct Torus;

impl Engine for Torus {
    fn name(&self) -> &'static str {
        "torus"
    }

    fn compute(&self, topology: &Topology, request: Request) -> Result<RouteSet, EngineError> {
        dimension_order::compute(topology, request, self.name(), |_| true)
    }
}
