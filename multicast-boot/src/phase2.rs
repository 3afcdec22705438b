//! What runs on a node of a source-routed fabric in phase 2, beside its agent: it says that the node is ready, and goes on saying so,
//! answers probes, and takes the routes of later epochs.

use crate::phase1::nvram;
use crate::session::{ReadyReport, Ticket, Timing};
use std::time::Duration;
use twowire_fabric::endpoint::{EndpointConfig, Event, ReliableEndpoint};
use twowire_fabric::id::UniqueId;
use twowire_fabric::protocol::{Protocol, Transmit};
use twowire_fabric::responder::Responder;
use twowire_fabric::routes::{AgentEvent, Message, RouteAgent, RouteTable};
use twowire_fabric::time::Time;
use twowire_fabric::wire::{Family, Packet};
use twowire_route_store::{Medium, Store};

/// How often a node says that it is still there.
const HEARTBEAT: Duration = Duration::from_secs(5);

/// Phase 2 of a node.
pub struct Phase2<M> {
    responder: Responder,
    endpoint: ReliableEndpoint,
    agent: RouteAgent,
    ready: ReadyReport,
    nvram: Store<M>,
    /// Routes that were taken, for the node's other programs.
    taken: Option<RouteTable>,
}

impl<M: Medium> Phase2<M> {
    /// A node with this card that goes on with the routes of phase 1. `seed` must be another one each time.
    pub fn new(id: UniqueId, ticket: Ticket, table: Option<RouteTable>, nvram: Store<M>, seed: u64) -> Phase2<M> {
        let mut responder = Responder::new(id);
        table.iter().for_each(|table| responder.set_epoch(table.epoch()));
        Phase2 {
            responder,
            endpoint: ReliableEndpoint::new(EndpointConfig::default(), id, seed),
            agent: table.map_or_else(RouteAgent::new, RouteAgent::with_table),
            ready: ReadyReport::with_heartbeat(ticket, Timing::real(), HEARTBEAT),
            nvram,
            taken: None,
        }
    }

    /// When the front end that has brought the image answered last.
    pub fn last_heard(&self) -> Option<Time> {
        self.ready.last_heard()
    }

    /// Routes of a later epoch that have come since this was asked last.
    pub fn take_routes(&mut self) -> Option<RouteTable> {
        self.taken.take()
    }

    fn serve_messages(&mut self, now: Time) {
        while let Some(event) = self.endpoint.poll_event() {
            let Event::Message { peer, message } = event else { continue };
            let Ok(message) = Message::parse(&message) else { continue };
            let (answer, change) = self.agent.handle_message(&message);
            if let Some(AgentEvent::Committed { epoch }) = change {
                self.keep_routes(epoch);
            }
            if let Some(answer) = answer {
                // An answer for which there is no room is asked for again by the front end.
                let _ = self.endpoint.send(now, peer, answer.encode());
            }
        }
    }

    /// New routes are in use: into the NVRAM first, then to work.
    fn keep_routes(&mut self, epoch: u32) {
        if let Some(record) = self.agent.master_record(nvram::ALTERNATES)
            && let Err(error) = nvram::write(&mut self.nvram, &record)
        {
            tracing::warn!(node = %record.node, %error, "the master record could not be written");
        }
        self.responder.set_epoch(epoch);
        self.taken = Some(self.agent.table().clone());
    }
}

impl<M: Medium> Protocol for Phase2<M> {
    fn handle_packet(&mut self, now: Time, packet: &Packet) {
        match packet.header.kind().family() {
            Family::Discovery => self.responder.handle_packet(now, packet),
            Family::Endpoint => {
                self.endpoint.handle_packet(now, packet);
                self.serve_messages(now);
            }
            Family::Boot => self.ready.handle_packet(now, packet),
        }
    }

    fn handle_timeout(&mut self, now: Time) {
        if self.endpoint.poll_timeout().is_some_and(|at| at <= now) {
            self.endpoint.handle_timeout(now);
            self.serve_messages(now);
        }
        self.ready.handle_timeout(now);
    }

    fn poll_transmit(&mut self, now: Time) -> Option<Transmit> {
        let ready = self.ready.poll_transmit(now);
        ready.or_else(|| self.responder.poll_transmit(now)).or_else(|| self.endpoint.poll_transmit(now))
    }

    fn poll_timeout(&self) -> Option<Time> {
        [self.ready.poll_timeout(), self.endpoint.poll_timeout()].into_iter().flatten().min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use twowire_fabric::id::NodeNumber;
    use twowire_fabric::wire::Header;
    use twowire_fabric::wire::boot::Instruct;
    use twowire_fabric::wire::probe::Probe;
    use twowire_route_store::MemoryMedium;

    fn node() -> Phase2<MemoryMedium> {
        let mut table = RouteTable::new(3, NodeNumber(0));
        table.push(["88".parse().unwrap()]);
        let nvram = Store::new(MemoryMedium::new(1024));
        Phase2::new(UniqueId(9), "1/n0/2/400/88".parse().unwrap(), Some(table), nvram, 1)
    }

    fn at(seconds: u64) -> Time {
        Time::ZERO + Duration::from_secs(seconds)
    }

    /// The serial of the report that is sent now, if one is.
    fn report(node: &mut Phase2<MemoryMedium>, now: Time) -> Option<u32> {
        node.handle_timeout(now);
        let sent = node.poll_transmit(now)?;
        let Header::Report(report) = sent.packet.header else { panic!("{sent:?}") };
        assert!(report.wants_answer);
        Some(report.serial)
    }

    #[test]
    fn a_node_goes_on_to_say_that_it_is_there_and_knows_when_it_was_heard() {
        let mut node = node();
        let serial = report(&mut node, at(0)).unwrap();
        assert_eq!(node.last_heard(), None);
        let to = NodeNumber(0);
        let instruct =
            |answers| Instruct { session: 1, to, incarnation: 2, answers, report_now: false, hand_over: false };
        node.handle_packet(at(1), &Packet::new(instruct(serial)));
        assert_eq!((node.last_heard(), report(&mut node, at(5))), (Some(at(1)), None));
        for second in [6, 11, 16] {
            assert!(report(&mut node, at(second)).is_some() && report(&mut node, at(second)).is_none());
        }
        assert_eq!(node.last_heard(), Some(at(1)), "nobody has answered");
    }

    #[test]
    fn probes_are_answered_with_the_epoch_of_phase_1() {
        let mut node = node();
        report(&mut node, at(0));
        node.handle_packet(at(0), &Packet::with_payload(Probe { session: 5, nonce: 6 }, vec![0x88].into()));
        let answer = node.poll_transmit(at(0)).unwrap();
        assert!(matches!(answer.packet.header, Header::ProbeReply(reply) if reply.epoch == 3), "{answer:?}");
    }
}
