//! The layers around a port that hands back what it is given.

use super::pcap::LINKTYPE_USER0;
use super::{FaultCounts, FaultInjector, Faults, Pcap, Trace};
use crate::id::UniqueId;
use crate::protocol::{Addressing, Port, PortError, PortLimits, Received, Transmit};
use crate::route::Route;
use crate::time::Time;
use crate::wire::probe::Probe;
use crate::wire::{Packet, WireError, frame};
use bytes::Bytes;
use std::collections::VecDeque;
use std::io::{self, Write};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// What it sends comes back at once; its clock stands still but in `wait`.
struct Mirror {
    now: Time,
    room: usize,
    inbox: VecDeque<Received>,
}

impl Mirror {
    fn new() -> Mirror {
        Mirror { now: Time::from_nanos(1_500), room: usize::MAX, inbox: VecDeque::new() }
    }

    /// A frame that was rejected is there to be received first.
    fn with_rejected(error: WireError) -> Mirror {
        Mirror { inbox: [Received::Rejected(error)].into(), ..Mirror::new() }
    }
}

impl Port for Mirror {
    fn unique_id(&self) -> UniqueId {
        UniqueId(0xabc)
    }
    fn limits(&self) -> PortLimits {
        PortLimits { addressing: Addressing::Hops, max_payload: 4096, long_payload: 4096, rate_bits_per_s: None }
    }
    fn now(&self) -> Time {
        self.now
    }
    fn can_send(&self) -> bool {
        self.room > 0
    }
    fn send(&mut self, transmit: Transmit) -> Result<(), PortError> {
        assert!(self.room > 0, "sent without room");
        self.room -= 1;
        self.inbox.push_back(Received::Packet(transmit.packet));
        Ok(())
    }
    fn recv(&mut self) -> Result<Option<Received>, PortError> {
        Ok(self.inbox.pop_front())
    }
    fn wait(&mut self, deadline: Time) -> Result<(), PortError> {
        self.now = self.now.max(deadline);
        self.room = self.room.saturating_add(1);
        Ok(())
    }
}

fn probe(nonce: u32) -> Packet {
    Packet::with_payload(Probe { session: 1, nonce }, Bytes::from_static(&[0x81, 0x82, 0x83]))
}

fn transmit(nonce: u32) -> Transmit {
    Transmit::new("818283".parse::<Route>().unwrap(), probe(nonce))
}

fn nonce(received: &Received) -> Option<u32> {
    match received {
        Received::Packet(Packet { header: crate::wire::Header::Probe(p), .. }) => Some(p.nonce),
        _ => None,
    }
}

/// Sends `count` probes, and receives for as long as anything comes.
fn exchange(port: &mut impl Port, count: u32) -> Vec<Received> {
    let mut received = Vec::new();
    for nonce in 0..count {
        port.send(transmit(nonce)).unwrap();
        received.extend(std::iter::from_fn(|| port.recv().unwrap()));
    }
    for _ in 0..1000 {
        port.wait(port.now() + Duration::from_micros(10)).unwrap();
        received.extend(std::iter::from_fn(|| port.recv().unwrap()));
    }
    received
}

fn inject(sending: Faults, receiving: Faults) -> (Vec<Received>, FaultCounts) {
    let mut port = FaultInjector::new(Mirror::new(), sending, receiving, 7);
    let received = exchange(&mut port, 1000);
    (received, port.counts())
}

#[test]
fn without_faults_everything_passes() {
    let (received, counts) = inject(Faults::default(), Faults::default());
    assert!(received.iter().filter_map(nonce).eq(0..1000));
    assert_eq!(counts, FaultCounts::default());
}

#[test]
fn dropped_frames_are_missing_in_both_directions() {
    let faults = Faults { drop: 0.1, ..Faults::default() };
    for (sending, receiving) in [(faults, Faults::default()), (Faults::default(), faults)] {
        let (received, counts) = inject(sending, receiving);
        assert!((50..150).contains(&counts.dropped), "{counts:?}");
        assert_eq!(received.len() as u64, 1000 - counts.dropped);
    }
}

