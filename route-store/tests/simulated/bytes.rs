//! Bytes that are written one by one.

use super::{Simulated, torn};
use std::io;
use twowire_route_store::{Medium, Slot};

/// One thing that a store did.
#[derive(Clone, Debug)]
enum Operation {
    Write(usize, Vec<u8>),
    Sync,
}

/// Bytes of which a power cut keeps any that were not synced.
#[derive(Clone)]
pub(crate) struct Bytes {
    /// What the medium keeps in any case.
    durable: Vec<u8>,
    /// What a program reads.
    seen: Vec<u8>,
    log: Vec<Operation>,
}

impl Bytes {
    pub(crate) fn new(durable: Vec<u8>) -> Bytes {
        Bytes { seen: durable.clone(), durable, log: Vec::new() }
    }

    /// The medium after a program that was killed right after its first write.
    pub(crate) fn killed_after_first_write(mut self) -> Bytes {
        let write = self.log.iter().position(|operation| matches!(operation, Operation::Write(..))).unwrap();
        self.log.truncate(write + 1);
        self
    }
}

impl Medium for Bytes {
    fn slot_len(&self) -> usize {
        self.seen.len() / 2
    }

    fn read(&mut self, slot: Slot, buffer: &mut [u8]) -> io::Result<()> {
        let start = slot.index() * self.slot_len();
        buffer.copy_from_slice(&self.seen[start..start + buffer.len()]);
        Ok(())
    }

    fn write(&mut self, slot: Slot, bytes: &[u8]) -> io::Result<()> {
        let start = slot.index() * self.slot_len();
        self.seen[start..start + bytes.len()].copy_from_slice(bytes);
        self.log.push(Operation::Write(start, bytes.to_vec()));
        Ok(())
    }

    fn sync(&mut self) -> io::Result<()> {
        self.log.push(Operation::Sync);
        Ok(())
    }
}

impl Simulated for Bytes {
    fn crash_states(&self) -> Vec<Bytes> {
        let mut states = vec![self.durable.clone()];
        let mut durable = self.durable.clone();
        let mut pending: Vec<(usize, u8)> = Vec::new();
        for operation in &self.log {
            match operation {
                Operation::Write(offset, bytes) => {
                    pending.extend(bytes.iter().enumerate().map(|(i, &byte)| (offset + i, byte)));
                    torn(pending.len(), |keep| {
                        let mut state = durable.clone();
                        pending
                            .iter()
                            .enumerate()
                            .filter(|(i, _)| keep(*i))
                            .for_each(|(_, &(at, byte))| state[at] = byte);
                        states.push(state);
                    });
                }
                Operation::Sync => pending.drain(..).for_each(|(at, byte)| durable[at] = byte),
            }
        }
        states.push(self.seen.clone());
        states.sort();
        states.dedup();
        states.into_iter().map(Bytes::new).collect()
    }

    fn settled(&self) -> Bytes {
        Bytes::new(self.seen.clone())
    }

    fn flip(&mut self, slot: Slot, byte: usize, bit: u8) {
        let at = slot.index() * self.slot_len() + byte;
        self.seen[at] ^= 1 << bit;
        self.durable[at] ^= 1 << bit;
    }
}
