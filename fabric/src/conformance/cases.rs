//! The cases.

use super::sample::{every_header, pattern};
use super::{Case, LIMIT, Rig, drain, receive, wait};
use crate::protocol::{Addressing, Group, Path, PortError, Received, Transmit};
use crate::route::Route;
use crate::wire::Packet;
use crate::wire::probe::Probe;
use bytes::Bytes;
use std::collections::BTreeSet;
use std::time::Duration;

/// Every case.
pub const CASES: &[Case] = &[
    Case { name: "unique_ids", hosts: 3, run: unique_ids },
    Case { name: "kinds", hosts: 2, run: kinds },
    Case { name: "sizes", hosts: 2, run: sizes },
    Case { name: "too_large", hosts: 2, run: too_large },
    Case { name: "foreign_paths", hosts: 2, run: foreign_paths },
    Case { name: "order", hosts: 2, run: order },
    Case { name: "everybody_to_everybody", hosts: 4, run: everybody_to_everybody },
    Case { name: "receiving_does_not_block", hosts: 2, run: receiving_does_not_block },
    Case { name: "waiting_for_the_deadline", hosts: 2, run: waiting_for_the_deadline },
    Case { name: "waiting_for_a_frame", hosts: 2, run: waiting_for_a_frame },
    Case { name: "waiting_for_room", hosts: 2, run: waiting_for_room },
    Case { name: "damaged_frames", hosts: 2, run: damaged_frames },
    Case { name: "slow_receiver", hosts: 3, run: slow_receiver },
    Case { name: "groups", hosts: 4, run: groups },
];

/// How long nothing must come until nothing more is expected to.
const QUIET: Duration = Duration::from_millis(100);

fn numbered(nonce: u32, payload: Bytes) -> Packet {
    Packet::with_payload(Probe { session: 7, nonce }, payload)
}

/// Sends a packet as soon as there is room.
fn send(rig: &mut dyn Rig, from: usize, path: Path, packet: Packet) {
    let port = rig.port(from);
    let deadline = port.now() + LIMIT;
    while !port.can_send() {
        assert!(port.now() < deadline, "host {from} has no room to send for {LIMIT:?}");
        wait(port, deadline);
    }
    port.send(Transmit::new(path, packet)).unwrap_or_else(|error| panic!("host {from} sends: {error}"));
    port.flush().unwrap_or_else(|error| panic!("host {from} flushes: {error}"));
}

/// Sends a packet from one host to another, and expects it there, and it alone.
fn cross(rig: &mut dyn Rig, from: usize, to: usize, packet: Packet) {
    let path = rig.path(from, to);
    send(rig, from, path, packet.clone());
    let received = receive(rig, to);
    assert!(received == Received::Packet(packet.clone()), "{from} to {to}: sent {packet:?}, received {received:?}");
}

fn unique_ids(rig: &mut dyn Rig) {
    let ids: BTreeSet<_> = (0..rig.hosts()).map(|host| rig.port(host).unique_id()).collect();
    assert_eq!(ids.len(), rig.hosts(), "each host has its own unique id");
    let again: BTreeSet<_> = (0..rig.hosts()).map(|host| rig.port(host).unique_id()).collect();
    assert_eq!(ids, again, "an id stays");
}

/// A header of every kind arrives as it was sent, with a payload and without.
fn kinds(rig: &mut dyn Rig) {
    for header in every_header() {
        cross(rig, 0, 1, Packet::new(header));
        cross(rig, 1, 0, Packet::with_payload(header, pattern(100, 1)));
    }
}

/// Payloads of every size up to 300 bytes, around powers of two, and up to the largest arrive intact.
fn sizes(rig: &mut dyn Rig) {
    let max = rig.port(0).limits().max_payload;
    assert!(max >= 1024, "a payload of {max} bytes is too small for the protocols");
    let around = (9..17).flat_map(|power| [(1 << power) - 1, 1 << power, (1 << power) + 1]);
    let sizes = (0..=300).chain(around).chain(max.saturating_sub(20)..=max);
    for size in sizes.filter(|&size| size <= max).collect::<BTreeSet<_>>() {
        cross(rig, 0, 1, numbered(size as u32, pattern(size, 2)));
    }
}

