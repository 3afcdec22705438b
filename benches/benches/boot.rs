//! The transfer of an image: fabric time against size over rate, wall time and memory.
//!
//! `cargo bench -p twowire-benches --bench boot` runs the three rows that README shows, a minute each. Words after
//! `--` choose others by their names or a part of them, `all` takes every one; `--seeds N` repeats each with N seeds, `--seed N` runs it
//! with this one, `--mib N` takes an image of another size.

use bytes::Bytes;
use std::num::NonZeroU8;
use std::sync::Arc;
use std::time::{Duration, Instant};
use twowire_benches::Figures;
use twowire_fabric::id::{NodeNumber, UniqueId};
use twowire_fabric::protocol::{Protocol, Transmit};
use twowire_fabric::routes::RouteTable;
use twowire_fabric::sim::{Fault, Host, Sim, SimConfig};
use twowire_fabric::time::Time;
use twowire_fabric::topology::{HostId, Topology, generate};
use twowire_fabric::wire::Packet;
use twowire_mapper::engine::{self, Request, TopologyKind};
use twowire_multicast_boot::image::{ClusterSecretKey, ImageParts, PackedImage};
use twowire_multicast_boot::session::{
    BootClient, BootNode, BootRoot, Credentials, NodeConfig, NodeCounters, Outcome, Plan, Progress, RootConfig,
    SharedStores,
};

const MIB: usize = 1 << 20;
const ROUTES_PER_PAIR: NonZeroU8 = NonZeroU8::new(8).unwrap();

/// On more hosts than [`MANY_HOSTS`] nodes hold fewer routes: the tables of all nodes would take 14 GiB of this process.
const FEWER_ROUTES: NonZeroU8 = NonZeroU8::new(2).unwrap();
const MANY_HOSTS: usize = 12_000;

/// One line of the table.
struct Row {
    name: &'static str,
    topology: fn() -> Topology,
    front_end: u32,
    mib: usize,
    /// Nodes of a hundred that are not there.
    absent: u8,
    faults: Vec<(Time, Fault)>,
    /// Run without being asked for.
    usual: bool,
}

impl Row {
    fn pink(name: &'static str, faults: Vec<(Time, Fault)>) -> Row {
        Row { name, topology: generate::pink, front_end: 0, mib: 64, absent: 0, faults, usual: true }
    }

    /// True if this is the row of that name or, where none has it, if the name has that part.
    fn is_meant_by(&self, word: &str) -> bool {
        self.name == word || (self.name.contains(word) && rows().iter().all(|row| row.name != word))
    }
}

fn xgft_64() -> Topology {
    generate::xgft(&[8, 8], &[1, 8]).expect("a Clos")
}

fn xgft_256() -> Topology {
    generate::xgft(&[8, 8, 4], &[1, 8, 8]).expect("a Clos")
}

fn xgft_4096() -> Topology {
    generate::xgft(&[16, 16, 16], &[1, 16, 16]).expect("a Clos")
}

fn xgft_11664() -> Topology {
    generate::xgft(&[18, 18, 36], &[1, 18, 18]).expect("a Clos of 36-port crossbars")
}

fn xgft_16384() -> Topology {
    generate::xgft(&[16, 32, 32], &[1, 16, 32]).expect("a Clos")
}

