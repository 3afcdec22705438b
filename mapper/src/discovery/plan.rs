//! What to ask next: every open port is scored by how likely an answer is, and the best crossbar is asked first.
//!
//! Three things can be asked of a port: is there a host (one hop more)? Is there a crossbar (turn round behind the port
//! and come back)? And, if there is a crossbar, which one (a guess)? An answer to the last proves most,
//! so it comes before the second, which only makes a new name for what may be an old crossbar.
//!
//! Scores steer; nothing that is found depends on them.

use super::chances::{Chances, Key, Record};
use super::guess::Guesser;
use super::model::{Crossbar, Model, Name, Place};
use super::ports::PortSet;
use super::survey::Survey;
use std::cmp::Reverse;
use std::collections::BTreeSet;
use twowire_fabric::route::{Hop, Route};

/// What is asked of a port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Aim {
    /// Is there a host?
    Host,
    /// Is there a crossbar from which these hops lead to a known host?
    Guess(Box<[Hop]>),
    /// Is there a crossbar?
    Crossbar,
}

/// A question about a port.
#[derive(Clone, Debug)]
pub(super) struct Question {
    pub(super) place: Place,
    pub(super) aim: Aim,
    /// Where its outcome is counted.
    key: Option<Key>,
}

/// What one frame in a hundred or so is lost teaches: an unanswered question is worth that much asked again.
const LOSS: f32 = 0.02;
/// What a new name is worth against a fact.
const NAME: f32 = 0.12;
/// What settling a doubt is worth.
const DOUBT: f32 = 0.001;

#[derive(Clone, Copy, Debug, PartialEq)]
enum Kind {
    Host,
    Guess,
    Crossbar,
}

#[derive(Clone, Copy, Debug)]
struct Choice {
    score: f32,
    port: u8,
    kind: Kind,
}

impl Choice {
    fn rank(&self) -> u32 {
        (self.score * 1e6) as u32
    }
}

/// What the planner needs to know beside the model.
#[derive(Clone, Copy, Debug)]
pub(super) struct Circumstances {
    /// Ports that a crossbar has at most.
    pub(super) radix: u8,
    /// Unanswered probes of each kind after which a port counts as empty.
    pub(super) rounds: u8,
}

/// Which port of which crossbar to ask about next.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    /// Crossbars with something to ask, the best first.
    ranked: BTreeSet<(Reverse<u32>, Name)>,
    /// The rank under which each name is listed.
    listed: Vec<Option<u32>>,
    /// Which names are listed without a host, and how many.
    unsettled: Vec<bool>,
    unsettled_count: usize,
    record: Record,
}

impl Plan {
    pub(super) fn new() -> Plan {
        Plan {
            ranked: BTreeSet::new(),
            listed: Vec::new(),
            unsettled: Vec::new(),
            unsettled_count: 0,
            record: Record::new(),
        }
    }

    /// Scores a crossbar again; a name that was merged away is dropped.
    pub(super) fn refresh(&mut self, model: &mut Model, name: Name, now: Circumstances) {
        if self.listed.len() < model.names_made() {
            self.listed.resize(model.names_made(), None);
            self.unsettled.resize(model.names_made(), false);
        }
        let rank = if model.stands(name) { self.best(model, name, now).map(|choice| choice.rank()) } else { None };
        if let Some(old) = self.listed[name as usize] {
            self.ranked.remove(&(Reverse(old), name));
        }
        if let Some(rank) = rank {
            self.ranked.insert((Reverse(rank), name));
        }
        self.listed[name as usize] = rank;
        let unsettled = rank.is_some() && model.crossbar(name).hosts.is_empty();
        let before = std::mem::replace(&mut self.unsettled[name as usize], unsettled);
        self.unsettled_count = self.unsettled_count + usize::from(unsettled) - usize::from(before);
    }

    /// True if there is nothing left to ask.
    pub(super) fn is_exhausted(&self) -> bool {
        self.ranked.is_empty()
    }

    /// The next question with its route; `None` if there is none.
    pub(super) fn next(
        &mut self,
        model: &mut Model,
        survey: &Survey,
        rng: &mut fastrand::Rng,
        now: Circumstances,
    ) -> Option<(Question, Route)> {
        loop {
            let &(Reverse(rank), name) = self.ranked.first()?;
            let choice = self.best(model, name, now).filter(|choice| choice.rank() >= rank);
            let Some(choice) = choice else {
                self.refresh(model, name, now);
                continue;
            };
            let asked = self.ask(model, survey, rng, Place::new(name, choice.port), choice);
            self.refresh(model, name, now);
            if asked.is_some() {
                return asked;
            }
        }
    }

    /// Asks about a port whatever the plan says; `None` if something is known of it or asked already.
    pub(super) fn ask_directly(&self, model: &mut Model, place: Place, aim: Aim) -> Option<(Question, Route)> {
        let place = model.resolve(place);
        let crossbar = model.crossbar(place.name);
        if crossbar.used().union(crossbar.doubts.busy).contains(place.port) {
            return None;
        }
        let route = route_of(model, place, &aim)?;
        model.crossbar_mut(place.name).doubts.busy.insert(place.port);
        Some((Question { place, aim, key: None }, route))
    }

