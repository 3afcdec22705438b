//! Guesses: what is behind a port, asked with hops that would reach a known host from as many candidates as possible.
//!
//! A frame that leaves through an unknown port enters some crossbar at some port. For each candidate, that is each place
//! where it might come in, the model knows hops that lead on to a host. The guess is the hops that do so for most of a
//! sample of the candidates. The id of the host that answers then says which candidate it was; silence only drops the
//! candidates that would have answered.

use super::model::{Model, Peer, Place};
use super::ports::{PortSet, distance};
use super::survey::{LEVELS, Survey, level_of};
use twowire_fabric::route::Hop;

/// Crossbars that are drawn as candidates for one guess.
const CROSSBARS: usize = 32;
/// Ports that are drawn from each.
const PORTS: usize = 4;
/// Of the drawn crossbars one in so many stands for those not yet known, which will look like the known ones.
const UNKNOWN: usize = 4;

/// Candidates and what may be asked of them.
pub(super) struct Guesser<'a> {
    pub(super) model: &'a Model,
    pub(super) survey: &'a Survey,
    pub(super) rng: &'a mut fastrand::Rng,
}

/// A candidate on its way to a host: how much it counts, and where the frame comes in.
type Walker = (f32, Place);

impl Guesser<'_> {
    /// The hops to append after leaving by `out`, which were tried in vain with the hops of `tried`; `None` if nothing
    /// known would answer.
    pub(super) fn guess(&mut self, out: Place, tried: &[Box<[Hop]>]) -> Option<Box<[Hop]>> {
        let from = level_of(self.model, out.name);
        let shares: Vec<f32> = (0..LEVELS).map(|to| self.survey.share(from, to)).collect();
        let total: f32 = shares.iter().sum();
        let mut best: Option<(f32, Vec<Hop>)> = None;
        for (level, &share) in shares.iter().enumerate() {
            if share <= total / 64.0 {
                continue;
            }
            let drawn = ((CROSSBARS as f32 * share / total).ceil() as usize).max(4);
            let mut walkers = self.draw(level, drawn);
            let before: f32 = walkers.iter().map(|walker| walker.0).sum();
            walkers.retain(|&(_, place)| !tried.iter().any(|hops| self.would_answer(place, hops)));
            let (weight, hops) = self.descend(walkers, level);
            let score = if before > 0.0 { weight / before * share } else { 0.0 };
            if score > best.as_ref().map_or(0.0, |best| best.0) {
                best = Some((score, hops));
            }
        }
        best.map(|(_, hops)| hops.into())
    }

    /// Draws candidates of a level: ports of which nothing is known, or behind which there is a crossbar that may yet
    /// turn out to be the one that asks. In place of crossbars not yet known, the ports of those that are.
    fn draw(&mut self, level: usize, crossbars: usize) -> Vec<Walker> {
        let names = self.survey.level(level);
        let mut walkers = Vec::with_capacity(crossbars * PORTS);
        let mut misses = 0;
        let mut drawn = 0;
        while drawn < crossbars && misses < 4 * crossbars {
            let name = names[self.rng.usize(..names.len())];
            if !self.model.stands(name) {
                misses += 1;
                continue;
            }
            let unknown = drawn.is_multiple_of(UNKNOWN) || misses >= 2 * crossbars;
            let crossbar = self.model.crossbar(name);
            let ports = if unknown {
                crossbar.cables
            } else {
                crossbar.candidates.minus(crossbar.used()).union(crossbar.doubtful)
            };
            if ports.is_empty() {
                misses += 1;
                drawn += usize::from(unknown);
                continue;
            }
            drawn += 1;
            let weight = if unknown { 0.5 } else { 1.0 };
            for port in self.some_of(ports) {
                walkers.push((weight, Place::new(name, port)));
            }
        }
        walkers
    }

    fn some_of(&mut self, ports: PortSet) -> Vec<u8> {
        let mut all: Vec<u8> = ports.iter().collect();
        for index in 0..PORTS.min(all.len()) {
            let other = self.rng.usize(index..all.len());
            all.swap(index, other);
        }
        all.truncate(PORTS);
        all
    }

    /// True if a frame that enters at `place` with these hops left is known to reach a host.
    fn would_answer(&self, place: Place, hops: &[Hop]) -> bool {
        let mut at = place;
        for (index, hop) in hops.iter().enumerate() {
            let out = Place::new(at.name, hop.out_of(at.port));
            match self.model.crossbar(out.name).peer(out.port) {
                Some(Peer::Host(_)) => return index + 1 == hops.len(),
                Some(Peer::Crossbar(there)) => at = self.model.resolve(there),
                None => return false,
            }
        }
        false
    }

    /// The hops, `level + 1` of them, that lead most of the walkers down to a host; and how much those count.
    fn descend(&self, mut walkers: Vec<Walker>, level: usize) -> (f32, Vec<Hop>) {
        let mut hops = Vec::with_capacity(level + 1);
        for step in 0..=level {
            let mut counts = [0.0f32; 128];
            for &(weight, at) in &walkers {
                for delta in self.downwards(at, step == level).iter() {
                    counts[usize::from(delta)] += weight;
                }
            }
            let Some(delta) = (0..128u8)
                .filter(|&d| counts[usize::from(d)] > 0.0)
                .reduce(|best, d| if counts[usize::from(d)] > counts[usize::from(best)] { d } else { best })
            else {
                return (0.0, hops);
            };
            hops.push(Hop::new(delta.into()));
            walkers.retain(|&(_, at)| self.downwards(at, step == level).contains(delta));
            if step < level {
                for (_, at) in &mut walkers {
                    let out = Place::new(at.name, hops[step].out_of(at.port));
                    *at = self.model.across(out).expect("a port downwards has a cable");
                }
            }
        }
        (walkers.iter().map(|walker| walker.0).sum(), hops)
    }

    /// By how much to move on from a place to go down, or to a host.
    fn downwards(&self, at: Place, to_host: bool) -> PortSet {
        let crossbar = self.model.crossbar(at.name);
        let ports = if to_host { crossbar.hosts } else { crossbar.down };
        ports.moved(distance(at.port, 0))
    }
}
