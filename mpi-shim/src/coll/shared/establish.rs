//! How a communicator gets its shared memory: when its first collective is called, by its members together.

use super::area::{Shared, bytes};
use super::wait::Waiter;
use crate::coll::call::{Call, Parts, Place, Root};
use crate::coll::memory::{Program, address};
use crate::coll::run::Run;
use crate::coll::schedule::{Blocks, Data, run};
use crate::comm::Comm;
use crate::error::Result;
use crate::p2p;
use crate::state;
use crate::transport::shm::{Segment, read_from};
use std::sync::{Arc, Mutex, PoisonError};

/// More members than this exchange messages: looking at everybody's line would take longer.
pub const MAX_MEMBERS: usize = 256;
/// What a process shows to the others, to find out whether they may read its memory.
const PROBE: u64 = 0x7477_6f77_6972_6531;

/// Memory that was given up by all members of its communicator, and can be given out by this process again.
static FREE: Mutex<Vec<(u64, usize)>> = Mutex::new(Vec::new());

/// Makes the shared memory of a communicator; `None` where its members exchange messages. All of them come to the same answer.
pub fn establish(comm: &Arc<Comm>) -> Result<Option<Shared>> {
    let size = comm.group.size();
    if comm.remote.is_some() || !(2..=MAX_MEMBERS).contains(&size) {
        return Ok(None);
    }
    let Some((segment, places)) = members(comm)? else { return Ok(None) };
    let mut offset = if comm.rank == 0 { [take(&segment, bytes(size))] } else { [0] };
    exchange(comm, &Call::Bcast { data: words(&mut offset), root: Root::Rank(0) })?;
    let area = segment.area(offset[0], bytes(size));
    let probe = Box::new(PROBE);
    let mine = [area.is_ok().into(), address(&raw const *probe) as u64];
    let records = gather(comm, mine)?;
    if records.iter().any(|record| record[0] == 0) {
        return Ok(None);
    }
    // Everybody has told something, so everybody's process has noted its id.
    let pids: Option<Box<[u32]>> = places.iter().map(|&place| segment.pid(place)).collect();
    let next = (comm.rank + 1) % size;
    let may_read = pids.as_ref().is_some_and(|pids| reads(pids[next], records[next][1]));
    let all_may = gather(comm, [may_read.into(), 0])?.iter().all(|record| record[0] == 1);
    drop(probe);
    let others = places.iter().enumerate().filter(|&(rank, _)| rank != comm.rank).map(|(_, &place)| place).collect();
    let waiter = Waiter::new(segment, comm.context, others, p2p::is_crowded());
    Ok(Some(Shared::new((area?, offset[0]), (comm.rank, size), waiter, pids.filter(|_| all_may))))
}

/// The node's memory and the members' places in it, if all are on this node.
fn members(comm: &Comm) -> Result<Option<(Arc<Segment>, Vec<usize>)>> {
    let mut state = state::enter();
    let engine = state.engine()?;
    let Some(segment) = engine.segment().cloned() else { return Ok(None) };
    let places: Option<Vec<usize>> = comm.group.members().iter().map(|&process| engine.place(process)).collect();
    Ok(places.map(|places| (segment, places)))
}

/// Memory whose flags are zeros: used before, or new.
fn take(segment: &Arc<Segment>, len: usize) -> u64 {
    let mut free = FREE.lock().unwrap_or_else(PoisonError::into_inner);
    match free.iter().position(|&(_, bytes)| bytes == len) {
        Some(index) => free.swap_remove(index).0,
        None => segment.allocate(len),
    }
}

/// Takes back memory that all members of a communicator have given up, its flags zeros.
pub(super) fn give_back(offset: u64, len: usize) {
    FREE.lock().unwrap_or_else(PoisonError::into_inner).push((offset, len));
}

fn reads(pid: u32, from: u64) -> bool {
    let mut seen = 0u64;
    // SAFETY: eight bytes are written to a word.
    unsafe { read_from(pid, from, (&raw mut seen).cast(), 8) }.is_ok() && seen == PROBE
}

fn words(words: &mut [u64]) -> Data {
    run(address(words.as_mut_ptr()), size_of_val(words))
}

/// Everybody's two words.
fn gather(comm: &Arc<Comm>, mine: [u64; 2]) -> Result<Vec<[u64; 2]>> {
    let mut all = vec![[0; 2]; comm.group.size()];
    all[comm.rank] = mine;
    let block = run(address(all.as_mut_ptr()), size_of_val(&mine));
    exchange(comm, &Call::Allgather { mine: None, all: Parts::Equal(Blocks::new(block)) })?;
    Ok(all)
}

/// A collective by messages.
fn exchange(comm: &Arc<Comm>, call: &Call) -> Result<()> {
    let place = Place { rank: comm.rank, size: comm.group.size(), remote: None };
    // SAFETY: the buffers are the callers' variables, which outlive the run.
    let program = unsafe { Program::new(call.schedule(place)) };
    Run::new(Arc::new(program), Arc::clone(comm), comm.collectives.next()).finish()
}
