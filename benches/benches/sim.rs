//! The simulator: events and frames a second of one core, and bytes a host, on fat trees of three sizes.
//!
//! Every host sends frames of 4 KiB to two others without a pause, so every buffer and every output is busy. `near` are
//! the next host and the one eight further on; `far` are in other subtrees, five crossbars away.
//!
//! `cargo bench -p twowire-benches --bench sim [-- FILTER]` runs those whose name contains FILTER.

use bytes::Bytes;
use std::time::{Duration, Instant};
use twowire_benches::{Figures, median};
use twowire_fabric::id::UniqueId;
use twowire_fabric::protocol::{Protocol, Transmit};
use twowire_fabric::route::{Hop, Route};
use twowire_fabric::sim::{Host, Sim, SimConfig};
use twowire_fabric::time::Time;
use twowire_fabric::topology::{HostId, NodeId, PortId, Topology, generate};
use twowire_fabric::wire::Packet;
use twowire_fabric::wire::probe::Probe;

/// Sends to its two peers in turn.
struct Sender {
    frames: [Transmit; 2],
    sent: usize,
    received: u64,
}

impl Protocol for Sender {
    fn handle_packet(&mut self, _: Time, _: &Packet) {
        self.received += 1;
    }
    fn handle_timeout(&mut self, _: Time) {}
    fn poll_transmit(&mut self, _: Time) -> Option<Transmit> {
        self.sent += 1;
        Some(self.frames[self.sent % 2].clone())
    }
    fn poll_timeout(&self) -> Option<Time> {
        None
    }
}

impl Host for Sender {
    fn power_on(&mut self, _: Time, _: UniqueId) {}
}

/// A fat tree and what it takes to route on it: the hosts under each crossbar, which are consecutive.
struct FatTree {
    topology: Topology,
    children: Vec<u64>,
    parents: Vec<u64>,
    under: Vec<(u32, u32)>,
}

impl FatTree {
    fn new(children: &[u64], parents: &[u64]) -> FatTree {
        let topology = generate::xgft(children, parents).expect("the bench's parameters");
        let mut under = vec![(u32::MAX, 0); topology.crossbars().len()];
        // Crossbars are numbered level by level from the hosts up.
        for x in topology.crossbar_ids() {
            for peer in topology.peers(x.into()).iter().flatten() {
                let (first, last) = match peer.node {
                    NodeId::Host(h) => (h.0, h.0),
                    NodeId::Crossbar(below) if below < x => under[below.0 as usize],
                    NodeId::Crossbar(_) => continue,
                };
                let range = &mut under[x.0 as usize];
                *range = (range.0.min(first), range.1.max(last));
            }
        }
        FatTree { topology, children: children.to_vec(), parents: parents.to_vec(), under }
    }

    /// d-mod-k: up until `to` is below, each time by the port that its number gives; then down.
    fn route(&self, from: u32, to: u32) -> Route {
        let mut route = Route::EMPTY;
        let (mut level, mut number) = (0, u64::from(to));
        let mut end = self.topology.peer(PortId::new(HostId(from), 0));
        while let Some(PortId { node: NodeId::Crossbar(x), port }) = end {
            level += 1;
            let (first, last) = self.under[x.0 as usize];
            let out = if (first..=last).contains(&to) {
                let below =
                    (0..self.topology.ports_of(x.into())).find(|&p| match self.topology.peer(PortId::new(x, p)) {
                        Some(PortId { node: NodeId::Host(h), .. }) => h.0 == to,
                        Some(PortId { node: NodeId::Crossbar(y), .. }) => {
                            y < x && (self.under[y.0 as usize].0..=self.under[y.0 as usize].1).contains(&to)
                        }
                        None => false,
                    });
                below.expect("it is below")
            } else {
                let up = number % self.parents[level];
                number /= self.parents[level];
                (self.children[level - 1] + up) as u8
            };
            route.push(Hop::between(port, out)).expect("a short route");
            end = self.topology.peer(PortId::new(x, out));
        }
        route
    }

    fn sim(&self, far: bool) -> Sim<Sender> {
        let hosts = self.topology.hosts().len() as u32;
        let steps = if far { [hosts / 2, hosts / 4] } else { [1, 8] };
        let payload = Bytes::from(vec![0x5a; 4096]);
        let frame = |from: u32, step: u32| {
            let packet = Packet::with_payload(Probe { session: 1, nonce: from }, payload.clone());
            Transmit::new(self.route(from, (from + step) % hosts), packet)
        };
        Sim::new(&self.topology, SimConfig::default(), 1, |HostId(from)| Sender {
            frames: steps.map(|step| frame(from, step)),
            sent: 0,
            received: 0,
        })
    }
}

/// Seconds of CPU that this thread has had; other programs do not count. Wall time where the kernel does not say.
fn cpu_seconds(start: Instant) -> f64 {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").ok();
    let ns = text.and_then(|t| t.split_whitespace().next()?.parse::<f64>().ok());
    ns.map_or_else(|| start.elapsed().as_secs_f64(), |ns| ns / 1e9)
}

fn measure(tree: &FatTree, far: bool, name: &str, figures: &mut Figures) {
    let mut sim = tree.sim(far);
    let hosts = tree.topology.hosts().len();
    sim.run_until(Time::from_nanos(1_000_000));
    let slice = Duration::from_nanos(4_000_000_000 / hosts as u64);
    #[expect(clippy::disallowed_methods, reason = "a bench measures time")]
    let start = Instant::now();
    let (mut events, mut frames, mut crossings) = (Vec::new(), Vec::new(), Vec::new());
    while events.len() < 9 {
        let (before, cpu) = (sim.stats().clone(), cpu_seconds(start));
        sim.run_until(sim.now() + slice);
        let took = cpu_seconds(start) - cpu;
        events.push((sim.stats().events - before.events) as f64 / took / 1e6);
        frames.push((sim.stats().frames_delivered - before.frames_delivered) as f64 / took / 1e6);
        crossings.push((sim.stats().crossings - before.crossings) as f64 / took / 1e6);
    }
    assert_eq!(sim.stats().dropped_in_all(), 0, "congestion drops nothing");
    let received: u64 = sim.hosts().iter().map(|h| h.received).sum();
    assert_eq!(received, sim.stats().frames_delivered);
    figures.record(
        format!("{hosts} hosts, {name}"),
        format!(
            "{:.1} million events, {:.1} million crossings, {:.2} million frames a second and core; {} bytes a host",
            median(events),
            median(crossings),
            median(frames),
            sim.memory() / hosts
        ),
    );
}

fn main() {
    let filter = std::env::args().skip(1).find(|a| !a.starts_with('-')).unwrap_or_default();
    let mut figures = Figures::of("sim");
    let trees: [(&[u64], &[u64]); 3] =
        [(&[8, 8, 16], &[1, 8, 8]), (&[16, 16, 16], &[1, 16, 16]), (&[32, 32, 16], &[1, 32, 32])];
    for (children, parents) in trees {
        let hosts: u64 = children.iter().product();
        for (far, name) in [(false, "near"), (true, "far")] {
            if format!("{hosts} {name}").contains(&filter) {
                measure(&FatTree::new(children, parents), far, name, &mut figures);
            }
        }
    }
}
