use super::*;
use crate::route::MAX_HOPS;

/// When the last byte of a frame is in the program, if nothing is in its way: the sender's card, the frame's bytes once,
/// for each crossbar its delay and the flight to it, the last flight, the receiver's card.
fn latency(crossbars: u64, bytes: u64) -> u64 {
    // Each crossbar takes a byte away, but the tail does not come any sooner for that.
    1_000 + bytes * 4 + crossbars * (300 + 25) + 25 + 1_000
}

#[test]
fn one_frame_takes_as_long_as_the_formula_says() {
    let t = row(6, 1);
    for payload in [0, 100, PAYLOAD] {
        for to in 1..6 {
            let way = route(&t, 0, to);
            let mut sim = sim(&t);
            sim.post(0, way, packet(7, payload));
            sim.run_ms(1);
            let bytes = way.len() + OVERHEAD + payload;
            assert_eq!(sim.received(to), [(at(latency(u64::from(to) + 1, bytes as u64)), packet(7, payload))]);
            sim.check_at_rest();
        }
    }
}

#[test]
fn the_longest_routes_work() {
    let t = row(MAX_HOPS as u32, 1);
    let last = MAX_HOPS as u32 - 1;
    let mut sim = sim(&t);
    sim.inject(Time::ZERO, Fault::Duplicate(1.0));
    sim.post(0, route(&t, 0, last), packet(1, 100));
    sim.post(last, route(&t, last, 0), packet(2, 100));
    sim.run_ms(1);
    let took = latency(MAX_HOPS as u64, (MAX_HOPS + OVERHEAD + 100) as u64);
    assert_eq!(sim.received(last)[0], (at(took), packet(1, 100)));
    assert_eq!(sim.received(0)[1].1, packet(2, 100));
    // With damaged hops and payloads, too, nothing but damage happens.
    sim.inject(sim.now(), Fault::Corrupt(1.0));
    sim.stream(0, &[route(&t, 0, last)]);
    sim.run_ms(20);
    sim.stop_streams();
    sim.run_ms(30);
    assert!(sim.stats().dropped(DropCause::Damaged) > 500);
    sim.check_at_rest();
}

#[test]
fn a_frame_with_delta_0_comes_back() {
    let t = row(1, 1);
    let mut sim = sim(&t);
    sim.post(0, Route::from_hops(&[Hop::new(0)]).unwrap(), packet(3, 0));
    sim.run_ms(1);
    assert_eq!(sim.received(0), [(at(latency(1, 17)), packet(3, 0))]);
}

#[test]
fn cables_have_their_own_rate_and_length() {
    let mut t = Topology::new("two hosts");
    let [a, b] = [1, 2].map(|i| t.add_host(format!("n{i}"), UniqueId(i), 1).unwrap());
    let cable = t.connect(PortId::new(a, 0), PortId::new(b, 0)).unwrap();
    cable.rate_bits_per_s = Some(8_000_000_000);
    cable.length_m = Some(30.0);
    let mut sim = sim(&t);
    sim.post(0, Route::EMPTY, packet(1, 84));
    sim.run_ms(1);
    assert_eq!(sim.received(1)[0].0, at(1_000 + 100 + 150 + 1_000));
    assert_eq!(sim.network.rate_bits_per_s(a), Some(8_000_000_000));
}

#[test]
fn a_fast_cable_behind_a_slow_one_does_not_run_ahead_of_it() {
    let mut t = row(1, 0);
    for (i, rate) in [(0, 1), (1, 16)] {
        let h = t.add_host(format!("n{i}"), UniqueId(i + 1), 1).unwrap();
        let cable = t.connect(PortId::new(h, 0), PortId::new(CrossbarId(0), i as u8)).unwrap();
        cable.rate_bits_per_s = Some(rate * 1_000_000_000);
    }
    let mut sim = sim(&t);
    sim.post(0, route(&t, 0, 1), packet(1, 983));
    sim.run_ms(1);
    // 1,000 bytes of 8 ns over the slow cable decide.
    assert_eq!(sim.received(1)[0].0, at(1_000 + 8_000 + 25 + 300 + 25 + 1_000));
    sim.check_at_rest();
}

#[test]
fn one_flow_has_the_rate_of_the_link() {
    let t = row(5, 1);
    let mut sim = sim(&t);
    let way = route(&t, 0, 4);
    sim.stream(0, &[way]);
    sim.run_ms(10);
    let frame_ns = 4 * (way.len() + OVERHEAD + PAYLOAD) as u64;
    let expected = (10_000_000 - latency(5, 0)) / frame_ns;
    assert_eq!(sim.received(4).len() as u64, expected);
}

#[test]
fn small_frames_go_at_the_rate_of_the_card() {
    let t = row(3, 1);
    let mut sim = sim(&t);
    for nonce in 0..1_000 {
        sim.post(0, route(&t, 0, 2), packet(nonce, 0));
    }
    sim.run_ms(2);
    let times: Vec<Time> = sim.received(2).iter().map(|r| r.0).collect();
    assert_eq!(times.len(), 1_000);
    assert!(times.windows(2).all(|w| w[1] - w[0] == std::time::Duration::from_micros(1)));
}

#[test]
fn a_timer_fires_at_its_instant_and_may_move_both_ways() {
    let t = row(1, 1);
    let mut sim = sim(&t);
    let set = |sim: &mut Sim<Node>, when| {
        sim.host_mut(HostId(0)).timer = Some(when);
        sim.wake(HostId(0));
    };
    set(&mut sim, at(5_000_000));
    sim.run_ms(1);
    set(&mut sim, at(3_000_001));
    sim.run_ms(4);
    assert_eq!(sim.host(HostId(0)).fired, [at(3_000_001)]);
    set(&mut sim, at(9_000_000));
    sim.run_ms(10);
    assert_eq!(sim.host(HostId(0)).fired, [at(3_000_001), at(9_000_000)]);
    assert!(sim.is_idle());
    assert_eq!(sim.now(), at(10_000_000));
}

#[test]
fn hosts_are_asked_late() {
    let t = row(1, 2);
    let mut sim = sim(&t);
    sim.stream(0, &[route(&t, 0, 1)]);
    sim.run_until(at(1));
    assert_eq!(sim.host(HostId(0)).sent, 2, "a card holds two frames");
    let frame_ns = 4 * (1 + OVERHEAD + PAYLOAD) as u64;
    sim.run_until(at(1_000 + frame_ns - 1));
    assert_eq!(sim.host(HostId(0)).sent, 2);
    sim.run_until(at(1_000 + frame_ns));
    assert_eq!(sim.host(HostId(0)).sent, 3);
}
