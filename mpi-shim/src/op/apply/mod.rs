//! Operations at work: the loops of the predefined ones, and the calls of users' functions.
#![allow(unsafe_code)]

mod kernel;
mod pair;

#[cfg(test)]
mod tests;

use super::{Function, Kind, Op};
use crate::abi::{MPI_Count, MPI_Datatype};
use crate::datatype::{Datatype, Shape};
use crate::error::Result;
use crate::state;
use std::ffi::{c_int, c_void};
use std::sync::Arc;

/// `into[i] = from[i] op into[i]` for `count` elements of `datatype`. To be called without a guard of the state.
///
/// # Safety
/// `count` elements at `from` must be readable, and at `into` readable and writable; they must not overlap.
pub unsafe fn apply(op: &Op, datatype: &Datatype, from: *const u8, into: *mut u8, count: usize) -> Result<()> {
    match op.function {
        // SAFETY: the caller's promise.
        Function::Predefined(kind) => unsafe { predefined(kind, datatype, from, into, into, count) },
        // SAFETY: the caller's promise.
        function => unsafe { call(function, datatype, from, into, count) },
    }
}

/// `out[i] = left[i] op right[i]` for `count` elements of `datatype`. To be called without a guard of the state.
///
/// # Safety
/// `count` elements at `left` and `right` must be readable, and at `out` writable. `out` may be `right`, and for a predefined operation
/// `left`; else it must not overlap them.
pub unsafe fn combine(
    op: &Op,
    datatype: &Datatype,
    left: *const u8,
    right: *const u8,
    out: *mut u8,
    count: usize,
) -> Result<()> {
    if let Function::Predefined(kind) = op.function {
        // SAFETY: the caller's promise.
        return unsafe { predefined(kind, datatype, left, right, out, count) };
    }
    if !std::ptr::eq(right, out) {
        // SAFETY: the caller's promise.
        unsafe { copy(datatype, right, out, count) };
    }
    // SAFETY: the caller's promise; `out` now holds what was at `right`.
    unsafe { call(op.function, datatype, left, out, count) }
}

/// Copies elements, gaps left out.
///
/// # Safety
/// `count` elements at `from` are readable, and at `to` writable; they do not overlap.
unsafe fn copy(datatype: &Datatype, from: *const u8, to: *mut u8, count: usize) {
    let mut piece = [0; 4096];
    let mut position = 0;
    loop {
        // SAFETY: the caller's promise.
        let len = unsafe { datatype.pack(from, count, position, &mut piece) };
        if len == 0 {
            return;
        }
        // SAFETY: the caller's promise.
        unsafe { datatype.unpack(to, count, position, &piece[..len]) };
        position += len;
    }
}

/// Calls a user's function; one with `int` counts as often as needed.
///
/// # Safety
/// As for [`apply`].
unsafe fn call(function: Function, datatype: &Datatype, from: *const u8, into: *mut u8, count: usize) -> Result<()> {
    let handle = Handle::of(datatype);
    let mut done = 0;
    while done < count {
        let offset = datatype.extent().wrapping_mul(done as isize);
        let from = from.wrapping_offset(offset).cast_mut().cast::<c_void>();
        let into = into.wrapping_offset(offset).cast::<c_void>();
        let mut datatype = handle.value;
        match function {
            Function::User(user) => {
                let mut len = (count - done).min(c_int::MAX as usize) as c_int;
                done += len as usize;
                // SAFETY: the program gave this function for such arguments.
                unsafe { user(from, into, &mut len, &mut datatype) };
            }
            Function::UserLarge(user) => {
                let mut len = (count - done) as MPI_Count;
                done = count;
                // SAFETY: as above.
                unsafe { user(from, into, &mut len, &mut datatype) };
            }
            Function::Predefined(kind) => unreachable!("{kind:?} is not a user's"),
        }
    }
    Ok(())
}

/// A handle for a user's function to ask about the type of its arguments.
struct Handle {
    value: MPI_Datatype,
    /// The program freed its own while the reduction was under way.
    borrowed: bool,
}

impl Handle {
    fn of(datatype: &Datatype) -> Self {
        let mut state = state::enter();
        let own = datatype.handle();
        let alive = state.datatype(own).is_ok_and(|found| found.is_same(datatype));
        let value = if alive { own } else { state.datatypes.insert(Arc::new(datatype.twin())) };
        Self { value, borrowed: !alive }
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        if self.borrowed {
            // It is there, unless the function freed it, which is the program's error.
            let _ = state::enter().datatypes.remove(self.value);
        }
    }
}

/// # Safety
/// As for [`combine`].
unsafe fn predefined(
    kind: Kind,
    datatype: &Datatype,
    left: *const u8,
    right: *const u8,
    out: *mut u8,
    count: usize,
) -> Result<()> {
    let shape = datatype.role().map(|role| role.shape);
    match (shape, kind) {
        (Some(Shape::Pair(value, index)), Kind::Minloc | Kind::Maxloc) => {
            let Some(locate) = pair::kernel(value, index) else { return Err(super::undefined(kind, datatype)) };
            // SAFETY: the caller's promise.
            unsafe { locate(kind == Kind::Maxloc, left, right, out, count) }
        }
        (Some(Shape::One(basic)), _) => {
            let Some(kernel) = kernel::of(kind, basic) else { return Err(super::undefined(kind, datatype)) };
            // Bits are combined byte by byte.
            let count = if kind.is_bitwise() { count * datatype.size() } else { count };
            // SAFETY: the caller's promise.
            unsafe { kernel(left, right, out, count) };
        }
        _ => return Err(super::undefined(kind, datatype)),
    }
    Ok(())
}
