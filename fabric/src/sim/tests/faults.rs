use super::*;
use crate::topology::generate;
use proptest::prelude::*;
use std::time::Duration;

fn cable(x: u32, port: u8) -> PortId {
    PortId::new(CrossbarId(x), port)
}

/// Host 0 streams to host 1 over two crossbars.
fn streaming() -> (Topology, Sim<Node>) {
    let t = row(2, 1);
    let mut sim = sim(&t);
    sim.stream(0, &[route(&t, 0, 1)]);
    (t, sim)
}

/// Frames that host 1 receives in the next millisecond.
fn rate(sim: &mut Sim<Node>) -> usize {
    let before = sim.received(1).len();
    sim.run_until(sim.now() + Duration::from_millis(1));
    sim.received(1).len() - before
}

const FULL: usize = 1_000_000 / (4 * (2 + OVERHEAD + PAYLOAD));

#[test]
fn a_cut_cable_loses_what_is_in_it_and_drops_what_wants_it() {
    let (_, mut sim) = streaming();
    sim.inject(at(1_000_000), Fault::Cut(cable(0, 1)));
    sim.inject(at(2_000_000), Fault::Mend(cable(1, 0)));
    sim.run_ms(1);
    assert_eq!(sim.stats().dropped(DropCause::CutOff), 1, "the frame that was crossing");
    assert_eq!(rate(&mut sim), 0);
    assert!(sim.stats().dropped(DropCause::DeadLink) >= FULL as u64 - 2);
    assert!(rate(&mut sim) >= FULL - 1);
    assert_eq!(sim.stats().dropped(DropCause::CutOff), 1);
    sim.stop_streams();
    sim.run_ms(10);
    sim.check_at_rest();
}

#[test]
fn a_frame_whose_tail_is_cut_off_is_lost_wherever_its_head_is() {
    let t = row(5, 1);
    let len_ns = 4 * (5 + OVERHEAD + PAYLOAD) as u64;
    // The frame sets out at 1,000 and is on the first cable until 1,025 + len; its head is at the last crossbar by 3,000.
    for (cut, lost) in [(999, true), (3_000, true), (1_024 + len_ns, true), (1_025 + len_ns, false)] {
        let mut sim = sim(&t);
        sim.post(0, route(&t, 0, 4), packet(1, PAYLOAD));
        sim.inject(at(cut), Fault::Cut(PortId::new(HostId(0), 0)));
        sim.run_ms(1);
        assert_eq!(sim.stats().dropped(DropCause::CutOff), u64::from(lost), "cut at {cut}");
        assert_eq!(sim.received(4).is_empty(), lost);
        sim.check_at_rest();
    }
}

#[test]
fn a_dead_crossbar_loses_what_is_in_it_even_if_it_is_back_at_once() {
    let t = row(3, 3);
    let mut sim = sim(&t);
    for from in [0, 1, 2, 3, 4] {
        sim.stream(from, &[route(&t, from, 6)]);
    }
    sim.run_ms(1);
    let into: Vec<u32> = [(NodeId::from(CrossbarId(0)), 1), (HostId(3).into(), 0), (HostId(4).into(), 0)]
        .map(|(node, port)| sim.network.channel_from(PortId { node, port }).unwrap())
        .to_vec();
    let inside = |sim: &Sim<Node>| {
        let frames = &sim.network.frames;
        frames
            .iter_live()
            .filter(|&f| frames[f].flags & frames::flag::LOST == 0 && into.contains(&frames[f].channel))
            .count()
    };
    assert!(inside(&sim) >= 5, "{} in the buffers of crossbar 1", inside(&sim));
    let all = sim.frames_in_flight();
    sim.inject(sim.now(), Fault::Kill(CrossbarId(1)));
    sim.inject(sim.now(), Fault::Revive(CrossbarId(1)));
    assert_eq!(inside(&sim), 0);
    assert!(sim.frames_in_flight() >= 4, "{} of {all}: what is elsewhere stays", sim.frames_in_flight());
    sim.run_ms(2);
    let before = sim.received(6).len();
    sim.run_ms(3);
    assert!(sim.received(6).len() - before >= FULL - 1);
    sim.stop_streams();
    sim.run_ms(10);
    sim.check_at_rest();
}

