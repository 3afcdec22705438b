//! What every provider of message endpoints must pass.
//!
//! A provider's tests build a [`Rig`] of hosts for each of [`CASES`] and run it, with a handful of seeds, and with every fault
//! that the provider can make. A case panics with the seed and with what was expected and what came. It compares every
//! message with the one that was sent, byte for byte, in the order of sending, for each pair of hosts.

use super::event::{Event, MessageId, SendError, UnreachableReason};
use crate::id::UniqueId;
use crate::time::Time;
use bytes::Bytes;
use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

/// Hosts with an endpoint each, and the means to let them work.
pub trait Rig {
    /// How many hosts there are.
    fn hosts(&self) -> usize;
    /// The unique id of a host.
    fn unique_id(&self, host: usize) -> UniqueId;
    /// The clock.
    fn now(&self) -> Time;
    /// The longest message that can be sent.
    fn max_message(&self) -> usize;
    /// Connects one host with another, by every path that there is.
    fn connect(&mut self, from: usize, to: usize);
    /// Sends a message.
    fn send(&mut self, from: usize, to: usize, message: Bytes) -> Result<MessageId, SendError>;
    /// What happened at a host that is on.
    fn poll_event(&mut self, host: usize) -> Option<Event>;
    /// Lets some time pass: little enough that it matters to nobody when events are looked at.
    fn advance(&mut self);
    /// Ends a host's endpoint without a word.
    fn stop(&mut self, host: usize);
    /// Starts a host's endpoint afresh, ending the one before without a word.
    fn restart(&mut self, host: usize);
}

/// A case of the suite.
#[derive(Clone, Copy)]
pub struct Case {
    /// Its name.
    pub name: &'static str,
    /// How many hosts it needs.
    pub hosts: usize,
    /// The case itself, with a seed.
    pub run: fn(&mut dyn Rig, u64),
}

/// Every case.
pub const CASES: &[Case] = &[
    Case { name: "order", hosts: 2, run: order },
    Case { name: "sizes", hosts: 2, run: sizes },
    Case { name: "bidirectional", hosts: 2, run: bidirectional },
    Case { name: "many_peers", hosts: 8, run: many_peers },
    Case { name: "back_pressure", hosts: 2, run: back_pressure },
    Case { name: "slow_reader", hosts: 3, run: slow_reader },
    Case { name: "restart", hosts: 3, run: restart },
    Case { name: "unreachable", hosts: 3, run: unreachable },
    Case { name: "errors", hosts: 2, run: errors },
];

/// The time in which a case must be through, on the rig's clock.
const LIMIT: Duration = Duration::from_secs(20);

/// Bytes that follow from their length and a salt, so that a mix-up shows.
pub fn pattern(len: usize, salt: u64) -> Bytes {
    let mut bytes = vec![0u8; len];
    fastrand::Rng::with_seed(salt ^ (len as u64) << 40).fill(&mut bytes);
    bytes.into()
}

/// The reference: what was sent and has not come, for each pair of hosts, in order.
#[derive(Default)]
pub struct Ledger {
    due: BTreeMap<(usize, usize), VecDeque<Bytes>>,
    /// Messages that were sent and are not reported as delivered, by sender and receiver, in order.
    unreported: BTreeMap<(usize, usize), VecDeque<MessageId>>,
}

impl Ledger {
    /// Sends a message and notes it; panics if it is not taken.
    pub fn send(&mut self, rig: &mut dyn Rig, from: usize, to: usize, message: Bytes) {
        self.try_send(rig, from, to, message).unwrap_or_else(|e| panic!("host {from} to host {to}: {e}"));
    }

    /// Sends a message, and notes it if it is taken.
    pub fn try_send(&mut self, rig: &mut dyn Rig, from: usize, to: usize, message: Bytes) -> Result<(), SendError> {
        let id = rig.send(from, to, message.clone())?;
        self.due.entry((from, to)).or_default().push_back(message);
        self.unreported.entry((from, to)).or_default().push_back(id);
        Ok(())
    }

    /// Forgets what one host sent to another.
    pub fn forget(&mut self, from: usize, to: usize) {
        self.due.remove(&(from, to));
        self.unreported.remove(&(from, to));
    }

