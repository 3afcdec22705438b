//! What happens when a call fails: the error handler of the object it was about (MPI 5.0, section 9.3).
use crate::abi::{
    self, MPI_COMM_SELF, MPI_Comm, MPI_ERR_ERRHANDLER, MPI_ERRORS_ABORT, MPI_ERRORS_ARE_FATAL, MPI_ERRORS_RETURN,
    MPI_Errhandler, MPI_Session,
};
use crate::error::{Error, Result};
use crate::error_codes::name_of_class;
use crate::state::{self, State};
use std::ffi::c_int;
use std::fmt;
use std::io::Write;
use std::sync::Arc;
use std::time::Duration;

/// How long a rank leaves it to another one, which was first, to say why the job ends.
const PATIENCE: Duration = Duration::from_secs(1);

/// What is done with an error.
#[derive(Clone, Debug, Default)]
pub enum Errhandler {
    /// The job ends.
    #[default]
    Fatal,
    /// The processes of the communicator end; here the job does, as the standard allows.
    Abort,
    /// The call returns the error's code.
    Return,
    /// A function of the program is called.
    User(Arc<UserHandler>),
}

/// A function of the program.
pub struct UserHandler {
    /// What it can be attached to.
    pub kind: Kind,
    /// Called with the handle of the object and the code of the error.
    pub function: Box<dyn Fn(usize, c_int) + Send + Sync>,
}

/// The kind of object that a program's error handler is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Communicators.
    Comm,
    /// Files.
    File,
    /// Sessions.
    Session,
    /// Windows.
    Win,
}

/// The object whose error handler is asked.
#[derive(Clone, Copy, Debug)]
pub enum Target {
    /// None: that of `MPI_COMM_SELF`, as the standard says.
    None,
    /// A communicator's.
    Comm(MPI_Comm),
    /// A session's.
    Session(MPI_Session),
    /// This one itself.
    Handler(MPI_Errhandler),
}

impl From<MPI_Comm> for Target {
    fn from(comm: MPI_Comm) -> Target {
        Target::Comm(comm)
    }
}

impl From<MPI_Session> for Target {
    fn from(session: MPI_Session) -> Target {
        Target::Session(session)
    }
}

impl From<MPI_Errhandler> for Target {
    fn from(handler: MPI_Errhandler) -> Target {
        Target::Handler(handler)
    }
}

impl From<()> for Target {
    fn from((): ()) -> Target {
        Target::None
    }
}

impl fmt::Debug for UserHandler {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("UserHandler").field("kind", &self.kind).finish_non_exhaustive()
    }
}

impl Errhandler {
    /// The predefined error handlers, from `MPI_ERRHANDLER_NULL` on.
    pub fn predefined() -> Vec<Option<Errhandler>> {
        vec![None, Some(Errhandler::Fatal), Some(Errhandler::Abort), Some(Errhandler::Return)]
    }

    /// A handle of this error handler, which the program frees.
    pub fn handle(&self, state: &mut State) -> MPI_Errhandler {
        match self {
            Errhandler::Fatal => MPI_ERRORS_ARE_FATAL,
            Errhandler::Abort => MPI_ERRORS_ABORT,
            Errhandler::Return => MPI_ERRORS_RETURN,
            Errhandler::User(_) => state.errhandlers.insert(self.clone()),
        }
    }

    /// The error handler of a handle, to be attached to an object of a kind.
    pub fn of_handle(state: &State, handler: MPI_Errhandler, kind: Kind) -> Result<Errhandler> {
        let found = state.errhandlers.get(handler)?;
        match found {
            Errhandler::User(user) if user.kind != kind => {
                let text = format!("an error handler for a {:?}, where one for a {kind:?} is expected", user.kind);
                Err(Error::new(MPI_ERR_ERRHANDLER, text))
            }
            _ => Ok(found.clone()),
        }
    }
}

/// Hands an error to the handler of `target`; the code that the call returns if the handler lets it.
#[cold]
pub fn raise(target: Target, call: &'static str, error: &Error) -> c_int {
    let (handler, handle) = find(&state::enter(), target);
    match handler {
        Errhandler::Return => {}
        Errhandler::User(user) => (user.function)(handle, error.code),
        Errhandler::Fatal | Errhandler::Abort => end(call, error),
    }
    error.code
}

/// The handler of a target, and the handle that a user's function is told.
fn find(state: &State, target: Target) -> (Errhandler, usize) {
    let found = match target {
        Target::None => None,
        Target::Comm(comm) => state.comms.get(comm).ok().map(|entry| (entry.errhandler.clone(), comm.into())),
        Target::Session(session) => {
            state.sessions.get(session).ok().map(|entry| (entry.errhandler.clone(), session.into()))
        }
        Target::Handler(handler) => {
            let null = usize::from(abi::MPI_COMM_NULL);
            state.errhandlers.get(handler).ok().map(|handler| (handler.clone(), null))
        }
    };
    let own = || state.comms.get(MPI_COMM_SELF).ok().map(|entry| (entry.errhandler.clone(), MPI_COMM_SELF.into()));
    found.or_else(own).unwrap_or((Errhandler::Fatal, MPI_COMM_SELF.into()))
}

/// Writes a line to the standard error output at once, so that those of several processes do not mix.
pub fn say(line: &str) {
    let _ = std::io::stderr().write_all(format!("{line}\n").as_bytes());
}

#[allow(clippy::disallowed_methods)] // Nothing will happen here that could be waited for.
fn end(call: &str, error: &Error) -> ! {
    let (rank, class, first) = {
        let state = state::enter();
        let (rank, first) = state.job.as_ref().map_or((0, true), |job| (job.rank, job.announce_abort()));
        (rank, state.error_codes.class_of(error.code).unwrap_or(error.code), first)
    };
    let name = name_of_class(class).unwrap_or("an error class of the program");
    if !first {
        // Where all ranks are wrong in the same way, one line is enough: that of the first, which ends the job.
        std::thread::sleep(PATIENCE);
    }
    say(&format!("{call} on rank {rank}: {} ({name})", error.text));
    crate::world::abort(error.code)
}
