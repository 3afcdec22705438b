//! `mapper serve`.

use crate::sandbox::Sandbox;
use serde_json::Value;

#[test]
fn serve_repairs_what_is_cut_and_says_what_it_does() {
    let sandbox = Sandbox::new();
    let words =
        "serve --fabric sim:clos:hosts=36,radix=12,levels=2 --fault cut:x1.2:7@500ms --once --topo-out now.topo";
    let text = sandbox.ok(words);
    for said in ["gone: the cable from x1.2:7", "epoch 2 proved", "epoch 2 in use: 35 nodes"] {
        assert!(text.contains(said), "{text}");
    }
    assert_eq!(sandbox.read("now.topo").lines().filter(|line| line.starts_with("cable")).count(), 36 + 35);
    let lines = sandbox.ok(&format!("{words} --json"));
    let events: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let names: Vec<&str> = events.iter().map(|event| event["event"].as_str().unwrap()).collect();
    assert_eq!(names, ["in_use", "sweep", "gone", "proved", "in_use"]);
    assert_eq!(sandbox.ok(&format!("{words} --json")), lines, "the same seed gives the same run");
}

#[test]
fn serve_maps_anew_where_a_crossbar_is_new_and_gives_its_hosts_numbers() {
    let sandbox = Sandbox::new();
    let text = sandbox.ok(
        "serve --fabric sim:clos:hosts=36,radix=12,levels=2 --fault kill:x1.5@0s --fault revive:x1.5@500ms --once \
         --topo-out now.topo",
    );
    let mapped = "new crossbars: 1, new cables between crossbars: 6, new hosts: 6";
    for said in ["a new cable at x2.0:5", mapped, "there: the cable from n34 to x1.5:5", "in use: 35 nodes"] {
        assert!(text.contains(said), "{text}");
    }
    assert_eq!(sandbox.read("now.topo").lines().filter(|line| line.starts_with("cable")).count(), 36 + 36);
}

#[test]
fn serve_refuses_what_cannot_be_watched() {
    let sandbox = Sandbox::new();
    sandbox.fails("serve --fabric ibsim:H0", 2, &["source routes"]);
    sandbox.fails("serve --fabric sim:pink --interval soon", 2, &["--interval"]);
    sandbox.fails("serve --fabric sim:pink --fault cut:nowhere:1", 2, &["nowhere"]);
}
