//! Collectives.
//!
//! A call becomes a [`Call`](call::Call): its buffers, counts, types, operation and root, checked. [`select`] chooses an algorithm,
//! which writes the [`Schedule`](schedule::Schedule) of this rank: sends, receives, copies and reductions in order. [`run`] carries it
//! out over point-to-point messages: to the end, as a request, or again and again. Blocking calls of communicators within a node need no
//! messages: see [`shared`](mod@shared).

pub mod algorithm;
pub mod call;
pub mod memory;
pub mod run;
pub mod schedule;
pub mod select;
pub mod shared;
#[cfg(test)]
mod tests;

use crate::comm::Comm;
use crate::debug;
use crate::errhandler::say;
use crate::error::Result;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, OnceLock};

/// What a communicator keeps for its collectives.
#[derive(Debug, Default)]
pub struct Collectives {
    begun: AtomicU32,
    shared: OnceLock<Option<shared::Shared>>,
}

impl Collectives {
    /// The tag of the next collective. Ranks begin the collectives of a communicator in the same order, so they count alike.
    pub fn next(&self) -> i32 {
        (self.begun.fetch_add(1, Ordering::Relaxed) & (i32::MAX as u32)) as i32
    }
}

/// The memory that the members of `comm` share, if all are on this node; made when it is first asked for, by all of them together.
#[inline]
pub fn shared(comm: &Arc<Comm>) -> Result<Option<&shared::Shared>> {
    match comm.collectives.shared.get() {
        Some(shared) => Ok(shared.as_ref()),
        None => {
            let made = shared::establish(comm)?;
            if comm.rank == 0 && debug::asks_for(debug::COLLECTIVES) {
                say(&format!("{}: {}", debug::COLLECTIVES, explained(comm, made.as_ref())));
            }
            Ok(comm.collectives.shared.get_or_init(|| made).as_ref())
        }
    }
}

/// By which way the collectives of a communicator go, and why.
fn explained(comm: &Comm, shared: Option<&shared::Shared>) -> String {
    let size = comm.group.size();
    let way = match shared {
        Some(shared) if shared.reads_processes() => {
            "through shared memory, and long ones from process to process (process_vm_readv works)".to_owned()
        }
        Some(_) => {
            "through shared memory, also long ones (process_vm_readv does not work between all of them)".to_owned()
        }
        None if comm.remote.is_some() => "by messages, as there are two groups".to_owned(),
        None if size < 2 => "within the process".to_owned(),
        None if size > shared::MAX_MEMBERS => format!("by messages, as they are more than {}", shared::MAX_MEMBERS),
        None => "by messages, as they do not all share memory".to_owned(),
    };
    format!("communicator {:#x} of {size} ranks: {way}", comm.context)
}
