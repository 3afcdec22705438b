use super::*;
use crate::image::SignedManifest;
use crate::session::testing::{image, key};
use std::collections::BTreeMap;
use twowire_fabric::id::NodeNumber;
use twowire_fabric::responder::Responder;
use twowire_fabric::sim::{Fault, Host, Sim, SimConfig};
use twowire_fabric::spec::SimSpec;
use twowire_fabric::topology::{HostId, NodeId, PortId, Topology};
use twowire_fabric::wire::boot::{Offer, Offering};
use twowire_route_store::{Hops, MemoryMedium, Record, Store};

/// What runs on a host of these tests.
enum Program {
    /// Answers probes.
    Bystander(Responder),
    /// Looks for the front end, and keeps it in its NVRAM.
    Searcher(Box<Searcher>),
    /// Answers probes as the front end does, and offers an image signed with its key to whoever probed it.
    FrontEnd { responder: Responder, manifest: Bytes, offers: BTreeMap<Route, bool> },
}

struct Searcher {
    responder: Responder,
    search: Option<FrontEndSearch>,
    config: SearchConfig,
    nvram: Store<MemoryMedium>,
    found_at: Option<Time>,
}

fn hops(route: &Route) -> Hops {
    Hops::from_bytes(route.as_bytes()).unwrap()
}

impl Searcher {
    fn new(config: SearchConfig, known: &[Route]) -> Searcher {
        let alternates = known[1..].iter().map(hops).collect();
        let mut nvram = Store::new(MemoryMedium::new(64));
        nvram.write(&Record::new(1, 17, hops(&known[0]), alternates).unwrap()).unwrap();
        let nvram = Store::new(nvram.into_medium());
        Searcher { responder: Responder::new(UniqueId(0)), search: None, config, nvram, found_at: None }
    }

    fn search(&self) -> &FrontEndSearch {
        self.search.as_ref().unwrap()
    }

    /// An offer came: if the cluster's key signed it, the candidate is the front end, and the record says so.
    fn offered(&mut self, now: Time, manifest: &[u8]) {
        let search = self.search.as_mut().unwrap();
        if SignedManifest::verify(manifest, &key().public()).is_ok()
            && let Some(route) = search.proven()
        {
            self.found_at = Some(now);
            let record = self.nvram.load().unwrap().record;
            let record = Record::new(record.epoch(), record.node(), hops(&route), vec![]).unwrap();
            self.nvram.write(&record).unwrap();
        }
    }
}

impl Protocol for Program {
    fn handle_packet(&mut self, now: Time, packet: &Packet) {
        match self {
            Program::Bystander(responder) => responder.handle_packet(now, packet),
            Program::Searcher(searcher) => {
                if let Header::Offer(_) = packet.header {
                    return searcher.offered(now, &packet.payload);
                }
                searcher.responder.handle_packet(now, packet);
                searcher.search.as_mut().unwrap().handle_packet(now, packet);
            }
            Program::FrontEnd { responder, offers, .. } => {
                responder.handle_packet(now, packet);
                if let (Header::Probe(_), Ok(route)) = (packet.header, Route::from_bytes(&packet.payload)) {
                    offers.entry(route.reversed()).or_insert(false);
                }
            }
        }
    }

    fn handle_timeout(&mut self, now: Time) {
        if let Program::Searcher(searcher) = self {
            searcher.search.as_mut().unwrap().handle_timeout(now);
        }
    }

    fn poll_transmit(&mut self, now: Time) -> Option<Transmit> {
        match self {
            Program::Bystander(responder) => responder.poll_transmit(now),
            Program::Searcher(searcher) => {
                let search = searcher.search.as_mut().unwrap();
                searcher.responder.poll_transmit(now).or_else(|| search.poll_transmit(now))
            }
            Program::FrontEnd { responder, manifest, offers } => responder.poll_transmit(now).or_else(|| {
                let (route, sent) = offers.iter_mut().find(|(_, sent)| !**sent)?;
                *sent = true;
                let (to, offering) = (NodeNumber(17), Offering::Normal);
                let offer = Offer { session: 1, epoch: 1, to, report_ms: 100, challenge: None, offering };
                Some(Transmit::new(*route, Packet::with_payload(offer, manifest.clone())))
            }),
        }
    }