#[test]
fn damaged_frames_are_rejected() {
    let (received, counts) = inject(Faults::default(), Faults { corrupt: 0.1, ..Faults::default() });
    let rejected: Vec<&Received> = received.iter().filter(|r| matches!(r, Received::Rejected(_))).collect();
    assert!((50..150).contains(&counts.corrupted), "{counts:?}");
    assert_eq!((received.len(), rejected.len() as u64), (1000, counts.corrupted));
    assert!(rejected.iter().any(|r| matches!(r, Received::Rejected(WireError::Crc { .. }))));

    let (received, counts) = inject(Faults { corrupt: 0.1, ..Faults::default() }, Faults::default());
    assert_eq!(received.len() as u64, 1000 - counts.corrupted);
}

#[test]
fn doubled_frames_come_twice() {
    let faults = Faults { duplicate: 0.1, ..Faults::default() };
    for (sending, receiving) in [(faults, Faults::default()), (Faults::default(), faults)] {
        let (received, counts) = inject(sending, receiving);
        assert!((50..150).contains(&counts.duplicated), "{counts:?}");
        assert_eq!(received.len() as u64, 1000 + counts.duplicated);
    }
}

#[test]
fn late_frames_are_overtaken_but_come() {
    let faults = Faults { delay: 0.5, max_delay: Duration::from_millis(1), ..Faults::default() };
    for (sending, receiving) in [(faults, Faults::default()), (Faults::default(), faults)] {
        let (received, counts) = inject(sending, receiving);
        let mut nonces: Vec<u32> = received.iter().filter_map(nonce).collect();
        assert!((400..600).contains(&counts.delayed), "{counts:?}");
        assert!(!nonces.is_sorted());
        nonces.sort_unstable();
        assert!(nonces.into_iter().eq(0..1000));
    }
}

#[test]
fn a_late_frame_comes_when_it_is_due_and_not_before() {
    let faults = Faults { delay: 1.0, max_delay: Duration::from_millis(1), ..Faults::default() };
    let mut port = FaultInjector::new(Mirror::new(), Faults::default(), faults, 1);
    port.send(transmit(0)).unwrap();
    assert_eq!(port.recv().unwrap(), None);
    let before = port.now();
    port.wait(Time::MAX).unwrap();
    let lateness = port.now() - before;
    assert!(lateness > Duration::ZERO && lateness < Duration::from_millis(1), "{lateness:?}");
    assert!(port.recv().unwrap().is_some());
}

#[test]
fn a_held_frame_waits_for_room() {
    let twice = Faults { duplicate: 1.0, ..Faults::default() };
    let mut port = FaultInjector::new(Mirror { room: 1, ..Mirror::new() }, twice, Faults::default(), 1);
    port.send(transmit(0)).unwrap();
    assert!(!port.can_send());
    assert!(port.recv().unwrap().is_some());
    assert!(port.recv().unwrap().is_none());
    port.wait(port.now() + Duration::from_micros(1)).unwrap();
    assert!(port.recv().unwrap().is_some());
}

#[test]
fn one_seed_gives_the_same_faults() {
    let faults = Faults { drop: 0.1, corrupt: 0.1, duplicate: 0.1, delay: 0.3, max_delay: Duration::from_millis(1) };
    assert_eq!(inject(faults, faults), inject(faults, faults));
}

/// Splits a capture into its blocks' types and bodies.
fn blocks(mut capture: &[u8]) -> Vec<(u32, Vec<u8>)> {
    let word = |bytes: &[u8], at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap());
    let mut found = Vec::new();
    while !capture.is_empty() {
        let len = word(capture, 4) as usize;
        assert_eq!(word(capture, len - 4) as usize, len);
        assert_eq!(len % 4, 0);
        found.push((word(capture, 0), capture[8..len - 4].to_vec()));
        capture = &capture[len..];
    }
    found
}

