//! Writes the choices that a table makes at the crossbars: each destination's as what changed against another's.

use super::bundle::{columns_end, put_edits, put_fresh, shape};
use super::column::put_number;
use std::collections::HashMap;

/// All destinations' bundles, one after the other.
pub(super) struct Bundles {
    pub(super) starts: Vec<usize>,
    pub(super) bytes: Vec<u8>,
}

impl Bundles {
    fn len(&self) -> usize {
        self.starts.len() - 1
    }

    fn get(&self, index: usize) -> &[u8] {
        &self.bytes[self.starts[index]..self.starts[index + 1]]
    }
}

/// Destinations in a row, with routes of the same shape, that differ in the same way from those `distance` before them.
struct Run {
    /// The first of them.
    first: usize,
    count: u32,
    distance: usize,
    /// The bytes of the edits, or of the whole bundle where `distance` is 0.
    change: Vec<u8>,
}

impl Run {
    fn put(&self, out: &mut Vec<u8>) {
        put_number(out, self.count);
        put_number(out, self.distance as u32);
        out.extend_from_slice(&self.change);
    }
}

/// Appends the bundles, each as what changed against an earlier one.
pub(super) fn put_choices(out: &mut Vec<u8>, bundles: &Bundles) {
    let mut finder = ReferenceFinder::default();
    let mut run: Option<Run> = None;
    let mut change = Vec::new();
    for index in 0..bundles.len() {
        let mut goes_on = |run: &Run| {
            shape(bundles.get(run.first)) == shape(bundles.get(index))
                && put_change(&mut change, bundles, index, run.distance)
                && change == run.change
        };
        match &mut run {
            Some(run) if goes_on(run) => run.count += 1,
            _ => {
                run.iter().for_each(|run| run.put(out));
                run = Some(finder.shortest(bundles, index));
            }
        }
        finder.note(bundles, index);
    }
    run.iter().for_each(|run| run.put(out));
}

/// Replaces `out` by the bytes that write a bundle as an edit of the one `distance` before it, or whole if that is 0. False if
/// it cannot be written so.
fn put_change(out: &mut Vec<u8>, bundles: &Bundles, index: usize, distance: usize) -> bool {
    out.clear();
    let bundle = bundles.get(index);
    if distance == 0 {
        put_number(out, shape(bundle)[0].into());
        put_fresh(out, bundle);
        return true;
    }
    index.checked_sub(distance).is_some_and(|before| put_edits(out, bundles.get(before), bundle))
}

/// Finds earlier destinations whose routes make the same choices.
#[derive(Default)]
struct ReferenceFinder {
    /// The last destination with these choices, by a hash of them.
    last: HashMap<u64, usize>,
    recent: [usize; 4],
}

impl ReferenceFinder {
    /// A destination's choices on the first half of the way, and all but the last: what two destinations of one
    /// pod, or of one crossbar, have in common.
    fn keys(bundle: &[u8]) -> [u64; 2] {
        let [half, all_but_one] = columns_end(bundle, |hops| [hops / 2, hops.saturating_sub(1)]);
        [hash(&bundle[..half]), hash(&bundle[..all_but_one])]
    }

    fn note(&mut self, bundles: &Bundles, index: usize) {
        for key in Self::keys(bundles.get(index)) {
            self.last.insert(key, index);
        }
    }

    /// The shortest way to write a destination.
    fn shortest(&mut self, bundles: &Bundles, index: usize) -> Run {
        let alike = Self::keys(bundles.get(index)).map(|key| self.last.get(&key).map_or(0, |&before| index - before));
        let mut best = Run { first: index, count: 1, distance: 0, change: Vec::new() };
        put_change(&mut best.change, bundles, index, 0);
        let mut change = Vec::new();
        for distance in self.recent.into_iter().chain(alike).chain([1]).filter(|&distance| distance != 0) {
            if put_change(&mut change, bundles, index, distance) && change.len() < best.change.len() {
                best.distance = distance;
                std::mem::swap(&mut best.change, &mut change);
            }
        }
        if best.distance != 0 && !self.recent.contains(&best.distance) {
            self.recent.rotate_right(1);
            self.recent[0] = best.distance;
        }
        best
    }
}

/// A quick hash. Two bundles with the same one cost some bytes and nothing else: what refers to another is compared with it.
fn hash(bytes: &[u8]) -> u64 {
    let mix = |hash: u64, word: u64| (hash ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(23);
    bytes.chunks(8).fold(bytes.len() as u64, |hash, chunk| {
        let mut word = [0; 8];
        word[..chunk.len()].copy_from_slice(chunk);
        mix(hash, u64::from_le_bytes(word))
    })
}
