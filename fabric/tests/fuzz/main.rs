//! The bodies of the fuzz targets in `fuzz/` that need this crate alone, as ordinary tests.

#[cfg(target_os = "linux")]
#[path = "../../../fuzz/bodies/ethernet.rs"]
mod ethernet;
#[path = "../../../fuzz/bodies/frame.rs"]
mod frame;
#[path = "../../../fuzz/ordinary.rs"]
mod ordinary;
#[path = "../../../fuzz/bodies/route_table.rs"]
mod route_table;
#[path = "../../../fuzz/bodies/topology.rs"]
mod topology;

use ordinary::fuzz;

#[test]
fn frames() {
    fuzz("frame", 100_000, frame::run);
}

#[test]
fn route_tables() {
    fuzz("route_table", 100_000, route_table::run);
}

#[cfg(target_os = "linux")]
#[test]
fn ethernet_frames() {
    fuzz("ethernet", 100_000, ethernet::run);
}

#[test]
fn topologies_and_routes() {
    fuzz("topology", 20_000, topology::run);
}
