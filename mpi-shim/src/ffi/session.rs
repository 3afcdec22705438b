//! Sessions.
use super::argument::{set_text, text, value};
use super::comm::info_of;
use super::{mpi, set};
use crate::abi::{MPI_Errhandler, MPI_Info, MPI_SESSION_NULL, MPI_Session};
use crate::errhandler::{Errhandler, Kind};
use crate::session;
use crate::state;
use std::ffi::{c_char, c_int};

mpi! {
    /// Begins a session.
    fn MPI_Session_init, PMPI_Session_init(
        info: MPI_Info, errhandler: MPI_Errhandler, session: *mut MPI_Session
    ) on errhandler, {
        let handler = Errhandler::of_handle(&state::enter(), errhandler, Kind::Session)?;
        set(session, session::init(&info_of(info)?.unwrap_or_default(), handler)?)
    }

    /// Ends a session.
    fn MPI_Session_finalize, PMPI_Session_finalize(session: *mut MPI_Session) on (), {
        session::finalize(value(session)?)?;
        set(session, MPI_SESSION_NULL)
    }

    /// What a session tells of itself.
    fn MPI_Session_get_info, PMPI_Session_get_info(session: MPI_Session, info_used: *mut MPI_Info) on session, {
        let mut state = state::enter();
        let told = state.sessions.get(session)?.info.clone();
        set(info_used, state.infos.insert(told))
    }

    /// How many process sets there are.
    fn MPI_Session_get_num_psets, PMPI_Session_get_num_psets(
        session: MPI_Session, _info: MPI_Info, npset_names: *mut c_int
    ) on session, {
        state::enter().sessions.get(session)?;
        set(npset_names, session::set_count())
    }

    /// The name of a process set. `pset_len` is the room on entry, and the room that the name needs on return.
    fn MPI_Session_get_nth_pset, PMPI_Session_get_nth_pset(
        session: MPI_Session, _info: MPI_Info, n: c_int, pset_len: *mut c_int, pset_name: *mut c_char
    ) on session, {
        state::enter().sessions.get(session)?;
        let name = session::set_name(n)?;
        let room = value(pset_len)?;
        if room > 0 {
            set_text(pset_name, room as usize, name)?;
        }
        set(pset_len, name.to_bytes_with_nul().len() as c_int)
    }

    /// What is told of a process set.
    fn MPI_Session_get_pset_info, PMPI_Session_get_pset_info(
        session: MPI_Session, pset_name: *const c_char, info: *mut MPI_Info
    ) on session, {
        let name = text(pset_name)?;
        let mut state = state::enter();
        state.sessions.get(session)?;
        let told = session::set_info(&state, name)?;
        set(info, state.infos.insert(told))
    }
}
