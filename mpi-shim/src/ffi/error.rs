//! Errors: their classes and codes, and the functions that are called when one happens.
use super::argument::{set_text_and_length, text, value};
use super::{mpi, set};
use crate::abi::{
    MPI_Comm, MPI_ERR_ARG, MPI_ERRHANDLER_NULL, MPI_Errhandler, MPI_FILE_NULL, MPI_File, MPI_MAX_ERROR_STRING,
    MPI_SUCCESS, MPI_Session, MPI_Win,
};
use crate::errhandler::{self, Errhandler, Kind, Target, UserHandler};
use crate::error::{Error, Result};
use crate::state;
use crate::world;
use std::ffi::{c_char, c_int};
use std::sync::Arc;

/// A program's function for the errors of objects whose handles are `H`.
type Function<H> = Option<unsafe extern "C" fn(*mut H, *mut c_int, ...)>;

/// A new error handler that calls the program's function.
fn create<H: From<usize> + 'static>(kind: Kind, function: Function<H>) -> Result<MPI_Errhandler> {
    let Some(function) = function else { return Err(Error::new(MPI_ERR_ARG, "a null pointer instead of a function")) };
    let call = move |handle: usize, code: c_int| {
        let (mut handle, mut code) = (H::from(handle), code);
        // SAFETY: the program gave this function for this use; both places live until it returns.
        unsafe { function(&mut handle, &mut code) };
    };
    let handler = Errhandler::User(Arc::new(UserHandler { kind, function: Box::new(call) }));
    Ok(state::enter().errhandlers.insert(handler))
}

/// Calls the error handler of an object, as if an error had happened.
fn provoke(target: impl Into<Target>, call: &'static str, code: c_int) -> Result<()> {
    let text = state::enter().error_codes.text_of(code)?;
    if code != MPI_SUCCESS {
        let text = format!("the program reports: {}", text.to_string_lossy());
        errhandler::raise(target.into(), call, &Error::new(code, text));
    }
    Ok(())
}