#[test]
fn a_killed_crossbar_carries_nothing_until_it_is_revived() {
    let (_, mut sim) = streaming();
    sim.inject(at(1_000_000), Fault::Kill(CrossbarId(1)));
    sim.inject(at(1_500_000), Fault::Cut(cable(0, 1)));
    sim.inject(at(2_000_000), Fault::Revive(CrossbarId(1)));
    sim.inject(at(3_000_000), Fault::Mend(cable(0, 1)));
    sim.run_ms(1);
    assert_eq!(rate(&mut sim), 0);
    assert_eq!(rate(&mut sim), 0, "the cable is cut as well");
    assert!(rate(&mut sim) >= FULL - 1);
}

#[test]
fn a_thousand_flaps_under_load_leak_nothing() {
    let t = generate::xgft(&[4, 4], &[1, 4]).unwrap();
    let mut sim = sim(&t);
    let hosts = t.hosts().len() as u32;
    for from in 0..hosts {
        let ways: Vec<Route> = [1, 5, 9].iter().map(|d| route(&t, from, (from + d) % hosts)).collect();
        sim.stream(from, &ways);
    }
    let period = Duration::from_micros(70);
    for (i, x) in t.crossbar_ids().enumerate().take(4) {
        let port = PortId::new(x, 5);
        sim.inject(at(i as u64 * 1_000), Fault::Flap { port, period, count: 250 });
    }
    sim.run_ms(20);
    assert!(sim.stats().dropped(DropCause::CutOff) > 500, "{:?}", sim.stats());
    assert!(sim.stats().dropped(DropCause::DeadLink) > 500, "{:?}", sim.stats());
    sim.run_ms(21);
    let drops = sim.stats().dropped_in_all();
    let mut fresh = super::sim(&t);
    for h in 0..hosts {
        fresh.host_mut(HostId(h)).stream = sim.host(HostId(h)).stream.clone();
        fresh.wake(HostId(h));
    }
    let delivered = |sim: &mut Sim<Node>, from: u64| {
        sim.run_ms(from);
        let before = sim.stats().frames_delivered;
        sim.run_ms(from + 20);
        sim.stats().frames_delivered - before
    };
    let (now, then) = (delivered(&mut sim, 21), delivered(&mut fresh, 1));
    assert!(now * 50 >= then * 49, "{now} frames in 20 ms after the flaps, {then} without");
    assert_eq!(sim.stats().dropped_in_all(), drops);
    sim.stop_streams();
    sim.run_ms(100);
    sim.check_at_rest();
}

#[test]
fn loss_takes_its_share_of_the_frames() {
    let (_, mut sim) = streaming();
    sim.inject(Time::ZERO, Fault::Loss(0.1));
    sim.run_ms(200);
    let (lost, sent) = (sim.stats().dropped(DropCause::Loss) as f64, sim.stats().frames_sent as f64);
    assert!((0.09..0.11).contains(&(lost / sent)), "{lost} of {sent}");
    let drops = sim.stats().dropped(DropCause::Loss);
    sim.inject(sim.now(), Fault::Loss(0.0));
    sim.stop_streams();
    sim.run_ms(210);
    assert!(sim.stats().dropped(DropCause::Loss) <= drops + 4);
    sim.check_at_rest();
}