#[test]
fn a_capture_holds_whole_frames() {
    let mut port = Pcap::new(Mirror::with_rejected(WireError::Version(9)), Vec::new()).unwrap();
    port.send(transmit(9)).unwrap();
    port.recv().unwrap().unwrap();
    port.recv().unwrap().unwrap();
    let (_, capture) = port.finish();

    let blocks = blocks(&capture.unwrap());
    assert_eq!(blocks.iter().map(|b| b.0).collect::<Vec<_>>(), [0x0a0d_0d0a, 1, 6, 6]);
    assert_eq!(blocks[1].1[..2], LINKTYPE_USER0.to_le_bytes());
    let sent = frame::encode(&"818283".parse().unwrap(), &probe(9));
    let bytes_of = |body: &[u8]| {
        let len = u32::from_le_bytes(body[12..16].try_into().unwrap()) as usize;
        body[20..20 + len].to_vec()
    };
    assert_eq!(bytes_of(&blocks[2].1), sent);
    assert_eq!(bytes_of(&blocks[3].1), sent[3..]);
    assert_eq!(blocks[2].1[4..12], [[0; 4], 1500u32.to_le_bytes()].concat());
    assert_eq!([2, 3].map(|b| blocks[b].1[blocks[b].1.len() - 8]), [2, 1], "sent, received");
}

/// Takes so many bytes and then fails.
struct FullDisk(usize);

impl Write for FullDisk {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 = self.0.checked_sub(bytes.len()).ok_or(io::ErrorKind::StorageFull)?;
        Ok(bytes.len())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_capture_that_cannot_be_written_ends_and_says_so() {
    let mut port = Pcap::new(Mirror::new(), FullDisk(300)).unwrap();
    assert_eq!(exchange(&mut port, 20).len(), 20);
    assert_eq!(port.finish().1.map(|_| ()).unwrap_err().kind(), io::ErrorKind::StorageFull);
}

/// Keeps each event as a line of its fields.
struct Lines(Arc<Mutex<Vec<String>>>);

impl tracing::Subscriber for Lines {
    fn enabled(&self, _: &tracing::Metadata<'_>) -> bool {
        true
    }
    fn new_span(&self, _: &tracing::span::Attributes<'_>) -> tracing::span::Id {
        tracing::span::Id::from_u64(1)
    }
    fn record(&self, _: &tracing::span::Id, _: &tracing::span::Record<'_>) {}
    fn record_follows_from(&self, _: &tracing::span::Id, _: &tracing::span::Id) {}
    fn event(&self, event: &tracing::Event<'_>) {
        struct Line(String);
        impl tracing::field::Visit for Line {
            fn record_debug(&mut self, field: &tracing::field::Field, value: &dyn std::fmt::Debug) {
                self.0 += &format!(" {field}={value:?}");
            }
        }
        let mut line = Line(event.metadata().target().to_owned());
        event.record(&mut line);
        self.0.lock().unwrap().push(line.0);
    }
    fn enter(&self, _: &tracing::span::Id) {}
    fn exit(&self, _: &tracing::span::Id) {}
}

#[test]
fn a_trace_has_one_line_a_frame() {
    let lines = Arc::new(Mutex::new(Vec::new()));
    tracing::subscriber::with_default(Lines(lines.clone()), || {
        let mut port = Trace::new(Mirror::with_rejected(WireError::UnknownKind(9)));
        port.send(transmit(9)).unwrap();
        port.recv().unwrap().unwrap();
        port.recv().unwrap().unwrap();
        assert_eq!(port.recv().unwrap(), None);
    });
    let start = "twowire::frames at=0.002 ms host=0x0000000000000abc";
    let header = "header=Probe(Probe { session: 1, nonce: 9 }) payload=3";
    assert_eq!(
        *lines.lock().unwrap(),
        [
            format!("{start} way=\">\" path=818283 {header}"),
            format!("{start} way=\"!\" error=unknown kind 0x09"),
            format!("{start} way=\"<\" {header}"),
        ]
    );
}