fn rows() -> Vec<Row> {
    let ms = |ms: u64| Time::from_nanos(ms * 1_000_000);
    let loss = |p| vec![(Time::ZERO, Fault::Loss(p))];
    let other = |row: Row| Row { usual: false, ..row };
    vec![
        Row::pink("no loss", vec![]),
        Row::pink("loss 1 %", loss(0.01)),
        Row::pink("one node crashes at 100 ms", vec![(ms(100), Fault::Crash(HostId(512)))]),
        other(Row::pink("loss 0.1 %", loss(0.001))),
        other(Row::pink("loss 5 %", loss(0.05))),
        other(Row::pink("loss 10 %", loss(0.1))),
        other(Row::pink("corruption 0.1 %", vec![(Time::ZERO, Fault::Corrupt(0.001))])),
        other(Row { front_end: 517, ..Row::pink("front end elsewhere", vec![]) }),
        other(Row { absent: 5, ..Row::pink("5 % of the nodes absent", vec![]) }),
        other(Row { absent: 30, ..Row::pink("30 % of the nodes absent", vec![]) }),
        other(Row { mib: 16, ..Row::pink("16 MiB", vec![]) }),
        other(Row { topology: xgft_64, mib: 32, ..Row::pink("63 nodes", vec![]) }),
        other(Row { topology: xgft_64, mib: 32, ..Row::pink("63 nodes, loss 0.1 %", loss(0.001)) }),
        other(Row { topology: xgft_64, mib: 32, ..Row::pink("63 nodes, loss 1 %", loss(0.01)) }),
        other(Row { topology: xgft_64, mib: 32, ..Row::pink("63 nodes, loss 5 %", loss(0.05)) }),
        other(Row { topology: xgft_64, mib: 32, ..Row::pink("63 nodes, loss 10 %", loss(0.1)) }),
        other(Row { topology: xgft_256, mib: 16, ..Row::pink("256 hosts", vec![]) }),
        other(Row { topology: xgft_256, mib: 16, ..Row::pink("256 hosts, loss 0.1 %", loss(0.001)) }),
        other(Row { topology: xgft_256, mib: 16, ..Row::pink("256 hosts, loss 1 %", loss(0.01)) }),
        other(Row { topology: xgft_256, mib: 16, ..Row::pink("256 hosts, loss 5 %", loss(0.05)) }),
        other(Row { topology: xgft_256, mib: 16, ..Row::pink("256 hosts, loss 10 %", loss(0.1)) }),
        other(Row { topology: xgft_4096, ..Row::pink("4,096 hosts", vec![]) }),
        other(Row { topology: xgft_11664, ..Row::pink("11,664 hosts, 36-port crossbars", vec![]) }),
        other(Row { topology: xgft_11664, mib: 8, ..Row::pink("11,664 hosts, 36-port crossbars, 8 MiB", vec![]) }),
        other(Row { topology: xgft_4096, mib: 16, ..Row::pink("4,096 hosts, 16 MiB", vec![]) }),
        other(Row { topology: xgft_16384, mib: 8, ..Row::pink("16,384 hosts, 8 MiB", vec![]) }),
        other(Row { topology: xgft_16384, ..Row::pink("16,384 hosts", vec![]) }),
    ]
}

fn main() {
    let words: Vec<String> = std::env::args().skip(1).filter(|word| word != "--bench").collect();
    let option = |name: &str| words.get(words.iter().position(|w| w == name)? + 1)?.parse::<u64>().ok();
    let seeds = option("--seed").map_or(1..=option("--seeds").unwrap_or(1), |seed| seed..=seed);
    let is_name = |word: &&String| !word.starts_with("--") && word.parse::<u64>().is_err();
    let wanted: Vec<&String> = words.iter().filter(is_name).collect();
    let chosen = |row: &Row| match wanted.as_slice() {
        [] => row.usual,
        names => names.iter().any(|name| *name == "all" || row.is_meant_by(name)),
    };
    let mut figures = Figures::of("boot");
    for mut row in rows().into_iter().filter(chosen) {
        row.mib = option("--mib").map_or(row.mib, |mib| mib as usize);
        for seed in seeds.clone() {
            let run = run(&row, seed);
            figures.record(format!("{}, {} MiB, seed {seed}", row.name, row.mib), run.to_string());
        }
    }
}

/// What a run has shown.
struct Run {
    size_over_rate: Duration,
    /// When the last node had verified the image; the root learns of it later.
    last_verified: Time,
    outcome: Outcome,
    progress: Progress,
    counters: NodeCounters,
    hosts: usize,
    chunks: u64,
    /// Of all events: the same code and seed give the same.
    digest: u64,
    wall: Duration,
    peak_mib: u64,
}

