//! A view of the whole model, taken anew each time that it has grown by some percent: the shortest way to each
//! crossbar, how far each is from a host, and which sort of crossbar is cabled to which.
//!
//! Nothing here is needed for correctness; it makes routes short and guesses good.

use super::model::{Model, Name, Peer, Place};
use super::ports::{PortSet, distance};
use std::collections::VecDeque;
use twowire_fabric::route::{Hop, Route};

/// Levels are told apart up to this one.
pub(super) const LEVELS: usize = 16;

/// What the model looked like when it was last looked at as a whole.
#[derive(Clone, Debug, Default)]
pub(super) struct Survey {
    /// The crossbars of each level.
    by_level: Vec<Vec<Name>>,
    /// How many cables there are between two levels, counted from both ends.
    mix: [[u32; LEVELS]; LEVELS],
    /// Cables when it was taken.
    cables: usize,
}

impl Survey {
    /// True if the model has grown enough for a new survey.
    pub(super) fn is_stale(&self, model: &Model) -> bool {
        model.cable_count() > self.cables + self.cables / 16 + 2
    }

    /// Looks at the whole model, and writes ways and levels into it.
    pub(super) fn take(model: &mut Model, radix: u8) -> Survey {
        let names: Vec<Name> = model.names().collect();
        set_ways(model);
        set_levels(model, &names);
        let mut survey =
            Survey { by_level: vec![Vec::new(); LEVELS], cables: model.cable_count(), ..Survey::default() };
        for &name in &names {
            let crossbar = model.crossbar_mut(name);
            crossbar.candidates = crossbar.used().room(radix).minus(crossbar.doubts.closed());
        }
        for &name in &names {
            let level = level_of(model, name);
            survey.by_level[level].push(name);
            let mut down = PortSet::EMPTY;
            let mut doubtful = PortSet::EMPTY;
            for port in model.crossbar(name).cables.iter() {
                let Some(there) = model.across(Place::new(name, port)) else { continue };
                let other = level_of(model, there.name);
                survey.mix[level][other] += 1;
                let peer = model.crossbar(there.name);
                if peer.level < model.crossbar(name).level {
                    down.insert(port);
                } else if peer.may_have_other_names() {
                    doubtful.insert(port);
                }
            }
            let crossbar = model.crossbar_mut(name);
            crossbar.down = down;
            crossbar.doubtful = doubtful;
        }
        survey
    }

    /// The crossbars of a level.
    pub(super) fn level(&self, level: usize) -> &[Name] {
        &self.by_level[level]
    }

    /// How likely a cable of a crossbar of level `from` leads to one of level `to`, by those seen so far; not normalised.
    pub(super) fn share(&self, from: usize, to: usize) -> f32 {
        if self.by_level.get(to).is_none_or(Vec::is_empty) || from >= LEVELS {
            return 0.0;
        }
        let near = if from.abs_diff(to) <= 1 { 1.0 } else { 0.05 };
        self.mix[from][to] as f32 + near
    }
}

/// A crossbar's level, as far as levels are told apart.
pub(super) fn level_of(model: &Model, name: Name) -> usize {
    usize::from(model.crossbar(name).level).min(LEVELS - 1)
}

/// Gives every crossbar its shortest way, breadth first from the front end.
fn set_ways(model: &mut Model) {
    let mut reached = vec![false; model.names_made()];
    let start = model.resolve(Place::new(0, 0));
    let mut queue = VecDeque::from([(start, Route::EMPTY)]);
    reached[start.name as usize] = true;
    while let Some((at, way)) = queue.pop_front() {
        let crossbar = model.crossbar_mut(at.name);
        (crossbar.way, crossbar.entry) = (way, at.port);
        for port in crossbar.cables.iter() {
            let Some(there) = model.across(Place::new(at.name, port)) else { continue };
            let mut onwards = way;
            if !reached[there.name as usize] && onwards.push(Hop::new(distance(at.port, port).into())).is_ok() {
                reached[there.name as usize] = true;
                queue.push_back((there, onwards));
            }
        }
    }
}

/// Gives every crossbar its distance from the nearest host, breadth first from all hosts.
fn set_levels(model: &mut Model, names: &[Name]) {
    let mut queue = VecDeque::new();
    for &name in names {
        let crossbar = model.crossbar_mut(name);
        let has_host = !crossbar.hosts.is_empty();
        crossbar.level = if has_host { 0 } else { u8::MAX };
        queue.extend(has_host.then_some(name));
    }
    while let Some(name) = queue.pop_front() {
        let level = model.crossbar(name).level.saturating_add(1);
        let peers: Vec<Peer> = model.crossbar(name).links().iter().map(|link| link.1).collect();
        for peer in peers {
            let Peer::Crossbar(place) = peer else { continue };
            let there = model.resolve(place).name;
            if model.crossbar(there).level > level {
                model.crossbar_mut(there).level = level;
                queue.push_back(there);
            }
        }
    }
}