/// One byte more than the largest payload is refused; and the port goes on.
fn too_large(rig: &mut dyn Rig) {
    let limits = rig.port(0).limits();
    let max = limits.long_payload;
    let path = rig.path(0, 1);
    let packet = numbered(0, pattern(max + 1, 3));
    match rig.port(0).send(Transmit::new(path, packet)) {
        Err(PortError::TooLarge { len, max: named }) => assert_eq!((len, named), (max + 1, max)),
        other => panic!("{} bytes of payload are one too many; got {other:?}", max + 1),
    }
    cross(rig, 0, 1, numbered(1, pattern(limits.max_payload, 3)));
}

/// A path of a kind that the fabric does not have is refused.
fn foreign_paths(rig: &mut dyn Rig) {
    let id = rig.port(1).unique_id();
    let foreign = match rig.port(0).limits().addressing {
        Addressing::Hops => vec![Path::Card(id), Path::Group(Group(1))],
        Addressing::Cards => {
            vec![Path::Hops(Route::EMPTY), Path::Hops(Route::from_bytes(&[0x81, 0x82]).expect("hops"))]
        }
    };
    for path in foreign {
        match rig.port(0).send(Transmit::new(path, numbered(0, Bytes::new()))) {
            Err(PortError::Path(named)) => assert_eq!(named, path),
            other => panic!("this fabric has no such paths: {path}; got {other:?}"),
        }
    }
    cross(rig, 0, 1, numbered(1, Bytes::new()));
}

/// Frames on one path come in the order in which they were sent, once each.
fn order(rig: &mut dyn Rig) {
    let path = rig.path(0, 1);
    let mut rng = fastrand::Rng::with_seed(4);
    let mut next = 0;
    while next < 1_000 {
        let burst = rng.u32(1..=8);
        for nonce in next..next + burst {
            send(rig, 0, path, numbered(nonce, pattern(rng.usize(..1024), nonce.into())));
        }
        for nonce in next..next + burst {
            match receive(rig, 1) {
                Received::Packet(packet) => {
                    let expected = numbered(nonce, pattern(packet.payload.len(), nonce.into()));
                    assert!(packet == expected, "the next frame is {:?}, got {:?}", expected.header, packet.header);
                }
                Received::Rejected(error) => panic!("frame {nonce} of an undamaged series was rejected: {error}"),
            }
        }
        next += burst;
    }
    assert_eq!(drain(rig, 1, QUIET), [], "nothing comes twice");
}

fn everybody_to_everybody(rig: &mut dyn Rig) {
    for from in 0..rig.hosts() {
        for to in (0..rig.hosts()).filter(|&to| to != from) {
            cross(rig, from, to, numbered((from * 10 + to) as u32, pattern(64, from as u64)));
        }
    }
    for host in 0..rig.hosts() {
        assert_eq!(drain(rig, host, QUIET), [], "host {host} got what was not for it");
    }
}

fn receiving_does_not_block(rig: &mut dyn Rig) {
    for _ in 0..100 {
        let found = rig.port(0).recv().expect("an open port receives");
        assert_eq!(found, None, "nobody has sent anything");
    }
    cross(rig, 1, 0, numbered(1, Bytes::new()));
    assert_eq!(rig.port(0).recv().expect("an open port receives"), None);
}

/// Without frames a wait lasts until its deadline; and a deadline that is over is none to wait for.
fn waiting_for_the_deadline(rig: &mut dyn Rig) {
    let port = rig.port(0);
    for micros in [0, 50, 3_000, 40_000] {
        let deadline = port.now() + Duration::from_micros(micros);
        while port.now() < deadline {
            wait(port, deadline);
            assert_eq!(port.recv().expect("an open port receives"), None, "nobody has sent anything");
        }
        wait(port, deadline);
    }
}

/// A frame ends a wait, whether it came before the wait or comes meanwhile.
fn waiting_for_a_frame(rig: &mut dyn Rig) {
    for nonce in 0..50 {
        let path = rig.path(0, 1);
        send(rig, 0, path, numbered(nonce, Bytes::new()));
        let port = rig.port(1);
        let deadline = port.now() + LIMIT;
        let mut found = None;
        // A wait may end early, but not all the time.
        for _ in 0..1_000 {
            found = port.recv().expect("an open port receives");
            if found.is_some() {
                break;
            }
            wait(port, deadline);
        }
        assert_eq!(found, Some(Received::Packet(numbered(nonce, Bytes::new()))), "a frame was waited for");
        assert!(port.now() < deadline, "the wait lasted until its deadline, with a frame there");
    }
}

