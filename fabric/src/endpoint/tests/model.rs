//! Random scenarios against a reference model: what is delivered is, for each incarnation of the receiver, an unbroken run
//! of what was sent.

use super::link::{Net, Plane, id};
use crate::endpoint::{EndpointConfig, Event};
use bytes::Bytes;
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::time::Duration;

#[derive(Clone, Debug)]
enum Step {
    Send { from: usize, len: usize },
    Run { us: u64 },
    Cut { plane: usize, cut: bool },
    Restart { host: usize },
    Reconnect { from: usize },
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        10 => (0..2usize, prop_oneof![0..100usize, 0..20_000usize, Just(200_000)]).prop_map(|(from, len)| Step::Send { from, len }),
        8 => (0..3_000u64).prop_map(|us| Step::Run { us }),
        2 => (0..2usize, any::<bool>()).prop_map(|(plane, cut)| Step::Cut { plane, cut }),
        1 => (0..2usize).prop_map(|host| Step::Restart { host }),
        1 => (0..2usize).prop_map(|from| Step::Reconnect { from }),
    ]
}

fn plane() -> impl Strategy<Value = Plane> {
    (1..40u64, prop_oneof![Just(0u64), 1..60u64], 0.0..0.3f64, 0.0..0.2f64).prop_map(
        |(delay, jitter, loss, doubling)| Plane {
            delay: Duration::from_micros(delay),
            jitter: Duration::from_micros(jitter),
            loss,
            doubling,
            cut: false,
            longest: usize::MAX,
        },
    )
}

/// A message that says who sent it, in which life, and which it was.
fn message(from: usize, life: u64, number: u64, len: usize) -> Bytes {
    let mut bytes = Vec::with_capacity(24 + len);
    bytes.extend([from as u64, life, number].map(u64::to_le_bytes).concat());
    bytes.resize(24 + len, (number as u8).wrapping_mul(31) ^ life as u8);
    bytes.into()
}

/// A message as its sender remembers it.
#[derive(Clone, Copy)]
struct Sent {
    len: usize,
    /// The receiver's life at that time, if the sender had a connection with any before; it must not reach a later one.
    only_for_life: Option<u64>,
}

/// A host as the test sees it.
#[derive(Default)]
struct Side {
    life: u64,
    /// It has had a connection in this life.
    has_known_the_other: bool,
    /// What it sent, by life.
    sent: BTreeMap<u64, Vec<Sent>>,
    /// The other one's life that its messages come from, once one has come.
    from_life: Option<u64>,
    /// The number of the next message to come; a later one may come if a connection has ended since the last.
    next: u64,
    gap: bool,
}

struct World {
    net: Net,
    sides: [Side; 2],
}

impl World {
    fn send(&mut self, from: usize, len: usize) {
        let life_there = self.sides[1 - from].life;
        let side = &mut self.sides[from];
        let sent = side.sent.entry(side.life).or_default();
        let bytes = message(from, side.life, sent.len() as u64, len);
        let now = self.net.now;
        if self.net.with(from, |e| e.send(now, id(1 - from), bytes)).is_ok() {
            let only_for_life = side.has_known_the_other.then_some(life_there);
            sent.push(Sent { len, only_for_life });
        }
    }

    fn restart(&mut self, host: usize) {
        self.check();
        self.net.power_on(host);
        let side = &mut self.sides[host];
        let sent = std::mem::take(&mut side.sent);
        *side = Side { life: side.life + 1, sent, gap: true, ..Side::default() };
        self.net.connect(host, 1 - host);
    }

    /// A second, in which messages are taken as they come.
    fn settle(&mut self) {
        for _ in 0..2_000 {
            self.net.run(Duration::from_micros(500));
            self.check();
        }
    }

    fn check(&mut self) {
        for host in 0..2 {
            for event in self.net.events(host) {
                match event {
                    Event::Message { message: got, .. } => self.check_message(host, &got),
                    Event::Connected { .. } => self.sides[host].has_known_the_other = true,
                    Event::PeerRestarted { .. } => {
                        self.a_connection_ended();
                        (self.sides[host].from_life, self.sides[host].next) = (None, 0);
                    }
                    Event::Disconnected { .. } => self.a_connection_ended(),
                    Event::PeerUnreachable { .. } => panic!("nobody is silent for so long"),
                    _ => {}
                }
            }
        }
    }

    /// Whoever reports it: messages of either side may be dropped.
    fn a_connection_ended(&mut self) {
        self.sides.iter_mut().for_each(|s| s.gap = true);
    }

    fn check_message(&mut self, host: usize, got: &Bytes) {
        let field = |i: usize| u64::from_le_bytes(got[i * 8..i * 8 + 8].try_into().unwrap());
        let (from, life, number) = (field(0) as usize, field(1), field(2));
        assert_eq!(from, 1 - host);
        let sent = self.sides[from].sent[&life][number as usize];
        let side = &mut self.sides[host];
        let from_life = *side.from_life.get_or_insert(life);
        assert_eq!(life, from_life, "two lives of host {from} in one connection");
        assert!(number == side.next || (side.gap && number > side.next), "{number}, not {}", side.next);
        assert!(sent.only_for_life.is_none_or(|l| l == side.life), "message {number} reached a later life");
        assert!(*got == message(from, life, number, sent.len), "message {number} of host {from} differs");
        (side.next, side.gap) = (number + 1, false);
    }

    /// The last message that `from` has sent is there.
    fn is_through(&self, from: usize) -> bool {
        let (side, other) = (&self.sides[from], &self.sides[1 - from]);
        other.from_life == Some(side.life) && other.next as usize == side.sent[&side.life].len()
    }
}

proptest! {
    #[test]
    fn what_is_delivered_was_sent_in_this_order(
        seed: u64,
        planes in prop::collection::vec(plane(), 2),
        steps in prop::collection::vec(step(), 1..60),
        window in 2..64u16,
    ) {
        let config = EndpointConfig { window, send_memory: 1 << 20, peer_timeout: Duration::from_secs(600), ..EndpointConfig::default() };
        let mut net = Net::new(2, 2, seed, config);
        net.planes.copy_from_slice(&planes);
        let mut world = World { net, sides: Default::default() };
        world.net.connect(0, 1);
        world.net.connect(1, 0);
        for step in steps {
            match step {
                Step::Send { from, len } => world.send(from, len),
                Step::Run { us } => world.net.run(Duration::from_micros(us)),
                Step::Cut { plane, cut } => world.net.planes[plane].cut = cut,
                Step::Restart { host } => world.restart(host),
                Step::Reconnect { from } => world.net.connect(from, 1 - from),
            }
            world.check();
        }
        // When the faults end, connections stand, and what is sent now comes.
        world.net.planes.iter_mut().for_each(|p| { p.cut = false; p.loss = 0.0 });
        world.settle();
        (0..2).for_each(|from| world.send(from, 10));
        world.settle();
        prop_assert!(world.is_through(0) && world.is_through(1), "the last messages did not come");
    }
}
