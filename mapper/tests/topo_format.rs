//! The examples in `docs/topo-format.md` are what the program reads.

use twowire_fabric::map::routes_text;
use twowire_fabric::topology::Topology;

fn block(kind: &str) -> &'static str {
    let document = include_str!("../../docs/topo-format.md");
    let (_, rest) = document.split_once(&format!("```{kind}\n")).expect("the document has an example");
    rest.split_once("```").expect("the example ends").0
}

#[test]
fn the_examples_are_read_together() {
    let topology = Topology::parse(block("topo")).unwrap();
    let routes = routes_text::parse(block("routes"), &topology).unwrap();
    assert_eq!((routes.epoch(), routes.hosts(), routes.engine()), (3, 4, "clos"));
    let mut from_master = Vec::new();
    let [master, n1] = ["master", "n1"]
        .map(|name| topology.host_ids().find(|&host| topology.host(host).name == name).expect("a host of the example"));
    routes.for_each_from(master, |route| {
        if route.to == n1 {
            from_master.push(route.hops.to_vec());
        }
    });
    assert_eq!(from_master, [[0x82, 0x81, 0xfe], [0x83, 0x81, 0xfd]]);
}