impl std::fmt::Display for Run {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let o = &self.outcome;
        let ratio = (self.last_verified - o.started).as_secs_f64() / self.size_over_rate.as_secs_f64();
        let deliveries = self.chunks as f64 * (self.hosts - 1) as f64;
        write!(
            f,
            "ratio {ratio:.4} (joined {:.2} ms, root told {:.2} ms later), ready {} of {}, busiest cable {:.1} after {} swaps, root sent {:.3} x, \
             lost {}, duplicates {}, digest {:016x}, wall {:.1} s ({:.0} ns a chunk), peak {} MiB",
            (o.laid - o.started).as_secs_f64() * 1e3,
            (o.last_verified - self.last_verified).as_secs_f64() * 1e3,
            o.ready,
            o.ready + o.failed.len(),
            o.busiest_cable,
            o.swaps,
            self.progress.frames_sent as f64 / self.chunks as f64,
            self.counters.lost,
            self.counters.duplicates,
            self.digest,
            self.wall.as_secs_f64(),
            self.wall.as_nanos() as f64 / deliveries,
            self.peak_mib,
        )?;
        o.failed.iter().try_for_each(|failure| write!(f, "; {failure}"))
    }
}

enum Machine {
    FrontEnd(Box<BootRoot>),
    /// With the instant at which it had verified the image.
    Node(Box<BootNode>, Option<Time>),
    Absent,
}

impl Protocol for Machine {
    fn handle_packet(&mut self, now: Time, packet: &Packet) {
        match self {
            Machine::FrontEnd(root) => root.handle_packet(now, packet),
            Machine::Node(node, verified) => {
                node.handle_packet(now, packet);
                if verified.is_none() && node.image().is_some() {
                    *verified = Some(now);
                }
            }
            Machine::Absent => {}
        }
    }
    fn handle_timeout(&mut self, now: Time) {
        match self {
            Machine::FrontEnd(root) => root.handle_timeout(now),
            Machine::Node(node, _) => node.handle_timeout(now),
            Machine::Absent => {}
        }
    }
    fn poll_transmit(&mut self, now: Time) -> Option<Transmit> {
        match self {
            Machine::FrontEnd(root) => root.poll_transmit(now),
            Machine::Node(node, _) => node.poll_transmit(now),
            Machine::Absent => None,
        }
    }
    fn poll_timeout(&self) -> Option<Time> {
        match self {
            Machine::FrontEnd(root) => root.poll_timeout(),
            Machine::Node(node, _) => node.poll_timeout(),
            Machine::Absent => None,
        }
    }
}

impl Host for Machine {
    fn power_on(&mut self, now: Time, _: UniqueId) {
        if let Machine::FrontEnd(root) = self {
            root.start(now);
        }
    }
    fn prefetch(&self, depth: usize) {
        match self {
            Machine::Node(node, _) => node.prefetch(depth),
            Machine::FrontEnd(_) | Machine::Absent => {}
        }
    }
}

fn image(mib: usize, key: &ClusterSecretKey) -> PackedImage {
    let mut bytes = vec![0; mib * MIB];
    fastrand::Rng::with_seed(mib as u64).fill(&mut bytes);
    let initramfs = Bytes::from(bytes);
    let parts = ImageParts { name: "bench".into(), version: 1, initramfs, ..ImageParts::default() };
    PackedImage::pack(&parts, key).expect("it packs")
}

/// The fabric with the front end where the row wants it.
fn plan(row: &Row) -> Plan {
    let topology = Arc::new((row.topology)());
    let routes_per_pair = if topology.hosts().len() > MANY_HOSTS { FEWER_ROUTES } else { ROUTES_PER_PAIR };
    let request = Request { routes_per_pair, epoch: 1 };
    let routes = engine::compute(&topology, TopologyKind::Clos, request).expect("a Clos");
    let front_end = HostId(row.front_end);
    let hosts: Vec<HostId> =
        [front_end].into_iter().chain(topology.host_ids().filter(|&host| host != front_end)).collect();
    let by_number = hosts.clone();
    let pair = move |from: NodeNumber, to: NodeNumber| {
        routes.routes(by_number[from.index()], by_number[to.index()]).collect::<Vec<_>>()
    };
    Plan { topology, hosts: hosts.into_iter().map(Some).collect(), routes: Arc::new(pair), epoch: 1 }
}

/// How many nodes' tables are filled side by side: neighbours reach a node along the same crossbars, so all but the first
/// find the way in the processor's cache.
const TABLES_AT_ONCE: usize = 64;

