//! Over crossbars: the mapper maps, `bootd` loads the routes and sends, every node is a process.

use crate::site::Site;
use twowire_hwtests::programs::Process;

const NODES: usize = 8;

/// A fabric of crossbars with a `bootnode` on each host but the front end, mapped.
struct Fabric {
    site: Site,
    crossbars: Process,
    nodes: Vec<Process>,
}

impl Fabric {
    fn new(bytes: usize) -> Fabric {
        Fabric::with_nodes(Site::new(bytes), |_| vec![])
    }

    /// Nodes that are given these arguments besides.
    fn with_nodes(site: Site, more: impl Fn(usize) -> Vec<&'static str>) -> Fabric {
        let serve = ["serve", "--topo", "clos:hosts=9,radix=6,levels=2", "--at", "fabric"];
        let mut crossbars = Process::start(site.command("xbar", &serve), &site.path("xbar.log"));
        crossbars.wait_for("the fabric is");
        // The front end is the first host, n0; nodes are the others, under the names that the generator gives them.
        ["secret", "other"].iter().for_each(|file| site.run("twowire", &["key", "secret", "--out", file]));
        let nodes = (0..NODES).map(|node| start_with(&site, node, &more(node))).collect();
        let mut fabric = Fabric { site, crossbars, nodes };
        fabric.nodes.iter_mut().for_each(|node| node.wait_for("waits for routes"));
        let mapper =
            ["--fabric", "xbar:fabric", "--topo-out", "topo", "--routes-out", "routes", "--routes-per-pair", "2"];
        fabric.site.run("mapper", &mapper);
        fabric
    }

    fn bootd(&self, log: &str) -> Process {
        self.bootd_with(log, &["--image", "image"])
    }

    fn bootd_with(&self, log: &str, more: &[&str]) -> Process {
        let args = ["--fabric", "xbar:fabric", "--topo", "topo", "--routes", "routes", "--key", "key.pub"];
        let args = [&args[..], &["--node-timeout", "20s", "--json"], more].concat();
        Process::start(self.site.command("bootd", &args), &self.site.path(log))
    }

    /// All nodes end, with the image in their folders.
    fn wait_for_nodes(&mut self) {
        for (index, node) in self.nodes.iter_mut().enumerate() {
            assert!(node.wait().success(), "{}", node.output());
            self.site.check(&format!("root{index}"));
        }
    }

    fn finish(mut self) {
        self.wait_for_nodes();
        self.crossbars.kill();
    }
}

fn start(site: &Site, node: usize) -> Process {
    start_with(site, node, &[])
}

fn start_with(site: &Site, node: usize, more: &[&str]) -> Process {
    let nvram = format!("nvram{node}");
    site.make_nvram(&nvram);
    let args = [format!("xbar:fabric,host=n{node}"), format!("root{node}"), format!("file:{nvram}")];
    let args = ["--fabric", &args[0], "--key", "key.pub", "--root", &args[1], "--nvram", &args[2]];
    let args = [&args[..], more].concat();
    Process::start(site.command("bootnode", &args), &site.path(&format!("node{node}.log")))
}