    /// True if everything has come and was reported.
    pub fn is_settled(&self) -> bool {
        self.due.values().all(VecDeque::is_empty) && self.unreported.values().all(VecDeque::is_empty)
    }

    /// Messages that have not come.
    pub fn outstanding(&self) -> usize {
        self.due.values().map(VecDeque::len).sum()
    }

    /// Takes the events of `hosts`, checks messages and reports, and returns the other events with their hosts.
    pub fn take_events(&mut self, rig: &mut dyn Rig, hosts: &[usize]) -> Vec<(usize, Event)> {
        let ids: Vec<UniqueId> = (0..rig.hosts()).map(|h| rig.unique_id(h)).collect();
        let host_of = |id: UniqueId| ids.iter().position(|&i| i == id);
        let mut others = Vec::new();
        for &host in hosts {
            while let Some(event) = rig.poll_event(host) {
                match event {
                    Event::Message { peer, message } => {
                        let from = host_of(peer).unwrap_or_else(|| panic!("a message from a stranger, {peer}"));
                        self.check_message(from, host, &message);
                    }
                    Event::Delivered { peer, id } => {
                        let to = host_of(peer).unwrap_or_else(|| panic!("a report of a stranger, {peer}"));
                        let wanted = self.unreported.get_mut(&(host, to)).and_then(VecDeque::pop_front);
                        assert_eq!(wanted, Some(id), "host {host}: the next message delivered to host {to}");
                    }
                    other => others.push((host, other)),
                }
            }
        }
        others
    }

    fn check_message(&mut self, from: usize, to: usize, message: &Bytes) {
        let wanted = self.due.get_mut(&(from, to)).and_then(VecDeque::pop_front);
        let Some(wanted) = wanted else {
            panic!("host {to} got a message of {} bytes from host {from} that is not due", message.len())
        };
        let differs = wanted.iter().zip(message).position(|(a, b)| a != b);
        assert!(
            *message == wanted,
            "host {to}: {} bytes from host {from} where {} were sent; the first difference is at {differs:?}",
            message.len(),
            wanted.len(),
        );
    }

    /// Lets time pass until everything has come and was reported; returns the other events.
    pub fn settle(&mut self, rig: &mut dyn Rig, hosts: &[usize]) -> Vec<(usize, Event)> {
        let start = rig.now();
        let mut others = self.take_events(rig, hosts);
        while !self.is_settled() {
            assert!(
                rig.now() - start < LIMIT,
                "{} messages have not come and {} were not reported after {LIMIT:?}; other events: {others:?}",
                self.outstanding(),
                self.unreported.values().map(VecDeque::len).sum::<usize>(),
            );
            rig.advance();
            others.extend(self.take_events(rig, hosts));
        }
        others
    }

    /// Lets time pass until an event is there that `wanted` accepts; returns the others before it, and it.
    pub fn await_event(
        &mut self,
        rig: &mut dyn Rig,
        hosts: &[usize],
        what: &str,
        wanted: impl Fn(usize, &Event) -> bool,
    ) -> Vec<(usize, Event)> {
        let start = rig.now();
        let mut others = Vec::new();
        loop {
            others.extend(self.take_events(rig, hosts));
            if others.iter().any(|(h, e)| wanted(*h, e)) {
                return others;
            }
            assert!(rig.now() - start < LIMIT, "{what} did not happen in {LIMIT:?}; but: {others:?}");
            rig.advance();
        }
    }
}

/// Many small messages come in the order in which they were sent.
fn order(rig: &mut dyn Rig, seed: u64) {
    let mut rng = fastrand::Rng::with_seed(seed);
    let mut ledger = Ledger::default();
    rig.connect(0, 1);
    for i in 0..400 {
        let len = rng.usize(0..600);
        ledger.send(rig, 0, 1, pattern(len, seed ^ i));
        if rng.u8(..) < 30 {
            rig.advance();
        }
    }
    let others = ledger.settle(rig, &[0, 1]);
    let connected = |host: usize, peer: usize| (host, Event::Connected { peer: rig.unique_id(peer) });
    assert!(others.contains(&connected(0, 1)) && others.contains(&connected(1, 0)), "{others:?}");
}