/// The routes that each host holds, by its number. In the bench those that its place in the trees and repairs can ask for
/// would be enough, but a node has them all.
fn route_tables(plan: &Plan) -> Vec<Option<RouteTable>> {
    let numbers: Vec<NodeNumber> = (0..plan.hosts.len()).map(NodeNumber::from_index).collect();
    let mut tables: Vec<RouteTable> = numbers.iter().map(|&own| RouteTable::new(plan.epoch, own)).collect();
    for (tables, owns) in tables.chunks_mut(TABLES_AT_ONCE).zip(numbers.chunks(TABLES_AT_ONCE)) {
        for &to in &numbers {
            for (table, &own) in tables.iter_mut().zip(owns) {
                table.push(plan.routes.routes(own, to));
            }
        }
    }
    tables.into_iter().map(Some).collect()
}

#[allow(clippy::disallowed_methods)] // a bench reads the clock
fn run(row: &Row, seed: u64) -> Run {
    let key = ClusterSecretKey::from_seed(&[1; 32]);
    let image = image(row.mib, &key);
    let plan = plan(row);
    let mut rng = fastrand::Rng::with_seed(seed);
    let is_absent: Vec<bool> = plan.hosts.iter().map(|_| rng.u8(..100) < row.absent).collect();
    let numbers: Vec<NodeNumber> =
        (1..plan.hosts.len()).filter(|&index| !is_absent[index]).map(NodeNumber::from_index).collect();
    let stores = Arc::new(SharedStores::default());
    let mut route_tables = route_tables(&plan);
    let config = SimConfig::default();
    let rate = config.rate_bits_per_s;
    let node_config = Arc::new(NodeConfig { rate_bits_per_s: Some(rate), ..NodeConfig::default() });
    let mut sim = Sim::new(&plan.topology, config, seed, |host| {
        let index = plan.hosts.iter().position(|&h| h == Some(host)).expect("every host has a number");
        match index {
            0 => {
                let config = RootConfig::default();
                Machine::FrontEnd(Box::new(BootRoot::new(config, image.clone(), plan.clone(), &numbers, seed)))
            }
            _ if is_absent[index] => Machine::Absent,
            _ => {
                let card = plan.topology.host(host).id;
                let credentials = Credentials { card, key: key.public(), secret: None };
                let seed = seed ^ (index as u64) << 32;
                let mut node = BootNode::with_stores(node_config.clone(), credentials, stores.clone(), seed);
                node.set_routes(route_tables[index].take().expect("each host once"));
                Machine::Node(Box::new(node), None)
            }
        }
    });
    row.faults.iter().for_each(|&(at, fault)| sim.inject(at, fault));
    let front_end = HostId(row.front_end);
    let start = Instant::now();
    let root = loop {
        let next = sim.now() + Duration::from_millis(1);
        sim.run_until(next);
        match sim.host(front_end) {
            Machine::FrontEnd(root) if root.is_done() => break root,
            Machine::FrontEnd(root) => assert!(next < Time::from_nanos(30_000_000_000), "{:?}", root.progress()),
            _ => unreachable!("the front end is the root"),
        }
    };
    let wall = start.elapsed();
    let (mut counters, mut last_verified) = (NodeCounters::default(), Time::ZERO);
    for machine in sim.hosts() {
        if let Machine::Node(node, verified) = machine {
            last_verified = last_verified.max(verified.unwrap_or(Time::ZERO));
            let c = node.counters();
            counters.lost += c.lost;
            counters.duplicates += c.duplicates;
        }
    }
    Run {
        size_over_rate: Duration::from_secs_f64((row.mib * MIB * 8) as f64 / rate as f64),
        last_verified,
        outcome: root.outcome(),
        progress: root.progress(),
        counters,
        hosts: numbers.len() + 1,
        chunks: (row.mib * MIB / 4096) as u64,
        digest: sim.digest(),
        wall,
        peak_mib: peak_mib(),
    }
}

/// The most memory that this process has had; 0 where the system does not say.
fn peak_mib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")?.trim().strip_suffix(" kB")?.parse().ok());
    peak.unwrap_or(0) / 1024
}
