//! Why did the answers contradict one another? Either the fabric changed, or two hosts have one unique id.
//!
//! The two can be told apart without trusting any id. If two probes were answered by the same host, then their last
//! crossbar is the same too, and a walk that goes along the first probe's route and back along the second's comes home:
//! it leaves out the host, and turns at that crossbar from the one port of entry to the other. If it does not come home
//! although both probes are still answered with that id, the id is in two places.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use twowire_fabric::id::UniqueId;
use twowire_fabric::route::{Hop, Route};

/// How often a walk is tried before it counts as not coming home, and a probe as not answered.
const TRIES: u8 = 16;

/// Two routes at whose ends one id answered.
#[derive(Clone, Debug)]
struct Pair {
    id: UniqueId,
    routes: [Route; 2],
    silent: u8,
    /// Which of the two have been answered again since the walk failed.
    again: [bool; 2],
}

/// What a probe of a diagnosis asks.
#[derive(Clone, Copy, Debug)]
pub(super) enum Check {
    /// Does the walk of this pair come home?
    Walk(usize),
    /// Is this route of this pair still answered?
    Route(usize, usize),
}

/// The pairs that are still to be checked.
#[derive(Clone, Debug)]
pub(super) struct Diagnosis {
    pairs: Vec<Pair>,
    queue: VecDeque<Check>,
}

impl Diagnosis {
    /// A diagnosis of these answers: the routes of the probes, and who answered.
    pub(super) fn new(own_id: UniqueId, answers: impl Iterator<Item = (Route, UniqueId)>) -> Diagnosis {
        let mut seen: BTreeMap<UniqueId, BTreeSet<Route>> = BTreeMap::new();
        for (route, id) in answers.filter(|answer| answer.1 != own_id) {
            seen.entry(id).or_default().insert(route);
        }
        let pair = |id, first, second| Pair { id, routes: [first, second], silent: 0, again: [false; 2] };
        let pairs: Vec<Pair> = seen
            .iter()
            .flat_map(|(&id, routes)| {
                let mut routes = routes.iter().copied();
                let first = routes.next().expect("an answer has a route");
                routes.map(move |second| pair(id, first, second))
            })
            .filter(|pair| walk(&pair.routes).is_some())
            .collect();
        let queue = (0..pairs.len()).map(Check::Walk).collect();
        Diagnosis { pairs, queue }
    }

    /// The next probe to send.
    pub(super) fn next(&mut self) -> Option<(Check, Route)> {
        let check = self.queue.pop_front()?;
        let route = match check {
            Check::Walk(pair) => walk(&self.pairs[pair].routes).expect("pairs without a walk were left out"),
            Check::Route(pair, which) => self.pairs[pair].routes[which],
        };
        Some((check, route))
    }

    /// Takes an answer; `came_home` if the probe itself came back. Tells the id and its two places once they are proven.
    pub(super) fn answered(&mut self, check: Check, came_home: bool, id: UniqueId) -> Option<(UniqueId, [Route; 2])> {
        match check {
            Check::Walk(_) if came_home => None,
            Check::Walk(pair) => {
                // Somebody else is at the end of the walk: the same as silence, but certain.
                self.pairs[pair].silent = TRIES;
                self.doubt(pair);
                None
            }
            Check::Route(index, which) => {
                let pair = &mut self.pairs[index];
                pair.again[which] |= id == pair.id && !came_home;
                (pair.again == [true; 2]).then_some((pair.id, pair.routes))
            }
        }
    }

    /// Takes in that a probe was not answered.
    pub(super) fn silent(&mut self, check: Check) {
        let (Check::Walk(index) | Check::Route(index, _)) = check;
        let pair = &mut self.pairs[index];
        pair.silent += 1;
        match check {
            Check::Walk(_) if pair.silent >= TRIES => self.doubt(index),
            Check::Route(..) if pair.silent >= 2 * TRIES => {}
            _ => self.queue.push_back(check),
        }
    }

    /// The walk has failed: are both hosts still there?
    fn doubt(&mut self, pair: usize) {
        self.queue.extend([Check::Route(pair, 0), Check::Route(pair, 1)]);
    }
}

/// Along the first route, and from its last crossbar back along the second; `None` if that is too long.
fn walk(routes: &[Route; 2]) -> Option<Route> {
    let [mut there, mut back] = *routes;
    let (to_host, other) = (there.pop()?, back.pop()?);
    there.push(Hop::new(i32::from(to_host.delta()) - i32::from(other.delta()))).ok()?;
    there.join(&back.reversed()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn route(text: &str) -> Route {
        text.parse().unwrap()
    }

    #[test]
    fn the_walk_turns_at_the_last_crossbar() {
        // To port 7 of a crossbar entered at port 2, and to the same port when entered at port 4.
        assert_eq!(walk(&[route("8185"), route("82838383")]), Some(route("8182fdfdfe")));
        assert_eq!(walk(&[route("81"), route("81")]), Some(route("80")));
        assert_eq!(walk(&[Route::EMPTY, route("81")]), None);
    }

    #[test]
    fn an_id_is_in_two_places_only_if_both_still_answer() {
        let answers = [("8185", 5), ("82838383", 5), ("81", 6), ("82", 1)];
        let answers = answers.map(|(text, id)| (route(text), UniqueId(id)));
        let mut diagnosis = Diagnosis::new(UniqueId(1), answers.into_iter());
        for _ in 0..TRIES {
            let (check, _) = diagnosis.next().unwrap();
            assert!(matches!(check, Check::Walk(0)), "{check:?}");
            diagnosis.silent(check);
        }
        let (first, _) = diagnosis.next().unwrap();
        let (second, _) = diagnosis.next().unwrap();
        assert_eq!(diagnosis.answered(first, false, UniqueId(5)), None);
        let mut moved = diagnosis.clone();
        assert_eq!(moved.answered(second, false, UniqueId(9)), None);
        assert!(moved.next().is_none());
        let found = diagnosis.answered(second, false, UniqueId(5));
        assert_eq!(found, Some((UniqueId(5), [route("8185"), route("82838383")])));
    }
}
