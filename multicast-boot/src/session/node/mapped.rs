//! The way in on a mapped fabric: offers and joins along routes, some of them passed on by other nodes.

use super::super::mover::Carriage;
use super::super::node_state::NodeConfig;
use super::Location;
use super::entrance::{Entrance, Offered};
use super::identity::Identity;
use super::relay::Relaying;
use super::reporting::Attempt;
use crate::image::Shape;
use bytes::Bytes;
use std::sync::Arc;
use std::time::Duration;
use twowire_fabric::id::NodeNumber;
use twowire_fabric::protocol::Transmit;
use twowire_fabric::routes::RouteTable;
use twowire_fabric::time::Time;
use twowire_fabric::wire::boot::{Answer, Challenge, Join, Relay, Stage};
use twowire_fabric::wire::{Header, Packet};

/// An answer to send.
struct Due {
    session: u32,
    answer: Answer,
    /// What it has to prove.
    challenge: Option<Challenge>,
}

/// A node that has routes, or waits for them.
pub(super) struct MappedEntrance {
    config: Arc<NodeConfig>,
    identity: Identity,
    epoch: u32,
    location: Option<Location>,
    relaying: Relaying,
    /// The node that passed the root's last frame on: the next answer goes back through it.
    via: Option<NodeNumber>,
    /// The node that has passed a frame of the root on: what all nodes say at the same time goes through it as well.
    gatherer: Option<NodeNumber>,
    due: Option<Due>,
    /// When the node asks next; `None` before it knows when it could.
    ask_at: Option<Time>,
    ask_interval: Duration,
    /// Joins sent: each takes another path.
    joins: usize,
    deadline: Time,
}

impl MappedEntrance {
    /// A node that has no routes yet.
    pub(super) fn new(config: Arc<NodeConfig>, identity: Identity) -> MappedEntrance {
        MappedEntrance {
            ask_interval: config.timing.ask_first,
            config,
            identity,
            epoch: 0,
            location: None,
            relaying: Relaying::default(),
            via: None,
            gatherer: None,
            due: None,
            ask_at: None,
            joins: 0,
            deadline: Time::MAX,
        }
    }

    /// The join that is due.
    fn poll_join(&mut self) -> Option<Transmit> {
        let Due { session, answer, challenge } = self.due.take()?;
        let from = self.location.as_ref()?.own();
        let Identity { incarnation, key_id, .. } = self.identity;
        let proof = self.identity.proof(challenge, from, answer);
        let join = Join { session, from, incarnation, epoch: self.epoch, answer, key_id, proof };
        self.joins += 1;
        let way = self.joins - 1;
        self.to_root(session, join.into(), Attempt { is_first: way == 0, way })
    }

    /// A node that has had no offer asks for one; not at once, for an offer may be on its way to all who got their
    /// routes together.
    fn time_asking(&mut self, now: Time, rng: &mut fastrand::Rng) {
        let interval = self.ask_interval;
        let mut at = *self.ask_at.get_or_insert_with(|| now + interval.mul_f64(0.5 + 0.5 * rng.f64()));
        if at <= now && self.due.is_none() {
            self.due = Some(Due { session: 0, answer: Answer::Asks, challenge: None });
            at = now + interval;
            self.ask_interval = (2 * interval).min(self.config.timing.ask_max);
        }
        self.ask_at = Some(at);
        self.deadline = at;
    }
}

impl Entrance for MappedEntrance {
    fn location(&self) -> Option<&Location> {
        self.location.as_ref()
    }

    fn can_ask(&self) -> bool {
        self.location.is_some()
    }

    fn set_routes(&mut self, routes: Arc<RouteTable>) {
        self.epoch = routes.epoch();
        self.location = Some(Location::on_map(routes));
        self.deadline = Time::ZERO;
    }

    fn read_offer(&mut self, packet: &Packet) -> Option<Offered> {
        let Header::Offer(offer) = packet.header else { return None };
        self.location.as_ref().filter(|location| location.own() == offer.to)?;
        Some(Offered {
            session: offer.session,
            report_ms: offer.report_ms,
            signed_manifest: packet.payload.clone(),
            offering: offer.offering,
            call: None,
            challenge: offer.challenge,
            objection: (offer.epoch != self.epoch).then_some(Answer::WrongEpoch),
        })
    }

    fn carriage(&self, _: &Offered, _: Shape) -> Option<Carriage> {
        Some(Carriage::Trees { interval: self.config.even_interval() })
    }

    fn answer(&mut self, now: Time, offered: &Offered, answer: Answer) {
        self.due = Some(Due { session: offered.session, answer, challenge: offered.challenge });
        self.deadline = now;
    }

    fn confirm(&mut self, offered: &Offered) {
        let Offered { session, challenge, .. } = *offered;
        self.due = Some(Due { session, answer: Answer::Accepts, challenge });
    }

