//! Waiting for requests, testing and freeing them.
use super::message::set_status;
use super::{mpi, set};
use crate::abi::{
    MPI_ERR_ARG, MPI_ERR_COUNT, MPI_ERR_IN_STATUS, MPI_REQUEST_NULL, MPI_Request, MPI_SUCCESS, MPI_Status,
    MPI_UNDEFINED,
};
use crate::error::{Error, Result};
use crate::p2p::{self, Awaited};
use crate::state::{self, State};
use std::ffi::c_int;
use std::slice;

mpi! {
    /// Waits for a request.
    fn MPI_Wait, PMPI_Wait(request: *mut MPI_Request, status: *mut MPI_Status) on (), {
        let request = one(request)?;
        p2p::wait_until(Awaited::All(&[*request]), |state| Ok(p2p::is_complete(state, *request)?.then_some(())))?;
        let (got, outcome) = conclude(request);
        set_status(status, &got);
        outcome
    }

    /// Tests a request.
    fn MPI_Test, PMPI_Test(request: *mut MPI_Request, flag: *mut c_int, status: *mut MPI_Status) on (), {
        let request = one(request)?;
        let mut done = p2p::is_complete(&state::enter(), *request)?;
        if !done {
            p2p::advance()?;
            done = p2p::is_complete(&state::enter(), *request)?;
        }
        set(flag, done.into())?;
        if !done {
            return Ok(());
        }
        let (got, outcome) = conclude(request);
        set_status(status, &got);
        outcome
    }

    /// Waits for all requests.
    fn MPI_Waitall, PMPI_Waitall(count: c_int, requests: *mut MPI_Request, statuses: *mut MPI_Status) on (), {
        let requests = many(count, requests)?;
        p2p::wait_all(requests)?;
        finish_all(requests, statuses)
    }

    /// Tests whether all requests are complete.
    fn MPI_Testall, PMPI_Testall(
        count: c_int, requests: *mut MPI_Request, flag: *mut c_int, statuses: *mut MPI_Status
    ) on (), {
        let requests = many(count, requests)?;
        p2p::advance()?;
        let all = {
            let state = state::enter();
            requests.iter().try_fold(true, |all, &request| p2p::is_complete(&state, request).map(|one| all & one))?
        };
        set(flag, all.into())?;
        if all { finish_all(requests, statuses) } else { Ok(()) }
    }

    /// Waits for any of the requests.
    fn MPI_Waitany, PMPI_Waitany(
        count: c_int, requests: *mut MPI_Request, index: *mut c_int, status: *mut MPI_Status
    ) on (), {
        let requests = many(count, requests)?;
        let found = p2p::wait_until(Awaited::Any(requests), |state| any(state, requests))?;
        finish_any(requests, found, index, status)
    }

    /// Tests whether any of the requests is complete.
    fn MPI_Testany, PMPI_Testany(
        count: c_int, requests: *mut MPI_Request, index: *mut c_int, flag: *mut c_int, status: *mut MPI_Status
    ) on (), {
        let requests = many(count, requests)?;
        p2p::advance()?;
        let found = any(&state::enter(), requests)?;
        set(flag, found.is_some().into())?;
        match found {
            Some(found) => finish_any(requests, found, index, status),
            None => set(index, MPI_UNDEFINED),
        }
    }

    /// Waits for at least one of the requests, and finishes all that are complete.
    fn MPI_Waitsome, PMPI_Waitsome(
        incount: c_int, requests: *mut MPI_Request, outcount: *mut c_int, indices: *mut c_int, statuses: *mut MPI_Status
    ) on (), {
        let requests = many(incount, requests)?;
        let found = p2p::wait_until(Awaited::Any(requests), |state| any(state, requests))?;
        finish_some(requests, found != Any::Inactive, outcount, indices, statuses)
    }

    /// Finishes those of the requests that are complete.
    fn MPI_Testsome, PMPI_Testsome(
        incount: c_int, requests: *mut MPI_Request, outcount: *mut c_int, indices: *mut c_int, statuses: *mut MPI_Status
    ) on (), {
        let requests = many(incount, requests)?;
        p2p::advance()?;
        let found = any(&state::enter(), requests)?;
        finish_some(requests, found != Some(Any::Inactive), outcount, indices, statuses)
    }

    /// Lets a request go; what it does is completed all the same.
    fn MPI_Request_free, PMPI_Request_free(request: *mut MPI_Request) on (), {
        let handle = *one(request)?;
        let freed = p2p::free(&mut state::enter(), handle)?;
        if let Some(generalized) = freed {
            generalized.free()?;
        }
        set(request, MPI_REQUEST_NULL)
    }

    /// What is known of a request, which stays.
    fn MPI_Request_get_status, PMPI_Request_get_status(
        request: MPI_Request, flag: *mut c_int, status: *mut MPI_Status
    ) on (), {
        p2p::advance()?;
        let seen = p2p::status(request)?;
        set(flag, seen.is_some().into())?;
        if let Some(seen) = seen {
            set_status(status, &seen);
        }
        Ok(())
    }

    /// What is known of requests, if all are complete; they stay.
    fn MPI_Request_get_status_all, PMPI_Request_get_status_all(
        count: c_int, requests: *const MPI_Request, flag: *mut c_int, statuses: *mut MPI_Status
    ) on (), {
        let requests = many(count, requests.cast_mut())?;
        p2p::advance()?;
        let seen = requests.iter().map(|&request| p2p::status(request)).collect::<Result<Vec<_>>>()?;
        set(flag, seen.iter().all(Option::is_some).into())?;
        if seen.iter().all(Option::is_some) {
            for (index, status) in seen.iter().flatten().enumerate() {
                set_status(nth(statuses, index), status);
            }
        }
        Ok(())
    }

    /// What is known of any of the requests that is complete; it stays.
    fn MPI_Request_get_status_any, PMPI_Request_get_status_any(
        count: c_int, requests: *const MPI_Request, index: *mut c_int, flag: *mut c_int, status: *mut MPI_Status
    ) on (), {
        let requests = many(count, requests.cast_mut())?;
        p2p::advance()?;
        let found = any(&state::enter(), requests)?;
        set(flag, found.is_some().into())?;
        let Some(Any::Done(place)) = found else {
            set_status(status, &MPI_Status::EMPTY);
            return set(index, MPI_UNDEFINED);
        };
        set(index, place as c_int)?;
        if let Some(seen) = p2p::status(requests[place])? {
            set_status(status, &seen);
        }
        Ok(())
    }

    /// What is known of those requests that are complete; they stay.
    fn MPI_Request_get_status_some, PMPI_Request_get_status_some(
        incount: c_int, requests: *const MPI_Request, outcount: *mut c_int, indices: *mut c_int, statuses: *mut MPI_Status
    ) on (), {
        let requests = many(incount, requests.cast_mut())?;
        p2p::advance()?;
        if any(&state::enter(), requests)? == Some(Any::Inactive) {
            return set(outcount, MPI_UNDEFINED);
        }
        let mut found = 0;
        for (place, &request) in requests.iter().enumerate() {
            let active = p2p::is_active(&state::enter(), request)?;
            let Some(seen) = (if active { p2p::status(request)? } else { None }) else { continue };
            set(nth(indices, found), place as c_int)?;
            set_status(nth(statuses, found), &seen);
            found += 1;
        }
        set(outcount, found as c_int)
    }

    /// Asks for an operation to be taken back: a receive that has no message.
    fn MPI_Cancel, PMPI_Cancel(request: *mut MPI_Request) on (), {
        let handle = *one(request)?;
        let generalized = p2p::cancel(&mut state::enter(), handle)?;
        generalized.map_or(Ok(()), |(generalized, complete)| generalized.cancel(complete))
    }

    /// Whether an operation was taken back.
    fn MPI_Test_cancelled, PMPI_Test_cancelled(status: *const MPI_Status, flag: *mut c_int) on (), {
        // SAFETY: the standard requires that the status can be read.
        let cancelled = unsafe { status.as_ref() }.is_some_and(MPI_Status::cancelled);
        set(flag, cancelled.into())
    }
}

