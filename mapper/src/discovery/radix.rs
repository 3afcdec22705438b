//! How many ports a crossbar may have, where nobody has said so.
//!
//! The radix bounds the search for ports: a crossbar whose known ports span as many as that is complete, and one with
//! fewer may have more only within that distance. It is learnt: the front end's own crossbar is probed all around, and
//! whenever any crossbar turns out to span more, the next size that is built is assumed for all of them. Before the map
//! is given out, some crossbars of each level are probed beyond the learnt radix ([`audit`]); a crossbar that has cables
//! there shows that the radix is larger, and the search goes on.
//!
//! What this cannot see: a crossbar with a cable further off than the radix of every crossbar in the sample and of every
//! one that is fully known, if its other end leads nowhere else. Giving the radix makes the search complete.

use super::model::{Model, Name, Place};
use super::plan::Aim;
use super::ports::{PortSet, RING, moved};
use super::survey::{LEVELS, Survey};
use std::collections::BTreeSet;

/// The sizes that crossbars are built in.
const SIZES: [u8; 12] = [4, 6, 8, 12, 16, 24, 32, 36, 40, 48, 64, 96];

/// Crossbars of each level that are probed all around, if they are not full.
const AROUND: usize = 2;
/// Crossbars of each level that are probed just beyond their ends, if they are full.
const BEYOND: usize = 8;
/// How far beyond.
const EDGE: u8 = 4;
/// Fabrics of so few crossbars are probed all around at each.
const FEW: usize = 4;

/// The smallest size that holds `span` ports.
pub(super) fn size_for(span: u8) -> u8 {
    SIZES.into_iter().find(|&size| size >= span).unwrap_or(RING)
}

/// Both questions about each of a crossbar's ports outside `except`, the host's first.
pub(super) fn questions(name: Name, except: PortSet) -> impl Iterator<Item = (Place, Aim)> {
    let ports = PortSet::ALL.minus(except);
    let ask = move |aim: Aim| ports.iter().map(move |port| (Place::new(name, port), aim.clone()));
    ask(Aim::Host).chain(ask(Aim::Crossbar))
}

/// Questions about ports beyond the learnt radix, at crossbars that are not in `audited` yet (they are added).
pub(super) fn audit(model: &Model, survey: &Survey, radix: u8, audited: &mut BTreeSet<Name>) -> Vec<(Place, Aim)> {
    let few = model.crossbar_count() <= FEW;
    let mut asked = Vec::new();
    for level in 0..LEVELS {
        let (mut around, mut beyond) = (0, 0);
        let names: Vec<Name> = survey.level(level).iter().copied().filter(|name| !audited.contains(name)).collect();
        for name in spread(&names) {
            let used = model.crossbar(name).used();
            let known = used.union(used.room(radix));
            let full = used.len() == radix;
            let quota = if full { (&mut beyond, BEYOND) } else { (&mut around, AROUND) };
            if *quota.0 == quota.1 && !few {
                continue;
            }
            *quota.0 += 1;
            audited.insert(name);
            let except = if full && !few { PortSet::ALL.minus(edges(used)) } else { known };
            asked.extend(questions(name, except));
        }
    }
    asked
}

/// The ports just below and above the used ones.
fn edges(used: PortSet) -> PortSet {
    let Some((low, span)) = used.extent() else { return PortSet::EMPTY };
    let above = (0..EDGE).map(|d| moved(low, span + d));
    let below = (1..=EDGE).map(|d| moved(low, RING - d));
    above.chain(below).collect::<PortSet>().minus(used)
}

/// The same names in an order that takes them from all over the list.
fn spread(names: &[Name]) -> impl Iterator<Item = Name> {
    // A step that shares no factor with the length visits every index once.
    let len = names.len().max(1);
    let step = (len * 5 / 13..).find(|&step| gcd(step, len) == 1).unwrap_or(1);
    (0..names.len()).map(move |index| names[index * step % len])
}

fn gcd(a: usize, b: usize) -> usize {
    if b == 0 { a } else { gcd(b, a % b) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sample_visits_every_name_once() {
        for len in [0u32, 1, 2, 3, 16, 97, 128] {
            let names: Vec<Name> = (0..len).collect();
            let mut seen: Vec<Name> = spread(&names).collect();
            seen.sort_unstable();
            assert_eq!(seen, names);
        }
    }

    #[test]
    fn edges_lie_on_both_sides_of_the_used_ports() {
        let used: PortSet = (126..=127).chain(0..3).collect();
        let expected: PortSet = [122, 123, 124, 125, 3, 4, 5, 6].into_iter().collect();
        assert_eq!(edges(used), expected);
        assert!(edges(PortSet::ALL).is_empty());
    }
}
