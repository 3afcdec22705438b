//! Memory: the NVRAM of a simulated node.

use super::Medium;
use crate::slot::Slot;
use std::io;

/// A medium in memory: the NVRAM of a simulated node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemoryMedium {
    bytes: Vec<u8>,
    writes: u64,
}

impl MemoryMedium {
    /// A blank medium of `size` bytes; each half is a slot.
    pub fn new(size: usize) -> MemoryMedium {
        MemoryMedium::from_bytes(vec![0; size])
    }

    /// A medium that holds these bytes.
    pub fn from_bytes(bytes: Vec<u8>) -> MemoryMedium {
        MemoryMedium { bytes, writes: 0 }
    }

    /// What it holds.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// How many times it was written to.
    pub fn writes(&self) -> u64 {
        self.writes
    }

    fn slot(&mut self, slot: Slot) -> &mut [u8] {
        let start = slot.index() * self.slot_len();
        &mut self.bytes[start..]
    }
}

impl Medium for MemoryMedium {
    fn slot_len(&self) -> usize {
        self.bytes.len() / 2
    }

    fn read(&mut self, slot: Slot, buffer: &mut [u8]) -> io::Result<()> {
        buffer.copy_from_slice(&self.slot(slot)[..buffer.len()]);
        Ok(())
    }

    fn write(&mut self, slot: Slot, bytes: &[u8]) -> io::Result<()> {
        self.writes += 1;
        self.slot(slot)[..bytes.len()].copy_from_slice(bytes);
        Ok(())
    }

    fn sync(&mut self) -> io::Result<()> {
        Ok(())
    }
}
