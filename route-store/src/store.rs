//! Two slots on a medium: which one counts, and how an update survives a power cut.

use crate::medium::Medium;
use crate::record::{MAX_RECORD, MIN_RECORD, Record, RecordError, SlotError, VERSION};
use std::fmt;
use std::io;

/// One of the two places for a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Slot {
    /// The first half of the medium.
    Zero,
    /// The second half.
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

/// What one slot holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SlotState {
    /// A valid record.
    Valid {
        /// The record.
        record: Record,
        /// Its place in the order of writes, modulo 65,536.
        sequence: u16,
    },
    /// Nothing was ever written.
    Blank,
    /// Something that is not a valid record.
    Invalid(SlotError),
}

impl SlotState {
    fn of(slot: Slot, bytes: &[u8]) -> SlotState {
        if bytes.iter().all(|&byte| byte == 0x00) || bytes.iter().all(|&byte| byte == 0xff) {
            return SlotState::Blank;
        }
        match Record::decode(slot, bytes) {
            Ok((record, sequence)) => SlotState::Valid { record, sequence },
            Err(error) => SlotState::Invalid(error),
        }
    }
}

impl fmt::Display for SlotState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SlotState::Valid { record, sequence } => {
                write!(f, "valid, sequence {sequence}, epoch {}", record.epoch())
            }
            SlotState::Blank => f.write_str("blank"),
            SlotState::Invalid(error) => write!(f, "invalid: {error}"),
        }
    }
}

/// The record that counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Current {
    /// The record.
    pub record: Record,
    /// Where it is.
    pub slot: Slot,
    /// Its place in the order of writes, modulo 65,536.
    pub sequence: u16,
}

/// Why there is no record to read.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// Both slots are blank.
    #[error("no record was ever written")]
    Blank,
    /// Neither slot holds a valid record.
    #[error("no valid record: slot 0 {}; slot 1 {}", .slots[0], .slots[1])]
    Corrupt {
        /// What the slots hold.
        slots: Box<[SlotState; 2]>,
    },
    /// The record was written by another version of this program.
    #[error("the record is of version {0}, expected {VERSION}")]
    Version(u8),
    /// Both slots are valid, differ, and neither is the newer one.
    #[error("the slots hold different records, and neither is newer (sequences {} and {})", .sequences[0], .sequences[1])]
    Forked {
        /// The sequences of slot 0 and slot 1.
        sequences: [u16; 2],
    },
    /// The medium cannot hold two records.
    #[error("a medium of {size} bytes is too small: two records need at least {}", 2 * MIN_RECORD)]
    TooSmall {
        /// Bytes of the medium.
        size: usize,
    },
    /// The medium could not be read.
    #[error("cannot be read: {0}")]
    Io(#[from] io::Error),
}

/// Why a record was not written.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// The record does not fit a slot.
    #[error(transparent)]
    Record(#[from] RecordError),
    /// A record of another version is there.
    #[error("a record of version {0} is there, and this program writes version {VERSION}: format it first")]
    Version(u8),
    /// The medium is too small or could not be read.
    #[error(transparent)]
    Load(LoadError),
    /// The medium could not be written.
    #[error("cannot be written: {0}")]
    Io(#[from] io::Error),
    /// The medium did not keep what was written.
    #[error("{slot} reads back other bytes than were written: the medium is worn out or broken")]
    ReadBack {
        /// The slot.
        slot: Slot,
    },
    /// An earlier write failed, so nobody knows what is on the medium.
    #[error("an earlier write failed: open it again to see what it holds")]
    Failed,
}

/// What [`Store::write`] did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Written {
    /// The record was there already; the medium was not touched.
    Unchanged,
    /// The record is in this slot, with this sequence.
    To {
        /// Where it is.
        slot: Slot,
        /// Its place in the order of writes, modulo 65,536.
        sequence: u16,
    },
}

/// True if `a` was written after `b`: it is ahead by less than half of the numbers (RFC 1982, with 16 bits).
fn is_newer(a: u16, b: u16) -> bool {
    (1..0x8000).contains(&a.wrapping_sub(b))
}

