//! What went wrong in a call: the standard's error class (or a code that a user added), and a sentence.
use crate::abi;
use std::borrow::Cow;
use std::ffi::c_int;
use std::ops::Deref;

/// The failure of a call. Calls hardly ever fail: what is known lies elsewhere, so that results fit into registers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error(Box<Failure>);

/// What is known of a failure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// An error class of the standard, or a code from `MPI_Add_error_code`.
    pub code: c_int,
    /// What was wrong with which argument: "rank 7 is outside of a communicator of 4".
    pub text: Cow<'static, str>,
}

/// The result of what a call does.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// An error of a class, and what was wrong.
    #[cold]
    pub fn new(code: c_int, text: impl Into<Cow<'static, str>>) -> Error {
        Error(Box::new(Failure { code, text: text.into() }))
    }

    /// What this library does not do.
    #[cold]
    pub fn unsupported(text: impl Into<Cow<'static, str>>) -> Error {
        Error::new(abi::MPI_ERR_UNSUPPORTED_OPERATION, text)
    }
}

impl Deref for Error {
    type Target = Failure;

    fn deref(&self) -> &Failure {
        &self.0
    }
}
