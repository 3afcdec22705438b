//! Whole transfers from a sender to receivers, without the session around them.

mod left;
mod reuse;

use super::lan::{Lan, LanConfig};
use super::{Geometry, Receiver, Sender, SenderConfig};
use crate::image::{CHUNK, PackedImage};
use crate::session::testing::image;
use crate::session::{ChunkStore, ChunkStores, SharedStores};
use bytes::Bytes;
use proptest::prelude::*;
use std::time::Duration;
use twowire_fabric::id::{NodeNumber, UniqueId};
use twowire_fabric::protocol::{Group, Path, Protocol, Transmit};
use twowire_fabric::time::Time;
use twowire_fabric::wire::boot::Symbol;
use twowire_fabric::wire::{Header, Packet};

const SESSION: u32 = 7;
const PORT: usize = 1430;

/// A host of the network.
enum Host {
    Sender(Box<Sender>),
    Receiver(Box<Receiver>),
}

impl Protocol for Host {
    fn handle_packet(&mut self, now: Time, packet: &Packet) {
        match (self, &packet.header) {
            (Host::Sender(sender), Header::Status(status)) => {
                let index = status.from.0 as usize;
                sender.on_status(now, index, status, &packet.payload);
                if status.complete {
                    sender.remove_receiver(now, index);
                }
            }
            (Host::Receiver(receiver), Header::Symbol(symbol)) => receiver.on_symbol(symbol, &packet.payload),
            (Host::Receiver(receiver), Header::Poll(poll)) => receiver.on_poll(poll),
            _ => {}
        }
    }

    fn handle_timeout(&mut self, now: Time) {
        match self {
            Host::Sender(sender) => sender.on_timeout(now),
            Host::Receiver(receiver) => receiver.look_for_parts(),
        }
    }

    fn poll_transmit(&mut self, now: Time) -> Option<Transmit> {
        match self {
            Host::Sender(sender) => sender.poll_transmit(now),
            Host::Receiver(receiver) => {
                let (status, payload) = receiver.poll_status(PORT)?;
                Some(Transmit::new(Path::Card(UniqueId(0x0200_0000_0000)), Packet::with_payload(status, payload)))
            }
        }
    }

    fn poll_timeout(&self) -> Option<Time> {
        match self {
            Host::Sender(sender) => sender.next_timeout(),
            Host::Receiver(receiver) => receiver.is_busy().then_some(Time::ZERO),
        }
    }
}

fn receiver(image: &PackedImage, geometry: Geometry, index: usize, store: Box<dyn ChunkStore>) -> Host {
    let (own, old) = (NodeNumber(index as i32), store.old_image());
    Host::Receiver(Box::new(Receiver::new(SESSION, own, image.manifest().clone(), geometry, store, old)))
}

fn memory(image: &PackedImage) -> Box<dyn ChunkStore> {
    SharedStores::default().open(image.manifest()).expect("memory")
}

/// Where a receiver is reached alone.
fn card_of(index: usize) -> Path {
    Path::Card(UniqueId(0x0200_0000_0001 + index as u64))
}

/// A sender and so many receivers, all counted on.
fn network(image: &PackedImage, receivers: usize, config: LanConfig, port: usize, seed: u64) -> Lan<Host> {
    let geometry = Geometry::for_port(image.tree().shape(), port).expect("large enough");
    let mut sender = Sender::new(SenderConfig::default(), SESSION, Group(1), image.clone(), geometry);
    (0..receivers).for_each(|index| sender.add_receiver(index, card_of(index)));
    let hosts = (0..receivers).map(|index| receiver(image, geometry, index, memory(image)));
    Lan::new(config, [Host::Sender(Box::new(sender))].into_iter().chain(hosts), seed)
}

impl Lan<Host> {
    fn sender(&mut self) -> &mut Sender {
        match &mut self.hosts[0].machine {
            Host::Sender(sender) => sender,
            Host::Receiver(_) => unreachable!("host 0 is the sender"),
        }
    }

    fn receiver(&self, index: usize) -> &Receiver {
        match &self.hosts[index + 1].machine {
            Host::Receiver(receiver) => receiver,
            Host::Sender(_) => unreachable!("only host 0 is the sender"),
        }
    }

    fn receivers(&self) -> impl Iterator<Item = &Receiver> {
        (0..self.hosts.len() - 1).map(|index| self.receiver(index))
    }

    /// Runs until all receivers that are on are complete.
    fn complete(&mut self, within: Duration) -> bool {
        let mut left: Vec<usize> = (1..self.hosts.len()).collect();
        self.run(within, |lan| {
            while let Some(&last) = left.last() {
                if !lan.hosts[last].off && !lan.receiver(last - 1).is_complete() {
                    return false;
                }
                left.pop();
            }
            true
        })
    }

