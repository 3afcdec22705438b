//! What the reliable endpoint costs on a processor: two or very many of them in memory, without a fabric between.
//!
//! What it reaches on a fabric is a matter of fabric time, not of this machine: `fabric`'s tests of the endpoint print that.

use bytes::Bytes;
use criterion::{Criterion, Throughput, black_box, criterion_group, criterion_main};
use std::time::Duration;
use twowire_fabric::endpoint::{EndpointConfig, Event, ReliableEndpoint};
use twowire_fabric::id::UniqueId;
use twowire_fabric::protocol::{Path, Protocol};
use twowire_fabric::route::{Hop, Route};
use twowire_fabric::time::Time;

/// A hub and its peers; a frame takes a microsecond, and a route's hop is the peer's number.
struct Star {
    now: Time,
    hub: ReliableEndpoint,
    peers: Vec<ReliableEndpoint>,
    frames: u64,
}

const HUB: UniqueId = UniqueId(1);

fn peer_id(index: usize) -> UniqueId {
    UniqueId(2 + index as u64)
}

/// Two hops of seven bits say which peer, so that reversing the route keeps it legible.
fn route(index: usize) -> Route {
    let (low, high) = ((index & 0x3f) as i32, (index >> 6) as i32);
    Route::from_hops(&[Hop::new(high + 1), Hop::new(low + 1), Hop::new(0)]).expect("three hops")
}

fn peer_of(path: &Path) -> usize {
    let Path::Hops(route) = path else { panic!("a source route") };
    let deltas: Vec<usize> = route.hops().map(|h| usize::from(h.delta())).collect();
    (deltas[0] - 1) << 6 | (deltas[1] - 1)
}

impl Star {
    fn new(peers: usize) -> Star {
        let config = EndpointConfig { send_memory: 128 << 20, ..EndpointConfig::default() };
        let endpoint = |id: UniqueId| ReliableEndpoint::new(config.clone(), id, id.0);
        let peers_there: Vec<_> = (0..peers).map(|i| endpoint(peer_id(i))).collect();
        let mut star = Star { now: Time::ZERO, hub: endpoint(HUB), peers: peers_there, frames: 0 };
        for i in 0..peers {
            star.hub.connect(Time::ZERO, peer_id(i), vec![route(i).into()]);
        }
        star.settle();
        star
    }

    /// Moves frames until nobody has any.
    fn settle(&mut self) -> usize {
        let mut messages = 0;
        loop {
            let before = self.frames;
            while let Some(transmit) = self.hub.poll_transmit(self.now) {
                self.tick();
                let to = peer_of(&transmit.path);
                self.peers[to].handle_packet(self.now, &transmit.packet);
                while let Some(answer) = self.peers[to].poll_transmit(self.now) {
                    self.frames += 1;
                    self.hub.handle_packet(self.now, &answer.packet);
                }
                while let Some(event) = self.peers[to].poll_event() {
                    messages += usize::from(matches!(event, Event::Message { .. }));
                }
            }
            while self.hub.poll_event().is_some() {}
            if self.frames == before && !self.wait() {
                return messages;
            }
        }
    }

    fn tick(&mut self) {
        self.frames += 1;
        self.now += Duration::from_micros(1);
    }

    /// Lets held-back acknowledgements come.
    fn wait(&mut self) -> bool {
        let due = self.now + Duration::from_micros(60);
        let mut any = false;
        for peer in &mut self.peers {
            if peer.poll_timeout().is_some_and(|t| t <= due) {
                peer.handle_timeout(due);
                while let Some(answer) = peer.poll_transmit(due) {
                    any = true;
                    self.hub.handle_packet(due, &answer.packet);
                }
            }
        }
        self.now = due;
        any
    }
}

fn large_messages(c: &mut Criterion) {
    let mut group = c.benchmark_group("endpoint");
    group.sample_size(10);
    let message = Bytes::from(vec![7u8; 64 << 20]);
    group.throughput(Throughput::Bytes(message.len() as u64));
    group.bench_function("64_MiB", |b| {
        let mut star = Star::new(1);
        b.iter(|| {
            star.hub.send(star.now, peer_id(0), message.clone()).expect("nothing is waiting");
            assert_eq!(black_box(star.settle()), 1);
        });
    });
    group.finish();
}

fn small_messages(c: &mut Criterion) {
    let mut group = c.benchmark_group("endpoint");
    group.throughput(Throughput::Elements(10_000));
    group.bench_function("10000_messages_of_64_B", |b| {
        let mut star = Star::new(1);
        let message = Bytes::from(vec![7u8; 64]);
        b.iter(|| {
            for _ in 0..10_000 {
                star.hub.send(star.now, peer_id(0), message.clone()).expect("room");
            }
            assert_eq!(black_box(star.settle()), 10_000);
        });
    });
    group.throughput(Throughput::Elements(8 * 1023));
    group.bench_function("8_KiB_frames_to_1023_peers", |b| {
        let mut star = Star::new(1023);
        let message = Bytes::from(vec![7u8; 8 * 4096]);
        b.iter(|| {
            for i in 0..1023 {
                star.hub.send(star.now, peer_id(i), message.clone()).expect("room");
            }
            assert_eq!(black_box(star.settle()), 1023);
        });
    });
    group.finish();
}

criterion_group!(benches, large_messages, small_messages);
criterion_main!(benches);