/// Chooses the record that counts.
pub fn choose(slots: [SlotState; 2]) -> Result<Current, LoadError> {
    use SlotState::{Blank, Invalid, Valid};
    let current = |slot, record, sequence| Ok(Current { record, slot, sequence });
    match slots {
        [Valid { record: zero, sequence: s0 }, Valid { record: one, sequence: s1 }] => match (zero, one) {
            (zero, _) if is_newer(s0, s1) => current(Slot::Zero, zero, s0),
            (_, one) if is_newer(s1, s0) => current(Slot::One, one, s1),
            (zero, one) if zero == one => current(Slot::Zero, zero, s0),
            _ => Err(LoadError::Forked { sequences: [s0, s1] }),
        },
        [Valid { record, sequence }, _] => current(Slot::Zero, record, sequence),
        [_, Valid { record, sequence }] => current(Slot::One, record, sequence),
        [Blank, Blank] => Err(LoadError::Blank),
        [Invalid(SlotError::Version(version)), _] | [_, Invalid(SlotError::Version(version))] => {
            Err(LoadError::Version(version))
        }
        slots => Err(LoadError::Corrupt { slots: Box::new(slots) }),
    }
}

/// Two slots on a medium.
#[derive(Debug)]
pub struct Store<M> {
    medium: M,
    synced: bool,
    failed: bool,
}

impl<M: Medium> Store<M> {
    /// The record store on a medium.
    pub fn new(medium: M) -> Store<M> {
        Store { medium, synced: false, failed: false }
    }

    /// The medium.
    pub fn medium(&self) -> &M {
        &self.medium
    }

    /// The medium, given back.
    pub fn into_medium(self) -> M {
        self.medium
    }

    /// Bytes of a slot.
    pub fn slot_len(&self) -> usize {
        self.medium.size() / 2
    }

    /// What the slots hold.
    pub fn slots(&mut self) -> Result<[SlotState; 2], LoadError> {
        let size = self.medium.size();
        if self.slot_len() < MIN_RECORD {
            return Err(LoadError::TooSmall { size });
        }
        Ok([self.slot(Slot::Zero)?, self.slot(Slot::One)?])
    }

    fn slot(&mut self, slot: Slot) -> io::Result<SlotState> {
        let mut bytes = vec![0; self.slot_len().min(MAX_RECORD)];
        self.medium.read(slot.index() * self.slot_len(), &mut bytes)?;
        Ok(SlotState::of(slot, &bytes))
    }

    /// The record that counts.
    pub fn load(&mut self) -> Result<Current, LoadError> {
        choose(self.slots()?)
    }

    /// Makes `record` the one that counts. If it is already, the medium is not touched. After an error that may have
    /// left the medium in doubt every further write is refused.
    pub fn write(&mut self, record: &Record) -> Result<Written, WriteError> {
        if self.failed {
            return Err(WriteError::Failed);
        }
        let (needed, room) = (record.encoded_len(), self.slot_len());
        if needed > room {
            return Err(RecordError::TooLarge { needed, room }.into());
        }
        let slots = self.slots().map_err(WriteError::Load)?;
        for state in &slots {
            if let SlotState::Invalid(SlotError::Version(version)) = state {
                return Err(WriteError::Version(*version));
            }
        }
        let (slot, sequence) = match choose(slots) {
            Ok(current) if current.record == *record => return Ok(Written::Unchanged),
            Ok(current) => (current.slot.other(), current.sequence.wrapping_add(1)),
            Err(LoadError::Forked { sequences }) => (Slot::Zero, sequences[1].wrapping_add(1)),
            Err(_) => (Slot::Zero, 1),
        };
        self.failed = true;
        self.put(slot, &record.encode(slot, sequence))?;
        self.failed = false;
        Ok(Written::To { slot, sequence })
    }

    /// Makes both slots blank, whatever they hold.
    pub fn wipe(&mut self) -> Result<(), WriteError> {
        let zeros = vec![0; self.slot_len().min(MAX_RECORD)];
        self.failed = true;
        Slot::BOTH.into_iter().try_for_each(|slot| self.put(slot, &zeros))?;
        self.failed = false;
        Ok(())
    }

    fn put(&mut self, slot: Slot, bytes: &[u8]) -> Result<(), WriteError> {
        let offset = slot.index() * self.slot_len();
        if !self.synced {
            // What was read may be in a cache only, and the slot that is about to go the only one that is stored.
            self.medium.sync()?;
            self.synced = true;
        }
        self.medium.write(offset, bytes)?;
        self.medium.sync()?;
        let mut stored = vec![0; bytes.len()];
        self.medium.read(offset, &mut stored)?;
        if stored == bytes { Ok(()) } else { Err(WriteError::ReadBack { slot }) }
    }
}

#[cfg(test)]
#[path = "store_tests.rs"]
mod tests;
