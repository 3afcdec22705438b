//! Images that do not become ready: nodes with an NVRAM, a front end with a fallback.

use super::testing::{Ground, image, key, parts, star};
use super::{
    BootClient, BootNode, BootService, Boots, Credentials, FailureReason, GroupConfig, NodeConfig, NodeState,
    RootConfig, ServedImage, SharedStores, Timing,
};
use crate::image::catalogue::Purpose;
use crate::image::{ImageParts, PackedImage};
use crate::multicast::lan::{Lan, LanConfig};
use crate::node_ranges::NodeRanges;
use crate::phase1::nvram;
use std::sync::Arc;
use std::time::Duration;
use twowire_fabric::id::UniqueId;
use twowire_fabric::protocol::{Protocol, Transmit};
use twowire_fabric::sim::{Host, Sim, SimConfig};
use twowire_fabric::time::Time;
use twowire_fabric::topology::{HostId, Topology, generate};
use twowire_fabric::wire::Packet;
use twowire_fabric::wire::boot::Answer;
use twowire_route_store::{Attempts, MemoryMedium, Store};

/// From the hand-over until the image runs.
const STARTS: Duration = Duration::from_millis(1);

/// From the hand-over until a machine that hangs is reset.
const WATCHDOG: Duration = Duration::from_millis(30);

/// An image of this name and version.
fn named(name: &str, version: u64) -> PackedImage {
    let bytes = image(200_000 + version as usize).payload().clone();
    PackedImage::pack(&ImageParts { name: name.into(), version, initramfs: bytes, ..parts() }, &key()).unwrap()
}

/// A node of the cluster with this card.
fn credentials(card: u64) -> Credentials {
    Credentials { card: UniqueId(card), key: key().public(), secret: None }
}

/// What becomes of an image that gets control.
type Runs = dyn Fn(&str) -> bool + Send;

/// A node's machine: the program of phase 1, the NVRAM, and what happens when an image gets control.
struct Machine {
    start: Box<dyn Fn(u64) -> BootNode + Send>,
    runs: Box<Runs>,
    /// It is switched off and on again so long after it was ready.
    reboots_after: Option<Duration>,
    node: BootNode,
    nvram: Store<MemoryMedium>,
    seed: u64,
    /// When phase 2 runs, or the machine is reset.
    next: Option<(Time, bool)>,
    /// Images that got control, in order.
    started: Vec<String>,
}

impl Machine {
    fn new(start: impl Fn(u64) -> BootNode + Send + 'static, runs: impl Fn(&str) -> bool + Send + 'static) -> Machine {
        let nvram = Store::new(MemoryMedium::new(1024));
        let (start, node) = (
            Box::new(start),
            BootNode::with_stores(NodeConfig::default(), credentials(0), Arc::new(SharedStores::default()), 0),
        );
        let (runs, started) = (Box::new(runs), Vec::new());
        let mut machine = Machine { node, start, runs, reboots_after: None, nvram, seed: 1, next: None, started };
        machine.reset();
        machine
    }

    fn reset(&mut self) {
        self.seed += 1;
        self.next = None;
        self.node = (self.start)(self.seed);
        self.node.set_image_record(nvram::read_images(&mut self.nvram));
    }

    fn writes(&self) -> u64 {
        self.nvram.writes()
    }

    fn attempts(&mut self) -> Option<Attempts> {
        nvram::read_images(&mut self.nvram).attempts
    }

    /// Looks what has become of the node.
    fn look(&mut self, now: Time) {
        nvram::keep(now, &mut self.nvram, &mut self.node);
        match (self.node.state(), self.next) {
            (NodeState::HandingOver, None) => {
                let name = self.node.image().expect("it hands over to an image").manifest().name().to_owned();
                let runs = (self.runs)(&name);
                self.started.push(name);
                self.next = Some((now + if runs { STARTS } else { WATCHDOG }, runs));
            }
            (NodeState::HandingOver, Some((at, true))) if at <= now => {
                self.next = None;
                self.node.handed_over(now);
                nvram::keep(now, &mut self.nvram, &mut self.node);
                self.next = self.reboots_after.map(|after| (now + after, false));
            }
            (_, Some((at, false))) if at <= now => self.reset(),
            _ => {}
        }
    }
}

enum TestHost {
    FrontEnd(Box<BootService>),
    Node(Box<Machine>),
}

impl TestHost {
    fn protocol(&mut self) -> &mut dyn Protocol {
        match self {
            TestHost::FrontEnd(service) => service.as_mut(),
            TestHost::Node(machine) => &mut machine.node,
        }
    }

