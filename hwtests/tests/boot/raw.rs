//! Over Ethernet between network namespaces, without IP: to a group, with parity where frames are lost.

use crate::site::Site;
use twowire_hwtests::netns::{DEVICE, NetnsError, Network, Plan};
use twowire_hwtests::programs::{Process, program};

const NODES: usize = 4;

/// The site and its network; host 0 is the front end. `None`, with the reason on standard error, where there can be none.
fn network(bytes: usize, loss_percent: u32) -> Option<(Site, Network)> {
    match Network::new(Plan { loss_percent, ..Plan::new(NODES + 1, 1500) }) {
        Ok(network) => Some((Site::new(bytes), network)),
        Err(error @ (NetnsError::NotRoot | NetnsError::Missing { .. })) => {
            eprintln!("skipped: {error}");
            None
        }
        Err(error) => panic!("{error}"),
    }
}

fn start(site: &Site, network: &Network, host: usize, name: &str, args: &[&str]) -> Process {
    let fabric = format!("raw:{DEVICE}");
    let mut command = network.command(host, program(name));
    command.current_dir(site.path("")).args(["--fabric", &fabric, "--key", "key.pub", "--json"]).args(args);
    Process::start(command, &site.path(&format!("{name}{host}.log")))
}

fn node(site: &Site, network: &Network, node: usize) -> Process {
    start(site, network, node + 1, "bootnode", &["--root", &format!("root{node}")])
}

fn bootd(site: &Site, network: &Network) -> Process {
    start(site, network, 0, "bootd", &["--image", "image", "--nodes", &NODES.to_string()])
}

/// All nodes end, with the image in their folders.
fn finish(site: &Site, nodes: Vec<Process>, bootd: Process) {
    share_sent(site, nodes, bootd);
}

/// The same; returns the share of the image that the front end sent.
fn share_sent(site: &Site, mut nodes: Vec<Process>, mut bootd: Process) -> f64 {
    assert!(bootd.wait().success(), "{}", bootd.output());
    for (index, node) in nodes.iter_mut().enumerate() {
        assert!(node.wait().success(), "{}", node.output());
        site.check(&format!("root{index}"));
    }
    site.share_sent(&bootd.output())
}

#[test]
fn nodes_that_hold_an_older_image_get_what_has_changed() {
    let Some((mut site, network)) = network(24_000_000, 0) else { return };
    let nodes = |site: &Site| (0..NODES).map(|index| node(site, &network, index)).collect();
    finish(&site, nodes(&site), bootd(&site, &network));
    site.change_one_percent();
    let share = share_sent(&site, nodes(&site), bootd(&site, &network));
    eprintln!("1 % changed: the front end sent {:.2} % of the image", 100.0 * share);
    assert!(share <= 0.03, "{share}");
}

#[test]
fn a_group_of_nodes_boots_while_frames_are_lost() {
    let Some((site, network)) = network(24_000_000, 3) else { return };
    let nodes: Vec<Process> = (0..NODES).map(|index| node(&site, &network, index)).collect();
    let bootd = bootd(&site, &network);
    finish(&site, nodes, bootd);
}

#[test]
fn an_image_that_does_not_become_ready_gives_way_to_the_fallback() {
    let Some((site, network)) = network(1_000_000, 0) else { return };
    site.make_bad_image_and_fallback();
    let node = |index: usize| {
        let (root, nvram) = (format!("root{index}"), format!("nvram{index}"));
        site.make_nvram(&nvram);
        let args = ["--root", &root, "--nvram", &format!("file:{nvram}"), "--start", "./start"];
        start(&site, &network, index + 1, "bootnode", &args)
    };
    let args = ["--image", "bad", "--fallback", "rescue", "--nodes", &NODES.to_string(), "--node-timeout", "20s"];
    let mut bootd = start(&site, &network, 0, "bootd", &args);
    let mut nodes: Vec<Process> = (0..NODES).map(node).collect();
    for _ in 0..2 {
        for (index, process) in nodes.iter_mut().enumerate() {
            assert!(!process.wait().success(), "{}", process.output());
            *process = node(index);
        }
    }
    assert!(bootd.wait().success(), "{}", bootd.output());
    assert_eq!(Site::counts(&bootd.output()), [NODES as u64, 0, NODES as u64]);
    for (index, process) in nodes.iter_mut().enumerate() {
        assert!(process.wait().success(), "{}", process.output());
        assert!(process.output().contains("boots the fallback"), "{}", process.output());
        site.check(&format!("root{index}"));
    }
}

#[test]
fn a_node_that_is_killed_goes_on_where_it_was() {
    let Some((site, network)) = network(64_000_000, 0) else { return };
    let mut nodes: Vec<Process> = (0..NODES).map(|index| node(&site, &network, index)).collect();
    let bootd = bootd(&site, &network);
    nodes[1].wait_for("receiving (30 %)");
    nodes.remove(1).kill();
    nodes.insert(1, node(&site, &network, 1));
    finish(&site, nodes, bootd);
}

#[test]
fn a_front_end_that_is_killed_is_followed_by_another_one() {
    let Some((site, network)) = network(64_000_000, 0) else { return };
    let mut nodes: Vec<Process> = (0..NODES).map(|index| node(&site, &network, index)).collect();
    let first = bootd(&site, &network);
    nodes[1].wait_for("receiving (30 %)");
    first.kill();
    let second = bootd(&site, &network);
    finish(&site, nodes, second);
}
