//! What people ask of a map and its routes.
//!
//! | module | question |
//! |---|---|
//! | [`path`] | where does a frame go, and what would be a shortest way? |
//! | [`pair`] | how do I get from here to there, and why this way? |
//! | [`longest`] | how long are the routes, and which is the longest? |
//! | [`conflicts`] | which cables are the busiest, and whose routes share them? |
//! | [`wiring`] | what is plugged in where? |
//! | [`what_if`] | what would be lost if something broke? |
//! | [`bisection`] | what do pairs get when one half of the hosts talks to the other? |
//!
//! Each answer serializes as JSON and displays as a table.

pub mod bisection;
pub mod conflicts;
pub mod longest;
pub mod pair;
pub mod path;
pub mod what_if;
pub mod wiring;

#[cfg(test)]
mod tests;

use twowire_fabric::topology::{PortId, Topology};

/// The cable that leaves by a port, in this direction: `x1.0:8 -> x2.0:0`.
fn cable_name(topology: &Topology, leaving: PortId) -> String {
    let end = topology.peer(leaving).map_or_else(|| "nothing".to_owned(), |end| topology.port_name(end).to_string());
    format!("{} -> {end}", topology.port_name(leaving))
}
