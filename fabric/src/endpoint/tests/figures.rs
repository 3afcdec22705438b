//! What the endpoint reaches in the simulator, on links of 2 Gb/s. `--nocapture` prints the figures.

use super::rig::{SPINES, SimRig};
use crate::endpoint::conformance::{Rig, pattern};
use crate::endpoint::{EndpointConfig, Event, PeerStats};
use crate::id::UniqueId;
use crate::sim::Fault;
use crate::time::Time;
use crate::topology::HostId;
use bytes::Bytes;
use std::time::Duration;

const BYTES_PER_S: f64 = 250e6;

/// Connects some hosts with others by their first `routes` routes, lets each send a message at once, and says how long it
/// took until all were there.
fn transfer(rig: &mut SimRig, pairs: &[(usize, usize)], routes: usize, message: &Bytes) -> Duration {
    for &(from, to) in pairs {
        let (now, peer, paths) = (rig.now(), rig.unique_id(to), rig.routes(from, to));
        rig.endpoint(from).connect(now, peer, paths[..routes].to_vec());
        rig.sim.wake(HostId(from as u32));
    }
    rig.run(Duration::from_millis(1));
    let start = rig.now();
    for &(from, to) in pairs {
        rig.send(from, to, message.clone()).unwrap();
    }
    let mut missing = pairs.len();
    while missing > 0 {
        assert!(rig.now() - start < Duration::from_secs(20), "{missing} are missing");
        rig.run(Duration::from_micros(20));
        for host in 0..rig.hosts() {
            while let Some(event) = rig.poll_event(host) {
                if let Event::Message { message: got, .. } = event {
                    assert!(got == *message);
                    missing -= 1;
                }
            }
        }
    }
    rig.now() - start
}

fn share(bytes: usize, time: Duration) -> f64 {
    bytes as f64 / time.as_secs_f64() / BYTES_PER_S
}

fn stats(rig: &mut SimRig, from: usize, to: usize) -> PeerStats {
    let peer: UniqueId = rig.unique_id(to);
    rig.endpoint(from).stats(peer).unwrap()
}

#[test]
fn goodput() {
    let message = pattern(64 << 20, 1);
    for (routes, loss, at_least) in [
        (1, 0.0, 0.97),
        (1, 0.01, 0.96),
        (1, 0.05, 0.91),
        (1, 0.1, 0.85),
        (4, 0.0, 0.97),
        (4, 0.01, 0.96),
        (4, 0.05, 0.91),
        (4, 0.3, 0.55),
    ] {
        let mut rig = SimRig::new(2, 5, &EndpointConfig::default());
        rig.inject(&[Fault::Loss(loss)]);
        let took = transfer(&mut rig, &[(0, 1)], routes, &message);
        let (share, stats) = (share(message.len(), took), stats(&mut rig, 0, 1));
        println!("64 MiB, {routes} routes, loss {loss}: {share:.4} of the link rate; {stats:?}");
        assert!(share > at_least, "{share}");
    }
}

#[test]
fn spreading_multiplies_what_one_route_carries() {
    let message = pattern(4 << 20, 1);
    let pairs: Vec<(usize, usize)> = (0..4).map(|i| (2 * i, 2 * i + 1)).collect();
    let mut rates = Vec::new();
    for routes in [1, SPINES] {
        let mut rig = SimRig::new(8, 6, &EndpointConfig::default());
        let took = transfer(&mut rig, &pairs, routes, &message);
        rates.push(share(message.len() * pairs.len(), took));
        println!("4 pairs, {routes} routes: {:.3} links; {:?}", rates[rates.len() - 1], stats(&mut rig, 0, 1));
    }
    assert!(rates[0] < 1.0 && rates[1] > 3.5, "{rates:?}");
}

/// Many send to one: its link is full, queues wait in the senders, and nothing is sent twice.
#[test]
fn incast() {
    let message = pattern(1 << 20, 1);
    let pairs: Vec<(usize, usize)> = (1..32).map(|h| (h, 0)).collect();
    let mut rig = SimRig::new(32, 6, &EndpointConfig::default());
    let took = transfer(&mut rig, &pairs, 4, &message);
    let share = share(message.len() * pairs.len(), took);
    let again: u64 = pairs.iter().map(|&(h, _)| stats(&mut rig, h, 0).retransmitted).sum();
    println!("31 to 1: {share:.4} of the link rate, {again} frames again, {:?}", stats(&mut rig, 1, 0));
    assert!(share > 0.97 && again < 300, "{share}, {again}");
}

/// Messages of 3,000 bytes flow over the first of the routes, one every 50 us, when its cable is cut; it is mended later.
#[test]
fn failover() {
    let (cut, mend, end) = (at_ms(5), at_ms(20), at_ms(60));
    let mut rig = SimRig::new(2, 7, &EndpointConfig::default());
    rig.connect(0, 1);
    rig.sim.inject(cut, Fault::Cut(SimRig::up_cable(0, 0)));
    rig.sim.inject(mend, Fault::Mend(SimRig::up_cable(0, 0)));
    let (peer, path) = (rig.unique_id(1), rig.routes(0, 1)[0]);
    let (mut down, mut up, mut last, mut longest) = (None, None, Time::ZERO, Duration::ZERO);
    while rig.now() < end {
        if rig.now().as_nanos().is_multiple_of(50_000) {
            rig.send(0, 1, pattern(3_000, 1)).unwrap();
        }
        rig.run(Duration::from_micros(10));
        while let Some(event) = rig.poll_event(0) {
            if event == (Event::PathDown { peer, path }) {
                down = down.or(Some(rig.now() - cut));
            } else if event == (Event::PathUp { peer, path }) {
                up = up.or(Some(rig.now() - mend));
            }
        }
        while let Some(event) = rig.poll_event(1) {
            if let Event::Message { .. } = event {
                longest = longest.max(rig.now() - last);
                last = rig.now();
            }
        }
    }
    println!("down {down:?} after the cut, no message for {longest:?}, up {up:?} after the repair");
    assert!(longest < Duration::from_millis(2), "{longest:?}");
    assert!(down.is_some() && up.is_some_and(|up| up < Duration::from_millis(20)), "{down:?}, {up:?}");
}

fn at_ms(ms: u64) -> Time {
    Time::ZERO + Duration::from_millis(ms)
}
