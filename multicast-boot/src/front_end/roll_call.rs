//! Asks nodes at known places whether they are there, and by which card.
//!
//! A roll call sends each node a probe along its paths, one try after the other, until an answer comes or the tries are
//! used up. It is how the front end finds a node that was absent when the fabric was mapped, learns the unique id of a
//! card that was replaced, and checks at the end that every node that reported ready still answers.

use bytes::Bytes;
use std::collections::{BTreeSet, VecDeque};
use std::time::Duration;
use twowire_fabric::id::{NodeNumber, UniqueId};
use twowire_fabric::protocol::{Path, Protocol, Transmit};
use twowire_fabric::time::Time;
use twowire_fabric::wire::probe::{Probe, ProbeReply};
use twowire_fabric::wire::{Header, Packet};

/// How a roll call is held.
#[derive(Clone, Debug)]
pub struct RollCallConfig {
    /// Probes on their way at once.
    pub window: usize,
    /// How long to wait for an answer before the next try.
    pub timeout: Duration,
    /// Tries for each node; each takes the next one of its paths.
    pub tries: u32,
}

impl Default for RollCallConfig {
    fn default() -> RollCallConfig {
        RollCallConfig { window: 64, timeout: Duration::from_micros(500), tries: 8 }
    }
}

/// What a node said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The unique id of its card.
    pub id: UniqueId,
    /// The epoch of the routes that it holds; 0 if none.
    pub epoch: u32,
}

struct Entry {
    node: NodeNumber,
    paths: Vec<Path>,
    tries: u32,
    /// When the try under way ends.
    try_ends: Time,
    answer: Option<Answer>,
}

/// One roll call of a list of nodes.
pub struct RollCall {
    config: RollCallConfig,
    session: u32,
    entries: Vec<Entry>,
    /// Entries to ask.
    to_ask: VecDeque<usize>,
    /// Entries that were asked and have not answered, by the time at which their try ends.
    waiting: BTreeSet<(Time, usize)>,
}

impl RollCall {
    /// A roll call of `nodes`, each with its paths from here. `session` tells its answers from those to an earlier one.
    pub fn new(
        config: RollCallConfig,
        session: u32,
        nodes: impl IntoIterator<Item = (NodeNumber, Vec<Path>)>,
    ) -> RollCall {
        let entries: Vec<Entry> = nodes
            .into_iter()
            .map(|(node, paths)| Entry { node, paths, tries: 0, try_ends: Time::ZERO, answer: None })
            .collect();
        let to_ask = (0..entries.len()).collect();
        RollCall { config, session, entries, to_ask, waiting: BTreeSet::new() }
    }

    /// True when every node has answered or used up its tries.
    pub fn is_done(&self) -> bool {
        self.waiting.is_empty() && self.to_ask.iter().all(|&i| self.entries[i].answer.is_some())
    }

    /// Every node with its answer; `None` if it gave none.
    pub fn answers(&self) -> impl Iterator<Item = (NodeNumber, Option<Answer>)> + '_ {
        self.entries.iter().map(|e| (e.node, e.answer))
    }

    fn take(&mut self, reply: &ProbeReply) {
        let index = reply.nonce as usize;
        if reply.session != self.session || index >= self.entries.len() {
            return;
        }
        let entry = &mut self.entries[index];
        entry.answer = Some(Answer { id: reply.id, epoch: reply.epoch });
        self.waiting.remove(&(entry.try_ends, index));
    }
}

/// A path as the payload of a probe has it.
fn spelled(path: Path) -> Bytes {
    match path {
        Path::Hops(route) => Bytes::copy_from_slice(route.as_bytes()),
        _ => Bytes::new(),
    }
}

impl Protocol for RollCall {
    fn handle_packet(&mut self, _now: Time, packet: &Packet) {
        if let Header::ProbeReply(reply) = &packet.header {
            self.take(reply);
        }
    }

    fn handle_timeout(&mut self, now: Time) {
        while let Some(&(end, index)) = self.waiting.first()
            && end <= now
        {
            self.waiting.pop_first();
            if self.entries[index].tries < self.config.tries {
                self.to_ask.push_back(index);
            }
        }
    }

    fn poll_transmit(&mut self, now: Time) -> Option<Transmit> {
        if self.waiting.len() >= self.config.window {
            return None;
        }
        while let Some(index) = self.to_ask.pop_front() {
            let entry = &mut self.entries[index];
            if entry.paths.is_empty() || entry.answer.is_some() {
                continue;
            }
            let path = entry.paths[entry.tries as usize % entry.paths.len()];
            entry.tries += 1;
            entry.try_ends = now + self.config.timeout;
            self.waiting.insert((entry.try_ends, index));
            let probe = Probe { session: self.session, nonce: index as u32 };
            return Some(Transmit { path, packet: Packet::with_payload(probe, spelled(path)) });
        }
        None
    }

    fn poll_timeout(&self) -> Option<Time> {
        self.waiting.first().map(|&(end, _)| end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use twowire_fabric::route::Route;
    use twowire_fabric::wire::probe::Role;

    fn route(text: &str) -> Path {
        text.parse::<Route>().unwrap().into()
    }

    fn reply(probe: &Transmit, id: u64) -> Packet {
        let Header::Probe(Probe { session, nonce }) = probe.packet.header else { panic!("not a probe") };
        Packet::new(ProbeReply { session, nonce, id: UniqueId(id), epoch: 2, role: Role::Node })
    }

    #[test]
    fn a_silent_node_is_asked_along_its_other_routes_and_then_given_up() {
        let nodes = [(NodeNumber(0), vec![route("81")]), (NodeNumber(1), vec![route("82"), route("8383")])];
        let config = RollCallConfig { tries: 3, ..RollCallConfig::default() };
        let mut call = RollCall::new(config.clone(), 7, nodes);
        let first = call.poll_transmit(Time::ZERO).unwrap();
        call.poll_transmit(Time::ZERO).unwrap();
        assert_eq!(call.poll_transmit(Time::ZERO), None);
        call.handle_packet(Time::ZERO, &reply(&first, 0xa));
        let mut now = Time::ZERO;
        let mut asked = Vec::new();
        while !call.is_done() {
            now = call.poll_timeout().unwrap();
            call.handle_timeout(now);
            asked.extend(call.poll_transmit(now).map(|t| t.path));
        }
        assert_eq!(asked, [route("8383"), route("82")]);
        assert_eq!(now, Time::ZERO + 3 * config.timeout);
        let answers: Vec<_> = call.answers().collect();
        assert_eq!(answers[0].1, Some(Answer { id: UniqueId(0xa), epoch: 2 }));
        assert_eq!(answers[1], (NodeNumber(1), None));
    }

    #[test]
    fn answers_to_another_session_do_not_count() {
        let mut call = RollCall::new(RollCallConfig::default(), 7, [(NodeNumber(0), vec![route("81")])]);
        call.poll_transmit(Time::ZERO).unwrap();
        let stranger =
            |session, nonce| Packet::new(ProbeReply { session, nonce, id: UniqueId(1), epoch: 0, role: Role::Node });
        call.handle_packet(Time::ZERO, &stranger(6, 0));
        call.handle_packet(Time::ZERO, &stranger(7, 9));
        assert!(!call.is_done());
    }
}
