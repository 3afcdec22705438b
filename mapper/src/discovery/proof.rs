//! The proof of the finished model, without trusting unique ids: closed walks from the front end back to itself.
//!
//! That two names are one crossbar was mostly concluded from a host that both lead to. If two hosts had one id, this
//! would be wrong, and the model might still be free of contradictions. And a cable that was cut after it had been found
//! would make everything behind it look empty. So in the end every cable between crossbars is crossed once more, and at
//! every crossbar all its cables are tied together by turns that were really made: a turn from one cable into another
//! in an answered probe shows that both end at one crossbar, whoever answered.
//!
//! A walk of up to 63 hops proves some fifty such things at once, so this costs some percent of all probes. One that does
//! not come back is taken apart into its turns; if one of those does not come back either, the model is wrong.

use super::model::{Contradiction, Model, Name, Peer, Place};
use super::ports::{PortSet, distance};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use twowire_fabric::route::{Hop, MAX_HOPS, Route};

/// From one cable of a crossbar into another.
#[derive(Clone, Copy, Debug)]
struct Turn {
    at: Place,
    out: u8,
}

/// A route from the front end back to itself, and the turns that it is to prove.
#[derive(Clone, Debug)]
pub(super) struct Walk {
    pub(super) route: Route,
    turns: Vec<Turn>,
    /// How often it has not come back.
    silent: u8,
}

/// What is not proven yet of a crossbar.
#[derive(Clone, Debug, Default)]
struct Open {
    /// Cables that were not crossed.
    cables: PortSet,
    /// Cables that are tied together; one group when all are.
    groups: Vec<PortSet>,
}

impl Open {
    fn is_done(&self) -> bool {
        self.cables.is_empty() && self.groups.len() <= 1
    }

    fn group_of(&self, port: u8) -> PortSet {
        self.groups.iter().copied().find(|group| group.contains(port)).unwrap_or_default()
    }

    fn tie(&mut self, a: u8, b: u8) {
        let (one, other) = (self.group_of(a), self.group_of(b));
        if one != other {
            self.groups.retain(|&group| group != one && group != other);
            self.groups.push(one.union(other));
        }
    }
}

/// What remains to be proven.
#[derive(Clone, Debug)]
pub(super) struct Proof {
    open: BTreeMap<Name, Open>,
    /// Walks to be sent, or sent again.
    walks: VecDeque<Walk>,
}

impl Proof {
    /// Starts the proof of a model; `answered` are the routes of all probes that were answered.
    pub(super) fn new(model: &Model, answered: impl Iterator<Item = Route>) -> Proof {
        let open =
            model.names().map(|name| (name, Open { cables: cables_of(model, name), groups: ends_of(model, name) }));
        let mut proof = Proof { open: open.collect(), walks: VecDeque::new() };
        for route in answered {
            proof.tie_along(model, &route);
        }
        proof.open.retain(|_, open| !open.is_done());
        proof
    }

    /// Ties what an answered probe has tied.
    fn tie_along(&mut self, model: &Model, route: &Route) {
        let mut at = model.resolve(Place::new(0, 0));
        for hop in route.hops() {
            let out = hop.out_of(at.port);
            if let Some(open) = self.open.get_mut(&at.name) {
                open.tie(at.port, out);
            }
            let Some(next) = model.across(Place::new(at.name, out)) else { return };
            at = next;
        }
    }

    /// The next walk to send; `None` if there is none now.
    pub(super) fn next(&mut self, model: &Model) -> Option<Walk> {
        self.walks.pop_front().or_else(|| self.plan(model))
    }

    /// Takes back a walk that did not come back, after which there may be others to send.
    ///
    /// # Errors
    ///
    /// It was silent `tries` times, and proves a single turn only.
    pub(super) fn silent(&mut self, model: &Model, mut walk: Walk, tries: u8) -> Result<(), Contradiction> {
        walk.silent += 1;
        if walk.silent < tries {
            self.walks.push_back(walk);
            return Ok(());
        }
        if walk.turns.len() <= 1 {
            return Err(Contradiction::Silent(Box::new(walk.route)));
        }
        self.walks.extend(walk.turns.iter().filter_map(|&turn| single(model, turn)));
        Ok(())
    }

    /// Plans a walk through as much as possible of what is open, and takes that for proven.
    fn plan(&mut self, model: &Model) -> Option<Walk> {
        let mut at = model.resolve(Place::new(0, 0));
        let mut walk = Walk { route: Route::EMPTY, turns: Vec::new(), silent: 0 };
        loop {
            let outs = match self.best_turn(model, at, walk.route.len()) {
                Some(out) => vec![out],
                None => self.path_to_open(model, at, walk.route.len()),
            };
            if outs.is_empty() {
                break;
            }
            for out in outs {
                walk.route.push(Hop::between(at.port, out)).expect("room for it and the way back");
                if self.prove(model, at, out) {
                    walk.turns.push(Turn { at, out });
                }
                at = model.across(Place::new(at.name, out)).expect("a cable");
            }
        }
        if walk.turns.is_empty() {
            // The rest is too far away to come back from.
            self.open.clear();
            return None;
        }
        let home = model.crossbar(at.name).entry;
        self.tie(at, home);
        walk.route = way_back(model, &walk.route, at).expect("room was kept for the way back");
        Some(walk)
    }

