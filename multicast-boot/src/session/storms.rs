//! Storms: many faults at once, drawn from a seed. Whoever can be reached at the end must boot the right bytes. In every
//! second storm the nodes have to prove that they belong to the cluster.
//!
//! `STORM_SEEDS=0..300 cargo test --release -p twowire-multicast-boot storms_of_256` runs 300 of them; a few run always.

use super::testing::{Cluster, Ground, Setup, gate, image, key, parts, secret};
use super::{BootClient, BootNode, NodeState};
use crate::image::{ClusterSecretKey, ImageParts, PackedImage};
use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;
use twowire_fabric::id::NodeNumber;
use twowire_fabric::protocol::Protocol;
use twowire_fabric::route::Route;
use twowire_fabric::sim::Fault;
use twowire_fabric::time::Time;
use twowire_fabric::topology::{CrossbarId, HostId, NodeId, PortId, Topology, generate};
use twowire_fabric::wire::boot::{Offer, Offering};
use twowire_fabric::wire::{Header, Packet};

/// Nodes of the cluster; the front end is the host before them.
const NODES: i32 = 255;

/// Bytes of the image: it takes 4.3 ms at the links' rate.
const LEN: usize = 1 << 20;

/// Faults come before the first node is ready: one that starts again later is nobody's to look for.
const FAULTS_UNTIL_NS: u64 = 5_000_000;

/// Storms that are run without being asked for.
const USUAL: Range<u64> = 0..6;

/// When a transfer has hung, in milliseconds of fabric time.
const DEADLINE_MS: u64 = 20_000;

/// What a storm does.
#[derive(Debug, Default)]
struct Storm {
    faults: Vec<(Time, Fault)>,
    /// Nodes that crash and stay so.
    crashed: BTreeSet<NodeNumber>,
    /// Crossbars and ports of cables that stay dead.
    killed: BTreeSet<CrossbarId>,
    cut: BTreeSet<PortId>,
    /// When offers come from somebody else, and to whom.
    rogue: Vec<(Time, NodeNumber)>,
}

impl Storm {
    fn draw(topology: &Topology, seed: u64) -> Storm {
        let mut rng = fastrand::Rng::with_seed(seed ^ 0x5707);
        let mut storm = Storm::default();
        let at_start = [Fault::Loss(rng.f64() * 0.03), Fault::Corrupt(rng.f64() * 0.003)];
        storm.faults.extend(at_start.map(|fault| (Time::ZERO, fault)));
        if rng.u8(..4) == 0 {
            storm.faults.push((instant(&mut rng), Fault::Restart(HostId(0))));
        }
        for _ in 0..rng.usize(2..12) {
            storm.draw_fault(topology, &mut rng);
        }
        storm.faults.sort_by_key(|&(at, _)| at);
        storm.rogue.sort();
        storm
    }

    fn draw_fault(&mut self, topology: &Topology, rng: &mut fastrand::Rng) {
        let at = instant(rng);
        let victim = NodeNumber(rng.i32(0..NODES));
        let host = HostId(victim.index() as u32);
        let inner: Vec<PortId> =
            topology.cables().iter().map(|c| c.a).filter(|a| matches!(a.node, NodeId::Crossbar(_))).collect();
        let port = inner[rng.usize(..inner.len())];
        match rng.u8(..8) {
            0 if !self.crashed.contains(&victim) => {
                self.crashed.insert(victim);
                // It must not be started again by another fault.
                self.faults.retain(|(_, fault)| *fault != Fault::Restart(host));
                self.faults.push((at, Fault::Crash(host)));
            }
            1 | 2 if !self.crashed.contains(&victim) => self.faults.push((at, Fault::Restart(host))),
            3 if !self.crashed.contains(&victim) => {
                // It comes late.
                self.faults.push((Time::ZERO, Fault::Crash(host)));
                self.faults.push((at, Fault::Restart(host)));
            }
            4 => {
                self.cut.extend([Some(port), topology.peer(port)].into_iter().flatten());
                self.faults.push((at, Fault::Cut(port)));
            }
            5 => {
                let period = Duration::from_micros(rng.u64(300..4000));
                self.faults.push((at, Fault::Flap { port, period, count: 6 }));
            }
            6 => {
                // One of the upper crossbars: under a lower one are hosts.
                let hosts = |x: CrossbarId| {
                    topology.peers(x.into()).iter().flatten().any(|p| matches!(p.node, NodeId::Host(_)))
                };
                let upper: Vec<CrossbarId> = topology.crossbar_ids().filter(|&x| !hosts(x)).collect();
                let dead = upper[rng.usize(..upper.len())];
                self.killed.insert(dead);
                self.faults.push((at, Fault::Kill(dead)));
            }
            _ => self.rogue.push((at, victim)),
        }
    }

    /// True if the front end and a node reach one another at the end along one of their routes each.
    fn leaves_reachable(&self, ground: &Ground, node: NodeNumber) -> bool {
        let (front_end, routes) = (NodeNumber::FRONT_END, &ground.plan.routes);
        let there = routes.routes(front_end, node).iter().any(|r| self.spares(ground, front_end, r));
        let back = routes.routes(node, front_end).iter().any(|r| self.spares(ground, node, r));
        there && back
    }

