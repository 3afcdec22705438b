//! An endpoint outside of the simulation, over one of its ports.

use super::rig::{SimRig, small};
use crate::endpoint::conformance::{Rig, pattern};
use crate::endpoint::{Endpoint, Event, PortEndpoint};
use crate::sim::SimPort;
use crate::time::Time;
use crate::topology::HostId;
use std::time::Duration;

#[test]
fn a_port_and_a_state_machine_are_an_endpoint() {
    let rig = SimRig::new(2, 8, &small());
    let (peer, routes) = (rig.unique_id(1), rig.routes(0, 1));
    let mut endpoint = PortEndpoint::new(SimPort::new(rig.sim, HostId(0)), small(), 9);
    assert_eq!(endpoint.capabilities().max_message, 64 << 20);
    endpoint.connect(peer, routes);
    let message = pattern(300_000, 1);
    let sent = endpoint.send(peer, message.clone()).unwrap();
    let mut events = Vec::new();
    while endpoint.now() < Time::ZERO + Duration::from_millis(5) {
        events.extend(std::iter::from_fn(|| endpoint.poll().unwrap()));
        endpoint.wait(endpoint.now() + Duration::from_micros(100)).unwrap();
    }
    assert_eq!(events, [Event::Connected { peer }, Event::Delivered { peer, id: sent }]);
    let mut sim = endpoint.into_port().into_sim();
    let received = std::iter::from_fn(|| sim.host_mut(HostId(1)).endpoint.poll_event());
    assert!(received.into_iter().any(|e| matches!(e, Event::Message { message: got, .. } if got == message)));
}
