use super::*;

#[test]
fn two_flows_share_an_output_evenly() {
    let t = row(2, 2);
    let mut sim = sim(&t);
    sim.stream(0, &[route(&t, 0, 2)]);
    sim.stream(1, &[route(&t, 1, 2)]);
    sim.run_ms(20);
    let from = |id: u32| sim.received(2).iter().filter(|(_, p)| p.payload[0] == id as u8).count();
    let frames = 20_000_000 / (4 * (1 + OVERHEAD + PAYLOAD));
    assert!(from(0).abs_diff(from(1)) <= 1, "{} and {}", from(0), from(1));
    assert!((frames - 2..=frames).contains(&(from(0) + from(1))), "{} of {frames}", from(0) + from(1));
}

#[test]
fn back_pressure_stops_the_sender_and_loses_nothing() {
    let t = row(3, 3);
    let mut sim = sim(&t);
    // Six hosts to one: the two at its own crossbar would take it all if the others were not waited for.
    for from in 0..6 {
        sim.stream(from, &[route(&t, from, 8)]);
    }
    sim.run_ms(50);
    let sent: usize = (0..6).map(|h| sim.host(HostId(h)).sent).sum();
    let most = 50_000_000 / (4 * (1 + OVERHEAD + PAYLOAD));
    assert!(sim.received(8).len() >= most - 3, "{} of {most}: the output is never idle", sim.received(8).len());
    // What has been sent and not received is in buffers: two frames in each of six cards and eight buffers.
    assert!(sent - sim.received(8).len() <= 2 * 14, "{sent} sent, {} received", sim.received(8).len());
    sim.stop_streams();
    sim.run_ms(100);
    assert_eq!(sim.received(8).len() as u64, sim.stats().frames_sent);
    assert_eq!(sim.stats().dropped_in_all(), 0);
    sim.check_at_rest();
}

#[test]
fn a_blocked_frame_holds_up_those_behind_it() {
    let t = row(2, 4);
    // Hosts 1 to 3 overload host 4. Host 0 sends to 4 and, in turn, to 5, which nobody else uses.
    let with = |contention: bool| {
        let mut sim = sim(&t);
        sim.stream(0, &[route(&t, 0, 4), route(&t, 0, 5)]);
        if contention {
            (6..8).for_each(|from| sim.stream(from, &[route(&t, from, 4)]));
        }
        sim.run_ms(20);
        sim.received(5).len()
    };
    let (alone, behind) = (with(false), with(true));
    assert!(behind * 3 < alone * 2 + 6, "{behind} of {alone}: host 5 gets no more than host 4 does");
}

#[test]
fn an_input_buffer_is_first_in_first_out() {
    let t = row(1, 4);
    let mut sim = sim(&t);
    let full = (1 + OVERHEAD + PAYLOAD) as u64 * 4;
    let small = (1 + OVERHEAD) as u64 * 4;
    // Host 1 occupies the way to host 2, so the first frame of host 0 waits, and its second one behind it.
    sim.post(1, route(&t, 1, 2), packet(1, PAYLOAD));
    sim.run_until(at(100));
    sim.post(0, route(&t, 0, 2), packet(2, 0));
    sim.post(0, route(&t, 0, 3), packet(3, 0));
    sim.run_ms(1);
    let first_gone = 1_000 + 25 + 300 + full - 4 + small - 4;
    let tail = 4; // the byte that a crossbar takes away leaves a gap
    let second = sim.received(3)[0].0.as_nanos();
    let earliest = first_gone + small - 4 + 25 + 1_000;
    assert!((earliest..=earliest + 2 * tail).contains(&second), "{second}, expected {earliest}");
}

#[test]
fn a_small_frame_does_not_pass_a_large_one_that_waits_for_room() {
    let mut t = row(2, 4);
    let slow = t.add_host("slow", UniqueId(99), 1).unwrap();
    t.connect(PortId::new(slow, 0), PortId::new(CrossbarId(1), 6)).unwrap().rate_bits_per_s = Some(100_000_000);
    let mut sim = sim(&t);
    // The first two fill the buffer of the second crossbar, the third knows when the first has left it, and the fourth
    // knows nothing. A small frame would fit at once.
    for (from, nonce) in [(0, 1), (1, 2), (2, 3), (0, 4)] {
        sim.post(from, route(&t, from, slow.0), packet(nonce, PAYLOAD));
        sim.run_until(sim.now() + std::time::Duration::from_micros(20));
    }
    sim.post(3, route(&t, 3, slow.0), packet(5, 100));
    sim.run_ms(10);
    let order: Vec<u8> = sim.received(slow.0).iter().map(|(_, p)| p.payload[0]).collect();
    assert_eq!(order, [1, 2, 3, 4, 5]);
    sim.check_at_rest();
}

/// Crossbars in a ring, a host at each: port 0 to the one before, port 1 to the next.
fn ring(n: u32) -> Topology {
    let mut t = Topology::new("ring");
    for i in 0..n {
        let x = t.add_crossbar(format!("x{i}"), 8).unwrap();
        let h = t.add_host(format!("n{i}"), UniqueId(u64::from(i) + 1), 1).unwrap();
        t.connect(PortId::new(h, 0), PortId::new(x, 2)).unwrap();
    }
    for i in 0..n {
        t.connect(PortId::new(CrossbarId(i), 1), PortId::new(CrossbarId((i + 1) % n), 0)).unwrap();
    }
    t
}

