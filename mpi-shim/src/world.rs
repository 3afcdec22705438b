//! Beginning and end: of the world model, and of what it has in common with sessions.
use crate::abi::{
    MPI_COMM_SELF, MPI_COMM_WORLD, MPI_ERR_OTHER, MPI_INFO_ENV, MPI_THREAD_FUNNELED, MPI_THREAD_MULTIPLE,
    MPI_THREAD_SERIALIZED, MPI_THREAD_SINGLE,
};
use crate::attribute;
use crate::calls;
use crate::comm::{self, Comm, CommEntry};
use crate::debug;
use crate::errhandler::say;
use crate::error::{Error, Result};
use crate::group::Group;
use crate::info::Info;
use crate::launch::{self, Job};
use crate::p2p::{self, Awaited, Engine};
use crate::report;

use crate::state::{self, Phase, State};
use std::ffi::CStr;
use std::sync::Arc;

const THREAD_LEVELS: [(i32, &str); 4] = [
    (MPI_THREAD_SINGLE, "MPI_THREAD_SINGLE"),
    (MPI_THREAD_FUNNELED, "MPI_THREAD_FUNNELED"),
    (MPI_THREAD_SERIALIZED, "MPI_THREAD_SERIALIZED"),
    (MPI_THREAD_MULTIPLE, "MPI_THREAD_MULTIPLE"),
];

/// Begins the world model; the level of thread support that the process gets.
pub fn init(required: i32) -> Result<i32> {
    let mut state = state::enter();
    if state.phase != Phase::Before {
        return Err(Error::new(MPI_ERR_OTHER, "MPI was initialised before; a process can do that once"));
    }
    begin(&mut state, Some(required))?;
    let job = state.running()?.clone();
    let world = Arc::new(Group::new((0..job.size).collect::<Vec<u32>>()));
    let me = Arc::new(Group::new(vec![job.rank]));
    let world = Comm::intra(comm::WORLD, job.rank as usize, world);
    state.comms.set_predefined(MPI_COMM_WORLD, Some(CommEntry::named(world, c"MPI_COMM_WORLD")));
    let me = Comm::intra(comm::own(job.rank), 0, me);
    state.comms.set_predefined(MPI_COMM_SELF, Some(CommEntry::named(me, c"MPI_COMM_SELF")));
    let words = std::env::args_os().map(|word| word.into_encoded_bytes()).collect();
    let told = environment(&state, words);
    state.infos.set_predefined(MPI_INFO_ENV, Some(told));
    state.phase = Phase::Running;
    Ok(state.thread_level)
}

/// Begins to use what both models need. `threads` is the level of thread support that is asked for.
pub fn begin(state: &mut State, threads: Option<i32>) -> Result<()> {
    let job = match &state.job {
        Some(job) => {
            job.rejoin();
            job.clone()
        }
        None => Arc::new(launch::discover()?),
    };
    if state.engine.is_none() {
        state.engine = match state.parked.take() {
            Some(engine) => Some(engine),
            None => {
                let engine = Box::new(Engine::new(&job)?);
                explain(&job, &engine);
                report::begin(&job);
                Some(engine)
            }
        };
    }
    state.job = Some(job);
    state.models += 1;
    state.main_thread.get_or_insert_with(|| std::thread::current().id());
    state.thread_level = state.thread_level.max(threads.unwrap_or(MPI_THREAD_SINGLE));
    state::set_threads(state.thread_level == MPI_THREAD_MULTIPLE);
    if state.thread_level == MPI_THREAD_MULTIPLE {
        calls::allow_threads();
    }
    Ok(())
}

/// Says what `TWOWIRE_DEBUG` asks for.
fn explain(job: &Job, engine: &Engine) {
    if job.rank == 0 {
        debug::warn_of_unknown_words();
    }
    if debug::asks_for(debug::TRANSPORT) {
        let lines = engine.explain_ways(job);
        lines.iter().for_each(|line| say(&format!("{}: {line}", debug::TRANSPORT)));
    }
}

/// Ends the use that [`begin`] began.
pub fn end() -> Result<()> {
    // What was sent and is not waited for by anybody leaves first.
    {
        let mut state = state::enter();
        if let (1, Some(engine)) = (state.models, &mut state.engine) {
            engine.prepare_to_leave();
        }
    }
    p2p::wait_until(Awaited::Departure, |state| Ok((state.models > 1 || p2p::is_settled(state)).then_some(())))?;
    let mut state = state::enter();
    state.models -= 1;
    if state.models == 0 {
        if let Some(job) = &state.job {
            report::end(&state, job);
        }
        state.parked = state.engine.take();
        if let Some(engine) = &mut state.parked {
            engine.leave()?;
        }
        if let Some(job) = &state.job {
            job.leave();
        }
    }
    Ok(())
}

/// Ends the world model.
pub fn finalize() -> Result<()> {
    if state::enter().phase != Phase::Running {
        return Err(Error::new(MPI_ERR_OTHER, "MPI_Finalize without MPI_Init, or twice"));
    }
    attribute::at_finalize()?;
    state::enter().phase = Phase::Finalized;
    end()
}

/// Ends the job.
pub fn abort(code: i32) -> ! {
    let job = state::enter().job.clone();
    match job {
        Some(job) => job.abort(code),
        None => std::process::exit(code),
    }
}

/// What is known of how the program was started with these words.
pub fn environment(state: &State, words: Vec<Vec<u8>>) -> Info {
    let mut told = Info::new();
    if let Some((command, arguments)) = words.split_first() {
        told.say(c"command", command.clone());
        told.say(c"argv", arguments.join(&b' '));
    }
    if let Some(job) = &state.job {
        told.say(c"maxprocs", job.size.to_string());
        told.say(c"thread_level", thread_level_name(state.thread_level));
    }
    told.say(c"host", rustix::system::uname().nodename().to_bytes());
    told.say(c"arch", std::env::consts::ARCH);
    if let Ok(folder) = std::env::current_dir() {
        told.say(c"wdir", folder.into_os_string().into_encoded_bytes());
    }
    told
}

/// Whether this thread began MPI.
pub fn is_main_thread(state: &State) -> Result<bool> {
    state.running()?;
    Ok(state.main_thread == Some(std::thread::current().id()))
}

/// The level of thread support that an info object asks for by name.
pub fn thread_level_of_name(name: &CStr) -> Option<i32> {
    THREAD_LEVELS.iter().find(|(_, known)| known.as_bytes() == name.to_bytes()).map(|(level, _)| *level)
}

/// The name of a level of thread support.
pub fn thread_level_name(level: i32) -> &'static str {
    THREAD_LEVELS.iter().rfind(|(known, _)| *known <= level).map_or("MPI_THREAD_SINGLE", |(_, name)| name)
}
