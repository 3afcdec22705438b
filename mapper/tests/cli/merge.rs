//! `mapper merge`.

use crate::sandbox::Sandbox;

/// The routes of a file whose source a test picks, with the header.
fn some(routes: &str, pick: impl Fn(&str) -> bool) -> String {
    routes.lines().filter(|line| line.starts_with("routes ") || pick(line)).map(|line| format!("{line}\n")).collect()
}

#[test]
fn two_halves_are_the_whole_again() {
    let sandbox = Sandbox::new();
    sandbox.ok("--fabric sim:torus:4x4 --topo-out t.topo --routes-out t.routes");
    let whole = sandbox.read("t.routes");
    sandbox.write("a.routes", &some(&whole, |line| line.starts_with("n1")));
    sandbox.write("b.routes", &some(&whole, |line| !line.starts_with("n1")));
    let said = sandbox.ok("merge --topo t.topo a.routes b.routes --out ab.routes");
    assert!(said.contains("all 240 pairs arrive, and no routes can deadlock"), "{said}");
    let sorted = |text: &str| {
        let mut lines: Vec<String> = text.lines().skip(1).map(str::to_owned).collect();
        lines.sort();
        lines
    };
    assert_eq!(sorted(&sandbox.read("ab.routes")), sorted(&whole));
    assert!(sandbox.read("ab.routes").starts_with("routes 1 epoch=2 hosts=16 engine=hypercube\n"));
    sandbox.ok("merge --topo t.topo t.routes ab.routes a.routes --out again.routes");
    assert_eq!(sorted(&sandbox.read("again.routes")), sorted(&whole), "what is there already is not added again");
}

#[test]
fn halves_that_deadlock_together_are_refused_with_the_cycle() {
    let sandbox = Sandbox::new();
    sandbox.write("ring.topo", &crate::ring_of_four());
    // Two steps on from each crossbar: any three of the four together hold, all four wait for one another.
    let routes = |sources: &[usize]| {
        let lines = sources.iter().flat_map(|&i| [1, 2].map(|steps| (i, steps)));
        let line = |(i, steps): (usize, usize)| format!("n{i} n{} 81{}fe\n", (i + steps) % 4, "ff".repeat(steps - 1));
        "routes 1 epoch=7 hosts=4 engine=by-hand\n".to_owned() + &lines.map(line).collect::<String>()
    };
    sandbox.write("a.routes", &routes(&[0, 1]));
    sandbox.write("b.routes", &routes(&[2, 3]));
    let output = sandbox.run("merge --topo ring.topo a.routes b.routes --out ab.routes");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(output.status.code(), Some(1), "{said}");
    for expected in ["can deadlock over a cycle of 4 cables", "x0:1 -> x1:2", "x3:1 -> x0:2", "(epoch 8)"] {
        assert!(said.contains(expected), "expected: {expected}\n{said}");
    }
    assert!(!sandbox.names().contains(&"ab.routes".to_owned()), "nothing is written");
    let json = sandbox.run("merge --topo ring.topo a.routes b.routes --json");
    let report: serde_json::Value = serde_json::from_slice(&json.stdout).unwrap();
    assert_eq!(report["cycle"].as_array().map(Vec::len), Some(4), "{report}");
}

#[test]
fn what_cannot_be_merged_is_said() {
    let sandbox = Sandbox::new();
    sandbox.ok("--fabric sim:torus:4 --topo-out t.topo --routes-out t.routes");
    sandbox.fails("merge --topo t.topo t.routes", 2, &["ROUTES"]);
    sandbox.fails("merge --topo t.topo t.routes none.routes", 1, &["cannot read none.routes"]);
    sandbox.fails("merge --topo t.topo t.routes t.routes --out no/such/f", 1, &["cannot write no/such/f"]);
}