/// Messages of every size come whole: empty ones, around one and several frames, a mebibyte.
fn sizes(rig: &mut dyn Rig, seed: u64) {
    let mut ledger = Ledger::default();
    rig.connect(0, 1);
    for len in [0, 1, 2, 63, 4095, 4096, 4097, 8191, 8192, 8193, 65_536, 100_003, 0, 1 << 20, (1 << 20) + 1, 5] {
        if len <= rig.max_message() {
            ledger.send(rig, 0, 1, pattern(len, seed));
        }
    }
    ledger.settle(rig, &[0, 1]);
}

/// Both sides open at once and send at once.
fn bidirectional(rig: &mut dyn Rig, seed: u64) {
    let mut rng = fastrand::Rng::with_seed(seed);
    let mut ledger = Ledger::default();
    rig.connect(0, 1);
    rig.connect(1, 0);
    for i in 0..200 {
        let (from, len) = (rng.usize(0..2), rng.usize(0..20_000));
        ledger.send(rig, from, 1 - from, pattern(len, seed ^ i));
        if rng.u8(..) < 100 {
            rig.advance();
        }
    }
    ledger.settle(rig, &[0, 1]);
}

/// Eight hosts, each with all others.
fn many_peers(rig: &mut dyn Rig, seed: u64) {
    let mut rng = fastrand::Rng::with_seed(seed);
    let mut ledger = Ledger::default();
    let hosts: Vec<usize> = (0..8).collect();
    for from in 0..8 {
        for to in (0..8).filter(|&to| to != from) {
            rig.connect(from, to);
        }
    }
    for i in 0..300 {
        let (from, step, len) = (rng.usize(0..8), rng.usize(1..8), rng.usize(0..10_000));
        ledger.send(rig, from, (from + step) % 8, pattern(len, seed ^ i));
        if rng.u8(..) < 60 {
            rig.advance();
        }
    }
    ledger.settle(rig, &hosts);
}

/// A sender that is faster than the fabric is told so, and told when to go on; nothing is lost by it.
fn back_pressure(rig: &mut dyn Rig, seed: u64) {
    let mut ledger = Ledger::default();
    let len = rig.max_message().min(1 << 20);
    rig.connect(0, 1);
    let mut refused = 0;
    for round in 0..2 {
        let mut blocked = false;
        for i in 0..200 {
            match ledger.try_send(rig, 0, 1, pattern(len / 8, seed ^ (round << 32) ^ i)) {
                Ok(()) => {}
                Err(SendError::WouldBlock { .. }) => {
                    blocked = true;
                    refused += 1;
                    break;
                }
                Err(e) => panic!("expected that it would block, got: {e}"),
            }
        }
        let peer = rig.unique_id(1);
        if blocked {
            ledger.await_event(rig, &[0, 1], "writable", |h, e| h == 0 && *e == Event::Writable { peer });
        }
        ledger.settle(rig, &[0, 1]);
    }
    assert!(refused == 2, "25 MB to one peer were never too much: give the rig less send memory");
}

/// A host that does not take its messages stops their sender after a bounded amount, and no other one.
fn slow_reader(rig: &mut dyn Rig, seed: u64) {
    let mut ledger = Ledger::default();
    rig.connect(0, 1);
    rig.connect(0, 2);
    let peer = rig.unique_id(1);
    let mut sent = 0;
    let mut patience = rig.now() + LIMIT / 100;
    let mut message = pattern(50_000, seed);
    while rig.now() < patience {
        match ledger.try_send(rig, 0, 1, message.clone()) {
            Ok(()) => {
                sent += 1;
                assert!(sent < 2_000, "{sent} messages of 50,000 bytes were taken, and nobody reads them");
                message = pattern(50_000, seed ^ sent);
                patience = rig.now() + LIMIT / 100;
            }
            Err(SendError::WouldBlock { .. }) => {
                rig.advance();
                ledger.take_events(rig, &[0]);
            }
            Err(e) => panic!("expected that it would block, got: {e}"),
        }
    }
    ledger.send(rig, 0, 2, pattern(10_000, seed));
    let start = rig.now();
    while ledger.due[&(0, 2)].front().is_some() {
        assert!(rig.now() - start < LIMIT, "a peer that reads gets nothing while another one does not read");
        rig.advance();
        ledger.take_events(rig, &[0, 2]);
    }
    let others = ledger.settle(rig, &[0, 1, 2]);
    assert!(others.contains(&(0, Event::Writable { peer })), "{others:?}");
}

