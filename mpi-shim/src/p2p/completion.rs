//! What becomes of requests: complete ones are taken, others freed or cancelled.
use super::attached::release_all_sent;
use super::awaited::Awaited;
use super::progress::wait_until;
use super::request::{self, Generalized, Kind, Request};
use crate::abi::{MPI_ERR_REQUEST, MPI_REQUEST_NULL, MPI_Request, MPI_Status};
use crate::error::{Error, Result};
use crate::state::{self, State};
use std::sync::Arc;

/// The request of everything that was complete when it was begun: it stays complete for ever.
pub const COMPLETE: MPI_Request = MPI_Request(0x181);
/// The request of a receive from `MPI_PROC_NULL`.
pub const FROM_NOBODY: MPI_Request = MPI_Request(0x182);

/// What a complete request left.
#[derive(Debug)]
pub struct Concluded {
    /// What came.
    pub status: MPI_Status,
    /// Whether it went well.
    pub outcome: Result<()>,
    /// The handle stays good: that of a persistent request.
    pub stays: bool,
}

impl Concluded {
    fn well(status: MPI_Status, stays: bool) -> Concluded {
        Concluded { status, outcome: Ok(()), stays }
    }
}

/// The status of a request that is not in the table.
#[inline]
fn fixed(request: MPI_Request) -> Option<MPI_Status> {
    match request {
        COMPLETE | MPI_REQUEST_NULL => Some(MPI_Status::EMPTY),
        FROM_NOBODY => Some(MPI_Status::NOBODY),
        _ => None,
    }
}

/// True if waiting for this request returns at once.
#[inline]
pub fn is_complete(state: &State, request: MPI_Request) -> Result<bool> {
    if request == COMPLETE {
        return Ok(true);
    }
    if fixed(request).is_some() {
        return Ok(true);
    }
    let found = state.requests.get(request)?;
    match &found.kind {
        Kind::Persistent { active, .. } => active.map_or(Ok(true), |active| is_complete(state, active)),
        _ => Ok(found.is_complete()),
    }
}

/// False for the null request, and persistent ones that were not started.
pub fn is_active(state: &State, request: MPI_Request) -> Result<bool> {
    if request == MPI_REQUEST_NULL {
        return Ok(false);
    }
    if fixed(request).is_some() {
        return Ok(true);
    }
    Ok(!matches!(state.requests.get(request)?.kind, Kind::Persistent { active: None, .. }))
}

/// Takes a complete request out of the table; a persistent one stays, inactive. Without a guard: generalized requests
/// call the user's functions.
#[inline]
pub fn conclude(request: MPI_Request) -> Concluded {
    if let Some(status) = fixed(request) {
        return Concluded::well(status, false);
    }
    let mut state = state::enter();
    let found = match state.requests.get_mut(request) {
        Ok(found) => found,
        Err(error) => return Concluded { status: MPI_Status::EMPTY, outcome: Err(error), stays: true },
    };
    match &mut found.kind {
        Kind::Persistent { active, .. } => {
            let active = active.take();
            drop(state);
            let concluded = active.map_or_else(|| Concluded::well(MPI_Status::EMPTY, true), conclude);
            Concluded { stays: true, ..concluded }
        }
        Kind::Generalized(generalized) => {
            let generalized = generalized.clone();
            let _ = state.requests.discard(request);
            drop(state);
            conclude_generalized(generalized.as_ref())
        }
        _ => {
            let (status, outcome) = (found.status, found.result());
            let _ = request::remove(&mut state.requests, request);
            Concluded { status, outcome, stays: false }
        }
    }
}

fn conclude_generalized(generalized: &dyn Generalized) -> Concluded {
    let mut status = MPI_Status::EMPTY;
    let asked = generalized.query(&mut status);
    let freed = generalized.free();
    Concluded { status, outcome: asked.and(freed), stays: false }
}

/// Takes a request whose end needs no call of a user's function, and shows its status; false for all others, which stay.
#[inline(always)]
pub fn take_message(state: &mut State, request: MPI_Request, see: impl FnOnce(&MPI_Status)) -> bool {
    if let Some(status) = fixed(request) {
        see(&status);
        return true;
    }
    match state.requests.get(request) {
        Ok(found) if found.is_done_message() => see(&found.status),
        _ => return false,
    }
    request::remove(&mut state.requests, request).is_ok()
}

/// If a request of the library's own is complete, takes it out of the table.
#[inline]
pub fn test(state: &mut State, request: MPI_Request) -> Result<Option<MPI_Status>> {
    if let Some(status) = fixed(request) {
        return Ok(Some(status));
    }
    let found = state.requests.get_mut(request)?;
    if !found.is_complete() {
        return Ok(None);
    }
    let (status, outcome) = (found.status, found.result());
    request::remove(&mut state.requests, request)?;
    outcome.map(|()| Some(status))
}

