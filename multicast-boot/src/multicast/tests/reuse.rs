//! Receivers whose nodes hold an older image.

use super::{Host, PORT, SESSION, card_of, image, network, receiver};
use crate::image::{CHUNK, PackedImage};
use crate::multicast::lan::{Lan, LanConfig};
use crate::multicast::{Geometry, Sender, SenderConfig};
use crate::session::{ChunkStores, SharedStores};
use bytes::Bytes;
use proptest::prelude::*;
use std::time::Duration;
use twowire_fabric::id::NodeNumber;
use twowire_fabric::protocol::{Group, Path, Transmit};
use twowire_fabric::time::Time;
use twowire_fabric::wire::Header;
use twowire_fabric::wire::boot::{Lack, Status, put_lack};

const LEN: usize = 16 << 20;

/// The image's payload with so many of its bytes changed, in extents of so many: what the nodes have from before.
fn older(image: &PackedImage, bytes: usize, extent: usize) -> Bytes {
    let mut payload = image.payload().to_vec();
    let mut rng = fastrand::Rng::with_seed(extent as u64);
    for _ in 0..bytes / extent {
        let at = rng.usize(..payload.len() - extent);
        payload[at..at + extent].iter_mut().for_each(|byte| *byte ^= 0x55);
    }
    payload.into()
}

/// Receivers that have these payloads from before.
fn with_old(image: &PackedImage, old: &[Option<Bytes>], config: LanConfig, port: usize, seed: u64) -> Lan<Host> {
    let geometry = Geometry::for_port(image.tree().shape(), port).expect("large enough");
    let mut lan = network(image, old.len(), config, port, seed);
    for (index, old) in old.iter().enumerate() {
        if let Some(old) = old {
            let store = SharedStores::with_old_image(old.clone()).open(image.manifest()).expect("memory");
            lan.hosts[index + 1].machine = receiver(image, geometry, index, store);
        }
    }
    lan
}

fn sent(lan: &mut Lan<Host>, image: &PackedImage) -> f64 {
    lan.sender().counters().bytes as f64 / image.payload().len() as f64
}

#[test]
fn one_that_is_slow_to_say_that_it_holds_an_older_image_is_waited_for() {
    let image = image(LEN);
    let old = older(&image, LEN / 100, 64 << 10);
    let mut lan = with_old(&image, &vec![Some(old); 4], LanConfig::default(), PORT, 1);
    lan.hosts[3].off = true;
    lan.run(Duration::from_millis(600), |_| false);
    lan.hosts[3].off = false;
    assert!(lan.complete(Duration::from_secs(3)));
    lan.check(&image);
    assert!(sent(&mut lan, &image) <= 0.03, "{}", sent(&mut lan, &image));
}

#[test]
fn one_percent_changed_moves_less_than_three_percent() {
    let image = image(LEN);
    for (port, extent) in
        [1430, 8930].into_iter().flat_map(|port| [(port, LEN / 100), (port, 64 << 10), (port, 16 << 10)])
    {
        let old = older(&image, LEN / 100, extent);
        let mut lan = with_old(&image, &vec![Some(old); 4], LanConfig::default(), port, 1);
        assert!(lan.complete(Duration::from_secs(1)));
        lan.check(&image);
        let share = sent(&mut lan, &image);
        println!("payloads of {port}, extents of {extent}: {:.2} %, {}", 100.0 * share, lan.now);
        assert!(share <= 0.03, "payloads of {port}, extents of {extent}: {share}");
    }
}