    fn check(&self, image: &PackedImage) {
        for receiver in self.receivers().filter(|r| r.is_complete()) {
            assert_eq!(receiver.image().map(|held| held.hash()), Some(image.manifest().root()));
            assert_eq!(receiver.root(), Some(image.manifest().root()));
        }
    }

    /// Symbols sent for each source symbol.
    fn overhead(&mut self) -> f64 {
        let counters = self.sender().counters();
        (counters.sources + counters.repeats + counters.parity) as f64 / counters.sources as f64
    }
}

#[test]
fn without_losses_everything_is_sent_once() {
    for (len, port) in [(1, 1430), (1024, 1430), (CHUNK + 1, 8930), (3 << 20, 1430), ((8 << 20) + 12_345, 8930)] {
        let image = image(len);
        let mut lan = network(&image, 4, LanConfig::default(), port, 1);
        assert!(lan.complete(Duration::from_secs(5)), "{len} bytes in symbols of {port}");
        lan.check(&image);
        let counters = lan.sender().counters();
        assert_eq!((counters.repeats, counters.parity, lan.overruns), (0, 0, 0));
        assert!(lan.receivers().all(|r| r.counters().duplicates == 0 && r.counters().lost == 0));
    }
}

#[test]
fn the_link_is_busy_all_the_time() {
    let image = image(16 << 20);
    let mut lan = network(&image, 16, LanConfig::default(), PORT, 1);
    assert!(lan.complete(Duration::from_secs(1)));
    let ideal = image.payload().len() as f64 * 8.0 / 1e10;
    let took = lan.now.as_nanos() as f64 / 1e9;
    // Headers are 4 % of it.
    assert!(took < 1.10 * ideal, "{:.3} of size/rate", took / ideal);
}

#[test]
fn receivers_that_are_slower_than_the_link_set_the_pace() {
    let image = image(8 << 20);
    let config = LanConfig { work: Duration::from_micros(8), buffer: 256 << 10, ..LanConfig::default() };
    let mut lan = network(&image, 8, config, PORT, 1);
    assert!(lan.complete(Duration::from_secs(2)));
    lan.check(&image);
    let ideal = image.payload().len().div_ceil(1426) as f64 * 8e-6;
    let took = lan.now.as_nanos() as f64 / 1e9;
    assert!(took < 1.3 * ideal, "{:.3} of what the receivers need", took / ideal);
    let overhead = lan.overhead();
    assert!(overhead < 1.25, "{overhead:.3} symbols for each");
}

#[test]
fn steady_losses_do_not_make_the_window_smaller() {
    let image = image(16 << 20);
    for (receivers, loss) in [(1, 0.01), (16, 0.01), (4, 0.05)] {
        let mut lan = network(&image, receivers, LanConfig { loss, ..LanConfig::default() }, PORT, 1);
        assert!(lan.complete(Duration::from_secs(5)));
        lan.check(&image);
        let window = lan.sender().window();
        assert!(window > (1 << 20) / 1426, "{receivers} receivers, {loss}: a window of {window} symbols");
    }
}

#[test]
fn a_receiver_much_slower_than_the_others_does_not_hold_them_up() {
    let image = image(16 << 20);
    let config = LanConfig { work: Duration::from_micros(1), ..LanConfig::default() };
    let mut lan = network(&image, 8, config, PORT, 1);
    lan.hosts[3].slowness = 100;
    let others = |lan: &mut Lan<Host>| lan.receivers().filter(|r| r.is_complete()).count() == 7;
    assert!(lan.run(Duration::from_secs(10), others));
    let before = lan.now;
    assert!(lan.complete(Duration::from_secs(60)));
    lan.check(&image);
    // Alone it needs 1.2 s.
    assert!(before < Time::from_nanos(900_000_000), "the others had it after {before}, all after {}", lan.now);
}

#[test]
fn a_dead_receiver_costs_the_others_little() {
    let image = image(4 << 20);
    let mut lan = network(&image, 4, LanConfig::default(), PORT, 1);
    lan.hosts[2].off = true;
    assert!(lan.complete(Duration::from_secs(5)));
    lan.check(&image);
    assert!(lan.now < Time::from_nanos(400_000_000), "{}", lan.now);
}

