//! How a node with a record in its NVRAM gets into touch with the front end: it makes itself known along the routes of
//! the record, and if nothing comes of that looks for the front end.

use super::announce::Announcer;
use crate::search::{FrontEndSearch, SearchConfig};
use std::time::Duration;
use twowire_fabric::id::UniqueId;
use twowire_fabric::protocol::{Protocol, Transmit};
use twowire_fabric::route::Route;
use twowire_fabric::routes::MasterRecord;
use twowire_fabric::time::Time;
use twowire_fabric::wire::Packet;

/// How long a node waits for routes before it looks for the front end: a front end that has just started maps the
/// fabric first.
pub const PATIENCE: Duration = Duration::from_secs(10);

/// How long it waits for an offer after routes were loaded.
const OFFER: Duration = Duration::from_secs(60);

/// With more haste than needed a thousand nodes would get into the way of a front end that is only slow.
fn config() -> SearchConfig {
    SearchConfig {
        pause: Duration::from_millis(1),
        longest_pause: Duration::from_millis(50),
        timeout: Duration::from_millis(20),
        proof: Duration::from_secs(5),
        spread: Duration::from_secs(1),
        ..SearchConfig::default()
    }
}

/// Gets into touch with the front end.
pub struct Finder {
    id: UniqueId,
    record: MasterRecord,
    seed: u64,
    announcer: Announcer,
    /// The candidate that the node makes itself known to.
    announced: Option<Route>,
    search: Option<FrontEndSearch>,
    /// When to start to search, or to go on; `None` once the front end is found.
    resume: Option<Time>,
}

impl Finder {
    /// For the card `id`, by the record in its NVRAM.
    pub fn new(now: Time, id: UniqueId, record: MasterRecord, seed: u64) -> Finder {
        let announcer = Announcer::new(now, id, &record);
        Finder { id, record, seed, announcer, announced: None, search: None, resume: Some(now + PATIENCE) }
    }

    /// True if the routes of the record led nowhere: who loads routes now is not known to be the front end.
    pub fn is_searching(&self) -> bool {
        self.search.is_some()
    }

    /// Routes were loaded: what is left is to wait for an offer.
    pub fn routes_loaded(&mut self, now: Time) {
        self.announcer.stop();
        self.resume = self.resume.map(|_| now + OFFER);
    }

    /// An offer came that the cluster's key has signed.
    pub fn found(&mut self) {
        self.announcer.stop();
        (self.search, self.resume) = (None, None);
    }

    /// The session of the probes, which the node's own responder must not answer.
    pub fn session(&self) -> Option<u32> {
        self.search.as_ref().map(FrontEndSearch::session)
    }

    fn is_active(&self, now: Time) -> bool {
        self.resume.is_some_and(|at| at <= now)
    }

    fn start(&mut self, now: Time) {
        let known = std::iter::once(self.record.primary).chain(self.record.alternates.iter().copied());
        self.search = Some(FrontEndSearch::new(now, config(), self.id, known.collect(), self.seed));
    }

    /// Makes the node known to a new candidate.
    fn follow(&mut self, now: Time) {
        let candidate = self.search.as_ref().and_then(FrontEndSearch::candidate).map(|candidate| candidate.route);
        if let Some(route) = candidate.filter(|_| candidate != self.announced) {
            let record = MasterRecord { primary: route, alternates: Vec::new(), ..self.record.clone() };
            self.announcer = Announcer::new(now, self.id, &record);
        }
        self.announced = candidate;
    }
}

impl Protocol for Finder {
    fn handle_packet(&mut self, now: Time, packet: &Packet) {
        if let Some(search) = &mut self.search {
            search.handle_packet(now, packet);
            self.follow(now);
        }
    }

    fn handle_timeout(&mut self, now: Time) {
        if !self.is_active(now) {
            return;
        }
        match &mut self.search {
            Some(search) => search.handle_timeout(now),
            None => self.start(now),
        }
        self.follow(now);
    }

    fn poll_transmit(&mut self, now: Time) -> Option<Transmit> {
        let active = self.is_active(now);
        self.announcer.poll_transmit(now).or_else(|| self.search.as_mut().filter(|_| active)?.poll_transmit(now))
    }

    fn poll_timeout(&self) -> Option<Time> {
        let search = match (&self.search, self.resume) {
            (_, None) => None,
            (None, at) => at,
            (Some(search), Some(at)) => search.poll_timeout().map(|next| next.max(at)),
        };
        [self.announcer.poll_timeout(), search].into_iter().flatten().min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::phase1::announce::Announcement;
    use twowire_fabric::id::NodeNumber;
    use twowire_fabric::wire::Header;
    use twowire_fabric::wire::probe::{ProbeReply, Role};

    fn finder() -> Finder {
        let (primary, alternates) = ("81".parse().unwrap(), vec!["82".parse().unwrap()]);
        let record = MasterRecord { epoch: 3, node: NodeNumber(17), primary, alternates };
        Finder::new(Time::ZERO, UniqueId(9), record, 1)
    }

    /// Runs until something is sent that `wanted` takes, or until the deadline.
    fn next(finder: &mut Finder, deadline: Time, wanted: impl Fn(&Transmit) -> bool) -> Option<(Time, Transmit)> {
        while let Some(now) = finder.poll_timeout().filter(|&at| at <= deadline) {
            finder.handle_timeout(now);
            if let Some(sent) = finder.poll_transmit(now).filter(&wanted) {
                return Some((now, sent));
            }
        }
        None
    }

    fn is_probe(sent: &Transmit) -> bool {
        matches!(sent.packet.header, Header::Probe(_))
    }

    fn answer(finder: &mut Finder, now: Time, probe: &Transmit, role: Role) {
        let Header::Probe(probe) = probe.packet.header else { panic!("not a probe") };
        let reply = ProbeReply { session: probe.session, nonce: probe.nonce, id: UniqueId(1), epoch: 0, role };
        finder.handle_packet(now, &Packet::new(reply));
    }

    #[test]
    fn a_node_that_gets_its_routes_in_time_does_not_search() {
        let mut finder = finder();
        let in_time = Time::ZERO + (PATIENCE - Duration::from_millis(1));
        assert!(next(&mut finder, in_time, is_probe).is_none());
        assert!(!finder.is_searching() && finder.session().is_none());
        finder.routes_loaded(in_time);
        finder.found();
        assert_eq!((finder.poll_timeout(), finder.poll_transmit(Time::ZERO + PATIENCE)), (None, None));
    }

    #[test]
    fn a_node_that_finds_a_front_end_makes_itself_known_there() {
        let mut finder = finder();
        let (now, probe) = next(&mut finder, Time::ZERO + 2 * PATIENCE, is_probe).unwrap();
        assert!(now >= Time::ZERO + PATIENCE && finder.is_searching());
        answer(&mut finder, now, &probe, Role::FrontEnd);
        let announced = |sent: &Transmit| Announcement::read(&sent.packet).is_some();
        let (_, sent) = next(&mut finder, now + PATIENCE, announced).unwrap();
        assert_eq!(sent.path, probe.path);
        // It loads routes, but its offer does not come: the search goes on.
        finder.routes_loaded(now);
        assert_eq!(finder.poll_transmit(now), None);
        let (later, _) = next(&mut finder, now + 3 * OFFER, is_probe).unwrap();
        assert!(later >= now + OFFER, "{later:?}");
        finder.found();
        assert_eq!((finder.poll_timeout(), finder.is_searching()), (None, false));
    }
}
