//! A picture of a fabric: levels as rows, the highest on top, hosts below; grids as grids. Cables are coloured by their load,
//! dead ones are red. Names appear when the pointer rests on a shape.

mod draw;
mod layout;
mod shade;

#[cfg(test)]
mod tests;

pub use shade::Shade;

use crate::levels;
use crate::verify::Loads;
use std::cmp::Reverse;
use twowire_fabric::topology::{Cable, NodeId, PortId, Topology};

/// What is known of a cable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CableState {
    /// No more than that it is there.
    Unknown,
    /// How many preferred routes use it, in the busier of its directions.
    Load(u64),
    /// It should be there, and is not.
    Dead,
}

/// What is to be drawn.
#[derive(Clone, Debug)]
pub struct Picture<'t> {
    /// The fabric.
    pub topology: &'t Topology,
    /// For each cable of the fabric.
    pub cables: Vec<CableState>,
    /// The load of a cable in the mean, with which others are compared.
    pub load_mean: f64,
}

impl<'t> Picture<'t> {
    /// A fabric with the loads of its routes.
    pub fn of(topology: &'t Topology, loads: &Loads) -> Picture<'t> {
        Picture::beside(topology, loads, |end| topology.peer(end).map(|_| loads.of_cable(topology, end)))
    }

    /// A fabric of which each cable is asked for by one of its ends: `None` if it is dead, and else its load if it has any.
    pub fn beside(topology: &'t Topology, loads: &Loads, load: impl Fn(PortId) -> Option<Option<u64>>) -> Picture<'t> {
        let state = |cable: &Cable| match load(cable.a) {
            None => CableState::Dead,
            Some(None) => CableState::Unknown,
            Some(Some(load)) => CableState::Load(load),
        };
        Picture { topology, cables: topology.cables().iter().map(state).collect(), load_mean: loads.mean() }
    }

    /// How a cable of this load compares with the mean.
    pub fn shade(&self, load: u64) -> Shade {
        Shade::of(load as f64 / self.load_mean.max(f64::MIN_POSITIVE))
    }

    /// The cables in an order that does not depend on how they came to be listed, each from its upper end: by level, then by port.
    pub(super) fn cables_in_order(&self) -> Vec<(PortId, PortId, CableState)> {
        let levels = levels::of_crossbars(self.topology);
        let rank = |end: PortId| match end.node {
            NodeId::Crossbar(x) => (Reverse(levels[x.0 as usize]), end),
            NodeId::Host(_) => (Reverse(0), end),
        };
        let ends = self.topology.cables().iter().zip(&self.cables);
        let upper_first = |c: &Cable| if rank(c.a) < rank(c.b) { (c.a, c.b) } else { (c.b, c.a) };
        let mut cables: Vec<_> = ends.map(|(cable, &state)| (upper_first(cable), state)).collect();
        cables.sort_by_key(|&((upper, _), _)| rank(upper));
        cables.into_iter().map(|((upper, lower), state)| (upper, lower, state)).collect()
    }

    /// True if a crossbar or host has cables, and all are dead.
    fn is_dead(&self, node: NodeId) -> bool {
        let touches = |end: PortId| end.node == node;
        let mut own =
            self.topology.cables().iter().zip(&self.cables).filter(|(c, _)| touches(c.a) || touches(c.b)).peekable();
        own.peek().is_some() && own.all(|(_, state)| *state == CableState::Dead)
    }

    /// Draws an SVG document.
    pub fn draw(&self) -> String {
        draw::draw(self)
    }
}
