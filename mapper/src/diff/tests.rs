use super::*;
use crate::naming;
use twowire_fabric::topology::generate::pink;
use twowire_fabric::topology::transform::{as_discovered, random_ids, without};

fn port(topology: &Topology, name: &str) -> PortId {
    let (node, port) = name.split_once(':').unwrap_or((name, "0"));
    PortId { node: topology.find(node).unwrap(), port: port.parse().unwrap() }
}

fn connect(topology: &mut Topology, a: &str, b: &str) {
    topology.connect(port(topology, a), port(topology, b)).unwrap();
}

fn disconnect(topology: &mut Topology, end: &str) {
    topology.disconnect(port(topology, end)).unwrap();
}

/// The lines of the diff from Pink to what is discovered of a changed Pink.
fn lines(changed: &Topology) -> Vec<String> {
    let found = as_discovered(changed, changed.find("master").unwrap(), 3);
    let master = changed.host(HostId(0)).id;
    let start = found.host_ids().find(|&host| found.host(host).id == master).unwrap();
    let map = naming::first(&found, start);
    diff(&pink(), HostId(0), map.topology(), map.front_end()).iter().map(Change::to_string).collect()
}

fn changed(change: impl FnOnce(&mut Topology)) -> Vec<String> {
    let mut topology = pink();
    change(&mut topology);
    lines(&topology)
}

#[test]
fn other_cards_and_other_names_are_no_difference() {
    assert_eq!(changed(|_| ()), Vec::<String>::new());
    assert_eq!(changed(|topology| topology.set_unique_id(HostId(18), UniqueId(0xabcdef))), Vec::<String>::new());
    assert_eq!(changed(|topology| random_ids(topology, 1)), Vec::<String>::new());
}

#[test]
fn mixed_up_plugs_are_told_back_to_their_places() {
    let mixed_up = changed(|topology| {
        disconnect(topology, "x1.0:8");
        disconnect(topology, "x1.0:9");
        connect(topology, "x1.0:8", "x2.1:0");
        connect(topology, "x1.0:9", "x2.0:0");
    });
    assert_eq!(
        mixed_up,
        [
            "the cable from x1.0:8 is at x2.1:0: move that plug back to x2.0:0",
            "the cable from x1.0:9 is at x2.0:0: move that plug back to x2.1:0",
        ]
    );
    let elsewhere = changed(|topology| {
        disconnect(topology, "n1022");
        disconnect(topology, "x1.5:12");
        connect(topology, "x1.5:12", "x1.127:7");
    });
    assert_eq!(elsewhere[0], "n1022 (0x0000000000000400) is missing at x1.127:7: see to its power and its cable");
    assert_eq!(elsewhere[1], "the cable from x1.5:12 is at x1.127:7: move that plug back to x2.4:5");
}

#[test]
fn missing_and_new_cables_are_named() {
    assert_eq!(changed(|topology| disconnect(topology, "x2.7:15")), ["the cable from x2.7:15 to x3.63:0 is missing"]);
    let spare = {
        let mut less = pink();
        disconnect(&mut less, "x2.7:15");
        diff(&less, HostId(0), &pink(), HostId(0))
    };
    assert_eq!(spare, [Change::CableNew { a: "x2.7:15".into(), b: "x3.63:0".into() }]);
    assert_eq!(spare[0].to_string(), "a cable from x2.7:15 to x3.63:0 is new");
}

#[test]
fn hosts_that_are_missing_moved_or_new_are_told_apart() {
    let moved = changed(|topology| {
        disconnect(topology, "n17");
        disconnect(topology, "n40");
        connect(topology, "n17", "x1.5:1");
    });
    assert_eq!(
        moved,
        ["n17 (0x0000000000000013) is missing at x1.2:2: see to its power and its cable"],
        "n40's place is taken"
    );
    let mut fewer = pink();
    disconnect(&mut fewer, "n40");
    let mut moved = fewer.clone();
    disconnect(&mut moved, "n17");
    connect(&mut moved, "n17", "x1.5:1");
    let texts = |old, new| diff(old, HostId(0), new, HostId(0)).iter().map(Change::to_string).collect::<Vec<_>>();
    assert_eq!(texts(&fewer, &moved), ["n17 (0x0000000000000013) is at x1.5:1: move its plug back to x1.2:2"]);
    assert_eq!(texts(&fewer, &pink()), ["n40 (0x000000000000002a) is new at x1.5:1"]);
}

#[test]
fn a_missing_crossbar_takes_its_hosts_with_it_in_one_line() {
    let gone = |names: &[&str]| {
        let gone = names.iter().map(|name| pink().find(name).unwrap()).collect();
        lines(&without(&pink(), &gone))
    };
    assert_eq!(
        gone(&["x1.9", "x3.4"]),
        [
            "crossbar x1.9 is missing, and n71 n72 n73 n74 n75 n76 n77 n78 with it: see to its power and its cables",
            "crossbar x3.4 is missing: see to its power and its cables",
        ]
    );
    let back = diff(&without(&pink(), &[pink().find("x3.4").unwrap()].into()), HostId(0), &pink(), HostId(0));
    let [Change::CrossbarNew { crossbar, at }] = &back[..] else { panic!("{back:?}") };
    assert_eq!((crossbar.as_str(), at.len(), at[0].as_str()), ("x3.4", 16, "x2.4:8"));
}

#[test]
fn a_port_below_the_lowest_known_one_is_written_as_such() {
    let mut old = pink();
    disconnect(&mut old, "n15");
    let saved = as_discovered(&old, HostId(0).into(), 1);
    let start = saved.host_ids().find(|&host| saved.host(host).id == UniqueId(1)).unwrap();
    let saved = naming::first(&saved, start);
    let back = diff(saved.topology(), saved.front_end(), &pink(), HostId(0));
    let texts: Vec<_> = back.iter().map(Change::to_string).collect();
    assert_eq!(texts, ["n15 (0x0000000000000011) is new at x1.2:-1"], "what the saved map calls port 0 is port 1");
}

#[test]
fn changes_are_json_objects_that_say_what_they_are() {
    let change = Change::CableMoved { end: "a:1".into(), from: "b:2".into(), to: "c:3".into() };
    let json = serde_json::to_string(&change).unwrap();
    assert_eq!(json, r#"{"change":"cable-moved","end":"a:1","from":"b:2","to":"c:3"}"#);
}
