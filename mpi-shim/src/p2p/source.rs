//! The processes that send to this one: their rings, and how much of what came from each nobody has asked for.
use crate::transport::shm::{Consumer, Segment};

/// Bytes that are held for one source; beyond it, it is asked to announce its messages and keep their data.
const HELD: usize = 1 << 20;
/// What a held message costs beside its data.
const OVERHEAD: usize = 128;

/// How much is held for a source.
#[derive(Clone, Debug, Default)]
pub(super) struct Held {
    bytes: usize,
    throttled: bool,
}

impl Held {
    /// A message of so many bytes is kept; true if its source should be throttled from now on.
    pub(super) fn hold(&mut self, len: usize) -> bool {
        self.bytes += len + OVERHEAD;
        let begins = self.bytes > HELD && !self.throttled;
        self.throttled |= begins;
        begins
    }

    /// A message of so many bytes is no longer kept; true if its source need not be throttled any longer.
    pub(super) fn release(&mut self, len: usize) -> bool {
        self.bytes = self.bytes.saturating_sub(len + OVERHEAD);
        let ends = self.bytes < HELD / 2 && self.throttled;
        self.throttled &= !ends;
        ends
    }
}

/// A process of this node that sends to this one.
#[derive(Debug)]
pub(super) struct Source {
    /// Its number in the job.
    pub(super) process: u32,
    /// Its ring.
    pub(super) ring: Consumer,
}

/// All processes that send to this one.
#[derive(Debug)]
pub(super) struct Sources {
    /// Those of this node.
    pub(super) list: Vec<Source>,
    /// Where each process is in the list.
    at: Vec<Option<u32>>,
    /// What is held for each process.
    held: Vec<Held>,
    /// The processes of this node.
    local: Vec<u32>,
    /// The senders that are in the list, a bit for each of the node's processes.
    known: Vec<u64>,
}

impl Sources {
    /// None so far; the node's processes are `local`, the job's `size`.
    pub(super) fn new(local: &[u32], size: u32) -> Sources {
        Sources {
            list: Vec::new(),
            at: vec![None; size as usize],
            held: vec![Held::default(); size as usize],
            local: local.to_vec(),
            known: vec![0; local.len().div_ceil(64)],
        }
    }

    /// True if a process has sent that never did before.
    #[inline]
    pub(super) fn has_strangers(&self, segment: &Segment) -> bool {
        (0..self.known.len()).any(|word| segment.incoming(word) != self.known[word])
    }

    /// Takes in those that never sent before.
    #[cold]
    pub(super) fn meet(&mut self, segment: &Segment) {
        for word in 0..self.known.len() {
            let mut fresh = segment.incoming(word) & !self.known[word];
            self.known[word] |= fresh;
            while fresh != 0 {
                let place = word * 64 + fresh.trailing_zeros() as usize;
                fresh &= fresh - 1;
                let process = self.local[place];
                self.at[process as usize] = Some(self.list.len() as u32);
                self.list.push(Source { process, ring: segment.consumer(place) });
            }
        }
    }

    /// The source that is a process.
    #[inline]
    pub(super) fn of(&mut self, process: i32) -> Option<&mut Source> {
        let index = (*self.at.get(process as usize)?)?;
        self.list.get_mut(index as usize)
    }

    /// A message of so many bytes is kept. True if the process has to be told that it is throttled: one of another node.
    pub(super) fn hold(&mut self, process: u32, len: usize) -> bool {
        self.held[process as usize].hold(len) && !self.throttle(process, true)
    }

    /// A message of so many bytes is no longer kept. True if the process has to be told that it is no longer throttled.
    pub(super) fn release(&mut self, process: u32, len: usize) -> bool {
        self.held[process as usize].release(len) && !self.throttle(process, false)
    }

    fn throttle(&mut self, process: u32, on: bool) -> bool {
        let source = self.of(process as i32);
        source.map(|source| source.ring.throttle(on)).is_some()
    }
}