    fn poll_timeout(&self) -> Option<Time> {
        match self {
            Program::Searcher(searcher) => searcher.search().poll_timeout(),
            _ => None,
        }
    }
}

impl Host for Program {
    fn power_on(&mut self, now: Time, id: UniqueId) {
        match self {
            Program::Bystander(responder) => *responder = Responder::new(id),
            Program::FrontEnd { responder, .. } => *responder = Responder::front_end(id),
            Program::Searcher(searcher) => {
                searcher.responder = Responder::new(id);
                let record = searcher.nvram.load().unwrap().record;
                let known = record.routes().map(|hops| Route::from_bytes(hops.as_bytes()).unwrap()).collect();
                let search = FrontEndSearch::new(now, searcher.config.clone(), id, known, 5);
                searcher.responder.ignore_session(search.session());
                searcher.search = Some(search);
            }
        }
    }
}

/// A front end whose offers are signed with the cluster's key or with another one.
fn front_end(genuine: bool) -> Program {
    let mut manifest = image(100).signed_manifest().as_bytes().to_vec();
    if !genuine {
        manifest[150] ^= 1;
    }
    Program::FrontEnd { responder: Responder::new(UniqueId(0)), manifest: manifest.into(), offers: BTreeMap::new() }
}

fn topology(spec: &str) -> Topology {
    spec.parse::<SimSpec>().unwrap().topology().unwrap()
}

fn searcher(sim: &Sim<Program>, host: u32) -> &Searcher {
    match sim.host(HostId(host)) {
        Program::Searcher(searcher) => searcher,
        _ => panic!("host {host} does not search"),
    }
}

/// Where a frame from `host` along `route` arrives, on a fabric without faults.
fn arrives(topology: &Topology, host: u32, route: &Route) -> Option<HostId> {
    let mut at = topology.peer(PortId::new(HostId(host), 0))?;
    for hop in route.hops() {
        at = topology.peer(PortId::new(at.node, hop.out_of(at.port)))?;
    }
    match at.node {
        NodeId::Host(host) => Some(host),
        _ => None,
    }
}

/// Runs until this host has found the front end, which is at `goal`; its NVRAM was written once and leads there.
fn expect_found(sim: &mut Sim<Program>, topology: &Topology, host: u32, goal: u32, deadline: Time) {
    while searcher(sim, host).found_at.is_none() && sim.step(deadline) {}
    let searcher = searcher(sim, host);
    let stats = searcher.search().stats();
    assert!(searcher.found_at.is_some(), "host {host} found nothing: {stats:?}");
    assert_eq!(searcher.nvram.writes(), 1);
    let route = searcher.search().found().unwrap().route;
    assert_eq!(arrives(topology, host, &route), Some(HostId(goal)), "{stats:?}");
}

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn a_front_end_that_was_moved_is_found_on_every_kind_of_fabric() {
    for (spec, from, goal, stale) in [
        ("clos:hosts=128,radix=16,levels=3", 5, 127, "888888"),
        ("clos:hosts=128,radix=16,levels=3", 5, 6, "8888888888"),
        ("torus:4x4x2", 0, 31, "8182"),
        ("hypercube:4", 3, 12, "81"),
        ("random:crossbars=20,hosts=40,radix=12,seed=1", 2, 39, "818181"),
        ("pink", 700, 13, "8888888888"),
    ] {
        let topology = topology(spec);
        let known = [stale.parse().unwrap()];
        let mut sim = Sim::new(&topology, SimConfig::default(), 1, |host| match host.0 {
            h if h == from => Program::Searcher(Box::new(Searcher::new(SearchConfig::default(), &known))),
            h if h == goal => front_end(true),
            _ => Program::Bystander(Responder::new(UniqueId(0))),
        });
        expect_found(&mut sim, &topology, from, goal, Time::ZERO + 20 * SECOND);
        let found = searcher(&sim, from);
        println!("{spec}: {:?} after {:?}", found.search().stats(), found.found_at.unwrap());
    }
}