    /// True if nothing on a route is dead at the end.
    fn spares(&self, ground: &Ground, from: NodeNumber, route: &Route) -> bool {
        let mut out = PortId::new(HostId(from.index() as u32), 0);
        for hop in route.hops() {
            let Some(entered) = ground.plan.topology.peer(out).filter(|_| !self.cut.contains(&out)) else {
                return false;
            };
            if matches!(entered.node, NodeId::Crossbar(x) if self.killed.contains(&x)) {
                return false;
            }
            out = PortId { node: entered.node, port: hop.out_of(entered.port) };
        }
        !self.cut.contains(&out)
    }
}

fn instant(rng: &mut fastrand::Rng) -> Time {
    Time::from_nanos(rng.u64(0..FAULTS_UNTIL_NS))
}

/// Says how to run a storm again that has panicked.
struct Replay(u64);

impl Drop for Replay {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let Replay(seed) = *self;
            let command = "cargo test --release -p twowire-multicast-boot storms_of_256";
            eprintln!("replay: STORM_SEEDS={seed}..{} {command}", seed + 1);
        }
    }
}

/// Offers that the nodes must not take: of a stranger, and of another image under the cluster's own key.
fn rogue_offers() -> [(u32, PackedImage); 2] {
    let parts = ImageParts { initramfs: vec![6; 9000].into(), ..parts() };
    let stranger = PackedImage::pack(&parts, &ClusterSecretKey::from_seed(&[66; 32])).expect("a small image");
    [(4711, stranger), (4712, PackedImage::pack(&parts, &key()).expect("a small image"))]
}

fn run_until_done(cluster: &mut Cluster, storm: &Storm) {
    let offers = rogue_offers();
    for &(at, to) in &storm.rogue {
        cluster.sim.run_until(at);
        let host = HostId(to.index() as u32);
        // Before it takes part a node would take the second one.
        let takes_part = matches!(cluster.node(to.0).state(), NodeState::Joined | NodeState::Receiving { .. });
        for (session, rogue) in &offers[..if takes_part { 2 } else { 1 }] {
            let (session, challenge, offering) = (*session, None, Offering::Normal);
            let offer = Offer { session, epoch: 1, to, report_ms: 20, challenge, offering };
            let packet = Packet::with_payload(Header::from(offer), rogue.signed_manifest().as_bytes().clone());
            cluster.sim.host_mut(host).handle_packet(at, &packet);
            cluster.sim.wake(host);
        }
    }
    cluster.run(DEADLINE_MS);
}

fn run(ground: &Arc<Ground>, image: &PackedImage, seed: u64) {
    let _replay = Replay(seed);
    let storm = Storm::draw(&ground.plan.topology, seed);
    let mut setup = Setup::on(ground, image.clone(), seed);
    if seed % 2 == 1 {
        (setup.secret_of, setup.root.gate) = (|_| Some(secret()), Some(gate()));
    }
    let mut cluster = setup.build();
    storm.faults.iter().for_each(|&(at, fault)| cluster.sim.inject(at, fault));
    run_until_done(&mut cluster, &storm);
    let outcome = cluster.root().outcome();
    assert_eq!(outcome.ready + outcome.failed.len(), ground.nodes().len());
    for failure in &outcome.failed {
        let expected = storm.crashed.contains(&failure.node) || !storm.leaves_reachable(ground, failure.node);
        assert!(expected, "seed {seed}: {failure}; {storm:?}");
    }
    for node in ground.nodes().into_iter().filter(|node| outcome.failed.iter().all(|f| f.node != *node)) {
        let booted: &BootNode = cluster.node(node.0);
        assert_eq!(booted.state(), NodeState::Ready, "seed {seed}: {node}; {storm:?}");
        let held = booted.image().unwrap_or_else(|| panic!("seed {seed}: {node} is ready without an image"));
        assert_eq!(held.hash(), image.manifest().root(), "seed {seed}: {node}");
    }
}

/// `a..b` in the environment, or the usual ones.
fn seeds() -> Range<u64> {
    let Ok(text) = std::env::var("STORM_SEEDS") else { return USUAL };
    let range = text.split_once("..").and_then(|(a, b)| Some(a.parse().ok()?..b.parse().ok()?));
    range.unwrap_or_else(|| panic!("STORM_SEEDS is `{text}`, expected a range as 0..300"))
}

fn run_all(seeds: Range<u64>) {
    let topology = generate::xgft(&[8, 8, 4], &[1, 8, 8]).expect("a Clos");
    let (ground, image) = (Arc::new(Ground::new(topology)), image(LEN));
    seeds.for_each(|seed| run(&ground, &image, seed));
}

#[test]
fn storms_of_256() {
    run_all(seeds());
}

/// The cluster has a secret, a node starts again, and its answer to the offer that this earned it is lost.
#[test]
fn a_node_whose_answer_was_lost_is_offered_the_image_again() {
    run_all(67..68);
}