    fn look(&mut self, now: Time) {
        if let TestHost::Node(machine) = self {
            machine.look(now);
        }
    }

    fn service(&self) -> &BootService {
        match self {
            TestHost::FrontEnd(service) => service,
            TestHost::Node(_) => unreachable!("host 0 is the front end"),
        }
    }

    fn machine(&mut self) -> &mut Machine {
        match self {
            TestHost::Node(machine) => machine,
            TestHost::FrontEnd(_) => unreachable!("only host 0 is the front end"),
        }
    }
}

impl Protocol for TestHost {
    fn handle_packet(&mut self, now: Time, packet: &Packet) {
        self.protocol().handle_packet(now, packet);
        self.look(now);
    }
    fn handle_timeout(&mut self, now: Time) {
        self.protocol().handle_timeout(now);
        self.look(now);
    }
    fn poll_transmit(&mut self, now: Time) -> Option<Transmit> {
        self.protocol().poll_transmit(now)
    }
    fn poll_timeout(&self) -> Option<Time> {
        match self {
            TestHost::FrontEnd(service) => service.poll_timeout(),
            TestHost::Node(machine) => {
                machine.node.poll_timeout().into_iter().chain(machine.next.map(|(at, _)| at)).min()
            }
        }
    }
}

impl Host for TestHost {
    fn power_on(&mut self, now: Time, _: UniqueId) {
        match self {
            TestHost::FrontEnd(service) => service.start(now),
            TestHost::Node(machine) => machine.reset(),
        }
    }
}

/// Images for all nodes.
fn for_all(purpose: Purpose, image: &PackedImage) -> ServedImage {
    ServedImage { image: image.clone(), purpose, nodes: NodeRanges::all() }
}

fn for_range(nodes: &str, purpose: Purpose, image: &PackedImage) -> ServedImage {
    ServedImage { nodes: nodes.parse().expect("a range"), ..for_all(purpose, image) }
}

fn mapped(
    topology: Topology,
    images: Vec<ServedImage>,
    config: NodeConfig,
    runs: impl Fn(i32, &str) -> bool + Clone + Send + 'static,
) -> Sim<TestHost> {
    let ground = Ground::new(topology);
    let timing = Timing { hand_over_timeout: Duration::from_millis(100), ..Timing::default() };
    let stores = Arc::new(SharedStores::default());
    Sim::new(&ground.plan.topology, SimConfig::default(), 1, |host| {
        if host == HostId(0) {
            let config = RootConfig { timing, ..RootConfig::default() };
            let service = BootService::along_trees(&config, images.clone(), &ground.plan, &ground.nodes(), 1);
            return TestHost::FrontEnd(Box::new(service));
        }
        let (routes, stores, runs) = (Arc::clone(&ground.tables[host.0 as usize]), stores.clone(), runs.clone());
        let start = move |seed: u64| {
            let seed = seed ^ u64::from(host.0) << 32;
            let mut node = BootNode::with_stores(config, credentials(host.0.into()), stores.clone(), seed);
            node.set_routes(Arc::clone(&routes));
            node
        };
        TestHost::Node(Box::new(Machine::new(start, move |name| runs(host.0 as i32 - 1, name))))
    })
}

/// A node's configuration: that phase 2 runs is said by the machine.
fn node_config() -> NodeConfig {
    NodeConfig { hand_over: None, ..NodeConfig::default() }
}

/// Runs until the front end is done.
fn run(sim: &mut Sim<TestHost>) {
    while !sim.host(HostId(0)).service().is_done() {
        assert!(
            sim.now() < Time::from_nanos(5_000_000_000),
            "not done: {:?}",
            sim.host(HostId(0)).service().progress()
        );
        sim.run_until(sim.now() + Duration::from_micros(100));
    }
}

fn machine(sim: &mut Sim<TestHost>, node: u32) -> &mut Machine {
    sim.host_mut(HostId(node + 1)).machine()
}

