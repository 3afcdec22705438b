//! A process that sends to this one: its ring, and how much of what came from it nobody has asked for.
use crate::transport::shm::Consumer;

/// Bytes that are held for one source; beyond it, it is asked to announce its messages and keep their data.
const HELD: usize = 1 << 20;
/// What a held message costs beside its data.
const OVERHEAD: usize = 128;

/// A process of this node that sends to this one.
#[derive(Debug)]
pub(super) struct Source {
    /// Its place among the node's processes.
    pub place: usize,
    /// Its number in the job.
    pub process: u32,
    /// Its ring.
    pub ring: Consumer,
    held: usize,
    throttled: bool,
}

impl Source {
    /// A source of which nothing is held.
    pub(super) fn new(place: usize, process: u32, ring: Consumer) -> Source {
        Source { place, process, ring, held: 0, throttled: false }
    }

    /// A message of so many bytes is kept.
    pub(super) fn hold(&mut self, len: usize) {
        self.held += len + OVERHEAD;
        if self.held > HELD && !self.throttled {
            self.throttled = true;
            self.ring.throttle(true);
        }
    }

    /// A message of so many bytes is no longer kept.
    pub(super) fn release(&mut self, len: usize) {
        self.held = self.held.saturating_sub(len + OVERHEAD);
        if self.held < HELD / 2 && self.throttled {
            self.throttled = false;
            self.ring.throttle(false);
        }
    }
}