#[test]
fn a_late_joiner_gets_what_it_missed() {
    let image = image(16 << 20);
    let mut lan = network(&image, 3, LanConfig::default(), PORT, 1);
    lan.hosts[3].off = true;
    lan.sender().remove_receiver(Time::ZERO, 2);
    lan.run(Duration::from_millis(10), |_| false);
    lan.hosts[3].off = false;
    lan.sender().add_receiver(2, card_of(2));
    lan.wake(0, Time::ZERO);
    assert!(lan.complete(Duration::from_secs(5)));
    lan.check(&image);
    let overhead = lan.overhead();
    assert!(overhead < 2.0, "{overhead:.3} symbols for each");
}

#[test]
fn rogue_symbols_are_found_out_and_replaced() {
    let image = image(4 << 20);
    let config = LanConfig { loss: 0.02, ..LanConfig::default() };
    let mut lan = network(&image, 3, config, PORT, 1);
    let mut rng = fastrand::Rng::with_seed(5);
    let mut injected = 0;
    let done = lan.run(Duration::from_secs(10), |lan| {
        if injected < 300 && rng.u8(..) < 8 {
            injected += 1;
            let (block, index) = (rng.u32(0..80), rng.u16(0..70));
            let payload = Bytes::from(vec![rng.u8(..); 1426]);
            let symbol = Symbol { session: SESSION, sequence: lan.sent[0] as u32, block, index, to_one: false };
            (1..4).for_each(|to| lan.arrive(to, Packet::with_payload(symbol, payload.clone())));
        }
        lan.receivers().all(Receiver::is_complete)
    });
    assert!(done && injected == 300);
    lan.check(&image);
    assert!(lan.receivers().all(|r| r.counters().rejected > 0));
}

#[test]
fn a_flood_of_forged_answers_costs_a_bounded_share() {
    let image = image(8 << 20);
    let mut lan = network(&image, 4, LanConfig::default(), PORT, 1);
    let mut rng = fastrand::Rng::with_seed(5);
    let done = lan.run(Duration::from_secs(10), |lan| {
        let mut payload = Vec::new();
        for _ in 0..80 {
            let (block, blocks, count) = (rng.u32(0..200), rng.u16(..), rng.u16(..));
            let lack = twowire_fabric::wire::boot::Lack { block, blocks, count, missing: rng.u64(..) };
            twowire_fabric::wire::boot::put_lack(&mut payload, lack);
        }
        let status = twowire_fabric::wire::boot::Status {
            session: SESSION,
            from: NodeNumber(rng.i32(-1..9)),
            sequence: rng.u32(0..8000),
            received: rng.u32(..),
            overrun: rng.u32(..),
            complete: false,
            holds: false,
        };
        if rng.u8(..) < 4 {
            lan.arrive(0, Packet::with_payload(status, payload.into()));
        }
        lan.receivers().all(Receiver::is_complete)
    });
    assert!(done);
    lan.check(&image);
    let overhead = lan.overhead();
    assert!(overhead < 2.5, "{overhead:.3} symbols for each");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, max_shrink_iters: 0, ..ProptestConfig::default() })]
    #[test]
    fn every_receiver_gets_the_image_whatever_the_network_does(
        len in 1usize..3_000_000,
        receivers in 1usize..20,
        port in prop_oneof![Just(1430), Just(8930), 1024usize..9000],
        loss in prop_oneof![Just(0.0), 0.0..0.3],
        burst in (0.0..0.1, (0u64..500).prop_map(Duration::from_micros)),
        duplicated in 0.0..0.05,
        late in (0.0..0.05, (0u64..500).prop_map(Duration::from_micros)),
        buffer in (16usize..4096).prop_map(|kib| kib << 10),
        seed in any::<u64>(),
    ) {
        let image = image(len);
        let config = LanConfig { loss, burst, duplicated, late, buffer, ..LanConfig::default() };
        let mut lan = network(&image, receivers, config, port, seed);
        prop_assert!(lan.complete(Duration::from_secs(120)), "not complete after {}", lan.now);
        lan.check(&image);
    }
}

/// A symbol that one receiver misses is no business of the others.
#[test]
fn what_one_receiver_misses_goes_to_it_alone() {
    let image = image(8 << 20);
    let mut lan = network(&image, 8, LanConfig { loss: 0.01, ..LanConfig::default() }, 8930, 1);
    assert!(lan.complete(Duration::from_secs(5)));
    lan.check(&image);
    let counters = lan.sender().counters();
    assert!(counters.to_one * 10 > counters.repeats * 8, "{counters:?}");
    let to_one: u64 = lan.receivers().map(|r| r.counters().to_one).sum();
    assert!(to_one * 100 > counters.to_one * 95, "{to_one} of {counters:?}");
    let duplicates: u64 = lan.receivers().map(|r| r.counters().duplicates).sum();
    assert!(duplicates < 2 * counters.repeats, "{duplicates} and {counters:?}");
}