/// From a host over `crossbars` crossbars clockwise.
fn clockwise(crossbars: usize) -> Route {
    let mut hops = vec![Hop::between(2, 1)];
    hops.resize(crossbars - 1, Hop::between(0, 1));
    hops.push(Hop::between(0, 2));
    Route::from_hops(&hops).unwrap()
}

#[test]
fn cyclic_routes_deadlock_and_the_simulation_comes_to_rest() {
    let t = ring(4);
    let mut sim = sim(&t);
    for from in 0..4 {
        sim.stream(from, &[clockwise(4)]);
    }
    sim.run_ms(100);
    assert!(sim.is_idle(), "{} events pending", sim.pending());
    assert!(sim.frames_in_flight() >= 8, "{} frames stuck", sim.frames_in_flight());
    let delivered = sim.stats().frames_delivered;
    let digest = sim.digest();
    sim.run_ms(10_000);
    assert_eq!((sim.stats().frames_delivered, sim.digest()), (delivered, digest), "nothing more happens");
    assert_eq!(sim.now(), at(10_000_000_000));
    sim.check_books();
    // Cutting one cable of the ring breaks the cycle: the frames that want it are dropped, the others go on.
    sim.stop_streams();
    sim.inject(sim.now(), Fault::Cut(PortId::new(CrossbarId(0), 1)));
    sim.run_ms(10_001);
    assert!(sim.stats().frames_delivered > delivered);
    sim.check_at_rest();
}

#[test]
fn the_same_ring_without_a_cycle_does_not_deadlock() {
    let t = ring(4);
    let mut sim = sim(&t);
    // Nobody goes over the cable from crossbar 3 to crossbar 0.
    for from in 0..3 {
        sim.stream(from, &[clockwise(4 - from as usize)]);
    }
    sim.run_ms(100);
    assert!(!sim.is_idle());
    assert!(sim.received(3).len() > 6_000 / 2, "{}", sim.received(3).len());
}

#[test]
fn crossbars_and_hosts_drop_what_they_cannot_carry() {
    let t = row(2, 2);
    let way = |hops: &[Hop]| Route::from_hops(hops).unwrap();
    let mut sim = sim(&t);
    sim.post(0, Route::EMPTY, packet(0, 10));
    sim.post(0, way(&[Hop::between(2, 1)]), packet(0, 10));
    sim.post(0, way(&[Hop::between(2, 100)]), packet(0, 10));
    sim.post(0, way(&[Hop::between(2, 6)]), packet(0, PAYLOAD));
    sim.post(0, way(&[Hop::between(2, 3), Hop::new(5)]), packet(0, 10));
    sim.post(0, route(&t, 0, 1), packet(0, PAYLOAD + 1));
    sim.post(0, route(&t, 0, 1), packet(9, PAYLOAD));
    sim.run_ms(1);
    let drops: Vec<_> = sim.stats().drops().collect();
    use DropCause::*;
    assert_eq!(drops, [(NoHop, 2), (NoPort, 1), (NoCable, 1), (RouteTooLong, 1), (TooLarge, 1)]);
    assert_eq!(sim.received(1).len(), 1);
    assert_eq!(sim.received(1)[0].1, packet(9, PAYLOAD));
    sim.check_at_rest();
}

#[test]
fn payloads_are_shared_and_not_copied() {
    let t = row(2, 1);
    let mut sim = sim(&t);
    let sent = packet(1, PAYLOAD);
    sim.post(0, route(&t, 0, 1), sent.clone());
    sim.run_ms(1);
    assert_eq!(sim.received(1)[0].1.payload.as_ptr(), sent.payload.as_ptr());
}

#[test]
fn channels_are_counted_on_request() {
    let t = row(2, 1);
    let config = SimConfig { count_channels: true, ..SimConfig::default() };
    let mut sim = Sim::new(&t, config, 1, |_| Node::default());
    sim.post(0, route(&t, 0, 1), packet(1, 100));
    sim.run_ms(1);
    let load = |node: NodeId, port| sim.channel_load(PortId { node, port });
    assert_eq!(load(HostId(0).into(), 0), ChannelLoad { frames: 1, bytes: 118 });
    assert_eq!(load(CrossbarId(0).into(), 1), ChannelLoad { frames: 1, bytes: 117 });
    assert_eq!(load(CrossbarId(1).into(), 2), ChannelLoad { frames: 1, bytes: 116 });
    assert_eq!(load(CrossbarId(1).into(), 0), ChannelLoad::default());
}

#[test]
fn a_host_without_a_cable_sends_into_nothing() {
    let mut t = row(1, 1);
    t.add_host("alone", UniqueId(99), 1).unwrap();
    let mut sim = sim(&t);
    sim.stream(1, &[Route::EMPTY]);
    sim.run_ms(1);
    let dropped = sim.stats().dropped(DropCause::NoCable);
    assert!((950..=1_002).contains(&dropped), "{dropped}: one for each microsecond of the card's work");
}
