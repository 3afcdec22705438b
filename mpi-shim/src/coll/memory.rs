//! The one place where schedules touch memory.
#![allow(unsafe_code)]

use std::ptr;

use crate::coll::schedule::{Data, Schedule, Step};
use crate::copy::copy_overlapping;
use crate::error::Result;
use crate::op;
use crate::p2p::Buffer;

/// How much is copied at a time between two layouts that both have gaps.
const PIECE: usize = 8192;

/// A schedule whose memory may be used.
#[derive(Debug)]
pub struct Program {
    schedule: Schedule,
}

// SAFETY: the addresses are of the caller's buffers, which the standard leaves to the library until the operation is complete, and of
// scratch memory that the schedule owns; neither belongs to a thread.
unsafe impl Send for Program {}
// SAFETY: as above; a program is run by one thread at a time.
unsafe impl Sync for Program {}

impl Program {
    /// Takes a schedule to run.
    ///
    /// # Safety
    /// Until the last run of it has ended, what its steps read must be readable and what they write be writable, by nobody else.
    pub unsafe fn new(schedule: Schedule) -> Program {
        Program { schedule }
    }

    /// The call that it is for.
    pub fn name(&self) -> &'static str {
        self.schedule.name
    }

    /// The steps.
    pub fn steps(&self) -> &[Step] {
        &self.schedule.steps
    }

    /// The memory of a step that sends or receives.
    pub fn buffer(&self, step: usize) -> Option<Buffer> {
        match &self.schedule.steps[step] {
            Step::Send { data, .. } | Step::Receive { data, .. } => Some(buffer(data)),
            _ => None,
        }
    }

    /// Does a step that copies or reduces. It may call the user's operation.
    pub fn work(&self, step: usize) -> Result<()> {
        match &self.schedule.steps[step] {
            Step::Copy { from, to } => copy(from, to),
            Step::Reduce { from, to } => return self.reduce(*from, to),
            _ => {}
        }
        Ok(())
    }

    fn reduce(&self, from: usize, to: &Data) -> Result<()> {
        let (Some(op), Some(datatype)) = (&self.schedule.op, &to.datatype) else { return Ok(()) };
        let (from, into) = (ptr::with_exposed_provenance(from), ptr::with_exposed_provenance_mut(to.address));
        // SAFETY: the promise of `Program::new`.
        unsafe { op::apply(op, datatype, from, into, to.count) }
    }
}

/// The message of some data; within the promise of `Program::new`.
fn buffer(data: &Data) -> Buffer {
    let address = ptr::with_exposed_provenance_mut(data.address);
    match &data.datatype {
        // SAFETY: the promise of `Program::new`.
        Some(datatype) => unsafe { Buffer::new(address, data.count, datatype) },
        // SAFETY: as above.
        None => unsafe { Buffer::of_bytes(address, data.count) },
    }
}

/// Copies values; within the promise of `Program::new`, or of who calls a collective.
pub(super) fn copy(from: &Data, to: &Data) {
    let (from, to) = (buffer(from), buffer(to));
    let len = from.len().min(to.len());
    match (from.run(), to.run()) {
        // SAFETY: the promise of `Program::new`. The runs may overlap where a call works in place.
        (Some(source), Some(target)) => unsafe { copy_overlapping(source, target, len) },
        _ => {
            let mut piece = vec![0; PIECE.min(len)];
            let mut position = 0;
            while position < len {
                let got = from.read(position, &mut piece);
                to.write(position, &piece[..got]);
                position += got;
            }
        }
    }
}

/// The number of an address, so that a schedule may carry it.
pub fn address<T>(pointer: *const T) -> usize {
    pointer.expose_provenance()
}

/// What lies at `data`, packed; for tests that play schedules against one another.
#[cfg(test)]
pub(super) fn peek(data: &Data) -> Vec<u8> {
    let mut bytes = vec![0; data.bytes()];
    buffer(data).read(0, &mut bytes);
    bytes
}

/// Puts packed values in their places.
#[cfg(test)]
pub(super) fn poke(data: &Data, bytes: &[u8]) {
    buffer(data).write(0, bytes);
}
