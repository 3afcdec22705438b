//! A server and its hosts in one process.

mod conformance;
mod faults;
mod hostile;
mod rig;

use super::*;
use crate::protocol::{Port, Received, Transmit};
use crate::route::Route;
use crate::sim::tests::route as find_route;
use crate::topology::{HostId, Topology};
use crate::wire::Packet;
use crate::wire::probe::Probe;
use rig::Running;

pub(super) fn route(t: &Topology, from: HostId, to: HostId) -> Route {
    find_route(t, from.0, to.0)
}

fn packet(nonce: u32, payload: usize) -> Packet {
    Packet::with_payload(Probe { session: 1, nonce }, vec![nonce as u8; payload].into())
}

/// Waits for a frame of this number at a port, and takes those before it.
fn expect(port: &mut XbarPort, nonce: u32) {
    let deadline = port.now() + crate::conformance::LIMIT;
    loop {
        match port.recv().unwrap() {
            Some(Received::Packet(found)) if found.header == packet(nonce, 0).header => return,
            Some(_) => {}
            None => {
                assert!(port.now() < deadline, "frame {nonce} did not come to {}", port.host_name());
                port.wait(deadline).unwrap();
            }
        }
    }
}

/// Sends as soon as there is room.
fn send(port: &mut XbarPort, way: Route, packet: Packet) {
    let deadline = port.now() + crate::conformance::LIMIT;
    while !port.can_send() {
        assert!(port.now() < deadline, "{} has no room", port.host_name());
        port.wait(deadline).unwrap();
    }
    port.send(Transmit::new(way, packet)).unwrap();
    port.flush().unwrap();
}