/// Waits for a request and takes it; its status also if it failed.
#[inline]
pub fn wait_with_status(request: MPI_Request) -> (MPI_Status, Result<()>) {
    let waited = wait_until(Awaited::All(&[request]), |state| Ok(is_complete(state, request)?.then_some(())));
    if let Err(error) = waited {
        return (MPI_Status::EMPTY, Err(error));
    }
    let concluded = conclude(request);
    (concluded.status, concluded.outcome)
}

/// The status of a complete request, which stays; none if it goes on.
pub fn status(request: MPI_Request) -> Result<Option<MPI_Status>> {
    if let Some(status) = fixed(request) {
        return Ok(Some(status));
    }
    let state = state::enter();
    if !is_complete(&state, request)? {
        return Ok(None);
    }
    let found = state.requests.get(request)?;
    match &found.kind {
        Kind::Persistent { active, .. } => {
            let active = *active;
            drop(state);
            active.map_or(Ok(Some(MPI_Status::EMPTY)), status)
        }
        Kind::Generalized(generalized) => {
            let generalized = generalized.clone();
            drop(state);
            let mut status = MPI_Status::EMPTY;
            generalized.query(&mut status).map(|()| Some(status))
        }
        _ => Ok(Some(found.status)),
    }
}

/// Lets a request go: it leaves the table now, or when it is complete. A generalized one is given back if its user's function
/// for that is to be called now.
pub fn free(state: &mut State, request: MPI_Request) -> Result<Option<Arc<dyn Generalized>>> {
    if request == MPI_REQUEST_NULL {
        return Err(Error::new(MPI_ERR_REQUEST, "MPI_REQUEST_NULL cannot be freed"));
    }
    if fixed(request).is_some() {
        return Ok(None);
    }
    let found = state.requests.get_mut(request)?;
    match &found.kind {
        Kind::Persistent { active, .. } => {
            let active = *active;
            state.requests.discard(request)?;
            active.map_or(Ok(None), |active| free(state, active))
        }
        Kind::Generalized(generalized) if found.is_complete() => {
            let generalized = generalized.clone();
            state.requests.discard(request)?;
            Ok(Some(generalized))
        }
        _ if found.is_complete() => request::remove(&mut state.requests, request).map(|()| None),
        _ => {
            found.detached = true;
            Ok(None)
        }
    }
}

/// True if nothing is under way that nobody waits for: sends that were freed or are in attached buffers, and what has yet
/// to find room in a ring.
pub fn is_settled(state: &mut State) -> bool {
    let freed = state.requests.iter().any(|(_, found)| found.detached && matches!(found.kind, Kind::Send { .. }));
    let flushed = state.engine.as_ref().is_none_or(|engine| engine.is_flushed());
    release_all_sent(state) && flushed && !freed
}

/// A generalized request's functions, and whether it is complete.
type ToCancel = (Arc<dyn Generalized>, bool);

/// Takes a receive back, if it has no message; sends go on. A generalized request is given back, with whether it is complete.
pub fn cancel(state: &mut State, request: MPI_Request) -> Result<Option<ToCancel>> {
    if request != MPI_REQUEST_NULL && fixed(request).is_some() {
        return Ok(None);
    }
    let found = state.requests.get(request)?;
    let asked = match &found.kind {
        Kind::Receive { asked, .. } if !found.is_complete() => *asked,
        Kind::Persistent { active: Some(active), .. } => return cancel(state, *active),
        Kind::Generalized(generalized) => return Ok(Some((generalized.clone(), found.is_complete()))),
        Kind::Persistent { active: None, .. } | Kind::Activity => {
            let text = "only point-to-point requests that are active, and generalized ones, can be cancelled";
            return Err(Error::new(MPI_ERR_REQUEST, text));
        }
        _ => return Ok(None),
    };
    let (engine, requests) = state.messages()?;
    if engine.cancel(&asked, request) {
        let mut status = MPI_Status::EMPTY;
        status.set_cancelled(true);
        request::complete(requests, request, status);
    }
    Ok(None)
}

/// Marks a generalized request complete.
pub fn complete_generalized(state: &mut State, request: MPI_Request) -> Result<Option<Arc<dyn Generalized>>> {
    let found: &mut Request = state.requests.get_mut(request)?;
    let Kind::Generalized(generalized) = &found.kind else {
        return Err(Error::new(MPI_ERR_REQUEST, "the request is not a generalized one"));
    };
    let generalized = generalized.clone();
    found.complete();
    if !found.detached {
        return Ok(None);
    }
    state.requests.discard(request)?;
    Ok(Some(generalized))
}