#[test]
fn a_bad_update_ends_with_every_node_on_the_fallback_after_two_attempts() {
    let (bad, rescue) = (named("bad", 4), named("rescue", 2));
    let images = vec![for_all(Purpose::Normal, &bad), for_all(Purpose::Fallback, &rescue)];
    let topology = generate::xgft(&[8, 8], &[1, 8]).expect("a Clos");
    let mut sim = mapped(topology, images, node_config(), |_, name| name == "rescue");
    run(&mut sim);
    let outcome = sim.host(HostId(0)).service().outcome();
    assert_eq!((outcome.ready, outcome.failed), (63, vec![]));
    let boots: Vec<Boots> = sim.host(HostId(0)).service().nodes().map(|node| node.boots).collect();
    assert_eq!(boots, vec![Boots::Fallback { instead_of: Some("bad version 4".into()) }; 63]);
    for node in 0..63 {
        let machine = machine(&mut sim, node);
        assert_eq!(machine.started, ["bad", "bad", "rescue"], "n{node}");
        assert_eq!(machine.node.state(), NodeState::Ready);
        let tried = Attempts { image: bad.manifest().tag(), begun: 2, proven: false };
        assert_eq!((machine.attempts(), machine.writes()), (Some(tried), 2), "n{node}");
        assert_eq!(nvram::read_images(&mut machine.nvram).oldest, 0, "a fallback says nothing of what is too old");
    }
}

#[test]
fn only_the_nodes_on_which_the_image_fails_take_the_fallback() {
    let images = vec![for_all(Purpose::Normal, &named("new", 4)), for_all(Purpose::Fallback, &named("rescue", 2))];
    let mut sim = mapped(star(9), images, node_config(), |node, name| name == "rescue" || node % 3 > 0);
    run(&mut sim);
    let fallback: Vec<i32> = {
        let nodes = sim.host(HostId(0)).service().nodes().filter(|node| node.boots != Boots::Normal);
        nodes.map(|node| node.number.0).collect()
    };
    assert_eq!(fallback, [0, 3, 6]);
    assert_eq!(sim.host(HostId(0)).service().outcome().ready, 9);
}

#[test]
fn without_a_fallback_an_exhausted_node_says_so_and_is_not_tried_again() {
    let images = vec![for_all(Purpose::Normal, &named("bad", 4))];
    let mut sim = mapped(star(2), images, node_config(), |node, _| node > 0);
    run(&mut sim);
    let outcome = sim.host(HostId(0)).service().outcome();
    assert_eq!((outcome.ready, outcome.failed.len()), (1, 1));
    let refused = matches!(outcome.failed[0].reason, FailureReason::Refused { answer: Answer::Exhausted, .. });
    assert!(refused, "{}", outcome.failed[0]);
    assert_eq!(machine(&mut sim, 0).started, ["bad", "bad"]);
    assert_eq!(machine(&mut sim, 0).node.state(), NodeState::Refused(Answer::Exhausted));
}

#[test]
fn an_update_costs_two_writes_and_a_thousand_reboots_none() {
    let images = vec![for_all(Purpose::Normal, &named("good", 4))];
    let mut sim = mapped(star(1), images, node_config(), |_, _| true);
    machine(&mut sim, 0).reboots_after = Some(Duration::from_micros(200));
    let boots = |sim: &mut Sim<TestHost>, boots: usize| {
        while machine(sim, 0).started.len() < boots {
            assert!(sim.now() < Time::from_nanos(60_000_000_000), "{} boots", machine(sim, 0).started.len());
            sim.run_until(sim.now() + Duration::from_micros(500));
        }
    };
    boots(&mut sim, 2);
    let proven = Attempts { image: named("good", 4).manifest().tag(), begun: 0, proven: true };
    assert_eq!((machine(&mut sim, 0).attempts(), machine(&mut sim, 0).writes()), (Some(proven), 2));
    assert_eq!(nvram::read_images(&mut machine(&mut sim, 0).nvram).oldest, 4, "raised when it was proven");
    boots(&mut sim, 1002);
    assert_eq!(machine(&mut sim, 0).writes(), 2);
}

#[test]
fn an_older_image_is_refused_unless_it_is_allowed_or_needed() {
    let (old, rescue) = (named("old", 3), named("rescue", 2));
    let both = vec![for_all(Purpose::Normal, &old), for_all(Purpose::Fallback, &rescue)];
    let alone = vec![for_all(Purpose::Fallback, &rescue)];
    let older = NodeConfig { allow_older: true, ..node_config() };
    let at_least_4 = NodeConfig { oldest_version: 4, allow_older: true, ..node_config() };
    let tables: [(_, _, Option<&str>); 4] = [
        (both.clone(), node_config(), None),
        (both.clone(), older, Some("old")),
        (both, at_least_4, None),
        // A rescue that nobody needs is only an older image.
        (alone, node_config(), None),
    ];
    for (images, config, boots) in tables {
        let mut sim = mapped(star(1), images, config, |_, _| true);
        let record = super::ImageRecord { attempts: None, oldest: 4 };
        let blank = twowire_route_store::Record::new(1, 0, "80".parse().unwrap(), vec![]).unwrap();
        machine(&mut sim, 0).nvram.write(&blank.with_floor(record.oldest)).unwrap();
        machine(&mut sim, 0).reset();
        run(&mut sim);
        assert_eq!(machine(&mut sim, 0).started.first().map(String::as_str), boots, "{config:?}");
        let refused = NodeState::Refused(Answer::TooOld);
        assert_eq!(machine(&mut sim, 0).node.state(), if boots.is_some() { NodeState::Ready } else { refused });
        assert_eq!(nvram::read_images(&mut machine(&mut sim, 0).nvram).oldest, 4);
    }
}

