//! `mapper show`.

use crate::CLOS;
use crate::sandbox::Sandbox;

fn with_map() -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.ok(&format!("--fabric {CLOS} --topo-out m.topo --routes-out m.routes --routes-per-pair 4"));
    sandbox
}

#[test]
fn a_route_is_shown_hop_by_hop() {
    let sandbox = with_map();
    let shown = sandbox.ok("show --topo m.topo --routes m.routes --from n3 --to n14");
    let lines: Vec<&str> = shown.lines().collect();
    assert_eq!(lines[0], "n3 to n14: 4 routes; a shortest way has 5 hops");
    assert!(lines[2].starts_with("route 1 of 4: ") && lines[2].ends_with(", 5 hops, as few as possible"), "{shown}");
    assert!(lines[4].ends_with(" n3 -> x1.2:0") && lines[9].contains(" -> n14 "), "{shown}");
    let computed = sandbox.ok("show --topo m.topo --routes-per-pair 4 --from n3 --to n14");
    assert_eq!(computed, shown, "the engine's routes are those that were saved");
    let json = sandbox.json("show --topo m.topo --routes m.routes --from n3 --to n14 --json");
    assert_eq!((json["routes"].as_array().map(Vec::len), json["shortest"].as_u64()), (Some(4), Some(5)));
    let step = &json["routes"][0]["steps"][0];
    assert_eq!((step["port_in"].as_u64(), step["load"].as_u64()), (Some(0), Some(14)), "{json}");
}

#[test]
fn a_wrong_route_is_shown_as_far_as_it_goes() {
    let sandbox = with_map();
    let wrong = sandbox.read("m.routes").replace("\nn3 n14 ", "\nn3 n14 81\nn3 n14 81ff\nn3 n14 ");
    sandbox.write("wrong.routes", &wrong);
    let shown = sandbox.ok("show --topo m.topo --routes wrong.routes --from n3 --to n14");
    assert!(shown.contains("it does not arrive: it ends at n4"), "{shown}");
    assert!(shown.contains("it does not arrive: it is lost behind the last line"), "{shown}");
    sandbox.write("wrong.routes", &wrong.replace("\nn3 n14 81\n", "\nn3 n14 e0\n"));
    let conflicts = sandbox.ok("show --topo m.topo --routes wrong.routes --conflicts --top 1000");
    assert!(conflicts.contains(" -> "), "{conflicts}");
}

#[test]
fn lengths_conflicts_and_wiring_are_listed() {
    let sandbox = with_map();
    let longest = sandbox.json("show --topo m.topo --longest --json");
    assert_eq!(longest["lengths"][2]["preferred"].as_u64(), Some(16 * 12), "{longest}");
    let conflicts = sandbox.ok("show --topo m.topo --conflicts --top 2");
    assert_eq!(conflicts.lines().filter(|line| line.contains(" -> ")).count(), 2, "{conflicts}");
    assert!(conflicts.lines().next().is_some_and(|line| line.starts_with("all-to-all load: ")), "{conflicts}");
    let wiring = sandbox.ok("show --topo m.topo --wiring");
    let ports: usize = sandbox.read("m.topo").matches("\ncable ").count() * 2 - 16;
    assert_eq!(wiring.lines().skip(1).filter(|line| !line.ends_with(" -")).count(), ports, "{wiring}");
    let n0 = sandbox.json("show --topo m.topo --wiring --json")[1].clone();
    assert_eq!((n0["crossbar"].as_str(), n0["to"].as_str()), (Some("x1.0"), Some("n0")));
    assert_eq!(n0["id"].as_str(), Some("0x0000000000000002"));
}

#[test]
fn what_cannot_be_shown_is_said() {
    let sandbox = with_map();
    sandbox.fails("show --topo m.topo", 2, &["--from", "--longest", "--wiring"]);
    sandbox.fails("show --topo m.topo --from n0", 2, &["--to"]);
    sandbox.fails("show --topo m.topo --from n0 --to n99", 2, &["--to n99", "no such host"]);
    sandbox.fails("show --topo m.topo --from x1.0 --to n9", 2, &["--from x1.0", "name a host"]);
    sandbox.fails("show --topo m.topo --from n1 --to n1", 2, &["--to n1", "another host"]);
    sandbox.fails("show --topo m.topo --routes m.routes --topology clos --longest", 2, &["cannot be used with"]);
    sandbox.fails("show --topo m.topo --routes none.routes --longest", 1, &["cannot read none.routes"]);
    sandbox.fails("show --topo none.topo --wiring", 1, &["cannot read none.topo"]);
}
