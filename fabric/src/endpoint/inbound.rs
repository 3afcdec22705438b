//! The paths that the peer sends on: what arrived on each, and the way back.

use super::address::way_back;
use super::sequence::expand;
use crate::protocol::Path;
use crate::time::Time;
use crate::wire::endpoint::{Echo, PathLabel};

/// More paths than a peer may have; the one that was silent for longest gives way.
const MAX_INBOUND: usize = 32;

#[derive(Clone, Debug)]
struct InboundPath {
    id: u8,
    highest: Option<u64>,
    at: Time,
    back: Option<Path>,
}

/// Every path that frames of one connection came by.
#[derive(Clone, Debug, Default)]
pub(super) struct Inbound {
    paths: Vec<InboundPath>,
    latest: usize,
}

impl Inbound {
    fn index(&mut self, now: Time, id: u8) -> usize {
        if let Some(i) = self.paths.iter().position(|p| p.id == id) {
            return i;
        }
        let fresh = InboundPath { id, highest: None, at: now, back: None };
        if self.paths.len() < MAX_INBOUND {
            self.paths.push(fresh);
            return self.paths.len() - 1;
        }
        let oldest = (0..self.paths.len()).min_by_key(|&i| self.paths[i].at).unwrap_or(0);
        self.paths[oldest] = fresh;
        oldest
    }

    /// A frame came by path `id`.
    pub(super) fn heard(&mut self, now: Time, id: u8, transmit: u32) {
        let i = self.index(now, id);
        let path = &mut self.paths[i];
        let number = expand(path.highest.unwrap_or(0), transmit);
        if number > path.highest || (path.highest.is_none() && number.is_some()) {
            path.highest = number;
            path.at = now;
        }
        self.latest = i;
    }

    /// The peer said what path `label` is. The way back, if that is news.
    pub(super) fn announced(&mut self, now: Time, label: PathLabel, payload: &[u8]) -> Option<Path> {
        let back = way_back(label.form, payload)?;
        let i = self.index(now, label.path);
        self.latest = i;
        (self.paths[i].back.replace(back) != Some(back)).then_some(back)
    }

    /// The way back of the path by which a frame came last, or of another one.
    pub(super) fn back(&self) -> Option<Path> {
        let latest = self.paths.get(self.latest).and_then(|p| p.back);
        latest.or_else(|| self.paths.iter().find_map(|p| p.back))
    }

    /// What arrived on each path.
    pub(super) fn echoes(&self, now: Time) -> Vec<Echo> {
        let echo = |p: &InboundPath| {
            let age_ns = u32::try_from((now - p.at).as_nanos()).unwrap_or(u32::MAX);
            p.highest.map(|highest| Echo { path: p.id, transmit: highest as u32, age_ns })
        };
        self.paths.iter().filter_map(echo).collect()
    }
}