/// What `any` found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Any {
    /// This one is complete.
    Done(usize),
    /// None is active.
    Inactive,
}

/// A request's handle, where the caller keeps it.
#[inline]
fn one<'a>(request: *mut MPI_Request) -> Result<&'a mut MPI_Request> {
    // SAFETY: the standard requires that the handle can be read and written.
    unsafe { request.as_mut() }.ok_or_else(|| Error::new(MPI_ERR_ARG, "a null pointer where a request is expected"))
}

/// The handles of an array.
#[inline]
fn many<'a>(count: c_int, requests: *mut MPI_Request) -> Result<&'a mut [MPI_Request]> {
    let count = usize::try_from(count).map_err(|_| Error::new(MPI_ERR_COUNT, format!("{count} requests")))?;
    if count == 0 {
        return Ok(&mut []);
    }
    if requests.is_null() {
        return Err(Error::new(MPI_ERR_ARG, "a null pointer where requests are expected"));
    }
    // SAFETY: the standard requires that the handles can be read and written.
    Ok(unsafe { slice::from_raw_parts_mut(requests, count) })
}

/// The place of a status or an index in an array, which may be left out.
#[inline]
fn nth<T>(array: *mut T, index: usize) -> *mut T {
    if array.is_null() { array } else { array.wrapping_add(index) }
}