/// A host that starts afresh gets nothing that was sent to it before, and the sender knows.
fn restart(rig: &mut dyn Rig, seed: u64) {
    let mut ledger = Ledger::default();
    rig.connect(0, 1);
    rig.connect(2, 1);
    ledger.send(rig, 0, 1, pattern(1000, seed));
    ledger.send(rig, 2, 1, pattern(1000, seed ^ 1));
    ledger.settle(rig, &[0, 1, 2]);
    for i in 0..20 {
        ledger.send(rig, 0, 1, pattern(30_000, seed ^ 100 ^ i));
    }
    let mut rng = fastrand::Rng::with_seed(seed);
    (0..rng.usize(0..8)).for_each(|_| rig.advance());
    ledger.take_events(rig, &[1]);
    rig.restart(1);
    // What was sent before is not due any more: a message of it would be one that nobody sent.
    ledger.forget(0, 1);
    let peer = rig.unique_id(1);
    let start = rig.now();
    let mut restarted = false;
    while !restarted {
        assert!(rig.now() - start < LIMIT, "the restart of a peer was not noticed");
        rig.advance();
        // Late reports of what had arrived in time are no news; messages at the new incarnation would be.
        while let Some(event) = rig.poll_event(0) {
            restarted |= event == Event::PeerRestarted { peer };
        }
        ledger.take_events(rig, &[1]);
    }
    ledger.send(rig, 0, 1, pattern(50_000, seed ^ 7));
    ledger.settle(rig, &[0, 1]);
}

/// A host that is gone is reported with a reason, and costs no other one anything.
fn unreachable(rig: &mut dyn Rig, seed: u64) {
    let mut ledger = Ledger::default();
    rig.connect(0, 1);
    rig.connect(0, 2);
    ledger.send(rig, 0, 1, pattern(10_000, seed));
    ledger.settle(rig, &[0, 1]);
    rig.stop(1);
    let peer = rig.unique_id(1);
    rig.send(0, 1, pattern(10_000, seed)).unwrap_or_else(|e| panic!("to a peer that is not known to be gone: {e}"));
    ledger.send(rig, 0, 2, pattern(100_000, seed));
    let gone = |h: usize, e: &Event| h == 0 && matches!(e, Event::PeerUnreachable { peer: p, .. } if *p == peer);
    let events = ledger.await_event(rig, &[0, 2], "unreachable", gone);
    let reason = events.iter().find_map(|(_, e)| match e {
        Event::PeerUnreachable { reason, .. } => Some(*reason),
        _ => None,
    });
    assert!(matches!(reason, Some(UnreachableReason::Silent(_))), "{reason:?}");
    ledger.settle(rig, &[0, 2]);
    assert_eq!(rig.send(0, 1, Bytes::new()), Err(SendError::NoSuchPeer { peer }));

    rig.connect(0, 1);
    let events = ledger.await_event(rig, &[0, 2], "unreachable", gone);
    let no_answer =
        |(_, e): &(usize, Event)| matches!(e, Event::PeerUnreachable { reason: UnreachableReason::NoAnswer(_), .. });
    assert!(events.iter().any(no_answer), "{events:?}");
}

/// What cannot be sent is refused with the reason.
fn errors(rig: &mut dyn Rig, _seed: u64) {
    let peer = rig.unique_id(1);
    assert_eq!(rig.send(0, 1, Bytes::new()), Err(SendError::NoSuchPeer { peer }));
    rig.connect(0, 1);
    let max = rig.max_message();
    let too_long = SendError::TooLong { len: max + 1, max };
    assert_eq!(rig.send(0, 1, Bytes::from(vec![0; max + 1])), Err(too_long));
}
