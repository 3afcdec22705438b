//! Arguments behind pointers: lists and texts of the caller, and places for results.
use super::set;
use crate::abi::{MPI_ERR_ARG, MPI_ERR_COUNT};
use crate::error::{Error, Result};
use std::ffi::{CStr, c_char, c_int};

/// The caller's list of `count` elements. It may be null if it is empty.
pub(super) fn list<'a, T>(first: *const T, count: c_int) -> Result<&'a [T]> {
    let count = length(first.is_null(), count)?;
    // SAFETY: the standard requires of the caller that a list has as many elements as the count beside it says. An
    // empty one is not looked at.
    Ok(if count == 0 { &[] } else { unsafe { std::slice::from_raw_parts(first, count) } })
}

/// The caller's list of `count` places for results.
pub(super) fn places<'a, T>(first: *mut T, count: c_int) -> Result<&'a mut [T]> {
    let count = length(first.is_null(), count)?;
    // SAFETY: as for `list`; nobody else writes to it during the call.
    Ok(if count == 0 { &mut [] } else { unsafe { std::slice::from_raw_parts_mut(first, count) } })
}

fn length(null: bool, count: c_int) -> Result<usize> {
    match usize::try_from(count) {
        Err(_) => Err(Error::new(MPI_ERR_COUNT, format!("a list of {count} elements"))),
        Ok(0) => Ok(0),
        Ok(_) if null => Err(Error::new(MPI_ERR_ARG, format!("a null pointer where a list of {count} is expected"))),
        Ok(count) => Ok(count),
    }
}

/// The caller's flags, which C writes as ints.
pub(super) fn flags(first: *const c_int, count: c_int) -> Result<Vec<bool>> {
    Ok(list(first, count)?.iter().map(|&flag| flag != 0).collect())
}

/// The caller's text.
pub(super) fn text<'a>(text: *const c_char) -> Result<&'a CStr> {
    if text.is_null() {
        return Err(Error::new(MPI_ERR_ARG, "a null pointer where a text is expected"));
    }
    // SAFETY: the standard requires of the caller that texts end with a zero byte.
    Ok(unsafe { CStr::from_ptr(text) })
}

/// The value at the caller's pointer.
pub(super) fn value<T: Copy>(place: *const T) -> Result<T> {
    if place.is_null() {
        return Err(Error::new(MPI_ERR_ARG, "a null pointer where a value is expected"));
    }
    // SAFETY: the standard requires of the caller that a pointer to a value can be read.
    Ok(unsafe { place.read() })
}

/// Copies a text to the caller's room of `room` bytes, cut to fit with its zero byte.
pub(super) fn set_text(place: *mut c_char, room: usize, text: &CStr) -> Result<usize> {
    let bytes = text.to_bytes();
    let len = bytes.len().min(room.saturating_sub(1));
    if place.is_null() {
        return Err(Error::new(MPI_ERR_ARG, "a null pointer where a text is to be written"));
    }
    // SAFETY: the standard requires of the caller that there is room for `room` bytes; with the zero byte no more are
    // written. The text is not the caller's, so the two do not overlap.
    unsafe {
        place.cast::<u8>().copy_from_nonoverlapping(bytes.as_ptr(), len);
        place.add(len).write(0);
    }
    Ok(len)
}

/// The same with the length as a result.
pub(super) fn set_text_and_length(place: *mut c_char, room: c_int, text: &CStr, length: *mut c_int) -> Result<()> {
    set(length, set_text(place, room as usize, text)? as c_int)
}

/// Writes as many elements as the caller has room for.
pub(super) fn set_list<T: Copy>(place: *mut T, room: c_int, elements: &[T]) -> Result<()> {
    let count = usize::try_from(room).unwrap_or(0).min(elements.len());
    places(place, count as c_int)?.copy_from_slice(&elements[..count]);
    Ok(())
}