#[test]
fn corruption_flips_bits_and_the_crc_finds_most() {
    let t = row(2, 2);
    let mut sim = sim(&t);
    sim.stream(0, &[route(&t, 0, 2)]);
    sim.inject(Time::ZERO, Fault::Corrupt(1.0));
    sim.run_ms(100);
    sim.stop_streams();
    sim.run_ms(110);
    let s = sim.stats();
    assert_eq!(s.frames_corrupted, s.frames_sent);
    let wrong_payload = sim.received(2).iter().filter(|(_, p)| p.payload.iter().any(|&b| b != 0)).count() as u64;
    let share = wrong_payload as f64 / s.frames_sent as f64;
    assert!((0.1..0.15).contains(&share), "{share} accepted with a flipped bit");
    assert!(s.dropped(DropCause::Damaged) > s.frames_sent * 3 / 4, "{s:?}");
    // Every frame that was accepted unharmed was hit in a hop that no longer mattered, or not at all: there is none.
    assert_eq!(s.frames_delivered, wrong_payload, "{s:?}");
    for (_, packet) in sim.received(2) {
        let flipped: u32 = packet.payload.iter().map(|b| b.count_ones()).sum();
        assert_eq!((packet.header, flipped), (Probe { session: 1, nonce: 0 }.into(), 1));
    }
    sim.check_at_rest();
}

#[test]
fn a_flipped_hop_sends_a_frame_elsewhere() {
    let t = row(3, 3);
    let mut sim = sim(&t);
    let way = route(&t, 0, 7);
    sim.host_mut(HostId(0)).stream = vec![Transmit::new(way, packet(0, 0))];
    sim.wake(HostId(0));
    sim.inject(Time::ZERO, Fault::Corrupt(1.0));
    sim.run_ms(20);
    let elsewhere: usize = [1, 2, 3, 4, 5, 6, 8].iter().map(|&h| sim.received(h).len()).sum();
    assert!(elsewhere > 0, "the CRC-32 does not cover hops, so some arrive whole at a wrong host");
    for cause in [DropCause::NoHop, DropCause::NoPort, DropCause::NoCable, DropCause::RouteTooLong] {
        assert!(sim.stats().dropped(cause) > 0, "{cause}");
    }
}

#[test]
fn duplicates_and_late_frames() {
    let t = row(2, 1);
    let run = |fault| {
        let mut sim = sim(&t);
        sim.inject(Time::ZERO, fault);
        for nonce in 0..200 {
            sim.post(0, route(&t, 0, 1), packet(nonce, 10));
        }
        sim.run_ms(10);
        sim.check_at_rest();
        let order: Vec<u8> = sim.received(1).iter().map(|(_, p)| p.payload[0]).collect();
        order
    };
    let twice = run(Fault::Duplicate(1.0));
    assert!((0..200).all(|n| twice.iter().filter(|&&m| m == n).count() == 2));
    let mixed = run(Fault::Reorder(0.5));
    assert_eq!(mixed.len(), 200);
    assert!(!mixed.is_sorted());
}

#[test]
fn a_crash_silences_a_host_and_a_restart_wakes_it() {
    let (_, mut sim) = streaming();
    sim.inject(at(1_000_000), Fault::Crash(HostId(0)));
    sim.inject(at(2_000_000), Fault::Restart(HostId(0)));
    sim.host_mut(HostId(0)).timer = Some(at(1_500_000));
    sim.run_ms(1);
    let sent = sim.host(HostId(0)).sent;
    let in_cards = sim.stats().dropped(DropCause::HostDown);
    assert!((1..=3).contains(&in_cards), "{in_cards}: those in the card and on the cable");
    sim.run_until(at(1_999_999));
    assert!(!sim.is_up(HostId(0)));
    assert_eq!(sim.host(HostId(0)).sent, sent);
    assert_eq!(sim.host(HostId(0)).fired, [], "its timer is gone");
    let before = sim.received(1).len();
    sim.run_ms(3);
    assert_eq!(sim.host(HostId(0)).boots, 2);
    assert!(sim.received(1).len() - before >= FULL - 1);
    sim.stop_streams();
    sim.run_ms(4);
    sim.check_at_rest();
}

