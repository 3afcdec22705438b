//! The C boundary: the standard's functions, one file a chapter.
//!
//! A function here checks its arguments, takes the objects behind its handles, and calls what does the work. The `mpi!`
//! macro makes `MPI_X` and `PMPI_X` of one body that returns a [`Result`]; an error
//! goes to the error handler of the object that follows `on`, and a panic becomes `MPI_ERR_INTERN`.
#![allow(
    unsafe_code,
    non_snake_case,
    unreachable_pub,
    clippy::missing_safety_doc,
    clippy::too_many_arguments,
    clippy::useless_conversion,
    clippy::not_unsafe_ptr_arg_deref
)]

mod argument;
mod attribute;
mod buffered;
mod coll;
mod coll_move;
mod coll_neighbor;
mod coll_reduce;
mod comm;
mod datatype;
mod datatype_query;
mod error;
mod group;
mod handle;
mod info;
mod init;
mod integer;
mod message;
mod op;
mod pack;
mod persistent;
mod probe;
mod process;
mod receive;
mod refused;
mod requests;
mod send;
mod session;
mod status;
mod topology;

use crate::abi::MPI_ERR_INTERN;
use crate::calls;
use crate::errhandler::{self, Target};
use crate::error::{Error, Result};
use std::ffi::{CStr, c_int};
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Runs the body of a call, and hands its error on.
#[inline]
fn call(name: &'static CStr, target: impl Into<Target>, body: impl FnOnce() -> Result<()>) -> c_int {
    let timed = calls::enter(name);
    let outcome = catch_unwind(AssertUnwindSafe(body));
    if let Some(timed) = timed {
        calls::leave(name, timed);
    }
    match outcome {
        Ok(Ok(())) => crate::abi::MPI_SUCCESS,
        Ok(Err(error)) => failed(name, target.into(), &error),
        Err(_) => {
            let error = Error::new(MPI_ERR_INTERN, "the library failed; its message is above");
            failed(name, target.into(), &error)
        }
    }
}

#[cold]
fn failed(name: &'static CStr, target: Target, error: &Error) -> c_int {
    errhandler::raise(target, name.to_str().unwrap_or("MPI"), error)
}

/// Defines functions of the standard, each by both its names:
///
/// ```text
/// mpi! {
///     /// What it does.
///     fn MPI_Comm_size, PMPI_Comm_size(comm: MPI_Comm, size: *mut c_int) on comm {
///         set(size, state::enter().comm(comm)?.comm.group.size() as c_int)
///     }
/// }
/// ```
/// The body is an unsafe function of these arguments that returns `Result<()>`. `on ()` is for calls without an object; a
/// function with `-> type` instead of `on` returns that as it is.
macro_rules! mpi {
    () => {};
    ($(#[$meta:meta])* fn $name:ident, $profiled:ident($($arg:ident: $type:ty),* $(,)?) on $target:expr, $body:block $($rest:tt)*) => {
        $(#[$meta])*
        #[unsafe(no_mangle)]
        pub unsafe extern "C" fn $name($($arg: $type),*) -> std::ffi::c_int {
            // SAFETY: the caller's promises are the standard's, the same as of the profiled name.
            unsafe { $profiled($($arg),*) }
        }

        $(#[$meta])*
        #[unsafe(no_mangle)]
        pub unsafe extern "C" fn $profiled($($arg: $type),*) -> std::ffi::c_int {
            $crate::ffi::call(const { $crate::calls::name(concat!(stringify!($name), "\0")) }, $target, || $body)
        }

        $crate::ffi::mpi! { $($rest)* }
    };
    ($(#[$meta:meta])* fn $name:ident, $profiled:ident($($arg:ident: $type:ty),* $(,)?) -> $result:ty $body:block $($rest:tt)*) => {
        $(#[$meta])*
        #[unsafe(no_mangle)]
        pub unsafe extern "C" fn $name($($arg: $type),*) -> $result $body

        $(#[$meta])*
        #[unsafe(no_mangle)]
        pub unsafe extern "C" fn $profiled($($arg: $type),*) -> $result {
            // SAFETY: the caller's promises are the standard's, the same as of the plain name.
            unsafe { $name($($arg),*) }
        }

        $crate::ffi::mpi! { $($rest)* }
    };
}
pub(crate) use mpi;

/// Writes a result through the caller's pointer.
fn set<T>(place: *mut T, value: T) -> Result<()> {
    if place.is_null() {
        return Err(Error::new(crate::abi::MPI_ERR_ARG, "a null pointer where a result is to be written"));
    }
    // SAFETY: the standard requires of the caller that a result's pointer can be written.
    unsafe { place.write(value) };
    Ok(())
}
