//! The integer types that count and displace: calls come in a form with `int` and a form with `MPI_Count` (`_c`).
use super::argument::list;
use super::set;
use crate::abi::{MPI_Aint, MPI_Count, MPI_ERR_COUNT, MPI_UNDEFINED};
use crate::error::{Error, Result};
use std::ffi::c_int;

/// An integer type of arguments.
pub(super) trait Integer: Copy {
    /// Its value.
    fn value(self) -> i64;
    /// The value in this type, or `MPI_UNDEFINED` where it does not fit.
    fn or_undefined(value: i64) -> Self;
}

impl Integer for c_int {
    fn value(self) -> i64 {
        self.into()
    }

    fn or_undefined(value: i64) -> Self {
        Self::try_from(value).unwrap_or(MPI_UNDEFINED)
    }
}

impl Integer for MPI_Count {
    fn value(self) -> i64 {
        self
    }

    fn or_undefined(value: i64) -> Self {
        value
    }
}

impl Integer for MPI_Aint {
    fn value(self) -> i64 {
        self as i64
    }

    fn or_undefined(value: i64) -> Self {
        value as Self
    }
}

/// Writes a number as a result: `MPI_UNDEFINED` where it does not fit, or is none.
pub(super) fn set_number<T: Integer>(place: *mut T, number: Option<usize>) -> Result<()> {
    let number = number.and_then(|number| i64::try_from(number).ok());
    set(place, number.map_or(T::or_undefined(MPI_UNDEFINED.into()), T::or_undefined))
}

/// A count of elements, bytes or entries.
pub(super) fn count(count: impl Integer) -> Result<usize> {
    let count = count.value();
    let bad = |_| Error::new(MPI_ERR_COUNT, format!("a count of {count} where 0 or more is expected"));
    usize::try_from(count).map_err(bad)
}

/// The caller's list of `entries` numbers.
pub(super) fn numbers<T: Integer>(first: *const T, entries: impl Integer) -> Result<Vec<i64>> {
    let entries = c_int::try_from(count(entries)?)
        .map_err(|_| Error::new(MPI_ERR_COUNT, format!("a list of more than {} entries", c_int::MAX)))?;
    Ok(list(first, entries)?.iter().map(|number| number.value()).collect())
}

/// Defines both forms of a call. In its arguments and its body `Count` stands for `int` or `MPI_Count`, `Bytes` for
/// `MPI_Aint` or `MPI_Count`.
macro_rules! forms {
    ($($(#[$meta:meta])* fn $int:ident, $int_profiled:ident / $large:ident, $large_profiled:ident
       ($($arg:ident: $type:ty),* $(,)?) on $target:expr, $body:block)*) => {$(
        const _: () = {
            #[allow(dead_code)]
            type Count = std::ffi::c_int;
            #[allow(dead_code)]
            type Bytes = $crate::abi::MPI_Aint;
            #[allow(dead_code)]
            const FORM: $crate::datatype::Form = $crate::datatype::Form::Int;
            $crate::ffi::mpi! { $(#[$meta])* fn $int, $int_profiled($($arg: $type),*) on $target, $body }
        };
        const _: () = {
            #[allow(dead_code)]
            type Count = $crate::abi::MPI_Count;
            #[allow(dead_code)]
            type Bytes = $crate::abi::MPI_Count;
            #[allow(dead_code)]
            const FORM: $crate::datatype::Form = $crate::datatype::Form::Large;
            $crate::ffi::mpi! { $(#[$meta])* fn $large, $large_profiled($($arg: $type),*) on $target, $body }
        };
    )*};
}
pub(super) use forms;