#[test]
fn a_host_that_is_down_does_not_block_the_fabric() {
    let (_, mut sim) = streaming();
    sim.inject(Time::ZERO, Fault::Crash(HostId(1)));
    sim.run_ms(10);
    assert!(sim.received(1).is_empty());
    assert!(sim.stats().dropped(DropCause::HostDown) as usize >= 10 * FULL - 10);
    sim.inject(sim.now(), Fault::Restart(HostId(1)));
    assert!(rate(&mut sim) >= FULL - 2);
}

#[test]
fn a_restart_forgets_what_the_card_had_received() {
    let t = row(1, 2);
    let way = route(&t, 0, 1);
    let arrives = 1_000 + 4 * (1 + OVERHEAD as u64) + 25 + 300 + 25;
    // Before its head comes in, while it comes in, while the card works on it, and after that.
    for (when, outcome) in
        [(arrives - 100, (0, 1)), (arrives - 50, (0, 0)), (arrives + 500, (0, 0)), (arrives + 1_000, (1, 0))]
    {
        let mut sim = sim(&t);
        sim.post(0, way, packet(1, 0));
        sim.run_until(at(when));
        let before = sim.received(1).len();
        sim.inject(at(when), Fault::Restart(HostId(1)));
        sim.run_ms(1);
        assert_eq!((before, sim.received(1).len()), outcome, "restarted at {when}");
    }
}

#[test]
fn what_arrives_while_the_power_is_off_is_lost_though_it_is_on_when_the_card_is_done() {
    let t = row(1, 2);
    let arrives = 1_000 + 4 * (1 + OVERHEAD as u64) + 25 + 300 + 25;
    for (on, received) in [(arrives - 100, 1), (arrives - 50, 0), (arrives + 500, 0)] {
        let mut sim = sim(&t);
        sim.inject(Time::ZERO, Fault::Crash(HostId(1)));
        sim.post(0, route(&t, 0, 1), packet(1, 0));
        sim.inject(at(on), Fault::Restart(HostId(1)));
        sim.run_ms(1);
        assert_eq!(sim.received(1).len(), received, "switched on at {on}");
    }
}

#[test]
fn a_crash_loses_the_frames_that_wait_in_the_card() {
    let t = row(1, 4);
    let mut sim = sim(&t);
    for from in 0..3 {
        sim.stream(from, &[route(&t, from, 3)]);
    }
    sim.run_until(at(300_000));
    sim.stop_streams();
    sim.inject(sim.now(), Fault::Crash(HostId(0)));
    sim.inject(sim.now(), Fault::Restart(HostId(0)));
    let lost = sim.stats().dropped(DropCause::HostDown);
    assert_eq!(lost, 2, "its card was full");
    sim.run_ms(1);
    let arrived = sim.received(3).len() as u64;
    assert_eq!(arrived + lost, sim.stats().frames_sent);
    sim.check_at_rest();
}

#[test]
fn a_swap_changes_the_id_and_nothing_else() {
    let (_, mut sim) = streaming();
    let old = sim.unique_id(HostId(1));
    sim.inject(at(1_000_000), Fault::Swap(HostId(1)));
    sim.run_ms(1);
    let new = sim.unique_id(HostId(1));
    assert_ne!(new, old);
    assert_eq!((sim.host(HostId(1)).id, sim.host(HostId(1)).boots), (new, 2));
    assert!(rate(&mut sim) >= FULL - 2, "the routes lead to the place");
    let (_, mut again) = streaming();
    again.inject(at(7), Fault::Swap(HostId(1)));
    again.run_ms(1);
    assert_eq!(again.unique_id(HostId(1)), new, "it follows from the seed alone");
}