#[test]
fn the_routes_of_the_record_are_tried_first() {
    let topology = topology("clos:hosts=128,radix=16,levels=3");
    let (from, goal) = (5, 6);
    // To itself and to another node; then the one that is right.
    let right = (1..128).map(|d| Route::from_bytes(&[0x80 | d]).unwrap());
    let right = right.into_iter().find(|route| arrives(&topology, from, route) == Some(HostId(goal))).unwrap();
    let known = ["8888".parse().unwrap(), "85".parse().unwrap(), right];
    let mut sim = Sim::new(&topology, SimConfig::default(), 1, |host| match host.0 {
        h if h == from => Program::Searcher(Box::new(Searcher::new(SearchConfig::default(), &known))),
        h if h == goal => front_end(true),
        _ => Program::Bystander(Responder::new(UniqueId(0))),
    });
    expect_found(&mut sim, &topology, from, goal, Time::ZERO + SECOND);
    let search = searcher(&sim, from).search();
    assert_eq!((search.stats().probes, search.found().unwrap().source), (3, Source::Known));
}

#[test]
fn an_impostor_costs_time_and_nothing_else() {
    let topology = topology("torus:4x4x2");
    let config = SearchConfig { proof: Duration::from_millis(50), ..SearchConfig::default() };
    for seed in 0..10 {
        let mut sim = Sim::new(&topology, SimConfig::default(), seed, |host| match host.0 {
            0 => Program::Searcher(Box::new(Searcher::new(config.clone(), &["818181".parse().unwrap()]))),
            31 => front_end(true),
            h if h % 4 == 1 => front_end(false),
            _ => Program::Bystander(Responder::new(UniqueId(0))),
        });
        expect_found(&mut sim, &topology, 0, 31, Time::ZERO + 60 * SECOND);
        let stats = searcher(&sim, 0).search().stats();
        assert!(stats.refused <= 8 * (1 + stats.rounds), "seed {seed}: {stats:?}");
    }
}

#[test]
fn a_front_end_that_comes_back_late_is_found_in_spite_of_loss() {
    let topology = topology("torus:4x4x2");
    let config = SearchConfig { longest_pause: Duration::from_micros(400), ..SearchConfig::default() };
    let mut sim = Sim::new(&topology, SimConfig::default(), 3, |host| match host.0 {
        0 => Program::Searcher(Box::new(Searcher::new(config.clone(), &["818181".parse().unwrap()]))),
        31 => front_end(true),
        _ => Program::Bystander(Responder::new(UniqueId(0))),
    });
    let cable = PortId::new(HostId(31), 0);
    sim.inject(Time::ZERO, Fault::Cut(cable));
    sim.inject(Time::ZERO, Fault::Loss(0.02));
    let gone = Time::ZERO + 30 * SECOND;
    while searcher(&sim, 0).search().stats().rounds < 2 && sim.step(gone) {}
    assert!(searcher(&sim, 0).search().stats().rounds == 2 && searcher(&sim, 0).found_at.is_none());
    sim.inject(sim.now(), Fault::Mend(cable));
    let deadline = sim.now() + 60 * SECOND;
    expect_found(&mut sim, &topology, 0, 31, deadline);
}

/// The rate of the simulator's links.
const LINK_BITS_PER_S: f64 = 2e9;