#[test]
fn nodes_get_the_image_of_their_range_and_those_without_are_told() {
    let images = vec![
        for_range("n0-n2", Purpose::Normal, &named("compute", 1)),
        for_range("n5-n6", Purpose::Normal, &named("gpu", 1)),
        for_range("n2-n3", Purpose::Fallback, &named("rescue", 1)),
    ];
    let mut sim = mapped(star(7), images, node_config(), |_, _| true);
    run(&mut sim);
    sim.run_until(sim.now() + Duration::from_millis(100));
    let started = |sim: &mut Sim<TestHost>, node| machine(sim, node).started.join(" ");
    let expected = ["compute", "compute", "compute", "rescue", "", "gpu", "gpu"];
    assert_eq!([0, 1, 2, 3, 4, 5, 6].map(|node| started(&mut sim, node)), expected);
    assert_eq!(machine(&mut sim, 4).node.state(), NodeState::NoImage);
    let mut boots: Vec<(i32, Boots)> =
        sim.host(HostId(0)).service().nodes().map(|node| (node.number.0, node.boots)).collect();
    boots.sort_by_key(|(node, _)| *node);
    assert_eq!(boots[3], (3, Boots::Fallback { instead_of: None }));
    assert_eq!(boots[4], (4, Boots::Nothing));
    assert_eq!(boots.len(), 7);
}

#[test]
fn an_attempt_that_cannot_be_written_down_is_not_made_if_there_is_a_fallback() {
    let images = vec![for_all(Purpose::Normal, &named("new", 4)), for_all(Purpose::Fallback, &named("rescue", 2))];
    for (images, boots) in [(images.clone(), "rescue"), (images[..1].to_vec(), "new")] {
        let mut sim = mapped(star(1), images, node_config(), |_, _| true);
        machine(&mut sim, 0).nvram = Store::new(MemoryMedium::new(4));
        machine(&mut sim, 0).reset();
        run(&mut sim);
        assert_eq!(machine(&mut sim, 0).started, [boots]);
    }
}

fn card(host: usize) -> UniqueId {
    UniqueId(0x0200_0000_0000 + host as u64)
}

/// A front end that calls, and nodes that are called.
fn called(
    images: Vec<ServedImage>,
    nodes: usize,
    runs: impl Fn(i32, &str) -> bool + Clone + Send + 'static,
) -> Lan<TestHost> {
    let config = GroupConfig { expected: nodes, ..GroupConfig::new(card(0), 1430) };
    let mut service = BootService::for_group(&config, images, 1).expect("a port with room");
    service.start(Time::ZERO);
    let hosts = (1..=nodes).map(|host| {
        let (stores, runs) = (Arc::new(SharedStores::default()), runs.clone());
        let config = NodeConfig { timing: Timing::real(), ..node_config() };
        let start = move |seed: u64| {
            BootNode::for_group(config, credentials(card(host).0), stores.clone(), 1430, seed ^ (host as u64) << 32)
        };
        TestHost::Node(Box::new(Machine::new(start, move |name| runs(host as i32, name))))
    });
    Lan::new(LanConfig::default(), [TestHost::FrontEnd(Box::new(service))].into_iter().chain(hosts), 1)
}