mpi! {
    /// Ends the job.
    fn MPI_Abort, PMPI_Abort(comm: MPI_Comm, errorcode: c_int) on comm, {
        // Which communicator does not matter: the standard allows to end all of the job.
        let _ = comm;
        let rank = state::enter().job.as_ref().map_or(0, |job| {
            // What others find wrong from now on comes of this end.
            job.announce_abort();
            job.rank
        });
        errhandler::say(&format!("MPI_Abort on rank {rank}: the job is ended with code {errorcode}"));
        world::abort(errorcode)
    }

    /// The class of a code.
    fn MPI_Error_class, PMPI_Error_class(errorcode: c_int, errorclass: *mut c_int) on (), {
        set(errorclass, state::enter().error_codes.class_of(errorcode)?)
    }

    /// What a code means.
    fn MPI_Error_string, PMPI_Error_string(errorcode: c_int, string: *mut c_char, resultlen: *mut c_int) on (), {
        let text = state::enter().error_codes.text_of(errorcode)?;
        set_text_and_length(string, MPI_MAX_ERROR_STRING, &text, resultlen)
    }

    /// A new error class.
    fn MPI_Add_error_class, PMPI_Add_error_class(errorclass: *mut c_int) on (), {
        set(errorclass, state::enter().error_codes.add_class())
    }

    /// A new error code.
    fn MPI_Add_error_code, PMPI_Add_error_code(errorclass: c_int, errorcode: *mut c_int) on (), {
        set(errorcode, state::enter().error_codes.add_code(errorclass)?)
    }

    /// What a class or code of the program means.
    fn MPI_Add_error_string, PMPI_Add_error_string(errorcode: c_int, string: *const c_char) on (), {
        state::enter().error_codes.set_text(errorcode, text(string)?)
    }

    /// Removes an error class of the program.
    fn MPI_Remove_error_class, PMPI_Remove_error_class(errorclass: c_int) on (), {
        state::enter().error_codes.remove_class(errorclass)
    }

    /// Removes an error code of the program.
    fn MPI_Remove_error_code, PMPI_Remove_error_code(errorcode: c_int) on (), {
        state::enter().error_codes.remove_code(errorcode)
    }

    /// Removes the text of a class or code of the program.
    fn MPI_Remove_error_string, PMPI_Remove_error_string(errorcode: c_int) on (), {
        state::enter().error_codes.remove_text(errorcode)
    }

    /// Frees a handle. Objects that have the error handler keep it.
    fn MPI_Errhandler_free, PMPI_Errhandler_free(errhandler: *mut MPI_Errhandler) on (), {
        let handle = value(errhandler)?;
        let mut state = state::enter();
        // The predefined ones are what the get functions give: they can be freed like what these give otherwise.
        if matches!(state.errhandlers.get(handle)?, Errhandler::User(_)) {
            state.errhandlers.remove(handle)?;
        }
        set(errhandler, MPI_ERRHANDLER_NULL)
    }

    /// An error handler for communicators.
    fn MPI_Comm_create_errhandler, PMPI_Comm_create_errhandler(
        function: Function<MPI_Comm>, errhandler: *mut MPI_Errhandler
    ) on (), { set(errhandler, create(Kind::Comm, function)?) }

    /// An error handler for files.
    fn MPI_File_create_errhandler, PMPI_File_create_errhandler(
        function: Function<MPI_File>, errhandler: *mut MPI_Errhandler
    ) on (), { set(errhandler, create(Kind::File, function)?) }

    /// An error handler for sessions.
    fn MPI_Session_create_errhandler, PMPI_Session_create_errhandler(
        function: Function<MPI_Session>, errhandler: *mut MPI_Errhandler
    ) on (), { set(errhandler, create(Kind::Session, function)?) }

    /// An error handler for windows.
    fn MPI_Win_create_errhandler, PMPI_Win_create_errhandler(
        function: Function<MPI_Win>, errhandler: *mut MPI_Errhandler
    ) on (), { set(errhandler, create(Kind::Win, function)?) }

    /// Sets a communicator's error handler.
    fn MPI_Comm_set_errhandler, PMPI_Comm_set_errhandler(comm: MPI_Comm, errhandler: MPI_Errhandler) on comm, {
        let mut state = state::enter();
        state.comm(comm)?;
        let handler = Errhandler::of_handle(&state, errhandler, Kind::Comm)?;
        state.comms.get_mut(comm)?.errhandler = handler;
        Ok(())
    }

    /// A communicator's error handler.
    fn MPI_Comm_get_errhandler, PMPI_Comm_get_errhandler(comm: MPI_Comm, errhandler: *mut MPI_Errhandler) on comm, {
        let mut state = state::enter();
        let handler = state.comm(comm)?.errhandler.clone();
        set(errhandler, handler.handle(&mut state))
    }

    /// Calls a communicator's error handler.
    fn MPI_Comm_call_errhandler, PMPI_Comm_call_errhandler(comm: MPI_Comm, errorcode: c_int) on comm, {
        state::enter().comm(comm)?;
        provoke(comm, "MPI_Comm_call_errhandler", errorcode)
    }

    /// Sets a session's error handler.
    fn MPI_Session_set_errhandler, PMPI_Session_set_errhandler(
        session: MPI_Session, errhandler: MPI_Errhandler
    ) on session, {
        let mut state = state::enter();
        let handler = Errhandler::of_handle(&state, errhandler, Kind::Session)?;
        state.sessions.get_mut(session)?.errhandler = handler;
        Ok(())
    }

    /// A session's error handler.
    fn MPI_Session_get_errhandler, PMPI_Session_get_errhandler(
        session: MPI_Session, errhandler: *mut MPI_Errhandler
    ) on session, {
        let mut state = state::enter();
        let handler = state.sessions.get(session)?.errhandler.clone();
        set(errhandler, handler.handle(&mut state))
    }

    /// Calls a session's error handler.
    fn MPI_Session_call_errhandler, PMPI_Session_call_errhandler(session: MPI_Session, errorcode: c_int) on session, {
        state::enter().sessions.get(session)?;
        provoke(session, "MPI_Session_call_errhandler", errorcode)
    }

    /// Sets the error handler that files begin with. No file can be open yet, so `file` must be null.
    fn MPI_File_set_errhandler, PMPI_File_set_errhandler(file: MPI_File, errhandler: MPI_Errhandler) on (), {
        require_no_file(file)?;
        let mut state = state::enter();
        state.file_errhandler = Errhandler::of_handle(&state, errhandler, Kind::File)?;
        Ok(())
    }

    /// The error handler that files begin with.
    fn MPI_File_get_errhandler, PMPI_File_get_errhandler(file: MPI_File, errhandler: *mut MPI_Errhandler) on (), {
        require_no_file(file)?;
        let mut state = state::enter();
        let handler = state.file_errhandler.clone();
        set(errhandler, handler.handle(&mut state))
    }
}

fn require_no_file(file: MPI_File) -> Result<()> {
    if file == MPI_FILE_NULL {
        return Ok(());
    }
    Err(Error::new(crate::abi::MPI_ERR_FILE, "a file handle, where only MPI_FILE_NULL can be: files cannot be opened"))
}