    /// Words a question; `None` if it cannot be asked, which is noted.
    fn ask(
        &self,
        model: &mut Model,
        survey: &Survey,
        rng: &mut fastrand::Rng,
        place: Place,
        choice: Choice,
    ) -> Option<(Question, Route)> {
        let crossbar = model.crossbar(place.name);
        let tried = crossbar.doubts.at(place.port).map_or(&[][..], |doubt| &doubt.guesses);
        let key = match choice.kind {
            Kind::Host => Some(Key::host(crossbar.level, crossbar.doubts.without_host())),
            Kind::Guess => Some(Key::guess(crossbar.level, tried.len())),
            Kind::Crossbar => None,
        };
        let aim = match choice.kind {
            Kind::Host => Some(Aim::Host),
            Kind::Crossbar => Some(Aim::Crossbar),
            Kind::Guess => Guesser { model, survey, rng }.guess(place, tried).map(Aim::Guess),
        };
        let doubts = &mut model.crossbar_mut(place.name).doubts;
        let Some(aim) = aim else {
            doubts.hopeless.insert(place.port);
            return None;
        };
        doubts.busy.insert(place.port);
        let Some(route) = route_of(model, place, &aim) else {
            // Too far away for a probe: the port is left alone.
            let doubts = &mut model.crossbar_mut(place.name).doubts;
            doubts.busy.remove(place.port);
            doubts.too_far.insert(place.port);
            return None;
        };
        Some((Question { place, aim, key }, route))
    }

    /// Notes that a question is not on its way any more, and whether it was answered.
    pub(super) fn outcome(&mut self, question: &Question, answered: bool) {
        if let Some(key) = question.key {
            self.record.count(key, answered);
        }
    }

    /// The best question about a crossbar. Ports that have been silent often enough are marked as empty.
    fn best(&self, model: &mut Model, name: Name, now: Circumstances) -> Option<Choice> {
        let crossbar = model.crossbar(name);
        let used = crossbar.used();
        let open = used.room(now.radix).minus(crossbar.doubts.closed()).minus(crossbar.doubts.busy);
        let chances = Chances::of(crossbar, now.radix, &self.record);
        let mut best: Option<Choice> = None;
        let mut empty = PortSet::EMPTY;
        for port in open.iter() {
            match self.best_of_port(crossbar, &chances, port, now.rounds) {
                None => empty.insert(port),
                Some(choice) if best.is_none_or(|best| choice.score > best.score) => best = Some(choice),
                Some(_) => {}
            }
        }
        let doubts = &mut model.crossbar_mut(name).doubts;
        doubts.empty = doubts.empty.union(empty);
        best
    }

    /// The best question about a port; `None` if it has been silent often enough.
    fn best_of_port(&self, crossbar: &Crossbar, chances: &Chances, port: u8, rounds: u8) -> Option<Choice> {
        let doubt = crossbar.doubts.at(port);
        let (hosts, crossbars) = doubt.map_or((0, 0), |d| (d.host, d.crossbar));
        if hosts >= rounds && crossbars >= rounds {
            return None;
        }
        let exists = chances.exists(port);
        let choice = |score, kind| Choice { score: exists * score, port, kind };
        if hosts > 0 && crossbars > 0 {
            let kind = if hosts <= crossbars { Kind::Host } else { Kind::Crossbar };
            return Some(choice(DOUBT / f32::from(1 + hosts.min(crossbars)), kind));
        }
        let (host, cable) = if hosts > 0 { (LOSS, 1.0) } else { (chances.host, 1.0 - chances.host) };
        let tries = doubt.map_or(0, |d| d.guesses.len());
        let guess = if crossbars > 0 || crossbar.doubts.hopeless.contains(port) {
            0.0
        } else {
            cable * self.record.rate(Key::guess(crossbar.level, tries))
        };
        let name = if crossbars > 0 {
            0.0
        } else {
            cable * NAME * 8.0 / (8.0 + self.unsettled_count as f32 + crossbar.way.len() as f32)
        };
        let mut best = if hosts > 0 { choice(name, Kind::Crossbar) } else { choice(host, Kind::Host) };
        if exists * guess > best.score {
            best = choice(guess, Kind::Guess);
        }
        if exists * name > best.score {
            best = choice(name, Kind::Crossbar);
        }
        Some(best)
    }
}

/// The whole route of a question's probe; `None` if it is too long.
fn route_of(model: &Model, place: Place, aim: &Aim) -> Option<Route> {
    let mut route = model.route_out(place)?;
    match aim {
        Aim::Host => Some(route),
        Aim::Guess(hops) => {
            hops.iter().try_for_each(|&hop| route.push(hop)).ok()?;
            Some(route)
        }
        Aim::Crossbar => there_and_back(&route),
    }
}

/// A route that turns round after the last crossbar of `there` and the cable behind it, and comes back.
fn there_and_back(there: &Route) -> Option<Route> {
    let mut route = *there;
    route.push(Hop::new(0)).ok()?;
    route.join(&there.reversed()).ok()
}