    fn on_relay(&mut self, now: Time, relay: &Relay, payload: &Bytes) -> Vec<Packet> {
        let Some(own) = self.location.as_ref().map(Location::own) else { return Vec::new() };
        let from_root = relay.from == NodeNumber::FRONT_END;
        let mut ours = Vec::new();
        for packet in relay.frames(payload) {
            let to = match &packet.header {
                Header::Offer(offer) => offer.to,
                Header::Assign(assign) => assign.to,
                Header::Join(_) | Header::Report(_) => {
                    let flush_at = now + self.config.timing.relay_delay;
                    self.relaying.collect(relay.session, packet.header, flush_at);
                    continue;
                }
                _ => continue,
            };
            if to == own {
                self.via = Some(relay.from).filter(|_| !from_root);
                self.gatherer = self.via.or(self.gatherer);
                ours.push(packet);
            } else if from_root {
                self.relaying.pass(relay.session, to, &packet);
            }
        }
        ours
    }

    /// Back through the node that passed the question on, or else along the path of this attempt. All nodes have the image
    /// within a millisecond of one another, and then hand over: if each told the root, these frames would fill the fabric
    /// while others still wait for their last chunks.
    fn to_root(&mut self, session: u32, header: Header, attempt: Attempt) -> Option<Transmit> {
        let location = self.location.as_ref()?;
        let has_image = matches!(header, Header::Report(report) if report.stage >= Stage::Verified);
        let gatherer = self.gatherer.filter(|_| has_image && attempt.is_first);
        match self.via.take().or(gatherer).and_then(|via| location.path_to(via, 0)) {
            Some(path) => Some(Transmit::new(path, Relay::packet(session, location.own(), &Bytes::new(), &[header]))),
            None => Some(Transmit::new(location.to_front_end(attempt.way)?, Packet::new(header))),
        }
    }

    fn handle_timeout(&mut self, now: Time, in_session: bool, rng: &mut fastrand::Rng) {
        self.relaying.on_timeout(now);
        self.deadline = Time::MAX;
        if !in_session && self.location.is_some() {
            self.time_asking(now, rng);
        }
    }

    fn poll_transmit(&mut self, now: Time) -> Option<Transmit> {
        self.poll_join().or_else(|| self.relaying.poll_transmit(now, self.location.as_ref()?))
    }

    fn next_timeout(&self) -> Time {
        self.deadline.min(self.relaying.next_timeout())
    }
}

#[cfg(test)]
mod tests {
    use super::super::Credentials;
    use super::*;
    use crate::image::ClusterSecretKey;
    use twowire_fabric::id::UniqueId;
    use twowire_fabric::protocol::Path;
    use twowire_fabric::route::{Hop, Route};
    use twowire_fabric::wire::boot::{Offer, Offering, Report, TREES};

    /// Node 0, with a route to each of the front end and two other nodes: the hop is the number of the host.
    fn entrance() -> MappedEntrance {
        let mut routes = RouteTable::new(1, NodeNumber(0));
        (0..4).for_each(|host| routes.push([route(host)]));
        let key = ClusterSecretKey::from_seed(&[1; 32]).public();
        let identity = Identity::new(&Credentials { card: UniqueId(1), key, secret: None }, 1);
        let mut entrance = MappedEntrance::new(Arc::default(), identity);
        entrance.set_routes(Arc::new(routes));
        entrance
    }

    fn route(host: i32) -> Route {
        Route::from_hops(&[Hop::new(host)]).expect("one hop")
    }

    fn report(stage: Stage) -> Header {
        let (session, from, orphaned) = (7, NodeNumber(0), [false; TREES]);
        Report {
            session,
            from,
            incarnation: 1,
            serial: 1,
            revision: 1,
            stage,
            percent: 100,
            orphaned,
            wants_answer: true,
            repaired: 0,
            rejected: 0,
        }
        .into()
    }

    #[test]
    fn the_first_word_that_the_image_is_here_goes_through_the_node_that_passed_the_offer_on() {
        let mut entrance = entrance();
        let mut way = |stage, way| {
            let attempt = Attempt { is_first: way == 0, way };
            entrance.to_root(7, report(stage), attempt).map(|transmit| transmit.path)
        };
        let [front_end, gatherer] = [0, 2].map(|host| Some(Path::from(route(host))));
        assert_eq!(way(Stage::Verified, 0), front_end, "nobody has passed anything on");
        let offer = Offer {
            session: 7,
            epoch: 1,
            to: NodeNumber(0),
            report_ms: 20,
            challenge: None,
            offering: Offering::Normal,
        };
        let packet = Relay::packet(7, NodeNumber(1), &Bytes::new(), &[offer.into()]);
        let Header::Relay(relay) = packet.header else { panic!("{packet:?}") };
        assert_eq!(entrance.on_relay(Time::ZERO, &relay, &packet.payload).len(), 1);
        let mut way = |stage, way| {
            let attempt = Attempt { is_first: way == 0, way };
            entrance.to_root(7, report(stage), attempt).map(|transmit| transmit.path)
        };
        assert_eq!(way(Stage::Joined, 0), gatherer, "the answer to what was passed on");
        assert_eq!(way(Stage::Receiving, 0), front_end);
        assert_eq!(way(Stage::Verified, 0), gatherer);
        assert_eq!(way(Stage::Verified, 1), front_end, "it may be dead");
    }
}