    /// Takes a turn for made; tells whether that was new.
    fn prove(&mut self, model: &Model, at: Place, out: u8) -> bool {
        let there = model.across(Place::new(at.name, out)).expect("a cable");
        let crossed = self.cross(at.name, out) | self.cross(there.name, there.port);
        self.tie(at, out) | crossed
    }

    fn cross(&mut self, name: Name, port: u8) -> bool {
        let Some(open) = self.open.get_mut(&name) else { return false };
        let news = open.cables.contains(port);
        open.cables.remove(port);
        if open.is_done() {
            self.open.remove(&name);
        }
        news
    }

    fn tie(&mut self, at: Place, out: u8) -> bool {
        let Some(open) = self.open.get_mut(&at.name) else { return false };
        let news = open.group_of(at.port) != open.group_of(out);
        open.tie(at.port, out);
        if open.is_done() {
            self.open.remove(&at.name);
        }
        news
    }

    /// The turn from here that proves most and leaves room for the way back.
    fn best_turn(&self, model: &Model, at: Place, hops: usize) -> Option<u8> {
        let open = self.open.get(&at.name)?;
        let group = open.group_of(at.port);
        let mut best = None;
        for out in cables_of(model, at.name).iter() {
            let there = model.across(Place::new(at.name, out))?;
            let news = u8::from(open.cables.contains(out)) + u8::from(open.groups.len() > 1 && !group.contains(out));
            let score = 2 * news + u8::from(self.open.contains_key(&there.name));
            if news > 0 && fits(model, hops + 1, there) && best.is_none_or(|(most, _)| score > most) {
                best = Some((score, out));
            }
        }
        best.map(|(_, out)| out)
    }

    /// The ports by which to leave one crossbar after another to come to the nearest one where something is open.
    fn path_to_open(&self, model: &Model, at: Place, hops: usize) -> Vec<u8> {
        let mut came_from: BTreeMap<Name, (Name, u8)> = BTreeMap::new();
        let mut seen = BTreeSet::from([at.name]);
        let mut queue = VecDeque::from([(at.name, hops)]);
        while let Some((name, hops)) = queue.pop_front() {
            for out in cables_of(model, name).iter() {
                let Some(there) = model.across(Place::new(name, out)) else { continue };
                // Two more: a turn that proves something, and the way back from behind it may be one longer.
                if !fits(model, hops + 3, there) || !seen.insert(there.name) {
                    continue;
                }
                came_from.insert(there.name, (name, out));
                if self.open.contains_key(&there.name) {
                    return backtrace(&came_from, at.name, there.name);
                }
                queue.push_back((there.name, hops + 1));
            }
        }
        Vec::new()
    }
}

fn backtrace(came_from: &BTreeMap<Name, (Name, u8)>, from: Name, to: Name) -> Vec<u8> {
    let mut outs = Vec::new();
    let mut name = to;
    while name != from {
        let (before, out) = came_from[&name];
        outs.push(out);
        name = before;
    }
    outs.reverse();
    outs
}

/// Ports with a cable to a crossbar, but for loopback plugs.
fn cables_of(model: &Model, name: Name) -> PortSet {
    let leads_away =
        |&port: &u8| model.across(Place::new(name, port)).is_some_and(|there| there != Place::new(name, port));
    model.crossbar(name).cables.iter().filter(leads_away).collect()
}

/// A group for each cable to a crossbar or to the front end, which is known without an id.
fn ends_of(model: &Model, name: Name) -> Vec<PortSet> {
    let own = model
        .crossbar(name)
        .hosts
        .iter()
        .filter(|&port| matches!(model.crossbar(name).peer(port), Some(Peer::Host(0))));
    cables_of(model, name).iter().chain(own).map(|port| PortSet::from_iter([port])).collect()
}

/// True if after so many hops there is room for the way back from `there`.
fn fits(model: &Model, hops: usize, there: Place) -> bool {
    hops + model.crossbar(there.name).way.len() < MAX_HOPS
}

/// The route so far, which has come in at `at`, and back to the front end.
fn way_back(model: &Model, so_far: &Route, at: Place) -> Option<Route> {
    let crossbar = model.crossbar(at.name);
    let mut route = *so_far;
    route.push(Hop::new(distance(at.port, crossbar.entry).into())).ok()?;
    route.join(&crossbar.way.reversed()).ok()
}

/// The shortest walk that makes a turn; `None` if even that is too long.
fn single(model: &Model, turn: Turn) -> Option<Walk> {
    let mut route = match model.across(turn.at) {
        Some(before) => model.route_out(before)?,
        None => Route::EMPTY,
    };
    route.push(Hop::between(turn.at.port, turn.out)).ok()?;
    let there = model.across(Place::new(turn.at.name, turn.out))?;
    Some(Walk { route: way_back(model, &route, there)?, turns: vec![turn], silent: 0 })
}
