//! What runs on each simulated node: the endpoint and the route agent.

use twowire_fabric::endpoint::{EndpointConfig, Event, ReliableEndpoint};
use twowire_fabric::id::UniqueId;
use twowire_fabric::protocol::{Protocol, Transmit};
use twowire_fabric::routes::{Message, RouteAgent};
use twowire_fabric::sim::Host;
use twowire_fabric::time::Time;
use twowire_fabric::wire::Packet;

pub(crate) struct Node {
    seed: u64,
    endpoint: ReliableEndpoint,
    pub(crate) agent: RouteAgent,
    /// Answers so many messages of loading and no more: a node whose agent hangs.
    pub(crate) answers: u32,
    /// How often it was switched on.
    pub(crate) power_cycles: u32,
    /// Messages of loading that it got.
    pub(crate) asked: u32,
}

impl Node {
    pub(crate) fn new(seed: u64) -> Node {
        let endpoint = ReliableEndpoint::new(EndpointConfig::default(), UniqueId(0), seed);
        Node { seed, endpoint, agent: RouteAgent::new(), answers: u32::MAX, power_cycles: 0, asked: 0 }
    }

    fn serve(&mut self, now: Time) {
        while let Some(event) = self.endpoint.poll_event() {
            let Event::Message { peer, message } = event else { continue };
            self.asked += 1;
            let message = Message::parse(&message).expect("the front end sends messages of loading");
            let (answer, _) = self.agent.handle_message(&message);
            if let Some(answer) = answer
                && self.answers > 0
            {
                self.answers -= 1;
                self.endpoint.send(now, peer, answer.encode()).expect("room for an answer");
            }
        }
    }
}

impl Host for Node {
    fn power_on(&mut self, _: Time, id: UniqueId) {
        self.power_cycles += 1;
        self.seed = self.seed.wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_add(1);
        self.endpoint = ReliableEndpoint::new(EndpointConfig::default(), id, self.seed);
        self.agent = RouteAgent::new();
    }
}

impl Protocol for Node {
    fn handle_packet(&mut self, now: Time, packet: &Packet) {
        self.endpoint.handle_packet(now, packet);
        self.serve(now);
    }

    fn handle_timeout(&mut self, now: Time) {
        self.endpoint.handle_timeout(now);
        self.serve(now);
    }

    fn poll_transmit(&mut self, now: Time) -> Option<Transmit> {
        self.endpoint.poll_transmit(now)
    }

    fn poll_timeout(&self) -> Option<Time> {
        self.endpoint.poll_timeout()
    }
}
