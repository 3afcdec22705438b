//! The text formats of topologies and routes, from bytes that nobody can trust.

use std::sync::OnceLock;
use twowire_fabric::map::routes_text;
use twowire_fabric::topology::{Topology, generate};

/// Reads the bytes as a topology and as routes. What can be read is written so that it is read again as the same.
pub(crate) fn run(data: &[u8]) {
    if let Ok(topology) = Topology::parse_bytes(data) {
        let text = topology.to_string();
        let again = Topology::parse(&text).expect("what was written can be read");
        assert_eq!(again.to_string(), text);
    }
    static SMALL: OnceLock<Topology> = OnceLock::new();
    let small = SMALL.get_or_init(|| generate::xgft(&[2, 2], &[1, 2]).expect("a Clos"));
    if let Ok(text) = std::str::from_utf8(data)
        && let Ok(routes) = routes_text::parse(text, small)
    {
        for from in small.host_ids() {
            assert_eq!(routes.routes(from, from).count(), 0, "from a host to itself");
        }
    }
}
