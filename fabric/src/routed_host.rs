//! A host that can be mapped and loaded with routes, and does nothing else.

use crate::endpoint::{EndpointConfig, Event, ReliableEndpoint};
use crate::id::UniqueId;
use crate::protocol::{Protocol, Transmit};
use crate::responder::Responder;
use crate::routes::{Message, RouteAgent};
use crate::sim::Host;
use crate::time::Time;
use crate::wire::{Family, Packet};

/// Answers probes, and takes the routes that a front end loads: all that the mapper needs of a host. A node's own
/// program does more (`multicast-boot`); this is what stands in for nodes where only the fabric is of interest.
pub struct RoutedHost {
    seed: u64,
    responder: Responder,
    endpoint: ReliableEndpoint,
    agent: RouteAgent,
}

impl RoutedHost {
    /// A host whose card has this id, without routes.
    pub fn new(id: UniqueId, seed: u64) -> RoutedHost {
        RoutedHost {
            seed,
            responder: Responder::new(id),
            endpoint: ReliableEndpoint::new(EndpointConfig::default(), id, seed),
            agent: RouteAgent::new(),
        }
    }

    /// What answers probes.
    pub fn responder(&self) -> &Responder {
        &self.responder
    }

    /// What holds the routes.
    pub fn agent(&self) -> &RouteAgent {
        &self.agent
    }

    fn serve(&mut self, now: Time) {
        while let Some(event) = self.endpoint.poll_event() {
            let Event::Message { peer, message } = event else { continue };
            let Ok(message) = Message::parse(&message) else { continue };
            let (answer, _) = self.agent.handle_message(&message);
            self.responder.set_epoch(self.agent.table().epoch());
            if let Some(answer) = answer {
                // An answer for which there is no room is asked for again by the front end.
                let _ = self.endpoint.send(now, peer, answer.encode());
            }
        }
    }
}

impl Host for RoutedHost {
    fn power_on(&mut self, _now: Time, id: UniqueId) {
        *self = RoutedHost::new(id, self.seed.wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_add(1));
    }
}

impl Protocol for RoutedHost {
    fn handle_packet(&mut self, now: Time, packet: &Packet) {
        match packet.header.kind().family() {
            Family::Discovery => self.responder.handle_packet(now, packet),
            Family::Endpoint => {
                self.endpoint.handle_packet(now, packet);
                self.serve(now);
            }
            _ => {}
        }
    }

    fn handle_timeout(&mut self, now: Time) {
        self.endpoint.handle_timeout(now);
        self.serve(now);
    }

    fn poll_transmit(&mut self, now: Time) -> Option<Transmit> {
        self.responder.poll_transmit(now).or_else(|| self.endpoint.poll_transmit(now))
    }

    fn poll_timeout(&self) -> Option<Time> {
        self.endpoint.poll_timeout()
    }
}
