//! How a job begins: hello to every host, programs to those that have none, and a part on each once every rank has a seat.

use super::super::agent::{free_lanes, nonce};
use super::super::part::Part;
use super::super::programs::Programs;
use super::super::wire::{Message, Start};
use super::super::{AGENT_LANE, lane_of};
use super::{FrontEnd, Member, State, input};
use std::collections::BTreeSet;
use std::fmt::Write as _;
use twowire_fabric::endpoint::Endpoint;
use twowire_fabric::protocol::{Path, Port};

/// Lanes of ranks on the front end's own host, beside those that an agent there gives.
const OWN_LANES: std::ops::Range<u16> = 0x4000..0x7fff;

impl<P: Port> FrontEnd<P> {
    /// Says hello to every host.
    pub(super) fn call(&mut self) {
        let mine = lane_of(self.endpoint.unique_id(), 0);
        let mut first = 0;
        for (host, count) in self.job.hosts.clone().into_iter().filter(|(_, count)| *count > 0) {
            let agent = lane_of(host.card, AGENT_LANE);
            let has_ways = !host.ways.is_empty();
            let ways = if has_ways { host.ways } else { vec![Path::Card(agent)] };
            let mut member = Member {
                place: if has_ways { host.name.clone() } else { "-".to_owned() },
                name: host.name,
                agent,
                card: host.card,
                first,
                count,
                state: State::Reserved,
                link: None,
                here: None,
                lanes: Vec::new(),
            };
            if let Some(device) = self.job.here.as_ref().filter(|_| host.card == mine) {
                member.lanes = free_lanes(device, OWN_LANES, count, &BTreeSet::new());
            } else {
                let nonce = nonce();
                self.endpoint.connect(agent, ways);
                // A peer that was just asked for takes a first message.
                let _ = self.endpoint.send(agent, self.secret.hello(&nonce).into());
                member.state = State::Greeted(nonce);
            }
            first += count;
            self.members.push(member);
        }
    }

    /// A host has no programs of its own: it hears what the job needs.
    pub(super) fn equip(&mut self, index: usize) {
        if self.programs.is_none() {
            match Programs::read(&self.job.programs) {
                Ok(programs) => self.programs = Some(programs),
                Err(error) => return self.fail(index, &format!("the program cannot be sent: {error}")),
            }
        }
        let Some(programs) = &self.programs else { return };
        let member = &mut self.members[index];
        if let Some(link) = &mut member.link {
            member.state = State::Equipped(None);
            link.send(&mut self.endpoint, &Message::Need(programs.blobs()));
        }
    }

    /// Starts the parts once every rank has a seat.
    pub(super) fn begin(&mut self) {
        let ready =
            |member: &Member| matches!(member.state, State::Reserved) && member.lanes.len() == member.count as usize;
        if self.ended_at.is_some() || !self.members.iter().all(ready) {
            return;
        }
        let size = self.members.iter().map(|member| member.count).sum();
        let seats = self.seats();
        let files = self.programs.as_ref().map(Programs::placed).unwrap_or_default();
        for index in 0..self.members.len() {
            let member = &mut self.members[index];
            let (first, count) = (member.first, member.count);
            let (directory, arguments) = (self.job.directory.clone(), self.job.arguments.clone());
            let (seats_text, environment) = (seats.clone().into_bytes(), self.job.environment.clone());
            let files = if member.link.is_some() { files.clone() } else { Vec::new() };
            let start = Start { first, count, size, seats: seats_text, directory, arguments, environment, files };
            member.state = State::Running;
            match &mut member.link {
                Some(link) => link.send(&mut self.endpoint, &Message::Start(Box::new(start))),
                None => match Part::start(&start, &self.seats_here(&seats)) {
                    Ok(part) => self.members[index].here = Some(part),
                    Err(error) => self.fail(index, &format!("mpirun cannot be started: {error}")),
                },
            }
        }
        self.input = Some(input::read());
    }

    /// Where the ranks here find one another and the others.
    fn seats_here(&self, seats: &str) -> String {
        self.job.here.as_ref().map_or_else(String::new, |device| format!("seats 1 {device}\n{seats}"))
    }

    /// The lines that say where each rank sits; every host adds what the fabric is called there, and its routes.
    fn seats(&self) -> String {
        let mut text = String::new();
        for member in &self.members {
            for (rank, &lane) in (member.first..).zip(&member.lanes) {
                let _ = writeln!(text, "rank {rank} {} 0x{:016x}", member.place, lane_of(member.card, lane).0);
            }
        }
        text
    }
}
