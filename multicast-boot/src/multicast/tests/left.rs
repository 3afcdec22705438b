//! Receivers whose nodes have parts of the image from an earlier start.

use super::{Host, PORT, SESSION, card_of, memory, network, receiver};
use crate::image::{CHUNK, PackedImage};
use crate::multicast::lan::LanConfig;
use crate::multicast::{Geometry, Receiver, Sender, SenderConfig};
use crate::session::ChunkStore;
use crate::session::testing::image;
use bytes::Bytes;
use std::time::Duration;
use twowire_fabric::protocol::Group;
use twowire_fabric::time::Time;
use twowire_fabric::wire::Header;

/// A store whose chunks an earlier start of the node has left.
struct Left(Box<dyn ChunkStore>);

impl ChunkStore for Left {
    fn put(&mut self, index: u32, bytes: Bytes) {
        self.0.put(index, bytes);
    }
    fn get(&self, index: u32) -> Option<Bytes> {
        self.0.get(index)
    }
    fn left_chunk(&self, index: u32) -> Option<Bytes> {
        self.0.get(index)
    }
}

#[test]
fn what_is_held_already_is_not_sent_again() {
    let image = image(32 << 20);
    let geometry = Geometry::for_port(image.tree().shape(), PORT).unwrap();
    let mut lan = network(&image, 2, LanConfig::default(), PORT, 1);
    for index in 0..2 {
        let mut store = memory(&image);
        let chunks = (0..1220).chain(2197..image.tree().shape().chunk_count());
        chunks.for_each(|chunk| store.put(chunk, image.chunk(chunk).expect("in range")));
        store.put(4000, Bytes::from(vec![0; CHUNK]));
        lan.hosts[index + 1].machine = receiver(&image, geometry, index, Box::new(Left(store)));
    }
    assert!(lan.complete(Duration::from_secs(5)));
    lan.check(&image);
    let counters = lan.sender().counters();
    let sent = (counters.sources + counters.repeats + counters.parity) * 1426;
    // Whole pages are sent again: two at the edges of the hole, and that of the chunk that is wrong.
    assert!(sent < 4_000_000 + (4 << 19), "{sent} bytes for a hole of 4,000,000");
    assert!(lan.receivers().all(|r| r.counters().rejected == 0));
}

/// Hands the top lists to a receiver, which then can verify what it has.
fn give_top_lists(receiver: &mut Receiver, image: &PackedImage) {
    let geometry = *receiver.geometry();
    let mut sender = Sender::new(SenderConfig::default(), SESSION, Group(1), image.clone(), geometry);
    sender.add_receiver(0, card_of(0));
    let symbols = std::iter::from_fn(|| sender.poll_transmit(Time::ZERO)).filter_map(|t| match t.packet.header {
        Header::Symbol(symbol) => Some((symbol, t.packet.payload)),
        _ => None,
    });
    let of_top = symbols.take_while(|(symbol, _)| symbol.block >= geometry.payload_blocks());
    of_top.for_each(|(symbol, bytes)| receiver.on_symbol(&symbol, &bytes));
}

/// Hashing a large image takes long, and meanwhile the node has to go on talking.
#[test]
fn what_was_left_is_verified_in_slices() {
    let image = image(64 << 20);
    let geometry = Geometry::for_port(image.tree().shape(), PORT).unwrap();
    let mut store = memory(&image);
    let chunks = image.tree().shape().chunk_count();
    (0..chunks).for_each(|chunk| store.put(chunk, image.chunk(chunk).expect("in range")));
    let Host::Receiver(mut receiver) = receiver(&image, geometry, 0, Box::new(Left(store))) else { unreachable!() };
    give_top_lists(&mut receiver, &image);
    let mut percents = vec![receiver.percent()];
    while receiver.is_busy() {
        receiver.look_for_parts();
        percents.push(receiver.percent());
    }
    assert_eq!(percents, [25, 50, 75, 100, 100], "the last time nothing is left");
    assert_eq!(receiver.image().map(|held| held.hash()), Some(image.manifest().root()));
}
