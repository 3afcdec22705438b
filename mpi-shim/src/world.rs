//! Beginning and end of the world model.
use crate::abi::{MPI_COMM_SELF, MPI_COMM_WORLD, MPI_ERR_OTHER};
use crate::comm::{Comm, CommEntry};
use crate::error::{Error, Result};
use crate::group::Group;
use crate::launch::{self, Job};
use crate::p2p::Engine;
use crate::state::{self, Phase, State};
use std::sync::Arc;

/// The contexts of the predefined communicators are below any that a leader gives out: no leader's counter starts at 0.
const WORLD_CONTEXT: u64 = 0;

/// Begins the world model; the level of thread support that the process gets.
pub fn init(required: i32) -> Result<i32> {
    let mut state = state::enter();
    if state.phase != Phase::Before {
        return Err(Error::new(MPI_ERR_OTHER, "MPI was initialised before; a process can do that once"));
    }
    let job = start(&mut state)?;
    let world = Arc::new(Group::new((0..job.size).collect::<Vec<u32>>()));
    let me = Arc::new(Group::new(vec![job.rank]));
    let entry = |context, rank, group| Some(CommEntry::new(Comm { context, rank, group, remote: None }));
    state.comms.set_predefined(MPI_COMM_WORLD, entry(WORLD_CONTEXT, job.rank as usize, world));
    state.comms.set_predefined(MPI_COMM_SELF, entry(u64::from(job.rank) << 28 | 1, 0, me));
    state.phase = Phase::Running;
    state.thread_level = required;
    state::set_threads(required == crate::abi::MPI_THREAD_MULTIPLE);
    Ok(required)
}

/// Brings up what both models need, once.
pub fn start(state: &mut State) -> Result<Arc<Job>> {
    if let Some(job) = &state.job {
        return Ok(job.clone());
    }
    let job = Arc::new(launch::discover()?);
    state.engine = Some(Box::new(Engine::new(&job)?));
    state.job = Some(job.clone());
    Ok(job)
}

/// Ends the world model.
pub fn finalize() -> Result<()> {
    let mut state = state::enter();
    if state.phase != Phase::Running {
        return Err(Error::new(MPI_ERR_OTHER, "MPI_Finalize without MPI_Init, or twice"));
    }
    state.phase = Phase::Finalized;
    state.engine = None;
    Ok(())
}
