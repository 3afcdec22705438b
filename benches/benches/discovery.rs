//! Discovery on the simulator: probes, fabric time and wall time, on regular, shuffled, lossy and large fabrics.

use std::time::Instant;
use twowire_benches::Figures;
use twowire_fabric::protocol::{Port, drive};
use twowire_fabric::responder::Responder;
use twowire_fabric::sim::{Fault, Sim, SimConfig, SimPort};
use twowire_fabric::time::Time;
use twowire_fabric::topology::generate::{Clos, Random, Torus, pink};
use twowire_fabric::topology::lockstep::same_up_to_renaming;
use twowire_fabric::topology::{HostId, Topology, transform};
use twowire_mapper::discovery::{Discovery, DiscoveryConfig};

fn main() {
    let mut figures = Figures::of("discovery");
    let random = Random { crossbars: 40, radix: 16, hosts: 100, seed: 1 }.build().expect("a random network");
    let torus = Torus { dimensions: vec![8, 8, 4], hosts_per: 2 }.build().expect("a torus");
    let large = Clos { hosts: 11_664, radix: 36, levels: 3, oversubscription: 1.0 }.build().expect("a fat tree");
    let shuffled = |topology: &Topology| transform::shuffle_ports(topology, 7);
    measure(&mut figures, "Pink", &pink(), 0.0);
    measure(&mut figures, "Pink, ports shuffled", &shuffled(&pink()), 0.0);
    measure(&mut figures, "Pink, ports shuffled, 2 % of the frames lost", &shuffled(&pink()), 0.02);
    measure(&mut figures, "8x8x4 torus, 2 hosts a crossbar, ports shuffled", &shuffled(&torus), 0.0);
    measure(&mut figures, "random, 40 crossbars, 100 hosts", &random, 0.0);
    measure(&mut figures, "random, 40 crossbars, 100 hosts, ports shuffled", &shuffled(&random), 0.0);
    measure(&mut figures, "11,664 hosts, 36-port crossbars", &large, 0.0);
    measure(&mut figures, "11,664 hosts, 36-port crossbars, ports shuffled", &shuffled(&large), 0.0);
}

/// Maps a simulated fabric, and records what it took.
fn measure(figures: &mut Figures, what: &str, topology: &Topology, loss: f64) {
    let mut sim = Sim::new(topology, SimConfig::default(), 1, |host| Responder::new(topology.host(host).id));
    if loss > 0.0 {
        sim.inject(Time::ZERO, Fault::Loss(loss));
    }
    let mut port = SimPort::new(sim, HostId(0));
    let mut discovery = Discovery::new(DiscoveryConfig::default(), port.unique_id(), 1);
    let start = now();
    let limit = Time::from_nanos(60_000_000_000);
    let done = drive(&mut port, &mut discovery, limit, |discovery| discovery.is_done()).expect("a port that is up");
    assert!(done, "{what}: not done after {limit}");
    let wall = start.elapsed();
    let map = discovery.into_map().unwrap_or_else(|error| panic!("{what}: {error}"));
    if let Err(difference) = same_up_to_renaming(topology, HostId(0), &map.topology, map.front_end) {
        panic!("{what}: {}", difference.describe(topology, &map.topology));
    }
    let probes = map.statistics.probes;
    let each = probes as f64 / topology.cables().len() as f64;
    let time = port.now().as_millis_f64();
    let figure =
        format!("{probes} probes, {each:.1} a cable, {time:.1} ms of fabric time, {:.2} s", wall.as_secs_f64());
    figures.record(what, figure);
}

#[allow(clippy::disallowed_methods)] // a bench reads the clock
fn now() -> Instant {
    Instant::now()
}
