//! Routes between leaves of a damaged fat tree that no way up and then down connects any more.
//!
//! Such a route goes up and down twice: it turns from down to up at a crossbar on the way. A turn is taken only if with all
//! that were taken before, and with every turn that is not from down to up, no channel can wait for itself. On a tree with
//! planes there is nearly always one: from one plane a frame never comes into another but by such a turn.

use super::cabling::{Cabling, Link};
use super::fat_tree::FatTree;
use std::collections::BTreeSet;
use twowire_fabric::map::{Layer, NO_PORT};

/// A cable in one direction: the place of the link among all links.
type Channel = u32;

/// Finds detours, and remembers the turns that they take.
pub(super) struct Detours<'a> {
    cabling: &'a Cabling,
    tree: &'a FatTree,
    /// Where the channels of a crossbar begin.
    first: Vec<Channel>,
    /// For each channel, the crossbar where it starts.
    from: Vec<u32>,
    /// The turns from down to up that are taken.
    turns: BTreeSet<(Channel, Channel)>,
}

/// A step of a search: a crossbar, and the channel by which it was reached from the step before.
#[derive(Clone, Copy)]
struct Step {
    crossbar: u32,
    via: Option<(usize, Channel)>,
}

impl<'a> Detours<'a> {
    pub(super) fn new(cabling: &'a Cabling, tree: &'a FatTree) -> Detours<'a> {
        let mut first = Vec::with_capacity(cabling.crossbars());
        let mut from = Vec::new();
        for x in 0..cabling.crossbars() as u32 {
            first.push(from.len() as Channel);
            from.extend(cabling.links(x).iter().map(|_| x));
        }
        Detours { cabling, tree, first, from, turns: BTreeSet::new() }
    }

    /// Leads a leaf to a host in one layer, over crossbars that have no way to it so far, to one that has. False if no
    /// detour is free of cycles.
    pub(super) fn lead(&mut self, layer: &mut Layer, leaf: u32, host: u32) -> bool {
        let row = host as usize * self.cabling.crossbars();
        let table = &mut layer.up[row..row + self.cabling.crossbars()];
        let mut steps = vec![Step { crossbar: leaf, via: None }];
        let mut seen = BTreeSet::from([leaf]);
        let mut next = 0;
        while let Some(&Step { crossbar, .. }) = steps.get(next) {
            for (link, channel) in self.cabling.links(crossbar).iter().zip(self.first[crossbar as usize]..) {
                if table[link.to as usize] == NO_PORT {
                    if seen.insert(link.to) {
                        steps.push(Step { crossbar: link.to, via: Some((next, channel)) });
                    }
                } else if self.take(&path(&steps, next, channel), table[link.to as usize]) {
                    for &channel in &path(&steps, next, channel) {
                        table[self.from[channel as usize] as usize] = self.link(channel).port;
                    }
                    return true;
                }
            }
            next += 1;
        }
        false
    }

    fn link(&self, channel: Channel) -> Link {
        let from = self.from[channel as usize];
        self.cabling.links(from)[(channel - self.first[from as usize]) as usize]
    }

    fn is_down(&self, channel: Channel) -> bool {
        let level = |x: u32| self.tree.level_of[x as usize];
        level(self.link(channel).to) < level(self.from[channel as usize])
    }

    /// Takes the turns of a path whose last crossbar sends on by `port`; false, and takes none, if they could close a cycle.
    fn take(&mut self, path: &[Channel], port: u8) -> bool {
        let last = self.link(path[path.len() - 1]).to;
        let onward = self.cabling.links(last).iter().position(|link| link.port == port);
        let channels: Vec<Channel> =
            path.iter().copied().chain(onward.map(|i| self.first[last as usize] + i as Channel)).collect();
        let mut taken = Vec::new();
        for turn in channels.windows(2).map(|pair| (pair[0], pair[1])) {
            if !self.is_down(turn.0) || self.is_down(turn.1) || self.turns.contains(&turn) {
                continue;
            }
            if self.leads_to(turn.1, turn.0) {
                self.turns.retain(|turn| !taken.contains(turn));
                return false;
            }
            self.turns.insert(turn);
            taken.push(turn);
        }
        true
    }

    /// True if a frame on channel `start` can have to wait for channel `goal`.
    fn leads_to(&self, start: Channel, goal: Channel) -> bool {
        let mut seen = vec![false; self.from.len()];
        let mut stack = vec![start];
        while let Some(channel) = stack.pop() {
            if channel == goal {
                return true;
            }
            if std::mem::replace(&mut seen[channel as usize], true) {
                continue;
            }
            let at = self.link(channel).to as usize;
            let out = self.first[at]..self.first[at] + self.cabling.links(at as u32).len() as Channel;
            let (down, before) = (self.is_down(channel), self.from[channel as usize]);
            // No route goes back to the crossbar that it comes from.
            let out = out.filter(|&out| self.link(out).to != before);
            stack.extend(out.filter(|&out| !down || self.is_down(out) || self.turns.contains(&(channel, out))));
        }
        false
    }
}

/// The channels from the first step to one, and `then`.
fn path(steps: &[Step], mut step: usize, then: Channel) -> Vec<Channel> {
    let mut channels = vec![then];
    while let Some((before, channel)) = steps[step].via {
        channels.push(channel);
        step = before;
    }
    channels.reverse();
    channels
}