/// Receivers are not equally fast at looking through what they have. One that says nothing yet will lack the same.
#[test]
fn what_was_never_sent_to_all_goes_to_all_when_the_first_one_asks() {
    let image = image(1 << 20);
    let geometry = Geometry::for_port(image.tree().shape(), PORT).expect("large enough");
    let mut sender = Sender::new(SenderConfig::default(), SESSION, Group(1), image, geometry);
    (0..2).for_each(|index| sender.add_receiver(index, card_of(index)));
    let mut lacks = Vec::new();
    put_lack(&mut lacks, Lack { block: 5, blocks: 1, count: 1, missing: 1 << 3 });
    let mut symbols = Vec::new();
    for round in 0..4 {
        let sent: Vec<Transmit> = std::iter::from_fn(|| sender.poll_transmit(Time::ZERO)).collect();
        let polled =
            sent.iter().filter_map(|t| if let Header::Poll(p) = t.packet.header { Some(p.sequence) } else { None });
        let sequence = polled.last().expect("it asks what has come");
        symbols.extend(sent.iter().filter_map(|t| match t.packet.header {
            Header::Symbol(symbol) if symbol.block == 5 => Some((t.path, symbol.index)),
            _ => None,
        }));
        for (index, lacks) in [(0, &lacks[..]), (1, &[])] {
            let (from, received) = (NodeNumber(index as i32), sequence);
            let status =
                Status { session: SESSION, from, sequence, received, overrun: 0, complete: false, holds: true };
            sender.on_status(Time::ZERO, index, &status, if round == 1 { lacks } else { &[] });
        }
        sender.on_timeout(Time::ZERO + Duration::from_secs(round + 1));
    }
    assert_eq!(symbols, [(Path::Group(Group(1)), 3)]);
}

#[test]
fn bytes_that_moved_by_whole_chunks_are_found() {
    let image = image(4 << 20);
    let old = image.payload().slice(5 * CHUNK..);
    let mut lan = with_old(&image, &[Some(old)], LanConfig::default(), PORT, 1);
    assert!(lan.complete(Duration::from_secs(1)));
    lan.check(&image);
    assert!(sent(&mut lan, &image) < 0.03, "{}", sent(&mut lan, &image));
}

#[test]
fn who_has_nothing_gets_all_and_who_has_much_is_not_hurt() {
    let image = image(LEN);
    let old = older(&image, LEN / 100, 16 << 10);
    let mut lan = with_old(&image, &[Some(old), None], LanConfig::default(), PORT, 1);
    assert!(lan.complete(Duration::from_secs(1)));
    lan.check(&image);
    assert!((1.0..1.05).contains(&sent(&mut lan, &image)), "{}", sent(&mut lan, &image));
    assert!(lan.now < Time::from_nanos(40_000_000), "{}", lan.now);
}

#[test]
fn an_old_image_that_has_nothing_of_the_new_one_costs_little() {
    let image = image(LEN);
    let mut lan =
        with_old(&image, &vec![Some(super::image(LEN + 1).payload().clone()); 2], LanConfig::default(), PORT, 1);
    assert!(lan.complete(Duration::from_secs(5)));
    lan.check(&image);
    assert!((1.0..1.05).contains(&sent(&mut lan, &image)), "{}", sent(&mut lan, &image));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, max_shrink_iters: 0, ..ProptestConfig::default() })]
    #[test]
    fn every_receiver_gets_the_image_whatever_it_has_from_before(
        len in 1usize..3_000_000,
        kinds in prop::collection::vec(0u8..4, 1..6),
        port in prop_oneof![Just(1430), Just(8930), 1024usize..9000],
        loss in prop_oneof![Just(0.0), 0.0..0.3],
        seed in any::<u64>(),
    ) {
        let image = image(len);
        let extent = (1 + seed as usize % 30_000).min(len.div_ceil(2));
        let old = |kind: u8| match kind {
            0 => None,
            1 => Some(image.payload().clone()),
            2 => Some(image.payload().slice(len.min(3 * CHUNK) - 1..)),
            _ => Some(if len > 1 { older(&image, len / 4, extent) } else { Bytes::from_static(b"?") }),
        };
        let old: Vec<Option<Bytes>> = kinds.into_iter().map(old).collect();
        let mut lan = with_old(&image, &old, LanConfig { loss, ..LanConfig::default() }, port, seed);
        prop_assert!(lan.complete(Duration::from_secs(120)), "not complete after {}", lan.now);
        lan.check(&image);
        prop_assert!(lan.receivers().all(|r| r.counters().rejected == 0));
    }
}
