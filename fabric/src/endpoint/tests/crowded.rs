//! Hosts that share too few processors: each runs now and then, takes in all that has come meanwhile, and then says what it has to say.

use super::link::id;
use super::{EndpointConfig, Event, ReliableEndpoint, ms};
use crate::protocol::{Path, Protocol};
use crate::route::{Hop, Route};
use crate::time::Time;
use crate::wire::Packet;
use bytes::Bytes;
use std::collections::VecDeque;
use std::time::Duration;

struct Host {
    endpoint: ReliableEndpoint,
    /// What has come, in order.
    inbox: VecDeque<Packet>,
    connects: bool,
    sends: bool,
    events: Vec<Event>,
}

/// Hosts in a row, each of which reaches the others by one hop; nothing is lost, and nothing overtakes.
struct Crowd {
    now: Time,
    hosts: Vec<Host>,
    rng: fastrand::Rng,
}

impl Crowd {
    fn new(hosts: usize, seed: u64) -> Crowd {
        let host = |host: usize| Host {
            endpoint: ReliableEndpoint::new(EndpointConfig::default(), id(host), seed ^ (host as u64) << 32),
            inbox: VecDeque::new(),
            connects: false,
            sends: false,
            events: Vec::new(),
        };
        Crowd { now: Time::ZERO, hosts: (0..hosts).map(host).collect(), rng: fastrand::Rng::with_seed(seed) }
    }

    fn path(from: usize, to: usize) -> Path {
        Path::Hops(Route::from_hops(&[Hop::new(to as i32 - from as i32)]).unwrap())
    }

    /// Some host runs, after a pause of up to `pause`.
    fn step(&mut self, pause: Duration) {
        self.now += Duration::from_nanos(self.rng.u64(0..=pause.as_nanos() as u64));
        let (now, count) = (self.now, self.hosts.len());
        let me = self.rng.usize(0..count);
        let host = &mut self.hosts[me];
        while let Some(packet) = host.inbox.pop_front() {
            host.endpoint.handle_packet(now, &packet);
        }
        if host.endpoint.poll_timeout().is_some_and(|at| at <= now) {
            host.endpoint.handle_timeout(now);
        }
        host.events.extend(std::iter::from_fn(|| host.endpoint.poll_event()));
        let others = || (0..count).filter(move |&other| other != me);
        // It finds out in one turn whom to talk to, and has something to say in another.
        if !host.connects && self.rng.bool() {
            others().for_each(|other| host.endpoint.connect(now, id(other), vec![Crowd::path(me, other)]));
            host.connects = true;
        }
        if host.connects && !host.sends && self.rng.bool() {
            for other in others() {
                host.endpoint.send(now, id(other), Bytes::from(vec![me as u8, other as u8])).unwrap();
            }
            host.sends = true;
        }
        while let Some(transmit) = self.hosts[me].endpoint.poll_transmit(now) {
            let Path::Hops(route) = transmit.path else { panic!("a source route") };
            let delta = route.hops().next().expect("one hop").delta();
            let to = (me as i32 + i32::from((delta << 1) as i8 >> 1)) as usize;
            self.hosts[to].inbox.push_back(transmit.packet);
        }
    }

    /// What host `me` did not expect to see.
    fn surprises(&self, me: usize) -> Vec<Event> {
        let expected = |event: &Event| match event {
            Event::Connected { .. } | Event::Delivered { .. } => true,
            Event::Message { message, .. } => message[1] == me as u8,
            _ => false,
        };
        self.hosts[me].events.iter().filter(|event| !expected(event)).cloned().collect()
    }
}

/// Connections that both sides open at once are made once, however late their frames are looked at.
#[test]
fn all_connect_to_all_at_once() {
    for seed in 0..300 {
        let mut crowd = Crowd::new(5, seed);
        let pause = ms([1, 4, 20][seed as usize % 3]);
        (0..400).for_each(|_| crowd.step(pause));
        for me in 0..crowd.hosts.len() {
            assert_eq!(crowd.surprises(me), [], "host {me}, seed {seed}");
            let count = |what: fn(&Event) -> bool| crowd.hosts[me].events.iter().filter(|e| what(e)).count();
            let counts = [
                count(|e| matches!(e, Event::Connected { .. })),
                count(|e| matches!(e, Event::Message { .. })),
                count(|e| matches!(e, Event::Delivered { .. })),
            ];
            assert_eq!(counts, [4, 4, 4], "host {me}, seed {seed}: connections, messages, deliveries");
        }
    }
}
