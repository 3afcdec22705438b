//! What the reliable endpoint costs on a processor: a hub and its peers in memory, without a fabric between. Each figure
//! is for both sides together, on one core.
//!
//! What it reaches on a fabric is a matter of fabric time, not of this machine: the tests of `fabric::endpoint` hold that.

use bytes::Bytes;
use std::time::{Duration, Instant};
use twowire_benches::{Figures, median};
use twowire_fabric::endpoint::{EndpointConfig, Event, ReliableEndpoint};
use twowire_fabric::id::UniqueId;
use twowire_fabric::protocol::{Path, Protocol};
use twowire_fabric::route::{Hop, Route};
use twowire_fabric::time::Time;

const ROUNDS: usize = 9;
const HUB: UniqueId = UniqueId(1);

fn main() {
    let mut figures = Figures::of("endpoint");
    let large = Bytes::from(vec![7u8; 64 << 20]);
    let mut star = Star::new(1);
    let seconds = star.time(&large, 1);
    figures
        .record("a message of 64 MiB, cut and put together", format!("{:.2} GB/s", large.len() as f64 / seconds / 1e9));

    let medium = large.slice(..1 << 20);
    let seconds = star.time(&medium, 16) / 16.0;
    figures.record("messages of 1 MiB, likewise", format!("{:.2} GB/s", medium.len() as f64 / seconds / 1e9));

    let small = Bytes::from(vec![7u8; 64]);
    let seconds = star.time(&small, 10_000);
    figures.record("messages of 64 bytes to one peer", format!("{:.2} million a second", 0.01 / seconds));

    let mut star = Star::new(1023);
    let eight_frames = Bytes::from(vec![7u8; 8 * 4096]);
    let seconds = star.time(&eight_frames, 1);
    figures.record(
        "frames of 4 KiB to 1,023 peers in turn",
        format!("{:.2} million a second", 8.0 * 1023.0 / seconds / 1e6),
    );
}

/// A hub and its peers. A frame takes a microsecond, and a route says which peer it leads to.
struct Star {
    now: Time,
    hub: ReliableEndpoint,
    peers: Vec<ReliableEndpoint>,
}

fn peer_id(index: usize) -> UniqueId {
    UniqueId(2 + index as u64)
}

fn route(index: usize) -> Route {
    let hops = [index >> 7, index & 0x7f].map(|digit| Hop::new(digit as i32));
    Route::from_hops(&hops).expect("two hops")
}

fn peer_of(path: &Path) -> usize {
    let Path::Hops(route) = path else { panic!("a source route") };
    route.hops().fold(0, |index, hop| index << 7 | usize::from(hop.delta()))
}

impl Star {
    fn new(peers_count: usize) -> Star {
        let config = EndpointConfig { send_memory: 128 << 20, ..EndpointConfig::default() };
        let endpoint = |id: UniqueId| ReliableEndpoint::new(config.clone(), id, id.0);
        let peers: Vec<_> = (0..peers_count).map(|i| endpoint(peer_id(i))).collect();
        let mut star = Star { now: Time::ZERO, hub: endpoint(HUB), peers };
        for i in 0..peers_count {
            star.hub.connect(Time::ZERO, peer_id(i), vec![route(i).into()]);
        }
        star.settle(peers_count);
        star
    }

    /// The seconds that `count` messages to each peer take.
    fn time(&mut self, message: &Bytes, count: usize) -> f64 {
        median((0..ROUNDS).map(|_| self.round(message, count)).collect())
    }

    #[allow(clippy::disallowed_methods)] // a bench reads the clock
    fn round(&mut self, message: &Bytes, count: usize) -> f64 {
        let start = Instant::now();
        for i in 0..self.peers.len() {
            for _ in 0..count {
                self.hub.send(self.now, peer_id(i), message.clone()).expect("there is room");
            }
        }
        self.settle(count * self.peers.len());
        start.elapsed().as_secs_f64()
    }

    /// Moves frames, and lets held-back acknowledgements come, until the hub knows of `wanted` connections or deliveries.
    fn settle(&mut self, wanted: usize) {
        let mut done = 0;
        while done < wanted {
            while let Some(transmit) = self.hub.poll_transmit(self.now) {
                self.now += Duration::from_micros(1);
                let peer = &mut self.peers[peer_of(&transmit.path)];
                peer.handle_packet(self.now, &transmit.packet);
                answers(self.now, peer, &mut self.hub);
            }
            self.now += EndpointConfig::default().max_ack_delay;
            let now = self.now;
            for peer in self.peers.iter_mut().filter(|p| p.poll_timeout().is_some_and(|t| t <= now)) {
                peer.handle_timeout(now);
                answers(now, peer, &mut self.hub);
            }
            let news = std::iter::from_fn(|| self.hub.poll_event());
            done += news.filter(|e| matches!(e, Event::Delivered { .. } | Event::Connected { .. })).count();
        }
    }
}

/// Hands the hub what a peer sends; the peer's messages are taken.
fn answers(now: Time, peer: &mut ReliableEndpoint, hub: &mut ReliableEndpoint) {
    while let Some(answer) = peer.poll_transmit(now) {
        hub.handle_packet(now, &answer.packet);
    }
    while peer.poll_event().is_some() {}
}
