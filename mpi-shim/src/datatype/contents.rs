//! What a datatype was made from, as `MPI_Type_get_envelope` and `MPI_Type_get_contents` tell it.

use super::Core;
use crate::abi::{MPI_COMBINER_NAMED, MPI_Count};
use std::ffi::c_int;
use std::sync::Arc;

/// Which of the two forms of a constructor was called: with `int` counts, or with `MPI_Count` (`_c`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// `int` counts; displacements in bytes are `MPI_Aint`.
    Int,
    /// `MPI_Count` for counts and displacements.
    Large,
}

/// The arguments of a constructor, in the order that the standard fixes.
#[derive(Clone, Debug)]
pub struct Contents {
    /// Which constructor.
    pub combiner: c_int,
    /// Its `int` arguments.
    pub integers: Vec<c_int>,
    /// Its addresses.
    pub addresses: Vec<isize>,
    /// Its `MPI_Count` arguments.
    pub large_counts: Vec<MPI_Count>,
    /// The types it was given.
    pub(super) datatypes: Vec<Arc<Core>>,
}

impl Contents {
    /// Those of a named type: nothing.
    pub(super) const NAMED: Self = Self::new(MPI_COMBINER_NAMED);

    /// Those of a constructor, without arguments yet.
    pub(super) const fn new(combiner: c_int) -> Self {
        Self { combiner, integers: Vec::new(), addresses: Vec::new(), large_counts: Vec::new(), datatypes: Vec::new() }
    }

    /// Adds arguments that are always `int`.
    pub(super) fn integers(mut self, values: &[c_int]) -> Self {
        self.integers.extend_from_slice(values);
        self
    }

    /// Adds counts. In the form with `int` they came as `int`.
    pub(super) fn counts(mut self, form: Form, values: &[MPI_Count]) -> Self {
        match form {
            Form::Int => self.integers.extend(values.iter().map(|&value| value as c_int)),
            Form::Large => self.large_counts.extend_from_slice(values),
        }
        self
    }

    /// Adds displacements in bytes.
    pub(super) fn bytes(mut self, form: Form, values: &[MPI_Count]) -> Self {
        match form {
            Form::Int => self.addresses.extend(values.iter().map(|&value| value as isize)),
            Form::Large => self.large_counts.extend_from_slice(values),
        }
        self
    }

    /// Adds the types.
    pub(super) fn types<'a>(mut self, types: impl IntoIterator<Item = &'a super::Datatype>) -> Self {
        self.datatypes.extend(types.into_iter().map(|datatype| datatype.core.clone()));
        self
    }
}