/// Everything at once on a small Clos network.
fn havoc(seed: u64) -> (Stats, u64, u64) {
    let t = generate::xgft(&[4, 4], &[1, 2]).unwrap();
    let mut sim: Sim<Node> = Sim::new(&t, SimConfig::default(), seed, |_| Node::default());
    let hosts = t.hosts().len() as u32;
    for from in 0..hosts {
        sim.stream(from, &[route(&t, from, (from + 1) % hosts), route(&t, from, (from + 6) % hosts)]);
    }
    let specs = "loss:0.01 corrupt:0.01 duplicate:0.01 reorder:0.01 crash:n3@1ms restart:n3@2ms swap:n5@3ms \
                 kill:x2.0@2ms revive:x2.0@2500us cut:x1.0:4@1ms mend:x1.0:4@4ms flap:x1.1:5@1ms,period=50us,count=40";
    for spec in specs.split_whitespace() {
        let (at, fault) = spec.parse::<FaultSpec>().unwrap().resolve(&t).unwrap();
        sim.inject(at, fault);
    }
    sim.run_ms(6);
    sim.check_books();
    let result = (sim.stats().clone(), sim.digest(), sim.unique_id(HostId(6)).0);
    sim.inject(sim.now(), Fault::Revive(CrossbarId(0)));
    sim.stop_streams();
    sim.run_ms(20);
    sim.check_at_rest();
    result
}

#[test]
fn everything_follows_from_the_seed() {
    let first = havoc(1);
    assert_eq!(first, havoc(1));
    let other = havoc(2);
    assert_ne!(first.1, other.1);
    assert_ne!(first.2, other.2);
    assert!(first.0.drops().count() >= 5, "{:?}", first.0);
}

/// Any fault but those that let frames go astray.
fn any_fault() -> impl Strategy<Value = Fault> {
    let port = (0u32..8, 0u8..8).prop_map(|(x, p)| PortId::new(CrossbarId(x), p));
    let host = (0u32..16).prop_map(HostId);
    let crossbar = (0u32..8).prop_map(CrossbarId);
    prop_oneof![
        host.clone().prop_map(Fault::Crash),
        host.clone().prop_map(Fault::Restart),
        host.prop_map(Fault::Swap),
        port.clone().prop_map(Fault::Cut),
        port.clone().prop_map(Fault::Mend),
        (port, 1_000u64..50_000, 1u32..5).prop_map(|(port, ns, count)| Fault::Flap {
            port,
            period: Duration::from_nanos(ns),
            count
        }),
        crossbar.clone().prop_map(Fault::Kill),
        crossbar.prop_map(Fault::Revive),
        (0.0f64..0.5).prop_map(Fault::Loss),
        (0.0f64..0.5).prop_map(Fault::Duplicate),
        (0.0f64..0.5).prop_map(Fault::Reorder),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn whatever_breaks_works_again_once_it_is_repaired(
        faults in prop::collection::vec((0u64..400_000, any_fault()), 0..40),
        flows in prop::collection::vec((0u32..16, 0u32..16, 0usize..=PAYLOAD), 1..40),
    ) {
        let t = generate::xgft(&[4, 4], &[1, 4]).unwrap();
        let mut sim = sim(&t);
        for &(from, to, payload) in flows.iter().filter(|f| f.0 != f.1) {
            sim.host_mut(HostId(from)).stream.push(Transmit::new(route(&t, from, to), packet(from, payload)));
            sim.wake(HostId(from));
        }
        for &(at_ns, fault) in &faults {
            sim.inject(at(at_ns), fault);
        }
        sim.run_until(at(500_000));
        sim.check_books();
        sim.stop_streams();
        for x in t.crossbar_ids() {
            sim.inject(sim.now(), Fault::Revive(x));
            (0..8).for_each(|p| sim.inject(sim.now(), Fault::Mend(PortId::new(x, p))));
        }
        for fault in [Fault::Loss(0.0), Fault::Duplicate(0.0), Fault::Reorder(0.0)] {
            sim.inject(sim.now(), fault);
        }
        t.host_ids().for_each(|h| sim.inject(sim.now(), Fault::Restart(h)));
        sim.run_ms(10);
        sim.check_at_rest();
        for h in 0..16 {
            sim.post(h, route(&t, h, (h + 5) % 16), packet(h, PAYLOAD));
        }
        sim.run_ms(20);
        for h in 0..16 {
            prop_assert_eq!(&sim.received((h + 5) % 16).last().unwrap().1, &packet(h, PAYLOAD));
        }
    }
}
