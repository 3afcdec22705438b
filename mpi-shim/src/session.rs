//! Sessions: a way into MPI beside `MPI_Init`, for a library within a program (MPI 5.0, section 11.3).
use crate::abi::{MPI_ERR_ARG, MPI_Session};
use crate::errhandler::Errhandler;
use crate::error::{Error, Result};
use crate::group::Group;
use crate::info::Info;
use crate::state::{self, State};
use crate::world;
use std::ffi::{CStr, c_int};

/// A session.
#[derive(Debug)]
pub struct Session {
    /// Its error handler.
    pub errhandler: Errhandler,
    /// What it tells of itself.
    pub info: Info,
}

type Members = fn(&State) -> Result<Group>;

/// The process sets, and how their members are found.
const SETS: [(&CStr, Members); 3] =
    [(c"mpi://WORLD", world_set), (c"mpi://SELF", own_set), (c"twowire://node", node_set)];

/// Begins a session.
pub fn init(info: &Info, errhandler: Errhandler) -> Result<MPI_Session> {
    let wanted = info.get(c"thread_level")?.and_then(world::thread_level_of_name);
    let mut state = state::enter();
    world::begin(&mut state, wanted)?;
    let mut told = Info::new();
    told.say(c"thread_level", world::thread_level_name(state.thread_level));
    Ok(state.sessions.insert(Session { errhandler, info: told }))
}

/// Ends a session.
pub fn finalize(session: MPI_Session) -> Result<()> {
    state::enter().sessions.remove(session)?;
    world::end()
}

/// The number of process sets.
pub fn set_count() -> c_int {
    SETS.len() as c_int
}

/// The name of a process set.
pub fn set_name(number: c_int) -> Result<&'static CStr> {
    let found = usize::try_from(number).ok().and_then(|number| SETS.get(number));
    found
        .map(|(name, _)| *name)
        .ok_or_else(|| Error::new(MPI_ERR_ARG, format!("process set {number}; there are {}", SETS.len())))
}

/// The members of a process set.
pub fn set_members(state: &State, name: &CStr) -> Result<Group> {
    let found = SETS.iter().find(|(known, _)| *known == name);
    found.ok_or_else(|| Error::new(MPI_ERR_ARG, format!("there is no process set {name:?}")))?.1(state)
}

/// What is told of a process set.
pub fn set_info(state: &State, name: &CStr) -> Result<Info> {
    let mut info = Info::new();
    info.say(c"mpi_size", set_members(state, name)?.size().to_string());
    Ok(info)
}

fn world_set(state: &State) -> Result<Group> {
    Ok(Group::new((0..state.running()?.size).collect::<Vec<u32>>()))
}

fn own_set(state: &State) -> Result<Group> {
    Ok(Group::new(vec![state.running()?.rank]))
}

fn node_set(state: &State) -> Result<Group> {
    Ok(Group::new(state.running()?.local.clone()))
}
