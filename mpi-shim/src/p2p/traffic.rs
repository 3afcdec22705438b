//! Counts of what was sent to a process, which are kept always: two additions for each message.

use super::Plane;

/// How a message got to its receiver.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// It was sent before anybody had asked for it.
    Eager,
    /// It was announced, and its data taken when a receive wanted it.
    Rendezvous,
}

/// Messages to one process.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    /// Messages and bytes, by plane and way.
    counts: [(u64, u64); 4],
}

impl Traffic {
    /// A message of so many bytes is sent.
    #[inline]
    pub fn add(&mut self, plane: Plane, way: Way, bytes: usize) {
        let (messages, sum) = &mut self.counts[index(plane, way)];
        *messages += 1;
        *sum += bytes as u64;
    }

    /// Messages, and their bytes.
    pub fn of(&self, plane: Plane, way: Way) -> (u64, u64) {
        self.counts[index(plane, way)]
    }
}

#[inline]
fn index(plane: Plane, way: Way) -> usize {
    plane as usize * 2 + way as usize
}