#[test]
fn a_group_falls_back_where_its_image_fails() {
    let images = vec![for_all(Purpose::Normal, &named("new", 4)), for_all(Purpose::Fallback, &named("rescue", 2))];
    let mut lan = called(images, 5, |host, name| name == "rescue" || host > 3);
    let done = lan.run(Duration::from_secs(60), |lan| lan.hosts[0].machine.service().is_done());
    let service = lan.hosts[0].machine.service();
    assert!(done, "{:?}", service.nodes().collect::<Vec<_>>());
    assert_eq!((service.outcome().ready, service.outcome().failed), (5, vec![]));
    assert_eq!(service.nodes().filter(|node| node.boots != Boots::Normal).count(), 3);
    for host in 1..=5 {
        let machine = lan.hosts[host].machine.machine();
        let started: &[&str] = if host > 3 { &["new"] } else { &["new", "new", "rescue"] };
        assert_eq!(
            (machine.started.as_slice(), machine.writes()),
            (started.iter().map(|s| (*s).to_owned()).collect::<Vec<_>>().as_slice(), 2),
            "host {host}"
        );
    }
}

#[test]
fn a_node_that_has_lost_its_record_goes_where_it_is_called() {
    let images = vec![for_all(Purpose::Normal, &named("new", 4)), for_all(Purpose::Fallback, &named("rescue", 2))];
    let mut lan = called(images, 2, |host, name| name == "rescue" || host > 1);
    assert!(lan.run(Duration::from_secs(60), |lan| lan.hosts[0].machine.service().is_done()));
    lan.hosts[1].machine.machine().runs = Box::new(|_| true);
    for (is_heard, boots) in [(true, "rescue"), (false, "new"), (true, "new")] {
        let machine = lan.hosts[1].machine.machine();
        machine.nvram = Store::new(MemoryMedium::new(1024));
        machine.reset();
        // A node that is heard is told what the front end remembers; one that is not hears the call to all first.
        lan.hosts[0].off = !is_heard;
        let later = |lan: &Lan<TestHost>, s| Duration::from_nanos(lan.now.as_nanos()) + Duration::from_secs(s);
        let (now, silence) = (lan.now, later(&lan, 4));
        lan.wake(1, now);
        lan.run(silence, |_| false);
        lan.hosts[0].off = false;
        let (now, within) = (lan.now, later(&lan, 30));
        lan.wake(0, now);
        let is_up = |lan: &mut Lan<TestHost>| lan.hosts[1].machine.machine().node.state() == NodeState::Ready;
        assert!(lan.run(within, is_up), "{:?}", lan.hosts[1].machine.machine().node.state());
        assert_eq!(lan.hosts[1].machine.machine().started.last().map(String::as_str), Some(boots));
    }
}

#[test]
fn a_group_gets_several_images_by_number() {
    let images = vec![
        for_range("n0-n2", Purpose::Normal, &named("compute", 1)),
        for_range("n4", Purpose::Normal, &named("gpu", 1)),
        for_range("n1,n5", Purpose::Fallback, &named("rescue", 1)),
    ];
    let mut lan = called(images, 7, |_, name| name != "compute");
    let is_over = |lan: &mut Lan<TestHost>| {
        let service = lan.hosts[0].machine.service();
        let without = service.nodes().filter(|node| node.boots == Boots::Nothing).count();
        service.outcome().ready == 3 && service.outcome().failed.len() == 2 && without == 2
    };
    let done = lan.run(Duration::from_secs(60), is_over);
    assert!(done, "{:?}", lan.hosts[0].machine.service().nodes().collect::<Vec<_>>());
    for host in 1..=7 {
        let machine = lan.hosts[host].machine.machine();
        let (number, started) = (machine.node.number(), machine.started.join(" "));
        let expected = match number.map(|number| number.0) {
            Some(1) => "compute compute rescue",
            Some(4) => "gpu",
            Some(5) => "rescue",
            // Those of the range of the image that fails have left its session.
            None if started.is_empty() => "",
            None => "compute compute",
            other => panic!("host {host} is {other:?}"),
        };
        assert_eq!(started, expected, "host {host}");
        let state = machine.node.state();
        match expected {
            "" => assert_eq!(state, NodeState::NoImage),
            "compute compute" => assert_eq!(state, NodeState::Refused(Answer::Exhausted)),
            _ => assert_eq!(state, NodeState::Ready),
        }
    }
}

#[test]
fn a_called_node_without_a_fallback_says_that_its_image_has_failed() {
    let mut lan = called(vec![for_all(Purpose::Normal, &named("new", 4))], 2, |host, _| host > 1);
    assert!(lan.run(Duration::from_secs(60), |lan| lan.hosts[0].machine.service().is_done()));
    let outcome = lan.hosts[0].machine.service().outcome();
    assert_eq!((outcome.ready, outcome.failed.len()), (1, 1));
    assert!(matches!(outcome.failed[0].reason, FailureReason::Refused { answer: Answer::Exhausted, .. }));
}