/// A port that is full says so; frames sent all the same are lost without an error; room that comes back ends a wait.
fn waiting_for_room(rig: &mut dyn Rig) {
    let path = rig.path(0, 1);
    let max = rig.port(0).limits().max_payload;
    rig.hold(true);
    let port = rig.port(0);
    let mut taken = 0;
    while port.can_send() {
        port.send(Transmit::new(path, numbered(taken, pattern(max, 6)))).expect("there is room");
        taken += 1;
        assert!(taken < 100_000, "{taken} of the largest frames were taken, and the fabric takes none");
    }
    port.send(Transmit::new(path, numbered(u32::MAX, pattern(max, 6)))).expect("a frame without room is just lost");
    rig.hold(false);
    let port = rig.port(0);
    let deadline = port.now() + LIMIT;
    while !port.can_send() {
        assert!(port.now() < deadline, "room did not come back in {LIMIT:?}");
        wait(port, deadline);
    }
    assert!(port.now() < deadline, "the wait lasted until its deadline, with room there");
    for received in drain(rig, 1, QUIET) {
        let Received::Packet(packet) = received else { panic!("damaged: {received:?}") };
        assert!(packet.header != numbered(u32::MAX, Bytes::new()).header, "this frame was sent when there was no room");
    }
    cross(rig, 0, 1, numbered(0, pattern(max, 6)));
}

/// What is no frame of ours, or was damaged, is rejected and counted, and disturbs no other frame.
fn damaged_frames(rig: &mut dyn Rig) {
    let mut kind = 0;
    while rig.damage(0, 1, kind) {
        let received = receive(rig, 1);
        assert!(matches!(received, Received::Rejected(_)), "damage {kind}: this is no frame, but: {received:?}");
        kind += 1;
        assert_eq!(rig.rejected(1), kind as u64, "each rejected frame is counted once");
        cross(rig, 0, 1, numbered(kind as u32, pattern(50, 7)));
    }
    assert!(kind > 0, "the rig knows no damage: exempt the provider, with the reason");
}

/// A host that does not receive costs the others nothing: neither those that send to it nor those beside it.
fn slow_receiver(rig: &mut dyn Rig) {
    let (slow, other) = (rig.path(0, 1), rig.path(0, 2));
    let max = rig.port(0).limits().max_payload;
    let flood = pattern(max, 8);
    for nonce in 0..50 {
        for i in 0..200 {
            send(rig, 0, slow, numbered(nonce * 1_000 + i, flood.clone()));
        }
        send(rig, 0, other, numbered(nonce, pattern(64, 9)));
        assert_eq!(receive(rig, 2), Received::Packet(numbered(nonce, pattern(64, 9))));
        cross(rig, 2, 0, numbered(nonce, pattern(64, 9)));
    }
    let flooded = drain(rig, 1, QUIET);
    assert!(flooded.len() > 4, "{} frames waited for the host that did not receive", flooded.len());
    cross(rig, 2, 1, numbered(0, pattern(max, 9)));
}

/// A frame to a group reaches every other host once, and paths by card only the card.
fn groups(rig: &mut dyn Rig) {
    if rig.port(0).limits().addressing != Addressing::Cards {
        return;
    }
    for host in 1..rig.hosts() {
        (0..3).for_each(|group| rig.port(host).join(Group(group)).expect("a fabric that has groups lets a host join"));
    }
    for nonce in 0..20 {
        let packet = numbered(nonce, pattern(500, nonce.into()));
        send(rig, 0, Path::Group(Group(nonce as u16 % 3)), packet.clone());
        for host in 1..rig.hosts() {
            assert_eq!(receive(rig, host), Received::Packet(packet.clone()), "host {host}");
        }
    }
    for host in 0..rig.hosts() {
        assert_eq!(drain(rig, host, QUIET), [], "host {host}: one copy each, and none for the sender");
    }
}