/// Takes a request that is complete; the caller's handle becomes null, but for a persistent one's.
#[inline]
fn conclude(request: &mut MPI_Request) -> (MPI_Status, Result<()>) {
    let concluded = p2p::conclude(*request);
    if !concluded.stays {
        *request = MPI_REQUEST_NULL;
    }
    (concluded.status, concluded.outcome)
}

/// The first active request that is complete; none if all active ones go on.
fn any(state: &State, requests: &[MPI_Request]) -> Result<Option<Any>> {
    let mut active = false;
    for (place, &request) in requests.iter().enumerate() {
        if p2p::is_active(state, request)? {
            if p2p::is_complete(state, request)? {
                return Ok(Some(Any::Done(place)));
            }
            active = true;
        }
    }
    Ok((!active).then_some(Any::Inactive))
}

fn finish_any(requests: &mut [MPI_Request], found: Any, index: *mut c_int, status: *mut MPI_Status) -> Result<()> {
    let Any::Done(place) = found else {
        set_status(status, &MPI_Status::EMPTY);
        return set(index, MPI_UNDEFINED);
    };
    let (got, outcome) = conclude(&mut requests[place]);
    set_status(status, &got);
    set(index, place as c_int)?;
    outcome
}

/// All are complete: their statuses, with an error in each if any of them failed.
fn finish_all(requests: &mut [MPI_Request], statuses: *mut MPI_Status) -> Result<()> {
    take_messages(requests, statuses);
    let mut failed = None;
    for (place, request) in requests.iter_mut().enumerate().filter(|(_, request)| **request != MPI_REQUEST_NULL) {
        let (got, outcome) = conclude(request);
        finish_one(nth(statuses, place), got, outcome, place, &mut failed);
    }
    in_status(failed)
}

/// Takes those of the requests that are messages which went well, all in one go; their handles become null.
#[inline]
fn take_messages(requests: &mut [MPI_Request], statuses: *mut MPI_Status) {
    let mut state = state::enter();
    for (place, request) in requests.iter_mut().enumerate() {
        let see = |status: &MPI_Status| write_status(nth(statuses, place), *status, MPI_SUCCESS);
        if p2p::take_message(&mut state, *request, see) {
            *request = MPI_REQUEST_NULL;
        }
    }
}

fn finish_some(
    requests: &mut [MPI_Request],
    active: bool,
    outcount: *mut c_int,
    indices: *mut c_int,
    statuses: *mut MPI_Status,
) -> Result<()> {
    if !active {
        return set(outcount, MPI_UNDEFINED);
    }
    let (mut found, mut failed) = (0, None);
    for (place, request) in requests.iter_mut().enumerate() {
        let ready = {
            let state = state::enter();
            p2p::is_active(&state, *request)? && p2p::is_complete(&state, *request)?
        };
        if ready {
            let (got, outcome) = conclude(request);
            set(nth(indices, found), place as c_int)?;
            finish_one(nth(statuses, found), got, outcome, place, &mut failed);
            found += 1;
        }
    }
    set(outcount, found as c_int)?;
    in_status(failed)
}

/// Writes a status of several, where the caller wants it.
#[inline]
fn write_status(place: *mut MPI_Status, status: MPI_Status, code: c_int) {
    if !place.is_null() {
        // SAFETY: the standard requires that statuses which are not ignored can be written.
        unsafe { place.write(status.with_error(code)) };
    }
}

/// Writes the status of one of several requests. Their error fields count only if one failed: then all have theirs.
fn finish_one(
    place: *mut MPI_Status,
    got: MPI_Status,
    outcome: Result<()>,
    index: usize,
    failed: &mut Option<(usize, Error)>,
) {
    let code = outcome.as_ref().map_or_else(|error| error.code, |()| MPI_SUCCESS);
    write_status(place, got, code);
    if let (None, Err(error)) = (&failed, outcome) {
        *failed = Some((index, error));
    }
}

fn in_status(failed: Option<(usize, Error)>) -> Result<()> {
    match failed {
        None => Ok(()),
        Some((index, error)) => Err(Error::new(MPI_ERR_IN_STATUS, format!("request {index}: {}", error.text))),
    }
}
