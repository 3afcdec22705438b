//! The two places for a record.

use std::fmt;

/// One of the two places for a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Slot {
    /// The first one on the medium.
    Zero,
    /// The second one.
    One,
}

impl Slot {
    /// Both slots, in their order on the medium.
    pub const BOTH: [Slot; 2] = [Slot::Zero, Slot::One];

    /// 0 or 1.
    pub fn index(self) -> usize {
        self as usize
    }

    /// The other slot.
    pub fn other(self) -> Slot {
        Slot::BOTH[1 - self.index()]
    }
}

impl fmt::Display for Slot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "slot {}", self.index())
    }
}
