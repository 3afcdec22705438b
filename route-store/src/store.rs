//! Two slots on a medium: which one counts, and how an update survives a power cut.

use crate::codec::{self, MAX_RECORD, MIN_RECORD, SlotError, VERSION};
use crate::medium::Medium;
use crate::record::{Record, RecordError};
use crate::slot::Slot;
use std::fmt;
use std::io;

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
    /// What all bytes of a slot say.
    fn of(slot: Slot, bytes: &[u8]) -> SlotState {
        let (start, rest) = bytes.split_at(bytes.len().min(MAX_RECORD));
        if is_blank(bytes) {
            return SlotState::Blank;
        }
        match codec::decode(slot, start) {
            Ok((record, sequence)) => SlotState::Valid { record, sequence },
            Err(SlotError::Magic(_)) if !is_blank(rest) => SlotState::Invalid(SlotError::Foreign),
            Err(error) => SlotState::Invalid(error),
        }
    }
}

fn is_blank(bytes: &[u8]) -> bool {
    bytes.iter().all(|&byte| byte == 0x00) || bytes.iter().all(|&byte| byte == 0xff)
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
    #[error("a medium with slots of {slot_len} bytes is too small: a record needs at least {MIN_RECORD}")]
    TooSmall {
        /// Bytes of a slot.
        slot_len: usize,
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
    /// Something is there that is not ours.
    #[error("holds something that is no record: format it first")]
    Foreign,
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
    writes: u64,
}

impl<M: Medium> Store<M> {
    /// The record store on a medium.
    pub fn new(medium: M) -> Store<M> {
        Store { medium, synced: false, failed: false, writes: 0 }
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
        self.medium.slot_len()
    }

    /// Bytes that a record may have here.
    pub fn room(&self) -> usize {
        self.slot_len().min(MAX_RECORD)
    }

    /// How many times a slot was written to since the store was made: what wears the medium out.
    pub fn writes(&self) -> u64 {
        self.writes
    }

    /// What the slots hold. One that the medium does not give counts as invalid, if it gives the other one.
    pub fn slots(&mut self) -> Result<[SlotState; 2], LoadError> {
        let slot_len = self.slot_len();
        if slot_len < MIN_RECORD {
            return Err(LoadError::TooSmall { slot_len });
        }
        let unreadable = |error: io::Error| SlotState::Invalid(SlotError::Unreadable(error.to_string()));
        match (self.slot(Slot::Zero), self.slot(Slot::One)) {
            (Err(error), Err(_)) => Err(LoadError::Io(error)),
            (zero, one) => Ok([zero.unwrap_or_else(unreadable), one.unwrap_or_else(unreadable)]),
        }
    }

    fn slot(&mut self, slot: Slot) -> io::Result<SlotState> {
        let mut bytes = vec![0; self.slot_len()];
        self.medium.read(slot, &mut bytes)?;
        Ok(SlotState::of(slot, &bytes))
    }

    /// The record that counts.
    pub fn load(&mut self) -> Result<Current, LoadError> {
        choose(self.slots()?)
    }

    /// Makes `record` the one that counts, without the alternates for which there is no room. If it is already, the
    /// medium is not touched. After an error that may have left the medium in doubt every further write is refused.
    pub fn write(&mut self, record: &Record) -> Result<Written, WriteError> {
        if self.failed {
            return Err(WriteError::Failed);
        }
        let slots = self.slots().map_err(WriteError::Load)?;
        let record = record.fit(self.room())?;
        let refusal = check_ours(&slots);
        let (slot, sequence) = match choose(slots) {
            Ok(current) if current.record == record => return Ok(Written::Unchanged),
            Ok(current) => (current.slot.other(), current.sequence.wrapping_add(1)),
            Err(LoadError::Forked { sequences }) => (Slot::Zero, sequences[1].wrapping_add(1)),
            Err(_) => (Slot::Zero, 1),
        };
        refusal?;
        self.failed = true;
        self.put(slot, &codec::encode(&record, slot, sequence))?;
        self.failed = false;
        Ok(Written::To { slot, sequence })
    }

    /// Makes both slots blank, whatever they hold.
    pub fn wipe(&mut self) -> Result<(), WriteError> {
        self.failed = true;
        self.sync_once()?;
        for slot in Slot::BOTH {
            self.writes += 1;
            self.medium.blank(slot)?;
            self.medium.sync()?;
            if self.slot(slot)? != SlotState::Blank {
                return Err(WriteError::ReadBack { slot });
            }
        }
        self.failed = false;
        Ok(())
    }

    /// What was read may be in a cache only, and the slot that is about to go the only one that is stored.
    fn sync_once(&mut self) -> io::Result<()> {
        if !self.synced {
            self.medium.sync()?;
            self.synced = true;
        }
        Ok(())
    }

    fn put(&mut self, slot: Slot, bytes: &[u8]) -> Result<(), WriteError> {
        self.sync_once()?;
        self.writes += 1;
        self.medium.write(slot, bytes)?;
        self.medium.sync()?;
        let mut stored = vec![0; bytes.len()];
        self.medium.read(slot, &mut stored)?;
        if stored == bytes { Ok(()) } else { Err(WriteError::ReadBack { slot }) }
    }
}

/// Refuses to write over what this program did not write. A first write that was cut short looks like bytes of somebody
/// else in one slot; but never in both.
fn check_ours(slots: &[SlotState; 2]) -> Result<(), WriteError> {
    use SlotState::Invalid;
    for state in slots {
        match state {
            Invalid(SlotError::Version(version)) => return Err(WriteError::Version(*version)),
            Invalid(SlotError::Foreign) => return Err(WriteError::Foreign),
            _ => {}
        }
    }
    match slots {
        [Invalid(SlotError::Magic(_)), Invalid(SlotError::Magic(_))] => Err(WriteError::Foreign),
        _ => Ok(()),
    }
}

#[cfg(test)]
#[path = "store_tests.rs"]
mod tests;