#[test]
fn every_node_boots_and_tells_how_far_it_is() {
    let fabric = Fabric::new(2_000_000);
    let mut bootd = fabric.bootd("bootd.log");
    assert!(bootd.wait().success(), "{}", bootd.output());
    assert!(bootd.output().contains(r#""nodes_ready":8,"nodes_failed":0"#), "{}", bootd.output());
    for state in ["link up", "waits for routes", "joined", "verified", "handing over", "phase 2 up", "ready"] {
        assert!(fabric.nodes[3].output().contains(state), "no `{state}` in\n{}", fabric.nodes[3].output());
    }
    fabric.finish();
}

#[test]
fn nodes_that_hold_an_older_image_get_what_has_changed() {
    let mut fabric = Fabric::new(24_000_000);
    let mut bootd = fabric.bootd("bootd.log");
    assert!(bootd.wait().success(), "{}", bootd.output());
    fabric.wait_for_nodes();
    assert!(fabric.site.share_sent(&bootd.output()) > 1.0, "{}", bootd.output());
    fabric.site.change_one_percent();
    fabric.nodes = (0..NODES).map(|node| start(&fabric.site, node)).collect();
    let mut bootd = fabric.bootd("bootd2.log");
    assert!(bootd.wait().success(), "{}", bootd.output());
    let share = fabric.site.share_sent(&bootd.output());
    eprintln!("1 % changed: the front end sent {:.2} % of the image", 100.0 * share);
    assert!(share <= 0.03, "{share}");
    fabric.finish();
}

#[test]
fn an_image_that_does_not_become_ready_gives_way_to_the_fallback() {
    const START: &[&str] = &["--start", "./start"];
    let site = Site::new(1_000_000);
    site.make_bad_image_and_fallback();
    let mut fabric = Fabric::with_nodes(site, |_| START.to_vec());
    let mut bootd = fabric.bootd_with("bootd.log", &["--image", "bad", "--fallback", "rescue"]);
    for _ in 0..2 {
        for node in 0..NODES {
            assert!(!fabric.nodes[node].wait().success(), "{}", fabric.nodes[node].output());
            fabric.nodes[node] = start_with(&fabric.site, node, START);
        }
    }
    assert!(bootd.wait().success(), "{}", bootd.output());
    assert_eq!(Site::counts(&bootd.output()), [NODES as u64, 0, NODES as u64]);
    assert!(bootd.output().contains("bad version 2 has used up its attempts"), "{}", bootd.output());
    for node in &fabric.nodes {
        assert_eq!(node.output().matches("phase 2 is not ready").count(), 2, "{}", node.output());
        assert!(node.output().contains("boots the fallback"), "{}", node.output());
    }
    fabric.finish();
}

#[test]
fn a_node_that_is_killed_comes_back_with_its_route_and_what_it_held() {
    let mut fabric = Fabric::new(48_000_000);
    let mut bootd = fabric.bootd("bootd.log");
    fabric.nodes[2].wait_for("receiving (30 %)");
    fabric.nodes.remove(2).kill();
    fabric.nodes.insert(2, start(&fabric.site, 2));
    assert!(bootd.wait().success(), "{}", bootd.output());
    fabric.nodes[2].wait_for("route read");
    let output = fabric.nodes[2].output();
    let again = output.rsplit("route read").next().unwrap();
    assert!(!again.contains("receiving (10 %)"), "it began anew:\n{output}");
    fabric.finish();
}

#[test]
fn a_front_end_that_is_killed_is_followed_by_one_that_sends_only_the_rest() {
    let mut fabric = Fabric::new(48_000_000);
    let bootd = fabric.bootd("bootd.log");
    fabric.nodes[2].wait_for("receiving (30 %)");
    bootd.kill();
    let mut bootd = fabric.bootd("bootd2.log");
    assert!(bootd.wait().success(), "{}", bootd.output());
    let last = bootd.output().lines().last().unwrap().to_owned();
    let summary: serde_json::Value = serde_json::from_str(&last).unwrap();
    let sent = summary["frames_sent"].as_u64().unwrap() - summary["repeats_sent"].as_u64().unwrap();
    assert!(sent < 48_000_000 / 4096, "{sent} frames: all of the image again");
    fabric.finish();
}

#[test]
fn only_nodes_that_know_the_secret_take_part() {
    let secret_of = |node| match node {
        3 => vec![],
        5 => vec!["--secret", "other"],
        _ => vec!["--secret", "secret"],
    };
    let mut fabric = Fabric::with_nodes(Site::new(1_000_000), secret_of);
    let mut bootd = fabric.bootd_with("bootd.log", &["--image", "image", "--secret", "secret"]);
    for (index, node) in fabric.nodes.iter_mut().enumerate().filter(|(index, _)| ![3, 5].contains(index)) {
        assert!(node.wait().success(), "{}", node.output());
        fabric.site.check(&format!("root{index}"));
    }
    fabric.nodes[3].wait_for("refused: the front end asks for proof of membership, and the node has no cluster secret");
    fabric.nodes[5].wait_for("refused: the front end has another cluster secret than the node");
    for reason in ["it has no cluster secret", "it has another cluster secret than this front end"] {
        bootd.wait_for(&format!(r#""reason":"{reason}""#));
        assert_eq!(bootd.output().matches(reason).count(), 1, "each is named once:\n{}", bootd.output());
    }
    assert!(!fabric.site.path("root3").join("initramfs").exists());
}
