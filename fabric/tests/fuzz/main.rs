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
#[cfg(target_os = "linux")]
#[path = "../../../fuzz/bodies/xbar_message.rs"]
mod xbar_message;

use ordinary::{corpus, fuzz};
use twowire_fabric::wire::{Header, Kind};

#[test]
fn frames() {
    fuzz("frame", 100_000, frame::run);
}

#[test]
fn every_kind_of_frame_is_in_the_corpus() {
    let kinds: Vec<Kind> = corpus("frame")
        .iter()
        .filter_map(|(_, bytes)| Header::parse(bytes).ok().map(|(header, ..)| header.kind()))
        .collect();
    for kind in Kind::ALL {
        assert!(kinds.contains(kind), "{kind:?} is missing");
    }
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

#[cfg(target_os = "linux")]
#[test]
fn messages_of_xbar() {
    fuzz("xbar_message", 100_000, xbar_message::run);
}

#[test]
fn topologies_and_routes() {
    fuzz("topology", 20_000, topology::run);
}
