//! A node that comes up with a record in its NVRAM makes itself known.
//!
//! It sends the front end a [`ProbeReply`] that nobody asked for (session 0; the nonce is the number in the record) along
//! the routes of the record, one after the other and ever less often, until the front end has loaded its routes.

use std::time::Duration;
use twowire_fabric::id::{NodeNumber, UniqueId};
use twowire_fabric::protocol::{Protocol, Transmit};
use twowire_fabric::route::Route;
use twowire_fabric::routes::MasterRecord;
use twowire_fabric::time::Time;
use twowire_fabric::wire::probe::{ProbeReply, Role};
use twowire_fabric::wire::{Header, Packet};

const FIRST_PAUSE: Duration = Duration::from_millis(1);
const LONGEST_PAUSE: Duration = Duration::from_millis(16);

/// The session of an announcement: no discovery and no roll call has it.
pub const ANNOUNCEMENT: u32 = 0;

/// A node that says it is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Announcement {
    /// The number in its record.
    pub node: NodeNumber,
    /// The unique id of its card.
    pub id: UniqueId,
    /// The epoch of its record.
    pub epoch: u32,
}

impl Announcement {
    /// Reads a packet as an announcement, if it is one.
    pub fn read(packet: &Packet) -> Option<Announcement> {
        match packet.header {
            Header::ProbeReply(ProbeReply { session: ANNOUNCEMENT, nonce, id, epoch, .. }) => {
                let node = NodeNumber(i32::try_from(nonce).ok()?);
                Some(Announcement { node, id, epoch })
            }
            _ => None,
        }
    }
}

/// The node's side.
pub struct Announcer {
    id: UniqueId,
    node: NodeNumber,
    epoch: u32,
    routes: Vec<Route>,
    sent: usize,
    next: Option<Time>,
}

impl Announcer {
    /// Announces the card `id` along the routes of `record`, from `now` on.
    pub fn new(now: Time, id: UniqueId, record: &MasterRecord) -> Announcer {
        let routes = std::iter::once(record.primary).chain(record.alternates.iter().copied()).collect();
        Announcer { id, node: record.node, epoch: record.epoch, routes, sent: 0, next: Some(now) }
    }

    /// The front end knows: no more announcements.
    pub fn stop(&mut self) {
        self.next = None;
    }
}

impl Protocol for Announcer {
    fn handle_packet(&mut self, _now: Time, _packet: &Packet) {}

    fn handle_timeout(&mut self, _now: Time) {}

    fn poll_transmit(&mut self, now: Time) -> Option<Transmit> {
        let nonce = u32::try_from(self.node.0).ok()?;
        let at = self.next.filter(|&at| at <= now)?;
        let pause = FIRST_PAUSE * (1 << (self.sent / self.routes.len()).min(10));
        let route = self.routes[self.sent % self.routes.len()];
        self.next = Some(at.max(now) + pause.min(LONGEST_PAUSE));
        self.sent += 1;
        let reply = ProbeReply { session: ANNOUNCEMENT, nonce, id: self.id, epoch: self.epoch, role: Role::Node };
        Some(Transmit::new(route, Packet::new(reply)))
    }

    fn poll_timeout(&self) -> Option<Time> {
        self.next
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn announcements_take_every_route_and_become_rarer() {
        let record = MasterRecord {
            epoch: 3,
            node: NodeNumber(17),
            primary: "81".parse().unwrap(),
            alternates: vec!["82".parse().unwrap()],
        };
        let mut announcer = Announcer::new(Time::ZERO, UniqueId(9), &record);
        let mut times = Vec::new();
        for _ in 0..14 {
            let now = announcer.poll_timeout().unwrap();
            let sent = announcer.poll_transmit(now).unwrap();
            assert_eq!(announcer.poll_transmit(now), None);
            let expected = Announcement { node: NodeNumber(17), id: UniqueId(9), epoch: 3 };
            assert_eq!(Announcement::read(&sent.packet), Some(expected));
            times.push((now.as_nanos() / 1_000_000, sent.path));
        }
        assert_eq!(times[0], (0, record.primary.into()));
        assert_eq!(times[1], (1, record.alternates[0].into()));
        assert_eq!(times[13].0 - times[12].0, 16);
        announcer.stop();
        assert_eq!(announcer.poll_timeout(), None);
    }
}
