//! Well-known topologies.
//!
//! The first host of each is the front end, `master`; the others are `n0`, `n1`, ... Unique ids count from 1.
//! Crossbar `l` levels above the hosts of a fat tree is `xl.i`; those of the other topologies are `xi`.

mod clos;
mod random;
mod torus;

pub use clos::{Clos, pink, xgft};
pub use random::Random;
pub use torus::{Torus, hypercube};

use super::{CrossbarId, HostId, MAX_RADIX, PortId, Topology};
use crate::id::{NodeNumber, UniqueId};

/// The most hosts or crossbars that a generated topology may have.
pub const MAX_NODES: u64 = 1 << 20;

/// Why there is no such topology.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GenerateError {
    /// A parameter that makes no sense, alone or with the others.
    #[error("{parameter} is {got}: expected {expected}")]
    Parameter {
        /// Its name.
        parameter: &'static str,
        /// Its value.
        got: String,
        /// What would do.
        expected: String,
    },
    /// More hosts or crossbars than [`MAX_NODES`].
    #[error("{0} hosts or crossbars: at most {MAX_NODES} are possible")]
    TooLarge(u64),
    /// Crossbars of more than [`MAX_RADIX`] ports.
    #[error("crossbars of {0} ports: at most {MAX_RADIX} are possible")]
    Radix(u64),
}

impl GenerateError {
    fn parameter(parameter: &'static str, got: impl ToString, expected: impl Into<String>) -> GenerateError {
        GenerateError::Parameter { parameter, got: got.to_string(), expected: expected.into() }
    }
}

/// A product, if it does not exceed [`MAX_NODES`].
fn nodes(factors: impl IntoIterator<Item = u64>) -> Result<u64, GenerateError> {
    let product = factors.into_iter().fold(1u64, u64::saturating_mul);
    if product > MAX_NODES { Err(GenerateError::TooLarge(product)) } else { Ok(product) }
}

fn radix(ports: u64) -> Result<u8, GenerateError> {
    if ports > u64::from(MAX_RADIX) { Err(GenerateError::Radix(ports)) } else { Ok(ports as u8) }
}

/// Adds the next host, named by its index.
fn add_host(topology: &mut Topology, ports: u8) -> HostId {
    let index = topology.hosts().len();
    let name = NodeNumber::from_index(index).to_string();
    topology.add_host(name, UniqueId(index as u64 + 1), ports).expect("hosts' names differ")
}

fn add_crossbar(topology: &mut Topology, name: String, ports: u8) -> CrossbarId {
    topology.add_crossbar(name, ports).expect("crossbars' names differ")
}

fn connect(topology: &mut Topology, a: PortId, b: PortId) {
    topology.connect(a, b).expect("a generator uses each port once");
}

#[cfg(test)]
mod tests;
