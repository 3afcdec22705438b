use super::*;
use crate::protocol::{Port, PortError, Received, drive};
use crate::responder::Responder;
use crate::wire::{Header, WireError};

/// A host that answers probes.
struct Answers(Responder);

impl Protocol for Answers {
    fn handle_packet(&mut self, now: Time, packet: &Packet) {
        self.0.handle_packet(now, packet);
    }
    fn handle_timeout(&mut self, now: Time) {
        self.0.handle_timeout(now);
    }
    fn poll_transmit(&mut self, now: Time) -> Option<Transmit> {
        self.0.poll_transmit(now)
    }
    fn poll_timeout(&self) -> Option<Time> {
        self.0.poll_timeout()
    }
}

impl Host for Answers {
    fn power_on(&mut self, _: Time, id: UniqueId) {
        self.0 = Responder::new(id);
    }
}

fn port(t: &Topology) -> SimPort<Answers> {
    let sim = Sim::new(t, SimConfig::default(), 1, |_| Answers(Responder::new(UniqueId(0))));
    SimPort::new(sim, HostId(0))
}

fn probe(nonce: u32, way: Route) -> Transmit {
    Transmit::new(way, Packet::with_payload(Probe { session: 1, nonce }, way.as_bytes().to_vec().into()))
}

#[test]
fn a_program_outside_probes_the_hosts() {
    let t = row(4, 1);
    let mut port = port(&t);
    for to in 1..4 {
        port.send(probe(to, route(&t, 0, to))).unwrap();
        port.wait(at(1_000_000)).unwrap();
        let Some(Received::Packet(Packet { header: Header::ProbeReply(reply), .. })) = port.recv().unwrap() else {
            panic!("no answer from {to}");
        };
        assert_eq!((reply.nonce, reply.id), (to, UniqueId(u64::from(to) + 1)));
    }
    assert!(port.now() < at(20_000), "{}: it returns as soon as a frame is there", port.now());
    assert_eq!(port.unique_id(), UniqueId(1));
    assert_eq!(port.limits().rate_bits_per_s, Some(2_000_000_000));
}

#[test]
fn it_hears_of_frames_that_are_not_its_own() {
    let t = row(1, 2);
    let mut port = port(&t);
    let loop_and_one_more = Route::from_hops(&[Hop::new(0), Hop::new(3)]).unwrap();
    port.send(probe(1, loop_and_one_more)).unwrap();
    port.wait(at(1_000_000)).unwrap();
    assert_eq!(port.recv().unwrap(), Some(Received::Rejected(WireError::RouteTooLong(0x83))));
}

#[test]
fn it_waits_for_room_and_for_the_deadline() {
    let t = row(2, 1);
    let mut port = port(&t);
    let full = || Transmit::new(route(&t, 0, 1), packet(1, PAYLOAD));
    while port.can_send() {
        port.send(full()).unwrap();
    }
    port.wait(at(1_000_000)).unwrap();
    assert!(port.can_send() && port.now() < at(20_000), "{}", port.now());
    port.wait(at(1_000_000)).unwrap();
    assert_eq!(port.now(), at(1_000_000));
    assert!(matches!(port.wait(Time::MAX), Err(PortError::Down(_))), "this wait would never end");
    assert!(matches!(
        port.send(Transmit::new(Route::EMPTY, packet(1, PAYLOAD + 1))),
        Err(PortError::TooLarge { len: 4097, max: 4096 })
    ));
}

#[test]
fn a_state_machine_can_be_driven_over_it() {
    let t = row(2, 1);
    let mut port = port(&t);
    let mut node = Node::default();
    node.outbox.extend((0..50).map(|nonce| probe(nonce, route(&t, 0, 1))));
    assert!(drive(&mut port, &mut node, at(1_000_000), |n| n.received.len() == 50).unwrap());
    let sim = port.into_sim();
    assert_eq!(sim.stats().frames_delivered, 100);
    assert!(sim.now() < at(60_000), "{}: two at a time, as the card takes them", sim.now());
}