/// All nodes search at once. Returns the largest share of its time that a cable was busy until the last one was done.
fn all_at_once(spec: &str, goal: u32, stale: &str) -> f64 {
    let topology = topology(spec);
    let hosts = topology.hosts().len() as u32;
    let config = SimConfig { count_channels: true, ..SimConfig::default() };
    let mut sim = Sim::new(&topology, config, 1, |host| match host.0 {
        h if h == goal => front_end(true),
        _ => Program::Searcher(Box::new(Searcher::new(SearchConfig::default(), &[stale.parse().unwrap()]))),
    });
    for host in (0..hosts).filter(|&host| host != goal) {
        expect_found(&mut sim, &topology, host, goal, Time::ZERO + 60 * SECOND);
    }
    let elapsed = sim.now() - Time::ZERO;
    let nodes = topology.crossbar_ids().map(NodeId::from).chain(topology.host_ids().map(NodeId::from));
    let ports = nodes.flat_map(|node| (0..topology.peers(node).len()).map(move |port| PortId::new(node, port as u8)));
    let busiest = ports.map(|port| sim.channel_load(port).bytes).max().unwrap();
    let probes: Vec<u64> =
        (0..hosts).filter(|&h| h != goal).map(|h| searcher(&sim, h).search().stats().probes).collect();
    let share = 8.0 * busiest as f64 / (LINK_BITS_PER_S * elapsed.as_secs_f64());
    let mean = probes.iter().sum::<u64>() / probes.len() as u64;
    println!(
        "{spec}: {} nodes at once: all found it after {elapsed:?}; {mean} probes each, {} at most; busiest cable {:.2} %",
        probes.len(),
        probes.iter().max().unwrap(),
        100.0 * share,
    );
    share
}

#[test]
fn nodes_that_search_together_do_not_flood_the_fabric() {
    let share = all_at_once("clos:hosts=64,radix=8,levels=3", 63, "888888");
    assert!(share > 0.0 && share < 0.1, "{share}");
}

#[test]
#[ignore = "a minute or more"]
fn all_of_pink_at_once() {
    let share = all_at_once("pink", 13, "8888888888");
    assert!(share > 0.0 && share < 0.1, "{share}");
}

/// A search and the card's id of its node.
fn idle() -> FrontEndSearch {
    FrontEndSearch::new(Time::ZERO, SearchConfig::default(), UniqueId(7), vec!["81".parse().unwrap()], 1)
}

fn probe(session: u32, hops: &'static [u8]) -> Packet {
    Packet::with_payload(Probe { session, nonce: 1 }, Bytes::from_static(hops))
}

#[test]
fn whoever_maps_the_fabric_is_a_candidate() {
    let mut search = idle();
    search.handle_packet(Time::ZERO, &probe(FIRST_SEARCH_SESSION + 9, &[0x88, 0xf8]));
    assert_eq!(search.candidate(), None, "another node that searches");
    search.handle_packet(Time::ZERO, &probe(9, &[0x08]));
    assert_eq!(search.candidate(), None, "no route");
    search.handle_packet(Time::ZERO, &probe(9, &[0x88, 0xf8]));
    let overheard = Candidate { route: "88f8".parse().unwrap(), id: None, source: Source::Overheard };
    assert_eq!(search.candidate(), Some(&overheard));
    assert_eq!(search.poll_transmit(Time::ZERO), None, "the candidate has its time");
    let late = search.poll_timeout().unwrap();
    assert_eq!(late, Time::ZERO + SearchConfig::default().proof);
    // Others wait, a few of them; each has its time. What was refused is not taken again.
    for port in 1..20u8 {
        search.handle_packet(Time::ZERO, &probe(9, Box::leak(Box::new([0x80 | port]))));
    }
    for refused in 1..=5 {
        search.handle_timeout(search.poll_timeout().unwrap());
        assert_eq!(search.stats().refused, refused);
    }
    assert_eq!(search.candidate(), None);
    search.handle_packet(late, &probe(9, &[0x88, 0xf8]));
    assert_eq!(search.candidate(), None);
    assert_eq!(search.proven(), None, "an offer out of nowhere proves nobody");
    search.handle_packet(late, &probe(9, &[0x99]));
    assert_eq!((search.proven(), search.found().is_some()), (Some("e7".parse().unwrap()), true));
    assert_eq!((search.poll_transmit(late), search.poll_timeout()), (None, None));
}

#[test]
fn answers_to_nothing_are_ignored() {
    let mut search = idle();
    let session = search.session();
    for nonce in [0, 1, 2, u32::MAX] {
        let reply = ProbeReply { session, nonce, id: UniqueId(1), epoch: 0, role: Role::FrontEnd };
        search.handle_packet(Time::ZERO, &Packet::new(reply));
        search.handle_packet(Time::ZERO, &probe(session, &[0x81]));
    }
    assert_eq!((search.candidate(), search.stats()), (None, SearchStats::default()));
}
